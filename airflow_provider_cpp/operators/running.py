# SPDX-License-Identifier: Apache-2.0
"""What the operators do when they run: which offer, what earlier tries left behind, the order, and the wait afterwards.

An operator hands itself over here, and only then is loaded what a DAG file has no use for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY

from airflow_provider_cpp.completion import (
    SLACK,
    airflow_errors,
    as_timedelta,
    ended_by_airflow,
    finish,
    give_up,
    resume,
)
from airflow_provider_cpp.defaults import DEFAULT_SETTLE_TIME
from airflow_provider_cpp.errors import OperationRunning, RequestError
from airflow_provider_cpp.hooks.base import split_emails
from airflow_provider_cpp.links import PORTAL_PAGE_KEY, page_of
from airflow_provider_cpp.rules.attempt import Attempt, Note
from airflow_provider_cpp.rules.flows import Flow
from airflow_provider_cpp.rules.models import OfferDocument, OfferRef
from airflow_provider_cpp.rules.operations import Operation
from airflow_provider_cpp.rules.orders import Cancel, GoLive, Publish
from airflow_provider_cpp.rules.progress import Memory
from airflow_provider_cpp.rules.verdict import IDLE, Target, default_until
from airflow_provider_cpp.rules.watch import Watch
from airflow_provider_cpp.rules.watching import wait
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.operators.base import OfferOperator, OrderOperator
    from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator

NOTE_KEY = "airflow_provider_cpp.order"
FIRST_TRY_KEY = "airflow_provider_cpp.first_try"
"""What the first try keeps, so that later ones know: all tries could leave a note, so none means that there was no order."""

NOTE_LASTS = timedelta(days=180)
"""Longer than Airflow keeps a task's state by default: a publish and its waits may take weeks."""


def order_once(task: OrderOperator, context: Context) -> dict[str, str | None]:
    """Give the order, once, and wait if asked to.

    :returns: the operation as JSON.
    """
    with airflow_errors():
        attempt = attempt_of(task, context, task.settle_time, waits_for_others=task.if_running == "wait")
        operation = task.ordered = _ordered(task, context, attempt)
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
        hook = task.hook
        wanted = Cancel(
            offer=named_offer(task, operation),
            attempt=attempt_of(task, context, DEFAULT_SETTLE_TIME),
            operation=operation,
            notification_emails=split_emails(task.notification_emails or ()),
            poll_interval=task.poll_interval,
            timeout=as_timedelta(task.timeout).total_seconds(),
        )
        canceled = hook.run(hook.api.cancel(wanted), keeper(context))
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


def attempt_of(task: OfferOperator, context: Context, settle_time: float, *, waits_for_others: bool = False) -> Attempt:
    """Gather what this try can know of those before it."""
    ti, store = context["ti"], context.get("task_state_store")
    run = getattr(ti, "max_tries", 0) or 0
    is_first = getattr(ti, "try_number", 1) <= 1
    if is_first and store is not None:
        store.set(FIRST_TRY_KEY, True, retention=NOTE_LASTS)
    return Attempt(
        settle_time=settle_time,
        is_first=is_first,
        run=run,
        was_cleared=run > (task.retries or 0),
        can_note=store is not None,
        earlier_could_note=is_first or (store is not None and store.get(FIRST_TRY_KEY) is not None),
        note=Note.from_payload(store.get(NOTE_KEY)) if store is not None else None,
        since=context["dag_run"].start_date,
        waits_for_others=waits_for_others,
    )


def keeper(context: Context) -> Callable[[dict[str, Any] | None], None]:
    """Return what keeps a note for later tries, where this version of Airflow has a place for it."""
    store = context.get("task_state_store")

    def keep(note: dict[str, Any] | None) -> None:
        if store is None:
            return
        if note is None:
            store.delete(NOTE_KEY)
        else:
            store.set(NOTE_KEY, note, retention=NOTE_LASTS)

    return keep


def leave_page(task: OfferOperator, context: Context, document: OfferDocument | None) -> None:
    """Leave the address of the offer's page for the link in Airflow's UI, where the portal told it."""
    page = page_of(document.portal_page if document else None, task.hook.get_settings().base_url)
    if page is not None:
        task.link_facts[PORTAL_PAGE_KEY] = page
        context["ti"].xcom_push(key=PORTAL_PAGE_KEY, value=page)


def _ordered(task: OrderOperator, context: Context, attempt: Attempt) -> Operation:
    # One deadline for all that is waited for: others may take turns for ever.
    began = getattr(context["ti"], "start_date", None) or datetime.now(timezone.utc)
    deadline = began + as_timedelta(task.timeout)
    while True:
        try:
            flow = task.order(context, attempt)
            return task.hook.run(flow, keeper(context))
        except OperationRunning as running:
            if task.if_running != "wait" or datetime.now(timezone.utc) >= deadline:
                raise
            task.log.info("%s; waiting for it to end", running)
            _wait(task, named_offer(task), IDLE, None, deadline)


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
