# SPDX-License-Identifier: Apache-2.0
"""Publish at most once in a run of the task; if that is not certain, do not publish.

The APIs have no idempotency key. Instead, this module saves the IDs of the listed operations before the submit, and relies on
the rule that an offer has at most one operation in progress. Each API implements how to read them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from airflow_provider_cpp.core.api import SubmitBackend
from airflow_provider_cpp.core.checkpoint import Checkpoint, TaskRun
from airflow_provider_cpp.core.earlier_submit import (
    attach,
    find_earlier_submit,
    find_without_checkpoint,
    wait_for_new_operations,
)
from airflow_provider_cpp.core.effects import Flow, Log, SaveCheckpoint, get_time, may_have_been_accepted, send
from airflow_provider_cpp.core.offer_state import OfferState, SettleWindow, new_operations
from airflow_provider_cpp.core.operations import Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.exceptions import (
    BadRequestError,
    ConflictError,
    MarketplaceError,
    OperationInProgressError,
    SubmitOutcomeUnknownError,
    TaskRunUnknownError,
)


def submit_once(backend: SubmitBackend, params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or return the publish operation of an earlier try.

    :raises OperationInProgressError: if another operation is in progress; this try started none.
    :raises SubmitOutcomeUnknownError: if it is not known whether this try or an earlier one submitted.
    :raises TaskRunUnknownError: if the result depends on whether the task was retried or cleared, and that is not known.
    :raises ConfigurationError: if the checkpoint is for another offer.
    """
    try_context, checkpoint, own = params.try_context, params.try_context.checkpoint, None
    if checkpoint is not None:
        checkpoint.ensure_matches(params.offer, "publish")
        own = checkpoint.operation or (yield from find_earlier_submit(backend, params, checkpoint))
        is_same_run = try_context.task_run is TaskRun.SAME
        if own is not None and (is_same_run or (yield from backend.is_in_progress(own))):
            if not is_same_run:  # it now belongs to this run of the task, even after it has ended
                yield SaveCheckpoint(replace(checkpoint, counts=try_context.counts, operation=own).to_payload())
            yield Log(
                f"offer {params.offer}: this task published it before; continuing with operation {own.display_id}"
            )
            return own
        if try_context.task_run is TaskRun.UNDECIDED:
            submitted = f"operation {own.display_id}, which has ended" if own else "which no operation shows"
            raise TaskRunUnknownError(params.offer, submitted)
    elif try_context.store_was_emptied:
        text = (
            f"offer {params.offer}: Airflow has no checkpoint of this task from before it was cleared; waiting for the settle"
            " time, so that a publish that was submitted before the clear can show"
        )
        yield Log(text, logging.WARNING)
        yield from _wait_for_late_operations(backend, params, own)
    elif try_context.lacks_history:
        earlier = yield from find_without_checkpoint(backend, params)
        if earlier is not None:
            return earlier
    return (yield from _submit_after_conflicts(backend, params, own))


def _submit_after_conflicts(backend: SubmitBackend, params: PublishParams, own: Operation | None) -> Flow[Operation]:
    """Submit; after a conflict while no operation is in progress, submit once more after the settle time."""
    try:
        return (yield from _submit(backend, params, own))
    except ConflictError as error:
        text = f"{error}; no operation is in progress: waiting for the settle time, then submitting once more"
        yield Log(text, logging.WARNING)
    if params.try_context.lacks_history:
        late = yield from find_without_checkpoint(backend, params)
    else:
        late = yield from _wait_for_late_operations(backend, params, own)
    if late is not None:
        return late
    return (yield from _submit(backend, params, own))


def _wait_for_late_operations(
    backend: SubmitBackend, params: PublishParams, own: Operation | None
) -> Flow[Operation | None]:
    """Poll for the settle time; return None unless an operation shows, see :func:`_handle_operation_in_progress`."""
    began = yield from get_time()
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        try:
            state = yield from backend.get_state(params.offer)
        except MarketplaceError as error:
            yield Log(f"{error}; polling again", logging.WARNING)
        else:
            if state.in_progress_operation is not None:
                return (yield from _handle_operation_in_progress(backend, params, state, own))
        is_open = yield from window.sleep()
        if not is_open:
            return None


def _submit(backend: SubmitBackend, params: PublishParams, own: Operation | None) -> Flow[Operation]:
    offer, try_context = params.offer, params.try_context
    operations = yield from backend.list_operations(offer)
    before = newest_first(operations)
    if (late := _new_since_checkpoint(params, before)) is not None:
        return (yield from attach(backend, *late))
    if not all(entry.status.is_terminal for entry in before):
        state = yield from backend.get_state(offer)
        if state.in_progress_operation is not None:
            return (yield from _handle_operation_in_progress(backend, params, state, own))
    own_checkpoint = try_context.own_checkpoint
    known = own_checkpoint.known_ids if own_checkpoint is not None else tuple(entry.id for entry in before)
    return (yield from _send(backend, params, own, known))


def _new_since_checkpoint(
    params: PublishParams, entries: Iterable[OperationSummary]
) -> tuple[Checkpoint, list[OperationSummary]] | None:
    """Return operations that are new since the checkpoint of this run of the task; if there are any, the task must not publish."""
    checkpoint = params.try_context.own_checkpoint
    new = new_operations(entries, checkpoint.known_ids, "publish") if checkpoint is not None else []
    return (checkpoint, new) if checkpoint is not None and new else None


def _send(
    backend: SubmitBackend, params: PublishParams, own: Operation | None, known: tuple[str, ...]
) -> Flow[Operation]:
    """Save a checkpoint, and submit; if the response is lost or has no location, poll for the new operation."""
    offer = params.offer
    now = yield from get_time()
    checkpoint = Checkpoint(offer, "publish", now, params.try_context.counts, known, params.draft_version)
    request = yield from backend.build_request(params)
    yield SaveCheckpoint(checkpoint.to_payload())
    location, lost = None, None
    try:
        location = yield from send(request)
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            return (yield from _handle_conflict(backend, params, own, error))
        yield Log(f"{error}; the request may still have been accepted; polling for a new operation", logging.WARNING)
        lost = error
    if location is None:
        new = yield from wait_for_new_operations(backend, params, checkpoint)
        if not new:
            reason = str(lost) if lost else "the response named no operation on this host"
            raise SubmitOutcomeUnknownError(offer, "publish", reason, may_settle=True) from lost
        return (yield from attach(backend, checkpoint, new))
    operation = backend.new_operation(offer, now, location)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    if operation.operation_id is not None:
        return operation
    try:
        resolved = yield from backend.resolve_id(params, operation, checkpoint)
    except ConflictError as error:  # any other error may be a failure of the operation
        return (yield from _handle_conflict(backend, params, own, error))
    if resolved != operation:
        yield SaveCheckpoint(replace(checkpoint, operation=resolved).to_payload())
    return resolved


def _handle_operation_in_progress(
    backend: SubmitBackend, params: PublishParams, state: OfferState, own: Operation | None
) -> Flow[Operation]:
    """Continue with the operation in progress if this task started it, before or after a clear; else raise an error."""
    if (late := _new_since_checkpoint(params, state.operations)) is not None:
        return (yield from attach(backend, *late))
    checkpoint, running = params.try_context.checkpoint, state.in_progress_operation
    if own is None or checkpoint is None or running is None or backend.find_operation(own, [running]) is None:
        raise OperationInProgressError(params.offer, running.description if running else "another operation")
    yield SaveCheckpoint(replace(checkpoint, counts=params.try_context.counts, operation=own).to_payload())
    yield Log(f"offer {params.offer}: this task's own {running.description} is still in progress; continuing with it")
    return own


def _handle_conflict(
    backend: SubmitBackend, params: PublishParams, own: Operation | None, error: MarketplaceError
) -> Flow[Operation]:
    """Restore the earlier checkpoint after a submit that was certainly not accepted, and raise the appropriate error."""
    earlier = params.try_context.checkpoint
    yield SaveCheckpoint(earlier.to_payload() if earlier else None)
    if not isinstance(error, (ConflictError, BadRequestError)):
        raise error
    try:
        state: OfferState | None = yield from backend.get_state(params.offer)
    except MarketplaceError:  # report the submit's error rather than this one
        state = None
    if state is not None:
        if state.in_progress_operation is not None or _new_since_checkpoint(params, state.operations) is not None:
            return (yield from _handle_operation_in_progress(backend, params, state, own))
        if state.has_unlisted_operation and isinstance(error, ConflictError):
            raise OperationInProgressError(params.offer, f"another operation ({error})") from error
    if isinstance(error, ConflictError) and params.try_context.own_checkpoint is not None:
        shown = "none of the offer's operations is new" if state else "the offer's operations cannot be read"
        reason = f"an earlier try of this task submitted it, {shown}, and now: {error}"
        raise SubmitOutcomeUnknownError(params.offer, "publish", reason, may_settle=state is None) from error
    raise error
