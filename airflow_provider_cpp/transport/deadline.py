# SPDX-License-Identifier: Apache-2.0
"""One deadline for a whole exchange with a server, however slowly the server sends.

A timeout of a socket bounds the wait for the next bytes only: a server that sends one byte now and then, or interim responses
without end, keeps every such wait alive. The sockets here never wait past the deadline of the context that they are used in.
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
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Deadline:
    ends_at: float
    seconds: float


_current: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let no exchange in this context take longer; inside another deadline, the earlier one holds.

    A thread that :func:`asyncio.to_thread` starts has the deadline of the task that starts it.

    :param seconds: from now on; for all exchanges together.
    """
    new, outer = _Deadline(time.monotonic() + seconds, seconds), _current.get()
    token = _current.set(new if outer is None or new.ends_at < outer.ends_at else outer)
    try:
        yield
    finally:
        _current.reset(token)


def time_left() -> float:
    """Return the seconds until the deadline, 0 or less after it; infinity without one."""
    current = _current.get()
    return math.inf if current is None else current.ends_at - time.monotonic()


def overdue_text() -> str | None:
    """Return the text for an exchange that its deadline ended; None while there is time left."""
    current = _current.get()
    if current is None or time.monotonic() < current.ends_at:
        return None
    return f"no response within {round(current.seconds, 1):g} seconds"


def in_time(what: str, call: Callable[[], T], at_most: float = math.inf) -> T:
    """Return the result of a call that has no timeout of its own.

    The call runs in a thread, in a copy of the context. After a timeout the thread goes on, but keeps no process from ending.

    :param what: what the call does, for the error.
    :param at_most: seconds to wait for the result, where the deadline is later.
    :raises TimeoutError: if there is no result in time.
    """
    result: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            result.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    left = min(time_left(), at_most)
    if wait([result], None if left == math.inf else left).not_done:
        raise TimeoutError(f"{what} took longer than {round(left, 1):g} seconds")
    return result.result()


class BoundedSocket(socket.socket):
    """A socket that waits for as long as its timeout says, but not past the deadline."""

    def connect(self, *args: Any) -> None:
        """Connect, in time."""
        return self._in_time(super().connect, *args)

    def recv(self, *args: Any) -> bytes:
        """Receive, in time."""
        return self._in_time(super().recv, *args)

    def recv_into(self, *args: Any) -> int:
        """Receive into a buffer, in time."""
        return self._in_time(super().recv_into, *args)

    def send(self, *args: Any) -> int:
        """Send, in time."""
        return self._in_time(super().send, *args)

    def sendall(self, *args: Any) -> None:
        """Send all, in time."""
        return self._in_time(super().sendall, *args)

    def _in_time(self, operation: Callable[..., T], *args: Any) -> T:
        left, own = time_left(), self.gettimeout()
        if left <= 0:
            raise TimeoutError(overdue_text())
        if left == math.inf:
            return operation(*args)
        self.settimeout(left if own is None else min(left, own))
        try:
            return operation(*args)
        finally:
            self.settimeout(own)


class BoundedTLSSocket(BoundedSocket, ssl.SSLSocket):
    """The same with TLS; :func:`~.trust.trust` makes contexts that make these."""

    def do_handshake(self, *args: Any) -> None:
        """Shake hands, in time."""
        return self._in_time(super().do_handshake, *args)
