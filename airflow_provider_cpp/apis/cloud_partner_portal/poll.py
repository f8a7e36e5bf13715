# SPDX-License-Identifier: Apache-2.0
"""What one look at the portal sees: of an offer, of its operations, of one of them."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.verdict import confirms, going_live, judge_operation
from airflow_provider_cpp.core.effects import Flow, Now, Tell, ask, ask_again, fetch
from airflow_provider_cpp.core.models import OfferRef, Report
from airflow_provider_cpp.core.offer_state import Situation
from airflow_provider_cpp.core.operations import GRACE, Operation, Submission, newest_first
from airflow_provider_cpp.core.outcome import Result
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.verdict import ended_badly, find_entry, judge_offer
from airflow_provider_cpp.core.wait import Sighting, sighting
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import ConfigurationError, NotFound, PortalError


def situation(offer: OfferRef) -> Flow[Situation]:
    """Look at an offer's operations and at its status."""
    entries = newest_first((yield from fetch(endpoints.list_submissions(offer))))
    return Situation(tuple(entries), (yield from fetch(endpoints.get_offer_status(offer))))


def look_again(offer: OfferRef) -> Flow[Situation | None]:
    """Look after an order: a look that fails is told, and None, since the order may be with the portal."""
    try:
        return (yield from situation(offer))
    except PortalError as error:
        yield Tell(f"{error}; the order may be with the portal, asking again", logging.WARNING)
        return None


def look(watch: Watch, memory: Memory) -> Flow[Sighting]:
    """Look once; what fails raises.

    :param memory: what earlier looks of the wait saw: while what goes live is an operation of its own, it is asked alone;
        and an answer that said that the wait goes on says so again while it is the same, since no clock changes that.
    :raises PortalError: if the portal did not answer, or not as it promises.
    """
    if watch.operation is not None:
        seen = yield from _look_at_going_live(watch, memory)
        return seen if seen is not None else (yield from _look_at_operation(watch, watch.operation, memory.seen))
    if watch.until == "idle":
        now_there = yield from situation(watch.offer)
        is_idle = now_there.running is None and not now_there.hides_work
        return sighting(watch, now_there.report, Result.REACHED if is_idle else None)
    report, mark = yield from ask_again(endpoints.get_offer_status(watch.offer), memory.seen)
    if report is None:
        return Sighting(None, mark=mark)
    return sighting(watch, report, judge_offer(report, watch.until), mark)


def _look_at_operation(watch: Watch, operation: Operation, seen: bytes) -> Flow[Sighting]:
    try:
        report, mark = yield from ask_again(endpoints.get_operation(operation), seen)
    except NotFound:
        return (yield from _not_there_yet(operation))
    if report is None:
        return Sighting(None, mark=mark)
    result = judge_operation(operation, report, watch.until)
    if result is None:
        return sighting(watch, report, None, mark)
    entries = yield from ask(endpoints.list_submissions(watch.offer))
    if not confirms(find_entry(operation, entries), report, result):
        # Perhaps the publication before this one: neither believed nor told.
        return Sighting(None, is_ending=True)
    if result is Result.REACHED and watch.until == "live":
        return (yield from _look_at_offer_too(watch, operation, report, entries))
    return sighting(watch, report, result)


def _look_at_offer_too(
    watch: Watch, operation: Operation, report: Report, entries: tuple[Submission, ...]
) -> Flow[Sighting]:
    """Ask the second witness: the operation is done, and the offer is live only if it says so itself."""
    offer_report = yield from ask(endpoints.get_offer_status(watch.offer))
    successor = going_live(operation, entries)
    if successor is not None and not successor.status.is_success:
        return replace(sighting(watch, offer_report, ended_badly(successor.status)), going_live=successor.id)
    if offer_report.status.is_success:
        return sighting(watch, report if report.status.is_success else offer_report, Result.REACHED)
    told = offer_report if not offer_report.status.is_terminal else None
    return Sighting(told, is_ending=report.live_step_is_done or told is None)


def _look_at_going_live(watch: Watch, memory: Memory) -> Flow[Sighting | None]:
    """Look at the operation that goes live, if it is known; while it says itself that it has not ended, nothing has.

    :returns: None if there is more to look at.
    """
    name = memory.going_live
    if watch.operation is None or not name:
        return None
    try:
        call = endpoints.get_operation(Operation(watch.offer, "golive", watch.operation.submitted_at, name))
    except ConfigurationError:  # the list's ids are the portal's, and need not fit into a path
        memory.follow(None)
        return None
    try:
        report, mark = yield from ask_again(call, memory.seen)
    except NotFound:
        memory.follow(None)
        return None
    if report is None:
        return Sighting(None, going_live=name, mark=mark)
    if report.status.is_terminal or report.live_step_is_done:
        return None
    return replace(sighting(watch, report, None, mark), going_live=name)


def _not_there_yet(operation: Operation) -> Flow[Sighting]:
    """Let some minutes pass for an operation that was just accepted; after them, its absence is an error."""
    now: datetime = yield Now()
    if operation.may_be_unknown(now):
        return Sighting(None)
    name = operation.operation_id or operation.location
    text = f"the portal does not know it, {GRACE.total_seconds() / 60:g} minutes after its order"
    raise NotFound(f"operation {name} of offer {operation.offer}", status=404, text=text)
