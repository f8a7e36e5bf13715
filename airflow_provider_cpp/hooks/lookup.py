# SPDX-License-Identifier: Apache-2.0
"""Which hook a connection is for: its type says so, and nobody else asks."""

from __future__ import annotations

from importlib import import_module

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.defaults import DEFAULT_CONN_ID
from airflow_provider_cpp.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_provider_cpp.get_provider_info import CONNECTIONS
from airflow_provider_cpp.hooks.base import MarketplaceHook

__all__ = ["DEFAULT_CONN_ID", "get_hook", "make_hook"]


def get_hook(conn_id: str) -> MarketplaceHook:
    """Return the hook that a connection is for; it reads the connection, once.

    :raises ConfigurationError: if there is no such connection, or it is of none of this provider's types.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionNotFoundError((str(error),), f"connection {conn_id!r}") from error
    hook = make_hook(conn_id, connection.conn_type)
    hook.use(connection)
    return hook


def make_hook(conn_id: str, conn_type: str | None) -> MarketplaceHook:
    """Return the hook for a type of connections, without reading the connection.

    :raises ConfigurationError: if it is none of this provider's types.
    """
    found = CONNECTIONS.get(conn_type or "")
    if found is None:
        problem = f"it is of type {conn_type!r}, and this provider's types are: {', '.join(CONNECTIONS)}"
        raise ConfigurationError((problem,), f"connection {conn_id!r}")
    module, _, name = str(found["hook-class-name"]).rpartition(".")
    hook: MarketplaceHook = getattr(import_module(module), name)(conn_id)
    return hook
