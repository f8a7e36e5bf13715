# SPDX-License-Identifier: Apache-2.0
"""Canceling: only the operation that was meant, until it has ended, and nothing if nothing is in progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from partner_center_emulator import Emulator, Fault
from support.run_tasks import Store
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import CancelOfferOperator, PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> CancelOfferOperator:
    options = {"task_id": "cancel", "poll_interval": 0.05, "timeout": 10, "retries": 2}
    return CancelOfferOperator(**{**options, "offer_id": OFFER, **arguments})


def finish(emulator: Emulator, task: CancelOfferOperator, context: dict[str, Any]) -> Any:
    """Execute a cancel while the emulator's clock moves on."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(task.execute(context))
        except AirflowException as error:
            results.append(error)

    thread = thread_for(run)
    thread.start()
    while emulator.counts["cancel"] == 0 and thread.is_alive():
        thread.join(0.01)
    emulator.clock.advance(minutes=3)
    thread.join(30)
    return results[0]


@pytest.mark.parametrize("status", [202, 200])
@pytest.mark.parametrize("named", [True, False])
def test_an_operation_in_progress_is_canceled_and_awaited(
    serve: Callable[..., Emulator], context: dict[str, Any], status: int, *, named: bool
) -> None:
    """The operation in progress is canceled once, with or without `operation`, and the task ends when the operation has."""
    emulator = serve(cancel_code=status)
    emulator.add_offer(OFFER)
    published = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    arguments = {"offer_id": None, "operation": published} if named else {}
    value = finish(emulator, operator(**arguments), context)
    assert value["kind"] == "cancel"
    assert emulator.counts["cancel"] == 1
    assert emulator.operations(OFFER)[0]["submissionState"] == "canceled"


def test_nothing_in_progress_is_nothing_to_cancel(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """If nothing is in progress, nothing is submitted, though the API would accept it."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded")
    assert operator().execute(context) is None
    assert emulator.counts["cancel"] == 0


def test_a_publish_that_never_ran_is_nothing_to_cancel(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """If the publish task returned no operation, the task is skipped, because it has nothing that it could cancel."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    task = operator(offer_id=None, operation="later")
    task.operation = None  # as Airflow renders the result of a task that failed
    with pytest.raises(AirflowSkipException, match="the publish task returned no operation"):
        task.execute(context)
    assert emulator.counts.total() == 0


def test_another_operation_is_not_canceled(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With `operation`, another operation in progress is not canceled, and the task fails without a retry."""
    emulator = serve()
    emulator.add_offer(OFFER, "failed")
    own = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=5)
    emulator.person(OFFER, "publish")
    with pytest.raises(AirflowFailException, match="another operation than the one to cancel"):
        operator(offer_id=None, operation=own).execute(context)
    assert emulator.counts["cancel"] == 0
    assert emulator.operations(OFFER)[0]["submissionState"] == "running"


def test_an_offer_awaiting_sign_off_is_canceled(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A preview that awaits sign-off is canceled, too."""
    emulator = serve()
    emulator.add_offer(OFFER)
    own = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    emulator.clock.advance(days=4)
    value = finish(emulator, operator(offer_id=None, operation=own), context)
    assert value["kind"] == "cancel"
    assert emulator.status(OFFER)["status"] == "canceled"


@pytest.mark.parametrize("going_live", [True, False])
def test_a_refused_cancel_is_final(
    serve: Callable[..., Emulator], context: dict[str, Any], *, going_live: bool
) -> None:
    """An operation that can no longer be canceled fails the task without a retry, with the API's text."""
    emulator = serve(cancel_at_sign_off="400")
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=4)
    if going_live:
        emulator.person(OFFER, "sign-off")
    with pytest.raises(AirflowFailException, match="cannot be canceled any more"):
        operator().execute(context)


def test_the_wait_for_a_cancel_times_out(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An operation that does not end in time fails the task, which may be retried."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    with pytest.raises(AirflowException, match=r"has not ended within 0\.2 s after its cancel") as caught:
        operator(timeout=0.2).execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_lost_response_is_polled_for(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """After a lost response the cancel is not submitted again, and the task waits for its effect."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    emulator.inject(Fault("drop", "cancel", after=True))
    value = finish(emulator, operator(), context)
    assert value["kind"] == "cancel"
    assert emulator.counts["cancel"] == 1


def test_a_retry_cancels_nothing_that_came_later(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Store
) -> None:
    """A retry does not cancel an operation that a person started after the first try's cancel."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.person(OFFER, "publish")
    finish(emulator, operator(), context)
    emulator.person(OFFER, "publish")
    context["ti"].try_number = 2
    assert operator().execute(context) is None
    assert emulator.counts["cancel"] == 1
