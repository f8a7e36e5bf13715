# SPDX-License-Identifier: Apache-2.0
"""Tasks of this package and of the HTTP provider that wait in the triggerer for work that does not end."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG

from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

TASKS = int(os.environ.get("BENCH_TASKS", "20"))
INTERVAL = float(os.environ.get("BENCH_INTERVAL", "1"))
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def operation(number: int) -> dict[str, Any]:
    """Return an operation as a publish task returns it."""
    offer, identifier = f"offer-{number}", f"0565d10f-9182-42b9-a734-{number:012d}"
    return {
        "api": "cloud_partner_portal",
        "publisher_id": "contoso",
        "offer_id": offer,
        "operation_id": identifier,
        "location": f"/api/publishers/contoso/offers/{offer}/operations/{identifier}?api-version=2017-10-31",
        "kind": "publish",
        "submitted_at": datetime.now(timezone.utc).isoformat(),
    }


with DAG("ours", schedule=None, start_date=START, catchup=False):
    OfferStatusSensor.partial(
        task_id="wait", conn_id="emulator", until="live", deferrable=True, poll_interval=INTERVAL
    ).expand(operation=[operation(number) for number in range(TASKS)])

with DAG("http", schedule=None, start_date=START, catchup=False):
    HttpSensor.partial(task_id="wait", http_conn_id="peer", deferrable=True, poke_interval=INTERVAL).expand(
        endpoint=[f"sensor/{number}" for number in range(TASKS)]
    )
