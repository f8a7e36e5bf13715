# SPDX-License-Identifier: Apache-2.0
"""At most one publish, despite people, other tasks, lost responses and earlier tries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from partner_center_emulator import Emulator, Fault
from support.run_tasks import Store
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> PublishOfferOperator:
    return PublishOfferOperator(
        **{"task_id": "publish", "offer_id": OFFER, "settle_time": 1, "retries": 2, **arguments}
    )


@pytest.fixture
def retry(context: dict[str, Any]) -> Callable[[], None]:
    """Return a function that turns the context into that of the next try."""

    def begin() -> None:
        context["ti"].try_number += 1

    context["ti"].max_tries = 2
    return begin


@pytest.fixture
def clear(context: dict[str, Any]) -> Callable[[], None]:
    """Return a function that turns the context into that of a cleared task."""

    def begin() -> None:
        context["ti"].max_tries = context["ti"].try_number + 2
        context["ti"].try_number += 1
        context["dag_run"].clear_number = getattr(context["dag_run"], "clear_number", 0) + 1

    context["ti"].max_tries = 2
    return begin


LOST = {
    "timeout": Fault("hang", "publish", after=True, seconds=5),
    "reset": Fault("drop", "publish", after=True),
    "500": Fault("response", "publish", after=True, status=500),
    "502 with a page": Fault("response", "publish", after=True, status=502, body="<html>Bad gateway</html>"),
    "503 with Retry-After": Fault("response", "publish", after=True, status=503, headers={"Retry-After": "1"}),
    "202 without a location": Fault("no-location", "publish"),
}


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("case", LOST)
def test_a_lost_response_is_one_publish(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    store: Store,
    capsys: pytest.CaptureFixture[str],
    case: str,
    lag: int,
) -> None:
    """Whatever happens to the response, and even if the list is stale, one publish is submitted, and the task returns it."""
    emulator = serve(lag_list=lag)
    connect(emulator, extra={"request_timeout": 3, "submit_timeout": 3})
    emulator.add_offer(OFFER, history="succeeded")
    emulator.inject(replace(LOST[case]))
    value = operator(settle_time=10).execute(context)
    operations = [one["id"] for one in emulator.operations(OFFER) if one["submissionType"] == "publish"]
    assert value["operation_id"] == operations[0]
    assert len(operations) == 2
    assert emulator.counts["publish"] <= 1
    warned = "the request may still have been accepted" in capsys.readouterr().out
    assert warned is (case != "202 without a location")


@pytest.mark.parametrize("case", ["reset", "500", "502 with a page", "503 with Retry-After"])
def test_a_request_that_was_not_accepted_is_submitted_by_the_next_try(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, retry: Callable[[], None], case: str
) -> None:
    """If no operation appears within the settle time, the try fails, is retryable, and the next try publishes."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded")
    emulator.inject(replace(LOST[case], after=False))
    with pytest.raises(AirflowException, match="another try of this task checks again") as caught:
        operator().execute(context)
    retry()
    value = operator().execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]
    assert len(emulator.operations(OFFER)) == 3


@pytest.mark.parametrize("ended", [False, True])
def test_a_retry_goes_on_with_its_own_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, retry: Callable[[], None], *, ended: bool
) -> None:
    """A retry submits nothing and returns the operation of the previous try, in progress or ended."""
    emulator = serve()
    emulator.add_offer(OFFER)
    first = operator().execute(context)
    if ended:
        emulator.clock.advance(days=5)
    retry()
    assert operator().execute(context) == first
    assert emulator.counts["publish"] == 1


def test_a_cleared_task_attaches_to_its_operation_in_progress_and_else_publishes(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, clear: Callable[[], None]
) -> None:
    """A cleared task attaches to its own operation in progress, and publishes again once that awaits sign-off."""
    emulator = serve()
    emulator.add_offer(OFFER)
    first = operator().execute(context)
    clear()
    again = operator().execute(context)
    emulator.clock.advance(days=5)
    clear()
    anew = operator().execute(context)
    assert again == first
    assert emulator.counts["publish"] == 2
    assert anew["operation_id"] == emulator.operations(OFFER)[0]["id"] != first["operation_id"]


def test_a_try_without_checkpoint_support_may_have_submitted(
    serve: Callable[..., Emulator], context: dict[str, Any], retry: Callable[[], None]
) -> None:
    """After an upgrade to an Airflow with checkpoints, a retry of a try without one submits nothing and fails."""
    emulator = serve()
    emulator.add_offer(OFFER)
    operator().execute(context)
    emulator.clock.advance(days=5)
    context["task_state_store"] = Store()
    for _ in range(2):
        retry()
        with pytest.raises(AirflowFailException, match="an earlier try of this task may have submitted it"):
            operator().execute(context)
    assert emulator.counts["publish"] == 1


def test_a_retry_after_a_refused_first_try_submits_at_once(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, retry: Callable[[], None]
) -> None:
    """After a first try that got 429 and left no checkpoint, the next try lists the operations once and submits."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("response", "publish", status=429))
    with pytest.raises(AirflowException, match="HTTP 429"):
        operator().execute(context)
    before = emulator.counts["submissions"]
    retry()
    operator().execute(context)
    assert emulator.counts["submissions"] - before == 1
    assert emulator.counts["publish"] == 2


def test_a_checkpoint_of_another_offer_is_refused(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, retry: Callable[[], None]
) -> None:
    """A mapped task whose index now refers to another offer fails and publishes nothing."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.add_offer("other")
    operator().execute(context)
    retry()
    with pytest.raises(
        AirflowFailException, match=r"saved a checkpoint to publish offer contoso/contoso-vm.*contoso/other"
    ):
        operator(offer_id="other").execute(context)
    assert emulator.counts_for("other")["publish"] == 0


def test_a_person_s_publish_is_named_in_the_error(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store
) -> None:
    """With `fail`, nothing is submitted while a person's publish is in progress, and the error names it."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    theirs = emulator.operations(OFFER)[0]["id"]
    with pytest.raises(AirflowFailException, match=theirs):
        operator().execute(context)
    assert emulator.counts["publish"] == 0


@pytest.mark.parametrize("known", ["listed", "not listed yet"])
def test_a_person_s_publish_is_waited_for(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, known: str
) -> None:
    """With `wait`, the task submits once the person's publish has ended, even if only the API's refusal revealed it."""
    emulator = serve(lag_list=0)
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    if known == "not listed yet":
        emulator.inject(Fault("response", "submissions", times=1, status=200, body="[]"))
    gate = emulator.gate("status") if known == "listed" else None
    task = operator(if_running="wait", deferrable=False, poll_interval=0.05)
    results: list[Any] = []
    thread = thread_for(lambda: results.append(task.execute(context)))
    thread.start()
    if gate is not None:
        gate.wait_until_reached()
        gate.open()
    else:
        while emulator.counts["publish"] < 1:
            assert thread.is_alive()
            thread.join(0.01)
    emulator.clock.advance(days=5)
    thread.join(30)
    types = [one["submissionType"] for one in emulator.operations(OFFER)]
    assert types == ["publish", "publish"]
    assert results[0]["operation_id"] == emulator.operations(OFFER)[0]["id"]


def test_a_deferrable_task_waits_for_others_in_the_triggerer(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store
) -> None:
    """A deferrable task defers until no operation is in progress, submits nothing from the trigger, and publishes when it resumes."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    task = operator(if_running="wait", deferrable=True, poll_interval=0.05)
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    emulator.clock.advance(days=5)
    event = asyncio.run(anext(deferral.value.trigger.run())).payload
    before = emulator.counts["publish"]
    value = task.execute_complete(context, event)
    assert before == 0
    assert emulator.counts["publish"] == 1
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]


@pytest.mark.parametrize("if_running", ["fail", "wait"])
def test_two_concurrent_tasks(serve: Callable[..., Emulator], context: dict[str, Any], if_running: str) -> None:
    """Two tasks that submit at the same moment publish at most once each, and never both at a time."""
    emulator = serve()
    emulator.add_offer(OFFER)
    contexts = [
        {"ti": type(context["ti"])(), "dag_run": context["dag_run"], "task_state_store": Store()} for _ in range(2)
    ]
    gate = emulator.gate("publish")
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
    threads[0].join(1)  # so that the second task has listed the operations, too
    gate.open()
    if if_running == "wait":
        while len(results) < 1:
            threads[0].join(0.05)
        emulator.clock.advance(days=5)
    for thread in threads:
        thread.join(30)
    expected = ["AirflowFailException", "publish"] if if_running == "fail" else ["publish", "publish"]
    assert sorted(results) == expected
    assert len(emulator.operations(OFFER)) == expected.count("publish")


@pytest.mark.parametrize("header", ["Location", "Operation-Location", "both", "none"])
@pytest.mark.parametrize("form", ["publisher", "dollar", "absolute", "dollar-guid"])
def test_every_form_of_location_identifies_the_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store, header: str, form: str
) -> None:
    """A location that is missing, relative, absolute, or without an API version identifies the right operation."""
    emulator = serve(location_header=header, location_form=form)
    emulator.add_offer(OFFER, history="succeeded")
    value = operator(settle_time=5).execute(context)
    assert value["operation_id"] == emulator.operations(OFFER)[0]["id"]


def test_without_checkpoints_a_retry_does_not_attach_to_a_foreign_operation(
    serve: Callable[..., Emulator], context: dict[str, Any], retry: Callable[[], None]
) -> None:
    """Before Airflow 3.3, an operation in progress since before the DAG run is refused, at every try."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    context["dag_run"] = SimpleNamespace(start_date=emulator.clock.now().replace(year=emulator.clock.now().year + 1))
    retry()
    with pytest.raises(AirflowFailException, match="is in progress, and an offer can have only one"):
        operator().execute(context)
    assert emulator.counts["publish"] == 0


def test_a_conflict_with_another_cause_is_not_waited_for(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store
) -> None:
    """With `wait`, a 409 without an operation in progress is submitted twice, and its text is the error."""
    emulator = serve()
    emulator.add_offer(OFFER)
    body = '{"error": {"code": "Conflict", "message": "The draft has no changes"}}'
    emulator.inject(Fault("response", "publish", times=999, status=409, body=body))
    with pytest.raises(AirflowFailException, match="The draft has no changes"):
        operator(if_running="wait", deferrable=False, poll_interval=0.05).execute(context)
    assert emulator.counts["publish"] == 2


def test_an_undecidable_clear_publishes_nothing_and_says_why(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store
) -> None:
    """Where a clear looks like a retry, the ended operation does not count as a success."""
    emulator = serve()
    emulator.add_offer(OFFER)
    context["ti"].max_tries = 2
    operator().execute(context)
    emulator.clock.advance(days=5)
    context["ti"].try_number = 2  # cleared after its end, with one retry: max_tries is 1 + 1 as before
    with pytest.raises(AirflowFailException, match=r"retried or was cleared.*start a new DAG run"):
        operator(retries=1).execute(context)
    assert emulator.counts["publish"] == 1


@pytest.mark.parametrize("in_progress", [True, False])
def test_a_clear_that_empties_the_store(
    serve: Callable[..., Emulator],
    context: dict[str, Any],
    store: Store,
    clear: Callable[[], None],
    *,
    in_progress: bool,
) -> None:
    """Without its checkpoint a cleared task publishes again once nothing is in progress, and its next try attaches to that."""
    emulator = serve()
    emulator.add_offer(OFFER)
    first = operator().execute(context)
    if not in_progress:
        emulator.clock.advance(days=5)
    store.values.clear()
    clear()
    if in_progress:
        with pytest.raises(AirflowFailException, match=first["operation_id"]):
            operator().execute(context)
        assert emulator.counts["publish"] == 1
        return
    anew = operator().execute(context)
    context["ti"].try_number += 1
    assert operator().execute(context) == anew != first
    assert emulator.counts["publish"] == 2


class ReadOnlyStore(Store):
    """A store that cannot be written to."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        raise ConnectionError(key)


def test_without_its_checkpoint_nothing_is_submitted(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """If the checkpoint cannot be saved, no request is sent."""
    emulator = serve()
    emulator.add_offer(OFFER)
    with pytest.raises(ConnectionError):
        operator().execute(context | {"task_state_store": ReadOnlyStore()})
    assert emulator.counts["publish"] == 0


def test_a_first_try_without_a_connection_is_known_to_have_submitted_nothing(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a first try that failed before it had read its connection, the next try may publish."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    emulator.person(OFFER, "cancel")
    emulator.clock.advance(hours=1)
    monkeypatch.delenv("AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT")
    with pytest.raises(AirflowException, match="isn't defined"):
        operator().execute(context)
    connect(emulator)
    context["ti"].try_number = 2
    operator().execute(context)
    assert emulator.submits_for(OFFER)["publish"] == 1
