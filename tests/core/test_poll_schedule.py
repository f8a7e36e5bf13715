# SPDX-License-Identifier: Apache-2.0
"""When a wait polls: the interval, backoff, jitter, and resumed waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.player import Player

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_status_report
from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_schedule import JITTER, MAX_BACKOFF, MAX_DELAY, MIN_BACKOFF, MIN_DELAY
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

OFFER = OfferRef("contoso", "contoso-vm")
HOUR, DAY = 3600.0, 86400.0


def at(step: str, status: str = "inProgress", name: str = "") -> dict[str, Any]:
    """Return a response whose offer is at a step."""
    return {"status": "running", "steps": [{"id": step, "stepName": name, "status": status}]}


@pytest.fixture
def wait_spec(start: datetime) -> WaitSpec:
    return WaitSpec(OFFER, "live", start + timedelta(days=14), responded=True, api="cloud_partner_portal")


# --- the interval


@pytest.mark.parametrize(
    ("age", "delay"), [(0.0, 60.0), (600.0, 60.0), (3000.0, 300.0), (6000.0, 600.0), (30 * DAY, 600.0)]
)
def test_the_interval(age: float, delay: float) -> None:
    """The interval is a tenth of the step's age, at least one and at most ten minutes."""
    assert poll_schedule.interval(age) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("response", "step"),
    [
        ({"status": "waitingForPublisherReview"}, "awaiting sign-off"),
        (at("publisher-signoff", "waitingForPublisherReview"), "awaiting sign-off"),
        (
            {"status": "running", "steps": [*at("publisher-signoff", "blocked")["steps"], *at("live")["steps"]]},
            "going live",
        ),
        (at("displaycertify", "blocked", "Certification"), "displaycertify"),
        (at("displaycertify", "frobnicating"), "displaycertify"),
        (at("displaycertify", "complete"), ""),
        (at("displaycertify", "notStarted"), ""),
        (at("", name="Preparing"), "Preparing"),
        ({"status": "running", "steps": []}, "running"),
        ({"status": "neverPublished"}, "neverPublished"),
        ({"status": "frobnicating"}, "frobnicating"),
    ],
)
def test_the_step_of_a_report(response: dict[str, Any], step: str) -> None:
    """The step is sign-off or go-live by either of their signs, else the current step; without steps it is the status."""
    assert poll_schedule.step_of(parse_status_report(response)) == step


def test_five_days_at_one_step_cost_a_bounded_number_of_polls() -> None:
    """Five days at one step cost at most 750 polls."""
    age, polls = 0.0, 0
    while age < 5 * DAY:
        age, polls = age + poll_schedule.interval(age), polls + 1
    assert polls <= 750


# --- one delay

SPANS = some.floats(0, 14 * DAY)


@given(SPANS, some.integers(0, 10**6), some.text(max_size=8))
def test_a_delay_is_within_its_bounds(start: datetime, age: float, polls: int, name: str) -> None:
    """A delay is the interval plus at most the jitter."""
    spec = WaitSpec(OFFER, "live", start, Operation(OFFER, "publish", start, name), api="cloud_partner_portal")
    poll_state = PollState(step="certification", step_since=start - timedelta(seconds=age))
    usual = poll_schedule.interval(age)
    assert MIN_DELAY <= usual <= poll_schedule.next_delay(spec, poll_state, start, polls) <= usual * (1 + JITTER)


@given(SPANS, SPANS, some.floats(0, HOUR), some.integers(0, 99))
def test_failures_and_retry_after_make_a_delay_longer(
    start: datetime, age: float, failing: float, retry_after: float, polls: int
) -> None:
    """After a failed poll, a delay is at least the usual one and Retry-After, and at most an hour plus jitter."""
    spec = WaitSpec(OFFER, "live", start, api="cloud_partner_portal")
    poll_state = PollState(step="certification", step_since=start - timedelta(seconds=age))
    usual = poll_schedule.next_delay(spec, poll_state, start, polls)
    poll_state.failing_since, poll_state.retry_after = start - timedelta(seconds=failing), retry_after
    delay = poll_schedule.next_delay(spec, poll_state, start, polls)
    assert max(usual, retry_after, MIN_BACKOFF) <= delay <= MAX_BACKOFF * (1 + JITTER)


@given(some.floats(0.1, DAY), some.floats(0, HOUR), some.integers(0, 99), some.booleans())
def test_a_fixed_interval_is_kept(start: datetime, seconds: float, retry_after: float, polls: int, fails: Any) -> None:
    """A wait with a poll interval keeps it, unless Retry-After is longer."""
    spec = WaitSpec(OFFER, "live", start, poll_interval=seconds, api="cloud_partner_portal")
    since = start - timedelta(days=3)
    poll_state = PollState(
        step="live", step_since=since, failing_since=since if fails else None, retry_after=retry_after
    )
    assert poll_schedule.next_delay(spec, poll_state, start, polls) == max(seconds, retry_after)
    assert poll_schedule.first_delay(spec, poll_state, start) == 0.0


@given(some.floats(0, 7 * DAY), SPANS)
def test_several_polls_fit_into_the_failure_tolerance(start: datetime, tolerance: float, failing: float) -> None:
    """Three delays without jitter fit into any failure tolerance, unless they would be below the minimum backoff."""
    spec = WaitSpec(OFFER, "live", start, poll_failure_tolerance=tolerance, api="cloud_partner_portal")
    begun = start - timedelta(days=30)
    poll_state = PollState(step="live", step_since=begun, failing_since=start - timedelta(seconds=failing))
    delay = poll_schedule.next_delay(spec, poll_state, start, 0)
    assert delay <= max(tolerance / 3, MIN_BACKOFF) * (1 + JITTER)


# --- a whole wait


class ScriptedAPI:
    """Returns the scripted responses in turn, the last one forever, and records when it was polled."""

    def __init__(self, player: Player, responses: list[Any]) -> None:
        self.player, self.responses, self.polls = player, responses, []
        player.respond = self

    def __call__(self, _: Request[Any]) -> Any:
        response = self.responses[min(len(self.polls), len(self.responses) - 1)]
        self.polls.append((self.player.now, response))
        return response


RESPONSES = some.sampled_from(
    [
        at("displaydummycertify"),
        at("displaycertify"),
        at("displaycertify", "blocked"),
        at("displaypackage"),
        at("live"),
        {"status": "waitingForPublisherReview"},
        {"status": "running"},
        {"status": "frobnicating"},
        exceptions.ServerError("status", status=503),
        exceptions.TransportError("status", text="down"),
        exceptions.RateLimitError("status", status=429, retry_after=0.0),
        exceptions.RateLimitError("status", status=429, retry_after=90.0),
        exceptions.ServerError("status", status=503, retry_after=3600.0),
    ]
)


@given(responses=some.lists(RESPONSES, min_size=1, max_size=30), days=some.floats(0.001, 2.0))
def test_polls_are_at_least_a_minute_apart(start: datetime, responses: list[Any], days: float) -> None:
    """Polls are at least a minute and Retry-After apart, and none comes after the deadline, whatever the API responds."""
    player = Player()
    api = ScriptedAPI(player, responses)
    deadline = start + timedelta(days=days)
    spec = WaitSpec(
        OFFER, "live", deadline, poll_failure_tolerance=100 * DAY, responded=True, api="cloud_partner_portal"
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, spec)).result is WaitResult.TIMED_OUT
    for (before, response), (after, _) in pairwise(api.polls):
        delay = (after - before).total_seconds()
        retry_after = getattr(response, "retry_after", None) or 0.0
        assert max(MIN_DELAY, retry_after) <= delay <= MAX_BACKOFF * (1 + JITTER) or after == deadline
    assert api.polls[-1][0] == player.now == deadline
    assert len(api.polls) <= 2 + days * 24 * 60


def test_a_wait_follows_the_steps(player: Player, wait_spec: WaitSpec) -> None:
    """A wait polls often at a new step, rarely at a long one, and often again at the next."""
    long = [at("displaycertify")] * 40
    api = ScriptedAPI(
        player, [at("displaydummycertify"), *long, at("displaypackage"), at("live"), {"status": "succeeded"}]
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    for index, delay in {0: 60.0, 1: 60.0, 40: 600.0, 41: 60.0, 42: 60.0}.items():
        assert delay <= player.slept[index] <= delay * (1 + JITTER)
    assert len(api.polls) == 44


def test_a_poll_without_a_report_keeps_the_step(start: datetime) -> None:
    """A poll whose response is ignored does not restart the step's age; another step does."""
    poll_state = PollState()
    for minutes, step in enumerate(("certification", "", "certification")):
        poll_state.record_step(step, start + timedelta(minutes=minutes))
    assert poll_state.step_since == start
    poll_state.record_step("packaging", start + timedelta(hours=1))
    assert poll_state.step_since == start + timedelta(hours=1)


@pytest.mark.parametrize(
    ("until", "in_progress", "ended", "listed_state", "offer_status"),
    [
        ("preview", at("displaycertify"), {"status": "failed"}, "running", "running"),
        ("preview", at("displaycertify"), {"status": "waitingForPublisherReview"}, None, "running"),
        ("live", at("live"), at("live", "complete"), "running", "running"),
        ("live", at("live"), {"status": "complete"}, "completed", "failed"),
    ],
)
def test_an_unconfirmed_end_is_polled_often(
    player: Player,
    wait_spec: WaitSpec,
    until: Any,
    in_progress: Any,
    ended: Any,
    listed_state: str | None,
    offer_status: str,
) -> None:
    """An end that the list or the offer does not confirm is polled again within minutes, however long the step took."""
    operation = Operation(OFFER, "publish", player.now, "1")
    reports = [*[in_progress] * 40, ended]
    listed = [{"id": "1", "submissionType": "publish", "submissionState": listed_state}] if listed_state else []

    def respond(request: Request[Any]) -> Any:
        if "submissions" in request.path:
            return listed
        if request.path.endswith("/status"):
            return {"status": offer_status}
        return reports.pop(0) if len(reports) > 1 else reports[0]

    player.respond = respond
    spec = replace(wait_spec, until=until, operation=operation, deadline=player.now + timedelta(days=14))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, spec)).result is WaitResult.TIMED_OUT
    assert player.slept[39] >= MAX_DELAY
    assert MIN_DELAY <= player.slept[40] <= MIN_DELAY * (1 + JITTER)


def test_failures_double_the_delay_until_a_success(player: Player, wait_spec: WaitSpec) -> None:
    """Failed polls double the delay up to an hour; a success restores the usual delay."""
    fault = exceptions.ServerError("status", status=503)
    validating = at("displaydummycertify")
    ScriptedAPI(player, [validating, *[fault] * 9, validating, validating, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    slept = player.slept
    assert MIN_DELAY <= slept[0] <= MIN_DELAY * (1 + JITTER)
    assert MIN_BACKOFF <= slept[1] <= MIN_BACKOFF * (1 + JITTER)
    assert all(1.9 <= later / earlier <= 2.2 for earlier, later in pairwise(slept[2:6]))
    assert slept[9] <= MAX_BACKOFF * (1 + JITTER)
    assert slept[10] <= MAX_DELAY * (1 + JITTER)


# --- many waits


def offer_specs(count: int, start: datetime) -> list[WaitSpec]:
    return [
        WaitSpec(OfferRef("contoso", f"offer-{n}"), "live", start + timedelta(days=14), api="cloud_partner_portal")
        for n in range(count)
    ]


@pytest.mark.parametrize("polls", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("age", [0.0, 3000.0, 30 * DAY])
def test_a_thousand_offers_do_not_poll_in_the_same_second(start: datetime, age: float, polls: int) -> None:
    """Waits that polled in the same second spread their next polls evenly over the jitter."""
    poll_state = PollState(step="certification", step_since=start - timedelta(seconds=age))
    usual = poll_schedule.interval(age)
    delays = [poll_schedule.next_delay(spec, poll_state, start, polls) for spec in offer_specs(1000, start)]
    width = usual * JITTER
    assert len(set(delays)) == 1000
    assert max(Counter(int(delay) for delay in delays).values()) <= 1000 / width * 2 + 6
    quarters = Counter(int((delay - usual) / width * 4) for delay in delays)
    assert sorted(quarters) == [0, 1, 2, 3]
    assert all(200 <= count <= 300 for count in quarters.values())


def test_jitter_differs_at_each_poll(start: datetime) -> None:
    """Two offers that poll close together once do not stay together."""
    poll_state = PollState(step="certification", step_since=start)
    one, two = (
        [poll_schedule.next_delay(spec, poll_state, start, polls) for polls in range(200)]
        for spec in offer_specs(2, start)
    )
    differences = [abs(first - second) for first, second in zip(one, two, strict=True)]
    assert len(set(one)) == 200
    assert 1.6 < sum(differences) / len(differences) < 2.4


def test_jitter_is_deterministic(start: datetime) -> None:
    """The same wait has the same delays; two waits for one operation have different ones."""
    operation = Operation(OFFER, "publish", start, "1")
    preview, live = (
        WaitSpec(OFFER, "preview", start, operation, api="cloud_partner_portal"),
        WaitSpec(OFFER, "live", start, operation, api="cloud_partner_portal"),
    )
    offer = WaitSpec(OFFER, "live", start, api="cloud_partner_portal")
    assert poll_schedule.next_delay(live, PollState(), start, 3) == poll_schedule.next_delay(
        replace(live), PollState(), start, 3
    )
    assert len({poll_schedule.next_delay(spec, PollState(), start, 3) for spec in (preview, live, offer)}) == 3


# --- new and resumed waits


def test_a_new_wait_polls_at_once(player: Player, wait_spec: WaitSpec) -> None:
    """A wait that began within the last minute, or whose start is unknown, polls at once."""
    for poll_state in (
        None,
        PollState(),
        PollState(step_since=player.now),
        PollState(step_since=player.now - timedelta(seconds=59)),
    ):
        began = player.now
        api = ScriptedAPI(player, [{"status": "succeeded"}])
        player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, poll_state))
        assert [time for time, _ in api.polls] == [began]


def test_resumed_waits_spread_their_first_polls(start: datetime) -> None:
    """The first polls of resumed waits are spread over a minute; with a poll interval they come at once."""
    poll_state = PollState(step_since=start - timedelta(hours=1))
    delays = [poll_schedule.first_delay(spec, poll_state, start) for spec in offer_specs(5000, start)]
    assert min(delays) >= 0.0
    assert max(delays) < 60.0
    assert max(Counter(int(delay) for delay in delays).values()) <= 130
    fixed = replace(offer_specs(1, start)[0], poll_interval=300.0)
    assert poll_schedule.first_delay(fixed, poll_state, start) == 0.0


def test_a_resumed_wait_keeps_its_schedule(player: Player, wait_spec: WaitSpec) -> None:
    """The first step that a resumed wait sees counts as in progress since the wait began."""
    poll_state = PollState(responded=True, step_since=player.now - timedelta(days=2))
    ScriptedAPI(player, [at("displaycertify"), at("displaypackage"), {"status": "succeeded"}])
    resumed = PollState.from_payload(poll_state.to_payload())
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, resumed)).result is WaitResult.REACHED
    first, certifying, packaging = player.slept
    assert first < 60.0
    assert MAX_DELAY <= certifying <= MAX_DELAY * (1 + JITTER)
    assert MIN_DELAY <= packaging <= MIN_DELAY * (1 + JITTER)


def test_a_wait_resumed_after_its_deadline_polls_once(player: Player, wait_spec: WaitSpec) -> None:
    """A wait that resumes after its deadline polls once, at once, and times out."""
    player.now = wait_spec.deadline + timedelta(hours=1)
    api = ScriptedAPI(player, [at("live")])
    resumed = PollState(step_since=player.now - timedelta(days=14))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, resumed)).result is WaitResult.TIMED_OUT
    assert player.slept == []
    assert len(api.polls) == 1


def test_a_failed_first_poll_records_when_the_wait_began(player: Player, wait_spec: WaitSpec) -> None:
    """The poll state holds the time of the first poll even if that poll failed."""
    poll_state = PollState()
    ScriptedAPI(player, [exceptions.ServerError("status", status=503), {"status": "succeeded"}])
    began = player.now
    player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, poll_state))
    assert poll_state.step_since == began


@pytest.mark.parametrize(("ago", "least", "most"), [(0, 60.0, 66.0), (3600, 0.0, 60.0)])
def test_an_idle_wait_sleeps_first(player: Player, start: datetime, ago: float, least: float, most: float) -> None:
    """A wait for another operation to end follows a poll, so it sleeps first; a resumed one does not."""
    spec = WaitSpec(OFFER, "idle", start + timedelta(days=1), responded=True, api="cloud_partner_portal")
    player.respond = lambda request: [] if "submissions" in request.path else {"status": "succeeded"}
    poll_state = PollState(responded=True, step_since=start - timedelta(seconds=ago))
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, spec, poll_state))
    assert outcome.result is WaitResult.REACHED
    assert len(player.slept) == 1
    assert least <= player.slept[0] <= most
