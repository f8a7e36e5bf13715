# SPDX-License-Identifier: Apache-2.0
"""What a look means for somebody who waits, as far as it is the same for every API: pure judgement.

Two questions are kept apart. Without an operation the offer's overall status decides, at once, whatever its steps say.
With one, only what is known to be of this very operation counts, and what that is, each API knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from airflow_provider_cpp.core.models import Report
from airflow_provider_cpp.core.operations import Operation, Submission, newest_first
from airflow_provider_cpp.core.outcome import Result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.defaults import Until

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
    return Result.REACHED if until == "preview" and preview_is_ready(report) else None


def find_entry(operation: Operation, submissions: Iterable[Submission]) -> Submission | None:
    """Find an operation in the offer's list: by its id, or by the number of its publication."""
    if operation.operation_id is not None:
        wanted = operation.operation_id.casefold()
        return next((entry for entry in submissions if entry.id.casefold() == wanted), None)
    number, kinds = operation.publishing_version, ("", operation.kind)
    of_kind = (entry for entry in newest_first(submissions) if entry.kind in kinds)
    return next((entry for entry in of_kind if number is not None and entry.publishing_version == number), None)


def ended_badly(status: Status) -> Result | None:
    """Say how a status ends a wait badly, if it does."""
    if status.is_failure:
        return Result.FAILED
    return Result.CANCELED if status.is_canceled else None


def preview_is_ready(report: Report) -> bool:
    """Say whether an offer is parked, or beyond that on its way to the market."""
    return report.is_parked or (report.status is Status.RUNNING and report.is_beyond_sign_off)
