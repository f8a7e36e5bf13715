# SPDX-License-Identifier: Apache-2.0
"""The statuses of offers, steps and operations of both APIs, and what each one means for a wait.

Each API maps its own status words to these in its ``status.py``, and only there.
"""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """The status of an offer, a step or an operation; the value is what users see."""

    NEVER_PUBLISHED = "neverPublished"
    NOT_STARTED = "notStarted"
    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waitingForApproval"
    WAITING_FOR_PUBLISHER_REVIEW = "waitingForPublisherReview"
    BLOCKED = "blocked"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"
    """A status word that this release does not know."""

    @property
    def is_success(self) -> bool:
        """Whether it means success."""
        return self is Status.SUCCEEDED

    @property
    def is_failure(self) -> bool:
        """Whether it means failure."""
        return self in (Status.REJECTED, Status.FAILED)

    @property
    def is_canceled(self) -> bool:
        """Whether it was canceled."""
        return self is Status.CANCELED

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.is_success or self.is_failure or self.is_canceled

    @property
    def is_in_progress(self) -> bool:
        """Whether it is known to be in progress."""
        return self in (Status.RUNNING, Status.WAITING_FOR_APPROVAL, Status.BLOCKED)

    @property
    def is_pending_or_in_progress(self) -> bool:
        """Whether it is known to be in progress or about to start."""
        return self is Status.NOT_STARTED or self.is_in_progress

    @property
    def awaits_sign_off(self) -> bool:
        """Whether the publisher must sign off."""
        return self is Status.WAITING_FOR_PUBLISHER_REVIEW


def normalize_word(word: str) -> str:
    """Return a status word of an API without case, spaces, hyphens and underscores, for comparison."""
    return "".join(letter for letter in word.casefold() if letter.isalnum())
