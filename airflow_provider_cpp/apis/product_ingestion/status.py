# SPDX-License-Identifier: Apache-2.0
"""Every status word of the Product Ingestion API, and what each means in the words of this package.

The rule of this file: no other file holds a status word of this API. A job and a submission say two words, how far
they are and with what result; a submission also says for whom it is, the preview or the market. What the three make of
an offer stands in one table.

`Product Ingestion API <https://learn.microsoft.com/azure/marketplace/product-ingestion-api>`_
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_cpp.core.status import Status


class Target(str, Enum):
    """For whom a submission is, in the API's own word."""

    DRAFT = "draft"
    PREVIEW = "preview"
    LIVE = "live"

    @classmethod
    def parse(cls, word: str) -> Target | None:
        """Read a target; None for one that is not of the marketplace."""
        return next((target for target in cls if target.value == _normalize(word)), None)


def parse_state(progress: str, result: str) -> Status:
    """Say where a job or a submission stands, by its two words, whatever their case.

    Its result counts only once it says that it is complete; words that nobody knows end nothing.
    """
    if _normalize(progress) != _normalize(COMPLETE):
        return _PROGRESS.get(_normalize(progress), Status.UNKNOWN)
    return _RESULTS.get(_normalize(result), Status.UNKNOWN)


def offer_status(target: Target | None, state: Status) -> Status:
    """Say where an offer stands whose newest submission has this target and this state."""
    if state is Status.SUCCEEDED:
        return _DONE.get(target, Status.UNKNOWN)
    return Status.RUNNING if state is Status.NOT_STARTED else state


def _normalize(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


COMPLETE = "completed"

PROGRESS: dict[Status, tuple[str, ...]] = {Status.NOT_STARTED: ("notStarted",), Status.RUNNING: ("running",)}
"""What ``jobStatus``, and the ``status`` of a submission, say beside ``completed``."""

RESULTS: dict[Status, tuple[str, ...]] = {
    Status.SUCCEEDED: ("succeeded",),
    Status.FAILED: ("failed",),
    Status.CANCELED: ("cancelled", "canceled"),
}
"""What ``jobResult``, and the ``result`` of a submission, say then."""

NO_RESULT = "pending"
"""What they say until then."""

_PROGRESS = {_normalize(word): status for status, words in PROGRESS.items() for word in words}
_RESULTS = {_normalize(word): status for status, words in RESULTS.items() for word in words}
_DONE: dict[Target | None, Status] = {
    Target.PREVIEW: Status.WAITING_FOR_PUBLISHER_REVIEW,
    Target.LIVE: Status.SUCCEEDED,
}

SPELLINGS: dict[Status, tuple[str, ...]] = {
    Status.NEVER_PUBLISHED: ("draft only",),
    Status.NOT_STARTED: ("job notStarted/pending",),
    Status.RUNNING: ("preview notStarted/pending", "preview running/pending", "live running/pending"),
    Status.WAITING_FOR_PUBLISHER_REVIEW: ("preview completed/succeeded",),
    Status.SUCCEEDED: ("live completed/succeeded",),
    Status.FAILED: ("preview completed/failed", "live completed/failed"),
    Status.CANCELED: ("job completed/cancelled",),
}
"""What the API says for each status of an offer: target, progress and result of its newest submission, or its job's."""
