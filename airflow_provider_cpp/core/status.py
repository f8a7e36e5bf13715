# SPDX-License-Identifier: Apache-2.0
"""The one vocabulary of statuses, and what each means for somebody who waits, whichever API it comes from.

Each API spells them in its own words, which stand in the ``status.py`` of its own folder, and nowhere else.
"""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """Where an offer, a step or an operation stands; the value is what people are shown."""

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
    """A word this package does not know. It never ends a wait, and least of all well."""

    @property
    def is_success(self) -> bool:
        """Whether this is known to mean success."""
        return self is Status.SUCCEEDED

    @property
    def is_failure(self) -> bool:
        """Whether it ended in failure."""
        return self in _FAILURES

    @property
    def is_canceled(self) -> bool:
        """Whether somebody canceled it."""
        return self is Status.CANCELED

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in _TERMINAL

    @property
    def is_running(self) -> bool:
        """Whether the API is at work on it, or may be: a word nobody knows counts as running."""
        return self not in _TERMINAL and self not in _IDLE

    @property
    def is_open(self) -> bool:
        """Whether an operation with this status has yet to end: unlike an offer, one that has not started is coming."""
        return self not in _TERMINAL

    @property
    def is_under_way(self) -> bool:
        """Whether an operation with this status is known to be at work, or to be coming."""
        return self in _AT_WORK or self is Status.NOT_STARTED

    @property
    def is_at_work(self) -> bool:
        """Whether the API is known to be at work on it; a word nobody knows does not count."""
        return self in _AT_WORK

    @property
    def waits_for_publisher(self) -> bool:
        """Whether it waits for the publisher to go live."""
        return self is Status.WAITING_FOR_PUBLISHER_REVIEW

    @property
    def has_begun(self) -> bool:
        """Whether a step with this status is at work or done."""
        return self in _BEGUN


_FAILURES = frozenset({Status.FAILED, Status.REJECTED})
_TERMINAL = _FAILURES | {Status.SUCCEEDED, Status.CANCELED}
_IDLE = frozenset({Status.NEVER_PUBLISHED, Status.NOT_STARTED})
_AT_WORK = frozenset({Status.RUNNING, Status.WAITING_FOR_APPROVAL, Status.BLOCKED})
_BEGUN = frozenset({Status.RUNNING, Status.SUCCEEDED})

SIGN_OFF_STEP = "publisher-signoff"
"""The step at which an offer is parked for its publisher: of the portal an id in the documents, a name in the wild."""

LIVE_STEP = "live"
"""The step that going live begins."""
