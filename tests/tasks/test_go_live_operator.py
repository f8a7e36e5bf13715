# SPDX-License-Identifier: Apache-2.0
"""Going live: only with an offer that awaits sign-off, at most once, and until it is live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from partner_center_emulator import Emulator, Fault
from support.sensor_result import SensorResult

from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> GoLiveOfferOperator:
    options = {"task_id": "go_live", "settle_time": 2, "retries": 2}
    return GoLiveOfferOperator(**{**options, "offer_id": OFFER, **arguments})


def awaiting_sign_off(serve: Callable[..., Emulator], **settings: Any) -> Emulator:
    """Serve an offer that awaits sign-off."""
    emulator = serve(**settings)
    emulator.add_offer(OFFER, history=settings.get("history"))
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    return emulator


@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
@pytest.mark.parametrize("golive_operation", ["new", "continues"])
def test_an_offer_awaiting_sign_off_goes_live(
    serve: Callable[..., Emulator], context: dict[str, Any], shown: str, golive_operation: str
) -> None:
    """An offer that awaits sign-off goes live once, and the task returns the API's operation for that."""
    emulator = awaiting_sign_off(serve, sign_off_shown_as=shown, golive_operation=golive_operation)
    value = operator().execute(context)
    assert value["kind"] == "golive"
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["golive"] == 1


@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
@pytest.mark.parametrize("header", ["Location", "Operation-Location", "none"])
def test_every_form_of_location_identifies_the_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], header: str, form: str
) -> None:
    """With every form of location, or none, the operation is identified."""
    emulator = awaiting_sign_off(serve, location_header=header, location_form=form)
    value = operator().execute(context)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["golive"] == 1


def test_nothing_awaiting_sign_off_is_a_clear_error(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """If nothing awaits sign-off at the first try, the task fails without a retry and reports the offer's state."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    with pytest.raises(AirflowFailException, match=r"cannot go live: its status is running, operation "):
        operator(settle_time=0).execute(context)
    assert emulator.counts["golive"] == 0


def test_a_stale_status_is_polled_again(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A preview that was just reached goes live although the offer's status still shows the previous publication."""
    emulator = serve(lag_status=2)
    emulator.add_offer(OFFER, history="succeeded")
    PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=4)
    assert operator(settle_time=30).execute(context)["operation_id"] == emulator.operations(OFFER)[0]["id"]


def test_another_publication_does_not_go_live(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A person's publication that replaced the approved preview does not go live in its place."""
    emulator = serve()
    emulator.add_offer(OFFER)
    meant = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=4)
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    with pytest.raises(AirflowFailException, match=r"was meant, but operation .* awaits sign-off"):
        operator(offer_id=None, operation=meant, settle_time=0).execute(context)
    assert emulator.counts["golive"] == 0


@pytest.mark.parametrize("api", ["cloud_partner_portal", "product_ingestion"])
@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("days", [0, 5], ids=["goes live", "is live"])
def test_a_person_who_was_faster_is_a_success(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., SensorResult],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    api: str,
    golive_operation: str,
    days: int,
) -> None:
    """If a person has signed off the given publication, the task submits nothing, says so, and returns what can be waited for."""
    emulator = serve(golive_operation=golive_operation)
    emulator.add_offer(OFFER, history="succeeded")
    connect(emulator, conn_type=api)
    meant = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=4)
    emulator.person(OFFER, "sign-off")
    emulator.clock.advance(days=days)
    capsys.readouterr()
    caplog.clear()
    with caplog.at_level("INFO"):
        value = operator(offer_id=None, operation=meant, settle_time=0).execute(context)
    logged = caplog.text + capsys.readouterr().out  # before Airflow 3, the log is not on standard output
    emulator.clock.advance(days=5)
    assert value["kind"] == "golive"
    assert emulator.submits_for(OFFER)["golive"] == 0
    assert f"{OFFER}: signed off in Partner Center; continuing with {meant['operation_id']}" in logged
    assert "accepted as operation" not in logged
    assert run_sensor("poke", operation=value).kind == "reached"


@pytest.mark.parametrize("api", ["cloud_partner_portal", "product_ingestion"])
@pytest.mark.parametrize("scenario", ["failed", "canceled", "fails-going-live"])
def test_a_publication_that_ended_otherwise_is_no_success(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any], api: str, scenario: str
) -> None:
    """If the given publication failed or was canceled, the task fails, although the previous publication is live."""
    emulator = serve()
    emulator.add_offer(OFFER, scenario, history="succeeded")
    connect(emulator, conn_type=api)
    meant = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=4)
    if scenario == "fails-going-live":
        emulator.person(OFFER, "sign-off")
        emulator.clock.advance(days=5)
    with pytest.raises(AirflowFailException, match="cannot go live"):
        operator(offer_id=None, operation=meant, settle_time=0).execute(context)


@pytest.mark.parametrize("lag", ["previous", "missing"])
def test_stale_responses_are_no_sign_off(serve: Callable[..., Emulator], context: dict[str, Any], lag: str) -> None:
    """While everything shows the previous publication, which is live, the given one does not count as signed off."""
    lags = {"lag_status": 99, "lag_list": 99, "lag_operation": 99, "lag_operation_as": lag}
    emulator = serve(**lags)
    emulator.add_offer(OFFER, history="succeeded")
    meant = PublishOfferOperator(task_id="publish", offer_id=OFFER, settle_time=0).execute(context)
    with pytest.raises(AirflowFailException, match="cannot go live: its status is succeeded"):
        operator(offer_id=None, operation=meant, settle_time=0).execute(context)


def test_without_an_operation_a_faster_person_is_an_error(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """Without `operation`, nothing shows whether the publication that is live is the one that was meant."""
    emulator = awaiting_sign_off(serve)
    emulator.person(OFFER, "sign-off")
    emulator.clock.advance(days=5)
    with pytest.raises(AirflowFailException, match="without operation, nothing shows which publication was meant"):
        operator(settle_time=0).execute(context)
    assert emulator.counts["golive"] == 0


LOST = {
    "reset": Fault("drop", "golive", after=True),
    "500": Fault("response", "golive", after=True, status=500),
    "502 with a page": Fault("response", "golive", after=True, status=502, body="<html>Bad gateway</html>"),
    "503": Fault("response", "golive", after=True, status=503, headers={"Retry-After": "1"}),
    "no location": Fault("no-location", "golive"),
}


@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("case", LOST)
def test_a_lost_response_is_one_go_live(
    serve: Callable[..., Emulator], context: dict[str, Any], case: str, golive_operation: str
) -> None:
    """A go-live request that was accepted is not submitted again after a lost response, and its operation is returned."""
    emulator = awaiting_sign_off(serve, golive_operation=golive_operation)
    emulator.inject(replace(LOST[case]))
    value = operator().execute(context)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["golive"] == 1


def test_an_offer_that_still_awaits_sign_off_is_submitted_again(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """If the response was lost and the offer still awaits sign-off after the settle time, the request is submitted again."""
    emulator = awaiting_sign_off(serve)
    emulator.inject(Fault("response", "golive", status=500))
    value = operator().execute(context)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["golive"] == 2


def test_a_go_live_that_is_never_accepted_is_retryable(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An offer that awaits sign-off after every request fails the try, and a retry may help."""
    emulator = awaiting_sign_off(serve)
    emulator.inject(Fault("response", "golive", times=9, status=500))
    with pytest.raises(AirflowException, match="it still awaits sign-off") as caught:
        operator(settle_time=1).execute(context)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("days", [0, 5])
def test_a_retry_attaches_to_the_go_live_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], golive_operation: str, days: int
) -> None:
    """A retry submits nothing while the offer is going live, or once it is live."""
    emulator = awaiting_sign_off(serve, golive_operation=golive_operation)
    first = operator().execute(context)
    emulator.clock.advance(days=days)
    context["ti"].try_number = 2
    assert operator().execute(context)["operation_id"] == first["operation_id"]
    assert emulator.counts["golive"] == 1


@pytest.mark.parametrize("history", ["succeeded", "failed"])
@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("missing", ["previous", "missing"])
def test_stale_responses_are_ignored(
    serve: Callable[..., Emulator],
    context: dict[str, Any],
    run_sensor: Callable[..., SensorResult],
    history: str,
    golive_operation: str,
    missing: str,
) -> None:
    """While status, list and operation still show the previous publication, a sensor waits for this one."""
    lags = {"lag_status": 3, "lag_list": 3, "lag_operation": 3, "lag_operation_as": missing}
    emulator = serve(golive_operation=golive_operation, **lags)
    emulator.add_offer(OFFER, history=history)
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    value = operator().execute(context)
    waiting = run_sensor("poke", operation=value, timeout=1)
    emulator.clock.advance(days=4)
    reached = run_sensor("poke", operation=value, timeout=5)
    assert waiting.kind == "waits"
    assert reached.kind == "reached"


def test_a_deferred_wait_ends_when_the_offer_is_live(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With `wait_for_completion`, the task ends when the offer is live, and the trigger submits nothing."""
    emulator = awaiting_sign_off(serve)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=4)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    assert task.execute_complete(context, event)["kind"] == "golive"
    assert emulator.counts["golive"] == 1


def test_a_failed_go_live_fails_the_wait(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A publication that fails while it goes live fails the task, with the API's text."""
    emulator = serve()
    emulator.add_offer(OFFER, "fails-going-live")
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=4)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    with pytest.raises(AirflowFailException, match="publication failed at step Live: The image of plan gold"):
        task.execute_complete(context, event)


@pytest.mark.parametrize("operation", [None, "publish", [{"kind": "publish"}] * 2, ("kind", "publish")])
def test_an_invalid_operation_is_a_clear_error(context: dict[str, Any], operation: Any) -> None:
    """None, a text, a list and a field of an expanded dict are errors that explain themselves."""
    task = operator(offer_id=None, operation=operation or "later")
    task.operation = operation
    with pytest.raises(AirflowFailException, match="the argument operation cannot be used"):
        task.execute(context)
