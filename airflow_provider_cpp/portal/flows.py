# SPDX-License-Identifier: Apache-2.0
"""What is done, as generators: they yield what they want done, and return what came of it.

A flow asks for four things only: that a call be sent, that time pass, what time it is, and that a line
be told to whoever watches. Drivers in ``transport/`` do these, one with requests and one with aiohttp, and
so there is one text of each procedure, and a test can play the portal by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from airflow_provider_cpp.portal import calls
from airflow_provider_cpp.portal.calls import Call, Reply, decode
from airflow_provider_cpp.portal.errors import (
    BadReply,
    Conflict,
    OperationRunning,
    OutcomeUnknown,
    PortalError,
    ServerFault,
    Unreachable,
)
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.operations import Kind, Operation, Submission, id_in_location, newest_first
from airflow_provider_cpp.portal.retry import pause_before_retry

T = TypeVar("T")

CLOCK_MARGIN = timedelta(minutes=5)
"""How far the portal's clock and Airflow's may be apart."""

LOOK_FOR_NEW_EVERY = 15.0
"""Seconds between two looks at the list while an operation that was just accepted is not in it."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a call; the driver answers with a :class:`~.calls.Reply` or throws a :class:`~.errors.PortalError`."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Now:
    """Ask what time it is, in UTC."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell a line to whoever reads the log, at one of the levels of :mod:`logging`."""

    text: str
    level: int = logging.INFO


Request = Send | Sleep | Now | Tell
Flow = Generator[Request, Any, T]


def ask(call: Call[T]) -> Flow[T]:
    """Send a call once."""
    reply: Reply = yield Send(call)
    return decode(call, reply)


def fetch(call: Call[T]) -> Flow[T]:
    """Send a call, and again after a pause where that is safe and may help.

    :raises PortalError: the last try's.
    """
    tries = 0
    while True:
        try:
            return (yield from ask(call))
        except PortalError as error:
            tries += 1
            pause = pause_before_retry(error, tries, is_safe=call.is_safe)
            if pause is None:
                raise
            yield Tell(f"{error}; asking again in {pause:g} s", logging.WARNING)
            yield Sleep(pause)


def publish(
    offer: OfferRef, notification_emails: tuple[str, ...], settle_time: float, since: datetime | None = None
) -> Flow[Operation]:
    """Publish an offer's draft: look first, order once, and find out which operation that made.

    :param offer: the offer.
    :param notification_emails: who is told by mail.
    :param settle_time: seconds for which the list of operations is watched where the answer names no operation.
    :param since: refuse if a publish operation changed since then: an earlier try may have begun it.
    :raises OperationRunning: if another operation runs; nothing was ordered.
    :raises OutcomeUnknown: if the answer to the order was lost and the list does not show what became of it, or an
        earlier try may have sent it.
    """
    before = yield from fetch(calls.list_submissions(offer))
    running = yield from _in_the_way(offer, before)
    if running is not None:
        raise OperationRunning(str(offer), running.description)
    if since is not None:
        _refuse_second_order(offer, before, since)
    submitted_at: datetime = yield Now()
    call = calls.publish_offer(offer, notification_emails)
    lost: PortalError | None = None
    location = None
    try:
        location = yield from ask(call)
    except Conflict as error:
        after = newest_first((yield from fetch(calls.list_submissions(offer))))
        description = after[0].description if after and after[0].status.is_running else f"another operation ({error})"
        raise OperationRunning(str(offer), description) from error
    except (Unreachable, BadReply, ServerFault) as error:
        if isinstance(error, Unreachable) and not error.sent:
            raise
        lost = error
        yield Tell(f"{error}; it may have been taken all the same, looking for a new operation", logging.WARNING)
    operation = Operation(offer, "publish", submitted_at, id_in_location(location), location)
    if operation.operation_id is not None:
        return operation
    known = frozenset(entry.id for entry in before)
    identifier = yield from _find_new(operation, known, settle_time if location is None else 0.0)
    if identifier is None and location is None:
        reason = str(lost) if lost else "the answer named no operation on this host"
        raise OutcomeUnknown(str(offer), "publish", reason) from lost
    return Operation(offer, "publish", submitted_at, identifier, location)


def _refuse_second_order(offer: OfferRef, submissions: tuple[Submission, ...], since: datetime) -> None:
    """Stop where an earlier try may have ordered: an operation's last change is all that tells when it began."""
    for entry in newest_first(submissions):
        if is_of_kind(entry, "publish") and entry.changed_at is not None and entry.changed_at >= since - CLOCK_MARGIN:
            reason = f"an earlier try of this task may have sent it, and {entry.description} is there"
            raise OutcomeUnknown(str(offer), "publish", reason)


def _in_the_way(offer: OfferRef, submissions: tuple[Submission, ...]) -> Flow[Submission | None]:
    """Find the operation that forbids a new one; parked at sign-off is not running, whatever the list calls it."""
    running = next((entry for entry in newest_first(submissions) if entry.status.is_running), None)
    if running is None:
        return None
    report = yield from fetch(calls.get_offer_status(offer))
    return None if report.is_parked else running


def _find_new(operation: Operation, known: frozenset[str], patience: float) -> Flow[str | None]:
    """Find the one operation of this kind that was not there before the order.

    :param known: the ids that were.
    :param patience: seconds to go on looking; none means one look.
    :raises OutcomeUnknown: if there are several.
    """
    began: datetime = yield Now()
    while True:
        try:
            submissions = yield from fetch(calls.list_submissions(operation.offer))
        except PortalError as error:
            yield Tell(f"{error}; the order is with the portal, going on without its list", logging.WARNING)
        else:
            new = [entry for entry in submissions if entry.id not in known and is_of_kind(entry, operation.kind)]
            if operation.publishing_version is not None:
                new = [entry for entry in new if entry.publishing_version == operation.publishing_version]
            if len(new) > 1:
                names = ", ".join(entry.description for entry in new)
                raise OutcomeUnknown(str(operation.offer), operation.kind, f"there are several new ones: {names}")
            if new:
                return new[0].id
        now: datetime = yield Now()
        if (now - began).total_seconds() >= patience:
            return None
        yield Sleep(min(LOOK_FOR_NEW_EVERY, max(patience - (now - began).total_seconds(), 0.1)))


def is_of_kind(entry: Submission, kind: Kind) -> bool:
    """Say whether an entry of the list is of a kind; an entry that does not say may be of any."""
    return entry.kind in ("", kind)
