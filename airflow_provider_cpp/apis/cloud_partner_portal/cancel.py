# SPDX-License-Identifier: Apache-2.0
"""Canceling: the one thing here that ends an operation, and only the one that was meant.

The portal's call names no operation, answers yes whether or not anything ran, and takes some minutes. So the one
that runs is looked at before, and awaited after.

`Cancel an operation <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import id_in_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import look_again, situation
from airflow_provider_cpp.core.checkpoint import Note, TaskRun
from airflow_provider_cpp.core.effects import Flow, Keep, Now, Sleep, Tell, ask
from airflow_provider_cpp.core.offer_state import Situation
from airflow_provider_cpp.core.operations import Operation, Submission
from airflow_provider_cpp.core.params import Cancel
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.core.verdict import find_entry
from airflow_provider_cpp.exceptions import NotCanceled, OperationRunning, OutcomeUnknown, PortalError


def cancel(wanted: Cancel) -> Flow[Operation | None]:
    """Cancel what runs, and wait until nothing runs.

    :returns: the cancel; None if there was nothing to cancel.
    :raises OperationRunning: if another operation runs than the one that was meant; nothing was ordered.
    :raises OutcomeUnknown: if an earlier try may have canceled, and left no note of what.
    :raises NotCanceled: if it ended otherwise, or runs still when the time is over.
    """
    began: datetime = yield Now()
    now_there = yield from situation(wanted.offer)
    target = _target(wanted, now_there)
    if target is None:
        is_unseen = now_there.hides_work or (now_there.report.is_parked and not now_there.entries)
        if is_unseen and not _is_over(wanted, now_there):
            reason = (
                f"its status is {now_there.report.word}, but its operations do not show what runs; nothing was ordered"
            )
            raise NotCanceled(str(wanted.offer), reason, may_pass=True)
        yield Tell(f"offer {wanted.offer}: nothing runs that this task is to cancel; nothing was ordered")
        return None
    if wanted.attempt.can_note:
        note = Note(wanted.offer, "cancel", began, wanted.attempt.counts, (target.id,))
        yield Keep(note.to_payload())
    yield Tell(f"offer {wanted.offer}: canceling {target.description}")
    location: str | None = None
    try:
        location = yield from ask(endpoints.cancel(wanted.offer, wanted.notification_emails))
    except PortalError as error:
        if not is_taken_perhaps(error):
            raise
        yield Tell(f"{error}; it may have been taken all the same, waiting for its effect", logging.WARNING)
    yield from _ended(wanted, target, began + timedelta(seconds=wanted.timeout))
    return Operation(wanted.offer, "cancel", began, id_in_location(location) or target.id, location)


def _target(wanted: Cancel, now_there: Situation) -> Submission | None:
    """Find what to cancel: what runs or is parked, if it is what was meant, and not what came after it.

    :raises OperationRunning: if another operation runs than the one that was meant.
    :raises OutcomeUnknown: if what runs may have begun after an earlier try's cancel.
    """
    running, attempt = now_there.running, wanted.attempt
    target = running or (_parked(now_there) if now_there.report.is_parked else None)
    if target is None:
        return None
    if (note := _own_note(wanted)) is not None:
        note.check(wanted.offer, "cancel")
        return target if target.id in note.known else None
    if wanted.operation is not None:
        if _is_meant(wanted.operation, target, now_there):
            return target
        if running is None:
            return None
        raise OperationRunning(str(wanted.offer), f"another operation than the one to cancel, {running.description},")
    if not attempt.is_first and not attempt.knows_earlier:
        _check_earlier_cancel(wanted, target, now_there)
    return target


def _own_note(wanted: Cancel) -> Note | None:
    """Return the note of an earlier try: of what may be a retry too, since that cancels nothing but what it noted."""
    return wanted.attempt.note if wanted.attempt.task_run is not TaskRun.CLEARED else None


def _check_earlier_cancel(wanted: Cancel, target: Submission, now_there: Situation) -> None:
    """Refuse to cancel what may be somebody's new beginning, after an earlier try canceled what ran then."""
    canceled = [entry for entry in now_there.entries if entry.status.is_canceled]
    recent = next((entry for entry in canceled if wanted.attempt.is_recent(entry.changed_at)), None)
    if recent is not None:
        reason = f"an earlier try may have canceled {recent.description}, and now {target.description} is there"
        raise OutcomeUnknown(str(wanted.offer), "cancel", reason)


def _parked(now_there: Situation) -> Submission | None:
    """Find the operation that is parked: one that has not ended, or the newest, where publishing counts as done."""
    open_ones = (e for e in now_there.entries if e.status.is_under_way or e.status.waits_for_publisher)
    return next(open_ones, next(iter(now_there.entries), None))


def _is_over(wanted: Cancel, now_there: Situation) -> bool:
    """Say whether what is meant is known to have ended, so that whatever the portal is at is something else."""
    note = _own_note(wanted)
    known = note.known if note is not None else ()
    meant = [entry for entry in now_there.entries if entry.id in known]
    if not known and wanted.operation is not None:
        own = find_entry(wanted.operation, now_there.entries)
        meant = [own] if own is not None else []
    return bool(meant) and all(entry.status.is_canceled or entry.status.is_failure for entry in meant)


def _is_meant(operation: Operation, target: Submission, now_there: Situation) -> bool:
    """Say whether what runs is the operation, or the going live of the publication that it began."""
    if find_entry(operation, [target]) is not None:
        return True
    own = find_entry(operation, now_there.entries)
    number = own.publishing_version if own is not None else None
    return target.kind == "golive" and number is not None and number == target.publishing_version


def _ended(wanted: Cancel, target: Submission, until: datetime) -> Flow[None]:
    """Wait until what ran has ended.

    :raises NotCanceled: if it ended in another way than by a cancel, or has not ended in time.
    """
    description = target.description
    while True:
        now_there = yield from look_again(wanted.offer)
        if now_there is not None:
            entry = next((entry for entry in now_there.entries if entry.id == target.id), target)
            description = entry.description
            was_done = target.status.is_terminal  # a parked publish may count as done; then the offer tells
            if entry.status.is_canceled or (was_done and now_there.report.status.is_canceled):
                yield Tell(f"offer {wanted.offer}: {description} has ended")
                return
            if entry.status.is_terminal and not was_done:
                raise NotCanceled(str(wanted.offer), f"{description} ended before it was canceled", may_pass=False)
        now: datetime = yield Now()
        if now >= until:
            reason = f"{description} has not ended within {wanted.timeout:g} s after its cancel"
            raise NotCanceled(str(wanted.offer), reason, may_pass=True)
        yield Sleep(min(wanted.poll_interval, (until - now).total_seconds()))
