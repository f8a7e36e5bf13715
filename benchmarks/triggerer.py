# SPDX-License-Identifier: Apache-2.0
"""The environment of a triggerer: Airflow's own trigger runner, its log, and a fake of its supervisor."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import Any

FIELDS = ("host", "schema", "login", "password", "port", "extra")
"""The fields of a connection, without its id and type."""


class Supervisor:
    """Respond to triggers' requests in place of the triggerer's supervisor, and count the requested connections.

    A real supervisor sends each request to the API server, which reads the database, so a lookup costs more there.

    :param connections: Airflow's connections by their ids.
    """

    def __init__(self, connections: dict[str, dict[str, Any]]) -> None:
        from airflow.sdk.execution_time.comms import ConnectionResult, _RequestFrame

        self.lookups = 0
        self._frame = _RequestFrame
        empty: dict[str, Any] = dict.fromkeys(FIELDS)
        self._connections = {
            name: ConnectionResult(conn_id=name, **(empty | fields)) for name, fields in connections.items()
        }

    async def asend(self, message: Any) -> Any:
        """Handle a message from a trigger's coroutine."""
        self._frame(id=1, body=message.model_dump()).as_bytes()
        await asyncio.sleep(0)
        if type(message).__name__ != "GetConnection":
            return None
        self.lookups += 1
        return self._connections.get(message.conn_id)

    def send(self, message: Any) -> Any:
        """Handle a message from synchronous code, as the triggerer does."""
        import greenback

        return greenback.await_(self.asend(message))


class Triggerer:
    """Run triggers with the triggerer's own code.

    :param connections: Airflow's connections by their ids.
    :param log: the file descriptor for the log, as JSON lines.
    """

    def __init__(self, connections: dict[str, dict[str, Any]], log: int) -> None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
        from airflow.jobs.triggerer_job_runner import TriggerRunner
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.log import configure_logging, reset_logging

        reset_logging()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        configure_logging(json_output=True, output=os.fdopen(log, "wb", buffering=0), sending_to_supervisor=True)
        self.supervisor = Supervisor(connections)
        task_runner.SUPERVISOR_COMMS = self.supervisor  # type: ignore[assignment]  # a fake
        self._runner = TriggerRunner()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped

    def start(self, number: int, trigger: Any) -> asyncio.Task[None]:
        """Start a trigger."""
        trigger.task_instance = _task_instance(number)
        trigger.trigger_id = number
        name = f"release/scheduled/wait/{number}/1 (ID {number})"
        task = asyncio.create_task(self._runner.run_trigger(number, trigger), name=name)
        self._runner.triggers[number] = {"task": task, "is_watcher": False, "name": name, "events": 0}
        return task


def _task_instance(number: int) -> Any:
    from airflow.executors.workloads.task import TaskInstanceDTO

    return TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id="wait",
        dag_id="release",
        run_id="scheduled",
        try_number=1,
        map_index=number,
        pool_slots=1,
        queue="default",
        priority_weight=1,
    )
