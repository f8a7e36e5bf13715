# SPDX-License-Identifier: Apache-2.0
"""Find what earlier tries of a task submitted, by their checkpoint or, without one, by the list of operations."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_cpp.core.checkpoint import Checkpoint, TaskRun
from airflow_provider_cpp.core.effects import Flow, Log, SaveCheckpoint, get_time
from airflow_provider_cpp.core.offer_state import (
    OfferState,
    SettleWindow,
    exactly_one,
    new_operations,
    wait_for_new_operation,
)
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit_backend import SubmitBackend
from airflow_provider_cpp.exceptions import OperationInProgressError, SubmitOutcomeUnknownError


def find_earlier_submit(
    backend: SubmitBackend, params: PublishParams, checkpoint: Checkpoint
) -> Flow[Operation | None]:
    """Find the operation of a submit whose response was lost: poll for it within the settle time."""
    operation = backend.new_operation(params.offer, checkpoint.created_at)
    try:
        entry = yield from wait_for_new_operation(
            backend.list_operations,
            operation,
            checkpoint.known_ids,
            SettleWindow(checkpoint.created_at, params.try_context.settle_time),
        )
    except SubmitOutcomeUnknownError:
        state = yield from backend.get_state(params.offer)
        if (
            params.try_context.task_run is not TaskRun.CLEARED
            or state.in_progress_operation is not None
            or state.has_unlisted_operation
        ):
            raise
        return None  # the task was cleared since then, and its own operation, whichever it is, has ended
    if entry is None:
        state = yield from backend.get_state(params.offer)
        if not (late := new_operations(state.operations, checkpoint.known_ids, "publish")):
            if state.has_unlisted_operation:
                raise _unlisted_error(params, state)
            return None
        entry = exactly_one(operation, late)
    yield Log(
        f"offer {params.offer}: {entry.description} started after an earlier try; treated as that try's operation"
    )
    return (yield from attach(backend, checkpoint, [entry]))


def find_without_checkpoint(backend: SubmitBackend, params: PublishParams) -> Flow[Operation | None]:
    """Decide by the list alone: what changed since the DAG run began may be the operation of an earlier try.

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
            break
    if state.has_unlisted_operation:
        raise _unlisted_error(params, state)
    return None


def _ensure_own(params: PublishParams, state: OfferState, running: OperationSummary) -> None:
    """Reject an operation in progress unless it can only be that of an earlier try.

    :raises OperationInProgressError: if it last changed before the DAG run began, so that it is another publish.
    :raises SubmitOutcomeUnknownError: if it may be either.
    """
    try_context = params.try_context
    if not try_context.changed_in_dag_run(running.changed_at) and not try_context.counts.was_cleared:
        raise OperationInProgressError(params.offer, running.description)
    is_publish = running.kind == "publish" and running.status.is_pending_or_in_progress
    is_alone = [entry for entry in state.operations if not entry.status.is_terminal] == [running]
    # A first try fails for good on an operation in progress, unless it waits for others. Where there are checkpoints, no
    # operation is guessed to be this task's: without a checkpoint, maybe no earlier try came to execute.
    if (
        try_context.counts.was_cleared
        or try_context.waits_for_others
        or try_context.can_checkpoint
        or not is_publish
        or not is_alone
    ):
        raise _undecidable_error(params, running)


def _unlisted_error(params: PublishParams, state: OfferState) -> SubmitOutcomeUnknownError:
    reason = f"its status is {state.report.raw_status}, but its list of operations does not show what is in progress"
    return SubmitOutcomeUnknownError(params.offer, "publish", reason)


def _undecidable_error(params: PublishParams, entry: OperationSummary) -> SubmitOutcomeUnknownError:
    reason = f"an earlier try of this task may have submitted it, and the offer has {entry.description}"
    return SubmitOutcomeUnknownError(params.offer, "publish", reason)


def attach(backend: SubmitBackend, checkpoint: Checkpoint, new: list[OperationSummary]) -> Flow[Operation]:
    """Treat the one new operation as this task's own, and save it in the checkpoint."""
    operation = backend.new_operation(checkpoint.offer, checkpoint.created_at)
    operation = replace(operation, operation_id=exactly_one(operation, new).id)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    return operation
