# SPDX-License-Identifier: Apache-2.0
"""Publish many offers at once, and wait for all of them, with dynamic task mapping.

Each offer has its own task in the Airflow UI, with its own retries and its own log. A person goes live.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

POLL_INTERVAL = float(os.environ.get("EXAMPLE_POLL_INTERVAL", "0")) or None  # None: the default polling intervals

POOL = "default_pool"
"""Use your own pool to limit how many of these tasks send requests to the API at the same time, across all DAGs:
``airflow pools set marketplace 4 "requests to the marketplace"``, and ``POOL = "marketplace"``. A deferred wait takes no
slot unless you create the pool with ``--include-deferred``."""


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"offer_ids": Param(["contoso-vm", "contoso-db"], type="array", description="The offers to publish.")},
    tags=["azure marketplace"],
)
def many_offers() -> None:
    """Publish all offers, wait for all previews, then wait until all offers are live."""

    @task
    def offer_ids(params: dict[str, Any] | None = None) -> list[str]:
        """Return the offers; a real task would use the hook, or read a file."""
        return list((params or {})["offer_ids"])

    publish = PublishOfferOperator.partial(task_id="publish", pool=POOL, retries=2).expand(offer_id=offer_ids())
    wait: dict[str, Any] = {"pool": POOL, "deferrable": True, "poll_interval": POLL_INTERVAL}
    preview = OfferStatusSensor.partial(task_id="preview", **wait).expand(operation=publish.output)
    live = OfferStatusSensor.partial(task_id="live", until="live", **wait).expand(operation=publish.output)
    preview >> live


many_offers()
