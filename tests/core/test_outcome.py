# SPDX-License-Identifier: Apache-2.0
"""Values that are stored or passed from the triggerer to the worker, and what is rejected."""

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


def test_an_outcome_survives_json() -> None:
    """An outcome written as JSON reads back equal."""
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
def test_anything_but_an_exact_outcome_raises(payload: Any) -> None:
    """Another type, an unknown result, and a missing, wrong or extra key each raise InvalidEventError."""
    with pytest.raises(exceptions.InvalidEventError):
        WaitOutcome.from_payload(payload)


def test_an_error_becomes_an_outcome() -> None:
    """The outcome of an error names the offer once and keeps whether a retry can help."""
    outcome = WaitOutcome.from_error(exceptions.AuthenticationError("no token", transient=True), "contoso/x")
    assert outcome.message == "offer contoso/x: no token"
    assert outcome.retryable
    named = WaitOutcome.from_error(exceptions.MarketplaceError("offer contoso/x is odd"), "contoso/x")
    assert named.message == "offer contoso/x is odd"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("outcome-*.json")), ids=lambda path: path.stem)
def test_released_outcomes_are_still_read(path: Path) -> None:
    """An outcome written by an earlier release is readable."""
    assert WaitOutcome.from_payload(json.loads(path.read_text())).result in WaitResult


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("wait-spec-*.json")), ids=lambda path: path.stem)
def test_released_wait_specs_are_still_read(path: Path) -> None:
    """A wait spec written by an earlier release is readable, and written back unchanged."""
    payload = json.loads(path.read_text())
    assert WaitSpec.from_payload(payload).to_payload() == payload


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("checkpoint-*.json")), ids=lambda path: path.stem)
def test_released_checkpoints_are_still_read(path: Path) -> None:
    """A checkpoint saved by an earlier release is readable, and written back unchanged."""
    payload = json.loads(path.read_text())
    checkpoint = Checkpoint.from_payload(payload)
    assert checkpoint is not None
    assert checkpoint.to_payload() == payload


def test_there_are_golden_files() -> None:
    """The tests of earlier releases have files to read."""
    names = {"outcome-1", "checkpoint-1", "checkpoint-1-before-submit"}
    names |= {f"wait-spec-1{kind}" for kind in ("", "-offer", "-idle", "-product-ingestion")}
    assert {path.stem for path in GOLDEN.iterdir()} == names


@pytest.mark.parametrize(
    "location", ["https://evil.example/api/x", "@evil.example/api/x", "/api/../x", "//evil.example/x"]
)
def test_an_operation_has_a_safe_location(location: str) -> None:
    """An operation cannot have a location outside the API of its host."""
    with pytest.raises(exceptions.ConfigurationError, match="its location is not a path of the API"):
        Operation(OfferRef("contoso", "x"), "publish", datetime.now(timezone.utc), None, location)


def test_a_poll_state_survives_json_and_ignores_invalid_values() -> None:
    """A poll state written as JSON reads back equal; invalid values are ignored."""
    poll_state = PollState(responded=True, summary="running", messages=["a"])
    assert PollState.from_payload(json.loads(json.dumps(poll_state.to_payload()))) == poll_state
    invalid = {"responded": 1, "summary": None, "messages": 7, "step_since": "x"}
    assert PollState.from_payload(invalid) == PollState()
    assert PollState.from_payload(None) == PollState()
