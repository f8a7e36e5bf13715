# SPDX-License-Identifier: Apache-2.0
"""The trigger as Airflow stores it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("wait-spec-*.json"))
SINCE = datetime(2026, 11, 3, 15, 21, tzinfo=timezone.utc)
POLL_STATES = [None, PollState(responded=True, step_since=SINCE).to_payload(), {"x": [1]}]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
@pytest.mark.parametrize("poll_state", POLL_STATES)
def test_a_trigger_serializes_to_its_arguments(path: Path, poll_state: Any) -> None:
    """A trigger serializes to its own arguments, and they survive JSON."""
    given = {"conn_id": "emulator", "wait_spec": json.loads(path.read_text()), "poll_state": poll_state}
    name, arguments = OfferStatusTrigger(**given).serialize()
    assert name.endswith(".OfferStatusTrigger")
    assert arguments == given
    assert json.loads(json.dumps(arguments)) == given


@pytest.mark.parametrize(
    "changes", [{"version": 99}, {"deadline": "soon"}, {"operation": 7}, {"more": 1}, {"api": None}]
)
def test_an_unreadable_wait_spec_is_an_outcome(changes: dict[str, Any]) -> None:
    """A wait spec that this release cannot read is stored unchanged, and ends the wait with an outcome that names the offer."""
    spec = json.loads(GOLDEN[-1].read_text()) | changes
    trigger = OfferStatusTrigger("emulator", spec)
    assert trigger.serialize()[1]["wait_spec"] == spec

    async def event() -> Any:
        return (await anext(trigger.run())).payload

    outcome = asyncio.run(event())
    assert outcome["result"] == "error"
    assert "contoso-vm" in outcome["message"]
