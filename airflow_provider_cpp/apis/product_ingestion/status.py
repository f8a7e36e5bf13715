# SPDX-License-Identifier: Apache-2.0
"""The status words of the Product Ingestion API and their meanings. No other file has a status word of this API.

Jobs and submissions have a progress and a result. A submission also has a target, preview or live. One table maps the three to an
offer's status.

`Product Ingestion API <https://learn.microsoft.com/azure/marketplace/product-ingestion-api>`_
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_cpp.core.status import Status, normalize_word


class Target(str, Enum):
    """The target of a submission, as the API spells it."""

    DRAFT = "draft"
    PREVIEW = "preview"
    LIVE = "live"

    @classmethod
    def parse(cls, word: str) -> Target | None:
        """Return a target; None for an unknown one."""
        return next((target for target in cls if target.value == normalize_word(word)), None)


def parse_state(progress: str, result: str) -> Status:
    """Return the status of a job or submission by its progress and result; ignore case.

    The result counts only if the progress is complete. Unknown words never end a wait.
    """
    if normalize_word(progress) != normalize_word(COMPLETE):
        return _PROGRESS.get(normalize_word(progress), Status.UNKNOWN)
    return _RESULTS.get(normalize_word(result), Status.UNKNOWN)


def offer_status(target: Target | None, state: Status) -> Status:
    """Return the status of an offer by the target and state of its newest submission."""
    if state is Status.SUCCEEDED:
        return _DONE.get(target, Status.UNKNOWN)
    return Status.RUNNING if state is Status.NOT_STARTED else state


COMPLETE = "completed"

PROGRESS: dict[Status, tuple[str, ...]] = {Status.NOT_STARTED: ("notStarted",), Status.RUNNING: ("running",)}
"""Values of ``jobStatus``, and of a submission's ``status``, in addition to ``completed``."""

RESULTS: dict[Status, tuple[str, ...]] = {
    Status.SUCCEEDED: ("succeeded",),
    Status.FAILED: ("failed",),
    Status.CANCELED: ("cancelled", "canceled"),
}
"""Values of ``jobResult``, and of a submission's ``result``, after it is completed."""

_PROGRESS = {normalize_word(word): status for status, words in PROGRESS.items() for word in words}
_RESULTS = {normalize_word(word): status for status, words in RESULTS.items() for word in words}
_DONE: dict[Target | None, Status] = {
    Target.PREVIEW: Status.WAITING_FOR_PUBLISHER_REVIEW,
    Target.LIVE: Status.SUCCEEDED,
}
