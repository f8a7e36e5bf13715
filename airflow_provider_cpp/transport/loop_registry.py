# SPDX-License-Identifier: Apache-2.0
"""What the waits of one event loop have in common, so that a thousand of them cost little more than their polls.

Equal settings share a :class:`~.session_pool.PooledSession`: one session with its connections, one source of tokens. Those who read the same
Airflow connection share an :class:`~.shared_connection.SharedConnection`: it is read for the first of them, again with each new token, after a look that
failed, and for a flow that begins a while later. What it says then is what all of them go on with. Both end with the last who
uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from airflow_provider_cpp.transport.session_pool import SessionPool
from airflow_provider_cpp.transport.shared_connection import ConnectionSource, SharedConnection

START_RELOAD_INTERVAL = 60.0
"""Seconds for which what a connection said is good enough for a flow that begins: thousands may within them."""

FAILURE_RELOAD_INTERVAL = 10.0
"""Seconds between two readings of a connection whose token is good, while looks fail: they may be those of thousands."""


class LoopRegistry:
    """What one event loop shares.

    :ivar fresh: :data:`FRESH`, in seconds.
    :ivar again: :data:`AGAIN`, in seconds.
    """

    def __init__(self) -> None:
        self.pool = SessionPool()
        self._connections: dict[Hashable, SharedConnection] = {}
        self.start_interval, self.failure_interval = START_RELOAD_INTERVAL, FAILURE_RELOAD_INTERVAL

    def join(self, source: ConnectionSource) -> SharedConnection:
        """Return the access to a connection, and count one user more.

        :param source: which connection; the first one reads it for all.
        """
        connection = self._connections.get(source.cache_key)
        if connection is None:
            connection = self._connections[source.cache_key] = SharedConnection(
                self.pool, source, fresh=self.start_interval, again=self.failure_interval
            )
        connection.users += 1
        return connection

    async def leave(self, connection: SharedConnection) -> None:
        """Count one user less; after the last one everything is closed."""
        connection.users -= 1
        if not connection.users:
            del self._connections[connection.cache_key]
            await connection.close()

    async def discard(self) -> None:
        """Drop everything, after the loop was closed with waits in it; the sockets went with them."""
        await self.pool.discard()


_registries: dict[asyncio.AbstractEventLoop, LoopRegistry] = {}


async def loop_registry() -> LoopRegistry:
    """Return what the running event loop shares."""
    loop = asyncio.get_running_loop()
    if loop not in _registries:
        for other in [other for other in [*_registries] if other.is_closed()]:
            if (left := _registries.pop(other, None)) is not None:
                await left.discard()
    return _registries.setdefault(loop, LoopRegistry())
