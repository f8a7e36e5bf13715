# SPDX-License-Identifier: Apache-2.0
"""Publish many offers at once, and wait for all of them, by dynamic task mapping.

Each offer is a task of its own in Airflow's UI, with its own retries and its own log. Going live is left to a person.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

POLL_INTERVAL = float(os.environ.get("EXAMPLE_POLL_INTERVAL", "0")) or None  # None: a wait paces itself

POOL = "default_pool"
"""A pool of your own bounds how many of these tasks talk to the portal at the same moment, in all DAGs together:
``airflow pools set marketplace 4 "orders to the marketplace"``, and ``POOL = "marketplace"``. A deferred wait takes no
slot of it, unless the pool is made with ``--include-deferred``."""


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"offer_ids": Param(["contoso-vm", "contoso-db"], type="array", description="The offers to publish.")},
    tags=["azure marketplace"],
)
def many_offers() -> None:
    """Publish all, then wait for all previews, then until all are live."""

    @task
    def offer_ids(params: dict[str, Any] | None = None) -> list[str]:
        """Return the offers; a real one would ask the hook, or read a file."""
        return list((params or {})["offer_ids"])

    publish = PublishOfferOperator.partial(task_id="publish", pool=POOL, retries=2).expand(offer_id=offer_ids())
    wait: dict[str, Any] = {"pool": POOL, "deferrable": True, "poll_interval": POLL_INTERVAL}
    preview = OfferStatusSensor.partial(task_id="preview", **wait).expand(operation=publish.output)
    live = OfferStatusSensor.partial(task_id="live", until="live", **wait).expand(operation=publish.output)
    preview >> live


many_offers()
