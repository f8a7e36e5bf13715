# SPDX-License-Identifier: Apache-2.0
"""Every status word of the Cloud Partner Portal, and what each means.

The rule of this file: no other file holds a status word of this API. Offers, their steps and their operations share one
vocabulary, because the portal spells the same fact differently in each (an offer has ``succeeded``, its operation is
``complete``, a list says ``completed``).

`Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
"""

from __future__ import annotations

from airflow_provider_cpp.core.status import Status


def parse_status(word: str) -> Status:
    """Say what a word of the portal means, whatever its case, spaces, hyphens and underscores."""
    return _MEANINGS.get(word) or _MEANINGS.get(_normalize(word), Status.UNKNOWN)


def _normalize(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


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

_MEANINGS = {
    spelling: status for status, words in SPELLINGS.items() for word in words for spelling in (word, _normalize(word))
}
