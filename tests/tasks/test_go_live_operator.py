# SPDX-License-Identifier: Apache-2.0
"""Going live: only with what is parked, at most once, and watched to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> GoLiveOfferOperator:
    options = {"task_id": "go_live", "settle_time": 2, "retries": 2}
    return GoLiveOfferOperator(**{**options, "offer_id": OFFER, **arguments})


def parked(serve: Callable[..., Emulator], **settings: Any) -> Emulator:
    """Serve a portal on which the offer waits for its publisher."""
    portal = serve(**settings)
    portal.add_offer(OFFER, history=settings.get("history"))
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    return portal


@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
@pytest.mark.parametrize("golive_operation", ["new", "continues"])
def test_what_is_parked_goes_live(
    serve: Callable[..., Emulator], context: dict[str, Any], shown: str, golive_operation: str
) -> None:
    """A parked offer goes live once, and the operation is the one that the portal has for it."""
    portal = parked(serve, sign_off_shown_as=shown, golive_operation=golive_operation)
    value = operator().execute(context)
    assert (value["kind"], value["operation_id"]) == ("golive", portal.operations(OFFER)[0]["id"])
    assert portal.counts["golive"] == 1


@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
@pytest.mark.parametrize("header", ["Location", "Operation-Location", "none"])
def test_every_form_of_location_leads_to_the_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], header: str, form: str
) -> None:
    """Whatever the answer names, the operation is found."""
    portal = parked(serve, location_header=header, location_form=form)
    value = operator().execute(context)
    assert (value["operation_id"], portal.counts["golive"]) == (portal.operations(OFFER)[0]["id"], 1)


def test_nothing_parked_is_a_clear_error(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A first try that finds nothing parked fails for good and says what is there."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    with pytest.raises(AirflowFailException, match=r"its status is running, operation .* it did not go live"):
        operator(settle_time=0).execute(context)
    assert portal.counts["golive"] == 0


def test_a_status_that_is_stale_for_a_moment_is_looked_at_again(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """A preview that was just reached goes live though the offer's status still shows the last publication."""
    portal = serve(lag_status=2)
    portal.add_offer(OFFER, history="succeeded")
    PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    portal.clock.advance(days=4)
    assert operator(settle_time=30).execute(context)["operation_id"] == portal.operations(OFFER)[0]["id"]


def test_another_publication_than_was_meant_does_not_go_live(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """What a person published over the approved preview is not signed off in its stead."""
    portal = serve()
    portal.add_offer(OFFER)
    meant = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    portal.clock.advance(days=4)
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    with pytest.raises(AirflowFailException, match="was meant, but what is parked is operation"):
        operator(offer_id=None, operation=meant, settle_time=0).execute(context)
    assert portal.counts["golive"] == 0


LOST = {
    "reset": Fault("drop", "golive", after=True),
    "500": Fault("answer", "golive", after=True, status=500),
    "502 with a page": Fault("answer", "golive", after=True, status=502, body="<html>Bad gateway</html>"),
    "503": Fault("answer", "golive", after=True, status=503, headers={"Retry-After": "1"}),
    "no location": Fault("no-location", "golive"),
}


@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("case", LOST)
def test_a_lost_answer_is_one_go_live(
    serve: Callable[..., Emulator], context: dict[str, Any], case: str, golive_operation: str
) -> None:
    """When the order was taken and its answer lost, it is not sent again, and the operation is found."""
    portal = parked(serve, golive_operation=golive_operation)
    fault = LOST[case]
    portal.inject(
        Fault(fault.kind, "golive", after=fault.after, status=fault.status, headers=fault.headers, body=fault.body)
    )
    value = operator().execute(context)
    assert (value["operation_id"], portal.counts["golive"]) == (portal.operations(OFFER)[0]["id"], 1)


def test_still_parked_is_ordered_again(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """When the answer was lost and the offer stays parked for the settle time, it is signed off again."""
    portal = parked(serve)
    portal.inject(Fault("answer", "golive", status=500))
    value = operator().execute(context)
    assert (value["operation_id"], portal.counts["golive"]) == (portal.operations(OFFER)[0]["id"], 2)


def test_a_portal_that_never_takes_it_leaves_retries(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An offer that stays parked whatever is ordered fails the try, and another try may help."""
    portal = parked(serve)
    portal.inject(Fault("answer", "golive", times=9, status=500))
    with pytest.raises(AirflowException, match="it still waits for its publisher's sign-off") as caught:
        operator(settle_time=1).execute(context)
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("days", [0, 5])
def test_a_retry_goes_on_with_what_is_going_live(
    serve: Callable[..., Emulator], context: dict[str, Any], golive_operation: str, days: int
) -> None:
    """A retry orders nothing while the offer goes live, or once it is."""
    portal = parked(serve, golive_operation=golive_operation)
    first = operator().execute(context)
    portal.clock.advance(days=days)
    context["ti"].try_number = 2
    assert operator().execute(context)["operation_id"] == first["operation_id"]
    assert portal.counts["golive"] == 1


@pytest.mark.parametrize("history", ["succeeded", "failed"])
@pytest.mark.parametrize("golive_operation", ["new", "continues"])
@pytest.mark.parametrize("missing", ["previous", "missing"])
def test_stale_answers_are_not_believed(
    serve: Callable[..., Emulator],
    context: dict[str, Any],
    run_sensor: Callable[..., Any],
    history: str,
    golive_operation: str,
    missing: str,
) -> None:
    """While status, list and operation answer for the publication before, a sensor waits for this going live."""
    lags = {"lag_status": 3, "lag_list": 3, "lag_operation": 3, "lag_operation_as": missing}
    portal = serve(golive_operation=golive_operation, **lags)
    portal.add_offer(OFFER, history=history)
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    value = operator().execute(context)
    waiting = run_sensor("poke", operation=value, patience=1)
    portal.clock.advance(days=4)
    reached = run_sensor("poke", operation=value, patience=5)
    assert (waiting.kind, reached.kind) == ("waits", "reached")


def test_a_deferred_wait_ends_when_it_is_live(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With `wait_for_completion`, the task ends when the offer is live, and the trigger orders nothing."""
    portal = parked(serve)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=4)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    assert (task.execute_complete(context, event)["kind"], portal.counts["golive"]) == ("golive", 1)


def test_a_rejection_while_it_goes_live_fails_the_wait(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A publication that is rejected on its way to the market fails the task, with the portal's words."""
    portal = serve()
    portal.add_offer(OFFER, "fails-going-live")
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=4)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    with pytest.raises(AirflowFailException, match="publication failed at step Live: The image of plan gold"):
        task.execute_complete(context, event)


@pytest.mark.parametrize("operation", [None, "publish", [{"kind": "publish"}] * 2, ("kind", "publish")])
def test_what_is_no_operation_is_a_clear_error(context: dict[str, Any], operation: Any) -> None:
    """A skipped task's nothing, a text, a mapped task's list and an expanded dict are errors that say so."""
    task = operator(offer_id=None, operation=operation or "later")
    task.operation = operation
    with pytest.raises(AirflowFailException, match="the argument operation cannot be used"):
        task.execute(context)
