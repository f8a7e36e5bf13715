# SPDX-License-Identifier: Apache-2.0
"""A wait until live on a publish operation, where going live is an operation of its own: that one is asked, and no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

LIVE = {"id": "live", "stepName": "Live", "status": "inProgress"}
GOING = {"status": "running", "steps": [LIVE], "publishingVersion": 2}
PUBLISHED = {"status": "complete", "steps": [LIVE], "publishingVersion": 2}


class Portal:
    """Plays a portal on which publishing is done and going live takes so many looks more.

    :ivar asked: how often each thing was asked for.
    :ivar own: what the operation that goes live answers meanwhile: JSON, or an error.
    :ivar end: its state in the list, and its own status and the offer's, once it has ended.
    """

    def __init__(self, looks: int, name: str = "live-id", own: Any = GOING, end: str = "succeeded") -> None:
        self.asked: Counter[str] = Counter()
        self.looks, self.name, self.own, self.end = looks, name, own, end

    @property
    def state(self) -> str:
        return "running" if self.looks > 0 else self.end

    def __call__(self, call: Any) -> Any:
        kind = call.path.rstrip("/").rpartition("/")[2]
        self.asked[kind] += 1
        if kind == "status":
            return {"status": self.state, "steps": [LIVE]}
        if kind == "submissions":
            ours = {"id": "new-id", "submissionType": "publish", "submissionState": "completed"}
            theirs = {"id": self.name, "submissionType": "goLive", "submissionState": self.state}
            return [entry | {"publishingVersion": 2} for entry in (theirs, ours)]
        if kind == "new-id":
            return PUBLISHED
        self.looks -= 1
        return self.own if self.looks > 0 else {"status": self.state, "publishingVersion": 2}


@pytest.fixture
def watch(offer: OfferRef, operation: Operation, start: datetime) -> WaitSpec:
    return WaitSpec(
        offer,
        "live",
        start + timedelta(days=14),
        operation,
        poll_interval=300.0,
        answered=True,
        api="cloud_partner_portal",
    )


def test_while_it_goes_live_a_look_is_one_request(player: Any, watch: WaitSpec) -> None:
    """After a first look has found the operation that goes live, each look asks that one alone; its end is confirmed by all."""
    portal = player.answer = Portal(looks=40)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.result, outcome.operation) == (WaitResult.REACHED, watch.operation_json)
    assert portal.asked == {"new-id": 2, "submissions": 2, "status": 2, "live-id": 40}
    assert [text for text, _ in player.told if ": still" not in text] == [
        "offer contoso/contoso-vm: running; Live inProgress",
        "offer contoso/contoso-vm: complete",
    ]


@pytest.mark.parametrize(("end", "result"), [("failed", WaitResult.FAILED), ("canceled", WaitResult.CANCELED)])
def test_going_live_that_ends_badly_is_seen(player: Any, watch: WaitSpec, end: str, result: WaitResult) -> None:
    """An operation that fails or is canceled on its way to the market ends the wait as before."""
    player.answer = Portal(looks=5, end=end)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.result, len(player.slept), outcome.operation) == (result, 5, watch.operation_json)


@pytest.mark.parametrize(
    ("portal", "asked"),
    [
        (Portal(looks=9, own=exceptions.NotFoundError("operation", status=404)), 1),
        (Portal(looks=9, name="contoso offer/2"), 0),
    ],
)
def test_an_operation_that_cannot_be_asked_for_is_asked_for_once(
    player: Any, watch: WaitSpec, portal: Portal, asked: int
) -> None:
    """Where the list's id leads nowhere, each look asks what it asked before, the offer among it."""
    player.answer = portal
    wait_for = replace(watch, deadline=player.now + timedelta(hours=1))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_for)).result is WaitResult.TIMED_OUT
    assert (portal.asked["live-id"], portal.asked["status"], portal.asked["submissions"]) == (asked, 13, 13)


def test_a_look_at_it_that_fails_is_a_look_that_failed(player: Any, watch: WaitSpec) -> None:
    """An error of the portal is told and tolerated there as anywhere, and the same operation is asked again."""
    portal = player.answer = Portal(looks=3, own=exceptions.ServerError("operation", status=503))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert (portal.asked["live-id"], [level for _, level in player.told]) == (3, ["info", "warning", "info"])


def test_a_blocked_step_ends_the_wait_there_too(player: Any, watch: WaitSpec) -> None:
    """With `fail_on_blocked` a step that the operation shows as blocked ends the wait."""
    blocked = GOING | {"steps": [LIVE | {"status": "blocked"}]}
    player.answer = Portal(looks=3, own=blocked)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(watch, fail_on_blocked=True)))
    assert (outcome.result, outcome.operation) == (WaitResult.BLOCKED, watch.operation_json)


def test_a_wait_that_is_begun_again_finds_it_anew(player: Any, watch: WaitSpec) -> None:
    """What was followed is of one process: a wait that goes on elsewhere looks at all there is first."""
    portal = player.answer = Portal(looks=4)
    memory = PollState(answered=True, go_live_operation_id="another")
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, memory)).result is WaitResult.REACHED
    assert (portal.asked["another"], PollState.from_payload(memory.to_payload()).go_live_operation_id) == (0, "")
