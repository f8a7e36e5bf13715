# SPDX-License-Identifier: Apache-2.0
"""What tasks are made with: what is meant where a DAG file says nothing, and the types of what it says.

Values only, since every DAG file loads them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_cpp.get_provider_info import CLOUD_PARTNER_PORTAL

PublicationTarget = Literal["preview", "live"]
"""What a wait for a publication waits for."""

DraftChange = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes an offer's document; returns it changed, or None where it changed it in place."""

DEFAULT_CONN_ID = f"{CLOUD_PARTNER_PORTAL}_default"
"""The connection of tasks that name none, whichever its type."""

DEFAULT_SETTLE_TIME = 900.0
"""Seconds after which an order whose answer was lost, and that shows nowhere, was not taken."""

DEFAULT_TIMEOUT = timedelta(days=14)
"""After how long a wait gives up."""

DEFAULT_POLL_FAILURE_TOLERANCE = timedelta(hours=6)
"""For how long the portal may fail to answer a wait."""

MAX_PUBLISH_DURATION = timedelta(days=11)
"""The longest that the documents give for certification, provisioning, packaging and going live together."""
