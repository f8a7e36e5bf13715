# SPDX-License-Identifier: Apache-2.0
"""The sensor with an operation: it waits for that one, and is not misled by the previous publication."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from partner_center_emulator import Emulator, Fault
from support.run_tasks import Store
from support.sensor_result import SensorResult

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

OFFER = "contoso-vm"
MODES = ["poke", "reschedule", "deferred"]


def publish() -> dict[str, Any]:
    return CloudPartnerPortalHook().publish_offer(OFFER).to_json()


def poll_times(run_sensor: Callable[..., SensorResult], times: int, mode: str, **arguments: Any) -> list[str]:
    return [run_sensor(mode, **arguments).kind for _ in range(times)]


def poll_until_end(run_sensor: Callable[..., SensorResult], mode: str, **arguments: Any) -> tuple[bool, str]:
    """Run the sensor until its wait ends; return whether that took more than one run, and how it ended."""
    kinds = [*itertools.takewhile(lambda kind: kind == "waits", poll_times(run_sensor, 9, mode, **arguments))]
    return bool(kinds), run_sensor(mode, **arguments).kind


LAGS = [(mode, (3, 3, 3)) for mode in MODES] + [("poke", lags) for lags in [(3, 3, 0), (3, 0, 3), (0, 3, 3)]]


@pytest.mark.parametrize(("mode", "lags"), LAGS)
@pytest.mark.parametrize("history", ["succeeded", "failed"])
@pytest.mark.parametrize("lag_as", ["previous", "missing"])
def test_stale_responses_do_not_end_the_wait(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., SensorResult],
    mode: str,
    history: str,
    lag_as: str,
    lags: tuple[int, int, int],
) -> None:
    """While status, list and operation still show the previous publication, the wait goes on, and then ends with this one."""
    status, listed, operation = lags
    emulator = serve(lag_status=status, lag_list=listed, lag_operation=operation, lag_operation_as=lag_as)
    emulator.add_offer(OFFER, history=history)
    published = publish()
    assert poll_times(run_sensor, 5, mode, operation=published) == ["waits"] * 5
    emulator.clock.advance(days=4)
    assert poll_until_end(run_sensor, mode, operation=published)[1] == "reached"
    assert poll_times(run_sensor, 2, mode, operation=published, until="live") == ["waits"] * 2
    emulator.person(OFFER, "sign-off")
    assert poll_times(run_sensor, 2, mode, operation=published, until="live") == ["waits"] * 2
    emulator.clock.advance(days=3)
    assert poll_until_end(run_sensor, mode, operation=published, until="live")[1] == "reached"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("history", "scenario", "expected"),
    [
        ("succeeded", "failed", "AirflowFailException"),
        ("failed", "succeeds", "reached"),
        ("succeeded", "canceled", "AirflowFailException"),
    ],
)
def test_stale_responses_after_the_end(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., SensorResult],
    mode: str,
    history: str,
    scenario: str,
    expected: str,
) -> None:
    """A publication that ended while responses were stale ends the wait with its own result."""
    emulator = serve(lag_status=3, lag_list=3, lag_operation=3)
    emulator.add_offer(OFFER, scenario, history)
    published = publish()
    emulator.clock.advance(days=5)
    assert poll_until_end(run_sensor, mode, operation=published) == (True, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("golive", ["new", "continues"])
@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
def test_preview_and_live_of_one_publication(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, golive: str, shown: str
) -> None:
    """A publish operation leads to the preview, and to live, whether going live continues it or is a new operation."""
    emulator = serve(golive_operation=golive, sign_off_shown_as=shown, operation_body="list", casing="pascal")
    emulator.add_offer(OFFER)
    published = publish()
    emulator.clock.advance(days=4)
    preview = run_sensor(mode, operation=published), run_sensor(mode, operation=published, until="live")
    assert [ending.kind for ending in preview] == ["reached", "waits"]
    emulator.person(OFFER, "sign-off")
    going_live = run_sensor(mode, operation=published), run_sensor(mode, operation=published, until="live")
    assert [ending.kind for ending in going_live] == ["reached", "waits"]
    emulator.clock.advance(days=3)
    assert run_sensor(mode, operation=published, until="live").kind == "reached"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("golive", ["new", "continues"])
def test_a_failed_go_live_fails_the_wait(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, golive: str
) -> None:
    """A publication that fails in its last step fails the wait until live, with the certification team's words."""
    emulator = serve(golive_operation=golive)
    emulator.add_offer(OFFER, "fails-going-live")
    published = publish()
    emulator.clock.advance(days=4)
    emulator.person(OFFER, "sign-off")
    emulator.clock.advance(days=3)
    ending = run_sensor(mode, operation=published, until="live")
    assert ending.kind == "AirflowFailException"
    assert "at step Live: The image of plan gold does not boot" in ending.text


HEADERS = [("poke", header) for header in ("Location", "Operation-Location", "both", "none")] + [
    ("deferred", "Location")
]


@pytest.mark.parametrize(("mode", "header"), HEADERS)
@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
def test_every_form_of_location_identifies_the_operation(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, form: str, header: str
) -> None:
    """With every form of location, or none, the operation is identified and its preview waited for."""
    emulator = serve(location_form=form, location_header=header)
    emulator.add_offer(OFFER, history="succeeded")
    published = publish()
    assert published["operation_id"] == emulator.operations(OFFER)[0]["id"]
    emulator.clock.advance(days=4)
    assert run_sensor(mode, operation=published).kind == "reached"


@pytest.mark.parametrize("mode", MODES)
def test_a_failure_is_one_line(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """A rejected certification names offer, step, the team's words as text, the operation and the request ID."""
    emulator = serve()
    emulator.add_offer(OFFER, "blocked-then-rejected")
    published = publish()
    emulator.clock.advance(days=3)
    ending = run_sensor(mode, operation=published)
    expected = (
        "offer contoso/contoso-vm: publication failed at step Certification: Plan gold : CVE-2026-0001 is not patched"
        " & the image fails policy 200.3.; The submission of the offer failed.; operation "
        f"{published['operation_id']}; request id "
    )
    assert ending.kind == "AirflowFailException"
    assert ending.text[: len(expected)] == expected
    assert "\n" not in ending.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("fails", "expected"), [(False, "waits"), (True, "AirflowFailException")])
def test_a_blocked_step_is_logged_and_fails_on_request(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., SensorResult],
    warnings: Callable[[], list[str]],
    mode: str,
    fails: bool,  # noqa: FBT001 - it is the argument under test
    expected: str,
) -> None:
    """The first poll logs a blocked step as a warning with its messages, and fails the task only with `fail_on_blocked`."""
    emulator = serve()
    emulator.add_offer(OFFER, "blocked-then-rejected")
    published = publish()
    emulator.clock.advance(days=2)
    ending = run_sensor(mode, operation=published, fail_on_blocked=fails)
    assert ending.kind == expected
    assert any("Certification: Plan gold" in line for line in warnings())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("failed", "AirflowSkipException"),
        ("canceled", "AirflowSkipException"),
        ("never-signed-off", "AirflowSkipException"),
        ("blocked-then-rejected", "AirflowFailException"),
    ],
)
def test_soft_fail_skips_for_failed_canceled_and_timed_out_only(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, scenario: str, expected: str
) -> None:
    """`soft_fail` skips for the publication's own bad ends and a timeout, and fails for a blocked step, in every mode."""
    emulator = serve()
    emulator.add_offer(OFFER, scenario)
    published = publish()
    emulator.clock.advance(days=2 if expected == "AirflowFailException" else 5)
    ending = run_sensor(mode, operation=published, until="live", soft_fail=True, fail_on_blocked=True)
    assert ending.kind.replace("SkippedOutcome", "AirflowSkipException") == expected


@pytest.mark.parametrize("mode", MODES)
def test_soft_fail_does_not_skip_for_a_configuration_error(
    serve: Callable[..., Emulator], connect: Callable[..., None], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """A connection that cannot work fails the task, with or without `soft_fail`."""
    emulator = serve()
    connect(emulator, password=None)
    ending = run_sensor(mode, offer_id=OFFER, soft_fail=True)
    assert ending.kind == "AirflowFailException"
    assert "it lacks password" in ending.text


@pytest.mark.parametrize("mode", MODES)
def test_a_timeout_reports_the_last_state(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """A timeout names the offer, the target and the last known state, and says that the publication goes on."""
    emulator = serve()
    emulator.add_offer(OFFER)
    published = publish()
    emulator.clock.advance(days=1)
    text = run_sensor(mode, operation=published).text
    assert text == (
        "offer contoso/contoso-vm: gave up waiting for preview; last status: running; Certification inProgress 39 %."
        " The publication itself goes on"
    )


OPERATIONS = {
    "a whole list": ([{}, {}, {}], "it is a list of 3, probably the results of a mapped task"),
    "an expanded field": (
        ("api", "cloud_partner_portal"),
        "it is one field of an operation: expand() was given a single operation",
    ),
    "a text": ("{'api': 1}", "it is a text; pass the operation that a task returned"),
    "another api": ({"api": "other"}, "its api is 'other', not one of cloud_partner_portal"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", OPERATIONS)
def test_an_invalid_operation_is_a_clear_error(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, case: str
) -> None:
    """An argument that is not one operation fails at once, with the usual cause."""
    serve()
    value, expected = OPERATIONS[case]
    ending = run_sensor(mode, operation=value)
    assert ending.kind == "AirflowFailException"
    assert expected in ending.text


@pytest.mark.parametrize("mode", MODES)
def test_an_operation_that_is_none_does_not_become_the_offer(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, context: dict[str, Any]
) -> None:
    """An operation that resolves to None is an error, never a poll of the offer's last publication."""
    serve().add_offer(OFFER, history="succeeded")
    sensor = OfferStatusSensor(
        task_id="wait", operation={"not": "yet rendered"}, offer_id=OFFER, deferrable=mode == "deferred"
    )
    sensor.operation = None
    with pytest.raises(Exception, match="the upstream task returned None"):
        sensor.execute(context)


@pytest.mark.parametrize("mode", MODES)
def test_failed_polls_do_not_end_the_wait(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """Server errors, rate limits, HTML pages and lost connections end nothing and cancel nothing."""
    emulator = serve()
    emulator.add_offer(OFFER)
    published = publish()
    emulator.clock.advance(days=4)
    emulator.inject(Fault("response", "operation", status=500))
    emulator.inject(Fault("response", "operation", status=502, body="<html>Bad gateway</html>"))
    emulator.inject(Fault("response", "operation", status=429, headers={"Retry-After": "0"}))
    emulator.inject(Fault("drop", "operation"))
    assert poll_until_end(run_sensor, mode, operation=published) == (True, "reached")
    assert emulator.counts["publish"] == 1
    assert emulator.counts["cancel"] == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", ["throttled", "server-errors", "dropped-connections"])
def test_failing_requests_only_delay_the_wait(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], mode: str, scenario: str
) -> None:
    """Rate limits, a burst of 500s and lost connections delay a wait and do not end it."""
    emulator = serve()
    emulator.add_offer(OFFER, scenario)
    published = publish()
    emulator.clock.advance(days=4)
    assert poll_until_end(run_sensor, mode, operation=published) == (True, "reached")


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "offer contoso/contoso-vm: " in line]


def test_a_rescheduled_wait_logs_only_changes(
    serve: Callable[..., Emulator],
    run_sensor: Callable[..., SensorResult],
    store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a task state store, a poke in a new process logs only what has changed."""
    emulator = serve()
    emulator.add_offer(OFFER)
    published = publish()
    run_sensor("reschedule", operation=published)
    first = logged(capsys)
    run_sensor("reschedule", operation=published)
    second = logged(capsys)
    emulator.clock.advance(days=1)
    run_sensor("reschedule", operation=published)
    assert len(first) > 1
    assert [line for line in second if "gave up" not in line] == []
    assert "Certification" in logged(capsys)[0]


def test_a_new_try_resets_the_failures(
    serve: Callable[..., Emulator], run_sensor: Callable[..., SensorResult], store: Store, context: dict[str, Any]
) -> None:
    """Failed polls of an earlier try do not count in the next one."""
    emulator = serve()
    emulator.add_offer(OFFER)
    published = publish()
    emulator.inject(Fault("response", "operation", times=3, status=500))
    first = run_sensor("reschedule", operation=published)
    store.values = {key: value.replace("2026-", "2020-") for key, value in store.values.items()}
    second = run_sensor("reschedule", operation=published)
    context["ti"].try_number = 2
    third = run_sensor("reschedule", operation=published)
    assert [first.kind, second.kind, third.kind] == ["waits", "AirflowException", "waits"]


def test_never_fail_skips_for_everything(
    serve: Callable[..., Emulator], connect: Callable[..., None], run_sensor: Callable[..., SensorResult]
) -> None:
    """Airflow's `never_fail` skips, also for a connection that cannot work."""
    emulator = serve()
    connect(emulator, password=None)
    ending = run_sensor("poke", offer_id=OFFER, never_fail=True)
    assert ending.kind == "AirflowSkipException"


def test_a_deferral_has_a_timeout_of_its_own(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A deferred wait ends without a triggerer too, an hour after its own deadline."""
    serve().add_offer(OFFER)
    sensor = OfferStatusSensor(task_id="wait", offer_id=OFFER, deferrable=True, timeout=7200)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(context)
    assert deferral.value.timeout == timedelta(hours=3)


@pytest.mark.parametrize(
    ("own", "of_the_connection", "poll_interval"), [(None, None, None), (None, 120, 120.0), (60, 120, 60)]
)
def test_a_deferral_keeps_the_poll_interval(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    own: float | None,
    of_the_connection: float | None,
    poll_interval: float | None,
) -> None:
    """The trigger gets the task's number or else the connection's, and in any case the time of the first poll."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, extra={"poll_interval": of_the_connection})
    arguments: dict[str, Any] = {} if own is None else {"poll_interval": own}
    before = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferral:
        OfferStatusSensor(task_id="wait", offer_id=OFFER, deferrable=True, **arguments).execute(context)
    _, serialized = deferral.value.trigger.serialize()
    assert serialized["wait_spec"]["poll_interval"] == poll_interval
    assert before <= datetime.fromisoformat(serialized["poll_state"]["step_since"]) <= datetime.now(timezone.utc)
