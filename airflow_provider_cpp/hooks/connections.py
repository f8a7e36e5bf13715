# SPDX-License-Identifier: Apache-2.0
"""Which hook a connection is for: its type says so, and nobody else asks."""

from __future__ import annotations

from importlib import import_module

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.errors import ConfigurationError
from airflow_provider_cpp.hooks.base import MarketplaceHook
from airflow_provider_cpp.provider_info import CONNECTIONS, PORTAL_CONNECTION

DEFAULT_CONN_ID = f"{PORTAL_CONNECTION}_default"
"""The connection of tasks that name none, whichever its type."""


def hook_for(conn_id: str) -> MarketplaceHook:
    """Return the hook that a connection is for.

    :raises ConfigurationError: if there is no such connection, or it is of none of this provider's types.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError((str(error),), f"connection {conn_id!r}") from error
    return _made(conn_id, connection.conn_type)


async def ahook_for(conn_id: str) -> MarketplaceHook:
    """Return the hook that a connection is for, without blocking the event loop.

    :raises ConfigurationError: as :func:`hook_for`.
    """
    from airflow.providers.common.compat.connection import get_async_connection

    try:
        connection = await get_async_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError((str(error),), f"connection {conn_id!r}") from error
    return _made(conn_id, connection.conn_type)


def _made(conn_id: str, conn_type: str | None) -> MarketplaceHook:
    found = CONNECTIONS.get(conn_type or "")
    if found is None:
        problem = f"it is of type {conn_type!r}, and this provider's types are: {', '.join(CONNECTIONS)}"
        raise ConfigurationError((problem,), f"connection {conn_id!r}")
    module, _, name = str(found["hook-class-name"]).rpartition(".")
    hook: MarketplaceHook = getattr(import_module(module), name)(conn_id)
    return hook
