# SPDX-License-Identifier: Apache-2.0
"""Cancel one operation through the CPP API.

The API's request does not identify an operation, is accepted even if none is in progress, and takes some minutes. So this
module checks which operation is in progress before the cancel, and waits for its end after it.

`Cancel an operation <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import find_operation, get_state
from airflow_provider_cpp.core.checkpoint import Checkpoint, TaskRun
from airflow_provider_cpp.core.effects import Flow, Log, SaveCheckpoint, Sleep, get_time, may_have_been_accepted, send
from airflow_provider_cpp.core.offer_state import OfferState, read_or_none
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import CancelParams
from airflow_provider_cpp.exceptions import (
    CancelFailedError,
    MarketplaceError,
    OperationInProgressError,
    SubmitOutcomeUnknownError,
)


def cancel(params: CancelParams) -> Flow[Operation | None]:
    """Cancel an operation, and wait until it ends.

    :returns: the cancel operation; None if there was nothing to cancel.
    :raises OperationInProgressError: if a different operation is in progress; the cancel is not submitted.
    :raises SubmitOutcomeUnknownError: if an earlier try without a checkpoint may have submitted a cancel.
    :raises CancelFailedError: if the operation ended before it was canceled, or did not end in time.
    """
    began = yield from get_time()
    state = yield from get_state(params.offer)
    target = _find_target(params, state)
    if target is None:
        is_unlisted = state.has_unlisted_operation or (state.report.awaits_sign_off and not state.operations)
        if is_unlisted and not _has_ended(params, state):
            reason = (
                f"its status is {state.report.raw_status}, but its list of operations does not show what is in progress;"
                " this try canceled nothing"
            )
            raise CancelFailedError(params.offer, reason, may_pass=True)
        yield Log(f"offer {params.offer}: no operation in progress to cancel")
        return None
    if params.try_context.can_checkpoint:
        checkpoint = Checkpoint(params.offer, "cancel", began, params.try_context.counts, (target.id,))
        yield SaveCheckpoint(checkpoint.to_payload())
    yield Log(f"offer {params.offer}: canceling {target.description}")
    location: str | None = None
    try:
        location = yield from send(endpoints.cancel_operation(params.offer, params.notification_emails))
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            raise
        yield Log(f"{error}; the request may still have been accepted; waiting for its effect", logging.WARNING)
    yield from _wait_until_ended(params, target, began + timedelta(seconds=params.timeout))
    return Operation(params.offer, "cancel", began, operation_id_from_location(location) or target.id, location)


def _find_target(params: CancelParams, state: OfferState) -> OperationSummary | None:
    """Return the operation to cancel, None if there is none, or raise an error if it is not the requested one."""
    running, try_context = state.in_progress_operation, params.try_context
    target = running or (_awaiting_sign_off(state) if state.report.awaits_sign_off else None)
    if target is None:
        return None
    if (checkpoint := _own_checkpoint(params)) is not None:
        checkpoint.ensure_matches(params.offer, "cancel")
        return target if target.id in checkpoint.known_ids else None
    if params.operation is not None:
        if _is_target(params.operation, target, state):
            return target
        if running is None:
            return None
        raise OperationInProgressError(
            params.offer, f"another operation than the one to cancel, {running.description},"
        )
    if not try_context.is_first and not try_context.history_is_known:
        _check_earlier_cancel(params, target, state)
    return target


def _own_checkpoint(params: CancelParams) -> Checkpoint | None:
    """Return the checkpoint of an earlier try, unless the task was cleared after it. Only its operations are canceled."""
    return params.try_context.checkpoint if params.try_context.task_run is not TaskRun.CLEARED else None


def _check_earlier_cancel(params: CancelParams, target: OperationSummary, state: OfferState) -> None:
    """Raise an error if the target may have started after an earlier try's cancel."""
    canceled = [entry for entry in state.operations if entry.status.is_canceled]
    recent = next((entry for entry in canceled if params.try_context.changed_in_dag_run(entry.changed_at)), None)
    if recent is not None:
        reason = f"an earlier try may have canceled {recent.description}, and now the offer has {target.description}"
        raise SubmitOutcomeUnknownError(params.offer, "cancel", reason)


def _awaiting_sign_off(state: OfferState) -> OperationSummary | None:
    """Return the operation that awaits sign-off: one that has not ended, or else the newest one."""
    open_ones = (e for e in state.operations if e.status.is_pending_or_in_progress or e.status.awaits_sign_off)
    return next(open_ones, next(iter(state.operations), None))


def _has_ended(params: CancelParams, state: OfferState) -> bool:
    """Return whether the requested operation is known to have ended, so that any operation in progress is a different one."""
    checkpoint = _own_checkpoint(params)
    known = checkpoint.known_ids if checkpoint is not None else ()
    meant = [entry for entry in state.operations if entry.id in known]
    if not known and params.operation is not None:
        own = find_operation(params.operation, state.operations)
        meant = [own] if own is not None else []
    return bool(meant) and all(entry.status.is_canceled or entry.status.is_failure for entry in meant)


def _is_target(operation: Operation, target: OperationSummary, state: OfferState) -> bool:
    """Return whether the target is the operation, or the go-live of the same publication."""
    if find_operation(operation, [target]) is not None:
        return True
    own = find_operation(operation, state.operations)
    number = own.publishing_version if own is not None else None
    return target.kind == "golive" and number is not None and number == target.publishing_version


def _wait_until_ended(params: CancelParams, target: OperationSummary, until: datetime) -> Flow[None]:
    """Wait until the target ends, or raise CancelFailedError if it was not canceled or did not end in time."""
    description = target.description
    while True:
        state = yield from read_or_none(get_state(params.offer))
        if state is not None:
            entry = next((entry for entry in state.operations if entry.id == target.id), target)
            description = entry.description
            # The list may show a publish that awaits sign-off as ended; then use the offer's status.
            was_done = target.status.is_terminal
            if entry.status.is_canceled or (was_done and state.report.status.is_canceled):
                yield Log(f"offer {params.offer}: {description} has ended")
                return
            if entry.status.is_terminal and not was_done:
                raise CancelFailedError(params.offer, f"{description} ended before it was canceled", may_pass=False)
        now = yield from get_time()
        if now >= until:
            reason = f"{description} has not ended within {params.timeout:g} s after its cancel"
            raise CancelFailedError(params.offer, reason, may_pass=True)
        yield Sleep(min(params.poll_interval, (until - now).total_seconds()))
