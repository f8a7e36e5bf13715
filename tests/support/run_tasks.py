# SPDX-License-Identifier: Apache-2.0
"""Run tasks as a worker and a triggerer do, without either."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred


class TaskInstance:
    """A task instance for operators: it stores XComs and has what Airflow 2 reads for a sensor."""

    dag_id, task_id, run_id, map_index = "release", "wait", "manual", -1

    def __init__(self, try_number: int = 1, max_tries: int = 2) -> None:
        self.pushed: dict[str, Any] = {}
        self.try_number = try_number
        self.max_tries = max_tries

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        return self.pushed.get(key)

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


class Store:
    """A task state store as in Airflow 3.3: JSON in, JSON out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


def run_trigger(deferral: TaskDeferred) -> dict[str, Any]:
    """Run a trigger as a triggerer does: re-created from its arguments, until its event."""
    path, arguments = deferral.trigger.serialize()
    trigger = type(deferral.trigger)(**arguments)
    assert path == f"{type(trigger).__module__}.{type(trigger).__name__}"

    async def first_event() -> Any:
        return await anext(trigger.run())

    return asyncio.run(first_event()).payload


def run_to_end(task: Any, context: dict[str, Any]) -> Any:
    """Execute a task; after a deferral, run its trigger and resume the task."""
    try:
        return task.execute(context)
    except TaskDeferred as deferral:
        event = run_trigger(deferral)
        return task.resume_execution(deferral.method_name, {"event": event}, context)
