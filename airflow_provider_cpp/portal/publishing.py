# SPDX-License-Identifier: Apache-2.0
"""Publishing: at most once in a run of the task, and where that cannot be proved, not at all.

The API takes no key that would make a second order harmless. What there is: the list of operations, whose ids
are written down before the order, and the portal's own rule that an offer has one operation at a time.

`Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_cpp.portal import calls
from airflow_provider_cpp.portal.attempt import Attempt, Note
from airflow_provider_cpp.portal.errors import (
    BadReply,
    Conflict,
    NotFound,
    OperationRunning,
    OutcomeUnknown,
    PortalError,
    Refused,
    ServerFault,
    Unreachable,
)
from airflow_provider_cpp.portal.flows import Flow, Keep, Now, Tell, ask, fetch
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.operations import Operation, Submission, id_in_location, newest_first
from airflow_provider_cpp.portal.settling import (
    Patience,
    Situation,
    find_new,
    new_ones,
    only_one,
    situation,
)
from airflow_provider_cpp.portal.verdict import find_entry


@dataclass(frozen=True, slots=True)
class Publish:
    """What is to be published.

    :param offer: the offer.
    :param notification_emails: who is told by mail.
    :param attempt: which try this is.
    :param draft: the version of its draft, where that is known: a later try tells it to people.
    """

    offer: OfferRef
    notification_emails: tuple[str, ...]
    attempt: Attempt
    draft: int | None = None


def publish(wanted: Publish) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did.

    :raises OperationRunning: if somebody else's operation runs; nothing was ordered.
    :raises OutcomeUnknown: if it cannot be known whether this try or an earlier one ordered.
    :raises ConfigurationError: if an earlier try noted another offer.
    """
    attempt, note, own = wanted.attempt, wanted.attempt.note, None
    if note is not None:
        note.check(wanted.offer, "publish")
        own = note.operation or (yield from _settle(wanted, note))
        if own is not None and (attempt.own_note is not None or (yield from _still_runs(own))):
            if attempt.own_note is None:  # it is this run's from now on, also once it has ended
                yield Keep(replace(note, run=attempt.run, operation=own).to_payload())
            yield Tell(f"offer {wanted.offer}: this task published it before, going on with operation {own.name}")
            return own
    elif not (attempt.is_first or attempt.knows_earlier):
        found = yield from _without_note(wanted)
        if found is not None:
            return found
    return (yield from _order(wanted, own))


def is_taken_perhaps(error: PortalError) -> bool:
    """Say whether an order whose answer this is may have been taken."""
    if isinstance(error, Unreachable):
        return error.sent
    return isinstance(error, (BadReply, ServerFault))


def _still_runs(operation: Operation) -> Flow[bool]:
    """Ask an operation itself, which the list may lag behind; parked counts as ended."""
    try:
        report = yield from fetch(calls.get_operation(operation))
    except NotFound:
        now: datetime = yield Now()
        return operation.may_be_unknown(now)
    return report.status.is_open and not report.is_parked


def _settle(wanted: Publish, note: Note) -> Flow[Operation | None]:
    """Find out what became of an order whose answer nobody read."""
    operation = Operation(wanted.offer, "publish", note.noted_at)
    try:
        found = yield from find_new(operation, note.known, Patience(note.noted_at, wanted.attempt.settle_time))
    except OutcomeUnknown:
        now_there = yield from situation(wanted.offer)
        if wanted.attempt.own_note is not None or now_there.running is not None or now_there.hides_work:
            raise
        return None  # the task was cleared since, and whichever of them was its own does not run any more
    if found is None:
        now_there = yield from situation(wanted.offer)
        if not (late := new_ones(now_there.entries, note.known, "publish")):
            if now_there.hides_work:
                raise _unseen(wanted, now_there)
            return None
        found = only_one(operation, late)
    yield Tell(f"offer {wanted.offer}: {found.description} is new since an earlier try's order, and taken for its")
    return (yield from _attach(note, [found]))


def _without_note(wanted: Publish) -> Flow[Operation | None]:
    """Decide by the list alone: what changed since the DAG run began may be an earlier try's that could leave no note.

    So it is before Airflow 3.3, and for the first try after an upgrade to it.
    """
    attempt = wanted.attempt
    began: datetime = yield Now()
    while True:
        now_there = yield from situation(wanted.offer)
        running = now_there.running
        if running is not None:
            _check_own(wanted, now_there, running)
            text = f"{running.description} runs, and is taken for an earlier try's of this task"
            yield Tell(f"offer {wanted.offer}: {text}", logging.WARNING)
            return Operation(wanted.offer, "publish", running.changed_at or began, running.id)
        recent = next((entry for entry in now_there.entries if attempt.is_recent(entry.changed_at)), None)
        if recent is not None:
            raise _undecidable(wanted, recent)
        if not (yield from Patience(began, attempt.settle_time).pause()):
            break
    if now_there.hides_work:
        raise _unseen(wanted, now_there)
    return None


def _check_own(wanted: Publish, now_there: Situation, running: Submission) -> None:
    """Refuse what runs unless it can be nobody's but an earlier try's.

    :raises OperationRunning: if it last changed before the DAG run began: it is somebody else's.
    :raises OutcomeUnknown: if it may be either's.
    """
    attempt = wanted.attempt
    if not attempt.is_recent(running.changed_at) and not attempt.was_cleared:
        raise OperationRunning(str(wanted.offer), running.description)
    is_publish = running.kind == "publish" and running.status.is_under_way
    is_alone = [entry for entry in now_there.entries if entry.status.is_open] == [running]
    # The first try would have refused, for good, what ran when it looked; one that waits goes on instead. With notes
    # at hand nobody's operation is guessed to be our own: no note can as well mean that no earlier try came to execute.
    if attempt.was_cleared or attempt.waits_for_others or attempt.can_note or not is_publish or not is_alone:
        raise _undecidable(wanted, running)


def _unseen(wanted: Publish, now_there: Situation) -> OutcomeUnknown:
    reason = f"its status is {now_there.report.word}, but its operations do not show what runs"
    return OutcomeUnknown(str(wanted.offer), "publish", reason)


def _undecidable(wanted: Publish, entry: Submission) -> OutcomeUnknown:
    reason = f"an earlier try of this task may have sent it, and {entry.description} is there"
    return OutcomeUnknown(str(wanted.offer), "publish", reason)


def _order(wanted: Publish, own: Operation | None) -> Flow[Operation]:
    """Look once more, note what is there, and order.

    :param own: the operation of the run of the task before a clear: while it runs, it is gone on with.
    """
    offer, attempt = wanted.offer, wanted.attempt
    before = newest_first((yield from fetch(calls.list_submissions(offer))))
    if attempt.own_note is not None and (late := new_ones(before, attempt.own_note.known, "publish")):
        return (yield from _attach(attempt.own_note, late))
    running = (yield from situation(offer)).running if any(entry.status.is_open for entry in before) else None
    if running is not None:
        return (yield from _in_the_way(wanted, running, own))
    now: datetime = yield Now()
    known = attempt.own_note.known if attempt.own_note else tuple(entry.id for entry in before)
    note = Note(offer, "publish", now, attempt.run, known, wanted.draft)
    yield Keep(note.to_payload())
    return (yield from _send(wanted, note, own))


def _send(wanted: Publish, note: Note, own: Operation | None) -> Flow[Operation]:
    """Order once, and find out which operation that made."""
    offer, now = wanted.offer, note.noted_at
    try:
        location = yield from ask(calls.publish_offer(offer, wanted.notification_emails))
    except PortalError as error:
        if not is_taken_perhaps(error):
            return (yield from _refused(wanted, note, own, error))
        yield Tell(f"{error}; it may have been taken all the same, looking for a new operation", logging.WARNING)
        return (yield from _unanswered(wanted, note, error))
    if location is None:
        return (yield from _unanswered(wanted, note, None))
    operation = Operation(offer, "publish", now, id_in_location(location), location)
    yield Keep(replace(note, operation=operation).to_payload())
    if operation.operation_id is not None:
        return operation
    try:
        found = yield from find_new(operation, note.known, Patience(now, 0))
    except OutcomeUnknown:  # the portal took it, so its location is enough
        yield Tell(f"offer {offer}: several operations are new; going on with the location {location}", logging.WARNING)
        return operation
    if found is not None:
        operation = replace(operation, operation_id=found.id)
        yield Keep(replace(note, operation=operation).to_payload())
    return operation


def _in_the_way(wanted: Publish, running: Submission, own: Operation | None) -> Flow[Operation]:
    """Go on with what runs if it is this task's own, of before it was cleared; nobody else's is taken for it."""
    note = wanted.attempt.note
    if own is None or note is None or find_entry(own, [running]) is None:
        raise OperationRunning(str(wanted.offer), running.description)
    yield Keep(replace(note, run=wanted.attempt.run, operation=own).to_payload())
    yield Tell(f"offer {wanted.offer}: this task's own {running.description} still runs, going on with it")
    return own


def _unanswered(wanted: Publish, note: Note, lost: PortalError | None) -> Flow[Operation]:
    """Look for what an order began whose answer was lost, or named nothing."""
    operation = Operation(wanted.offer, "publish", note.noted_at)
    found = yield from find_new(operation, note.known, Patience(note.noted_at, wanted.attempt.settle_time))
    if found is None:
        reason = str(lost) if lost else "the answer named no operation on this host"
        raise OutcomeUnknown(str(wanted.offer), "publish", reason, may_settle=True) from lost
    return (yield from _attach(note, [found]))


def _attach(note: Note, new: list[Submission]) -> Flow[Operation]:
    """Take the one new operation for the order's, and note it."""
    operation = Operation(note.offer, note.kind, note.noted_at)
    operation = replace(operation, operation_id=only_one(operation, new).id)
    yield Keep(replace(note, operation=operation).to_payload())
    return operation


def _refused(wanted: Publish, note: Note, own: Operation | None, error: PortalError) -> Flow[Operation]:
    """End a try whose order was certainly not taken; what an earlier try of this run noted stands again."""
    earlier, there = wanted.attempt.own_note, wanted.attempt.note
    yield Keep(there.to_payload() if there else None)
    if not isinstance(error, (Conflict, Refused)):
        raise error
    try:
        now_there: Situation | None = yield from situation(wanted.offer)
    except PortalError:  # the refusal says more than that the portal could not be asked about it
        now_there = None
    new = new_ones(now_there.entries, note.known, "publish") if now_there else []
    if earlier is not None and len(new) == 1:
        return (yield from _attach(earlier, new))
    if now_there is not None and now_there.running is not None:
        return (yield from _in_the_way(wanted, now_there.running, own))
    if isinstance(error, Conflict):
        raise OperationRunning(str(wanted.offer), f"another operation ({error})") from error
    raise error
