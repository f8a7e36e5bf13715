# SPDX-License-Identifier: Apache-2.0
"""Effects, and the flows that yield them.

A flow is a generator that implements a procedure, such as publishing an offer, without I/O. It yields effects, such as "send
this request" or "sleep for 10 seconds". A driver performs each effect and sends the result back. There are two drivers in
``transport/``, one with requests for workers and one with aiohttp for the triggerer; tests have their own. So each procedure is
written once.

Each effect with a result has a typed function, such as :func:`send`, because mypy cannot infer the result of a ``yield``.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from airflow_provider_cpp.core.http import Request, Response, decode_response
from airflow_provider_cpp.exceptions import (
    InvalidResponseError,
    MarketplaceError,
    RequestError,
    ServerError,
    TransportError,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send a request; the driver returns a :class:`~.http.Response` or raises a :class:`~.exceptions.MarketplaceError`."""

    request: Request[Any]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Sleep for a number of seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GetTime:
    """Return the current time, in UTC."""


@dataclass(frozen=True, slots=True)
class Log:
    """Log a line at one of the levels of :mod:`logging`."""

    text: str
    level: int = logging.INFO


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Store a checkpoint for later tries of the task; None deletes it."""

    checkpoint: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ReloadConnection:
    """Read the Airflow connection again after a failed poll, because it may have been corrected."""


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """Set the time at which all further requests of this flow must have ended, including sign-in."""

    at: datetime


Effect = SendRequest | Sleep | GetTime | Log | SaveCheckpoint | ReloadConnection | SetDeadline
Flow = Generator[Effect, object, T]


def get_response(request: Request[Any]) -> Flow[Response]:
    """Send a request once, and return the response with any status.

    :raises MarketplaceError: if there is no response.
    """
    response = yield SendRequest(request)
    return cast("Response", response)


def send(request: Request[T]) -> Flow[T]:
    """Send a request once, and return its parsed response.

    :raises MarketplaceError: if there is no response, or if the response is an error.
    """
    response = yield from get_response(request)
    return decode_response(request, response)


def get_time() -> Flow[datetime]:
    """Return the current time, in UTC."""
    now = yield GetTime()
    return cast("datetime", now)


MAX_TRIES = 4
"""The maximum number of attempts for a read."""

MAX_RETRY_DELAY = 60.0
"""Seconds. If the API asks for a longer delay, the read fails at once."""


def send_with_retry(request: Request[T]) -> Flow[T]:
    """Send a request; if it is safe and the error is temporary, retry after a delay.

    :raises MarketplaceError: the error of the last attempt.
    """
    for tries in range(MAX_TRIES - 1):
        try:
            return (yield from send(request))
        except MarketplaceError as error:
            retry_after = error.retry_after if isinstance(error, RequestError) else None
            delay = float(2**tries) if retry_after is None else retry_after
            if not request.is_safe or not error.retryable or delay > MAX_RETRY_DELAY:
                raise
            yield Log(f"{error}; sending the request again in {delay:g} s", logging.WARNING)
            yield Sleep(delay)
    return (yield from send(request))


def may_have_been_accepted(error: MarketplaceError) -> bool:
    """Return whether the API may have accepted a submit that ended with this error.

    Only a request that was not sent, or a 4xx of the API itself, proves that it did not; a 5xx or a proxy's status does not.
    """
    if isinstance(error, TransportError):
        return error.sent
    return isinstance(error, (InvalidResponseError, ServerError))
