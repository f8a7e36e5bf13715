# SPDX-License-Identifier: Apache-2.0
"""Publishing: once, never over somebody else's operation, and never blindly again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> PublishOfferOperator:
    return PublishOfferOperator(
        **{"task_id": "publish", "offer_id": OFFER, "settle_time": 0, "retries": 2, **arguments}
    )


def test_it_returns_the_operation(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """The task returns the operation with exactly the fields that are documented."""
    portal = serve()
    portal.add_offer(OFFER)
    value = operator().execute(context)
    newest = portal.operations(OFFER)[0]
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
    """Addresses reach the portal as one text with commas, however they are given."""
    portal = serve()
    portal.add_offer(OFFER)
    operator(notification_emails=emails).execute(context)
    assert portal.operations(OFFER)[0]["definition"]["metadata"]["emails"] == "a@contoso.example,b@contoso.example"


def test_a_running_operation_is_refused_by_name(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A publish is not even sent while another operation runs, and the error names that one and is final."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    with pytest.raises(
        AirflowFailException, match=rf"operation {portal.operations(OFFER)[0]['id']} \(publish, running"
    ):
        operator().execute(context)
    assert portal.counts["publish"] == 0


def test_a_running_go_live_is_refused_too(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An offer that is going live is not published over."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    portal.person(OFFER, "sign-off")
    with pytest.raises(AirflowFailException, match=r"\(golive, running"):
        operator().execute(context)
    assert portal.counts["publish"] == 0


@pytest.mark.parametrize("shown", ["status", "step-id", "step-name"])
def test_parked_is_not_running(serve: Callable[..., Emulator], context: dict[str, Any], shown: str) -> None:
    """An offer parked at its sign-off is published again, as in the portal, whichever way it shows that."""
    portal = serve(sign_off_shown_as=shown)
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    value = operator().execute(context)
    assert [entry["submissionState"] for entry in portal.operations(OFFER)] == ["running", "canceled"]
    assert value["operation_id"] == portal.operations(OFFER)[0]["id"]


@pytest.mark.parametrize("status", [409, 400])
def test_the_portals_own_refusal_is_final(serve: Callable[..., Emulator], context: dict[str, Any], status: int) -> None:
    """Where the list does not show yet what runs, the portal refuses, and so does the task, without a retry."""
    portal = serve(second_publish=status, lag_list=9)
    portal.add_offer(OFFER)
    operator().execute(context)
    with pytest.raises(AirflowFailException, match="Another operation of this offer is running"):
        operator().execute(context)
    assert len(portal.operations(OFFER)) == 1


LOST = {
    "reset": Fault("drop", "publish", after=True),
    "500": Fault("answer", "publish", after=True, status=500),
    "502 with a page": Fault("answer", "publish", after=True, status=502, body="<html>Bad gateway</html>"),
    "503": Fault("answer", "publish", after=True, status=503, headers={"Retry-After": "1"}),
    "no location": Fault("no-location", "publish"),
    "a location on another host": Fault("location", "publish", location="https://evil.example/api/operations/1"),
}


@pytest.mark.parametrize("case", LOST)
def test_an_answer_that_was_lost_is_looked_for(
    serve: Callable[..., Emulator], context: dict[str, Any], case: str
) -> None:
    """When the order was taken and its answer lost, the new operation is found in the list, and nothing is sent again."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded")
    fault = LOST[case]
    portal.inject(
        Fault(
            fault.kind,
            "publish",
            after=fault.after,
            status=fault.status,
            headers=fault.headers,
            body=fault.body,
            location=fault.location,
        )
    )
    value = operator(settle_time=30).execute(context)
    assert (value["operation_id"], portal.counts["publish"]) == (portal.operations(OFFER)[0]["id"], 1)


@pytest.mark.parametrize("case", ["reset", "500", "502 with a page", "503"])
def test_an_order_that_may_not_have_been_taken_is_not_sent_again(
    serve: Callable[..., Emulator], context: dict[str, Any], case: str
) -> None:
    """When no new operation shows, the try fails and leaves retries, which look again; its order was sent once."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded")
    fault = LOST[case]
    portal.inject(Fault(fault.kind, "publish", status=fault.status, headers=fault.headers, body=fault.body))
    with pytest.raises(AirflowException, match="it is not known whether the portal took the publish") as caught:
        operator().execute(context)
    assert isinstance(caught.value, AirflowFailException) is False
    assert (portal.counts["publish"], len(portal.operations(OFFER))) == (1, 2 if fault.after else 1)


def test_throttled_is_a_clear_no(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A 429 says that nothing was done: the task may be retried, and did not send its order twice."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.inject(Fault("answer", "publish", status=429, headers={"Retry-After": "1"}))
    with pytest.raises(AirflowException, match="HTTP 429") as caught:
        operator().execute(context)
    assert (isinstance(caught.value, AirflowFailException), portal.counts["publish"]) == (False, 1)


def test_an_invalid_offer_is_final(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A 422 fails the task without a retry, with the portal's words and its request id."""
    portal = serve()
    portal.add_offer(OFFER, "invalid")
    with pytest.raises(AirflowFailException, match=r"The plan gold has no image\. \(request id [0-9a-f-]{36}\)"):
        operator().execute(context)


def test_a_portal_that_is_not_there_leaves_retries(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """Where nothing listens, nothing was sent, and the task may be retried."""
    connect(serve(), host="https://127.0.0.1:1")
    with pytest.raises(AirflowException, match="refused") as caught:
        operator().execute(context)
    assert isinstance(caught.value, AirflowFailException) is False


def test_a_wait_in_the_worker_ends_at_the_preview(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With `wait_for_completion` the operation is in XCom before the wait, and returned after it."""
    portal = serve()
    portal.add_offer(OFFER)
    gate = portal.gate("operation")
    task = operator(wait_for_completion=True, deferrable=False, poll_interval=0.01)
    results: list[Any] = []
    thread = thread_for(lambda: results.append(task.execute(context)))
    thread.start()
    gate.wait_until_reached()
    pushed = dict(context["ti"].pushed)
    portal.clock.advance(days=4)
    gate.open()
    thread.join(30)
    page = f"{portal.url}/?offer={OFFER}"
    assert (pushed, len(results)) == ({"return_value": results[0], "portal_page": page}, 1)


def test_a_deferred_wait_returns_the_operation(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A deferred wait pushes the operation first, orders nothing in the triggerer, and returns the operation."""
    portal = serve()
    portal.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=4)

    async def first_event() -> Any:
        return await anext(deferral.value.trigger.run())

    event = asyncio.run(first_event()).payload
    value = task.execute_complete(context, event)
    assert (value, portal.counts["publish"]) == (context["ti"].pushed["return_value"], 1)


def test_a_wait_that_is_given_no_interval_paces_itself(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """By default the trigger has no interval, and knows when the wait began, so that its pace goes on after a restart."""
    serve().add_offer(OFFER)
    before = datetime.now(timezone.utc)
    with pytest.raises(TaskDeferred) as deferral:
        operator(wait_for_completion=True, deferrable=True).execute(context)
    _, arguments = deferral.value.trigger.serialize()
    since = datetime.fromisoformat(arguments["poll_state"]["step_since"])
    assert (arguments["wait_spec"]["poll_interval"], before <= since <= datetime.now(timezone.utc)) == (None, True)


@pytest.mark.parametrize("event", [None, {}, [], "succeeded", {"status": "success"}, {"version": 1, "result": "done"}])
def test_an_event_that_is_no_outcome_raises(context: dict[str, Any], event: Any) -> None:
    """What is not exactly an outcome never counts as success."""
    with pytest.raises(AirflowFailException, match="the trigger ended with"):
        operator().execute_complete(context, event)


def test_killing_the_task_cancels_nothing(
    serve: Callable[..., Emulator], context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed task says that its operation goes on, and asks the portal for nothing."""
    portal = serve()
    portal.add_offer(OFFER)
    task = operator()
    task.execute(context)
    before = portal.counts
    task.on_kill()
    assert (portal.counts, "goes on at the portal" in capsys.readouterr().out) == (before, True)


def test_a_later_try_does_not_publish_a_second_time(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A retry stops for a person if a publish changed since the run began, though that one has ended by now."""
    portal = serve()
    portal.add_offer(OFFER, "failed", history="succeeded")
    operator().execute(context)
    portal.clock.advance(days=5)
    context["ti"].try_number = 2
    with pytest.raises(
        AirflowFailException, match="an earlier try of this task may have sent it, and operation"
    ) as caught:
        operator().execute(context)
    newest = portal.operations(OFFER)[0]["id"]
    assert (newest in str(caught.value), portal.counts["publish"]) == (True, 1)


@pytest.mark.parametrize("began", ["known", "unknown"])
def test_a_later_try_publishes_where_nothing_was_ordered(
    serve: Callable[..., Emulator], context: dict[str, Any], began: str
) -> None:
    """A retry orders if no publish changed since the run began; if that is not known, only if there is none at all."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded" if began == "known" else None)
    context["ti"].try_number = 2
    if began == "unknown":
        context["dag_run"].start_date = None
    operator().execute(context)
    assert portal.counts["publish"] == 1


def test_a_wait_that_fails_leaves_retries(serve: Callable[..., Emulator], context: dict[str, Any], store: Any) -> None:
    """An error of the wait may pass, and a retry goes on with the same operation: nothing is ordered again."""
    portal = serve()
    portal.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=False, poll_interval=0.01, poll_failure_tolerance=0)
    portal.inject(Fault("answer", "operation", times=99, status=500))
    with pytest.raises(AirflowException, match="What became of the publication is not known") as caught:
        task.execute(context)
    portal.clear_faults()
    portal.clock.advance(days=4)
    context["ti"].try_number = 2
    value = task.execute(context)
    assert isinstance(caught.value, AirflowFailException) is False
    assert (value["operation_id"], portal.counts["publish"]) == (portal.operations(OFFER)[0]["id"], 1)


@pytest.mark.parametrize(
    ("scenario", "said"), [("failed", "publication failed"), ("canceled", "publication was canceled")]
)
def test_a_bad_end_fails_the_wait(
    serve: Callable[..., Emulator], context: dict[str, Any], scenario: str, said: str
) -> None:
    """A publication that ends badly fails a task that waits for it."""
    portal = serve()
    portal.add_offer(OFFER, scenario)
    task = operator(wait_for_completion=True, deferrable=True, do_xcom_push=False)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=5)

    async def first_event() -> Any:
        return await anext(deferral.value.trigger.run())

    with pytest.raises(AirflowFailException, match=said):
        task.execute_complete(context, asyncio.run(first_event()).payload)
    assert "return_value" not in context["ti"].pushed


def test_a_wait_that_runs_out_of_time(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A wait that takes longer than its timeout says so, and that the publication goes on."""
    serve().add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=False, timeout=0)
    with pytest.raises(AirflowSensorTimeout, match="The publication itself goes on"):
        task.execute(context)


def test_the_links_are_there_before_and_after_a_deferred_wait(
    serve: Callable[..., Emulator], context: dict[str, Any]
) -> None:
    """The offer's pages on the market and in the portal are known to the try that orders, and to the one that resumes."""
    portal = serve()
    portal.add_offer(OFFER)
    task = operator(wait_for_completion=True, deferrable=True, poll_interval=0.01)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=4)
    resumed = operator(wait_for_completion=True)
    resumed.execute_complete(context, asyncio.run(anext(deferral.value.trigger.run())).payload)
    for one in (task, resumed):
        links = [link.get_link(one, ti_key=None) for link in one.operator_extra_links]
        assert links == [
            f"https://azuremarketplace.microsoft.com/marketplace/apps/contoso.{OFFER}",
            f"{portal.url}/?offer={OFFER}",
        ]
