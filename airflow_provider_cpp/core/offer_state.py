# SPDX-License-Identifier: Apache-2.0
"""Finding out what is there: which operation runs, and which one an order has begun."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from airflow_provider_cpp.core.effects import Flow, GetTime, Log, Sleep
from airflow_provider_cpp.core.models import OfferRef, StatusReport
from airflow_provider_cpp.core.operations import KINDS, Kind, Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.defaults import PublicationTarget
from airflow_provider_cpp.exceptions import MarketplaceError, SubmitOutcomeUnknownError

TARGETS: tuple[PublicationTarget, ...] = get_args(PublicationTarget)

Target = Literal[PublicationTarget, "idle"]
IDLE: Target = "idle"
"""What a task waits for that may not order while somebody else's operation runs; no publication's end."""


def default_target(operation: Operation | None) -> PublicationTarget:
    """Choose the target by what is watched: a publish operation ends at its preview, all else live."""
    return "preview" if operation is not None and operation.kind == "publish" else "live"


def evaluate_offer(report: StatusReport, until: Target) -> WaitResult | None:
    """Judge an offer by its overall status; None means that the wait goes on."""
    if report.status.is_success:
        return WaitResult.REACHED
    if (ended := failure_result(report.status)) is not None:
        return ended
    return WaitResult.REACHED if until == "preview" and preview_is_ready(report) else None


def find_operation(operation: Operation, submissions: Iterable[OperationSummary]) -> OperationSummary | None:
    """Find an operation in the offer's list: by its id, or by the number of its publication."""
    if operation.operation_id is not None:
        params = operation.operation_id.casefold()
        return next((entry for entry in submissions if entry.id.casefold() == params), None)
    number, kinds = operation.publishing_version, ("", operation.kind)
    of_kind = (entry for entry in newest_first(submissions) if entry.kind in kinds)
    return next((entry for entry in of_kind if number is not None and entry.publishing_version == number), None)


def failure_result(status: Status) -> WaitResult | None:
    """Say how a status ends a wait badly, if it does."""
    if status.is_failure:
        return WaitResult.FAILED
    return WaitResult.CANCELED if status.is_canceled else None


def preview_is_ready(report: StatusReport) -> bool:
    """Say whether an offer is parked, or beyond that on its way to the market."""
    return report.awaits_sign_off or (report.status is Status.RUNNING and report.is_past_sign_off)


POLLS_PER_SETTLE_TIME = 60
"""How often one looks within the settle time for what became of an order: every 15 seconds of the usual 15 minutes."""

MIN_SETTLE_DELAY = 0.5


@dataclass(frozen=True, slots=True)
class OfferState:
    """An offer as it stands.

    :param entries: its operations, the newest first.
    :param report: its status.
    """

    operations: tuple[OperationSummary, ...]
    report: StatusReport

    @property
    def in_progress_operation(self) -> OperationSummary | None:
        """The operation that runs, or is about to; parked at the sign-off is not running, whatever the list calls it."""
        if self.report.awaits_sign_off:
            return None
        # Awaiting the sign-off counts as ended also where the status shows the next publish, and the list does not yet.
        return next((e for e in self.operations if e.status.is_open and not e.status.waits_for_publisher), None)

    @property
    def has_unlisted_operation(self) -> bool:
        """Whether the portal is at work, or may be, on something that the list does not show."""
        return self.in_progress_operation is None and self.report.status.is_running and not self.report.awaits_sign_off


def is_of_kind(entry: OperationSummary, kind: Kind) -> bool:
    """Say whether an entry of the list is of a kind, or may be: one that does not say in a word that is known."""
    return entry.kind == kind or entry.kind not in KINDS


def new_operations(entries: Iterable[OperationSummary], known: Iterable[str], kind: Kind) -> list[OperationSummary]:
    """Pick the operations of a kind that were not there before an order."""
    before = frozenset(known)
    return [entry for entry in entries if entry.id not in before and is_of_kind(entry, kind)]


def exactly_one(operation: Operation, new: list[OperationSummary]) -> OperationSummary:
    """Return the one new operation.

    :raises SubmitOutcomeUnknownError: if there are several: which of them is ours cannot be told.
    """
    if len(new) > 1:
        names = ", ".join(entry.description for entry in new)
        raise SubmitOutcomeUnknownError(str(operation.offer), operation.kind, f"there are several new ones: {names}")
    return new[0]


def wait_for_new_operation(
    submissions: Callable[[OfferRef], Flow[tuple[OperationSummary, ...]]],
    operation: Operation,
    known: Iterable[str],
    window: SettleWindow,
) -> Flow[OperationSummary | None]:
    """Look for the one operation that an order began, until a time; one look at least.

    :param submissions: lists an offer's operations.
    :param operation: what was ordered.
    :param known: the ids of the operations before the order.
    :raises SubmitOutcomeUnknownError: if there are several.
    """
    number = operation.publishing_version
    while True:
        try:
            entries = yield from submissions(operation.offer)
        except MarketplaceError as error:
            yield Log(f"{error}; the order may be with the portal, going on without its list", logging.WARNING)
        else:
            new = new_operations(entries, known, operation.kind)
            new = [entry for entry in new if number in (None, entry.publishing_version)]
            if new:
                return exactly_one(operation, new)
        if not (yield from window.sleep()):
            return None


@dataclass(frozen=True, slots=True)
class SettleWindow:
    """For how long the portal may take to show what became of an order.

    :param began: when that time began.
    :param seconds: how long it is.
    """

    start: datetime
    seconds: float

    def sleep(self) -> Flow[bool]:
        """Let some seconds pass, but not past the end; returns whether there was any time left."""
        now: datetime = yield GetTime()
        left = (self.start - now).total_seconds() + self.seconds
        if left <= 0:
            return False
        yield Sleep(min(max(self.seconds / POLLS_PER_SETTLE_TIME, MIN_SETTLE_DELAY), max(left, 0.1)))
        return True
