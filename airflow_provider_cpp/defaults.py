# SPDX-License-Identifier: Apache-2.0
"""Default values and types of the tasks' arguments.

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
"""Takes an offer's document; returns the changed document, or None if it changed it in place."""

DEFAULT_CONN_ID = f"{CLOUD_PARTNER_PORTAL}_default"
"""The connection of tasks that name none, whichever its type."""

DEFAULT_SETTLE_TIME = 900.0
"""Seconds after which a submission whose response was lost, and that does not show, was not accepted."""

DEFAULT_TIMEOUT = timedelta(days=14)
"""After this time a wait fails."""

DEFAULT_POLL_FAILURE_TOLERANCE = timedelta(hours=6)
"""For this time all polls of a wait may fail."""

MAX_PUBLISH_DURATION = timedelta(days=11)
"""The longest that certification, provisioning, packaging and going live take together, as documented by Microsoft."""
