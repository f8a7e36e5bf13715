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
from airflow_provider_cpp.apis.cloud_partner_portal.location import id_in_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import look_again, situation
from airflow_provider_cpp.core.effects import Flow, Now, Tell, ask
from airflow_provider_cpp.core.offer_state import Patience, Situation, is_of_kind
from airflow_provider_cpp.core.operations import Operation, Submission
from airflow_provider_cpp.core.params import MOST_ORDERS, STALE_FOR, GoLive
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.core.verdict import find_entry
from airflow_provider_cpp.exceptions import Conflict, NotParked, OutcomeUnknown, PortalError, Refused


def go_live(wanted: GoLive) -> Flow[Operation]:
    """Sign off what is parked, or find the operation by which an earlier try did.

    :raises NotParked: if nothing is parked, or another publication than was meant.
    :raises OutcomeUnknown: if the offer stays parked though it was ordered, or what became of the order cannot be seen.
    """
    began: datetime = yield Now()
    ordered = not wanted.attempt.is_first
    if ordered:
        # An earlier try's order may be on its way: parked counts only once it had the time to show.
        before, taken = yield from _watch_earlier(wanted, began)
        if taken is not None:
            yield Tell(f"offer {wanted.offer}: an earlier try of this task went live with it, going on with that")
            return taken
    else:
        before = yield from _parked(wanted, Patience(began, min(wanted.attempt.settle_time, STALE_FOR)))
    lost: PortalError | None = None
    for _ in range(MOST_ORDERS):
        operation, lost = yield from _order(wanted, before, ordered=ordered)
        if operation is not None:
            return operation
        ordered = True
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


def _order(wanted: GoLive, before: Situation, *, ordered: bool) -> Flow[tuple[Operation | None, PortalError | None]]:
    """Order once; returns the operation, or None with what was lost if the offer stayed parked all the same.

    :param before: how the offer stood.
    :param ordered: whether an order before this one may yet be taken: then it is no refusal that the offer left.
    """
    now: datetime = yield Now()
    lost: PortalError | None = None
    try:
        location = yield from ask(endpoints.go_live(wanted.offer))
    except PortalError as error:
        may_be_taken = is_taken_perhaps(error)
        if isinstance(error, (Conflict, Refused)):
            now_there = yield from situation(wanted.offer)
            may_be_taken = ordered and not now_there.report.is_parked
            if not may_be_taken:
                _check(wanted, now_there)
        if not may_be_taken:
            raise
        yield Tell(f"{error}; it may have been taken all the same, looking where the offer stands", logging.WARNING)
        lost, location = error, None
    if location is None:
        return (yield from _watch(wanted, before, now)), lost
    identifier = id_in_location(location)
    if identifier is None and (after := (yield from look_again(wanted.offer))) is not None:
        entry = _new_entry(after, before)
        identifier = entry.id if entry is not None else None
    return Operation(wanted.offer, "golive", now, identifier, location), None


def _watch(wanted: GoLive, before: Situation, began: datetime) -> Flow[Operation | None]:
    """Look what an order of this try began, whose answer was lost; None if the offer is parked all the same.

    :raises OutcomeUnknown: if the offer left, and how cannot be told.
    """
    patience = Patience(began, wanted.attempt.settle_time)
    while True:
        now_there = yield from look_again(wanted.offer)
        entry = _new_entry(now_there, before) if now_there is not None else None
        if entry is not None:
            return Operation(wanted.offer, "golive", began, entry.id)
        if not (yield from patience.pause()):
            break
    if now_there is None:
        raise OutcomeUnknown(str(wanted.offer), "golive", "the portal does not say where it stands", may_settle=True)
    if now_there.report.is_parked:
        return None
    # It went live without an operation of its own, as far as the list shows: the publication's goes on.
    entry = _newest_publish(now_there)
    if entry is None or entry.id not in _ids(before) or not _goes_on(now_there):
        there = entry.description if entry is not None else "no operation"
        reason = f"it does not wait for its publisher any more, its status is {now_there.report.word}, with {there}"
        raise OutcomeUnknown(str(wanted.offer), "golive", reason)
    return Operation(wanted.offer, "golive", began, entry.id)


def _watch_earlier(wanted: GoLive, began: datetime) -> Flow[tuple[Situation, Operation | None]]:
    """Look what an earlier try may have begun; None if the offer is parked when the settle time is over.

    :raises NotParked: if nothing is parked, and nothing shows that an earlier try went live.
    """
    patience = Patience(began, wanted.attempt.settle_time)
    while True:
        now_there = yield from situation(wanted.offer)
        entry = _recent_entry(wanted, now_there)
        if entry is not None:
            return now_there, Operation(wanted.offer, "golive", began, entry.id)
        if not now_there.report.is_parked and not now_there.report.status.is_at_work:
            break
        if not (yield from patience.pause()):
            break
    _check(wanted, now_there)
    return now_there, None


def _ids(now_there: Situation) -> frozenset[str]:
    return frozenset(entry.id for entry in now_there.entries)


def _newest_publish(now_there: Situation) -> Submission | None:
    return next((entry for entry in now_there.entries if is_of_kind(entry, "publish")), None)


def _goes_on(now_there: Situation) -> bool:
    """Say whether an offer that is not parked any more went live, or is on its way; else it was canceled, say."""
    report = now_there.report
    return report.status.is_at_work or report.status.is_success or report.is_beyond_sign_off


def _new_entry(now_there: Situation, before: Situation) -> Submission | None:
    """Find the going live that was not there before the order."""
    new = (entry for entry in now_there.entries if entry.id not in _ids(before))
    return next((entry for entry in new if is_of_kind(entry, "golive")), None)


def _recent_entry(wanted: GoLive, now_there: Situation) -> Submission | None:
    """Find what an earlier try may have begun: a going live of this DAG run, or a publication beyond its sign-off.

    Only of the publication that is meant, or else the newest: the DAG run may have gone live with others before.
    """
    meant, number = _newest_publish(now_there), None
    if wanted.operation is not None:
        meant, number = find_entry(wanted.operation, now_there.entries), wanted.operation.publishing_version
    number = meant.publishing_version if meant is not None else number
    recent = [entry for entry in now_there.entries if wanted.attempt.is_recent(entry.changed_at)]
    own = next(
        (e for e in recent if e.kind == "golive" and (number is None or e.publishing_version in (None, number))), None
    )
    report = now_there.report
    if report.is_parked:
        return own if own is not None and own.status.is_under_way else None  # one that ended is not what waits now
    if own is not None:
        return own
    goes_live = report.is_beyond_sign_off and report.status.is_at_work and meant is _newest_publish(now_there)
    return meant if goes_live or (report.status.is_success and meant in recent) else None


def _check(wanted: GoLive, now_there: Situation) -> None:
    """Refuse to go live with what is not parked, or not meant."""
    if not now_there.report.is_parked:
        newest = now_there.entries[0].description if now_there.entries else "it has no operation"
        raise NotParked(str(wanted.offer), f"its status is {now_there.report.word}, {newest}")
    if wanted.operation is None:
        return
    newest_publish = _newest_publish(now_there)
    if newest_publish is None or find_entry(wanted.operation, [newest_publish]) is None:
        meant = wanted.operation.operation_id or wanted.operation.location
        there = newest_publish.description if newest_publish else "none that is listed"
        raise NotParked(str(wanted.offer), f"operation {meant} was meant, but what is parked is {there}")
