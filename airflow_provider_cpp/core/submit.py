# SPDX-License-Identifier: Apache-2.0
"""Publishing: at most once in a run of the task, and where that cannot be proved, not at all.

No API of the marketplace takes a key that would make a second order harmless. What there is: the list of operations,
whose ids are written down before the order, and the rule that an offer has one operation at a time. How an API is
asked for these is its own; what follows from the answers is here, once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.core.checkpoint import Note, TaskRun
from airflow_provider_cpp.core.effects import Flow, Keep, Now, Tell, ask
from airflow_provider_cpp.core.http import Call
from airflow_provider_cpp.core.offer_state import Patience, Situation, find_new, new_ones, only_one
from airflow_provider_cpp.core.operations import Operation, Submission, newest_first
from airflow_provider_cpp.core.params import Publish
from airflow_provider_cpp.core.submit_backend import Desk, is_taken_perhaps
from airflow_provider_cpp.core.verdict import find_entry
from airflow_provider_cpp.exceptions import (
    Conflict,
    OperationRunning,
    OutcomeUnknown,
    PortalError,
    Refused,
    TaskRunUnknownError,
)


def order_once(desk: Desk, wanted: Publish) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did.

    :raises OperationRunning: if somebody else's operation runs; nothing was ordered.
    :raises OutcomeUnknown: if it cannot be known whether this try or an earlier one ordered.
    :raises TaskRunUnknownError: if it cannot be known whether the task is retried or was cleared, and that matters.
    :raises ConfigurationError: if an earlier try noted another offer.
    """
    attempt, note, own = wanted.attempt, wanted.attempt.note, None
    if note is not None:
        note.check(wanted.offer, "publish")
        own = note.operation or (yield from _settle(desk, wanted, note))
        is_same_run = attempt.task_run is TaskRun.SAME
        if own is not None and (is_same_run or (yield from desk.still_runs(own))):
            if not is_same_run:  # it is this run's from now on, also once it has ended
                yield Keep(replace(note, counts=attempt.counts, operation=own).to_payload())
            yield Tell(f"offer {wanted.offer}: this task published it before, going on with operation {own.name}")
            return own
        if attempt.task_run is TaskRun.UNDECIDED:
            submitted = f"operation {own.name}, which has ended" if own else "no operation that shows"
            raise TaskRunUnknownError(str(wanted.offer), submitted)
    elif attempt.store_was_emptied:
        yield Tell(f"offer {wanted.offer}: {STORE_WAS_EMPTIED}", logging.WARNING)
        yield from _wait_for_what_shows(desk, wanted, own)
    elif attempt.lacks_history:
        found = yield from _without_note(desk, wanted)
        if found is not None:
            return found
    return (yield from _order(desk, wanted, own))


STORE_WAS_EMPTIED = (
    "Airflow kept no checkpoint of this task when it was cleared; waiting for the settle time, so that a publish that was"
    " submitted before the clear can show"
)


def _settle(desk: Desk, wanted: Publish, note: Note) -> Flow[Operation | None]:
    """Find out what became of an order whose answer nobody read."""
    operation = desk.operation(wanted.offer, note.noted_at)
    try:
        found = yield from find_new(
            desk.submissions, operation, note.known, Patience(note.noted_at, wanted.attempt.settle_time)
        )
    except OutcomeUnknown:
        now_there = yield from desk.situation(wanted.offer)
        if wanted.attempt.task_run is not TaskRun.CLEARED or now_there.running is not None or now_there.hides_work:
            raise
        return None  # the task was cleared since, and whichever of them was its own does not run any more
    if found is None:
        now_there = yield from desk.situation(wanted.offer)
        if not (late := new_ones(now_there.entries, note.known, "publish")):
            if now_there.hides_work:
                raise _unseen(wanted, now_there)
            return None
        found = only_one(operation, late)
    yield Tell(f"offer {wanted.offer}: {found.description} is new since an earlier try's order, and taken for its")
    return (yield from _attach(desk, note, [found]))


def _without_note(desk: Desk, wanted: Publish) -> Flow[Operation | None]:
    """Decide by the list alone: what changed since the DAG run began may be an earlier try's that could leave no note.

    So it is before Airflow 3.3, and for the first try after an upgrade to it.
    """
    attempt = wanted.attempt
    began: datetime = yield Now()
    while True:
        now_there = yield from desk.situation(wanted.offer)
        running = now_there.running
        if running is not None:
            _check_own(wanted, now_there, running)
            text = f"{running.description} runs, and is taken for an earlier try's of this task"
            yield Tell(f"offer {wanted.offer}: {text}", logging.WARNING)
            return replace(desk.operation(wanted.offer, running.changed_at or began), operation_id=running.id)
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
    if not attempt.is_recent(running.changed_at) and not attempt.counts.was_cleared:
        raise OperationRunning(str(wanted.offer), running.description)
    is_publish = running.kind == "publish" and running.status.is_under_way
    is_alone = [entry for entry in now_there.entries if entry.status.is_open] == [running]
    # The first try would have refused, for good, what ran when it looked; one that waits goes on instead. With notes
    # at hand nobody's operation is guessed to be our own: no note can as well mean that no earlier try came to execute.
    if attempt.counts.was_cleared or attempt.waits_for_others or attempt.can_note or not is_publish or not is_alone:
        raise _undecidable(wanted, running)


def _unseen(wanted: Publish, now_there: Situation) -> OutcomeUnknown:
    reason = f"its status is {now_there.report.word}, but its operations do not show what runs"
    return OutcomeUnknown(str(wanted.offer), "publish", reason)


def _undecidable(wanted: Publish, entry: Submission) -> OutcomeUnknown:
    reason = f"an earlier try of this task may have sent it, and {entry.description} is there"
    return OutcomeUnknown(str(wanted.offer), "publish", reason)


def _order(desk: Desk, wanted: Publish, own: Operation | None) -> Flow[Operation]:
    """Submit; after a conflict with nothing that shows, once more when what the list may lag behind had time to show.

    :param own: the operation of the run of the task before a clear: while it is in progress, it is gone on with.
    :raises Conflict: if the second submit is refused like the first one, in the API's own words.
    """
    try:
        return (yield from _order_now(desk, wanted, own))
    except Conflict as error:
        text = f"{error}; nothing shows as in progress: waiting for the settle time, then submitting once more"
        yield Tell(text, logging.WARNING)
    if wanted.attempt.lacks_history:
        found = yield from _without_note(desk, wanted)
    else:
        found = yield from _wait_for_what_shows(desk, wanted, own)
    return found if found is not None else (yield from _order_now(desk, wanted, own))


def _wait_for_what_shows(desk: Desk, wanted: Publish, own: Operation | None) -> Flow[Operation | None]:
    """Poll for the settle time; None if nothing shows as in progress by then.

    :raises OperationRunning: if something does.
    """
    began: datetime = yield Now()
    patience = Patience(began, wanted.attempt.settle_time)
    while True:
        try:
            now_there = yield from desk.situation(wanted.offer)
        except PortalError as error:
            yield Tell(f"{error}; polling again", logging.WARNING)
        else:
            if now_there.running is not None:
                return (yield from _in_the_way(desk, wanted, now_there, own))
        if not (yield from patience.pause()):
            return None


def _order_now(desk: Desk, wanted: Publish, own: Operation | None) -> Flow[Operation]:
    """Look once more, note what is there, and order.

    :raises Conflict: if the API says that another operation is in the way, and none shows.
    """
    offer, attempt = wanted.offer, wanted.attempt
    before = newest_first((yield from desk.submissions(offer)))
    if (late := _late(wanted, before)) is not None:
        return (yield from _attach(desk, *late))
    now_there = (yield from desk.situation(offer)) if any(entry.status.is_open for entry in before) else None
    if now_there is not None and now_there.running is not None:
        return (yield from _in_the_way(desk, wanted, now_there, own))
    now: datetime = yield Now()
    known = attempt.own_note.known if attempt.own_note else tuple(entry.id for entry in before)
    note = Note(offer, "publish", now, attempt.counts, known, wanted.draft)
    call = yield from desk.prepare(wanted)
    yield Keep(note.to_payload())
    return (yield from _send(desk, wanted, note, own, call))


def _late(wanted: Publish, entries: Iterable[Submission]) -> tuple[Note, list[Submission]] | None:
    """Return what is new since this run's own note, which is open; whatever that is, it is not published over."""
    note = wanted.attempt.own_note
    new = new_ones(entries, note.known, "publish") if note is not None else []
    return (note, new) if note is not None and new else None


def _send(desk: Desk, wanted: Publish, note: Note, own: Operation | None, call: Call[str | None]) -> Flow[Operation]:
    """Order once, and find out which operation that made."""
    offer, now = wanted.offer, note.noted_at
    try:
        location = yield from ask(call)
    except PortalError as error:
        if not is_taken_perhaps(error):
            return (yield from _refused(desk, wanted, own, error))
        yield Tell(f"{error}; it may have been taken all the same, looking for a new operation", logging.WARNING)
        return (yield from _unanswered(desk, wanted, note, error))
    if location is None:
        return (yield from _unanswered(desk, wanted, note, None))
    operation = desk.operation(offer, now, location)
    yield Keep(replace(note, operation=operation).to_payload())
    if operation.operation_id is not None:
        return operation
    try:
        found = yield from desk.identify(wanted, operation, note)
    except Conflict as error:  # any other failure may be that of what the job began
        return (yield from _refused(desk, wanted, own, error))
    if found != operation:
        yield Keep(replace(note, operation=found).to_payload())
    return found


def _in_the_way(desk: Desk, wanted: Publish, now_there: Situation, own: Operation | None) -> Flow[Operation]:
    """Go on with what is in progress if it is this task's own; nobody else's is taken for it.

    :param own: the task's operation of before it was cleared.
    """
    if (late := _late(wanted, now_there.entries)) is not None:
        return (yield from _attach(desk, *late))
    note, running = wanted.attempt.note, now_there.running
    if own is None or note is None or running is None or find_entry(own, [running]) is None:
        raise OperationRunning(str(wanted.offer), running.description if running else "another operation")
    yield Keep(replace(note, counts=wanted.attempt.counts, operation=own).to_payload())
    yield Tell(f"offer {wanted.offer}: this task's own {running.description} still runs, going on with it")
    return own


def _unanswered(desk: Desk, wanted: Publish, note: Note, lost: PortalError | None) -> Flow[Operation]:
    """Look for what an order began whose answer was lost, or named nothing."""
    operation = desk.operation(wanted.offer, note.noted_at)
    found = yield from find_new(
        desk.submissions, operation, note.known, Patience(note.noted_at, wanted.attempt.settle_time)
    )
    if found is None:
        reason = str(lost) if lost else "the answer named no operation on this host"
        raise OutcomeUnknown(str(wanted.offer), "publish", reason, may_settle=True) from lost
    return (yield from _attach(desk, note, [found]))


def _attach(desk: Desk, note: Note, new: list[Submission]) -> Flow[Operation]:
    """Take the one new operation for the order's, and note it."""
    operation = desk.operation(note.offer, note.noted_at)
    operation = replace(operation, operation_id=only_one(operation, new).id)
    yield Keep(replace(note, operation=operation).to_payload())
    return operation


def _refused(desk: Desk, wanted: Publish, own: Operation | None, error: PortalError) -> Flow[Operation]:
    """End a try whose order was certainly not taken; what an earlier try of this run noted stands again.

    :raises OutcomeUnknown: if an earlier try of this run submitted, nothing shows, and yet another operation is in the way.
    :raises Conflict: if no earlier try did, so that it may help to submit once more.
    """
    there = wanted.attempt.note
    yield Keep(there.to_payload() if there else None)
    if not isinstance(error, (Conflict, Refused)):
        raise error
    try:
        now_there: Situation | None = yield from desk.situation(wanted.offer)
    except PortalError:  # the refusal says more than that the portal could not be asked about it
        now_there = None
    if now_there is not None:
        if now_there.running is not None or _late(wanted, now_there.entries) is not None:
            return (yield from _in_the_way(desk, wanted, now_there, own))
        if now_there.hides_work and isinstance(error, Conflict):
            raise OperationRunning(str(wanted.offer), f"another operation ({error})") from error
    if isinstance(error, Conflict) and wanted.attempt.own_note is not None:
        shown = "none of the offer's operations is new" if now_there else "the offer's operations cannot be read"
        reason = f"an earlier try of this task submitted it, {shown}, and now: {error}"
        raise OutcomeUnknown(str(wanted.offer), "publish", reason, may_settle=now_there is None) from error
    raise error
