# SPDX-License-Identifier: Apache-2.0
"""What tasks are made with: what is meant where a DAG file says nothing, and the types of what it says.

Values only, since every DAG file loads them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_cpp.get_provider_info import PORTAL_CONNECTION

Until = Literal["preview", "live"]
"""What a wait for a publication waits for."""

Change = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes an offer's document; returns it changed, or None where it changed it in place."""

DEFAULT_CONN_ID = f"{PORTAL_CONNECTION}_default"
"""The connection of tasks that name none, whichever its type."""

DEFAULT_SETTLE_TIME = 900.0
"""Seconds after which an order whose answer was lost, and that shows nowhere, was not taken."""

DEFAULT_TIMEOUT = timedelta(days=14)
"""After how long a wait gives up."""

DEFAULT_TOLERANCE = timedelta(hours=6)
"""For how long the portal may fail to answer a wait."""

PUBLISHING_TAKES = timedelta(days=11)
"""The longest that the documents give for certification, provisioning, packaging and going live together."""
