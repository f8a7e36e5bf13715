# SPDX-License-Identifier: Apache-2.0
"""What the operators do when they run: which offer, what earlier tries left behind, the order, and the wait afterwards.

An operator hands itself over here, and only then is loaded what a DAG file has no use for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY

from airflow_provider_cpp.core.checkpoint import Attempt, Note, TryCounts
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import Cancel, GoLive, Publish
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.verdict import IDLE, Target, default_until
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.defaults import DEFAULT_SETTLE_TIME
from airflow_provider_cpp.exceptions import OperationRunning, RequestError
from airflow_provider_cpp.hooks.base import split_emails
from airflow_provider_cpp.links import PORTAL_PAGE_KEY, page_of
from airflow_provider_cpp.tasks.completion import (
    SLACK,
    airflow_errors,
    as_timedelta,
    ended_by_airflow,
    finish,
    give_up,
    resume,
)
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.operators.base import OfferOperator, OrderOperator
    from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator

NOTE_KEY = "airflow_provider_cpp.order"
FIRST_TRY_KEY = "airflow_provider_cpp.first_try"
"""What the first try of a run of the task keeps: with it, no note means to later tries that no order was sent."""

NOTE_LASTS = timedelta(days=180)
"""Longer than Airflow keeps a task's state by default: a publish and its waits may take weeks."""


def order_once(task: OrderOperator, context: Context) -> dict[str, str | None]:
    """Give the order, once, and wait if asked to.

    :returns: the operation as JSON.
    """
    with airflow_errors():
        operation = task.ordered = _ordered(task, context)
        task.log.info("offer %s: %s is operation %s", operation.offer, operation.kind, operation.name)
        value = task.link_facts[XCOM_RETURN_KEY] = operation.to_json()
        if task.wait_for_completion:
            if task.do_xcom_push:
                context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=value)
            deadline = datetime.now(timezone.utc) + as_timedelta(task.timeout)
            _wait(task, operation.offer, default_until(operation), operation, deadline)
    return value


def waited(task: OrderOperator, context: Context, event: object) -> dict[str, str | None] | None:
    """Finish with what the trigger ended with.

    :returns: the operation as JSON; None if it was the wait for somebody else's to end: now it is this task's turn.
    """
    operation = resume(event).operation
    if operation is not None:
        page = context["ti"].xcom_pull(task_ids=task.task_id, key=PORTAL_PAGE_KEY)
        task.link_facts |= {XCOM_RETURN_KEY: operation, PORTAL_PAGE_KEY: page}
    return operation


def check_who_ended(task: OrderOperator, next_method: str, next_kwargs: dict[str, Any] | None) -> None:
    """End a task whose wait Airflow ended itself, and say why."""
    if (word := ended_by_airflow(next_method, next_kwargs)) is not None:
        given = getattr(task, "operation", None)
        with airflow_errors():
            offer = named_offer(task, Operation.from_json(given) if given is not None else None)
        give_up(str(offer), None, word, task.execution_timeout)


def publish(task: PublishOfferOperator, context: Context, attempt: Attempt) -> Flow[Operation]:
    """Return the flow that publishes."""
    hook, offer = task.hook, named_offer(task)
    try:
        draft = hook.run(hook.api.draft(offer))
    except RequestError as error:
        task.log.info("%s; going on without the draft's version", error)
        draft = None
    leave_page(task, context, draft)
    version = draft.version if draft else None
    emails = split_emails(task.notification_emails or ())
    return hook.api.publish(Publish(offer, emails, attempt, version, tuple(task.configure or ())))


def go_live(task: GoLiveOfferOperator, attempt: Attempt) -> Flow[Operation]:
    """Return the flow that goes live."""
    operation = read_operation(task, task.operation, wanted=task.wants_operation)
    return task.hook.api.go_live(GoLive(named_offer(task, operation), attempt, operation))


def cancel(task: CancelOfferOperator, context: Context) -> dict[str, str | None] | None:
    """Cancel, and wait until nothing runs.

    :returns: the operation as JSON; None if nothing ran.
    """
    with airflow_errors():
        operation = read_operation(task, task.operation, wanted=task.wants_operation)
        hook, notes = task.hook, Notes(context)
        wanted = Cancel(
            offer=named_offer(task, operation),
            attempt=attempt_of(task, context, notes, DEFAULT_SETTLE_TIME),
            operation=operation,
            notification_emails=split_emails(task.notification_emails or ()),
            poll_interval=task.poll_interval,
            timeout=as_timedelta(task.timeout).total_seconds(),
        )
        canceled = hook.run(hook.api.cancel(wanted), notes.keep)
    return canceled.to_json() if canceled is not None else None


def named_offer(task: OfferOperator, operation: Operation | None = None) -> OfferRef:
    """Return the offer: the one that is named, or else the operation's."""
    given = operation.offer if operation is not None else None
    publisher_id = task.publisher_id or (given.publisher_id if given else None)
    return task.hook.offer(task.offer_id or (given.offer_id if given else ""), publisher_id)


def read_operation(task: OfferOperator, value: Any, *, wanted: bool) -> Operation | None:
    """Read an argument that holds an operation.

    :param wanted: whether one was given; a task that was skipped, and so returned None, must not mean any operation.
    :raises ConfigurationError: if it is no operation, or of another API than the connection's.
    """
    if value is None and not wanted:
        return None
    operation = Operation.from_json(value)  # before the connection is asked for
    return task.hook.operation(operation)


class Notes:
    """The note that tries leave for later ones: in Airflow's store of a task's state, and in memory where there is none.

    :param context: the task's.
    :ivar store: Airflow's store; None before Airflow 3.3.
    :ivar payload: the note as it was kept last.
    """

    def __init__(self, context: Context) -> None:
        self.store: Any = context.get("task_state_store")
        self.payload: Any = self.store.get(NOTE_KEY) if self.store is not None else None

    def keep(self, payload: dict[str, Any] | None) -> None:
        """Keep a note, or take it back."""
        if self.store is not None:
            if payload is None:
                self.store.delete(NOTE_KEY)
            else:
                self.store.set(NOTE_KEY, payload, retention=NOTE_LASTS)
        self.payload = payload


def attempt_of(
    task: OfferOperator, context: Context, notes: Notes, settle_time: float, *, waits_for_others: bool = False
) -> Attempt:
    """Gather what this try can know of those before it."""
    counts = counts_of(task, context)
    earlier_could_note = counts.try_number <= 1
    if notes.store is not None:
        earlier_could_note = earlier_could_note or notes.store.get(FIRST_TRY_KEY) is not None
        if counts.try_number <= 1 or counts.follows_clear:
            notes.store.set(FIRST_TRY_KEY, True, retention=NOTE_LASTS)
    return Attempt(
        settle_time=settle_time,
        counts=counts,
        can_note=notes.store is not None,
        earlier_could_note=earlier_could_note,
        note=Note.from_payload(notes.payload),
        since=context["dag_run"].start_date,
        waits_for_others=waits_for_others,
    )


def counts_of(task: OfferOperator, context: Context) -> TryCounts:
    """Read what Airflow counts of a task's tries."""
    ti = context["ti"]
    return TryCounts(
        try_number=getattr(ti, "try_number", 1),
        max_tries=getattr(ti, "max_tries", 0) or 0,
        retries=task.retries or 0,
        clear_number=getattr(context["dag_run"], "clear_number", 0) or 0,
    )


def leave_page(task: OfferOperator, context: Context, document: OfferDocument | None) -> None:
    """Leave the address of the offer's page for the link in Airflow's UI, where the portal told it."""
    page = page_of(document.portal_page if document else None, task.hook.get_settings().base_url)
    if page is not None:
        task.link_facts[PORTAL_PAGE_KEY] = page
        context["ti"].xcom_push(key=PORTAL_PAGE_KEY, value=page)


def _ordered(task: OrderOperator, context: Context) -> Operation:
    notes = Notes(context)
    attempt = attempt_of(task, context, notes, task.settle_time, waits_for_others=task.if_running == "wait")
    # One deadline for all that is waited for: others may take turns for ever.
    began = getattr(context["ti"], "start_date", None) or datetime.now(timezone.utc)
    deadline = began + as_timedelta(task.timeout)
    while True:
        try:
            flow = task.order(context, attempt)
            return task.hook.run(flow, notes.keep)
        except OperationRunning as running:
            if task.if_running != "wait" or datetime.now(timezone.utc) >= deadline:
                raise
            task.log.info("%s; waiting for it to end", running)
            _wait(task, named_offer(task), IDLE, None, deadline)
            # What this very try noted counts as well, also where there is no store for it.
            attempt = replace(attempt, note=Note.from_payload(notes.payload))


def _wait(task: OrderOperator, offer: OfferRef, until: Target, operation: Operation | None, deadline: datetime) -> None:
    watch = Watch(
        offer=offer,
        until=until,
        deadline=deadline,
        operation=operation,
        poll_interval=task.poll_interval,
        poll_failure_tolerance=as_timedelta(task.poll_failure_tolerance).total_seconds(),
        answered=True,
        api=task.hook.api.name,
    )
    if task.deferrable:
        memory = Memory(answered=True, since=datetime.now(timezone.utc))
        trigger = OfferStatusTrigger(task.conn_id, watch.to_payload(), memory.to_payload())
        task.defer(trigger=trigger, method_name="execute_complete", timeout=as_timedelta(task.timeout) + SLACK)
    hook = task.hook
    finish(hook.run(wait(hook.api, watch)))
