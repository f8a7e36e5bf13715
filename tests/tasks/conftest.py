# SPDX-License-Identifier: Apache-2.0
"""How tests run the sensor and the operator: as a worker and a triggerer would, without either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException
from support.run_tasks import Store, TaskInstance, run_to_end
from support.versions import SENSORS_ASK_THE_DATABASE

from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

MODES = ("poke", "reschedule", "deferred")
HANDLED = (AirflowSensorTimeout, AirflowSkipException)


@dataclass
class Ending:
    """How a sensor's look ended: ``reached``, ``waits``, or the exception's name, with its text."""

    kind: str
    text: str = ""


@pytest.fixture
def context(request: pytest.FixtureRequest) -> dict[str, Any]:
    if SENSORS_ASK_THE_DATABASE:
        request.getfixturevalue("airflow_home")
    return {"ti": TaskInstance(), "dag_run": SimpleNamespace(start_date=datetime.now(timezone.utc))}


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
