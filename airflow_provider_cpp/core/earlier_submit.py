# SPDX-License-Identifier: Apache-2.0
"""Find the operations that earlier tries submitted, by their checkpoint or, without one, in the list of operations."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_cpp.core.api import SubmitBackend
from airflow_provider_cpp.core.checkpoint import Checkpoint, TaskRun
from airflow_provider_cpp.core.effects import Flow, Log, SaveCheckpoint, get_time
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import OfferState, SettleWindow, new_operations, read_or_none
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.exceptions import OperationInProgressError, SubmitOutcomeUnknownError


def find_earlier_submit(
    backend: SubmitBackend, params: PublishParams, checkpoint: Checkpoint
) -> Flow[Operation | None]:
    """Poll within the settle time for the operation of a submit whose response was lost."""
    new = yield from wait_for_new_operations(backend, params, checkpoint)
    if len(new) != 1:
        state = yield from backend.get_state(params.offer)
        if new:
            is_cleared = params.try_context.task_run is TaskRun.CLEARED
            if is_cleared and state.in_progress_operation is None and not state.has_unlisted_operation:
                return None  # the task was cleared after that, and no operation is in progress
        elif not (new := new_operations(state.operations, checkpoint.known_ids, "publish")):
            _ensure_listed(params, state)
            return None
    description = _exactly_one(params.offer, new).description
    yield Log(f"offer {params.offer}: {description} started after an earlier try; treated as that try's operation")
    return (yield from attach(backend, checkpoint, new))


def wait_for_new_operations(
    backend: SubmitBackend, params: PublishParams, checkpoint: Checkpoint
) -> Flow[list[OperationSummary]]:
    """Poll the list at least once, and until the settle time ends, for operations that are new since the checkpoint."""
    window = SettleWindow(checkpoint.created_at, params.try_context.settle_time)
    while True:
        entries = yield from read_or_none(backend.list_operations(params.offer))
        if new := new_operations(entries or (), checkpoint.known_ids, "publish"):
            return new
        is_open = yield from window.sleep()
        if not is_open:
            return []


def find_without_checkpoint(backend: SubmitBackend, params: PublishParams) -> Flow[Operation | None]:
    """Search the list of operations only: any that changed in this DAG run may belong to an earlier try.

    There are no checkpoints before Airflow 3.3, nor for the first try after an upgrade to it.
    """
    try_context = params.try_context
    began = yield from get_time()
    while True:
        state = yield from backend.get_state(params.offer)
        running = state.in_progress_operation
        if running is not None:
            _ensure_own(params, state, running)
            text = f"{running.description} is in progress; treated as the operation of an earlier try of this task"
            yield Log(f"offer {params.offer}: {text}", logging.WARNING)
            return replace(backend.new_operation(params.offer, running.changed_at or began), operation_id=running.id)
        recent = next((entry for entry in state.operations if try_context.changed_in_dag_run(entry.changed_at)), None)
        if recent is not None:
            raise _undecidable_error(params, recent)
        is_open = yield from SettleWindow(began, try_context.settle_time).sleep()
        if not is_open:
            _ensure_listed(params, state)
            return None


def _ensure_own(params: PublishParams, state: OfferState, running: OperationSummary) -> None:
    """Raise an error unless the operation in progress can only belong to an earlier try."""
    try_context = params.try_context
    if not try_context.changed_in_dag_run(running.changed_at) and not try_context.counts.was_cleared:
        raise OperationInProgressError(params.offer, running.description)
    is_publish = running.kind == "publish" and running.status.is_pending_or_in_progress
    is_alone = [entry for entry in state.operations if not entry.status.is_terminal] == [running]
    # Unless it waits for others, a first try fails permanently if an operation is in progress, so a retry follows a try that
    # found none. If Airflow stores checkpoints, a missing one may mean that no earlier try reached execute().
    if (
        try_context.counts.was_cleared
        or try_context.waits_for_others
        or try_context.can_checkpoint
        or not is_publish
        or not is_alone
    ):
        raise _undecidable_error(params, running)


def _ensure_listed(params: PublishParams, state: OfferState) -> None:
    if state.has_unlisted_operation:
        reason = (
            f"its status is {state.report.raw_status}, but its list of operations does not show what is in progress"
        )
        raise SubmitOutcomeUnknownError(params.offer, "publish", reason)


def _undecidable_error(params: PublishParams, entry: OperationSummary) -> SubmitOutcomeUnknownError:
    reason = f"an earlier try of this task may have submitted it, and the offer has {entry.description}"
    return SubmitOutcomeUnknownError(params.offer, "publish", reason)


def attach(backend: SubmitBackend, checkpoint: Checkpoint, new: list[OperationSummary]) -> Flow[Operation]:
    """Treat the one new operation as this task's, and save it in the checkpoint."""
    operation = backend.new_operation(checkpoint.offer, checkpoint.created_at)
    operation = replace(operation, operation_id=_exactly_one(checkpoint.offer, new).id)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    return operation


def _exactly_one(offer: OfferRef, new: list[OperationSummary]) -> OperationSummary:
    """Return the one new operation; if there are several, it is not known which one this task started."""
    if len(new) > 1:
        names = ", ".join(entry.description for entry in new)
        raise SubmitOutcomeUnknownError(offer, "publish", f"there are several new ones: {names}")
    return new[0]
