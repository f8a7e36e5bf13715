# SPDX-License-Identifier: Apache-2.0
"""What one look at the portal sees: of an offer, of its operations, of one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, send, send_if_changed, send_with_retry
from airflow_provider_cpp.core.models import OfferRef, StatusReport
from airflow_provider_cpp.core.offer_state import (
    OfferState,
    Target,
    evaluate_offer,
    failure_result,
    find_operation,
    preview_is_ready,
)
from airflow_provider_cpp.core.operations import VISIBILITY_DELAY, Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_result import PollResult, poll_result
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError, MarketplaceError, NotFoundError


def get_state(offer: OfferRef) -> Flow[OfferState]:
    """Look at an offer's operations and at its status."""
    entries = newest_first((yield from send_with_retry(endpoints.list_operations(offer))))
    return OfferState(tuple(entries), (yield from send_with_retry(endpoints.get_offer_status(offer))))


def get_state_or_none(offer: OfferRef) -> Flow[OfferState | None]:
    """Look after an order: a look that fails is told, and None, since the order may be with the portal."""
    try:
        return (yield from get_state(offer))
    except MarketplaceError as error:
        yield Log(f"{error}; the order may be with the portal, asking again", logging.WARNING)
        return None


def poll(spec: WaitSpec, poll_state: PollState) -> Flow[PollResult]:
    """Look once; what fails raises.

    :param poll_state: what earlier looks of the wait saw: while what goes live is an operation of its own, it is asked alone;
        and an answer that said that the wait goes on says so again while it is the same, since no clock changes that.
    :raises MarketplaceError: if the portal did not answer, or not as it promises.
    """
    if spec.operation is not None:
        seen = yield from _poll_go_live(spec, poll_state)
        return (
            seen if seen is not None else (yield from _poll_operation(spec, spec.operation, poll_state.response_digest))
        )
    if spec.until == "idle":
        state = yield from get_state(spec.offer)
        is_idle = state.in_progress_operation is None and not state.has_unlisted_operation
        return poll_result(spec, state.report, WaitResult.REACHED if is_idle else None)
    report, mark = yield from send_if_changed(endpoints.get_offer_status(spec.offer), poll_state.response_digest)
    if report is None:
        return PollResult(None, response_digest=mark)
    return poll_result(spec, report, evaluate_offer(report, spec.until), mark)


def _poll_operation(spec: WaitSpec, operation: Operation, seen: bytes) -> Flow[PollResult]:
    try:
        report, mark = yield from send_if_changed(endpoints.get_operation(operation), seen)
    except NotFoundError:
        return (yield from _not_listed_yet(operation))
    if report is None:
        return PollResult(None, response_digest=mark)
    result = evaluate_operation(operation, report, spec.until)
    if result is None:
        return poll_result(spec, report, None, mark)
    entries = yield from send(endpoints.list_operations(spec.offer))
    if not is_confirmed_by_list(find_operation(operation, entries), report, result):
        # Perhaps the publication before this one: neither believed nor told.
        return PollResult(None, is_ending=True)
    if result is WaitResult.REACHED and spec.until == "live":
        return (yield from _poll_offer_as_well(spec, operation, report, entries))
    return poll_result(spec, report, result)


def _poll_offer_as_well(
    spec: WaitSpec, operation: Operation, report: StatusReport, entries: tuple[OperationSummary, ...]
) -> Flow[PollResult]:
    """Ask the second witness: the operation is done, and the offer is live only if it says so itself."""
    offer_report = yield from send(endpoints.get_offer_status(spec.offer))
    successor = find_go_live_operation(operation, entries)
    if successor is not None and not successor.status.is_success:
        return replace(
            poll_result(spec, offer_report, failure_result(successor.status)), go_live_operation_id=successor.id
        )
    if offer_report.status.is_success:
        return poll_result(spec, report if report.status.is_success else offer_report, WaitResult.REACHED)
    told = offer_report if not offer_report.status.is_terminal else None
    return PollResult(told, is_ending=report.live_step_is_done or told is None)


def _poll_go_live(spec: WaitSpec, poll_state: PollState) -> Flow[PollResult | None]:
    """Look at the operation that goes live, if it is known; while it says itself that it has not ended, nothing has.

    :returns: None if there is more to look at.
    """
    name = poll_state.go_live_operation_id
    if spec.operation is None or not name:
        return None
    try:
        request = endpoints.get_operation(Operation(spec.offer, "golive", spec.operation.submitted_at, name))
    except ConfigurationError:  # the list's ids are the portal's, and need not fit into a path
        poll_state.set_go_live_operation(None)
        return None
    try:
        report, mark = yield from send_if_changed(request, poll_state.response_digest)
    except NotFoundError:
        poll_state.set_go_live_operation(None)
        return None
    if report is None:
        return PollResult(None, go_live_operation_id=name, response_digest=mark)
    if report.status.is_terminal or report.live_step_is_done:
        return None
    return replace(poll_result(spec, report, None, mark), go_live_operation_id=name)


def _not_listed_yet(operation: Operation) -> Flow[PollResult]:
    """Let some minutes pass for an operation that was just accepted; after them, its absence is an error."""
    now: datetime = yield GetTime()
    if operation.may_not_be_listed_yet(now):
        return PollResult(None)
    name = operation.operation_id or operation.location
    text = f"the portal does not know it, {VISIBILITY_DELAY.total_seconds() / 60:g} minutes after its order"
    raise NotFoundError(f"operation {name} of offer {operation.offer}", status=404, text=text)


def evaluate_operation(operation: Operation, report: StatusReport, until: Target) -> WaitResult | None:
    """Judge what an operation says of itself: what the wait would end with, if this is no stale answer."""
    if (ended := failure_result(report.status)) is not None:
        return ended
    if until == "preview":
        is_there = report.status.is_success or operation.kind == "golive" or preview_is_ready(report)
    else:
        is_there = report.status.is_success or report.live_step_is_done
    return WaitResult.REACHED if is_there else None


def is_confirmed_by_list(entry: OperationSummary | None, report: StatusReport, result: WaitResult) -> bool:
    """Say whether the list agrees that this operation ended, or got there, as it says of itself.

    Both must speak of the same publication, and the list must not contradict. An operation that the list does
    not show yet has not ended: the answer may be the one before it.
    """
    if entry is None:
        return False
    numbers = (entry.publishing_version, report.publishing_version)
    if None not in numbers and numbers[0] != numbers[1]:
        return False
    if result is WaitResult.FAILED:
        return entry.status.is_failure
    if result is WaitResult.CANCELED:
        return entry.status.is_canceled
    if report.status.is_success:
        return entry.status.is_success
    return entry.status.is_success or entry.status in (Status.RUNNING, Status.WAITING_FOR_PUBLISHER_REVIEW)


def find_go_live_operation(operation: Operation, submissions: Iterable[OperationSummary]) -> OperationSummary | None:
    """Find the go-live operation that follows a publish operation, where the portal makes it one of its own."""
    entries = newest_first(submissions)
    own = find_operation(operation, entries)
    number = own.publishing_version if own is not None else None
    found = (entry for entry in entries if entry.kind == "golive" and entry is not own)
    return next((entry for entry in found if number is None or entry.publishing_version in (None, number)), None)
