# SPDX-License-Identifier: Apache-2.0
"""A TLS server on plain sockets that misbehaves while it is armed, and otherwise responds correctly.

Each case has its own server on its own port, so that no case affects another.
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

MAX_HOLD = 30.0
"""The maximum seconds for which a connection is held or a response trickles: by then the client counts as hanging."""

BYTE_INTERVAL = 0.05
"""Seconds: much less than the client's read timeout."""


class ConnectionEnded(Exception):  # noqa: N818 - not an error: it ends a behaviour
    """The connection ends here."""


@cache
def authority() -> tuple[ssl.SSLContext, str]:
    """Return the TLS context of all servers of this process, and the CA file that clients trust."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    folder = tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)
    _folders.append(folder)
    path = Path(folder.name) / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return context, str(path)


_folders: list[tempfile.TemporaryDirectory[str]] = []


class Connection:
    """A connection that a behaviour writes to."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.until = time.monotonic() + MAX_HOLD

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def trickle(self, data: bytes, every: float = BYTE_INTERVAL) -> None:
        """Send data repeatedly until the client disconnects."""
        while time.monotonic() < self.until:
            self.send(data)
            time.sleep(every)
        raise ConnectionEnded

    def hold(self) -> None:
        """Send nothing until the client disconnects."""
        self.connection.settimeout(max(self.until - time.monotonic(), 0.1))
        while self.connection.recv(4096):
            pass
        raise ConnectionEnded

    def close(self) -> None:
        raise ConnectionEnded

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionEnded


class Server:
    """Responds to requests, and misbehaves while it is armed.

    :param respond: returns the response to a request; the second argument is whether a submit is accepted.
    :param behaviour: what it does while armed.
    :param matches: returns whether a request is affected.
    :param accepts: whether an affected submit is accepted first.
    :param times: the maximum number of affected requests or connections.
    :ivar misbehaved: the number of affected ones so far.
    """

    def __init__(
        self,
        respond: Callable[[Request, bool], Response],
        behaviour: Behaviour,
        matches: Callable[[Request], bool],
        *,
        accepts: bool = False,
        times: int = 1,
    ) -> None:
        self._respond, self._behaviour, self._matches, self._accepts, self._times = (
            respond,
            behaviour,
            matches,
            accepts,
            times,
        )
        self.misbehaved = 0
        self._armed = self._in_outage = self._stopped = False
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
        """Start to misbehave, to the next connection if the behaviour affects connections."""
        self._armed = True
        if self._behaviour.to_connection and self.misbehaved < self._times:
            self._disconnect()
            if self._behaviour.refuses:
                self.misbehaved += 1
                self._close_listener()

    def disarm(self) -> None:
        """Respond correctly again."""
        self._armed = False
        if self._listener is None and not self._stopped:
            self._listen()

    def begin_outage(self) -> None:
        """Close every connection, including new ones, at once."""
        self._in_outage = True
        self._disconnect()

    def end_outage(self) -> None:
        self._in_outage = False

    def stop(self) -> None:
        """Close everything."""
        self._stopped = self._in_outage = True
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
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
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

    def _is_affected(self, request: Request | None) -> bool:
        with self._lock:
            matches = self._behaviour.to_connection if request is None else self._matches(request)
            if not (self._armed and matches and self.misbehaved < self._times):
                return False
            self.misbehaved += 1
            return True

    def _serve(self, plain: socket.socket) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = None
        with self._lock:
            self._connections.add(plain)
        try:
            if self._in_outage:
                return
            if self._is_affected(None):
                self._behaviour.act(Connection(plain), Response(0, b""))
                return
            secure = authority()[0].wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                self._connections = (self._connections - {plain}) | {secure}
            secure.settimeout(MAX_HOLD)
            secure.do_handshake()
            self._talk(secure)
        except (OSError, ConnectionEnded, ValueError):
            pass
        finally:
            with self._lock:
                self._connections -= {plain, secure}
            plain.close()
            if secure is not None:
                secure.close()

    def _talk(self, connection: ssl.SSLSocket) -> None:
        while (request := _read(connection)) is not None and not self._in_outage:
            if not self._behaviour.to_connection and self._is_affected(request):
                self._behaviour.act(Connection(connection), self._respond(request, self._accepts))
            else:
                connection.sendall(self._respond(request, True).bytes())


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
