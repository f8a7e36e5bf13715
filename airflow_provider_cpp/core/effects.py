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

from airflow_provider_cpp.core.http import Request, Response, decode_response, response_digest
from airflow_provider_cpp.exceptions import MarketplaceError, RequestError

T = TypeVar("T")
OK = 200


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send a call; the driver answers with a :class:`~.http.Response` or throws a :class:`~.exceptions.MarketplaceError`."""

    request: Request[Any]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GetTime:
    """Ask what time it is, in UTC."""


@dataclass(frozen=True, slots=True)
class Log:
    """Tell a line to whoever reads the log, at one of the levels of :mod:`logging`."""

    text: str
    level: int = logging.INFO


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Keep a note where a later try of the task finds it; None takes it back."""

    checkpoint: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ReloadConnection:
    """Read the connection again, since a look failed: somebody may have put it right."""


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """From now on no exchange of this flow, sign-in included, ends later than this time."""

    at: datetime


Effect = SendRequest | Sleep | GetTime | Log | SaveCheckpoint | ReloadConnection | SetDeadline
Flow = Generator[Effect, Any, T]


def send(request: Request[T]) -> Flow[T]:
    """Send a call once.

    :raises MarketplaceError: what came instead of an answer; of a request, with the offer and the operation it was about.
    """
    return _send(request, lambda response: decode_response(request, response))


def send_if_changed(request: Request[T], seen: bytes) -> Flow[tuple[T | None, bytes]]:
    """Send a call once, and read the answer only if it is another one than was seen before.

    :param seen: the mark of that one; empty for none.
    :returns: the result, None if it would be the same again; and the answer's mark.
    :raises MarketplaceError: as :func:`ask`.
    """

    def read(response: Response) -> tuple[T | None, bytes]:
        found = response_digest(request, response) if response.status == OK else b""
        return (None if found and found == seen else decode_response(request, response)), found

    return _send(request, read)


def _send(request: Request[Any], read: Callable[[Response], T]) -> Flow[T]:
    try:
        return read((yield SendRequest(request)))
    except RequestError as error:
        error.offer, error.operation = request.offer, request.operation
        raise


def send_with_retry(request: Request[T]) -> Flow[T]:
    """Send a call, and again after a pause where that is safe and may help.

    :raises MarketplaceError: the last try's.
    """
    tries = 0
    while True:
        try:
            return (yield from send(request))
        except MarketplaceError as error:
            tries += 1
            pause = retry_delay(error, tries, is_safe=request.is_safe)
            if pause is None:
                raise
            yield Log(f"{error}; asking again in {pause:g} s", logging.WARNING)
            yield Sleep(pause)


MAX_TRIES = 4
"""How often a read is asked in all before its error is let through."""

MAX_RETRY_DELAY = 60.0
"""Seconds: a portal that wants a longer pause than this is not waited for inside one call."""


def retry_delay(error: MarketplaceError, tries: int, *, is_safe: bool) -> float | None:
    """Say how many seconds to wait before asking again, or None to give up.

    :param error: what the last try ended with.
    :param tries: how many there were.
    :param is_safe: whether the request may be sent twice; an order never may.
    """
    if not is_safe or not error.retryable or tries >= MAX_TRIES:
        return None
    asked_for = error.retry_after if isinstance(error, RequestError) else None
    pause = float(2 ** (tries - 1)) if asked_for is None else asked_for
    return pause if pause <= MAX_RETRY_DELAY else None
