# SPDX-License-Identifier: Apache-2.0
"""A user's code, for mypy to read: what is right passes, and what is wrong is refused where it says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from airflow_provider_cpp.apis.cloud_partner_portal.models import OfferSummary, PublisherSummary
from airflow_provider_cpp.core.models import OfferDocument, StatusReport
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import UpdateResult
from airflow_provider_cpp.exceptions import MarketplaceError, OperationInProgressError, RequestError
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.links import MarketplaceLink, PartnerCenterLink
from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator
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
    assert_type(hook.get_offer_status("contoso-vm"), StatusReport)
    assert_type(await hook.aget_offer_status("contoso-vm"), StatusReport)
    assert_type(hook.list_offers(), tuple[OfferSummary, ...])
    assert_type(hook.publish_offer("contoso-vm"), Operation)
    assert_type(hook.get_offer("contoso-vm"), dict[str, Any])
    assert_type(hook.read_offer("contoso-vm", slot="Preview"), OfferDocument)
    assert_type(hook.put_offer("contoso-vm", {}, if_match="*"), OfferDocument)
    assert_type(hook.update_offer("contoso-vm", lambda document: document), UpdateResult)
    assert_type(hook.list_publishers(), tuple[PublisherSummary, ...])
    assert_type(hook.list_operations("contoso-vm"), list[OperationSummary])
    assert_type(hook.get_operation({"operation_id": "1"}), StatusReport)
    assert_type(hook.go_live("contoso-vm", settle_time=60), Operation)
    assert_type(hook.cancel("contoso-vm", operation={"operation_id": "1"}), Operation | None)
    assert_type(hook.test_connection(), tuple[bool, str])


def errors_and_links() -> None:
    """Catch what is raised, read what it carries, and name the links."""
    try:
        CloudPartnerPortalHook().publish_offer("contoso-vm", notification_emails=["a@contoso.example"])
    except OperationInProgressError as error:
        assert_type(error.retryable, bool)
    except RequestError as error:
        assert_type(error.status, int | None)
        assert_type(error.retry_after, float | None)
    except MarketplaceError as error:
        assert_type(str(error), str)
    assert_type([MarketplaceLink.name, PartnerCenterLink().name], list[str])


def wrong() -> None:
    """Misuse it: each line is refused, or the suppression would be an error for being unused."""
    PublishOfferOperator(task_id="a", offer_id="x", if_running="ignore")  # type: ignore[arg-type]  # no such choice
    PublishOfferOperator(task_id="a")  # type: ignore[call-arg]  # of which offer?
    OfferStatusSensor(task_id="a", offer_id="x", until="published")  # type: ignore[arg-type]  # no such target
    CloudPartnerPortalHook().get_offer_status()  # type: ignore[call-arg]  # of which offer?
    CloudPartnerPortalHook().publish("x")  # type: ignore[attr-defined]  # it is publish_offer
    CloudPartnerPortalHook().put_offer("x", "{}")  # type: ignore[arg-type]  # a document, not its text
    CloudPartnerPortalHook().go_live("x", settle_time="60")  # type: ignore[arg-type]  # seconds are a number
    CloudPartnerPortalHook().get_offer("x", None, 3)  # type: ignore[call-arg]  # the version goes by name
    OfferStatusSensor(task_id="a", offer_id="x", timeout="2 days")  # type: ignore[arg-type]  # seconds or a timedelta
    UpdateOfferOperator(task_id="a", offer_id="x", patch=[])  # type: ignore[arg-type]  # a merge patch is an object
    AddImageVersionOperator(task_id="a", offer_id="x")  # type: ignore[call-arg]  # of which plan, and what image?
    CancelOfferOperator(task_id="a", offer_id=7)  # type: ignore[arg-type]  # an id is text
    OfferStatusTrigger("conn", "watch")  # type: ignore[arg-type]  # what Watch.to_payload returns
