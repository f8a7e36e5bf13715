# SPDX-License-Identifier: Apache-2.0
"""The sensor that is given an operation: it watches that one, and is not fooled by the one before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook

OFFER = "contoso-vm"
MODES = ["poke", "reschedule", "deferred"]


def publish() -> dict[str, Any]:
    return CloudPartnerPortalHook().publish_offer(OFFER).to_json()


def looks(run_sensor: Callable[..., Any], times: int, mode: str, **arguments: Any) -> list[str]:
    return [run_sensor(mode, **arguments).kind for _ in range(times)]


def looks_until_it_ends(run_sensor: Callable[..., Any], mode: str, **arguments: Any) -> tuple[bool, str]:
    """Look until the wait ends; returns whether that took at least one more look, and how it ended."""
    kinds = [*itertools.takewhile(lambda kind: kind == "waits", looks(run_sensor, 9, mode, **arguments))]
    return bool(kinds), run_sensor(mode, **arguments).kind


LAGS = [(mode, (3, 3, 3)) for mode in MODES] + [("poke", lags) for lags in [(3, 3, 0), (3, 0, 3), (0, 3, 3)]]


@pytest.mark.parametrize(("mode", "lags"), LAGS)
@pytest.mark.parametrize("history", ["succeeded", "failed"])
@pytest.mark.parametrize("lag_as", ["previous", "missing"])
def test_stale_answers_do_not_end_the_wait(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., Any],
    mode: str,
    history: str,
    lag_as: str,
    lags: tuple[int, int, int],
) -> None:
    """While status, list and operation answer with the publication before, the wait goes on, and then ends with this one."""
    status, listed, operation = lags
    portal = serve(lag_status=status, lag_list=listed, lag_operation=operation, lag_operation_as=lag_as)
    portal.add_offer(OFFER, history=history)
    published = publish()
    assert looks(run_sensor, 5, mode, operation=published) == ["waits"] * 5
    portal.clock.advance(days=4)
    assert looks_until_it_ends(run_sensor, mode, operation=published)[1] == "reached"
    assert looks(run_sensor, 2, mode, operation=published, until="live") == ["waits"] * 2
    portal.person(OFFER, "sign-off")
    assert looks(run_sensor, 2, mode, operation=published, until="live") == ["waits"] * 2
    portal.clock.advance(days=3)
    assert looks_until_it_ends(run_sensor, mode, operation=published, until="live")[1] == "reached"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("history", "scenario", "expected"),
    [
        ("succeeded", "failed", "AirflowFailException"),
        ("failed", "succeeds", "reached"),
        ("succeeded", "canceled", "AirflowFailException"),
    ],
)
def test_stale_answers_at_the_very_end(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., Any],
    mode: str,
    history: str,
    scenario: str,
    expected: str,
) -> None:
    """A publication that has ended by the time its first answers are still the old ones ends the wait with its own end."""
    portal = serve(lag_status=3, lag_list=3, lag_operation=3)
    portal.add_offer(OFFER, scenario, history)
    published = publish()
    portal.clock.advance(days=5)
    assert looks_until_it_ends(run_sensor, mode, operation=published) == (True, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("golive", ["new", "continues"])
@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
def test_preview_and_live_of_one_publication(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, golive: str, shown: str
) -> None:
    """A publish operation leads to the preview, and to live whether going live continues it or is one of its own."""
    portal = serve(golive_operation=golive, sign_off_shown_as=shown, operation_body="list", casing="pascal")
    portal.add_offer(OFFER)
    published = publish()
    portal.clock.advance(days=4)
    parked = run_sensor(mode, operation=published), run_sensor(mode, operation=published, until="live")
    assert [ending.kind for ending in parked] == ["reached", "waits"]
    portal.person(OFFER, "sign-off")
    begun = run_sensor(mode, operation=published), run_sensor(mode, operation=published, until="live")
    assert [ending.kind for ending in begun] == ["reached", "waits"]
    portal.clock.advance(days=3)
    assert run_sensor(mode, operation=published, until="live").kind == "reached"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("golive", ["new", "continues"])
def test_going_live_that_fails_is_said(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, golive: str
) -> None:
    """A publication that is rejected on its last step fails the wait for the market, with the team's own words."""
    portal = serve(golive_operation=golive)
    portal.add_offer(OFFER, "fails-going-live")
    published = publish()
    portal.clock.advance(days=4)
    portal.person(OFFER, "sign-off")
    portal.clock.advance(days=3)
    ending = run_sensor(mode, operation=published, until="live")
    assert (ending.kind, "at step Live: The image of plan gold does not boot" in ending.text) == (
        "AirflowFailException",
        True,
    )


HEADERS = [("poke", header) for header in ("Location", "Operation-Location", "both", "none")] + [
    ("deferred", "Location")
]


@pytest.mark.parametrize(("mode", "header"), HEADERS)
@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
def test_every_form_of_the_location_leads_to_the_operation(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, form: str, header: str
) -> None:
    """However the portal names the operation, or if it does not, the id is found and its preview is waited for."""
    portal = serve(location_form=form, location_header=header)
    portal.add_offer(OFFER, history="succeeded")
    published = publish()
    assert published["operation_id"] == portal.operations(OFFER)[0]["id"]
    portal.clock.advance(days=4)
    assert run_sensor(mode, operation=published).kind == "reached"


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_says_why_in_one_line(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str
) -> None:
    """A rejected certification names offer, step, the team's words as text, the operation and the portal's request id."""
    portal = serve()
    portal.add_offer(OFFER, "blocked-then-rejected")
    published = publish()
    portal.clock.advance(days=3)
    ending = run_sensor(mode, operation=published)
    expected = (
        "offer contoso/contoso-vm: publication failed at step Certification: Plan gold : CVE-2026-0001 is not patched"
        " & the image fails policy 200.3.; The submission of the offer failed.; operation "
        f"{published['operation_id']}; request id "
    )
    assert (ending.kind, ending.text[: len(expected)], "\n" in ending.text) == ("AirflowFailException", expected, False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("fails", "expected"), [(False, "waits"), (True, "AirflowFailException")])
def test_a_blocked_step_is_told_and_fails_if_asked(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., Any],
    warnings: Callable[[], list[str]],
    mode: str,
    fails: bool,  # noqa: FBT001 - it is the argument under test
    expected: str,
) -> None:
    """A blocked step is a warning with its messages at the first look, and fails the task only on request."""
    portal = serve()
    portal.add_offer(OFFER, "blocked-then-rejected")
    published = publish()
    portal.clock.advance(days=2)
    ending = run_sensor(mode, operation=published, fail_on_blocked=fails)
    assert ending.kind == expected
    assert any("Certification: Plan gold" in line for line in warnings())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("failed", "AirflowSkipException"),
        ("canceled", "AirflowSkipException"),
        ("parked", "AirflowSkipException"),
        ("blocked-then-rejected", "AirflowFailException"),
    ],
)
def test_soft_fail_skips_for_failed_canceled_and_timed_out_only(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, scenario: str, expected: str
) -> None:
    """`soft_fail` skips for the publication's own bad ends and a timeout, and fails for a blocked step, in every mode."""
    portal = serve()
    portal.add_offer(OFFER, scenario)
    published = publish()
    portal.clock.advance(days=2 if expected == "AirflowFailException" else 5)
    ending = run_sensor(mode, operation=published, until="live", soft_fail=True, fail_on_blocked=True)
    assert ending.kind.replace("SkippedOutcome", "AirflowSkipException") == expected


@pytest.mark.parametrize("mode", MODES)
def test_soft_fail_does_not_skip_for_what_is_ours(
    serve: Callable[..., Emulator], connect: Callable[..., None], run_sensor: Callable[..., Any], mode: str
) -> None:
    """A connection that cannot work fails the task, `soft_fail` or not."""
    portal = serve()
    connect(portal, password=None)
    ending = run_sensor(mode, offer_id=OFFER, soft_fail=True)
    assert (ending.kind, "it lacks password" in ending.text) == ("AirflowFailException", True)


@pytest.mark.parametrize("mode", MODES)
def test_a_wait_that_runs_out_says_where_the_publication_stands(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str
) -> None:
    """A timeout names the offer, what was waited for and what was seen last, and that the publication goes on."""
    portal = serve()
    portal.add_offer(OFFER)
    published = publish()
    portal.clock.advance(days=1)
    text = run_sensor(mode, operation=published).text
    assert text == (
        "offer contoso/contoso-vm: gave up waiting for preview; last seen: running; Certification inProgress 39 %."
        " The publication itself goes on"
    )


OPERATIONS = {
    "a whole list": ([{}, {}, {}], "it is a list of 3, the results of a mapped task perhaps"),
    "an expanded field": (("api", "cloud_partner_portal"), "it is one field of an operation: expand() went over"),
    "a text": ("{'api': 1}", "it is a text; give the operation that a task returned"),
    "another api": ({"api": "other"}, "its api is 'other', not one of cloud_partner_portal"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", OPERATIONS)
def test_what_is_no_operation_is_a_clear_error(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, case: str
) -> None:
    """An argument that is not one operation fails at once, saying how that usually comes about."""
    serve()
    value, said = OPERATIONS[case]
    ending = run_sensor(mode, operation=value)
    assert (ending.kind, said in ending.text) == ("AirflowFailException", True), ending.text


@pytest.mark.parametrize("mode", MODES)
def test_an_operation_that_came_out_as_none_does_not_become_the_offer(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, context: dict[str, Any]
) -> None:
    """An operation that resolves to nothing is an error, never a look at the offer's last publication."""
    from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

    serve().add_offer(OFFER, history="succeeded")
    sensor = OfferStatusSensor(
        task_id="wait", operation={"not": "yet rendered"}, offer_id=OFFER, deferrable=mode == "deferred"
    )
    sensor.operation = None
    with pytest.raises(Exception, match="it came out as None"):
        sensor.execute(context)


@pytest.mark.parametrize("mode", MODES)
def test_failed_polls_are_waited_through(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str
) -> None:
    """Errors of the server, throttling, pages and lost connections end nothing and cancel nothing."""
    portal = serve()
    portal.add_offer(OFFER)
    published = publish()
    portal.clock.advance(days=4)
    portal.inject(Fault("answer", "operation", status=500))
    portal.inject(Fault("answer", "operation", status=502, body="<html>Bad gateway</html>"))
    portal.inject(Fault("answer", "operation", status=429, headers={"Retry-After": "0"}))
    portal.inject(Fault("drop", "operation"))
    assert looks_until_it_ends(run_sensor, mode, operation=published) == (True, "reached")
    assert (portal.counts["publish"], portal.counts["cancel"]) == (1, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", ["throttled", "server-errors", "dropped-connections"])
def test_troubled_offers_get_live_all_the_same(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], mode: str, scenario: str
) -> None:
    """Throttling, a burst of 500s and lost connections delay a wait and do not end it."""
    portal = serve()
    portal.add_offer(OFFER, scenario)
    published = publish()
    portal.clock.advance(days=4)
    assert looks_until_it_ends(run_sensor, mode, operation=published) == (True, "reached")


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "offer contoso/contoso-vm: " in line]


def test_a_rescheduled_wait_remembers_what_it_told(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], store: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where Airflow keeps a task's state, a look that is a process of its own tells only what is new."""
    portal = serve()
    portal.add_offer(OFFER)
    published = publish()
    run_sensor("reschedule", operation=published)
    first = told(capsys)
    run_sensor("reschedule", operation=published)
    second = told(capsys)
    portal.clock.advance(days=1)
    run_sensor("reschedule", operation=published)
    assert (len(first) > 1, [line for line in second if "gave up" not in line], "Certification" in told(capsys)[0]) == (
        True,
        [],
        True,
    )


def test_a_new_try_begins_with_a_clean_slate(
    serve: Callable[..., Emulator], run_sensor: Callable[..., Any], store: Any, context: dict[str, Any]
) -> None:
    """What failed in an earlier try of the task is not held against the next one."""
    portal = serve()
    portal.add_offer(OFFER)
    published = publish()
    portal.inject(Fault("answer", "operation", times=3, status=500))
    first = run_sensor("reschedule", operation=published)
    store.values = {key: value.replace("2026-", "2020-") for key, value in store.values.items()}
    second = run_sensor("reschedule", operation=published)
    context["ti"].try_number = 2
    third = run_sensor("reschedule", operation=published)
    assert [first.kind, second.kind, third.kind] == ["waits", "AirflowException", "waits"]


def test_never_fail_skips_for_everything(
    serve: Callable[..., Emulator], connect: Callable[..., None], run_sensor: Callable[..., Any]
) -> None:
    """Airflow's `never_fail` skips, also for a connection that cannot work."""
    portal = serve()
    connect(portal, password=None)
    ending = run_sensor("poke", offer_id=OFFER, never_fail=True)
    assert ending.kind == "AirflowSkipException"


def test_a_deferral_has_a_limit_of_airflows_own(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A deferred wait ends even where no triggerer ever runs it: an hour after its own deadline."""
    from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

    serve().add_offer(OFFER)
    sensor = OfferStatusSensor(task_id="wait", offer_id=OFFER, deferrable=True, timeout=7200)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(context)
    assert deferral.value.timeout == timedelta(hours=3)


@pytest.mark.parametrize("number", [None, 60])
def test_a_deferral_has_the_pace_that_was_asked_for(
    serve: Callable[..., Emulator], context: dict[str, Any], number: float | None
) -> None:
    """Without a number the deferred wait paces itself, from when the task looked first; a number is kept."""
    from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

    serve().add_offer(OFFER)
    arguments: dict[str, Any] = {} if number is None else {"poll_interval": number}
    before = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferral:
        OfferStatusSensor(task_id="wait", offer_id=OFFER, deferrable=True, **arguments).execute(context)
    _, kept = deferral.value.trigger.serialize()
    assert kept["wait_spec"]["poll_interval"] == number
    assert before <= datetime.fromisoformat(kept["poll_state"]["step_since"]) <= datetime.now(timezone.utc)
