# SPDX-License-Identifier: Apache-2.0
"""Use the hook in your own tasks: report the status of every offer, and change a draft. Nothing is published."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import Param, dag, task

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook

SUMMARY = "microsoft-azure-marketplace.summary"


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    doc_md=__doc__,
    params={
        "offer_id": Param("contoso-vm", type="string", description="The offer whose draft is changed."),
        "summary": Param("Contoso, patched every month", type="string", description="The summary it should have."),
    },
    tags=["azure marketplace"],
)
def hook_alone() -> None:
    """Report the statuses, then set the summary."""

    @task
    def report() -> dict[str, str]:
        """Return the status and the current step of each of the publisher's offers."""
        hook = CloudPartnerPortalHook()
        statuses = {}
        for offer in hook.list_offers():
            status = hook.get_offer_status(offer.id)
            step = status.current_step
            statuses[offer.id] = f"{status.raw_status} at {step.name}" if step else status.raw_status
            print(f"{offer.id}: {statuses[offer.id]}")  # noqa: T201 - Airflow writes what a task prints to its log
        return statuses

    @task
    def summarize(params: dict[str, Any] | None = None) -> bool:
        """Set the summary of a draft; return whether the draft was written."""
        values = params or {}

        def change(document: dict[str, Any]) -> None:
            document["definition"]["offer"][SUMMARY] = values["summary"]

        return CloudPartnerPortalHook().update_offer(values["offer_id"], change).written

    report() >> summarize()


hook_alone()
