# SPDX-License-Identifier: Apache-2.0
"""Tasks that fail in every way that could show a secret, for tests.

The secrets come from the environment, as JSON, so that this file contains none.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import dag

from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

URLS: dict[str, str] = json.loads(os.environ.get("FAILING_RUNS_URLS", "{}"))
INGESTION = os.environ.get("FAILING_RUNS_API") == "product_ingestion"
"""Whether the connections are for the Product Ingestion API. The two APIs' tasks differ only in how they change a draft."""


def url(name: str) -> str:
    """Return a task's SAS URL."""
    return URLS.get(name, "https://contosoimages.blob.core.windows.net/vhds/none.vhd")


def careless(document: dict[str, Any]) -> None:
    """Raise an exception with a secret, as a user's own function might."""
    msg = f"{document['id']} has no place for {url('careless')}"
    raise LookupError(msg)


def resource() -> dict[str, Any]:
    """Return a resource with a URL in it."""
    schema = "https://schema.mp.microsoft.com/schema/product/2022-03-01-preview3"
    return {
        "$schema": schema,
        "identity": {"externalId": "put-refused"},
        "type": "azureVirtualMachine",
        "alias": url("patch"),
    }


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, default_args={"retries": 0})
def failing_runs() -> None:
    """Run tasks that all fail on their own, except for those that add an image."""
    poll: dict[str, Any] = {
        "mode": "poke",
        "poke_interval": 0.1,
        "until": "live",
        "poll_failure_tolerance": 0.0,
        "timeout": 20,
    }
    for conn_id in ("wrong_secret", "wrong_certificate", "revoked", "untrusted", "echoing"):
        OfferStatusSensor(task_id=conn_id, conn_id=conn_id, offer_id="plain", **poll)
    for offer_id in ("unauthorized", "rejected", "hanging", "odd"):
        OfferStatusSensor(task_id=offer_id, conn_id="impatient", offer_id=offer_id, **poll)
    for offer_id in ("unauthorized-later", "blocked-later", "hanging-later"):
        PublishOfferOperator(
            task_id=offer_id,
            conn_id="impatient",
            offer_id=offer_id,
            wait_for_completion=True,
            deferrable=True,
            poll_interval=0.1,
            poll_failure_tolerance=0.0,
            timeout=3,
        )
    if INGESTION:
        UpdateOfferOperator(task_id="put_refused", offer_id="put-refused", product_resources=[resource()])
    else:
        UpdateOfferOperator(task_id="put_refused", offer_id="put-refused", patch={"definition": {"disk": url("patch")}})
        UpdateOfferOperator(task_id="careless", offer_id="plain", change=careless)
    image: dict[str, Any] = {"offer_id": "plain", "plan_id": "gold"}
    AddImageVersionOperator(
        task_id="image",
        version="2026.11.1",
        os_disk_url=url("image"),
        data_disk_urls={0: url("data")},
        details={"label": url("details")},
        **image,
    )
    AddImageVersionOperator(task_id="expired", version="2026.11.2", os_disk_url=url("expired"), **image)
    AddImageVersionOperator.partial(task_id="mapped", plan_id="gold", version="2026.11.3").expand_kwargs(
        [{"offer_id": f"mapped-{number}", "os_disk_url": url(f"mapped-{number}")} for number in range(2)]
    )


failing_runs()
