# SPDX-License-Identifier: Apache-2.0
"""The statuses of offers, steps and operations of both APIs, and what each one means for a wait.

Each API maps its own status words to these in its ``status.py``, and only there.
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What a status means for a wait."""

    IDLE = "nothing was submitted"
    PENDING = "not started yet"
    IN_PROGRESS = "in progress"
    AWAITING_SIGN_OFF = "the publisher has to go live"
    SUCCEEDED = "ended well"
    FAILED = "ended badly"
    CANCELED = "ended by a cancel"
    UNKNOWN = "not known; never ends a wait"


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
    def phase(self) -> Phase:
        """What the status means for a wait."""
        return PHASES[self]

    @property
    def is_success(self) -> bool:
        """Whether it means success."""
        return self is Status.SUCCEEDED

    @property
    def is_failure(self) -> bool:
        """Whether it means failure."""
        return self.phase is Phase.FAILED

    @property
    def is_canceled(self) -> bool:
        """Whether it was canceled."""
        return self is Status.CANCELED

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED)

    @property
    def is_in_progress(self) -> bool:
        """Whether it is known to be in progress."""
        return self.phase is Phase.IN_PROGRESS

    @property
    def is_pending_or_in_progress(self) -> bool:
        """Whether it is known to be in progress or about to start."""
        return self.phase in (Phase.PENDING, Phase.IN_PROGRESS)

    @property
    def awaits_sign_off(self) -> bool:
        """Whether the publisher must sign off."""
        return self is Status.WAITING_FOR_PUBLISHER_REVIEW


def normalize_word(word: str) -> str:
    """Return a status word of an API without case, spaces, hyphens and underscores, for comparison."""
    return "".join(letter for letter in word.casefold() if letter.isalnum())


PHASES: dict[Status, Phase] = {
    Status.NEVER_PUBLISHED: Phase.IDLE,
    Status.NOT_STARTED: Phase.PENDING,
    Status.RUNNING: Phase.IN_PROGRESS,
    Status.WAITING_FOR_APPROVAL: Phase.IN_PROGRESS,
    Status.BLOCKED: Phase.IN_PROGRESS,
    Status.WAITING_FOR_PUBLISHER_REVIEW: Phase.AWAITING_SIGN_OFF,
    Status.SUCCEEDED: Phase.SUCCEEDED,
    Status.REJECTED: Phase.FAILED,
    Status.FAILED: Phase.FAILED,
    Status.CANCELED: Phase.CANCELED,
    Status.UNKNOWN: Phase.UNKNOWN,
}
