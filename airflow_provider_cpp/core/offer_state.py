# SPDX-License-Identifier: Apache-2.0
"""The state of an offer: which operation is in progress, and which operation a submit started."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar, get_args

from airflow_provider_cpp.core.effects import Flow, Log, Sleep, get_time
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.operations import KINDS, Kind, Operation, OperationSummary
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.defaults import PublicationTarget
from airflow_provider_cpp.exceptions import MarketplaceError

T = TypeVar("T")

TARGETS: tuple[PublicationTarget, ...] = get_args(PublicationTarget)

Target = Literal[PublicationTarget, "idle"]
IDLE: Target = "idle"
"""No operation in progress; the target of a wait before a submit with ``if_running="wait"``."""


def default_target(operation: Operation | None) -> PublicationTarget:
    """Return the default target of a wait: the preview for a publish operation, else live."""
    return "preview" if operation is not None and operation.kind == "publish" else "live"


def evaluate_offer(report: StatusReport, until: Target) -> WaitResult | None:
    """Evaluate an offer's overall status; None if the wait continues."""
    is_reached = report.status.is_success or (until == "preview" and preview_is_ready(report))
    return WaitResult.REACHED if is_reached else failure_result(report.status)


def find_by_id(operation: Operation, entries: Iterable[OperationSummary]) -> OperationSummary | None:
    """Find an operation in the offer's list by its ID."""
    operation_id = (operation.operation_id or "").casefold()
    return next((entry for entry in entries if entry.id.casefold() == operation_id), None)


def failure_result(status: Status) -> WaitResult | None:
    """Return the result of a wait for a status that means failed or canceled; None for any other status."""
    if status.is_failure:
        return WaitResult.FAILED
    return WaitResult.CANCELED if status.is_canceled else None


def preview_is_ready(report: StatusReport) -> bool:
    """Return whether an offer awaits sign-off, or is going live after it."""
    return report.awaits_sign_off or (report.status is Status.RUNNING and report.is_past_sign_off)


POLLS_PER_SETTLE_TIME = 60
"""The number of polls of the list within the settle time: one every 15 seconds for the default of 15 minutes."""

MIN_SETTLE_DELAY = 0.5


@dataclass(frozen=True, slots=True)
class OfferState:
    """The state of an offer.

    :param operations: its operations, newest first.
    :param report: its status.
    """

    operations: tuple[OperationSummary, ...]
    report: StatusReport

    @property
    def in_progress_operation(self) -> OperationSummary | None:
        """The operation that has not ended. Awaiting sign-off counts as ended, even if the list shows another status."""
        if self.report.awaits_sign_off:
            return None
        # Ignore the offer's status: it may be that of a newer publish, which the list does not show yet.
        open_ones = (e for e in self.operations if not e.status.is_terminal and not e.status.awaits_sign_off)
        return next(open_ones, None)

    @property
    def has_unlisted_operation(self) -> bool:
        """Whether the offer's status shows, or may show, an operation in progress that the list does not have."""
        may_be_in_progress = self.report.status.is_in_progress or self.report.status is Status.UNKNOWN
        return self.in_progress_operation is None and may_be_in_progress and not self.report.awaits_sign_off


def is_of_kind(entry: OperationSummary, kind: Kind) -> bool:
    """Return whether a listed operation is of a kind, or may be because its kind is missing or unknown."""
    return entry.kind == kind or entry.kind not in KINDS


def new_operations(entries: Iterable[OperationSummary], known: Iterable[str], kind: Kind) -> list[OperationSummary]:
    """Return the operations of a kind that did not exist before a submit."""
    known = frozenset(known)
    return [entry for entry in entries if entry.id not in known and is_of_kind(entry, kind)]


def read_or_none(flow: Flow[T]) -> Flow[T | None]:
    """Read something after a submit; log a failed read, because the submit may still have been accepted."""
    try:
        return (yield from flow)
    except MarketplaceError as error:
        yield Log(f"{error}; the request may still have been accepted; polling again", logging.WARNING)
        return None


@dataclass(frozen=True, slots=True)
class SettleWindow:
    """The time within which the API must show the effect of a submit.

    :param start: the start of the window.
    :param seconds: its length.
    """

    start: datetime
    seconds: float

    def sleep(self) -> Flow[bool]:
        """Sleep until the next poll; return False at once if the window has ended."""
        now = yield from get_time()
        left = (self.start - now).total_seconds() + self.seconds
        if left <= 0:
            return False
        yield Sleep(min(max(self.seconds / POLLS_PER_SETTLE_TIME, MIN_SETTLE_DELAY), max(left, 0.1)))
        return True
