# SPDX-License-Identifier: Apache-2.0
"""What the waits of one event loop have in common, so that a thousand of them cost little more than their polls.

Equal settings share a :class:`~.line.Line`: one session with its connections, one source of tokens. Those who read the same
Airflow connection share an :class:`~.access.Access`: it is read for the first of them, again with each new token, after a look that
failed, and for a flow that begins a while later. What it says then is what all of them go on with. Both end with the last who
uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from airflow_provider_cpp.transport.session_pool import Line, context
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.shared_connection import Access, Reader

FRESH = 60.0
"""Seconds for which what a connection said is good enough for a flow that begins: thousands may within them."""

AGAIN = 10.0
"""Seconds between two readings of a connection whose token is good, while looks fail: they may be those of thousands."""


class Lines:
    """What one event loop shares.

    :ivar fresh: :data:`FRESH`, in seconds.
    :ivar again: :data:`AGAIN`, in seconds.
    """

    def __init__(self) -> None:
        self._lines: dict[Settings, Line] = {}
        self._accesses: dict[Hashable, Access] = {}
        self.fresh, self.again = FRESH, AGAIN

    def enter(self, reader: Reader) -> Access:
        """Return the access to a connection, and count one user more.

        :param reader: which connection; the first one reads it for all.
        """
        access = self._accesses.get(reader.name)
        if access is None:
            access = self._accesses[reader.name] = Access(self, reader)
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
