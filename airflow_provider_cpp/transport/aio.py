# SPDX-License-Identifier: Apache-2.0
"""The wire of the triggerer: a session and a driver for the flows, with aiohttp."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy

from airflow_provider_cpp.errors import PortalError
from airflow_provider_cpp.rules.calls import Call, Reply
from airflow_provider_cpp.rules.flows import Flow, Keep, Now, Reconnect, Request, Send, Sleep, Tell
from airflow_provider_cpp.transport.auth import Token, TokenSource, token_source
from airflow_provider_cpp.transport.bodies import CHUNK
from airflow_provider_cpp.transport.causes import causes_of
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.wire import LONGEST_EXCHANGE, Log, body_of, headers, unreachable

T = TypeVar("T")
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class _Line:
    """What a connection to the portal is made of, while its settings stay."""

    settings: Settings
    tokens: TokenSource
    proxy: str | None
    client: aiohttp.ClientSession


class AsyncSession:
    """Sends calls and runs flows on an event loop, which it never blocks; an async context manager.

    :param read: reads the settings: when the first call is sent, and again when their credentials were refused, so
        that a wait outlives a secret that is replaced, and a connection that is broken for a while.
    :param log: where what a flow tells goes.
    """

    def __init__(self, read: Callable[[], Awaitable[Settings]], log: Log | None = None) -> None:
        self._read = read
        self._log: Log = log or logging.getLogger(__name__)
        self._line: _Line | None = None

    async def __aenter__(self) -> Self:
        """Enter; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._close()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result."""
        resume: Callable[[Any], Request] = flow.send
        answer: Any = None
        while True:
            try:
                request = resume(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                resume, answer = flow.send, await self._do(request)
            except PortalError as error:
                resume, answer = flow.throw, error

    async def _do(self, request: Request) -> object:
        match request:
            case Send(call):
                return await self.send(call)
            case Sleep(seconds):
                await asyncio.sleep(seconds)
            case Now():
                return datetime.now(timezone.utc)
            case Tell(text, level):
                self._log.log(level, "%s", text)
            case Reconnect():
                await self._connect()
            case Keep():
                msg = "a triggerer orders nothing, and so has nothing to note"
                raise RuntimeError(msg)
        return None

    async def send(self, call: Call[Any]) -> Reply:
        """Send a call; a token that is refused is replaced once, since a refused request did nothing.

        :raises PortalError: if no token or no answer came.
        """
        line = self._line or await self._connect()
        token = line.tokens.cached() or await self._acquire(line)
        reply = await self._exchange(line, call, token)
        if reply.status == UNAUTHORIZED:
            reply = await self._exchange(line, call, await self._acquire(line, rejected=token))
        return reply

    async def _connect(self) -> _Line:
        """Read the settings and make what they ask for; what is there stays if they are the same."""
        settings = await self._read()
        if self._line is not None and self._line.settings == settings:
            self._line.tokens.found_again()
            return self._line
        await self._close()
        context = await asyncio.to_thread(_context, settings)  # reads certificates from the disk
        proxies = dict(settings.proxies) or get_environ_proxies(settings.base_url)
        # Neither cookies nor ~/.netrc: what goes to the portal is what stands here.
        client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        self._line = _Line(settings, token_source(settings), select_proxy(settings.base_url, proxies), client)
        return self._line

    async def _close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.client.close()

    async def _acquire(self, line: _Line, rejected: Token | None = None) -> Token:
        # msal is synchronous. One thread at a time does the work; the others find its token when they come to it.
        return await asyncio.to_thread(line.tokens.token, rejected)

    async def _exchange(self, line: _Line, call: Call[Any], token: Token) -> Reply:
        settings = line.settings
        read = settings.read_timeout(order=not call.is_safe)
        try:
            async with line.client.request(
                call.method,
                settings.base_url + call.target(settings.api_version),
                data=call.body,
                headers=headers(token, call),
                proxy=line.proxy,
                timeout=aiohttp.ClientTimeout(total=LONGEST_EXCHANGE, connect=settings.request_timeout, sock_read=read),
                allow_redirects=False,
            ) as response:
                body = body_of(call, response.headers.get("Content-Encoding"))
                async for chunk in response.content.iter_chunked(CHUNK):
                    body.take(chunk)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(call, settings.base_url, error, sent=not _never_left(error)) from None
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, bytes(body.content), names, settings.base_url, datetime.now(timezone.utc))


def _context(settings: Settings) -> ssl.SSLContext:
    """Trust what requests would: a file or a folder of authorities, or its own list of them."""
    bundle = settings.bundle() or DEFAULT_CA_BUNDLE_PATH
    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def _never_left(error: BaseException) -> bool:
    """Say whether a request certainly did not reach the portal: there was no connection to send it on."""
    return any(
        isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)) for cause in causes_of(error)
    )
