# SPDX-License-Identifier: Apache-2.0
"""Finding out what is there: which operation runs, and which one an order has begun."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_cpp.core.effects import Flow, Now, Sleep, Tell
from airflow_provider_cpp.core.models import OfferRef, Report
from airflow_provider_cpp.core.operations import KINDS, Kind, Operation, Submission
from airflow_provider_cpp.exceptions import OutcomeUnknown, PortalError

LOOKS = 60
"""How often one looks within the settle time for what became of an order: every 15 seconds of the usual 15 minutes."""

SHORTEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Situation:
    """An offer as it stands.

    :param entries: its operations, the newest first.
    :param report: its status.
    """

    entries: tuple[Submission, ...]
    report: Report

    @property
    def running(self) -> Submission | None:
        """The operation that runs, or is about to; parked at the sign-off is not running, whatever the list calls it."""
        if self.report.is_parked:
            return None
        # Awaiting the sign-off counts as ended also where the status shows the next publish, and the list does not yet.
        return next((e for e in self.entries if e.status.is_open and not e.status.waits_for_publisher), None)

    @property
    def hides_work(self) -> bool:
        """Whether the portal is at work, or may be, on something that the list does not show."""
        return self.running is None and self.report.status.is_running and not self.report.is_parked


def is_of_kind(entry: Submission, kind: Kind) -> bool:
    """Say whether an entry of the list is of a kind, or may be: one that does not say in a word that is known."""
    return entry.kind == kind or entry.kind not in KINDS


def new_ones(entries: Iterable[Submission], known: Iterable[str], kind: Kind) -> list[Submission]:
    """Pick the operations of a kind that were not there before an order."""
    before = frozenset(known)
    return [entry for entry in entries if entry.id not in before and is_of_kind(entry, kind)]


def only_one(operation: Operation, new: list[Submission]) -> Submission:
    """Return the one new operation.

    :raises OutcomeUnknown: if there are several: which of them is ours cannot be told.
    """
    if len(new) > 1:
        names = ", ".join(entry.description for entry in new)
        raise OutcomeUnknown(str(operation.offer), operation.kind, f"there are several new ones: {names}")
    return new[0]


def find_new(
    submissions: Callable[[OfferRef], Flow[tuple[Submission, ...]]],
    operation: Operation,
    known: Iterable[str],
    patience: Patience,
) -> Flow[Submission | None]:
    """Look for the one operation that an order began, until a time; one look at least.

    :param submissions: lists an offer's operations.
    :param operation: what was ordered.
    :param known: the ids of the operations before the order.
    :raises OutcomeUnknown: if there are several.
    """
    number = operation.publishing_version
    while True:
        try:
            entries = yield from submissions(operation.offer)
        except PortalError as error:
            yield Tell(f"{error}; the order may be with the portal, going on without its list", logging.WARNING)
        else:
            new = new_ones(entries, known, operation.kind)
            new = [entry for entry in new if number in (None, entry.publishing_version)]
            if new:
                return only_one(operation, new)
        if not (yield from patience.pause()):
            return None


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long the portal may take to show what became of an order.

    :param began: when that time began.
    :param seconds: how long it is.
    """

    began: datetime
    seconds: float

    def pause(self) -> Flow[bool]:
        """Let some seconds pass, but not past the end; returns whether there was any time left."""
        now: datetime = yield Now()
        left = (self.began - now).total_seconds() + self.seconds
        if left <= 0:
            return False
        yield Sleep(min(max(self.seconds / LOOKS, SHORTEST_PAUSE), max(left, 0.1)))
        return True
