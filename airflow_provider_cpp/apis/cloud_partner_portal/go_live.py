# SPDX-License-Identifier: Apache-2.0
"""Going live: the offer's own state says whether it was ordered already, so no note is needed.

It is ordered only while the offer is parked at its publisher's sign-off. Where the answer is lost, still parked
after the settle time means that it was not taken, and no longer parked means that it was.

`Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
"""

from __future__ import annotations

import logging
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import get_state, get_state_or_none
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, send
from airflow_provider_cpp.core.offer_state import OfferState, SettleWindow, find_operation, is_of_kind
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import MAX_STALENESS, MAX_SUBMITS, GoLiveParams
from airflow_provider_cpp.core.submit_backend import may_have_been_accepted
from airflow_provider_cpp.exceptions import (
    BadRequestError,
    ConflictError,
    MarketplaceError,
    PreviewNotReadyError,
    SubmitOutcomeUnknownError,
)


def go_live(params: GoLiveParams) -> Flow[Operation]:
    """Sign off what is parked, or find the operation by which an earlier try did.

    :raises PreviewNotReadyError: if nothing is parked, or another publication than was meant.
    :raises SubmitOutcomeUnknownError: if the offer stays parked though it was ordered, or what became of the order cannot be seen.
    """
    began: datetime = yield GetTime()
    ordered = not params.try_context.is_first
    if ordered:
        # An earlier try's order may be on its way: parked counts only once it had the time to show.
        before, taken = yield from _wait_for_earlier_effect(params, began)
        if taken is not None:
            yield Log(f"offer {params.offer}: an earlier try of this task went live with it, going on with that")
            return taken
    else:
        before = yield from _wait_for_sign_off_step(
            params, SettleWindow(began, min(params.try_context.settle_time, MAX_STALENESS))
        )
    lost: MarketplaceError | None = None
    for _ in range(MAX_SUBMITS):
        operation, lost = yield from _submit(params, before, ordered=ordered)
        if operation is not None:
            return operation
        ordered = True
    reason = f"it still waits for its publisher's sign-off; last: {lost or 'the answer named no operation'}"
    raise SubmitOutcomeUnknownError(str(params.offer), "golive", reason, may_settle=True) from lost


def _wait_for_sign_off_step(params: GoLiveParams, window: SettleWindow) -> Flow[OfferState]:
    """Look until what is meant is parked, but not for long.

    :raises PreviewNotReadyError: if it is not.
    """
    while True:
        state = yield from get_state(params.offer)
        try:
            _ensure_meant_publication(params, state)
        except PreviewNotReadyError:
            if not (yield from window.sleep()):
                raise
        else:
            return state


def _submit(
    params: GoLiveParams, before: OfferState, *, ordered: bool
) -> Flow[tuple[Operation | None, MarketplaceError | None]]:
    """Order once; returns the operation, or None with what was lost if the offer stayed parked all the same.

    :param before: how the offer stood.
    :param ordered: whether an order before this one may yet be taken: then it is no refusal that the offer left.
    """
    now: datetime = yield GetTime()
    lost: MarketplaceError | None = None
    try:
        location = yield from send(endpoints.go_live_offer(params.offer))
    except MarketplaceError as error:
        may_be_taken = may_have_been_accepted(error)
        if isinstance(error, (ConflictError, BadRequestError)):
            state = yield from get_state(params.offer)
            may_be_taken = ordered and not state.report.awaits_sign_off
            if not may_be_taken:
                _ensure_meant_publication(params, state)
        if not may_be_taken:
            raise
        yield Log(f"{error}; the request may still have been accepted; checking the offer's status", logging.WARNING)
        lost, location = error, None
    if location is None:
        return (yield from _wait_for_effect(params, before, now)), lost
    identifier = operation_id_from_location(location)
    if identifier is None and (after := (yield from get_state_or_none(params.offer))) is not None:
        entry = _new_operation(after, before)
        identifier = entry.id if entry is not None else None
    return Operation(params.offer, "golive", now, identifier, location), None


def _wait_for_effect(params: GoLiveParams, before: OfferState, began: datetime) -> Flow[Operation | None]:
    """Look what an order of this try began, whose answer was lost; None if the offer is parked all the same.

    :raises SubmitOutcomeUnknownError: if the offer left, and how cannot be told.
    """
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        state = yield from get_state_or_none(params.offer)
        entry = _new_operation(state, before) if state is not None else None
        if entry is not None:
            return Operation(params.offer, "golive", began, entry.id)
        if not (yield from window.sleep()):
            break
    if state is None:
        raise SubmitOutcomeUnknownError(
            str(params.offer), "golive", "the portal does not say where it stands", may_settle=True
        )
    if state.report.awaits_sign_off:
        return None
    # It went live without an operation of its own, as far as the list shows: the publication's goes on.
    entry = _newest_publish(state)
    if entry is None or entry.id not in _operation_ids(before) or not _is_going_live(state):
        there = entry.description if entry is not None else "no operation"
        reason = f"it does not wait for its publisher any more, its status is {state.report.raw_status}, with {there}"
        raise SubmitOutcomeUnknownError(str(params.offer), "golive", reason)
    return Operation(params.offer, "golive", began, entry.id)


def _wait_for_earlier_effect(params: GoLiveParams, began: datetime) -> Flow[tuple[OfferState, Operation | None]]:
    """Look what an earlier try may have begun; None if the offer is parked when the settle time is over.

    :raises PreviewNotReadyError: if nothing is parked, and nothing shows that an earlier try went live.
    """
    window = SettleWindow(began, params.try_context.settle_time)
    while True:
        state = yield from get_state(params.offer)
        entry = _recent_operation(params, state)
        if entry is not None:
            return state, Operation(params.offer, "golive", began, entry.id)
        if not state.report.awaits_sign_off and not state.report.status.is_at_work:
            break
        if not (yield from window.sleep()):
            break
    _ensure_meant_publication(params, state)
    return state, None


def _operation_ids(state: OfferState) -> frozenset[str]:
    return frozenset(entry.id for entry in state.operations)


def _newest_publish(state: OfferState) -> OperationSummary | None:
    return next((entry for entry in state.operations if is_of_kind(entry, "publish")), None)


def _is_going_live(state: OfferState) -> bool:
    """Say whether an offer that is not parked any more went live, or is on its way; else it was canceled, say."""
    report = state.report
    return report.status.is_at_work or report.status.is_success or report.is_past_sign_off


def _new_operation(state: OfferState, before: OfferState) -> OperationSummary | None:
    """Find the going live that was not there before the order."""
    new = (entry for entry in state.operations if entry.id not in _operation_ids(before))
    return next((entry for entry in new if is_of_kind(entry, "golive")), None)


def _recent_operation(params: GoLiveParams, state: OfferState) -> OperationSummary | None:
    """Find what an earlier try may have begun: a going live of this DAG run, or a publication beyond its sign-off.

    Only of the publication that is meant, or else the newest: the DAG run may have gone live with others before.
    """
    meant, number = _newest_publish(state), None
    if params.operation is not None:
        meant, number = find_operation(params.operation, state.operations), params.operation.publishing_version
    number = meant.publishing_version if meant is not None else number
    recent = [entry for entry in state.operations if params.try_context.changed_in_dag_run(entry.changed_at)]
    own = next(
        (e for e in recent if e.kind == "golive" and (number is None or e.publishing_version in (None, number))), None
    )
    report = state.report
    if report.awaits_sign_off:
        return own if own is not None and own.status.is_under_way else None  # one that ended is not what waits now
    if own is not None:
        return own
    goes_live = report.is_past_sign_off and report.status.is_at_work and meant is _newest_publish(state)
    return meant if goes_live or (report.status.is_success and meant in recent) else None


def _ensure_meant_publication(params: GoLiveParams, state: OfferState) -> None:
    """Refuse to go live with what is not parked, or not meant."""
    if not state.report.awaits_sign_off:
        newest = state.operations[0].description if state.operations else "it has no operation"
        raise PreviewNotReadyError(str(params.offer), f"its status is {state.report.raw_status}, {newest}")
    if params.operation is None:
        return
    newest_publish = _newest_publish(state)
    if newest_publish is None or find_operation(params.operation, [newest_publish]) is None:
        meant = params.operation.operation_id or params.operation.location
        there = newest_publish.description if newest_publish else "none that is listed"
        raise PreviewNotReadyError(str(params.offer), f"operation {meant} was meant, but what is parked is {there}")
