# SPDX-License-Identifier: Apache-2.0
"""Cancel a publication in which there is a mistake, correct the draft, and publish it again.

The DAG cancels any operation of the offer that is in progress or awaiting sign-off. Trigger it manually, not on a schedule.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import Param, dag

from airflow_provider_cpp.operators.draft import UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "offer_id": Param("contoso-gateway", type="string", description="The offer to correct."),
        "title": Param("Contoso Gateway", type="string", description="The title that it should have."),
    },
    tags=["azure marketplace"],
)
def correct_and_republish() -> None:
    """Cancel, correct the draft, publish, and wait for the preview."""
    cancel = CancelOfferOperator(task_id="cancel", offer_id="{{ params.offer_id }}")
    correct = UpdateOfferOperator(
        task_id="correct",
        offer_id="{{ params.offer_id }}",
        patch={"definition": {"offer": {"microsoft-azure-marketplace.title": "{{ params.title }}"}}},
    )
    publish = PublishOfferOperator(task_id="publish", offer_id="{{ params.offer_id }}")
    OfferStatusSensor(task_id="preview", operation=publish.output, deferrable=True)

    cancel >> correct >> publish


correct_and_republish()
