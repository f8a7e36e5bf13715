# SPDX-License-Identifier: Apache-2.0
"""What is done, as generators: they yield what they want done, and return what came of it.

A flow asks for a few things only: that a call be sent, that time pass, what time it is, that a line be told to
whoever watches, that a note be kept, that the connection be read again, that nothing take longer than until a deadline.
Drivers in ``transport/`` do these, one with requests and one with aiohttp, and so there is one text of each procedure, and
a test can play the portal by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from airflow_provider_cpp.core.http import Call, Reply, decode, mark
from airflow_provider_cpp.core.retry import pause_before_retry
from airflow_provider_cpp.exceptions import PortalError, RequestError

T = TypeVar("T")
OK = 200


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


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a note where a later try of the task finds it; None takes it back."""

    note: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Read the connection again, since a look failed: somebody may have put it right."""


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """From now on no exchange of this flow, sign-in included, ends later than this time."""

    at: datetime


Request = Send | Sleep | Now | Tell | Keep | Reconnect | SetDeadline
Flow = Generator[Request, Any, T]


def ask(call: Call[T]) -> Flow[T]:
    """Send a call once.

    :raises PortalError: what came instead of an answer; of a request, with the offer and the operation it was about.
    """
    return _ask(call, lambda reply: decode(call, reply))


def ask_again(call: Call[T], seen: bytes) -> Flow[tuple[T | None, bytes]]:
    """Send a call once, and read the answer only if it is another one than was seen before.

    :param seen: the mark of that one; empty for none.
    :returns: the result, None if it would be the same again; and the answer's mark.
    :raises PortalError: as :func:`ask`.
    """

    def read(reply: Reply) -> tuple[T | None, bytes]:
        found = mark(call, reply) if reply.status == OK else b""
        return (None if found and found == seen else decode(call, reply)), found

    return _ask(call, read)


def _ask(call: Call[Any], read: Callable[[Reply], T]) -> Flow[T]:
    try:
        return read((yield Send(call)))
    except RequestError as error:
        error.offer, error.operation = call.offer, call.operation
        raise


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
