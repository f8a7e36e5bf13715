# SPDX-License-Identifier: Apache-2.0
"""What those share who read the same Airflow connection in one event loop: what it says, and where it leads by now."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Hashable
from contextlib import suppress
from typing import Protocol

from airflow_provider_cpp.exceptions import ConnectionNotFoundError, MarketplaceError
from airflow_provider_cpp.transport.auth.token_source import FAILURE_CACHE_TIME, Token
from airflow_provider_cpp.transport.session_pool import PooledSession, SessionPool
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.single_flight import SingleFlight


class ConnectionSource(Protocol):
    """Who reads an Airflow connection, which is all that is known of Airflow here."""

    @property
    def cache_key(self) -> Hashable:
        """Which connection: those who read the same one share what is read."""

    @property
    def where(self) -> str:
        """What errors call it."""

    async def aget_settings(self) -> Settings:
        """Read it."""

    def log_line(self, text: str, level: int) -> None:
        """Log a line."""


class SharedConnection:
    """What those share who read the same Airflow connection in one event loop.

    :param pool: the loop's sessions.
    :param source: reads the connection, for all of them.
    :param fresh: seconds for which what the connection said is good enough for a flow that begins.
    :param again: seconds between two readings of a connection whose token is good, while polls fail.
    :ivar users: how many they are.
    :ivar name: which connection, as its reader called it when it came.
    :ivar session: where it leads by now; None before it was first opened.
    :ivar found: what the connection said when it was read last, or why it could not be; None before. Where it is still what
        the line is for, it is the very same object.
    :ivar read_at: when that was, on the loop's clock.
    :ivar read_again_at: when, on the same clock, that does not count any more for who wants a token; never before one was
        asked for with it.
    :ivar is_good: whether a token came of it.
    :ivar is_away: whether the last reading broke, which was told then.
    """

    def __init__(self, pool: SessionPool, source: ConnectionSource, *, fresh: float, again: float) -> None:
        self.users = 0
        self.session: PooledSession | None = None
        self.pool = pool
        self.start_interval = fresh
        self.failure_interval = again
        self.reader = source
        self.cache_key = source.cache_key
        self._acquiring: SingleFlight[tuple[PooledSession, Token]] = SingleFlight()
        self._lock = asyncio.Lock()
        self.last_read: Settings | MarketplaceError | None = None
        self.read_at = -math.inf
        self.reload_at = math.inf
        self.gave_token = False
        self.read_failed = False

    def current(self, rejected: Token | None = None) -> tuple[PooledSession, Token] | None:
        """Return the line and a token that is good, without waiting for either; None if one is missing.

        :param rejected: a token that the portal refused, so that another one is wanted.
        """
        session, found = self.session, self.last_read
        if session is None or (isinstance(found, Settings) and found is not session.settings):
            return None  # or it leads elsewhere by now
        return None if (token := session.token_source.cached(rejected)) is None else (session, token)

    async def acquire(self, rejected: Token | None = None) -> tuple[PooledSession, Token]:
        """Return the line and a token that is good, got by one for all who ask at the same time.

        :param rejected: a token that the portal refused, so that another one is wanted.
        :raises MarketplaceError: if the connection cannot be used, or gives no token.
        """
        while (found := self.current(rejected)) is None:
            purpose = None if rejected is None else rejected.value
            found = await self._acquiring.run(purpose, lambda: self._renew(rejected))
            if found[0] is self.session:  # it may have moved on before everybody heard of it
                break
        return found

    async def _renew(self, rejected: Token | None) -> tuple[PooledSession, Token]:
        """Read the connection, move to the line of what it says, and get a token."""
        async with self._lock:
            settings = await self._settings(rejected)
            was_good, self.gave_token = self.gave_token, False
            now = asyncio.get_running_loop().time()
            # What gave tokens and gives none any more is read again at once, and what never gave one now and then.
            self.reload_at = -math.inf if was_good else min(self.reload_at, now + FAILURE_CACHE_TIME)
            if (session := self.session) is None or session.settings != settings:
                left, session = session, await self.pool.acquire(settings)
                # Before anything else is waited for: who is counted as its user must be able to leave it.
                self.session = session
                if left is not None:
                    await self.pool.release(left)
            if self.last_read is settings:
                self.last_read = session.settings
            token = await session.token(rejected)
            self.gave_token, self.reload_at = True, asyncio.get_running_loop().time() + FAILURE_CACHE_TIME
            return session, token

    async def _settings(self, rejected: Token | None = None) -> Settings:
        """Return what the connection says; what was read a moment ago, or for no token yet, counts, be it an error."""
        loop = asyncio.get_running_loop()
        is_in_use = self.current(rejected) is not None  # so that nobody asks for a token
        if self.last_read is None or loop.time() >= (
            self.read_at + self.failure_interval if is_in_use else self.reload_at
        ):
            self.last_read = await self._read()
            self.read_at = loop.time()
            if self.current(rejected) is None:
                self.gave_token = False
                self.reload_at = math.inf if isinstance(self.last_read, Settings) else loop.time() + FAILURE_CACHE_TIME
        if isinstance(self.last_read, MarketplaceError):
            raise self.last_read.with_traceback(None)
        return self.last_read

    async def _read(self) -> Settings | MarketplaceError:
        session = self.session
        try:
            found = await self.reader.aget_settings()
        except MarketplaceError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a vault, or Airflow's API server, that is away raises
            if session is None:  # and not the error's own text, which may hold a secret
                return ConnectionNotFoundError((f"it cannot be read now: {type(error).__name__}",), self.reader.where)
            if not self.read_failed:
                text = f"the connection cannot be read now ({type(error).__name__}); it is used as it was"
                self.reader.log_line(text, logging.WARNING)
            self.read_failed = True
            return session.settings
        self.read_failed = False
        if session is not None and session.settings == found:
            session.token_source.connection_was_reloaded()
            return session.settings
        return found

    async def reload(self) -> None:
        """Read the connection after a look failed, unless somebody did so a moment ago; the next one goes where it leads.

        :raises MarketplaceError: if it cannot be used.
        """
        async with self._lock:
            await self._settings()

    async def reload_if_stale(self) -> None:
        """Read the connection for a flow that begins, unless that happened within the last minute or is done anyway."""
        if self.session is not None and asyncio.get_running_loop().time() - self.read_at >= self.start_interval:
            self.reload_at = -math.inf
            with suppress(MarketplaceError):  # a token that is good is used all the same
                await self.reload()

    async def close(self) -> None:
        """Leave the line."""
        session, self.session = self.session, None
        if session is not None:
            await self.pool.release(session)
