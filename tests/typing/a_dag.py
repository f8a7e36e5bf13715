# SPDX-License-Identifier: Apache-2.0
"""A user's code, for mypy to read: what is right passes, and what is wrong is refused where it says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.offer import (
    AddImageVersionOperator,
    CancelOfferOperator,
    GoLiveOfferOperator,
    PublishOfferOperator,
    UpdateOfferOperator,
)
from airflow_provider_cpp.portal.models import OfferSummary, Report
from airflow_provider_cpp.portal.operations import Operation
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger


def right() -> None:
    """Use everything as it is meant."""
    publish = PublishOfferOperator(
        task_id="publish", offer_id="contoso-vm", wait_for_completion=True, if_running="wait", poll_interval=60
    )
    OfferStatusSensor(task_id="a", operation=publish.output, until="live", timeout=timedelta(days=2), deferrable=True)
    OfferStatusSensor(task_id="b", offer_id="contoso-vm", fail_on_blocked=True)
    GoLiveOfferOperator(task_id="c", offer_id="contoso-vm", operation=publish.output)
    CancelOfferOperator(task_id="d", operation=publish.output, notification_emails="a@contoso.example")
    UpdateOfferOperator(task_id="e", offer_id="contoso-vm", patch={"definition": {}})
    AddImageVersionOperator(task_id="f", offer_id="contoso-vm", plan_id="gold", version="1.0.0", os_disk_url="https://")
    assert_type(OfferStatusTrigger("conn", {}).serialize(), tuple[str, dict[str, Any]])


async def hook() -> None:
    """Use the hook in both of its forms."""
    hook = CloudPartnerPortalHook("conn")
    assert_type(hook.get_offer_status("contoso-vm"), Report)
    assert_type(await hook.aget_offer_status("contoso-vm"), Report)
    assert_type(hook.list_offers(), tuple[OfferSummary, ...])
    assert_type(hook.publish_offer("contoso-vm"), Operation)
    assert_type(hook.get_offer("contoso-vm"), dict[str, Any])
    assert_type(hook.test_connection(), tuple[bool, str])


def wrong() -> None:
    """Misuse it: each line is refused, or the suppression would be an error for being unused."""
    PublishOfferOperator(task_id="a", offer_id="x", if_running="ignore")  # type: ignore[arg-type]  # no such choice
    PublishOfferOperator(task_id="a")  # type: ignore[call-arg]  # of which offer?
    OfferStatusSensor(task_id="a", offer_id="x", until="published")  # type: ignore[arg-type]  # no such target
    CloudPartnerPortalHook().get_offer_status()  # type: ignore[call-arg]  # of which offer?
    CloudPartnerPortalHook().publish("x")  # type: ignore[attr-defined]  # it is publish_offer
