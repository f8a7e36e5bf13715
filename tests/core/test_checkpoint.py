# SPDX-License-Identifier: Apache-2.0
"""Notes that tries leave each other, and what a try makes of the times it knows."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.tries import CLEARED, CLEARED_OR_RETRIED, FIRST, RETRY

from airflow_provider_cpp.core.checkpoint import CLOCK_MARGIN, Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.exceptions import ConfigurationError


@pytest.fixture
def note(offer: OfferRef, start: datetime) -> Checkpoint:
    return Checkpoint(offer, "publish", start, FIRST, ("one", "two"), 636576975611768314)


@pytest.mark.parametrize("with_operation", [False, True])
def test_a_note_survives_json(note: Checkpoint, operation: Operation, with_operation: bool) -> None:  # noqa: FBT001
    """What is written as JSON is read back the same, the numbers of eighteen digits too."""
    note = replace(note, operation=operation if with_operation else None)
    assert Checkpoint.from_payload(json.loads(json.dumps(note.to_payload()))) == note


def test_no_note_is_none() -> None:
    """Nothing kept is no note, and no error."""
    assert Checkpoint.from_payload(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"created_at": "soon"},
        {"created_at": None},
        {"kind": "frobnicate"},
        {"counts": None},
        {"counts": 1},
        {"counts": {}},
        {"counts": asdict(FIRST) | {"retries": "many"}},
        {"known_ids": None},
        {"known_ids": "one"},
        {"publisher_id": ""},
        {"offer_id": "../x"},
        {"operation": {}},
        {"operation": "new-id"},
    ],
)
def test_a_note_that_cannot_be_read_is_refused(note: Checkpoint, change: dict[str, Any]) -> None:
    """A note of another release, or a broken one, is never taken for none, which could order twice."""
    with pytest.raises(ConfigurationError, match="left a note that this release cannot read; begin a new DAG run"):
        Checkpoint.from_payload(note.to_payload() | change)


@pytest.mark.parametrize("payload", [{}, [], [1], "note", 7, True])
def test_what_is_no_note_is_refused(payload: Any) -> None:
    """Whatever else stands where a note belongs is refused, not passed by."""
    with pytest.raises(ConfigurationError, match="cannot read"):
        Checkpoint.from_payload(payload)


def test_every_key_of_a_note_is_needed(note: Checkpoint) -> None:
    """A note that lacks a key is refused; the draft's version alone may be missing."""
    for key in note.to_payload():
        payload = note.to_payload()
        del payload[key]
        if key == "draft_version":
            assert Checkpoint.from_payload(payload) == replace(note, draft_version=None)
        else:
            with pytest.raises(ConfigurationError, match="cannot read"):
                Checkpoint.from_payload(payload)


@pytest.mark.parametrize(
    ("other", "kind"), [(OfferRef("contoso", "other"), "publish"), (OfferRef("contoso", "contoso-vm"), "cancel")]
)
def test_a_note_for_something_else_is_refused(note: Checkpoint, other: OfferRef, kind: Any) -> None:
    """A note that was made for another offer or another order says so, and names both."""
    with pytest.raises(ConfigurationError, match="noted a publish of offer contoso/contoso-vm, and this one is to"):
        note.ensure_matches(other, kind)
    note.ensure_matches(note.offer, note.kind)


@pytest.mark.parametrize(
    ("counts", "is_own"), [(FIRST, True), (RETRY, True), (CLEARED, False), (CLEARED_OR_RETRIED, False)]
)
def test_a_note_is_own_in_its_run_alone(note: Checkpoint, counts: TryCounts, is_own: bool) -> None:  # noqa: FBT001
    """A clear begins another run of the task, for which the note is somebody else's."""
    assert (TryContext(900, checkpoint=note, counts=counts).own_checkpoint is note) == is_own


def test_a_try_without_a_note_owns_none() -> None:
    """No note is no own note."""
    assert TryContext(900).own_checkpoint is None


@pytest.mark.parametrize(
    ("earlier", "is_recent"),
    [
        (timedelta(minutes=-1), True),
        (timedelta(0), True),
        (CLOCK_MARGIN, True),
        (CLOCK_MARGIN + timedelta(seconds=1), False),
        (None, True),
    ],
)
def test_what_changed_since_the_run_began(start: datetime, earlier: timedelta | None, is_recent: bool) -> None:  # noqa: FBT001
    """A change counts as recent up to five minutes before the DAG run began, since clocks differ, and without a time."""
    changed_at = None if earlier is None else start - earlier
    assert TryContext(900, dag_run_start=start).changed_in_dag_run(changed_at) == is_recent


def test_without_a_beginning_everything_is_recent(start: datetime) -> None:
    """Where it is not known when the DAG run began, any change may be of it."""
    assert TryContext(900).changed_in_dag_run(start - timedelta(days=1000))
