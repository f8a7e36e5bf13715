# SPDX-License-Identifier: Apache-2.0
"""The HTTP sessions of an event loop. Equal settings share one session, with its connections, timeouts and token source."""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from requests.utils import get_environ_proxies, select_proxy

from airflow_provider_cpp.exceptions import AuthenticationError
from airflow_provider_cpp.transport.auth.token_source import Token, token_source
from airflow_provider_cpp.transport.settings import COMMON_HEADERS, Settings
from airflow_provider_cpp.transport.trust import ssl_context_for

MAX_CONNECTIONS = 32
"""The maximum number of connections of a session; further requests queue. Each open connection needs about 300 KiB for TLS buffers.
With response times of 0.2 seconds, 32 connections are enough for 5,000 waits that a triggerer resumes within a minute; see
:data:`~airflow_provider_cpp.core.poll_schedule.RESUMED_WITHIN`.
"""

KEEP_ALIVE = 60.0
"""Seconds for which an idle connection stays open. Firewalls and load balancers silently drop idle connections after some minutes,
and a request on such a connection would wait until its timeout.
"""


class PooledSession:
    """An HTTP session that is open until its last user releases it. Sessions with different settings share nothing.

    :ivar users: the number of :class:`~.shared_connection.SharedConnection` that use it, plus the requests in progress.
    :ivar limiter: queues requests while all connections are in use; needs less memory than aiohttp's own queue.
    """

    def __init__(self, settings: Settings, context: ssl.SSLContext) -> None:
        self.users = 0
        self.limiter = asyncio.Semaphore(MAX_CONNECTIONS)
        self.settings = settings
        self.token_source = token_source(settings)
        self._executor = ThreadPoolExecutor(1)  # one thread, so that blocked sign-ins do not use all threads
        proxies = dict(settings.proxies) or get_environ_proxies(settings.base_url)
        self.proxy = select_proxy(settings.base_url, proxies)
        # Set only a total timeout: responses are small, and each additional timeout needs a timer in every poll.
        self.timeout = aiohttp.ClientTimeout(total=settings.request_timeout)
        self.submit_timeout = aiohttp.ClientTimeout(
            total=settings.exchange_timeout(submit=True),
            connect=settings.request_timeout,
            sock_read=settings.read_timeout(submit=True),
        )
        # Use no cookies and no ~/.netrc.
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE),
            headers=COMMON_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    async def token(self, rejected: Token | None) -> Token:
        """Return a token. All callers share one sign-in, and cancelling one caller does not cancel it.

        msal is synchronous, so the sign-in runs in a thread.

        :param rejected: a token that the API rejected; the returned token is a different one.
        :raises MarketplaceError: if there is no token, or none in time.
        """
        # Longer than the timeout of a sign-in, whose error has more details.
        seconds = self.settings.exchange_timeout(submit=False) + self.settings.request_timeout
        try:
            async with asyncio.timeout(seconds):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._executor, self.token_source.token, rejected)
        except TimeoutError:
            text = f"sign-in of {self.settings.credentials}: no response within {seconds:g} seconds"
            raise AuthenticationError(text, transient=True, responded=False) from None

    async def close(self) -> None:
        """Close the connections. A sign-in in progress continues."""
        self._executor.shutdown(wait=False)
        await self.client.close()


class SessionPool:
    """The sessions of one event loop, one for each settings value; each closes when its last user releases it."""

    def __init__(self) -> None:
        self._sessions: dict[Settings, PooledSession] = {}

    async def acquire(self, settings: Settings) -> PooledSession:
        """Return the session for these settings, and add a user."""
        if settings not in self._sessions:
            context = await asyncio.to_thread(ssl_context_for, settings.ca_bundle())  # reads from disk
            if settings not in self._sessions:  # another caller may have been faster
                self._sessions[settings] = PooledSession(settings, context)
        session = self._sessions[settings]
        session.users += 1
        return session

    async def release(self, session: PooledSession) -> None:
        """Remove a user; close the session if it was the last one."""
        session.users -= 1
        if not session.users:
            del self._sessions[session.settings]
            await session.close()
