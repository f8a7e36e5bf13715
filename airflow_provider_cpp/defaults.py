# SPDX-License-Identifier: Apache-2.0
"""Default values and types of the tasks' arguments. Every DAG file loads this module, so it must stay small."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_cpp.get_provider_info import CLOUD_PARTNER_PORTAL

PublicationTarget = Literal["preview", "live"]
"""The state of a publication that a task can wait for."""

DraftChange = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Takes an offer's document, and returns the changed document, or None if it changed the document in place."""

DEFAULT_CONN_ID = f"{CLOUD_PARTNER_PORTAL}_default"
"""The default connection ID of tasks, for connections of any type."""

DEFAULT_SETTLE_TIME = 900.0
"""Seconds after which a submit was not accepted if its response was lost and no operation shows it."""

DEFAULT_CANCEL_POLL_INTERVAL = 15.0
"""Seconds between two polls until a canceled operation ends."""

DEFAULT_TIMEOUT = timedelta(days=14)
"""How long a wait lasts before it fails."""

DEFAULT_POLL_FAILURE_TOLERANCE = timedelta(hours=6)
"""How long all polls may fail before a wait fails."""

MAX_PUBLISH_DURATION = timedelta(days=11)
"""The longest duration of certification, provisioning, packaging and going live together, as documented by Microsoft."""
