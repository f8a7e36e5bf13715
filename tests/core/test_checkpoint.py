# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that a try stores for the next one, and which changes count as recent."""

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
def checkpoint(offer: OfferRef, start: datetime) -> Checkpoint:
    return Checkpoint(offer, "publish", start, FIRST, ("one", "two"), 636576975611768314)


@pytest.mark.parametrize("with_operation", [False, True])
def test_a_checkpoint_survives_json(checkpoint: Checkpoint, operation: Operation, with_operation: bool) -> None:  # noqa: FBT001
    """A checkpoint written as JSON reads back equal, including numbers of eighteen digits."""
    checkpoint = replace(checkpoint, operation=operation if with_operation else None)
    assert Checkpoint.from_payload(json.loads(json.dumps(checkpoint.to_payload()))) == checkpoint


def test_no_payload_is_no_checkpoint() -> None:
    """An empty store yields None, not an error."""
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
        {"offer": {"publisher_id": "", "offer_id": "contoso-vm"}},
        {"offer": {"publisher_id": "contoso", "offer_id": "../x"}},
        {"operation": {}},
        {"operation": "new-id"},
    ],
)
def test_an_unreadable_checkpoint_is_rejected(checkpoint: Checkpoint, change: dict[str, Any]) -> None:
    """A broken checkpoint, or one of another release, is an error: ignoring it could publish twice."""
    with pytest.raises(ConfigurationError, match="cannot read the checkpoint of an earlier try; start a new DAG run"):
        Checkpoint.from_payload(checkpoint.to_payload() | change)


@pytest.mark.parametrize("payload", [{}, [], [1], "checkpoint", 7, True])
def test_other_values_are_rejected(payload: Any) -> None:
    """Any other value in place of a checkpoint is an error."""
    with pytest.raises(ConfigurationError, match="cannot read"):
        Checkpoint.from_payload(payload)


def test_every_key_but_the_version_of_the_draft_is_required(checkpoint: Checkpoint) -> None:
    """A checkpoint without any one of the keys that decide is rejected."""
    for key in checkpoint.to_payload().keys() - {"draft_version"}:
        payload = checkpoint.to_payload()
        del payload[key]
        with pytest.raises(ConfigurationError, match="cannot read"):
            Checkpoint.from_payload(payload)


@pytest.mark.parametrize(
    ("other", "kind"), [(OfferRef("contoso", "other"), "publish"), (OfferRef("contoso", "contoso-vm"), "cancel")]
)
def test_a_checkpoint_for_another_submit_is_rejected(checkpoint: Checkpoint, other: OfferRef, kind: Any) -> None:
    """A checkpoint for another offer or kind of submit is an error that names both."""
    expected = f"checkpoint to publish offer contoso/contoso-vm, but this try would {kind} offer {other}:"
    with pytest.raises(ConfigurationError, match=expected):
        checkpoint.ensure_matches(other, kind)
    checkpoint.ensure_matches(checkpoint.offer, checkpoint.kind)


@pytest.mark.parametrize(
    ("counts", "is_own"), [(FIRST, True), (RETRY, True), (CLEARED, False), (CLEARED_OR_RETRIED, False)]
)
def test_a_checkpoint_belongs_to_one_run_of_the_task(checkpoint: Checkpoint, counts: TryCounts, is_own: bool) -> None:  # noqa: FBT001
    """A clear begins another run of the task, which does not own the checkpoint."""
    assert (TryContext(900, checkpoint=checkpoint, counts=counts).own_checkpoint is checkpoint) == is_own


def test_a_try_without_a_checkpoint_owns_none() -> None:
    """A try without a checkpoint has no own checkpoint."""
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
def test_changes_since_the_dag_run_began(start: datetime, earlier: timedelta | None, is_recent: bool) -> None:  # noqa: FBT001
    """A change is recent from five minutes before the DAG run, since clocks differ; a change without a time is recent."""
    changed_at = None if earlier is None else start - earlier
    assert TryContext(900, dag_run_start=start).changed_in_dag_run(changed_at) == is_recent


def test_without_a_start_time_every_change_is_recent(start: datetime) -> None:
    """Without the DAG run's start time, every change is recent."""
    assert TryContext(900).changed_in_dag_run(start - timedelta(days=1000))
