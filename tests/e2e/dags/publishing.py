# SPDX-License-Identifier: Apache-2.0
"""DAGs that publish offers while parts of Airflow are killed. The run's configuration names the offers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import dag, task

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

COMMON: dict[str, Any] = {"start_date": datetime(2026, 1, 1, tzinfo=timezone.utc), "catchup": False}
TASK: dict[str, Any] = {"retries": 8, "retry_delay": timedelta(0), "poll_interval": 2.0}
PUBLISH: dict[str, Any] = TASK | {"task_id": "publish", "settle_time": 15.0}


CONNECTIONS = ("cloud_partner_portal_default", "product_ingestion_default")
"""One for each API; the offers alternate between them."""


@task
def offers(dag_run: Any = None) -> list[dict[str, str]]:
    """Return the offers, each with its connection."""
    names = dag_run.conf["offers"]
    return [{"offer_id": name, "conn_id": CONNECTIONS[number % 2]} for number, name in enumerate(names)]


@task
def waits(operations: Any) -> list[dict[str, Any]]:
    """Return the operations to wait for, each with the connection of its API."""
    return [{"operation": dict(one), "conn_id": f"{one['api']}_default"} for one in operations]


@dag("deferred", schedule=None, **COMMON)
def deferred() -> None:
    """Publish, and wait for the preview in the triggerer; the emulated person signs off."""
    PublishOfferOperator.partial(wait_for_completion=True, deferrable=True, **PUBLISH).expand_kwargs(offers())


@dag("deferred_until_live", schedule=None, **COMMON)
def deferred_until_live() -> None:
    """Publish, and wait in the triggerer until the offer is live."""
    publish = PublishOfferOperator.partial(**PUBLISH).expand_kwargs(offers())
    live = OfferStatusSensor.partial(task_id="live", until="live", deferrable=True, **TASK)
    live.expand_kwargs(waits(publish.output))


@dag("polling", schedule=None, **COMMON)
def polling() -> None:
    """Publish, and wait for the preview in the task's own process."""
    PublishOfferOperator.partial(wait_for_completion=True, deferrable=False, **PUBLISH).expand_kwargs(offers())


polling()
deferred()
deferred_until_live()
