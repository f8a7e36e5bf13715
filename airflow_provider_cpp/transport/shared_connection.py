# SPDX-License-Identifier: Apache-2.0
"""What those share who read the same Airflow connection in one event loop: what it says, and where it leads by now."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from airflow_provider_cpp.exceptions import ConnectionUnknown, PortalError
from airflow_provider_cpp.transport.auth.token_source import PAUSE, Token
from airflow_provider_cpp.transport.session_pool import Line
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.single_flight import Once

if TYPE_CHECKING:
    from airflow_provider_cpp.transport.loop_registry import Lines


class Reader(Protocol):
    """Who reads an Airflow connection, which is all that is known of Airflow here."""

    @property
    def name(self) -> Hashable:
        """Which connection: those who read the same one share what is read."""

    @property
    def where(self) -> str:
        """What errors call it."""

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
    :ivar read_again_at: when, on the same clock, that does not count any more for who wants a token; never before one was
        asked for with it.
    :ivar is_good: whether a token came of it.
    :ivar is_away: whether the last reading broke, which was told then.
    """

    __slots__ = (
        *("_opening", "_turn", "found", "is_away", "is_good", "line", "lines"),
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
        self.is_away = False

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
            settings = await self._settings(rejected)
            was_good, self.is_good = self.is_good, False
            now = asyncio.get_running_loop().time()
            # What gave tokens and gives none any more is read again at once, and what never gave one now and then.
            self.read_again_at = -math.inf if was_good else min(self.read_again_at, now + PAUSE)
            if (line := self.line) is None or line.settings != settings:
                left, line = line, await self.lines.take(settings)
                # Before anything else is waited for: who is counted as its user must be able to leave it.
                self.line = line
                if left is not None:
                    await self.lines.give_back(left)
            if self.found is settings:
                self.found = line.settings
            token = await line.token(rejected)
            self.is_good, self.read_again_at = True, asyncio.get_running_loop().time() + PAUSE
            return line, token

    async def _settings(self, rejected: Token | None = None) -> Settings:
        """Return what the connection says; what was read a moment ago, or for no token yet, counts, be it an error."""
        loop = asyncio.get_running_loop()
        is_in_use = self.ready(rejected) is not None  # so that nobody asks for a token
        if self.found is None or loop.time() >= (self.read_at + self.lines.again if is_in_use else self.read_again_at):
            self.found = await self._read()
            self.read_at = loop.time()
            if self.ready(rejected) is None:
                self.is_good = False
                self.read_again_at = math.inf if isinstance(self.found, Settings) else loop.time() + PAUSE
        if isinstance(self.found, PortalError):
            raise self.found.with_traceback(None)
        return self.found

    async def _read(self) -> Settings | PortalError:
        line = self.line
        try:
            found = await self.reader.aget_settings()
        except PortalError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a vault, or Airflow's API server, that is away raises
            if line is None:  # and not the error's own text, which may hold a secret
                return ConnectionUnknown((f"it cannot be read now: {type(error).__name__}",), self.reader.where)
            if not self.is_away:
                text = f"the connection cannot be read now ({type(error).__name__}); it is used as it was"
                self.reader.tell(text, logging.WARNING)
            self.is_away = True
            return line.settings
        self.is_away = False
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

    async def begin(self) -> None:
        """Read the connection for a flow that begins, unless that happened within the last minute or is done anyway."""
        if self.line is not None and asyncio.get_running_loop().time() - self.read_at >= self.lines.fresh:
            self.read_again_at = -math.inf
            with suppress(PortalError):  # a token that is good is used all the same
                await self.read_again()

    async def close(self) -> None:
        """Leave the line."""
        line, self.line = self.line, None
        if line is not None:
            await self.lines.give_back(line)
