# SPDX-License-Identifier: Apache-2.0
"""Canceling: only what was meant, awaited until it has ended, and nothing where nothing runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from partner_center_emulator import Emulator, Fault
from support.versions import thread_for

from airflow_provider_cpp.operators.offer import CancelOfferOperator, PublishOfferOperator

OFFER = "contoso-vm"


def operator(**arguments: Any) -> CancelOfferOperator:
    options = {"task_id": "cancel", "poll_interval": 0.05, "timeout": 10, "retries": 2}
    return CancelOfferOperator(**{**options, "offer_id": OFFER, **arguments})


def finish(portal: Emulator, task: CancelOfferOperator, context: dict[str, Any]) -> Any:
    """Execute a cancel while the portal takes its time to carry it out."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(task.execute(context))
        except AirflowException as error:
            results.append(error)

    thread = thread_for(run)
    thread.start()
    while portal.counts["cancel"] == 0 and thread.is_alive():
        thread.join(0.01)
    portal.clock.advance(minutes=3)
    thread.join(30)
    return results[0]


@pytest.mark.parametrize("answer", [202, 200])
@pytest.mark.parametrize("named", [True, False])
def test_what_runs_is_canceled_and_awaited(
    serve: Callable[..., Emulator], context: dict[str, Any], answer: int, *, named: bool
) -> None:
    """The running operation is canceled once, whether it is named or not, and the task ends when it has ended."""
    portal = serve(cancel_answer=answer)
    portal.add_offer(OFFER)
    running = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    arguments = {"offer_id": None, "operation": running} if named else {}
    value = finish(portal, operator(**arguments), context)
    assert (value["kind"], portal.counts["cancel"]) == ("cancel", 1)
    assert portal.operations(OFFER)[0]["submissionState"] == "canceled"


def test_nothing_runs(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """Where nothing runs, nothing is ordered, though the portal would say yes."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded")
    assert (operator().execute(context), portal.counts["cancel"]) == (None, 0)


def test_another_operation_is_left_alone(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """With an operation named, another one that runs is not canceled, and the task fails for good."""
    portal = serve()
    portal.add_offer(OFFER, "failed")
    own = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    portal.clock.advance(days=5)
    portal.person(OFFER, "publish")
    with pytest.raises(AirflowFailException, match="another operation than the one to cancel"):
        operator(offer_id=None, operation=own).execute(context)
    assert (portal.counts["cancel"], portal.operations(OFFER)[0]["submissionState"]) == (0, "running")


def test_what_is_parked_is_canceled(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A preview that waits for its publisher is canceled, too."""
    portal = serve()
    portal.add_offer(OFFER)
    own = PublishOfferOperator(task_id="publish", offer_id=OFFER).execute(context)
    portal.clock.advance(days=4)
    value = finish(portal, operator(offer_id=None, operation=own), context)
    assert (value["kind"], portal.status(OFFER)["status"]) == ("cancel", "canceled")


@pytest.mark.parametrize("going_live", [True, False])
def test_too_late_is_the_portal_s_refusal(
    serve: Callable[..., Emulator], context: dict[str, Any], *, going_live: bool
) -> None:
    """What cannot be canceled any more fails the task for good, with the portal's words."""
    portal = serve(cancel_parked="400")
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    portal.clock.advance(days=4)
    if going_live:
        portal.person(OFFER, "sign-off")
    with pytest.raises(AirflowFailException, match="cannot be canceled any more"):
        operator().execute(context)


def test_it_does_not_wait_for_ever(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """An operation that does not end in time fails the task, which may be retried."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    with pytest.raises(AirflowException, match=r"has not ended within 0\.2 s after its cancel") as caught:
        operator(timeout=0.2).execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_lost_answer_is_awaited_all_the_same(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A cancel whose answer was lost is not sent again; its effect is."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    portal.inject(Fault("drop", "cancel", after=True))
    value = finish(portal, operator(), context)
    assert (value["kind"], portal.counts["cancel"]) == ("cancel", 1)


def test_a_retry_cancels_nothing_that_came_later(
    serve: Callable[..., Emulator], context: dict[str, Any], store: Any
) -> None:
    """A retry leaves alone what a person began after the first try had canceled."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.person(OFFER, "publish")
    finish(portal, operator(), context)
    portal.person(OFFER, "publish")
    context["ti"].try_number = 2
    assert (operator().execute(context), portal.counts["cancel"]) == (None, 1)
