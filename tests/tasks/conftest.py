# SPDX-License-Identifier: Apache-2.0
"""How tests run the sensor and the operator: as a worker and a triggerer would, without either."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from versions import SENSORS_ASK_THE_DATABASE

from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

MODES = ("poke", "reschedule", "deferred")
HANDLED = (AirflowSensorTimeout, AirflowSkipException)


@dataclass
class Ending:
    """How a sensor's look ended: ``reached``, ``waits``, or the exception's name, with its text."""

    kind: str
    text: str = ""


class TaskInstance:
    """What the operator needs of a task instance: somewhere to push an XCom, and what Airflow 2 asks of a sensor's."""

    dag_id, task_id, run_id, map_index = "release", "wait", "manual", -1

    def __init__(self, try_number: int = 1, max_tries: int = 0) -> None:
        self.pushed: dict[str, Any] = {}
        self.try_number = try_number
        self.max_tries = max_tries

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> Any:
        return self.pushed.get(key)

    def get_first_reschedule_date(self, context: Any) -> None:
        return None


def run_trigger(deferral: TaskDeferred) -> dict[str, Any]:
    """Drive a trigger as a triggerer does: made again from its arguments, run until its event."""
    path, arguments = deferral.trigger.serialize()
    remade = type(deferral.trigger)(**arguments)
    assert path == f"{type(remade).__module__}.{type(remade).__name__}"

    async def first_event() -> Any:
        return await anext(remade.run())

    return asyncio.run(first_event()).payload


def run_to_end(sensor: OfferStatusSensor, context: dict[str, Any]) -> None:
    """Execute a sensor; a deferral is followed through the trigger and the resumption."""
    try:
        sensor.execute(context)
    except TaskDeferred as deferral:
        event = run_trigger(deferral)
        sensor.resume_execution(deferral.method_name, {"event": event}, context)


@pytest.fixture
def context(request: pytest.FixtureRequest) -> dict[str, Any]:
    if SENSORS_ASK_THE_DATABASE:
        request.getfixturevalue("airflow_home")
    return {"ti": TaskInstance(), "dag_run": SimpleNamespace(start_date=datetime.now(timezone.utc))}


class Store:
    """Keeps a task's state as Airflow does from 3.3 on: JSON in, JSON out."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


@pytest.fixture
def store(context: dict[str, Any]) -> Store:
    """Give the context a store of a task's state."""
    context["task_state_store"] = Store()
    return context["task_state_store"]


@pytest.fixture
def run_sensor(context: dict[str, Any]) -> Callable[..., Ending]:
    """Return a function that runs a sensor in one of the modes and says how it ended.

    A wait that would go on is cut short: no time at all is left to it.
    """

    def run(mode: str, *, patience: float = 0.0, **arguments: Any) -> Ending:
        how: dict[str, Any] = {"deferrable": True} if mode == "deferred" else {"mode": mode, "deferrable": False}
        options = {
            "task_id": "wait",
            "timeout": timedelta(seconds=patience),
            "poke_interval": 0.01,
            "poll_interval": 0.01,
        }
        sensor = OfferStatusSensor(**{**options, **how, **arguments})
        try:
            run_to_end(sensor, context)
        except AirflowSensorTimeout as error:
            return Ending("waits", str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test says what it should be
            return Ending(type(error).__name__, str(error))
        return Ending("reached")

    return run
