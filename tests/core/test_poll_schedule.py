# SPDX-License-Identifier: Apache-2.0
"""How a wait paces itself: the table, what slows it down, what spreads it, and what it does when it is begun again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_status_report
from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_schedule import AGE_FRACTION, JITTER, OTHERWISE, TABLE, StepSchedule
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

OFFER = OfferRef("contoso", "contoso-vm")
HOUR, DAY = 3600.0, 86400.0
EVERY = [*TABLE, OTHERWISE]
SHORTEST, LONGEST = min(pace.min_delay for pace in EVERY), max(pace.max_delay for pace in EVERY)


def at(step: str, word: str = "inProgress", name: str = "") -> dict[str, Any]:
    """Return an answer that is at a step."""
    return {"status": "running", "steps": [{"id": step, "stepName": name, "status": word}]}


@pytest.fixture
def watch(start: datetime) -> WaitSpec:
    return WaitSpec(OFFER, "live", start + timedelta(days=14), answered=True, api="cloud_partner_portal")


# --- the table


@pytest.mark.parametrize("pace", EVERY, ids=lambda pace: pace.step or "otherwise")
def test_the_interval_of_each_step(pace: StepSchedule) -> None:
    """Each step begins at its shortest interval, follows its share of the time, and ends at its longest."""
    step = pace.step or "another"
    assert (
        poll_schedule.interval(step, 0.0)
        == poll_schedule.interval(step, pace.min_delay / AGE_FRACTION)
        == pace.min_delay
    )
    between = (pace.min_delay + pace.max_delay) / 2
    assert poll_schedule.interval(step, between / AGE_FRACTION) == pytest.approx(between)
    assert poll_schedule.interval(step, pace.max_delay / AGE_FRACTION) == pytest.approx(pace.max_delay)
    assert poll_schedule.interval(step, 30 * DAY) == pace.max_delay
    assert 60.0 <= pace.min_delay < pace.max_delay <= 2 * HOUR


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        *((at(pace.step), pace.step) for pace in TABLE),
        *((at("x", name=pace.name.upper()), pace.step) for pace in TABLE),
        (at("DisplayCertify", "blocked"), "displaycertify"),
        (at("x", "frobnicating", "Certification"), "displaycertify"),
        ({"status": "waitingForPublisherReview"}, "publisher-signoff"),
        (at("publisher-signoff", "waitingForPublisherReview"), "publisher-signoff"),
        (
            {"status": "running", "steps": [*at("publisher-signoff", "blocked")["steps"], *at("live")["steps"]]},
            "live",
        ),
        (at("displayprovision", "complete"), ""),
        (at("displaycertify", "notStarted"), ""),
        (at("preparing", name="Preparing"), "preparing"),
        (at("", name="Preparing"), "Preparing"),
        ({"status": "running", "steps": []}, ""),
        ({"status": "neverPublished"}, ""),
        ({"status": "frobnicating"}, ""),
    ],
)
def test_the_step_that_a_report_is_at(answer: dict[str, Any], step: str) -> None:
    """A step is known by its id or its name, parked and going live by either of their signs, and others as they are."""
    assert poll_schedule.step_of(parse_status_report(answer)) == step


def test_a_step_that_is_in_no_table_has_a_pace_too() -> None:
    """Steps of other kinds of offers, and answers without steps, are looked at by the row for all else."""
    for step in ("", "preparing", "Preparing"):
        assert poll_schedule.interval(step, 0.0) == OTHERWISE.min_delay
        assert poll_schedule.interval(step, 30 * DAY) == OTHERWISE.max_delay


def test_five_days_of_anything_cost_little() -> None:
    """A portal that shows no steps, or stays at one of those of days, is asked at most 150 times in five days."""
    for step in ("", "preparing", "displaycertify", "live", "publisher-signoff"):
        now, looks = 0.0, 0
        while now < 5 * DAY:
            now, looks = now + poll_schedule.interval(step, now), looks + 1
        assert (step, looks <= 150) == (step, True)


# --- one pause

STEPS = some.sampled_from([*(pace.step for pace in TABLE), "", "another"])
SPANS = some.floats(0, 14 * DAY)


@given(STEPS, SPANS, some.integers(0, 10**6), some.text(max_size=8))
def test_a_pause_is_within_its_bounds(start: Any, step: str, running: float, look: int, name: str) -> None:
    """Whatever was seen, a pause is never shorter than the step's shortest, nor longer than its longest and a quarter."""
    pace = next((one for one in TABLE if one.step == step), OTHERWISE)
    watch = WaitSpec(OFFER, "live", start, Operation(OFFER, "publish", start, name), api="cloud_partner_portal")
    memory = PollState(step=step, step_since=start - timedelta(seconds=running))
    pause = poll_schedule.next_delay(watch, memory, start, look)
    assert pace.min_delay <= pause <= pace.max_delay * (1 + JITTER)
    assert poll_schedule.interval(step, running) <= pause <= poll_schedule.interval(step, running) * (1 + JITTER)


@given(STEPS, SPANS, SPANS, some.floats(0, HOUR), some.integers(0, 99))
def test_failures_and_the_portal_s_wish_make_a_pause_longer(
    start: Any, step: str, running: float, failing: float, wish: float, look: int
) -> None:
    """After a look that failed no pause is shorter than usual, nor than the portal wants it, nor longer than two hours and a quarter."""
    watch = WaitSpec(OFFER, "live", start, api="cloud_partner_portal")
    memory = PollState(step=step, step_since=start - timedelta(seconds=running))
    usual = poll_schedule.next_delay(watch, memory, start, look)
    memory.failing_since, memory.retry_after = start - timedelta(seconds=failing), wish
    pause = poll_schedule.next_delay(watch, memory, start, look)
    assert max(usual, wish, poll_schedule.MIN_BACKOFF) <= pause <= LONGEST * (1 + JITTER)


@given(some.floats(0.1, DAY), some.floats(0, HOUR), some.integers(0, 99), some.booleans())
def test_a_number_of_seconds_means_that_number(start: Any, number: float, wish: float, look: int, fails: Any) -> None:
    """A wait with an interval of its own keeps it, whatever it sees, unless the portal wants a longer pause."""
    watch = WaitSpec(OFFER, "live", start, poll_interval=number, api="cloud_partner_portal")
    since = start - timedelta(days=3)
    memory = PollState(step="live", step_since=since, failing_since=since if fails else None, retry_after=wish)
    assert poll_schedule.next_delay(watch, memory, start, look) == max(number, wish)
    assert poll_schedule.first_delay(watch, memory, start) == 0.0


@given(some.floats(0, 7 * DAY), SPANS)
def test_some_looks_fit_into_the_tolerance(tolerance: float, failing: float) -> None:
    """For however short a time looks may fail, three pauses fit into it, unless they would be below two minutes."""
    pause = poll_schedule.backoff(LONGEST, failing, tolerance)
    assert pause <= max(tolerance / 3, poll_schedule.MIN_BACKOFF)


# --- a whole wait


class Script:
    """Plays a portal whose answers follow a list, the last one for ever; each is kept with the time it was given."""

    def __init__(self, player: Any, answers: list[Any]) -> None:
        self.player, self.answers, self.given = player, answers, []
        player.answer = self

    def __call__(self, call: Any) -> Any:
        answer = self.answers[min(len(self.given), len(self.answers) - 1)]
        self.given.append((self.player.now, answer))
        return answer


ANSWERS = some.sampled_from(
    [
        *(at(pace.step) for pace in TABLE[:4]),
        at("live"),
        at("displaycertify", "blocked"),
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


@given(answers=some.lists(ANSWERS, min_size=1, max_size=30), days=some.floats(0.001, 2.0))
def test_nothing_is_asked_more_often_than_once_a_minute(
    make_player: Any, start: datetime, answers: list[Any], days: float
) -> None:
    """Whatever the portal answers, looks are a minute apart or more, as far as the portal wants, and none is after the deadline."""
    player = make_player()
    script = Script(player, answers)
    watch = WaitSpec(
        OFFER,
        "live",
        start + timedelta(days=days),
        poll_failure_tolerance=100 * DAY,
        answered=True,
        api="cloud_partner_portal",
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.TIMED_OUT
    for (before, answer), (after, _) in pairwise(script.given):
        apart = (after - before).total_seconds()
        wish = getattr(answer, "retry_after", None) or 0.0
        assert max(SHORTEST, wish) <= apart <= LONGEST * (1 + JITTER) or after == watch.deadline
    assert script.given[-1][0] == player.now == watch.deadline
    assert len(script.given) <= 2 + days * 24 * 60


def test_a_wait_follows_the_steps(player: Any, watch: WaitSpec) -> None:
    """A wait looks closely at a step that is new, seldom at one that runs for long, and closely again at the next."""
    long = [at("displaycertify")] * 40
    script = Script(
        player, [at("displaydummycertify"), *long, at("displaypackage"), at("live"), {"status": "succeeded"}]
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    begins = [60.0, 2700.0, 7200.0, 120.0, 300.0]
    looked = [player.slept[index] for index in (0, 1, 40, 41, 42)]
    assert [begin <= seconds <= begin * (1 + JITTER) for begin, seconds in zip(begins, looked, strict=True)] == [
        True
    ] * 5
    assert len(script.given) == 44


def test_a_moment_between_two_steps_is_no_step(player: Any, watch: WaitSpec) -> None:
    """An answer that shows no step, or none that can be believed, does not begin a step anew."""
    between = {"status": "running", "steps": []}
    Script(player, [*[at("displaycertify")] * 40, between, at("displaycertify"), {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert min(player.slept[-2:]) >= 7200.0


@pytest.mark.parametrize(
    ("until", "certifying", "ended", "entry", "offer"),
    [
        ("preview", at("displaycertify"), {"status": "failed"}, "running", "running"),
        ("preview", at("displaycertify"), {"status": "waitingForPublisherReview"}, None, "running"),
        ("live", at("live"), at("live", "complete"), "running", "running"),
        ("live", at("live"), {"status": "complete"}, "completed", "failed"),
    ],
)
def test_an_end_that_is_not_confirmed_yet_is_watched_closely(
    player: Any, watch: WaitSpec, until: Any, certifying: Any, ended: Any, entry: str | None, offer: str
) -> None:
    """An end that the list or the offer does not confirm yet is looked at again in minutes, however long its step took."""
    operation = Operation(OFFER, "publish", player.now, "1")
    looks = [*[certifying] * 40, ended]
    listed = [{"id": "1", "submissionType": "publish", "submissionState": entry}] if entry else []

    def answer(call: Any) -> Any:
        if "submissions" in call.path:
            return listed
        if call.path.endswith("/status"):
            return {"status": offer}
        return looks.pop(0) if len(looks) > 1 else looks[0]

    player.answer = answer
    watch = replace(watch, until=until, operation=operation, deadline=player.now + timedelta(days=14))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.TIMED_OUT
    assert (player.slept[39] > 5000.0, 120.0 <= player.slept[40] <= 150.0) == (True, True)


def test_failures_double_the_pause_and_an_answer_ends_that(player: Any, watch: WaitSpec) -> None:
    """Looks that fail come after pauses that double, up to an hour; after an answer the step's own pace is back."""
    fault = exceptions.ServerError("status", status=503)
    begun = at("displaydummycertify")
    Script(player, [begun, *[fault] * 9, begun, begun, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    slept = player.slept
    assert 60.0 <= slept[0] <= 75.0
    assert 120.0 <= slept[1] <= 150.0
    assert all(1.79 <= later / one <= 2.51 for one, later in pairwise(slept[2:6]))
    assert slept[9] <= 3600.0 * (1 + JITTER)
    assert slept[10] <= 300.0 * (1 + JITTER)


# --- many waits


def offers(count: int, start: datetime) -> list[WaitSpec]:
    return [
        WaitSpec(OfferRef("contoso", f"offer-{n}"), "live", start + timedelta(days=14), api="cloud_partner_portal")
        for n in range(count)
    ]


@pytest.mark.parametrize("look", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("pace", EVERY, ids=lambda pace: pace.step or "otherwise")
def test_a_thousand_offers_do_not_ask_in_the_same_second(start: datetime, pace: StepSchedule, look: int) -> None:
    """Waits that looked in the same second look again spread over a quarter of their interval, evenly."""
    memory = PollState(step=pace.step, step_since=start)
    pauses = [poll_schedule.next_delay(watch, memory, start, look) for watch in offers(1000, start)]
    seconds = Counter(int(pause) for pause in pauses)
    width = pace.min_delay * JITTER
    assert len(set(pauses)) == 1000
    assert max(seconds.values()) <= 1000 / width * 2 + 6
    quarters = Counter(int((pause - pace.min_delay) / width * 4) for pause in pauses)
    assert sorted(quarters) == [0, 1, 2, 3]
    assert all(200 <= count <= 300 for count in quarters.values())


def test_the_spread_is_another_one_at_each_look(start: datetime) -> None:
    """Offers that look close together once do not stay together: their pauses do not follow each other."""
    memory = PollState(step="displaydummycertify", step_since=start)
    one, two = (
        [poll_schedule.next_delay(watch, memory, start, look) for look in range(200)] for watch in offers(2, start)
    )
    apart = [abs(first - second) for first, second in zip(one, two, strict=True)]
    assert (len(set(one)), 4.0 < sum(apart) / len(apart) < 6.0) == (200, True)


def test_the_same_wait_pauses_the_same(start: datetime) -> None:
    """A pause is no chance: it can be told in advance, and differs between two waits on the same operation."""
    operation = Operation(OFFER, "publish", start, "1")
    preview, live = (
        WaitSpec(OFFER, "preview", start, operation, api="cloud_partner_portal"),
        WaitSpec(OFFER, "live", start, operation, api="cloud_partner_portal"),
    )
    offer = WaitSpec(OFFER, "live", start, api="cloud_partner_portal")
    assert poll_schedule.next_delay(live, PollState(), start, 3) == poll_schedule.next_delay(
        replace(live), PollState(), start, 3
    )
    assert len({poll_schedule.next_delay(watch, PollState(), start, 3) for watch in (preview, live, offer)}) == 3


# --- a wait that is begun, or begun again


def test_a_new_wait_looks_at_once(player: Any, watch: WaitSpec) -> None:
    """The first look of a wait that was begun just now, or that nothing is known of, is not put off."""
    for memory in (
        None,
        PollState(),
        PollState(step_since=player.now),
        PollState(step_since=player.now - timedelta(seconds=59)),
    ):
        began = player.now
        script = Script(player, [{"status": "succeeded"}])
        player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, memory))
        assert [when for when, _ in script.given] == [began]


def test_waits_of_a_triggerer_that_restarts_begin_one_after_the_other(start: datetime) -> None:
    """The first looks of waits that go on elsewhere are spread over a minute; with a number they come at once."""
    memory = PollState(step_since=start - timedelta(hours=1))
    pauses = [poll_schedule.first_delay(watch, memory, start) for watch in offers(5000, start)]
    assert (min(pauses) >= 0.0, max(pauses) < 60.0) == (True, True)
    assert max(Counter(int(pause) for pause in pauses).values()) <= 130
    numbered = replace(offers(1, start)[0], poll_interval=300.0)
    assert poll_schedule.first_delay(numbered, memory, start) == 0.0


def test_a_wait_that_goes_on_elsewhere_does_not_begin_its_pace_anew(player: Any, watch: WaitSpec) -> None:
    """The step that is found then counts as running since the wait began, which is what is known of it."""
    memory = PollState(answered=True, step_since=player.now - timedelta(days=2))
    Script(player, [at("displaycertify"), at("displaypackage"), {"status": "succeeded"}])
    assert (
        player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, PollState.from_payload(memory.to_payload()))).result
        is WaitResult.REACHED
    )
    first, certifying, packaging = player.slept
    assert (first < 60.0, 7200.0 <= certifying <= 9000.0, 120.0 <= packaging <= 150.0) == (True, True, True)


def test_a_wait_that_goes_on_after_its_deadline_looks_once(player: Any, watch: WaitSpec) -> None:
    """A triggerer that was away until the deadline had passed has its waits look once, at once, and give up."""
    player.now = watch.deadline + timedelta(hours=1)
    script = Script(player, [at("live")])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, PollState(step_since=player.now - timedelta(days=14))))
    assert (outcome.result, player.slept, len(script.given)) == (WaitResult.TIMED_OUT, [0.0], 1)


def test_a_wait_whose_first_look_failed_knows_when_it_began(player: Any, watch: WaitSpec) -> None:
    """What a trigger is given after a first look that failed says when that was."""
    memory = PollState()
    Script(player, [exceptions.ServerError("status", status=503), {"status": "succeeded"}])
    began = player.now
    player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, memory))
    assert memory.step_since == began


@pytest.mark.parametrize(("ago", "least", "most"), [(0, 120.0, 150.0), (3600, 0.0, 60.0)])
def test_a_wait_for_others_pauses_first(player: Any, start: datetime, ago: float, least: float, most: float) -> None:
    """A wait for somebody else's operation has just looked, so it pauses first; begun again elsewhere it does not."""
    idle = WaitSpec(OFFER, "idle", start + timedelta(days=1), answered=True, api="cloud_partner_portal")
    player.answer = lambda call: [] if "submissions" in call.path else {"status": "succeeded"}
    outcome = player.run(
        wait(CLOUD_PARTNER_PORTAL_API, idle, PollState(answered=True, step_since=start - timedelta(seconds=ago)))
    )
    assert (outcome.result, len(player.slept)) == (WaitResult.REACHED, 1)
    assert least <= player.slept[0] <= most
