# SPDX-License-Identifier: Apache-2.0
"""The server that is asked: as little work as possible, in a process of its own, and it counts what comes."""

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
    """What came since the start.

    :param connections: connections that were opened.
    :param polls: questions about the state of some work.
    :param seen: pieces of work that were asked about.
    :param tokens: tokens that were asked for.
    :param unknown: requests that nobody should have sent.
    """

    connections: int = 0
    polls: int = 0
    tokens: int = 0
    unknown: list[str] = field(default_factory=list)
    seen: int = 0


class Service:
    """Answers every question with "it still runs"; shared by all connections."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.origin = ""
        self._seen: set[bytes] = set()
        self._routes = [(route, route.parts()) for route in documents.routes()]

    def answer(self, method: bytes, target: bytes) -> bytes:
        """Answer a request."""
        path = target.partition(b"?")[0]
        if method == b"POST" and path.endswith(b"token"):
            self.counts.tokens += 1
            return documents.answer(200, documents.TOKEN)
        if path.endswith(b"/.well-known/openid-configuration"):
            tenant = path.split(b"/")[1].decode()
            return documents.answer(200, documents.discovery(self.origin, tenant))
        text = path.decode()
        for route, parts in self._routes:
            if method == b"GET" and text.startswith(route.prefix):
                self.counts.polls += 1
                self._seen.add(path)
                return documents.answer(route.status, path.split(b"/")[route.place].join(parts))
        self.counts.unknown.append(f"{method.decode()} {text}")
        return documents.answer(404, b"{}")

    def snapshot(self) -> dict[str, Any]:
        """Return the counts as they are now."""
        self.counts.seen = len(self._seen)
        return asdict(self.counts)


class Wire(asyncio.Protocol):
    """One connection, kept alive for as long as the client wants."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport = cast("asyncio.Transport", transport)
        self._service.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = LENGTH.search(head)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
            self._transport.write(self._service.answer(method, target))


async def serve(control: Connection, certificate: str) -> None:
    """Serve until the other end of the control closes or asks for an end.

    It is told ports first; then whatever is sent is answered with the counts, and None ends it.
    """
    loop, over, service = asyncio.get_running_loop(), asyncio.Event(), Service()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    plain = await loop.create_server(lambda: Wire(service), "127.0.0.1", 0, backlog=BACKLOG)
    secure = await loop.create_server(lambda: Wire(service), "127.0.0.1", 0, backlog=BACKLOG, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
    service.origin = f"https://127.0.0.1:{ports[1]}"

    def asked() -> None:
        try:
            wanted = control.recv()
        except EOFError:
            wanted = None
        if wanted is None:
            over.set()
        else:
            control.send(service.snapshot())

    loop.add_reader(control.fileno(), asked)
    control.send({"http": ports[0], "https": ports[1]})
    await over.wait()
    loop.remove_reader(control.fileno())


def main(control: Connection, certificate: str, core: int | None) -> None:
    """Run the stub; the entry point of its process."""
    pin(core)
    fast_run(serve(control, certificate))


def fast_run(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed: what the stub saves is left for whom it serves."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
