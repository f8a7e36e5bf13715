# SPDX-License-Identifier: Apache-2.0
"""Select the hook by the connection type."""

from __future__ import annotations

from importlib import import_module

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_provider_cpp.get_provider_info import CONNECTIONS
from airflow_provider_cpp.hooks.base import MarketplaceHook


def get_hook(conn_id: str) -> MarketplaceHook:
    """Read a connection once, and return its hook.

    :raises ConfigurationError: if the connection does not exist, or if its type does not belong to this provider.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionNotFoundError((str(error),), f"connection {conn_id!r}") from error
    hook = make_hook(conn_id, connection.conn_type)
    hook.use(connection)
    return hook


def make_hook(conn_id: str, conn_type: str | None) -> MarketplaceHook:
    """Return the hook for a connection type, without reading the connection.

    :raises ConfigurationError: if the type does not belong to this provider.
    """
    info = CONNECTIONS.get(conn_type or "")
    if info is None:
        problem = f"its type is {conn_type!r}, not one of: {', '.join(CONNECTIONS)}"
        raise ConfigurationError((problem,), f"connection {conn_id!r}")
    module, _, name = info["hook-class-name"].rpartition(".")
    hook: MarketplaceHook = getattr(import_module(module), name)(conn_id)
    return hook
