# SPDX-License-Identifier: Apache-2.0
"""Every status word of the Product Ingestion API, and what it means. No other file has a status word of this API.

Jobs and submissions have a progress and a result; a submission also has a target, the preview or the market. One table has what
the three mean for an offer.

`Product Ingestion API <https://learn.microsoft.com/azure/marketplace/product-ingestion-api>`_
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_cpp.core.status import Status


class Target(str, Enum):
    """The target of a submission, as the API spells it."""

    DRAFT = "draft"
    PREVIEW = "preview"
    LIVE = "live"

    @classmethod
    def parse(cls, word: str) -> Target | None:
        """Return a target, or None for one that is not of the marketplace."""
        return next((target for target in cls if target.value == _normalize(word)), None)


def parse_state(progress: str, result: str) -> Status:
    """Return the status of a job or a submission by its progress and result, whatever their case.

    The result counts only if the progress is complete; unknown words end nothing.
    """
    if _normalize(progress) != _normalize(COMPLETE):
        return _PROGRESS.get(_normalize(progress), Status.UNKNOWN)
    return _RESULTS.get(_normalize(result), Status.UNKNOWN)


def offer_status(target: Target | None, state: Status) -> Status:
    """Return the status of an offer whose newest submission has this target and state."""
    if state is Status.SUCCEEDED:
        return _DONE.get(target, Status.UNKNOWN)
    return Status.RUNNING if state is Status.NOT_STARTED else state


def _normalize(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


COMPLETE = "completed"

PROGRESS: dict[Status, tuple[str, ...]] = {Status.NOT_STARTED: ("notStarted",), Status.RUNNING: ("running",)}
"""Values of ``jobStatus``, and of a submission's ``status``, beside ``completed``."""

RESULTS: dict[Status, tuple[str, ...]] = {
    Status.SUCCEEDED: ("succeeded",),
    Status.FAILED: ("failed",),
    Status.CANCELED: ("cancelled", "canceled"),
}
"""Values of ``jobResult``, and of a submission's ``result``, once it is completed."""

NO_RESULT = "pending"
"""Their value until then."""

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
"""Target, progress and result of the newest submission, or of its job, for each status of an offer."""
