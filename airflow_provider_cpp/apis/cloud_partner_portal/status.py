# SPDX-License-Identifier: Apache-2.0
"""The status words of the CPP API and their meanings. No other file has a status word of this API.

Offers, steps and operations share one table, because the API spells the same status in different ways: ``succeeded`` for an
offer, ``complete`` for its operation, ``completed`` in a list.

`Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
"""

from __future__ import annotations

from airflow_provider_cpp.core.status import Status, normalize_word


def parse_status(word: str) -> Status:
    """Return the status for a word of the API; ignore case, spaces, hyphens and underscores."""
    return _MEANINGS.get(normalize_word(word), Status.UNKNOWN)


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
"""The words in the documentation and in real responses for each status."""

_MEANINGS = {normalize_word(word): status for status, words in SPELLINGS.items() for word in words}

SIGN_OFF_STEP = "publisher-signoff"
"""The step in which an offer awaits sign-off: its ID in the documentation, its name in real responses."""

LIVE_STEP = "live"
"""The step in which an offer goes live."""
