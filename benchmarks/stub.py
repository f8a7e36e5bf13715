# SPDX-License-Identifier: Apache-2.0
"""The server that subjects poll: it does as little work as possible, in its own process, and counts requests."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any, cast

from benchmarks import documents
from benchmarks.machine import pin

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
BACKLOG = 4096


@dataclass
class Counts:
    """The counts since the start.

    :param connections: connections that were opened.
    :param polls: requests for the state of some work.
    :param jobs: distinct pieces of work that were polled.
    :param tokens: requests for a token.
    :param unknown: requests that the stub does not know.
    """

    connections: int = 0
    polls: int = 0
    tokens: int = 0
    unknown: list[str] = field(default_factory=list)
    jobs: int = 0


class Service:
    """Respond to every poll with work in progress; shared by all connections."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.origin = ""
        self._jobs: set[bytes] = set()
        self._routes = [(route, route.parts()) for route in documents.routes()]

    def respond(self, method: bytes, target: bytes) -> bytes:
        """Return the response to a request."""
        path = target.partition(b"?")[0]
        if method == b"POST" and path.endswith(b"token"):
            self.counts.tokens += 1
            return documents.response(200, documents.TOKEN)
        if path.endswith(b"/.well-known/openid-configuration"):
            tenant = path.split(b"/")[1].decode()
            return documents.response(200, documents.discovery(self.origin, tenant))
        text = path.decode()
        for route, parts in self._routes:
            if method == b"GET" and text.startswith(route.prefix):
                self.counts.polls += 1
                self._jobs.add(path)
                return documents.response(route.status, path.split(b"/")[route.segment].join(parts))
        self.counts.unknown.append(f"{method.decode()} {text}")
        return documents.response(404, b"{}")

    def snapshot(self) -> dict[str, Any]:
        """Return the current counts."""
        self.counts.jobs = len(self._jobs)
        return asdict(self.counts)


class StubProtocol(asyncio.Protocol):
    """One connection, kept alive until the client closes it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._service.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            match = LENGTH.search(head)
            whole = end + 4 + (int(match.group(1)) if match else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
            self._transport.write(self._service.respond(method, target))


async def serve(control: Connection, certificate: str) -> None:
    """Serve until the control connection closes or receives None.

    The first message to the control connection has the ports; the response to every other message is the counts.
    """
    loop, over, service = asyncio.get_running_loop(), asyncio.Event(), Service()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    plain = await loop.create_server(lambda: StubProtocol(service), "127.0.0.1", 0, backlog=BACKLOG)
    secure = await loop.create_server(lambda: StubProtocol(service), "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
    service.origin = f"https://127.0.0.1:{ports[1]}"

    def handle_command() -> None:
        try:
            command = control.recv()
        except EOFError:
            command = None
        if command is None:
            over.set()
        else:
            control.send(service.snapshot())

    loop.add_reader(control.fileno(), handle_command)
    control.send({"http": ports[0], "https": ports[1]})
    await over.wait()
    loop.remove_reader(control.fileno())


def main(control: Connection, certificate: str, core: int | None) -> None:
    """Run the stub: the entry point of its process."""
    pin(core)
    fast_run(serve(control, certificate))


def fast_run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop if it is installed, so that the stub leaves more CPU to the subjects."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)
