# SPDX-License-Identifier: Apache-2.0
"""Publishing: once, never over somebody else's operation, and never again without proof that it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    TaskDeferred,
)
from partner_center_emulator import Emulator, Fault
from support.run_tasks import Store
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> PublishOfferOperator:
    return PublishOfferOperator(
        **{"task_id": "publish", "offer_id": OFFER, "settle_time": 0, "retries": 2, **arguments}
    )


def test_the_operation_is_returned(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """The task returns the operation with exactly the documented fields."""
    emulator = serve()
    emulator.add_offer(OFFER)
    value = operator().execute(context)
    newest = emulator.operations(OFFER)[0]
    submitted_at = datetime.fromisoformat(value.pop("submitted_at") or "")
    assert value == {
        "api": "cloud_partner_portal",
        "publisher_id": "contoso",
        "offer_id": OFFER,
        "operation_id": newest["id"],
        "location": f"/api/publishers/contoso/offers/{OFFER}/operations/{newest['id']}?api-version=2017-10-31",
        "kind": "publish",
    }
    assert submitted_at.utcoffset() is not None


@pytest.mark.parametrize("emails", ["a@contoso.example, b@contoso.example", ["a@contoso.example", "b@contoso.example"]])
def test_notification_emails_are_sent_as_one_text(
    serve: Callable[..., Emulator], context: dict[str, Any], emails: str | list[str]
) -> None:
    """Addresses reach the API as one text with commas, whether they are a text or a list."""
    emulator = serve()
    emulator.add_offer(OFFER)
    operator(notification_emails=emails).execute(context)
    assert emulator.operations(OFFER)[0]["definition"]["metadata"]["emails"] == "a@contoso.example,b@contoso.example"


def test_an_operation_in_progress_is_named_in_the_error(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """While another operation is in progress nothing is submitted, and the error names it and is final."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    with pytest.raises(
        AirflowFailException, match=rf"operation {emulator.operations(OFFER)[0]['id']} \(publish, running"
    ):
        operator().execute(context)
    assert emulator.counts["publish"] == 0


def test_a_go_live_in_progress_is_an_error_too(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An offer that is going live is not published over."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    emulator.person(OFFER, "sign-off")
    with pytest.raises(AirflowFailException, match=r"\(golive, running"):
        operator().execute(context)
    assert emulator.counts["publish"] == 0


@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
def test_awaiting_sign_off_is_not_in_progress(
    serve: Callable[..., Emulator], context: dict[str, Any], shown: str
) -> None:
    """An offer that awaits sign-off is published again, as in Partner Center, whichever way it shows that."""
    emulator = serve(sign_off_shown_as=shown)
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    value = operator().execute(context)
    assert [one["submissionState"] for one in emulator.operations(OFFER)] == ["running", "canceled"]
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]


@pytest.mark.parametrize("status", [409, 400])
def test_the_api_s_own_refusal_is_final(serve: Callable[..., Emulator], context: dict[str, Any], status: int) -> None:
    """If the list does not show the operation in progress yet, the API refuses, and the task fails without a retry."""
    emulator = serve(second_publish=status, lag_list=9)
    emulator.add_offer(OFFER)
    operator().execute(context)
    with pytest.raises(AirflowFailException, match="Another operation of this offer is running"):
        operator().execute(context)
    assert len(emulator.operations(OFFER)) == 1


LOST = {
    "reset": Fault("drop", "publish", after=True),
    "500": Fault("response", "publish", after=True, status=500),
    "502 with a page": Fault("response", "publish", after=True, status=502, body="<html>Bad gateway</html>"),
    "503": Fault("response", "publish", after=True, status=503, headers={"Retry-After": "1"}),
    "no location": Fault("no-location", "publish"),
    "a location on another host": Fault("location", "publish", location="https://evil.example/api/operations/1"),
}


@pytest.mark.parametrize("case", LOST)
def test_a_lost_response_is_polled_for(serve: Callable[..., Emulator], context: dict[str, Any], case: str) -> None:
    """If a publish was accepted and its response lost, the list shows the new operation, and nothing is submitted again."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded")
    emulator.inject(replace(LOST[case]))
    value = operator(settle_time=30).execute(context)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["publish"] == 1


@pytest.mark.parametrize("case", ["reset", "500", "502 with a page", "503"])
def test_a_request_that_may_have_been_accepted_is_not_submitted_again(
    serve: Callable[..., Emulator], context: dict[str, Any], case: str
) -> None:
    """If no new operation appears, the try fails and is retryable, after one request."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded")
    emulator.inject(replace(LOST[case], after=False))
    with pytest.raises(AirflowException, match="it is not known whether the publish was accepted") as caught:
        operator().execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert emulator.counts["publish"] == 1
    assert len(emulator.operations(OFFER)) == 2


def test_a_rate_limit_proves_that_nothing_was_accepted(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A 429 fails the try after one request, and the task may be retried."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("response", "publish", status=429, headers={"Retry-After": "1"}))
    with pytest.raises(AirflowException, match="HTTP 429") as caught:
        operator().execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert emulator.counts["publish"] == 1


def test_an_invalid_offer_is_final(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A 422 fails the task without a retry, with the API's text and request ID."""
    emulator = serve()
    emulator.add_offer(OFFER, "invalid")
    with pytest.raises(AirflowFailException, match=r"The plan gold has no image\. \(request id [0-9a-f-]{36}\)"):
        operator().execute(context)


def test_an_unreachable_api_is_retryable(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """If nothing listens, nothing was sent, and the task may be retried."""
    connect(serve(), host="https://127.0.0.1:1")
    with pytest.raises(AirflowException, match="refused") as caught:
        operator().execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_wait_in_the_worker_ends_at_the_preview(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With `wait_for_completion` the operation is in XCom before the wait, and returned after it."""
    emulator = serve()
    emulator.add_offer(OFFER)
    gate = emulator.gate("operation")
    task = operator(wait_for_completion=True, deferrable=False, poll_interval=0.01)
    results: list[Any] = []
    thread = thread_for(lambda: results.append(task.execute(context)))
    thread.start()
    gate.wait_until_reached()
    pushed = dict(context["ti"].pushed)
    emulator.clock.advance(days=4)
    gate.open()
    thread.join(30)
    page = f"{emulator.url}/?offer={OFFER}"
    assert pushed == {"return_value": results[0], "partner_center_url": page}
    assert len(results) == 1


def test_a_deferred_wait_returns_the_operation(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A deferred wait pushes the operation first, submits nothing in the triggerer, and returns the operation."""
    emulator = serve()
    emulator.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=4)

    async def first_event() -> Any:
        return await anext(deferral.value.trigger.run())

    event = asyncio.run(first_event()).payload
    value = task.execute_complete(context, event)
    assert value == context["ti"].pushed["return_value"]
    assert emulator.counts["publish"] == 1


def test_the_default_interval_depends_on_the_age_of_the_step(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """By default the trigger has no interval, but the time at which the wait began, which survives a restart."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, extra={"poll_interval": None})
    before = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferral:
        operator(wait_for_completion=True, deferrable=True).execute(context)
    _, arguments = deferral.value.trigger.serialize()
    since = datetime.fromisoformat(arguments["poll_state"]["step_since"])
    assert arguments["wait_spec"]["poll_interval"] is None
    assert before <= since <= datetime.now(timezone.utc)


def test_the_connection_s_interval_is_the_default(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A task that names no interval takes that of the connection, which the emulator sets."""
    serve().add_offer(OFFER)
    with pytest.raises(TaskDeferred) as deferral:
        operator(wait_for_completion=True, deferrable=True).execute(context)
    _, arguments = deferral.value.trigger.serialize()
    assert arguments["wait_spec"]["poll_interval"] == 1.0


@pytest.mark.parametrize("event", [None, {}, [], "succeeded", {"status": "success"}, {"version": 1, "result": "done"}])
def test_an_invalid_event_is_an_error(context: dict[str, Any], event: Any) -> None:
    """An event that is not exactly an outcome never counts as success."""
    with pytest.raises(AirflowFailException, match="the trigger ended with"):
        operator().execute_complete(context, event)


def test_killing_the_task_cancels_nothing(
    serve: Callable[..., Emulator], context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed task logs that its operation goes on, and sends no request."""
    emulator = serve()
    emulator.add_offer(OFFER)
    task = operator()
    task.execute(context)
    before = emulator.counts
    task.on_kill()
    assert emulator.counts == before
    assert "to cancel it, use CancelOfferOperator or Partner Center" in capsys.readouterr().out


def test_a_later_try_does_not_publish_a_second_time(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A retry asks for a manual check if a publish changed since the DAG run began, even if it has ended."""
    emulator = serve()
    emulator.add_offer(OFFER, "failed", history="succeeded")
    operator().execute(context)
    emulator.clock.advance(days=5)
    context["ti"].try_number = 2
    with pytest.raises(
        AirflowFailException, match="an earlier try of this task may have submitted it, and the offer has operation"
    ) as caught:
        operator().execute(context)
    newest = emulator.operations(OFFER)[0]["id"]
    assert newest in str(caught.value)
    assert emulator.counts["publish"] == 1


@pytest.mark.parametrize("run_start", ["known", "unknown"])
def test_a_later_try_publishes_where_nothing_was_submitted(
    serve: Callable[..., Emulator], context: dict[str, Any], run_start: str
) -> None:
    """A retry submits if no publish changed since the DAG run began; without that time, only if there is none at all."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded" if run_start == "known" else None)
    context["ti"].try_number = 2
    if run_start == "unknown":
        context["dag_run"].start_date = None
    operator().execute(context)
    assert emulator.counts["publish"] == 1


def test_a_failed_wait_is_retryable(serve: Callable[..., Emulator], context: dict[str, Any], store: Store) -> None:
    """An error during the wait is retryable, and a retry attaches to the same operation without a new submit."""
    emulator = serve()
    emulator.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=False, poll_interval=0.01, poll_failure_tolerance=0)
    emulator.inject(Fault("response", "operation", times=99, status=500))
    with pytest.raises(AirflowException, match="The state of the publication is not known") as caught:
        task.execute(context)
    emulator.clear_faults()
    emulator.clock.advance(days=4)
    context["ti"].try_number = 2
    value = task.execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert emulator.counts["publish"] == 1


@pytest.mark.parametrize(
    ("scenario", "expected"), [("failed", "publication failed"), ("canceled", "publication was canceled")]
)
def test_a_failed_publication_fails_the_wait(
    serve: Callable[..., Emulator], context: dict[str, Any], scenario: str, expected: str
) -> None:
    """A failed or canceled publication fails a task that waits for it."""
    emulator = serve()
    emulator.add_offer(OFFER, scenario)
    task = operator(wait_for_completion=True, deferrable=True, do_xcom_push=False)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=5)

    async def first_event() -> Any:
        return await anext(deferral.value.trigger.run())

    with pytest.raises(AirflowFailException, match=expected):
        task.execute_complete(context, asyncio.run(first_event()).payload)
    assert "return_value" not in context["ti"].pushed


def test_a_wait_that_times_out(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """The error of a wait that times out says that the publication goes on."""
    serve().add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=False, timeout=0)
    with pytest.raises(AirflowSensorTimeout, match="The publication itself goes on"):
        task.execute(context)


def test_the_links_are_there_before_and_after_a_deferred_wait(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """The links to marketplace and Partner Center are known to the try that submits, and to the one that resumes."""
    emulator = serve()
    emulator.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=4)
    resumed = operator(wait_for_completion=True)
    resumed.execute_complete(context, asyncio.run(anext(deferral.value.trigger.run())).payload)
    for one in (task, resumed):
        links = [link.get_link(one, ti_key=None) for link in one.operator_extra_links]
        assert links == [
            f"https://azuremarketplace.microsoft.com/marketplace/apps/contoso.{OFFER}",
            f"{emulator.url}/?offer={OFFER}",
        ]
