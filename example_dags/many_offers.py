# SPDX-License-Identifier: Apache-2.0
"""Publish many offers at once, and wait for all of them: a task group that is mapped over the offers.

Each offer proceeds by itself: an offer that is refused or fails does not stop the waits of the others. Each offer has its
own tasks in the Airflow UI, with their own retries and logs. A person signs off each preview in Partner Center.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task, task_group

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

POOL = "default_pool"
"""Use your own pool to limit how many of these tasks send requests to the API at the same time, across all DAGs:
``airflow pools set marketplace 4 "requests to the marketplace"``, and ``POOL = "marketplace"``. A deferred wait takes no
slot unless you create the pool with ``--include-deferred``."""


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    default_args={"retries": 2, "pool": POOL},
    params={"offer_ids": Param(["contoso-db", "contoso-web"], type="array", description="The offers to publish.")},
    tags=["azure marketplace"],
)
def many_offers() -> None:
    """Publish each offer, wait for its preview, then wait until it is live."""

    @task
    def offer_ids(params: dict[str, Any] | None = None) -> list[str]:
        """Return the offers; a real task would use the hook, or read a file."""
        return list((params or {})["offer_ids"])

    @task_group
    def release(offer_id: str) -> None:
        publish = PublishOfferOperator(task_id="publish", offer_id=offer_id)
        preview = OfferStatusSensor(task_id="preview", operation=publish.output, deferrable=True)
        live = OfferStatusSensor(task_id="live", operation=publish.output, until="live", deferrable=True)
        preview >> live

    release.expand(offer_id=offer_ids())


many_offers()
