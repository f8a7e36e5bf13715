# SPDX-License-Identifier: Apache-2.0
"""What the portal says of one operation, judged: only what is known to be of this very operation counts.

For a while after an order the portal may still answer with the publication before, and that one's success is not this
one's.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_cpp.core.models import Report
from airflow_provider_cpp.core.operations import Operation, Submission, newest_first
from airflow_provider_cpp.core.outcome import Result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.verdict import Target, ended_badly, find_entry, preview_is_ready


def judge_operation(operation: Operation, report: Report, until: Target) -> Result | None:
    """Judge what an operation says of itself: what the wait would end with, if this is no stale answer."""
    if (ended := ended_badly(report.status)) is not None:
        return ended
    if until == "preview":
        is_there = report.status.is_success or operation.kind == "golive" or preview_is_ready(report)
    else:
        is_there = report.status.is_success or report.live_step_is_done
    return Result.REACHED if is_there else None


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
