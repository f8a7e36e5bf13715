# SPDX-License-Identifier: Apache-2.0
"""What the waits of one event loop have in common, so that a thousand of them cost little more than their polls.

Equal settings share a :class:`~.line.Line`: one session with its connections, one source of tokens. Those who read the same
Airflow connection share an :class:`Access`: it is read for the first of them, again with each new token, after a look that
failed, and for a wait that begins a while later. What it says then is what all of them go on with. Both end with the last who
uses them.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Hashable
from typing import Any, Protocol

from airflow_provider_cpp.errors import PortalError
from airflow_provider_cpp.transport.auth import PAUSE, Token
from airflow_provider_cpp.transport.line import Line, context
from airflow_provider_cpp.transport.once import Once
from airflow_provider_cpp.transport.settings import Settings

FRESH = 60.0
"""Seconds for which what a connection said is good enough for a wait that begins: thousands may within them."""

AGAIN = 10.0
"""Seconds between two readings of a connection that gave a token, while looks fail: they may be those of thousands."""


class Reader(Protocol):
    """Who reads an Airflow connection, which is all that is known of Airflow here."""

    @property
    def name(self) -> Hashable:
        """Which connection: those who read the same one share what is read."""

    async def aget_settings(self) -> Settings:
        """Read it."""

    def tell(self, text: str, level: int) -> None:
        """Log a line."""


class Access:
    """What those share who read the same Airflow connection in one event loop.

    :param lines: what the loop shares.
    :param reader: reads the connection, for all of them.
    :ivar users: how many they are.
    :ivar name: which connection, as its reader called it when it came.
    :ivar line: where it leads by now; None before it was first opened.
    :ivar found: what the connection said when it was read last, or why it could not be; None before. Where it is still what
        the line is for, it is the very same object.
    :ivar read_at: when that was, on the loop's clock.
    :ivar read_again_at: when, on the loop's clock, that does not count any more; never before a token was asked for with it.
    :ivar is_good: whether a token came of it.
    """

    __slots__ = (
        *("_opening", "_turn", "found", "is_good", "line", "lines"),
        *("name", "read_again_at", "read_at", "reader", "users"),
    )

    def __init__(self, lines: Lines, reader: Reader) -> None:
        self.users = 0
        self.line: Line | None = None
        self.lines = lines
        self.reader = reader
        self.name = reader.name
        self._opening: Once[tuple[Line, Token]] = Once()
        self._turn = asyncio.Lock()
        self.found: Settings | PortalError | None = None
        self.read_at = -math.inf
        self.read_again_at = math.inf
        self.is_good = False

    def ready(self, rejected: Token | None = None) -> tuple[Line, Token] | None:
        """Return the line and a token that is good, without waiting for either; None if one is missing.

        :param rejected: a token that the portal refused, so that another one is wanted.
        """
        line, found = self.line, self.found
        if line is None or (isinstance(found, Settings) and found is not line.settings):
            return None  # or it leads elsewhere by now
        return None if (token := line.tokens.cached(rejected)) is None else (line, token)

    async def open(self, rejected: Token | None = None) -> tuple[Line, Token]:
        """Return the line and a token that is good, got by one for all who ask at the same time.

        :param rejected: a token that the portal refused, so that another one is wanted.
        :raises PortalError: if the connection cannot be used, or gives no token.
        """
        while (found := self.ready(rejected)) is None:
            purpose = None if rejected is None else rejected.value
            found = await self._opening.get(purpose, lambda: self._renew(rejected))
            if found[0] is self.line:  # it may have moved on before everybody heard of it
                break
        return found

    async def _renew(self, rejected: Token | None) -> tuple[Line, Token]:
        """Read the connection, move to the line of what it says, and get a token."""
        async with self._turn:
            settings = await self._settings()
            if (line := self.line) is None or line.settings != settings:
                line = await self.lines.take(settings)
                await self.close()
                self.line = line
            if self.found is settings:
                self.found = line.settings
            was_good, self.is_good = self.is_good, False
            now = asyncio.get_running_loop().time()
            # What gave tokens and gives none any more is read again at once, and what never gave one now and then.
            self.read_again_at = -math.inf if was_good else min(self.read_again_at, now + PAUSE)
            # msal is synchronous: one thread works for all.
            token = await asyncio.to_thread(line.tokens.token, rejected)
            self.is_good, self.read_again_at = True, asyncio.get_running_loop().time() + PAUSE
            return line, token

    async def _settings(self) -> Settings:
        """Return what the connection says; what was read a moment ago, or for no token yet, counts, be it an error."""
        loop = asyncio.get_running_loop()
        if self.found is None or loop.time() >= self.read_again_at:
            self.found, self.is_good = await self._read(), False
            self.read_at = loop.time()
            if isinstance(self.found, PortalError):
                self.read_again_at = loop.time() + PAUSE
            else:  # while its token is good nobody asks for one
                self.read_again_at = math.inf if self.ready() is None else loop.time() + AGAIN
        if isinstance(self.found, PortalError):
            raise self.found.with_traceback(None)
        return self.found

    async def _read(self) -> Settings | PortalError:
        line = self.line
        try:
            found = await self.reader.aget_settings()
        except PortalError as error:
            return error
        except Exception as error:
            if line is None:
                raise
            # Airflow's API server may be away, or a vault: no reason to end a wait of days.
            self.reader.tell(
                f"the connection cannot be read now ({type(error).__name__}); it is used as it was", logging.WARNING
            )
            return line.settings
        if line is not None and line.settings == found:
            line.tokens.found_again()
            return line.settings
        return found

    async def read_again(self) -> None:
        """Read the connection after a look failed, unless somebody did so a moment ago; the next one goes where it leads.

        :raises PortalError: if it cannot be used.
        """
        async with self._turn:
            await self._settings()

    def hear(self, found: Settings) -> None:
        """Take what a wait that begins has just read for what the connection says."""
        self.read_at = asyncio.get_running_loop().time()
        if self.line is not None and self.line.settings == found:
            self.found = self.line.settings
        elif self.found != found:
            self.found, self.read_again_at = found, math.inf

    async def close(self) -> None:
        """Leave the line."""
        line, self.line = self.line, None
        if line is not None:
            await self.lines.give_back(line)


class Lines:
    """What one event loop shares.

    :ivar asking: lets one of those ask who want to know at the same time what a connection is for.
    """

    def __init__(self) -> None:
        self._lines: dict[Settings, Line] = {}
        self._accesses: dict[Hashable, Access] = {}
        self.asking: Once[Any] = Once()

    def knows(self, name: Hashable) -> bool:
        """Say whether somebody uses a connection, and read a moment ago what it says."""
        access = self._accesses.get(name)
        if access is None or not isinstance(access.found, Settings):
            return False
        return asyncio.get_running_loop().time() - access.read_at < FRESH

    def enter(self, reader: Reader, found: Settings | None = None) -> Access:
        """Return the access to a connection, and count one user more.

        :param reader: which connection; the first one reads it for all.
        :param found: what it says, where it was read just now.
        """
        access = self._accesses.get(reader.name)
        if access is None:
            access = self._accesses[reader.name] = Access(self, reader)
        if found is not None:
            access.hear(found)
        access.users += 1
        return access

    async def leave(self, access: Access) -> None:
        """Count one user less; after the last one everything is closed."""
        access.users -= 1
        if not access.users:
            del self._accesses[access.name]
            await access.close()

    async def take(self, settings: Settings) -> Line:
        """Return the line for these settings, and count one user more."""
        line = self._lines.get(settings)
        if line is None:
            trust = await asyncio.to_thread(context, settings)  # reads certificates from the disk
            line = self._lines.get(settings)  # another connection with these settings may have come first
        if line is None:
            line = self._lines[settings] = Line(settings, trust)
        line.users += 1
        return line

    async def give_back(self, line: Line) -> None:
        """Count one user less; after the last one it is closed."""
        line.users -= 1
        if not line.users:
            await self.close(line)

    async def close(self, line: Line) -> None:
        """Close a line that nobody uses any more."""
        del self._lines[line.settings]
        await line.client.close()

    async def forget(self) -> None:
        """Drop everything, after the loop was closed with waits in it; the sockets went with them."""
        for line in self._lines.values():
            await line.client.close()


_of_loops: dict[asyncio.AbstractEventLoop, Lines] = {}


async def lines() -> Lines:
    """Return what the running event loop shares."""
    loop = asyncio.get_running_loop()
    if loop not in _of_loops:
        for other in [other for other in [*_of_loops] if other.is_closed()]:
            if (left := _of_loops.pop(other, None)) is not None:
                await left.forget()
    return _of_loops.setdefault(loop, Lines())
