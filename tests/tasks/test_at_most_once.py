# SPDX-License-Identifier: Apache-2.0
"""At most one publish, with everybody else about: persons, other tasks, lost answers, earlier tries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from partner_center_emulator import Emulator, Fault
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> PublishOfferOperator:
    return PublishOfferOperator(
        **{"task_id": "publish", "offer_id": OFFER, "settle_time": 1, "retries": 2, **arguments}
    )


@pytest.fixture
def retry(context: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the context the next try's."""

    def begin() -> None:
        context["ti"].try_number += 1

    context["ti"].max_tries = 2
    return begin


@pytest.fixture
def clear(context: dict[str, Any]) -> Callable[[], None]:
    """Return a function that makes the context that of a cleared task, as Airflow counts."""

    def begin() -> None:
        context["ti"].max_tries = context["ti"].try_number + 2
        context["ti"].try_number += 1
        context["dag_run"].clear_number = getattr(context["dag_run"], "clear_number", 0) + 1

    context["ti"].max_tries = 2
    return begin


LOST = {
    "timeout": Fault("hang", "publish", after=True, seconds=5),
    "reset": Fault("drop", "publish", after=True),
    "500": Fault("answer", "publish", after=True, status=500),
    "502 with a page": Fault("answer", "publish", after=True, status=502, body="<html>Bad gateway</html>"),
    "503 with Retry-After": Fault("answer", "publish", after=True, status=503, headers={"Retry-After": "1"}),
    "202 without a location": Fault("no-location", "publish"),
}


def same(fault: Fault, *, taken: bool = True) -> Fault:
    """Copy a fault, since each strikes as often as it says; one that was not taken strikes before the order."""
    return Fault(
        fault.kind,
        fault.route,
        after=fault.after and taken,
        status=fault.status,
        headers=fault.headers,
        body=fault.body,
        seconds=fault.seconds,
    )


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("case", LOST)
def test_a_lost_answer_is_one_publish(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    store: Any,
    capsys: pytest.CaptureFixture[str],
    case: str,
    lag: int,
) -> None:
    """Whatever becomes of the answer, and though the list lags, one publish is ordered, and it is the task's."""
    portal = serve(lag_list=lag)
    connect(portal, extra={"request_timeout": 3, "submit_timeout": 3})
    portal.add_offer(OFFER, history="succeeded")
    portal.inject(same(LOST[case]))
    value = operator(settle_time=10).execute(context)
    operations = [entry["id"] for entry in portal.operations(OFFER) if entry["submissionType"] == "publish"]
    assert (value["operation_id"], len(operations), portal.counts["publish"] <= 1) == (operations[0], 2, True)
    looked = "the request may still have been accepted" in capsys.readouterr().out
    assert looked is (case != "202 without a location")


@pytest.mark.parametrize("case", ["reset", "500", "502 with a page", "503 with Retry-After"])
def test_an_order_that_was_not_taken_is_sent_by_the_next_try(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, retry: Callable[[], None], case: str
) -> None:
    """When nothing shows within the settle time the try fails, retryable, and the next one publishes."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded")
    portal.inject(same(LOST[case], taken=False))
    with pytest.raises(AirflowException, match="another try of the task looks once more") as caught:
        operator().execute(context)
    retry()
    value = operator().execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert (value["operation_id"], len(portal.operations(OFFER))) == (portal.operations(OFFER)[0]["id"], 3)


@pytest.mark.parametrize("ended", [False, True])
def test_a_retry_goes_on_with_its_own_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, retry: Callable[[], None], *, ended: bool
) -> None:
    """A retry returns the operation of the try before it, whether that runs or has ended, and orders nothing."""
    portal = serve()
    portal.add_offer(OFFER)
    first = operator().execute(context)
    if ended:
        portal.clock.advance(days=5)
    retry()
    assert (operator().execute(context), portal.counts["publish"]) == (first, 1)


def test_a_cleared_task_goes_on_while_its_operation_runs_and_publishes_anew_afterwards(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, clear: Callable[[], None]
) -> None:
    """A clear attaches to the task's own running operation; once that is parked, it publishes anew."""
    portal = serve()
    portal.add_offer(OFFER)
    first = operator().execute(context)
    clear()
    again = operator().execute(context)
    portal.clock.advance(days=5)
    clear()
    anew = operator().execute(context)
    assert (again, portal.counts["publish"]) == (first, 2)
    assert anew["operation_id"] == portal.operations(OFFER)[0]["id"] != first["operation_id"]


def test_a_try_that_could_leave_no_note_is_not_taken_for_one_that_did_not_order(
    serve: Callable[..., Emulator], context: dict[str, Any], retry: Callable[[], None]
) -> None:
    """A publish before an upgrade to an Airflow with notes is not repeated by the retry after it, which stops instead."""
    portal = serve()
    portal.add_offer(OFFER)
    operator().execute(context)
    portal.clock.advance(days=5)
    context["task_state_store"] = Kept()
    for _ in range(2):
        retry()
        with pytest.raises(AirflowFailException, match="an earlier try of this task may have sent it"):
            operator().execute(context)
    assert portal.counts["publish"] == 1


def test_a_retry_after_a_first_try_that_ordered_nothing_orders_at_once(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, retry: Callable[[], None]
) -> None:
    """A first try that could note and did not, for the portal refused it with 429, lets the next one look once and order."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.inject(Fault("answer", "publish", status=429))
    with pytest.raises(AirflowException, match="HTTP 429"):
        operator().execute(context)
    before = portal.counts["submissions"]
    retry()
    operator().execute(context)
    assert (portal.counts["submissions"] - before, portal.counts["publish"]) == (1, 2)


def test_a_note_for_another_offer_is_refused(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, retry: Callable[[], None]
) -> None:
    """A mapped task whose index now means another offer stops, and publishes nothing."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.add_offer("other")
    operator().execute(context)
    retry()
    with pytest.raises(AirflowFailException, match=r"noted a publish of offer contoso/contoso-vm.*contoso/other"):
        operator(offer_id="other").execute(context)
    assert portal.counts_for("other")["publish"] == 0


def test_a_person_s_publish_is_refused_by_name(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any
) -> None:
    """With `fail`, nothing of ours is ordered while a person's publish runs, and the error names theirs."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    theirs = portal.operations(OFFER)[0]["id"]
    with pytest.raises(AirflowFailException, match=theirs):
        operator().execute(context)
    assert portal.counts["publish"] == 0


@pytest.mark.parametrize("known", ["listed", "not listed yet"])
def test_a_person_s_publish_is_waited_for(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, known: str
) -> None:
    """With `wait`, ours is ordered once theirs has ended, also where only the portal's refusal told of theirs."""
    portal = serve(lag_list=0)
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    if known == "not listed yet":
        portal.inject(Fault("answer", "submissions", times=1, status=200, body="[]"))
    gate = portal.gate("status") if known == "listed" else None
    task = operator(if_running="wait", deferrable=False, poll_interval=0.05)
    results: list[Any] = []
    thread = thread_for(lambda: results.append(task.execute(context)))
    thread.start()
    if gate is not None:
        gate.wait_until_reached()
        gate.open()
    else:
        while portal.counts["publish"] < 1:
            assert thread.is_alive()
            thread.join(0.01)
    portal.clock.advance(days=5)
    thread.join(30)
    orders = [entry["submissionType"] for entry in portal.operations(OFFER)]
    assert (orders, results[0]["operation_id"]) == (["publish", "publish"], portal.operations(OFFER)[0]["id"])


def test_the_wait_for_others_is_the_triggerer_s(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any
) -> None:
    """A deferrable task defers until nothing runs, orders nothing from the trigger, and publishes when it resumes."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    task = operator(if_running="wait", deferrable=True, poll_interval=0.05)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    portal.clock.advance(days=5)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    before = portal.counts["publish"]
    value = task.execute_complete(context, event)
    assert (before, portal.counts["publish"], value["operation_id"]) == (0, 1, portal.operations(OFFER)[0]["id"])


@pytest.mark.parametrize("if_running", ["fail", "wait"])
def test_two_tasks_at_once(serve: Callable[..., Emulator], context: dict[str, Any], if_running: str) -> None:
    """Two tasks that order at the same moment make never more than one publish of each, and never two at a time."""
    portal = serve()
    portal.add_offer(OFFER)
    contexts = [
        {"ti": type(context["ti"])(), "dag_run": context["dag_run"], "task_state_store": Kept()} for _ in range(2)
    ]
    gate = portal.gate("publish")
    results: list[Any] = []

    def run(own: dict[str, Any]) -> None:
        try:
            results.append(operator(if_running=if_running, deferrable=False, poll_interval=0.05).execute(own)["kind"])
        except AirflowException as error:
            results.append(type(error).__name__)

    threads = [thread_for(run, own) for own in contexts]
    for thread in threads:
        thread.start()
    gate.wait_until_reached()
    threads[0].join(1)  # so that the second one has looked, too
    gate.open()
    if if_running == "wait":
        while len(results) < 1:
            threads[0].join(0.05)
        portal.clock.advance(days=5)
    for thread in threads:
        thread.join(30)
    wanted = ["AirflowFailException", "publish"] if if_running == "fail" else ["publish", "publish"]
    assert (sorted(results), len(portal.operations(OFFER))) == (wanted, wanted.count("publish"))


class Kept:
    """A store of a task's state for one of several tasks."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.values[key] = value

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


@pytest.mark.parametrize("header", ["Location", "Operation-Location", "both", "none"])
@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
def test_every_form_of_location_leads_to_the_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, header: str, form: str
) -> None:
    """A location that is missing, relative, absolute, or without an API version leads to the right operation."""
    portal = serve(location_header=header, location_form=form)
    portal.add_offer(OFFER, history="succeeded")
    value = operator(settle_time=5).execute(context)
    assert value["operation_id"] == portal.operations(OFFER)[0]["id"]


def test_without_notes_a_retry_does_not_take_a_foreign_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], retry: Callable[[], None]
) -> None:
    """Before Airflow 3.3, what runs since before the DAG run began is refused, whichever try it is."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    context["dag_run"] = SimpleNamespace(start_date=portal.clock.now().replace(year=portal.clock.now().year + 1))
    retry()
    with pytest.raises(AirflowFailException, match="is running, and an offer has one operation at a time"):
        operator().execute(context)
    assert portal.counts["publish"] == 0


def test_a_conflict_with_another_cause_is_not_waited_for(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any
) -> None:
    """With `wait`, an API that answers 409 though nothing is in progress is submitted to twice, and its words are the error."""
    portal = serve()
    portal.add_offer(OFFER)
    body = '{"error": {"code": "Conflict", "message": "The draft has no changes"}}'
    portal.inject(Fault("answer", "publish", times=999, status=409, body=body))
    with pytest.raises(AirflowFailException, match="The draft has no changes"):
        operator(if_running="wait", deferrable=False, poll_interval=0.05).execute(context)
    assert portal.counts["publish"] == 2


def test_a_clear_with_fewer_retries_publishes_nothing_and_says_why(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any
) -> None:
    """Where a clear leaves what a retry leaves too, the ended operation is not taken for a success."""
    portal = serve()
    portal.add_offer(OFFER)
    context["ti"].max_tries = 2
    operator().execute(context)
    portal.clock.advance(days=5)
    context["ti"].try_number = 2  # cleared once it had ended, with one retry: max_tries is 1 + 1 as before
    with pytest.raises(AirflowFailException, match=r"retried or was cleared.*start a new DAG run"):
        operator(retries=1).execute(context)
    assert portal.counts["publish"] == 1


@pytest.mark.parametrize("in_progress", [True, False])
def test_a_clear_that_empties_the_store(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any, clear: Callable[[], None], *, in_progress: bool
) -> None:
    """Without its checkpoint a cleared task publishes anew, once nothing is in progress, and its next try knows that."""
    portal = serve()
    portal.add_offer(OFFER)
    first = operator().execute(context)
    if not in_progress:
        portal.clock.advance(days=5)
    store.values.clear()
    clear()
    if in_progress:
        with pytest.raises(AirflowFailException, match=first["operation_id"]):
            operator().execute(context)
        assert portal.counts["publish"] == 1
        return
    anew = operator().execute(context)
    context["ti"].try_number += 1
    assert operator().execute(context) == anew != first
    assert portal.counts["publish"] == 2


class Broken(Kept):
    """A store that cannot be written to."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        raise ConnectionError(key)


def test_without_its_note_nothing_is_ordered(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """Where the intent cannot be noted, the order is not sent."""
    portal = serve()
    portal.add_offer(OFFER)
    with pytest.raises(ConnectionError):
        operator().execute(context | {"task_state_store": Broken()})
    assert portal.counts["publish"] == 0


def test_a_first_try_without_a_connection_is_known_to_have_submitted_nothing(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A first try that ends before it has read its connection, or is killed there, leaves the next one free to publish."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    portal.person(OFFER, "cancel")
    portal.clock.advance(hours=1)
    monkeypatch.delenv("AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT")
    with pytest.raises(AirflowException, match="isn't defined"):
        operator().execute(context)
    connect(portal)
    context["ti"].try_number = 2
    operator().execute(context)
    assert portal.orders_for(OFFER)["publish"] == 1
