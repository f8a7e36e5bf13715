# SPDX-License-Identifier: Apache-2.0
"""A state store for the API server that stops before or after writing, where a test asks it to.

A file ``holds/<run id>`` says where, ``2 before`` for example: before the second note of an order is written.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from airflow.state.metastore import MetastoreBackend

NOTE = "airflow_provider_cpp.checkpoint"


class HeldBackend(MetastoreBackend):
    """Airflow's own store, which can be held."""

    def __init__(self) -> None:
        self._holds = Path(os.environ["CRASH_DIRECTORY"], "holds")
        self._written: Counter[str] = Counter()
        self._lock = threading.Lock()

    def set(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None:
        """Write; held before, whose write is then lost with its writer, or after."""
        hold, run_id = self._holds / scope.run_id, scope.run_id
        if key != NOTE:
            super().set(scope, key, value, expires_at=expires_at)
            return
        with self._lock:
            self._written[run_id] += 1
            number = self._written[run_id]
        wanted = hold.read_text() if hold.exists() else ""
        if wanted == f"{number} before":
            self._wait(hold)
            return
        # In a session of its own, so that it is written while the request is held.
        super().set(scope, key, value, expires_at=expires_at)
        if wanted == f"{number} after":
            self._wait(hold)

    def _wait(self, hold: Path) -> None:
        hold.with_suffix(".reached").touch()
        while not hold.with_suffix(".released").exists():
            time.sleep(0.05)
