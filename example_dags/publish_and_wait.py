# SPDX-License-Identifier: Apache-2.0
"""Publish an offer, wait for its preview, and wait until it is live.

A person checks the preview in Partner Center and goes live. Each wait takes days and almost no
resources, because it runs in the triggerer.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    params={"offer_id": Param("contoso-vm", type="string", description="The offer to publish.")},
    tags=["azure marketplace"],
)
def publish_and_wait() -> None:
    """Publish, wait for the preview, wait until the offer is live, and announce it."""
    publish = PublishOfferOperator(task_id="publish", offer_id="{{ params.offer_id }}")
    preview = OfferStatusSensor(task_id="preview", operation=publish.output, deferrable=True)
    live = OfferStatusSensor(task_id="live", operation=publish.output, until="live", deferrable=True)

    @task
    def announce(operation: dict[str, Any]) -> str:
        """Announce the release; a real task would write to a chat."""
        news = f"{operation['offer_id']} is on the market"
        print(news)  # noqa: T201 - Airflow writes what a task prints to its log
        return news

    preview >> live >> announce(publish.output)  # type: ignore[arg-type]  # at run time it is the task's return value


publish_and_wait()
