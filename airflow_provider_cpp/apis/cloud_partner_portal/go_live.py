# SPDX-License-Identifier: Apache-2.0
"""Go live through the CPP API. No checkpoint is needed, because the offer's state shows whether a go-live was accepted.

The go-live is submitted only while the offer awaits sign-off. If the response is lost and the offer still awaits sign-off after
the settle time, the API did not accept the go-live; if the offer is live or going live, the API accepted it.

`Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
"""

from __future__ import annotations

import logging
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import find_operation, get_state
from airflow_provider_cpp.core.effects import Flow, Log, get_time, may_have_been_accepted, send
from airflow_provider_cpp.core.offer_state import OfferState, SettleWindow, is_of_kind, new_operations, read_or_none
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import MAX_STALENESS, MAX_SUBMITS, GoLiveParams
from airflow_provider_cpp.exceptions import (
    BadRequestError,
    ConflictError,
    MarketplaceError,
    PreviewNotReadyError,
    SubmitOutcomeUnknownError,
)


def go_live(params: GoLiveParams) -> Flow[Operation]:
    """Go live with the preview that awaits sign-off, or return the operation of an earlier try.

    :raises PreviewNotReadyError: if no preview awaits sign-off, or if it belongs to a different publish operation.
    :raises SubmitOutcomeUnknownError: if the offer still awaits sign-off, or its state does not show the result.
    """
    began = yield from get_time()
    submitted = not params.try_context.is_first
    if submitted:
        # The effect of an earlier try's submit may take the settle time to show.
        before, operation = yield from _wait_for_earlier_effect(params, began)
        if operation is not None:
            yield Log(f"offer {params.offer}: an earlier try of this task went live with it; continuing with that")
            return operation
    else:
        before = yield from _wait_for_sign_off_step(
            params, SettleWindow(began, min(params.try_context.settle_time, MAX_STALENESS))
        )
    known = frozenset(entry.id for entry in before.operations)
    lost: MarketplaceError | None = None
    for _ in range(MAX_SUBMITS):
        operation, lost = yield from _submit(params, known, submitted=submitted)
        if operation is not None:
            return operation
        submitted = True
    reason = f"it still awaits sign-off; last: {lost or 'the response named no operation'}"
    raise SubmitOutcomeUnknownError(params.offer, "golive", reason, may_settle=True) from lost


def _wait_for_sign_off_step(params: GoLiveParams, window: SettleWindow) -> Flow[OfferState]:
    """Poll until the requested publication awaits sign-off, or raise PreviewNotReadyError at the end of the window."""
    while True:
        state = yield from get_state(params.offer)
        try:
            _ensure_meant_publication(params, state)
        except PreviewNotReadyError:
            is_open = yield from window.sleep()
            if not is_open:
                raise
        else:
            return state


def _submit(
    params: GoLiveParams, known: frozenset[str], *, submitted: bool
) -> Flow[tuple[Operation | None, MarketplaceError | None]]:
    """Submit once; return the operation, or None and the error if the offer still awaits sign-off.

    :param known: the IDs of the operations before the submit.
    :param submitted: whether an earlier submit may have been accepted, and may have ended the sign-off step.
    """
    now = yield from get_time()
    lost: MarketplaceError | None = None
    try:
        location = yield from send(endpoints.go_live_offer(params.offer))
    except MarketplaceError as error:
        may_be_accepted = may_have_been_accepted(error)
        if isinstance(error, (ConflictError, BadRequestError)):
            state = yield from get_state(params.offer)
            may_be_accepted = submitted and not state.report.awaits_sign_off
            if not may_be_accepted:
                _ensure_meant_publication(params, state)
        if not may_be_accepted:
            raise
        yield Log(f"{error}; the request may still have been accepted; checking the offer's status", logging.WARNING)
        lost, location = error, None
    if location is None:
        return (yield from _wait_for_effect(params, known, now)), lost
    identifier = operation_id_from_location(location)
    if identifier is None and (after := (yield from read_or_none(get_state(params.offer)))) is not None:
        identifier = next((entry.id for entry in new_operations(after.operations, known, "golive")), None)
    return Operation(params.offer, "golive", now, identifier, location), None


def _wait_for_effect(params: GoLiveParams, known: frozenset[str], began: datetime) -> Flow[Operation | None]:
    """Poll for the operation of a submit whose response was lost; return None if the offer still awaits sign-off."""
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        state = yield from read_or_none(get_state(params.offer))
        new = new_operations(state.operations, known, "golive") if state is not None else []
        if new:
            return Operation(params.offer, "golive", began, new[0].id)
        is_open = yield from window.sleep()
        if not is_open:
            break
    if state is None:
        raise SubmitOutcomeUnknownError(params.offer, "golive", "the offer's state cannot be read", may_settle=True)
    if state.report.awaits_sign_off:
        return None
    # The list shows no separate go-live operation: the publish operation continues.
    publish, report = _newest_publish(state), state.report
    goes_live = report.status.is_in_progress or report.status.is_success or report.is_past_sign_off
    if publish is None or publish.id not in known or not goes_live:  # it may have been canceled, for example
        newest = publish.description if publish is not None else "no operation"
        reason = f"it no longer awaits sign-off; its status is {report.raw_status}, with {newest}"
        raise SubmitOutcomeUnknownError(params.offer, "golive", reason)
    return Operation(params.offer, "golive", began, publish.id)


def _wait_for_earlier_effect(params: GoLiveParams, began: datetime) -> Flow[tuple[OfferState, Operation | None]]:
    """Poll for the operation of an earlier try; return None if the offer awaits sign-off after the settle time."""
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        state = yield from get_state(params.offer)
        entry = _recent_operation(params, state)
        if entry is not None:
            return state, Operation(params.offer, "golive", began, entry.id)
        if not state.report.awaits_sign_off and not state.report.status.is_in_progress:
            break
        is_open = yield from window.sleep()
        if not is_open:
            break
    _ensure_meant_publication(params, state)
    return state, None


def _newest_publish(state: OfferState) -> OperationSummary | None:
    return next((entry for entry in state.operations if is_of_kind(entry, "publish")), None)


def _recent_operation(params: GoLiveParams, state: OfferState) -> OperationSummary | None:
    """Return the operation that an earlier try may have started; only of the requested publication or, without one, the newest."""
    meant, number = _newest_publish(state), None
    if params.operation is not None:
        meant = find_operation(params.operation, state.operations)
        number = endpoints.publication_number(params.operation)
    number = meant.publishing_version if meant is not None else number
    recent = [entry for entry in state.operations if params.try_context.changed_in_dag_run(entry.changed_at)]
    own = next(
        (e for e in recent if e.kind == "golive" and (number is None or e.publishing_version in (None, number))), None
    )
    report = state.report
    if report.awaits_sign_off:
        return own if own is not None and own.status.is_pending_or_in_progress else None
    if own is not None:
        return own
    goes_live = report.is_past_sign_off and report.status.is_in_progress and meant is _newest_publish(state)
    return meant if goes_live or (report.status.is_success and meant in recent) else None


def _ensure_meant_publication(params: GoLiveParams, state: OfferState) -> None:
    if not state.report.awaits_sign_off:
        newest = state.operations[0].description if state.operations else "it has no operations"
        raise PreviewNotReadyError(params.offer, f"its status is {state.report.raw_status}, {newest}")
    if params.operation is None:
        return
    newest_publish = _newest_publish(state)
    if newest_publish is None or find_operation(params.operation, [newest_publish]) is None:
        meant = params.operation.operation_id or params.operation.location
        awaiting = newest_publish.description if newest_publish else "no operation that is listed"
        raise PreviewNotReadyError(params.offer, f"operation {meant} was meant, but {awaiting} awaits sign-off")
