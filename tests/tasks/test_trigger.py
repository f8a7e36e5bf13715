# SPDX-License-Identifier: Apache-2.0
"""The trigger as Airflow stores it: what it was given comes back, and thousands of them share what is the same."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("watch-*.json"))
SINCE = datetime(2026, 11, 3, 15, 21, tzinfo=timezone.utc)
MEMORIES = [
    None,
    Memory(answered=True, since=SINCE).to_payload(),
    Memory(summary="läuft", step="live").to_payload(),
    {"x": [1]},
]


def stored(path: Path) -> Any:
    """Read what a release wrote, as Airflow decodes it: each time as objects of its own."""
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("memory", MEMORIES)
def test_what_it_was_given_comes_back(path: Path, memory: Any) -> None:
    """What is stored again is what was stored, whichever release wrote it, and survives JSON."""
    given = {"conn_id": "portal", "watch": stored(path), "memory": memory}
    name, arguments = OfferStatusTrigger(**given).serialize()
    assert name.endswith(".OfferStatusTrigger")
    assert arguments == given
    assert OfferStatusTrigger(**given).memory == memory
    assert json.loads(json.dumps(arguments)) == given
    assert OfferStatusTrigger(**arguments).serialize()[1] == given


@pytest.mark.parametrize(
    "changes", [{"version": 99}, {"deadline": "2026-12-24T12:00:00+02:00"}, {"operation": 7}, {"more": 1}]
)
def test_what_cannot_be_read_comes_back_too(changes: dict[str, Any]) -> None:
    """A watch of another release, or one that this release would write differently, is left as it is."""
    watch = stored(GOLDEN[-1]) | changes
    trigger = OfferStatusTrigger("portal", watch)
    assert trigger.watch == watch
    assert trigger.serialize()[1]["watch"] == watch


def test_a_watch_that_is_asked_for_is_the_callers() -> None:
    """Whoever changes what they were given changes no trigger; a watch is replaced whole."""
    trigger = OfferStatusTrigger("portal", stored(GOLDEN[-1]))
    trigger.watch["until"] = "preview"
    assert trigger.watch == stored(GOLDEN[-1])
    trigger.watch |= {"until": "preview"}
    assert trigger.watch == stored(GOLDEN[-1]) | {"until": "preview"}


def test_watches_share_what_is_the_same() -> None:
    """Of two watches that were decoded apart, words and numbers that all have are the same objects, and an offer stands in each once."""
    one, other = (Watch.from_payload(stored(GOLDEN[0].with_name("watch-2.json"))) for _ in range(2))
    assert one.operation is not None
    assert other.operation is not None
    assert one.operation.offer is one.offer
    assert one.until is other.until
    assert one.poll_failure_tolerance is other.poll_failure_tolerance
    assert one.operation.kind is other.operation.kind
    assert one.operation.api is other.operation.api
    assert one.offer.publisher_id is other.offer.publisher_id
