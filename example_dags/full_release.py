# SPDX-License-Identifier: Apache-2.0
"""Release a new image, with a person's approval between the preview and going live.

If the preview does not come, or somebody marks the wait for it as failed, the DAG cancels the publication. The approval
needs Airflow 3.1 and a deployment in which somebody can respond: ``airflow dags test`` would wait forever.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param, dag, task

from airflow_provider_cpp.operators.draft import AddImageVersionOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "offer_id": Param("contoso-windows", type="string", description="The offer to release."),
        "plan_id": Param("gold", type="string", description="The plan that gets the image."),
        "version": Param("2026.11.4", type="string", description="The image's version."),
    },
    tags=["azure marketplace"],
)
def full_release() -> None:
    """Add the image, publish, wait for the preview and the approval, go live, and announce; or cancel."""
    add_image = AddImageVersionOperator(
        task_id="add_image",
        offer_id="{{ params.offer_id }}",
        plan_id="{{ params.plan_id }}",
        version="{{ params.version }}",
        os_disk_url="{{ var.value.image_url_secret }}",  # Airflow masks a variable with "secret" in its name
    )
    publish = PublishOfferOperator(task_id="publish", offer_id="{{ params.offer_id }}")
    preview = OfferStatusSensor(task_id="preview", operation=publish.output, deferrable=True)
    approval = ApprovalOperator(
        task_id="approval",
        subject="Go live with {{ params.offer_id }} {{ params.version }}?",
        body="The preview is ready. If you reject it, it keeps awaiting sign-off; nothing is canceled.",
    )
    go_live = GoLiveOfferOperator(task_id="go_live", operation=publish.output)
    live = OfferStatusSensor(task_id="live", operation=publish.output, until="live", deferrable=True)
    cancel = CancelOfferOperator(task_id="cancel", operation=publish.output, trigger_rule="one_failed")

    @task
    def announce(operation: dict[str, Any]) -> str:
        """Announce the release; a real task would write to a chat."""
        news = f"{operation['offer_id']} is on the market"
        print(news)  # noqa: T201 - Airflow writes what a task prints to its log
        return news

    add_image >> publish
    preview >> approval >> go_live >> live >> announce(publish.output)  # type: ignore[arg-type]  # at run time it is the task's return value
    preview >> cancel


full_release()
