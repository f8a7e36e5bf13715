# SPDX-License-Identifier: Apache-2.0
"""Which hook a connection is for: its type says so, and nobody else asks."""

from __future__ import annotations

from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.defaults import DEFAULT_CONN_ID
from airflow_provider_cpp.errors import ConfigurationError, ConnectionUnknown
from airflow_provider_cpp.hooks.base import MarketplaceHook
from airflow_provider_cpp.provider_info import CONNECTIONS

if TYPE_CHECKING:
    from airflow_provider_cpp.transport.settings import Settings

__all__ = ["DEFAULT_CONN_ID", "ahook_for", "hook_for"]


def hook_for(conn_id: str) -> MarketplaceHook:
    """Return the hook that a connection is for.

    :raises ConfigurationError: if there is no such connection, or it is of none of this provider's types.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionUnknown((str(error),), f"connection {conn_id!r}") from error
    return _made(conn_id, connection.conn_type)


async def ahook_for(conn_id: str, api: str | None = None) -> tuple[MarketplaceHook, Settings | None]:
    """Return the hook that a connection is for, without blocking the event loop, and what the connection says.

    One reads it for all who ask at the same time; nobody does where waits for the same API go on with it and read it within the
    last minute. What it says is None then, since they know.

    :param api: the API that is expected; None if that is not known.
    :raises ConfigurationError: as :func:`hook_for`, or if the connection lacks something.
    """
    from airflow_provider_cpp.transport.sharing import lines

    shared = await lines()
    if api in CONNECTIONS:
        hook = _made(conn_id, api)
        if shared.knows(hook.name):
            return hook, None
    hook, found = await shared.asking.get(conn_id, lambda: _read(conn_id))
    return copy(hook), found


async def _read(conn_id: str) -> tuple[MarketplaceHook, Settings]:
    from airflow.providers.common.compat.connection import get_async_connection

    try:
        connection = await get_async_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionUnknown((str(error),), f"connection {conn_id!r}") from error
    except PermissionError as error:  # Airflow refuses to show it
        raise ConfigurationError((str(error),), f"connection {conn_id!r}") from error
    hook = _made(conn_id, connection.conn_type)
    return hook, await hook.aread(connection)


def _made(conn_id: str, conn_type: str | None) -> MarketplaceHook:
    found = CONNECTIONS.get(conn_type or "")
    if found is None:
        problem = f"it is of type {conn_type!r}, and this provider's types are: {', '.join(CONNECTIONS)}"
        raise ConfigurationError((problem,), f"connection {conn_id!r}")
    module, _, name = str(found["hook-class-name"]).rpartition(".")
    hook: MarketplaceHook = getattr(import_module(module), name)(conn_id)
    return hook
