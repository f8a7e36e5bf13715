# SPDX-License-Identifier: Apache-2.0
"""Going live: the offer's own state says whether it was ordered already, so no note is needed.

It is ordered only while the offer is parked at its publisher's sign-off. Where the answer is lost, still parked
after the settle time means that it was not taken, and no longer parked means that it was.

`Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_cpp.portal import calls
from airflow_provider_cpp.portal.attempt import Attempt
from airflow_provider_cpp.portal.errors import Conflict, NotParked, OutcomeUnknown, PortalError, Refused
from airflow_provider_cpp.portal.flows import Flow, Now, Tell, ask
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.operations import Operation, Submission, id_in_location
from airflow_provider_cpp.portal.publishing import is_taken_perhaps
from airflow_provider_cpp.portal.settling import Patience, Situation, is_of_kind, situation
from airflow_provider_cpp.portal.verdict import find_entry

MOST_ORDERS = 2
"""How often one try orders: a second time only after the offer stayed parked for the whole settle time."""

STALE_FOR = 60.0
"""Seconds for which a status that is not parked may be the last publication's: the preview has just been reached."""


@dataclass(frozen=True, slots=True)
class GoLive:
    """What is to go live.

    :param offer: the offer.
    :param attempt: which try this is.
    :param operation: the publish operation whose preview is meant; None for whichever is parked.
    """

    offer: OfferRef
    attempt: Attempt
    operation: Operation | None = None


def go_live(wanted: GoLive) -> Flow[Operation]:
    """Sign off what is parked, or find the operation by which an earlier try did.

    :raises NotParked: if nothing is parked, or another publication than was meant.
    :raises OutcomeUnknown: if the offer stays parked though it was ordered.
    """
    began: datetime = yield Now()
    if not wanted.attempt.is_first:
        # An earlier try's order may be on its way: parked counts only once it had the time to show.
        before, taken = yield from _watch(wanted, None, began)
        if taken is not None:
            yield Tell(f"offer {wanted.offer}: an earlier try of this task went live with it, going on with that")
            return taken
    else:
        before = yield from _parked(wanted, Patience(began, min(wanted.attempt.settle_time, STALE_FOR)))
    lost: PortalError | None = None
    for _ in range(MOST_ORDERS):
        operation, lost = yield from _order(wanted, before)
        if operation is not None:
            return operation
    reason = f"it still waits for its publisher's sign-off; last: {lost or 'the answer named no operation'}"
    raise OutcomeUnknown(str(wanted.offer), "golive", reason, may_settle=True) from lost


def _parked(wanted: GoLive, patience: Patience) -> Flow[Situation]:
    """Look until what is meant is parked, but not for long.

    :raises NotParked: if it is not.
    """
    while True:
        now_there = yield from situation(wanted.offer)
        try:
            _check(wanted, now_there)
        except NotParked:
            if not (yield from patience.pause()):
                raise
        else:
            return now_there


def _order(wanted: GoLive, before: Situation) -> Flow[tuple[Operation | None, PortalError | None]]:
    """Order once; returns the operation, or None with what was lost if the offer stayed parked all the same."""
    now: datetime = yield Now()
    lost: PortalError | None = None
    try:
        location = yield from ask(calls.go_live(wanted.offer))
    except PortalError as error:
        if isinstance(error, (Conflict, Refused)):
            _check(wanted, (yield from situation(wanted.offer)))
        if not is_taken_perhaps(error):
            raise
        yield Tell(f"{error}; it may have been taken all the same, looking where the offer stands", logging.WARNING)
        lost, location = error, None
    identifier = id_in_location(location)
    if location is not None and identifier is not None:
        return Operation(wanted.offer, "golive", now, identifier, location), None
    if location is not None:
        entry = _new_entry((yield from situation(wanted.offer)), before)
        return Operation(wanted.offer, "golive", now, entry.id if entry else None, location), None
    _, taken = yield from _watch(wanted, before, now)
    return taken, lost


def _watch(wanted: GoLive, before: Situation | None, began: datetime) -> Flow[tuple[Situation, Operation | None]]:
    """Look until the offer is no longer parked, or the settle time is over.

    :param before: how it stood before the order; None where an earlier try may have sent it.
    """
    patience = Patience(began, wanted.attempt.settle_time)
    while True:
        now_there = yield from situation(wanted.offer)
        entry = _new_entry(now_there, before) if before else _recent_entry(now_there, wanted.attempt)
        if entry is not None:
            return now_there, Operation(wanted.offer, "golive", began, entry.id)
        if before is None and not now_there.report.is_parked:
            _check(wanted, now_there)
        if not (yield from patience.pause()):
            break
    if now_there.report.is_parked:
        if before is None:
            _check(wanted, now_there)
        return now_there, None
    # It went live without an operation of its own, as far as the list shows: the publication's goes on.
    entry = next((entry for entry in now_there.entries if is_of_kind(entry, "publish")), None)
    if entry is None:
        raise OutcomeUnknown(str(wanted.offer), "golive", "the offer is not parked any more, and lists no operation")
    return now_there, Operation(wanted.offer, "golive", began, entry.id)


def _new_entry(now_there: Situation, before: Situation) -> Submission | None:
    known = {entry.id for entry in before.entries}
    return next((entry for entry in now_there.entries if entry.kind == "golive" and entry.id not in known), None)


def _recent_entry(now_there: Situation, attempt: Attempt) -> Submission | None:
    """Find what an earlier try may have begun: a go-live of this DAG run, or a publication beyond its sign-off."""
    recent = [entry for entry in now_there.entries if attempt.is_recent(entry.changed_at)]
    own = next((entry for entry in recent if entry.kind == "golive"), None)
    report = now_there.report
    if own is not None or report.is_parked or not (report.is_beyond_sign_off or report.status.is_success):
        return own
    return next((entry for entry in recent if is_of_kind(entry, "publish")), None)


def _check(wanted: GoLive, now_there: Situation) -> None:
    """Refuse to go live with what is not parked, or not meant."""
    if not now_there.report.is_parked:
        newest = now_there.entries[0].description if now_there.entries else "it has no operation"
        raise NotParked(str(wanted.offer), f"its status is {now_there.report.word}, {newest}")
    newest_publish = next((entry for entry in now_there.entries if is_of_kind(entry, "publish")), None)
    if wanted.operation is None:
        return
    if newest_publish is None or find_entry(wanted.operation, [newest_publish]) is None:
        meant = wanted.operation.operation_id or wanted.operation.location
        there = newest_publish.description if newest_publish else "none that is listed"
        raise NotParked(str(wanted.offer), f"operation {meant} was meant, but what is parked is {there}")
