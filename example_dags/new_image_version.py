# SPDX-License-Identifier: Apache-2.0
"""Add a new image to an offer's draft, publish it, and go live as soon as the preview is ready, without a person.

The image's SAS URL is created when Airflow renders the task's fields, so no XCom and no variable contains it. Where
Airflow shows the fields, its signature is masked.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.sdk import Param, dag

from airflow_provider_cpp.operators.draft import AddImageVersionOperator
from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

IMAGES = "https://contosoimages.blob.core.windows.net/vhds"


def signed(blob: str) -> str:
    """Return a blob's SAS URL that is valid for as long as a publication may take; a real function would sign it."""
    now = datetime.now(timezone.utc)
    start, end = now - timedelta(days=1), now + timedelta(days=21)
    window = f"st={start:%Y-%m-%dT%H:%M:%SZ}&se={end:%Y-%m-%dT%H:%M:%SZ}"
    return f"{IMAGES}/{blob}?sv=2024-11-04&sr=c&sp=rl&{window}&sig=c2lnbmVkLWJ5LW5vYm9keQ%3D%3D"


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    max_active_runs=1,
    default_args={"retries": 2},
    user_defined_macros={"signed": signed},
    params={
        "offer_id": Param("contoso-linux", type="string", description="The offer to release."),
        "plan_id": Param("gold", type="string", description="The plan that gets the image."),
        "version": Param("2026.11.3", type="string", description="The image's version."),
    },
    tags=["azure marketplace"],
)
def new_image_version() -> None:
    """Add the image, publish, wait for the preview, and go live."""
    add_image = AddImageVersionOperator(
        task_id="add_image",
        offer_id="{{ params.offer_id }}",
        plan_id="{{ params.plan_id }}",
        version="{{ params.version }}",
        os_disk_url="{{ signed(params.offer_id ~ '-' ~ params.version ~ '.vhd') }}",
    )
    publish = PublishOfferOperator(task_id="publish", offer_id="{{ params.offer_id }}")
    preview = OfferStatusSensor(task_id="preview", operation=publish.output, deferrable=True)
    go_live = GoLiveOfferOperator(
        task_id="go_live", operation=publish.output, wait_for_completion=True, deferrable=True
    )

    add_image >> publish
    preview >> go_live


new_image_version()
