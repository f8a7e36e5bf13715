# SPDX-License-Identifier: Apache-2.0
"""A wait until live on a publish operation whose go-live is another operation: polls request only that one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player, make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

LIVE = {"id": "live", "stepName": "Live", "status": "inProgress"}
GOING_LIVE = {"status": "running", "steps": [LIVE], "publishingVersion": 2}
PUBLISHED = {"status": "complete", "steps": [LIVE], "publishingVersion": 2}


class GoLiveAPI:
    """A CPP API whose publish has ended and whose go-live ends after a number of polls.

    :ivar requested: how often each resource was requested.
    :ivar own: the response for the go-live operation while it is in progress: JSON, or an error.
    :ivar end: its final state in the list, and its own and the offer's final status.
    """

    def __init__(self, polls: int, name: str = "live-id", own: Any = GOING_LIVE, end: str = "succeeded") -> None:
        self.requested: Counter[str] = Counter()
        self.polls, self.name, self.own, self.end = polls, name, own, end

    @property
    def state(self) -> str:
        return "running" if self.polls > 0 else self.end

    def __call__(self, request: Request[Any]) -> Any:
        kind = request.path.rstrip("/").rpartition("/")[2]
        self.requested[kind] += 1
        if kind == "status":
            return {"status": self.state, "steps": [LIVE]}
        if kind == "submissions":
            ours = {"id": "new-id", "submissionType": "publish", "submissionState": "completed"}
            theirs = {"id": self.name, "submissionType": "goLive", "submissionState": self.state}
            return [entry | {"publishingVersion": 2} for entry in (theirs, ours)]
        if kind == "new-id":
            return PUBLISHED
        self.polls -= 1
        return self.own if self.polls > 0 else {"status": self.state, "publishingVersion": 2}


@pytest.fixture
def wait_spec(offer: OfferRef, operation: Operation, start: datetime) -> WaitSpec:
    return WaitSpec(
        offer,
        "live",
        start + timedelta(days=14),
        operation,
        poll_interval=300.0,
        responded=True,
        api="cloud_partner_portal",
    )


def test_while_an_offer_goes_live_a_poll_is_one_request(player: Player, wait_spec: WaitSpec) -> None:
    """After the first poll finds the go-live operation, each poll requests only that one; all sources confirm its end."""
    api = player.respond = GoLiveAPI(polls=40)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is WaitResult.REACHED
    assert outcome.operation == wait_spec.operation_json
    assert api.requested == {"new-id": 2, "submissions": 2, "status": 2, "live-id": 40}
    assert [text for text, _ in player.logged if ": still" not in text] == [
        "offer contoso/contoso-vm: running; Live inProgress",
        "offer contoso/contoso-vm: complete",
    ]


@pytest.mark.parametrize(("end", "result"), [("failed", WaitResult.FAILED), ("canceled", WaitResult.CANCELED)])
def test_a_failed_go_live_ends_the_wait(player: Player, wait_spec: WaitSpec, end: str, result: WaitResult) -> None:
    """A go-live operation that fails or is canceled ends the wait."""
    player.respond = GoLiveAPI(polls=5, end=end)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is result
    assert len(player.slept) == 5
    assert outcome.operation == wait_spec.operation_json


@pytest.mark.parametrize(
    ("api", "count"),
    [
        (GoLiveAPI(polls=9, own=make_response(b"", 404)), 1),
        (GoLiveAPI(polls=9, name="contoso offer/2"), 0),
    ],
)
def test_an_unavailable_go_live_operation_is_requested_once(
    player: Player, wait_spec: WaitSpec, api: GoLiveAPI, count: int
) -> None:
    """If the list's id cannot be requested, each poll uses the list and the offer's status."""
    player.respond = api
    spec = replace(wait_spec, deadline=player.now + timedelta(hours=1))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, spec)).result is WaitResult.TIMED_OUT
    assert api.requested["live-id"] == count
    assert api.requested["status"] == 13
    assert api.requested["submissions"] == 13


def test_a_failed_request_for_the_go_live_operation_is_tolerated(player: Player, wait_spec: WaitSpec) -> None:
    """An error is logged and tolerated, and the next poll requests the same operation."""
    api = player.respond = GoLiveAPI(polls=3, own=exceptions.ServerError("operation", status=503))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert api.requested["live-id"] == 3
    assert [level for _, level in player.logged] == ["info", "warning", "info"]


def test_a_blocked_go_live_step_ends_the_wait(player: Player, wait_spec: WaitSpec) -> None:
    """With `fail_on_blocked`, a blocked step of the go-live operation ends the wait."""
    blocked = GOING_LIVE | {"steps": [LIVE | {"status": "blocked"}]}
    player.respond = GoLiveAPI(polls=3, own=blocked)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(wait_spec, fail_on_blocked=True)))
    assert outcome.result is WaitResult.BLOCKED
    assert outcome.operation == wait_spec.operation_json


def test_a_resumed_wait_finds_the_go_live_operation_again(player: Player, wait_spec: WaitSpec) -> None:
    """The id of the go-live operation is not stored: a resumed wait begins with all sources."""
    api = player.respond = GoLiveAPI(polls=4)
    poll_state = PollState(responded=True, go_live_operation_id="another")
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, poll_state)).result is WaitResult.REACHED
    assert api.requested["another"] == 0
    assert PollState.from_payload(poll_state.to_payload()).go_live_operation_id == ""
