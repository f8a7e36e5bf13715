# SPDX-License-Identifier: Apache-2.0
"""The sessions and connections that all flows of an event loop share, so that thousands of waits need few resources.

Flows with equal settings share a :class:`~.session_pool.PooledSession`, which has one HTTP session and one token source. Flows
with the same Airflow connection share a :class:`~.shared_connection.SharedConnection`. It reads the connection for the first
flow, for each new token, after a failed poll, and for a flow that starts later; then all flows use the new settings. Both close
when their last user leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from airflow_provider_cpp.transport.session_pool import SessionPool
from airflow_provider_cpp.transport.shared_connection import ConnectionSource, SharedConnection


class LoopRegistry:
    """The sessions and connections of one event loop."""

    def __init__(self) -> None:
        self.pool = SessionPool()
        self._connections: dict[Hashable, SharedConnection] = {}

    def join(self, source: ConnectionSource) -> SharedConnection:
        """Return the shared connection, and add a user.

        :param source: identifies the connection; the first source reads it for all users.
        """
        connection = self._connections.setdefault(source.cache_key, SharedConnection(self.pool, source))
        connection.users += 1
        return connection

    async def leave(self, connection: SharedConnection) -> None:
        """Remove a user; close the connection if it was the last one."""
        connection.users -= 1
        if not connection.users:
            del self._connections[connection.source.cache_key]
            if connection.session is not None:
                await self.pool.release(connection.session)


_registries: dict[asyncio.AbstractEventLoop, LoopRegistry] = {}


def loop_registry() -> LoopRegistry:
    """Return the registry of the running event loop, and remove those of closed event loops."""
    for loop in [*_registries]:
        if loop.is_closed():
            _registries.pop(loop, None)
    return _registries.setdefault(asyncio.get_running_loop(), LoopRegistry())
