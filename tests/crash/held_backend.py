# SPDX-License-Identifier: Apache-2.0
"""A task state store for the API server that stops before or after it writes, where a test asks for it.

A file ``holds/<run id>`` says where, ``2 before`` for example: before the second checkpoint of a run is written.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from airflow.state.metastore import MetastoreBackend

CHECKPOINT_KEY = "airflow_provider_cpp.checkpoint"


class HeldBackend(MetastoreBackend):
    """Airflow's own store, which can be held."""

    def __init__(self) -> None:
        self._holds = Path(os.environ["CRASH_DIRECTORY"], "holds")
        self._written: Counter[str] = Counter()
        self._lock = threading.Lock()

    def set(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None:
        """Write; a write held before is lost with its process, one held after is not."""
        hold, run_id = self._holds / scope.run_id, scope.run_id
        if key != CHECKPOINT_KEY:
            super().set(scope, key, value, expires_at=expires_at)
            return
        with self._lock:
            self._written[run_id] += 1
            number = self._written[run_id]
        held_at = hold.read_text() if hold.exists() else ""
        if held_at == f"{number} before":
            self._wait(hold)
            return
        # In a session of its own, so that it is written while the request is held.
        super().set(scope, key, value, expires_at=expires_at)
        if held_at == f"{number} after":
            self._wait(hold)

    def _wait(self, hold: Path) -> None:
        hold.with_suffix(".reached").touch()
        while not hold.with_suffix(".released").exists():
            time.sleep(0.05)
