# SPDX-License-Identifier: Apache-2.0
"""A server with its own socket and thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from partner_center_emulator.dispatch import Dispatcher


class ServerThread:
    """A server that listens immediately, and serves requests after :meth:`serve`.

    :param host: the address.
    :param port: the port; 0 for any free port.
    :raises OSError: if the port is in use.
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_server((host, port))
        # Accepted sockets inherit the option; asyncio sets it only on sockets with an explicit protocol.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._socket.getsockname()[1])
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def serve(self, routes: Sequence[BaseRoute], dispatcher: Dispatcher, context: ssl.SSLContext | None) -> None:
        """Serve the routes, and return when requests are accepted.

        :param context: the TLS context with the certificate; None for plain HTTP.
        """
        started = threading.Event()

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            started.set()
            yield
            for transport, _loop in [*dispatcher.transports.values()]:
                transport.abort()
            await asyncio.sleep(0)  # let the loop close the aborted transports before it stops

        config = uvicorn.Config(
            Starlette(routes=routes, lifespan=lifespan),
            http=_protocol(dispatcher),
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            loop="asyncio",  # uvloop does not report aborted connections
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="emulator", daemon=True)
        self._thread.start()
        if not started.wait(30):
            msg = "the emulator did not start"
            raise RuntimeError(msg)

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(30)
        self._socket.close()


def _protocol(dispatcher: Dispatcher) -> type[H11Protocol]:
    """Return a protocol class that registers each connection, so that a fault can reset it."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")[:2]
            dispatcher.transports[self._peer] = transport, asyncio.get_running_loop()
            dispatcher.connections += 1

        def connection_lost(self, exc: Exception | None) -> None:
            dispatcher.transports.pop(self._peer, None)
            super().connection_lost(exc)

    return Protocol
