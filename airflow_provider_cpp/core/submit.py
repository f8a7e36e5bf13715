# SPDX-License-Identifier: Apache-2.0
"""Publishing: at most once in a run of the task, and where that cannot be proved, not at all.

No API of the marketplace takes a key that would make a second order harmless. What there is: the list of operations,
whose ids are written down before the order, and the rule that an offer has one operation at a time. How an API is
asked for these is its own; what follows from the answers is here, once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.core.checkpoint import Checkpoint, TaskRun
from airflow_provider_cpp.core.earlier_submit import attach, find_earlier_submit, find_without_checkpoint
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, SaveCheckpoint, send
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.offer_state import (
    OfferState,
    SettleWindow,
    find_operation,
    new_operations,
    wait_for_new_operation,
)
from airflow_provider_cpp.core.operations import Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit_backend import SubmitBackend, may_have_been_accepted
from airflow_provider_cpp.exceptions import (
    BadRequestError,
    ConflictError,
    MarketplaceError,
    OperationInProgressError,
    SubmitOutcomeUnknownError,
    TaskRunUnknownError,
)


def submit_once(backend: SubmitBackend, params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did.

    :raises OperationInProgressError: if somebody else's operation runs; nothing was ordered.
    :raises SubmitOutcomeUnknownError: if it cannot be known whether this try or an earlier one ordered.
    :raises TaskRunUnknownError: if it cannot be known whether the task is retried or was cleared, and that matters.
    :raises ConfigurationError: if an earlier try noted another offer.
    """
    try_context, checkpoint, own = params.try_context, params.try_context.checkpoint, None
    if checkpoint is not None:
        checkpoint.ensure_matches(params.offer, "publish")
        own = checkpoint.operation or (yield from find_earlier_submit(backend, params, checkpoint))
        is_same_run = try_context.task_run is TaskRun.SAME
        if own is not None and (is_same_run or (yield from backend.is_in_progress(own))):
            if not is_same_run:  # it is this run's from now on, also once it has ended
                yield SaveCheckpoint(replace(checkpoint, counts=try_context.counts, operation=own).to_payload())
            yield Log(
                f"offer {params.offer}: this task published it before; continuing with operation {own.display_id}"
            )
            return own
        if try_context.task_run is TaskRun.UNDECIDED:
            submitted = f"operation {own.display_id}, which has ended" if own else "no operation that shows"
            raise TaskRunUnknownError(str(params.offer), submitted)
    elif try_context.store_was_emptied:
        yield Log(f"offer {params.offer}: {STORE_WAS_EMPTIED}", logging.WARNING)
        yield from _wait_for_late_operations(backend, params, own)
    elif try_context.lacks_history:
        found = yield from find_without_checkpoint(backend, params)
        if found is not None:
            return found
    return (yield from _submit_after_conflicts(backend, params, own))


STORE_WAS_EMPTIED = (
    "Airflow kept no checkpoint of this task when it was cleared; waiting for the settle time, so that a publish that was"
    " submitted before the clear can show"
)


def _submit_after_conflicts(backend: SubmitBackend, params: PublishParams, own: Operation | None) -> Flow[Operation]:
    """Submit; after a conflict with nothing that shows, once more when what the list may lag behind had time to show.

    :param own: the operation of the run of the task before a clear: while it is in progress, it is gone on with.
    :raises ConflictError: if the second submit is refused like the first one, in the API's own words.
    """
    try:
        return (yield from _submit(backend, params, own))
    except ConflictError as error:
        text = f"{error}; nothing shows as in progress: waiting for the settle time, then submitting once more"
        yield Log(text, logging.WARNING)
    if params.try_context.lacks_history:
        found = yield from find_without_checkpoint(backend, params)
    else:
        found = yield from _wait_for_late_operations(backend, params, own)
    return found if found is not None else (yield from _submit(backend, params, own))


def _wait_for_late_operations(
    backend: SubmitBackend, params: PublishParams, own: Operation | None
) -> Flow[Operation | None]:
    """Poll for the settle time; None if nothing shows as in progress by then.

    :raises OperationInProgressError: if something does.
    """
    began: datetime = yield GetTime()
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        try:
            state = yield from backend.get_state(params.offer)
        except MarketplaceError as error:
            yield Log(f"{error}; polling again", logging.WARNING)
        else:
            if state.in_progress_operation is not None:
                return (yield from _handle_operation_in_progress(backend, params, state, own))
        if not (yield from window.sleep()):
            return None


def _submit(backend: SubmitBackend, params: PublishParams, own: Operation | None) -> Flow[Operation]:
    """Look once more, note what is there, and order.

    :raises ConflictError: if the API says that another operation is in the way, and none shows.
    """
    offer, try_context = params.offer, params.try_context
    before = newest_first((yield from backend.list_operations(offer)))
    if (late := _new_since_checkpoint(params, before)) is not None:
        return (yield from attach(backend, *late))
    state = (yield from backend.get_state(offer)) if any(entry.status.is_open for entry in before) else None
    if state is not None and state.in_progress_operation is not None:
        return (yield from _handle_operation_in_progress(backend, params, state, own))
    now: datetime = yield GetTime()
    known = try_context.own_checkpoint.known_ids if try_context.own_checkpoint else tuple(entry.id for entry in before)
    checkpoint = Checkpoint(offer, "publish", now, try_context.counts, known, params.draft_version)
    request = yield from backend.build_request(params)
    yield SaveCheckpoint(checkpoint.to_payload())
    return (yield from _send(backend, params, checkpoint, own, request))


def _new_since_checkpoint(
    params: PublishParams, entries: Iterable[OperationSummary]
) -> tuple[Checkpoint, list[OperationSummary]] | None:
    """Return what is new since this run's own note, which is open; whatever that is, it is not published over."""
    checkpoint = params.try_context.own_checkpoint
    new = new_operations(entries, checkpoint.known_ids, "publish") if checkpoint is not None else []
    return (checkpoint, new) if checkpoint is not None and new else None


def _send(
    backend: SubmitBackend,
    params: PublishParams,
    checkpoint: Checkpoint,
    own: Operation | None,
    request: Request[str | None],
) -> Flow[Operation]:
    """Order once, and find out which operation that made."""
    offer, now = params.offer, checkpoint.created_at
    try:
        location = yield from send(request)
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            return (yield from _handle_conflict(backend, params, own, error))
        yield Log(f"{error}; the request may still have been accepted; looking for a new operation", logging.WARNING)
        return (yield from _handle_lost_response(backend, params, checkpoint, error))
    if location is None:
        return (yield from _handle_lost_response(backend, params, checkpoint, None))
    operation = backend.new_operation(offer, now, location)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    if operation.operation_id is not None:
        return operation
    try:
        found = yield from backend.resolve_id(params, operation, checkpoint)
    except ConflictError as error:  # any other failure may be that of what the job began
        return (yield from _handle_conflict(backend, params, own, error))
    if found != operation:
        yield SaveCheckpoint(replace(checkpoint, operation=found).to_payload())
    return found


def _handle_operation_in_progress(
    backend: SubmitBackend, params: PublishParams, state: OfferState, own: Operation | None
) -> Flow[Operation]:
    """Go on with what is in progress if it is this task's own; nobody else's is taken for it.

    :param own: the task's operation of before it was cleared.
    """
    if (late := _new_since_checkpoint(params, state.operations)) is not None:
        return (yield from attach(backend, *late))
    checkpoint, running = params.try_context.checkpoint, state.in_progress_operation
    if own is None or checkpoint is None or running is None or find_operation(own, [running]) is None:
        raise OperationInProgressError(str(params.offer), running.description if running else "another operation")
    yield SaveCheckpoint(replace(checkpoint, counts=params.try_context.counts, operation=own).to_payload())
    yield Log(f"offer {params.offer}: this task's own {running.description} is still in progress; continuing with it")
    return own


def _handle_lost_response(
    backend: SubmitBackend, params: PublishParams, checkpoint: Checkpoint, lost: MarketplaceError | None
) -> Flow[Operation]:
    """Look for what an order began whose answer was lost, or named nothing."""
    operation = backend.new_operation(params.offer, checkpoint.created_at)
    found = yield from wait_for_new_operation(
        backend.list_operations,
        operation,
        checkpoint.known_ids,
        SettleWindow(checkpoint.created_at, params.try_context.settle_time),
    )
    if found is None:
        reason = str(lost) if lost else "the answer named no operation on this host"
        raise SubmitOutcomeUnknownError(str(params.offer), "publish", reason, may_settle=True) from lost
    return (yield from attach(backend, checkpoint, [found]))


def _handle_conflict(
    backend: SubmitBackend, params: PublishParams, own: Operation | None, error: MarketplaceError
) -> Flow[Operation]:
    """End a try whose order was certainly not taken; what an earlier try of this run noted stands again.

    :raises SubmitOutcomeUnknownError: if an earlier try of this run submitted, nothing shows, and yet another operation is in the way.
    :raises ConflictError: if no earlier try did, so that it may help to submit once more.
    """
    there = params.try_context.checkpoint
    yield SaveCheckpoint(there.to_payload() if there else None)
    if not isinstance(error, (ConflictError, BadRequestError)):
        raise error
    try:
        state: OfferState | None = yield from backend.get_state(params.offer)
    except MarketplaceError:  # the refusal says more than that the portal could not be asked about it
        state = None
    if state is not None:
        if state.in_progress_operation is not None or _new_since_checkpoint(params, state.operations) is not None:
            return (yield from _handle_operation_in_progress(backend, params, state, own))
        if state.has_unlisted_operation and isinstance(error, ConflictError):
            raise OperationInProgressError(str(params.offer), f"another operation ({error})") from error
    if isinstance(error, ConflictError) and params.try_context.own_checkpoint is not None:
        shown = "none of the offer's operations is new" if state else "the offer's operations cannot be read"
        reason = f"an earlier try of this task submitted it, {shown}, and now: {error}"
        raise SubmitOutcomeUnknownError(str(params.offer), "publish", reason, may_settle=state is None) from error
    raise error
