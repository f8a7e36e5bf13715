# SPDX-License-Identifier: Apache-2.0
"""What a look at the portal means for somebody who waits: pure judgement, in one place.

Two questions are kept apart. Without an operation the offer's overall status decides, at once, whatever its
steps say. With one, only what is known to be of this very operation counts: for a while after an order the
portal may still answer with the publication before, and that one's success is not this one's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from airflow_provider_cpp.portal.models import Report
from airflow_provider_cpp.portal.operations import Operation, Submission, newest_first
from airflow_provider_cpp.portal.outcome import Result
from airflow_provider_cpp.portal.status import Status

Until = Literal["preview", "live"]
UNTIL: tuple[Until, ...] = get_args(Until)

Target = Literal[Until, "idle"]
IDLE: Target = "idle"
"""What a task waits for that may not order while somebody else's operation runs; no publication's end."""


def default_until(operation: Operation | None) -> Until:
    """Choose the target by what is watched: a publish operation ends at its preview, all else live."""
    return "preview" if operation is not None and operation.kind == "publish" else "live"


def judge_offer(report: Report, until: Target) -> Result | None:
    """Judge an offer by its overall status; None means that the wait goes on."""
    if report.status.is_success:
        return Result.REACHED
    if (ended := ended_badly(report.status)) is not None:
        return ended
    return Result.REACHED if until == "preview" and _preview_is_ready(report) else None


def judge_operation(operation: Operation, report: Report, until: Target) -> Result | None:
    """Judge what an operation says of itself: what the wait would end with, if this is no stale answer."""
    if (ended := ended_badly(report.status)) is not None:
        return ended
    if until == "preview":
        is_there = report.status.is_success or operation.kind == "golive" or _preview_is_ready(report)
    else:
        is_there = report.status.is_success or report.live_step_is_done
    return Result.REACHED if is_there else None


def find_entry(operation: Operation, submissions: Iterable[Submission]) -> Submission | None:
    """Find an operation in the offer's list: by its id, or by the number of its publication."""
    if operation.operation_id is not None:
        wanted = operation.operation_id.casefold()
        return next((entry for entry in submissions if entry.id.casefold() == wanted), None)
    number, kinds = operation.publishing_version, ("", operation.kind)
    of_kind = (entry for entry in newest_first(submissions) if entry.kind in kinds)
    return next((entry for entry in of_kind if number is not None and entry.publishing_version == number), None)


def confirms(entry: Submission | None, report: Report, result: Result) -> bool:
    """Say whether the list agrees that this operation ended, or got there, as it says of itself.

    Both must speak of the same publication, and the list must not contradict. An operation that the list does
    not show yet has not ended: the answer may be the one before it.
    """
    if entry is None:
        return False
    numbers = (entry.publishing_version, report.publishing_version)
    if None not in numbers and numbers[0] != numbers[1]:
        return False
    if result is Result.FAILED:
        return entry.status.is_failure
    if result is Result.CANCELED:
        return entry.status.is_canceled
    if report.status.is_success:
        return entry.status.is_success
    return entry.status.is_success or entry.status in (Status.RUNNING, Status.WAITING_FOR_PUBLISHER_REVIEW)


def going_live(operation: Operation, submissions: Iterable[Submission]) -> Submission | None:
    """Find the go-live operation that follows a publish operation, where the portal makes it one of its own."""
    entries = newest_first(submissions)
    own = find_entry(operation, entries)
    number = own.publishing_version if own is not None else None
    found = (entry for entry in entries if entry.kind == "golive" and entry is not own)
    return next((entry for entry in found if number is None or entry.publishing_version in (None, number)), None)


def ended_badly(status: Status) -> Result | None:
    """Say how a status ends a wait badly, if it does."""
    if status.is_failure:
        return Result.FAILED
    return Result.CANCELED if status.is_canceled else None


def _preview_is_ready(report: Report) -> bool:
    return report.is_parked or (report.status is Status.RUNNING and report.is_beyond_sign_off)
