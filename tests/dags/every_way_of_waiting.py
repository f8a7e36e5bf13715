# SPDX-License-Identifier: Apache-2.0
"""A publication that is waited for in every mode at once, for tests."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import dag

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

INTERVALS: dict[str, Any] = {"poke_interval": 0.3, "poll_interval": 0.3}


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False)
def every_way_of_waiting() -> None:
    """Publish and wait in the operator, then wait in the sensor's three modes."""
    publish = PublishOfferOperator(
        task_id="publish", offer_id="contoso-vm", wait_for_completion=True, deferrable=True, poll_interval=0.3
    )
    for mode in ({"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}):
        name = str(mode.get("mode", "deferred"))
        wait = OfferStatusSensor(task_id=name, operation=publish.output, until="live", **INTERVALS, **mode)
        publish >> wait


every_way_of_waiting()
