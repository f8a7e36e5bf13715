# SPDX-License-Identifier: Apache-2.0
"""Every status word of the Cloud Partner Portal, and what each means for somebody who waits.

The rule of this file: no other file of the package holds a status word. Offers, their steps and
their operations share one vocabulary, because the portal spells the same fact differently in each
(an offer has ``succeeded``, its operation is ``complete``, a list says ``completed``).

`Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
"""

from __future__ import annotations

from enum import Enum


class Status(str, Enum):
    """Where an offer, a step or an operation stands; the value is the word shown to people."""

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

    @classmethod
    def parse(cls, word: str) -> Status:
        """Say what a word of the portal means, whatever its case, spaces, hyphens and underscores."""
        return _MEANINGS.get(_plain(word), cls.UNKNOWN)

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
        """Whether the portal is at work on it, or may be: a word nobody knows counts as running."""
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
        """Whether the portal is known to be at work on it; a word nobody knows does not count."""
        return self in _AT_WORK

    @property
    def waits_for_publisher(self) -> bool:
        """Whether it waits for the publisher to go live."""
        return self is Status.WAITING_FOR_PUBLISHER_REVIEW

    @property
    def has_begun(self) -> bool:
        """Whether a step with this status is at work or done."""
        return self in _BEGUN


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


_FAILURES = frozenset({Status.FAILED, Status.REJECTED})
_TERMINAL = _FAILURES | {Status.SUCCEEDED, Status.CANCELED}
_IDLE = frozenset({Status.NEVER_PUBLISHED, Status.NOT_STARTED})
_AT_WORK = frozenset({Status.RUNNING, Status.WAITING_FOR_APPROVAL, Status.BLOCKED})
_BEGUN = frozenset({Status.RUNNING, Status.SUCCEEDED})

SPELLINGS: dict[Status, tuple[str, ...]] = {
    Status.NEVER_PUBLISHED: ("neverPublished",),
    Status.NOT_STARTED: ("notStarted", "not started"),
    Status.RUNNING: ("running", "inProgress"),
    Status.WAITING_FOR_APPROVAL: ("waitingForApproval",),
    Status.WAITING_FOR_PUBLISHER_REVIEW: ("waitingForPublisherReview",),
    Status.BLOCKED: ("blocked",),
    Status.SUCCEEDED: ("succeeded", "complete", "completed", "published"),
    Status.REJECTED: ("rejected",),
    Status.FAILED: ("failed",),
    Status.CANCELED: ("canceled", "cancelled"),
}
"""What the portal writes, in documents and on the wire, for each status."""

_MEANINGS = {_plain(word): status for status, words in SPELLINGS.items() for word in words}

SIGN_OFF_STEP = "publisher-signoff"
"""The step at which an offer is parked for its publisher: an id in the documents, a name in the wild."""

LIVE_STEP = "live"
"""The step that going live begins."""
