# SPDX-License-Identifier: Apache-2.0
"""Implementation of the operators that publish, go live and cancel, and of their waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, AirflowSkipException

from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import IDLE, default_target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import CancelParams, GoLiveParams, PublishParams
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import is_signed_off, wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.defaults import DEFAULT_CANCEL_POLL_INTERVAL, DEFAULT_SETTLE_TIME
from airflow_provider_cpp.exceptions import OperationInProgressError, PreviewNotReadyError, RequestError
from airflow_provider_cpp.hooks.base import split_emails
from airflow_provider_cpp.links import PARTNER_CENTER_URL_KEY
from airflow_provider_cpp.tasks.completion import (
    finish_from_event,
    raise_for_outcome,
    raise_if_airflow_timed_out,
    translate_errors,
)
from airflow_provider_cpp.tasks.runtime import (
    CheckpointStore,
    Task,
    TaskRuntime,
    as_timedelta,
    defer,
    operation_argument,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

NOTHING_PUBLISHED = (
    "nothing to cancel: the publish task returned no operation. If its log says that it is not known whether the publish was"
    " accepted, check the offer in Partner Center"
)

MakeFlow = Callable[[TryContext], Flow[Operation]]


def publish(task: Task, context: Context) -> dict[str, str | None]:
    """Publish an offer's draft at most once in a run of the task, optionally wait, and return the operation as JSON."""
    checkpoints = CheckpointStore(task, context)
    with translate_errors(), TaskRuntime(task, context, checkpoints) as runtime:
        offer = runtime.offer_ref()
        emails = split_emails(task.notification_emails or ())

        def flow(try_context: TryContext) -> Flow[Operation]:
            version = _draft_version(runtime, offer)
            return runtime.api.publish(
                PublishParams(offer, emails, try_context, version, tuple(task.product_resources or ()))
            )

        return _submit(runtime, checkpoints, offer, flow)


def go_live(task: Task, context: Context) -> dict[str, str | None]:
    """Sign off an offer's preview, optionally wait, and return the operation as JSON.

    If the given operation is already past its sign-off, nothing is submitted.
    """
    checkpoints = CheckpointStore(task, context)
    with translate_errors():
        operation = operation_argument(task)
        with TaskRuntime(task, context, checkpoints) as runtime:
            offer = runtime.offer_ref(operation)

            def flow(try_context: TryContext) -> Flow[Operation]:
                return runtime.api.go_live(GoLiveParams(offer, try_context, operation))

            try:
                return _submit(runtime, checkpoints, offer, flow)
            except PreviewNotReadyError as error:
                if operation is None:
                    reason = f"{error.reason}; without operation, nothing shows which publication was meant"
                    raise PreviewNotReadyError(offer, reason) from error
                signed_off = runtime.run(is_signed_off(runtime.api, operation))
                if not signed_off:
                    raise
            task.log.info("offer %s: signed off in Partner Center; continuing with %s", offer, operation.display_id)
            return _complete(runtime, replace(operation, kind="golive", submitted_at=datetime.now(timezone.utc)))


def cancel(task: Task, context: Context) -> dict[str, str | None] | None:
    """Cancel the operation in progress, wait until it ends, and return it as JSON; None if there was none.

    :raises AirflowSkipException: if the publish task returned no operation.
    """
    if task.operation is None and task.operation_is_given:
        raise AirflowSkipException(NOTHING_PUBLISHED)
    checkpoints = CheckpointStore(task, context)
    with translate_errors():
        operation = operation_argument(task)
        with TaskRuntime(task, context, checkpoints) as runtime:
            params = CancelParams(
                offer=runtime.offer_ref(operation),
                try_context=checkpoints.try_context(DEFAULT_SETTLE_TIME),
                operation=operation,
                notification_emails=split_emails(task.notification_emails or ()),
                poll_interval=runtime.poll_interval(task.poll_interval) or DEFAULT_CANCEL_POLL_INTERVAL,
                timeout=as_timedelta(task.timeout).total_seconds(),
            )
            canceled = runtime.run(runtime.api.cancel(params))
    return canceled.to_json() if canceled is not None else None


def finish_wait(task: Task, context: Context, event: object) -> dict[str, str | None] | None:
    """End a deferred wait with the trigger's event.

    :returns: the operation as JSON; None if the wait was for another operation, so that this task must submit now.
    """
    operation = finish_from_event(event).operation
    if operation is not None:
        page = context["ti"].xcom_pull(task_ids=context["ti"].task_id, key=PARTNER_CENTER_URL_KEY)
        task.link_facts |= {XCOM_RETURN_KEY: operation, PARTNER_CENTER_URL_KEY: page}
    return operation


def raise_if_timed_out(task: Task, context: Context, next_method: str, next_kwargs: dict[str, Any] | None) -> None:
    """Fail a task whose deferral Airflow ended because of a timeout."""

    def find_target() -> tuple[OfferRef, None]:
        given = getattr(task, "operation", None)
        with translate_errors():
            operation = Operation.from_json(given) if given is not None else None
            with TaskRuntime(task, context) as runtime:
                return runtime.offer_ref(operation), None

    raise_if_airflow_timed_out(task, next_method, next_kwargs, find_target)


def _draft_version(runtime: TaskRuntime, offer: OfferRef) -> int | None:
    try:
        draft = runtime.run(runtime.api.get_draft(offer))
    except RequestError as error:
        runtime.task.log.info("%s; continuing without the draft's version", error)
        return None
    runtime.push_partner_center_link(draft)
    return draft.version if draft else None


def _submit(
    runtime: TaskRuntime, checkpoints: CheckpointStore, offer: OfferRef, flow: MakeFlow
) -> dict[str, str | None]:
    operation = runtime.task.submitted = _submit_in_turn(runtime, checkpoints, offer, flow)
    runtime.task.log.info(
        "offer %s: %s accepted as operation %s", operation.offer, operation.kind, operation.display_id
    )
    return _complete(runtime, operation)


def _complete(runtime: TaskRuntime, operation: Operation) -> dict[str, str | None]:
    """Return the operation as JSON; with ``wait_for_completion``, wait before that."""
    task = runtime.task
    value = task.link_facts[XCOM_RETURN_KEY] = operation.to_json()
    if task.wait_for_completion:
        if getattr(task, "do_xcom_push", True):
            runtime.context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=value)
        _wait(runtime, operation.offer, operation, datetime.now(timezone.utc) + as_timedelta(task.timeout))
    return value


def _submit_in_turn(runtime: TaskRuntime, checkpoints: CheckpointStore, offer: OfferRef, flow: MakeFlow) -> Operation:
    """Submit; with ``if_running="wait"``, first wait for other operations in progress to end."""
    task = runtime.task
    waits = task.if_running == "wait"
    # One deadline for all of these waits; otherwise, a series of other operations could block this task forever.
    began = getattr(runtime.context["ti"], "start_date", None) or datetime.now(timezone.utc)
    deadline = began + as_timedelta(task.timeout)
    while True:
        # Each round includes this try's own checkpoint, even if Airflow cannot store it.
        try_context = checkpoints.try_context(task.settle_time, waits_for_others=waits)
        try:
            return runtime.run(flow(try_context))
        except OperationInProgressError as other:
            if not waits or datetime.now(timezone.utc) >= deadline:
                raise
            task.log.info("offer %s: %s is in progress; waiting for it to end", other.offer, other.operation)
            _wait(runtime, offer, None, deadline)


def _wait(runtime: TaskRuntime, offer: OfferRef, operation: Operation | None, deadline: datetime) -> None:
    """Wait until an operation reaches its target; without an operation, until the offer has none in progress."""
    task = runtime.task
    spec = WaitSpec(
        offer=offer,
        until=IDLE if operation is None else default_target(operation),
        deadline=deadline,
        operation=operation,
        poll_interval=runtime.poll_interval(task.poll_interval),
        poll_failure_tolerance=as_timedelta(task.poll_failure_tolerance).total_seconds(),
        responded=True,
        api=runtime.api.name,
    )
    if task.deferrable:
        defer(task, spec, PollState(responded=True, step_since=datetime.now(timezone.utc)))
    raise_for_outcome(runtime.run(wait(runtime.api, spec)))
