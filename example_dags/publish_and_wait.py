# SPDX-License-Identifier: Apache-2.0
"""Publish an offer, wait for its preview, and wait until it is live.

Going live is left to a person, who looks at the preview in the portal. The waits take days and cost nothing:
both are the triggerer's.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

# None: a wait paces itself, close together where minutes matter and far apart through days. The demonstration, where a
# day is a second, gives a number of seconds.
POLL_INTERVAL = float(os.environ.get("EXAMPLE_POLL_INTERVAL", "0")) or None


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"offer_id": Param("contoso-vm", type="string", description="The offer to publish.")},
    tags=["azure marketplace"],
)
def publish_and_wait() -> None:
    """Publish, preview, live, announce."""
    publish = PublishOfferOperator(task_id="publish", offer_id="{{ params.offer_id }}")
    preview = OfferStatusSensor(
        task_id="preview", operation=publish.output, deferrable=True, poll_interval=POLL_INTERVAL
    )
    live = OfferStatusSensor(
        task_id="live", operation=publish.output, until="live", deferrable=True, poll_interval=POLL_INTERVAL
    )

    @task
    def announce(operation: dict[str, Any]) -> str:
        """Tell the world; a real one would write to a chat."""
        news = f"{operation['offer_id']} is on the market"
        print(news)  # noqa: T201 - Airflow writes what a task prints to its log
        return news

    preview >> live >> announce(publish.output)  # type: ignore[arg-type]  # at run time it is what the task returned


publish_and_wait()
