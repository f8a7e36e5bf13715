# SPDX-License-Identifier: Apache-2.0
"""Fixtures that run tasks as a worker and a triggerer do, without either."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout
from support.run_tasks import Store, TaskInstance, run_to_end
from support.sensor_result import SensorResult
from support.versions import SENSORS_READ_THE_DATABASE

from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor


@pytest.fixture
def context(request: pytest.FixtureRequest) -> dict[str, Any]:
    if SENSORS_READ_THE_DATABASE:
        request.getfixturevalue("airflow_home")
    return {"ti": TaskInstance(), "dag_run": SimpleNamespace(start_date=datetime.now(timezone.utc))}


@pytest.fixture
def store(context: dict[str, Any]) -> Store:
    """Add a task state store to the context."""
    context["task_state_store"] = Store()
    return context["task_state_store"]


@pytest.fixture
def run_sensor(context: dict[str, Any]) -> Callable[..., SensorResult]:
    """Return a function that runs a sensor in a mode; by default its wait times out at once."""

    def run(mode: str, *, timeout: float = 0.0, **arguments: Any) -> SensorResult:
        mode_arguments: dict[str, Any] = (
            {"deferrable": True} if mode == "deferred" else {"mode": mode, "deferrable": False}
        )
        options = {
            "task_id": "wait",
            "timeout": timedelta(seconds=timeout),
            "poke_interval": 0.01,
            "poll_interval": 0.01,
        }
        sensor = OfferStatusSensor(**{**options, **mode_arguments, **arguments})
        try:
            run_to_end(sensor, context)
        except AirflowSensorTimeout as error:
            return SensorResult("waits", str(error))
        except Exception as error:  # noqa: BLE001 - the test compares it with the expected one
            return SensorResult(type(error).__name__, str(error))
        return SensorResult("reached")

    return run
