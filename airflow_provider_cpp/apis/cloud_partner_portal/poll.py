# SPDX-License-Identifier: Apache-2.0
"""Poll an offer, or one of its operations, through the CPP API.

`Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core.effects import Flow, get_response, get_time, send, send_with_retry
from airflow_provider_cpp.core.http import Request, Response, decode_response
from airflow_provider_cpp.core.models import OfferRef, StatusReport
from airflow_provider_cpp.core.offer_state import (
    IDLE,
    OfferState,
    Target,
    evaluate_offer,
    failure_result,
    find_by_id,
)
from airflow_provider_cpp.core.operations import VISIBILITY_DELAY, Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollResult, PollState, poll_result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError, NotFoundError


def get_state(offer: OfferRef) -> Flow[OfferState]:
    """Read an offer's operations and status."""
    operations = yield from send_with_retry(endpoints.list_operations(offer))
    report = yield from send_with_retry(endpoints.get_offer_status(offer))
    return OfferState(tuple(newest_first(operations)), report)


def find_operation(operation: Operation, entries: Iterable[OperationSummary]) -> OperationSummary | None:
    """Find an operation in the offer's list by its ID or by the number of its publication."""
    if operation.operation_id is not None:
        return find_by_id(operation, entries)
    number, kinds = endpoints.publication_number(operation), ("", operation.kind)
    of_kind = (entry for entry in newest_first(entries) if entry.kind in kinds)
    return next((entry for entry in of_kind if number is not None and entry.publishing_version == number), None)


def poll_request(spec: WaitSpec, state: PollState) -> Request[StatusReport] | None:
    """Build the first request of each poll: for the go-live operation, the operation or the offer.

    Return None for an idle wait, which reads the list of operations first.
    """
    if spec.operation is None:
        return None if spec.until == IDLE else endpoints.get_offer_status(spec.offer)
    if state.go_live_operation_id:
        return _get_go_live_operation(spec.operation, state.go_live_operation_id)
    return endpoints.get_operation(spec.operation)


def poll(spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:
    """Evaluate the response of a poll, and send further requests if necessary.

    :raises MarketplaceError: if a request failed.
    """
    request = state.request
    if request is None or response is None:
        return (yield from _poll_idle(spec))
    if spec.operation is None:
        report = decode_response(request, response)
        return poll_result(spec, report, evaluate_offer(report, spec.until), is_final=True)
    if state.go_live_operation_id:
        try:
            report = decode_response(request, response)
        except NotFoundError:
            state.set_go_live_operation(None)
        else:
            if not report.status.is_terminal and not report.live_step_is_done:
                name = state.go_live_operation_id
                return replace(poll_result(spec, report, None, is_final=True), go_live_operation_id=name)
        request = endpoints.get_operation(spec.operation)
        response = yield from get_response(request)
        result = yield from _poll_operation(spec, spec.operation, request, response)
        return replace(result, is_final=False)  # the next poll sends a different request first
    return (yield from _poll_operation(spec, spec.operation, request, response))


def _get_go_live_operation(operation: Operation, operation_id: str) -> Request[StatusReport]:
    return endpoints.get_operation(Operation(operation.offer, "golive", operation.submitted_at, operation_id))


def _poll_idle(spec: WaitSpec) -> Flow[PollResult]:
    state = yield from get_state(spec.offer)
    is_idle = state.in_progress_operation is None and not state.has_unlisted_operation
    return poll_result(spec, state.report, WaitResult.REACHED if is_idle else None)


def _poll_operation(
    spec: WaitSpec, operation: Operation, request: Request[StatusReport], response: Response
) -> Flow[PollResult]:
    try:
        report = decode_response(request, response)
    except NotFoundError:
        return (yield from _not_listed_yet(operation))
    result = evaluate_operation(operation, report, spec.until)
    if result is None:
        return poll_result(spec, report, None, is_final=True)
    entries = yield from send(endpoints.list_operations(spec.offer))
    if not is_confirmed_by_list(find_operation(operation, entries), report, result):
        return PollResult(None, is_ending=True)  # it may be the status of the previous publication
    if result is WaitResult.REACHED and spec.until == "live":
        return (yield from _poll_offer_as_well(spec, operation, report, entries))
    return poll_result(spec, report, result)


def _poll_offer_as_well(
    spec: WaitSpec, operation: Operation, report: StatusReport, entries: tuple[OperationSummary, ...]
) -> Flow[PollResult]:
    """Check the offer's own status: after the operation succeeded, the offer is live only if its status says so."""
    offer_report = yield from send(endpoints.get_offer_status(spec.offer))
    go_live = find_go_live_operation(operation, entries)
    if go_live is not None and not go_live.status.is_success:
        result = poll_result(spec, offer_report, failure_result(go_live.status))
        return replace(result, go_live_operation_id=go_live.id if _can_be_polled(operation, go_live.id) else "")
    if offer_report.status.is_success:
        return poll_result(spec, report if report.status.is_success else offer_report, WaitResult.REACHED)
    if offer_report.status.is_terminal:
        return PollResult(None, is_ending=True)  # it may be the status of the previous publication
    return PollResult(offer_report, is_ending=report.live_step_is_done)


def _can_be_polled(operation: Operation, operation_id: str) -> bool:
    try:
        _get_go_live_operation(operation, operation_id)
    except ConfigurationError:
        return False
    return True


def _not_listed_yet(operation: Operation) -> Flow[PollResult]:
    """Tolerate for some minutes that a new operation is not found; after that, raise NotFoundError."""
    now = yield from get_time()
    if operation.may_not_be_listed_yet(now):
        return PollResult(None)
    text = f"the API does not show it, {VISIBILITY_DELAY.total_seconds() / 60:g} minutes after its submit"
    raise endpoints.get_operation(operation).error(NotFoundError, status=404, text=text)


def evaluate_operation(operation: Operation, report: StatusReport, until: Target) -> WaitResult | None:
    """Return the result of a wait according to an operation's status; None if the wait continues. The status may be stale."""
    is_reached = operation.kind == "golive" if until == "preview" else report.live_step_is_done
    return evaluate_offer(report, until) or (WaitResult.REACHED if is_reached else None)


def is_confirmed_by_list(entry: OperationSummary | None, report: StatusReport, result: WaitResult) -> bool:
    """Return whether the list confirms that the operation has ended or reached its target.

    The entry and the report must be about the same publication. If the list does not show the operation yet, the report may be
    about the previous one.
    """
    if entry is None:
        return False
    numbers = (entry.publishing_version, report.publishing_version)
    if None not in numbers and numbers[0] != numbers[1]:
        return False
    if result is not WaitResult.REACHED:
        return failure_result(entry.status) is result
    may_be_open = not report.status.is_success
    open_statuses = (Status.RUNNING, Status.WAITING_FOR_PUBLISHER_REVIEW)
    return entry.status.is_success or (may_be_open and entry.status in open_statuses)


def find_go_live_operation(operation: Operation, operations: Iterable[OperationSummary]) -> OperationSummary | None:
    """Find the go-live operation that follows a publish operation, if the API lists it separately."""
    entries = newest_first(operations)
    own = find_operation(operation, entries)
    number = own.publishing_version if own is not None else None
    go_lives = (entry for entry in entries if entry.kind == "golive" and entry is not own)
    return next((entry for entry in go_lives if number is None or entry.publishing_version in (None, number)), None)
