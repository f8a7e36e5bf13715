# SPDX-License-Identifier: Apache-2.0
"""A deadline for a whole exchange with a server, even if the server sends slowly.

A socket's timeout limits only the wait for the next bytes. A server that sends a byte now and then, or endless interim responses,
never exceeds it. The sockets in this module do not wait past the deadline of the current context.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_current: ContextVar[tuple[float, float]] = ContextVar("deadline", default=(math.inf, math.inf))
"""When the deadline ends, on the monotonic clock, and the seconds that it allowed."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the total time of all exchanges in this context; of nested deadlines, the earliest applies.

    A thread that :func:`asyncio.to_thread` starts inherits the deadline.
    """
    token = _current.set(min(_current.get(), (time.monotonic() + seconds, seconds)))
    try:
        yield
    finally:
        _current.reset(token)


def time_left() -> float:
    """Return the seconds until the deadline: 0 or less after it, infinity without one."""
    return _current.get()[0] - time.monotonic()


def overdue_text() -> str | None:
    """Return the error text if the deadline has passed, else None."""
    return f"no response within {round(_current.get()[1], 1):g} seconds" if time_left() <= 0 else None


def in_time(description: str, function: Callable[[], T], at_most: float = math.inf) -> T:
    """Return the result of a function that has no timeout of its own.

    The function runs in a daemon thread, in a copy of the context. After a timeout, the thread continues.

    :param description: the action, for the error.
    :param at_most: seconds to wait for the result; the deadline may be earlier.
    :raises TimeoutError: if there is no result in time.
    """
    result: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            result.set_result(context.run(function))
        except BaseException as error:  # noqa: BLE001 - result() raises it
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    seconds = min(time_left(), at_most)
    if wait([result], None if seconds == math.inf else seconds).not_done:
        raise TimeoutError(f"{description} took longer than {round(seconds, 1):g} seconds")
    return result.result()


def _bounded(name: str) -> Any:
    """Return a method that calls the base class's method, and does not wait past the deadline."""

    def method(self: BoundedSocket, *args: Any) -> Any:
        operation, timeout, seconds = getattr(super(BoundedSocket, self), name), self.gettimeout(), time_left()
        if seconds <= 0:
            raise TimeoutError(overdue_text())
        if seconds == math.inf:
            return operation(*args)
        self.settimeout(seconds if timeout is None else min(seconds, timeout))
        try:
            return operation(*args)
        finally:
            self.settimeout(timeout)

    return method


class BoundedSocket(socket.socket):
    """A socket that waits until its timeout or the deadline, whichever is earlier."""

    connect = _bounded("connect")
    recv = _bounded("recv")
    recv_into = _bounded("recv_into")
    send = _bounded("send")
    sendall = _bounded("sendall")


class BoundedTLSSocket(BoundedSocket, ssl.SSLSocket):
    """A :class:`BoundedSocket` with TLS, for the contexts of :func:`~.trust.ssl_context_for`."""

    do_handshake = _bounded("do_handshake")
