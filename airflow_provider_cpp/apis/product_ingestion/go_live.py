# SPDX-License-Identifier: Apache-2.0
"""Going live with the submission that is in preview, by its id: that id is what makes it happen once.

It goes from preview to the market under its one id, so the list says whether an order was taken: while it is in
preview, no; once it is listed for the market, yes. Which one it was is noted before it is ordered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Entry, Job
from airflow_provider_cpp.apis.product_ingestion.poll import find_entry
from airflow_provider_cpp.apis.product_ingestion.publish import looks, refuse
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product, publications, report
from airflow_provider_cpp.core.checkpoint import Note
from airflow_provider_cpp.core.effects import Flow, Keep, Now, Sleep, Tell, ask, fetch
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import Patience
from airflow_provider_cpp.core.operations import INGESTION, Operation
from airflow_provider_cpp.core.params import MOST_ORDERS, STALE_FOR, GoLive
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.exceptions import (
    Conflict,
    NotParked,
    OperationRunning,
    OutcomeUnknown,
    PortalError,
    RequestError,
)


@dataclass(frozen=True, slots=True)
class _Sight:
    """A product as it stands.

    :param product: its bare id.
    :param entries: its submissions, the newest first.
    """

    product: str
    entries: tuple[Entry, ...]

    @property
    def parked(self) -> Entry | None:
        """The submission that waits in preview: the newest one, if it is complete and nothing else is open."""
        newest = next(iter(self.entries), None)
        if newest is None or newest.target is not Target.PREVIEW or not newest.state.is_success:
            return None
        return None if any(entry.state.is_open for entry in self.entries) else newest

    def live(self, submission: str) -> Entry | None:
        """Find a submission as it is listed for the market."""
        return next((e for e in self.entries if e.id == submission and e.target is Target.LIVE), None)

    @property
    def words(self) -> str:
        """Say where it stands."""
        there = f"{self.entries[0].id} {self.entries[0].word}" if self.entries else "nothing but a draft"
        return f"its status is {report(self.entries).word}, the newest is {there}"


def go_live(wanted: GoLive) -> Flow[Operation]:
    """Let what is in preview go live, or find the operation by which an earlier try did.

    :raises NotParked: if nothing waits in preview, or another publication than was meant.
    :raises OperationRunning: if another submission is in the way.
    :raises OutcomeUnknown: if it stays in preview though it was ordered.
    """
    attempt, note = wanted.attempt, wanted.attempt.note
    if note is not None:
        note.check(wanted.offer, "golive")
        if attempt.own_note is not None and note.operation is not None:
            yield Tell(f"offer {wanted.offer}: an earlier try went live with it, going on with {note.operation.name}")
            return note.operation
    began: datetime = yield Now()
    if note is not None or not (attempt.is_first or attempt.knows_earlier):
        found = yield from _of_earlier(wanted, began)
        if found is not None:
            if note is not None:  # it is this run's from now on, also where the task was cleared since
                yield Keep(replace(note, counts=attempt.counts, operation=found).to_payload())
            yield Tell(f"offer {wanted.offer}: an earlier try went live with it, going on with {found.name}")
            return found
    sight, meant = yield from _parked(wanted, Patience(began, min(attempt.settle_time, STALE_FOR)))
    lost: PortalError | None = None
    for _ in range(MOST_ORDERS):
        operation, lost = yield from _order(wanted, sight, meant)
        if operation is not None:
            return operation
    reason = f"it still waits in preview; last: {lost}"
    raise OutcomeUnknown(str(wanted.offer), "golive", reason, may_settle=True) from lost


def _sight(offer: OfferRef) -> Flow[_Sight]:
    product = yield from find_product(offer)
    return _Sight(product.guid, (yield from publications(product.guid, offer)))


def _look_again(offer: OfferRef) -> Flow[_Sight | None]:
    try:
        return (yield from _sight(offer))
    except PortalError as error:
        yield Tell(f"{error}; the order may be with the API, asking again", logging.WARNING)
        return None


def _of_earlier(wanted: GoLive, began: datetime) -> Flow[Operation | None]:
    """Look for the settle time what an earlier try may have begun; None if nothing shows, or another preview waits."""
    note = wanted.attempt.note
    patience = Patience(note.noted_at if note is not None else began, wanted.attempt.settle_time)
    while True:
        sight = yield from _sight(wanted.offer)
        meant = note.known[0] if note is not None and note.known else (yield from _meant(wanted, sight))
        entry = sight.live(meant) if meant is not None else _recent(wanted, sight)
        if sight.parked is not None and meant not in (None, sight.parked.id):
            return None
        if entry is not None:
            noted = note.operation if note is not None else None
            return noted or _operation(wanted, patience.began, entry.id)
        if sight.parked is None or not (yield from patience.pause()):
            return None


def _recent(wanted: GoLive, sight: _Sight) -> Entry | None:
    """Find what an earlier try without a note may have begun: what is going live, or did in this DAG run."""
    newest = next(iter(sight.entries), None)
    if newest is None or newest.target is not Target.LIVE:
        return None
    return newest if newest.state.is_open or wanted.attempt.is_recent(newest.created) else None


def _meant(wanted: GoLive, sight: _Sight) -> Flow[str | None]:
    """Return the id of the submission that a publish operation made; None if none is meant, or it is not to be found."""
    operation = wanted.operation
    if operation is None or operation.operation_id is not None:
        return operation.operation_id if operation is not None else None
    job: Job = yield from fetch(endpoints.get_job(operation))
    entry = find_entry(operation, job, sight.entries)
    return entry.id if entry is not None else ""


def _parked(wanted: GoLive, patience: Patience) -> Flow[tuple[_Sight, Entry]]:
    """Look until what is meant waits in preview, but not for long.

    :raises NotParked: if it does not.
    """
    while True:
        sight = yield from _sight(wanted.offer)
        parked, meant = sight.parked, (yield from _meant(wanted, sight))
        if parked is not None and meant in (None, parked.id):
            return sight, parked
        if not (yield from patience.pause()):
            if parked is None:
                raise NotParked(str(wanted.offer), sight.words)
            name = wanted.operation.name if wanted.operation is not None else meant
            raise NotParked(str(wanted.offer), f"operation {name} was meant, but what waits is {parked.id}")


def _order(wanted: GoLive, sight: _Sight, meant: Entry) -> Flow[tuple[Operation | None, PortalError | None]]:
    """Order once; returns the operation, or None with what was lost if it stays in preview all the same."""
    now: datetime = yield Now()
    note = Note(wanted.offer, "golive", now, wanted.attempt.counts, (meant.id,))
    yield Keep(note.to_payload())
    try:
        location = yield from ask(endpoints.go_live(wanted.offer, sight.product, meant.id))
    except PortalError as error:
        if not is_taken_perhaps(error):
            yield from _give_up(wanted, error)
            raise
        yield Tell(f"{error}; it may have been taken all the same, looking whether it goes live", logging.WARNING)
        found = yield from _shows(wanted, meant.id, Patience(now, wanted.attempt.settle_time))
        operation = _operation(wanted, now, meant.id) if found else None
        if operation is not None:
            yield Keep(replace(note, operation=operation).to_payload())
        return operation, error
    operation = _operation(wanted, now, meant.id, location)
    yield Keep(replace(note, operation=operation).to_payload())
    yield from _follow(wanted, operation)
    return operation, None


def _shows(wanted: GoLive, submission: str, patience: Patience) -> Flow[bool]:
    """Look whether a submission goes live, until a time."""
    while True:
        sight = yield from _look_again(wanted.offer)
        if sight is not None and sight.live(submission) is not None:
            return True
        if not (yield from patience.pause()):
            break
    if sight is not None and sight.parked is None:
        reason = f"{submission} does not wait in preview any more, and is not listed for the market; {sight.words}"
        raise OutcomeUnknown(str(wanted.offer), "golive", reason)
    if sight is None:
        raise OutcomeUnknown(str(wanted.offer), "golive", "the API does not say where it stands", may_settle=True)
    return False


def _follow(wanted: GoLive, operation: Operation) -> Flow[None]:
    """Look after an order for a minute, since this API refuses one only some seconds after it took it."""
    for pause in looks(wanted.attempt.settle_time):
        if pause:
            yield Sleep(pause)
        try:
            job: Job = yield from fetch(endpoints.get_job(operation))
            sight = yield from _sight(wanted.offer)
        except PortalError as error:
            yield Tell(f"{error}; the order is with the API, and goes on", logging.WARNING)
            return
        try:
            refuse(operation, job)
        except RequestError as error:
            yield from _give_up(wanted, error)
            raise
        if sight.live(operation.operation_id or "") is not None:
            return


def _give_up(wanted: GoLive, error: PortalError) -> Flow[None]:
    """Take the note of an order back that certainly was not taken, and say what is in its way.

    :raises NotParked: if another publication has taken its place.
    :raises OperationRunning: if another submission is at work.
    """
    yield Keep(wanted.attempt.note.to_payload() if wanted.attempt.note is not None else None)
    if not isinstance(error, Conflict):
        return
    sight = yield from _look_again(wanted.offer)
    running = next((e for e in sight.entries if e.state.is_open), None) if sight is not None else None
    if running is not None:
        raise OperationRunning(str(wanted.offer), f"operation {running.id} ({running.word})") from error
    raise NotParked(str(wanted.offer), str(error)) from error


def _operation(wanted: GoLive, at: datetime, submission: str, location: str | None = None) -> Operation:
    return Operation(wanted.offer, "golive", at, submission, location, INGESTION)
