# SPDX-License-Identifier: Apache-2.0
"""What crosses from the triggerer to the worker, and what does not get across."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec

GOLDEN = Path(__file__).parents[1] / "golden"
GOOD = WaitOutcome(WaitResult.REACHED, "it is live", "contoso/contoso-vm", "succeeded").to_payload()


def test_it_survives_json() -> None:
    """An outcome is the same after its way through JSON."""
    assert WaitOutcome.from_payload(json.loads(json.dumps(GOOD))).to_payload() == GOOD


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        [],
        "reached",
        7,
        {"status": "success"},
        GOOD | {"result": "succeeded"},
        GOOD | {"result": None},
        GOOD | {"version": 2},
        GOOD | {"version": True},
        GOOD | {"version": None},
        GOOD | {"more": 1},
        GOOD | {7: 1},
        {key: value for key, value in GOOD.items() if key != "message"},
        GOOD | {"message": None},
        GOOD | {"retryable": "no"},
        GOOD | {"operation": []},
        GOOD | {"status": 7},
    ],
)
def test_what_is_not_exactly_an_outcome_raises(payload: Any) -> None:
    """None, nothing, another type, an unknown word, a missing, wrong or extra key: each raises."""
    with pytest.raises(exceptions.InvalidEventError):
        WaitOutcome.from_payload(payload)


def test_an_error_becomes_an_outcome() -> None:
    """An error's line names the offer once, and keeps whether trying again can help."""
    outcome = WaitOutcome.from_error(exceptions.AuthenticationError("no token", transient=True), "contoso/x")
    assert (outcome.message, outcome.retryable) == ("offer contoso/x: no token", True)
    assert (
        WaitOutcome.from_error(exceptions.MarketplaceError("offer contoso/x is odd"), "contoso/x").message
        == "offer contoso/x is odd"
    )


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("outcome-*.json")), ids=lambda path: path.stem)
def test_released_outcomes_are_still_read(path: Path) -> None:
    """An outcome that an earlier release wrote is read by this one."""
    assert WaitOutcome.from_payload(json.loads(path.read_text())).result in WaitResult


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("wait-spec-*.json")), ids=lambda path: path.stem)
def test_released_wait_specs_are_still_read(path: Path) -> None:
    """What a trigger of an earlier release was told to wait for is read by this one, and written the same."""
    payload = json.loads(path.read_text())
    assert WaitSpec.from_payload(payload).to_payload() == payload


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("checkpoint-*.json")), ids=lambda path: path.stem)
def test_released_checkpoints_are_still_read(path: Path) -> None:
    """A checkpoint that an earlier release saved is read by this one, and written the same."""
    payload = json.loads(path.read_text())
    note = Checkpoint.from_payload(payload)
    assert note is not None
    assert note.to_payload() == payload


def test_there_are_golden_files() -> None:
    """The tests before this one have something to read."""
    names = {"outcome-1", "checkpoint-1", "checkpoint-1-before-submit"}
    names |= {f"wait-spec-1{kind}" for kind in ("", "-offer", "-idle", "-product-ingestion")}
    assert {path.stem for path in GOLDEN.iterdir()} == names


@pytest.mark.parametrize("location", ["https://evil.example/api/x", "@evil.example/api/x", "/api/../x", "/other"])
def test_an_operation_is_nowhere_else(location: str) -> None:
    """An operation cannot be made whose location leaves the portal's API, whoever makes it."""
    with pytest.raises(exceptions.ConfigurationError, match="not a path of the portal's API"):
        Operation(OfferRef("contoso", "x"), "publish", datetime.now(timezone.utc), None, location)


def test_a_memory_survives_json_and_forgets_what_it_cannot_read() -> None:
    """What was told is kept across processes; rubbish is forgotten rather than an error."""
    memory = PollState(answered=True, summary="running", messages=["a"])
    assert PollState.from_payload(json.loads(json.dumps(memory.to_payload()))) == memory
    rubbish = {"answered": 1, "summary": None, "messages": 7, "told_at": "x"}
    assert (PollState.from_payload(rubbish), PollState.from_payload(None)) == (PollState(), PollState())
