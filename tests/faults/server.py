# SPDX-License-Identifier: Apache-2.0
"""A TLS server on plain sockets that misbehaves when it is told to, and answers as it should otherwise.

Each case has one of its own, on a port of its own, so that no case disturbs another.
"""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trustme
from faults.marketplace import Request, Response

if TYPE_CHECKING:
    from faults.behaviours import Behaviour

LONGEST = 30.0
"""Seconds for which a connection is held or a response trickles, at most: by then the client was found to hang."""

BETWEEN_BYTES = 0.05
"""Seconds: much less than a client waits for data."""


class Gone(Exception):  # noqa: N818 - no error, but how a behaviour ends
    """The connection ends here."""


@cache
def authority() -> tuple[ssl.SSLContext, str]:
    """Make the context of all servers of this process, and the file that clients trust."""
    made, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    folder = tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)
    _kept.append(folder)
    path = Path(folder.name) / "ca.pem"
    made.cert_pem.write_to_path(path)
    return context, str(path)


_kept: list[tempfile.TemporaryDirectory[str]] = []


class Wire:
    """A connection as a behaviour writes to it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = time.monotonic() + LONGEST

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def trickle(self, data: bytes, every: float = BETWEEN_BYTES) -> None:
        """Send a piece of data again and again until the client leaves."""
        while time.monotonic() < self.until:
            self.send(data)
            time.sleep(every)
        raise Gone

    def hold(self) -> None:
        """Say nothing until the client leaves."""
        self.connection.settimeout(max(self.until - time.monotonic(), 0.1))
        while self.connection.recv(4096):
            pass
        raise Gone

    def close(self) -> None:
        raise Gone

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


class Server:
    """Answers requests, and misbehaves while it is armed.

    :param answer: makes the response to a request; whether a submit is accepted is the second argument.
    :param behaviour: what it does while armed.
    :param aims: which requests it does that to.
    :param accepts: whether a submit that it misbehaves to is accepted first.
    :param times: to how many requests or connections it does so in all.
    :ivar misbehaved: to how many it has.
    """

    def __init__(
        self,
        answer: Callable[[Request, bool], Response],
        behaviour: Behaviour,
        aims: Callable[[Request], bool],
        *,
        accepts: bool = False,
        times: int = 1,
    ) -> None:
        self._answer, self._behaviour, self._aims, self._accepts, self._times = answer, behaviour, aims, accepts, times
        self.misbehaved = 0
        self._armed = self._away = self._stopped = False
        self._lock = Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def connections_open(self) -> int:
        with self._lock:
            return len(self._connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join(5)

    def arm(self) -> None:
        """Misbehave from now on; to a new connection, where that is what the behaviour is about."""
        self._armed = True
        if self._behaviour.to_connection and self.misbehaved < self._times:
            self._disconnect()
            if self._behaviour.refuses:
                self.misbehaved += 1
                self._close_listener()

    def disarm(self) -> None:
        """Answer as a server should again."""
        self._armed = False
        if self._listener is None and not self._stopped:
            self._listen()

    def leave(self) -> None:
        """Close every connection, also new ones, at once: an outage."""
        self._away = True
        self._disconnect()

    def come_back(self) -> None:
        self._away = False

    def stop(self) -> None:
        """Close everything, whoever is at it."""
        self._stopped = self._away = True
        self._close_listener()
        self._disconnect()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener, self.port = listener, listener.getsockname()[1]
        self._start(self._accept, listener)

    def _start(self, target: Callable[[socket.socket], None], argument: socket.socket) -> None:
        thread = Thread(target=target, args=(argument,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
            listener.close()

    def _disconnect(self) -> None:
        with self._lock:
            connections = [*self._connections]
        for connection in connections:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _takes(self, request: Request | None) -> bool:
        with self._lock:
            meant = self._behaviour.to_connection if request is None else self._aims(request)
            if not (self._armed and meant and self.misbehaved < self._times):
                return False
            self.misbehaved += 1
            return True

    def _serve(self, plain: socket.socket) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = None
        with self._lock:
            self._connections.add(plain)
        try:
            if self._away:
                return
            if self._takes(None):
                self._behaviour.act(Wire(plain), Response(0, b""))
                return
            secure = authority()[0].wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                self._connections = (self._connections - {plain}) | {secure}
            secure.settimeout(LONGEST)
            secure.do_handshake()
            self._talk(secure)
        except (OSError, Gone, ValueError):
            pass
        finally:
            with self._lock:
                self._connections -= {plain, secure}
            plain.close()
            if secure is not None:
                secure.close()

    def _talk(self, connection: ssl.SSLSocket) -> None:
        while (request := _read(connection)) is not None and not self._away:
            if not self._behaviour.to_connection and self._takes(request):
                self._behaviour.act(Wire(connection), self._answer(request, self._accepts))
            else:
                connection.sendall(self._answer(request, True).bytes())


def _read(connection: ssl.SSLSocket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        if not (more := connection.recv(65536)):
            return None
        body += more
    method, path, _ = first.split(" ")
    return Request(method, path, body)
