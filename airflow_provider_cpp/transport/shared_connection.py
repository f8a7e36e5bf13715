# SPDX-License-Identifier: Apache-2.0
"""The settings and session that all flows on one event loop and one Airflow connection share."""

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

START_RELOAD_INTERVAL = 60.0
"""Seconds for which new flows use the settings that were read before, because thousands of flows may start at once."""

FAILURE_RELOAD_INTERVAL = 10.0
"""Seconds between two reads of a connection with a valid token while polls fail, because thousands of polls may fail at once."""


class ConnectionSource(Protocol):
    """The protocol to read an Airflow connection; the hook implements it."""

    @property
    def cache_key(self) -> Hashable:
        """The key by which flows share the connection."""

    @property
    def where(self) -> str:
        """The connection's name in errors."""

    async def aget_settings(self) -> Settings:
        """Read the connection."""

    def log_line(self, text: str, level: int) -> None:
        """Log a line."""


class SharedConnection:
    """The settings and session that all flows on one event loop and one Airflow connection share.

    :param pool: the event loop's sessions.
    :param source: reads the connection for all flows.
    :ivar users: the number of flows.
    :ivar session: the current session; None before the first :meth:`acquire`.
    :ivar last_read: the settings or the error of the last read; None before the first read. Settings that equal the session's
        are the same object as ``session.settings``.
    :ivar read_at: the time of the last read, on the event loop's clock.
    :ivar reload_at: the time, on the same clock, after which the connection is read again before the next sign-in; infinity
        until the first sign-in with these settings.
    :ivar gave_token: whether a sign-in with these settings has succeeded.
    :ivar read_failed: whether the last read failed; only the first failure is logged.
    """

    def __init__(self, pool: SessionPool, source: ConnectionSource) -> None:
        self.users = 0
        self.session: PooledSession | None = None
        self.pool = pool
        self.source = source
        self._acquired: dict[str | None, tuple[PooledSession, Token] | Exception] = {}
        self._lock = asyncio.Lock()
        self.last_read: Settings | MarketplaceError | None = None
        self.read_at = -math.inf
        self.reload_at = math.inf
        self.gave_token = False
        self.read_failed = False

    def current(self, rejected: Token | None = None) -> tuple[PooledSession, Token] | None:
        """Return the session and its cached token if both are valid, else None.

        :param rejected: a token that the API rejected; the returned token is a different one.
        """
        session = self.session
        if session is None or (isinstance(self.last_read, Settings) and self.last_read is not session.settings):
            return None
        return None if (token := session.token_source.cached(rejected)) is None else (session, token)

    async def acquire(self, rejected: Token | None = None) -> tuple[PooledSession, Token]:
        """Return the session and a valid token; concurrent callers share the result of one sign-in, even if it fails.

        Only callers with the same ``rejected`` share a failure: another caller reads the connection again before it fails. The
        sign-in runs in the task of the first caller. If that caller is cancelled, the next one signs in.

        :param rejected: a token that the API rejected; the returned token is a different one.
        :raises MarketplaceError: if the connection cannot be used, or if there is no token.
        """
        if (current := self.current(rejected)) is not None:
            return current  # without the lock: a slow read of the connection may hold it
        key = None if rejected is None else rejected.value
        before = self._acquired.get(key)
        async with self._lock:
            if (current := self.current(rejected)) is not None:
                return current
            acquired = self._acquired.get(key)
            if acquired is not None and acquired is not before:  # while this caller waited
                if isinstance(acquired, Exception):
                    raise acquired.with_traceback(None)
                if acquired[0] is self.session:
                    return acquired
            try:
                acquired = await self._renew(rejected)
            except Exception as error:
                self._acquired[key] = error
                raise
            self._acquired = {key: acquired}
            return acquired

    async def _renew(self, rejected: Token | None) -> tuple[PooledSession, Token]:
        """Read the connection if due, switch to the session for its settings, and get a token."""
        settings = await self._settings(rejected)
        gave_token, self.gave_token = self.gave_token, False
        now = asyncio.get_running_loop().time()
        # After a failed sign-in, read the connection again: at once if these settings gave a token before, else after a delay.
        self.reload_at = -math.inf if gave_token else min(self.reload_at, now + FAILURE_CACHE_TIME)
        if (session := self.session) is None or session.settings != settings:
            previous, session = session, await self.pool.acquire(settings)
            # Set this before the next await, so that leave() releases the session after a cancellation.
            self.session = session
            if previous is not None:
                await self.pool.release(previous)
        if self.last_read is settings:
            self.last_read = session.settings
        token = await session.token(rejected)
        self.gave_token, self.reload_at = True, asyncio.get_running_loop().time() + FAILURE_CACHE_TIME
        return session, token

    async def _settings(self, rejected: Token | None = None) -> Settings:
        """Return the settings of the last read, or raise its error; read the connection first if that is due."""
        loop = asyncio.get_running_loop()
        has_token = self.current(rejected) is not None
        due_at = self.read_at + FAILURE_RELOAD_INTERVAL if has_token else self.reload_at
        if self.last_read is None or loop.time() >= due_at:
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
            settings = await self.source.aget_settings()
        except MarketplaceError as error:
            return error
        except Exception as error:  # noqa: BLE001 - anything that Airflow or a secrets backend raises
            if session is None:  # do not show the error's text, which may contain a secret
                return ConnectionNotFoundError((f"it cannot be read now: {type(error).__name__}",), self.source.where)
            if not self.read_failed:
                text = (
                    f"the connection cannot be read now ({type(error).__name__}); the settings read before stay in use"
                )
                self.source.log_line(text, logging.WARNING)
            self.read_failed = True
            return session.settings
        self.read_failed = False
        if session is not None and session.settings == settings:
            session.token_source.connection_was_reloaded()
            return session.settings
        return settings

    async def reload(self) -> None:
        """Read the connection after a failed poll, unless it was read recently; the next poll uses the result.

        :raises MarketplaceError: if the connection cannot be used.
        """
        async with self._lock:
            await self._settings()

    async def reload_if_stale(self) -> None:
        """Read the connection for a new flow, unless it was read recently or there is no session yet."""
        if self.session is not None and asyncio.get_running_loop().time() - self.read_at >= START_RELOAD_INTERVAL:
            self.reload_at = -math.inf
            with suppress(MarketplaceError):  # continue to use a valid token
                await self.reload()
