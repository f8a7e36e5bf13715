# SPDX-License-Identifier: Apache-2.0
"""A connection to the portal on an event loop: whom it trusts, how long it waits, how many sockets it has."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from requests.utils import get_environ_proxies, select_proxy

from airflow_provider_cpp.exceptions import AuthenticationError
from airflow_provider_cpp.transport.auth.token_source import Token, token_source
from airflow_provider_cpp.transport.base import COMMON_HEADERS
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.trust import ssl_context_for

MAX_CONNECTIONS = 32
"""How many connections a session has to its portal at most; who finds none free stands in a queue. Each takes some 300 KiB
while it is open, of TLS's buffers. With answers of a fifth of a second, so many are enough for 5,000 waits that a triggerer
begins again within a minute: :data:`~airflow_provider_cpp.core.poll_schedule.RESUMED_WITHIN`."""

KEEP_ALIVE = 60.0
"""Seconds for which an idle connection is kept. That a server closed one is seen, and costs a new one. What stands in
between, a firewall or a load balancer, forgets one after some minutes without a word, and a request would wait on it
in vain."""


class PooledSession:
    """A connection to the portal; open until nobody uses it any more.

    :param settings: which portal, as whom. Lines of different settings share nothing.
    :param context: whom it trusts.
    :ivar users: how many use it: each :class:`~.shared_connection.SharedConnection` that leads to it, and each request on its way.
    :ivar gate: lets so many requests through at a time as there are connections. Those that wait here weigh nothing
        yet, which aiohttp's own queue cannot say.
    """

    def __init__(self, settings: Settings, context: ssl.SSLContext) -> None:
        self.users = 0
        self.limiter = asyncio.Semaphore(MAX_CONNECTIONS)
        self.settings = settings
        self.token_source = token_source(settings)
        self._sign_in: asyncio.Future[Token] | None = None
        proxies = dict(settings.proxies) or get_environ_proxies(settings.base_url)
        self.proxy = select_proxy(settings.base_url, proxies)
        self.timeout, self.submit_timeout = (_timeout(settings, order=order) for order in (False, True))
        # Neither cookies nor ~/.netrc: what goes to the portal is what stands here.
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE),
            headers=COMMON_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def token(self, rejected: Token | None) -> Token:
        """Return a token. Canceling one who waits for it does not cancel the sign-in, which is for all.

        msal is synchronous: it runs in a thread, one at a time, so that sign-ins that hang do not take all of the loop's threads.

        :param rejected: a token that the portal refused, so that another one is wanted.
        :raises MarketplaceError: if there is none to be had, or not in time.
        """
        # Longer than a sign-in takes at most: its own error says more.
        seconds = self.settings.exchange_timeout(submit=False) + self.settings.request_timeout
        try:
            async with asyncio.timeout(seconds):
                while self._sign_in is not None:  # the one who began it has given up
                    await asyncio.wait([self._sign_in])
                work = asyncio.get_running_loop().run_in_executor(None, self.token_source.token, rejected)
                self._sign_in = work
                work.add_done_callback(self._ended)
                await asyncio.wait([work])
        except TimeoutError:
            text = f"sign-in of {self.settings.credentials.principal}: no response within {seconds:g} seconds"
            raise AuthenticationError(text, transient=True, answered=False) from None
        return work.result()

    def _ended(self, work: asyncio.Future[Token]) -> None:
        self._sign_in = None
        if not work.cancelled():
            work.exception()  # or asyncio logs it, if nobody waits any more


class SessionPool:
    """The sessions of one event loop, one for equal settings; each is closed after its last user."""

    def __init__(self) -> None:
        self._sessions: dict[Settings, PooledSession] = {}

    async def acquire(self, settings: Settings) -> PooledSession:
        """Return the line for these settings, and count one user more."""
        session = self._sessions.get(settings)
        if session is None:
            trust = await asyncio.to_thread(ssl_context, settings)  # reads certificates from the disk
            session = self._sessions.get(settings)  # another connection with these settings may have come first
        if session is None:
            session = self._sessions[settings] = PooledSession(settings, trust)
        session.users += 1
        return session

    async def release(self, session: PooledSession) -> None:
        """Count one user less; after the last one it is closed."""
        session.users -= 1
        if not session.users:
            await self.close(session)

    async def close(self, session: PooledSession) -> None:
        """Close a line that nobody uses any more."""
        del self._sessions[session.settings]
        await session.client.close()

    async def discard(self) -> None:
        """Drop everything, after the loop was closed with waits in it; the sockets went with them."""
        for session in self._sessions.values():
            await session.client.close()


def _timeout(settings: Settings, *, order: bool) -> aiohttp.ClientTimeout:
    if order:
        read = settings.read_timeout(submit=True)
        total = settings.exchange_timeout(submit=True)
        return aiohttp.ClientTimeout(total=total, connect=settings.request_timeout, sock_read=read)
    # One for all of it: each would be a timer more in every poll, and what is read here is small.
    return aiohttp.ClientTimeout(total=settings.request_timeout)


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """Trust what requests would: a file or a folder of authorities, or its own list of them.

    :raises CABundleError: if the bundle cannot be used now.
    """
    return ssl_context_for(settings.ca_bundle())
