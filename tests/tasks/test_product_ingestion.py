# SPDX-License-Identifier: Apache-2.0
"""The same tasks with a connection to the successor API, against the emulator, and from one API to the other."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.wait import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.hooks.lookup import get_hook
from airflow_provider_cpp.hooks.product_ingestion import ProductIngestionHook
from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
PORTAL, SUCCESSOR = APIS = ("cloud_partner_portal", "product_ingestion")
MODES = ("poke", "reschedule", "deferred")
DISK = "https://images.blob.core.windows.net/vhds/new.vhd?sv=2024-11-04&sig=c2lnbmF0dXJlLW9mLW5vYm9keQ%3D%3D"


@pytest.fixture
def portal(serve: Callable[..., Emulator], connect: Callable[..., None]) -> Emulator:
    """Serve an offer, and connect to the successor."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded")
    connect(portal, conn_type=SUCCESSOR)
    return portal


def publish(context: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return PublishOfferOperator(task_id="publish", offer_id=OFFER, settle_time=0, **arguments).execute(context)


def test_from_publish_to_the_market(
    portal: Emulator, context: dict[str, Any], run_sensor: Callable[..., Any], store: Any
) -> None:
    """Publish, preview, go-live and live as on the portal; one submission, whose id stays, and two jobs."""
    operation = publish(context)
    assert (operation["api"], operation["publisher_id"], operation["kind"]) == (SUCCESSOR, None, "publish")
    assert operation["operation_id"].startswith("submission/")
    assert [run_sensor(mode, operation=operation).kind for mode in MODES] == ["waits"] * 3
    portal.clock.advance(days=5)
    assert [run_sensor(mode, operation=operation).kind for mode in MODES] == ["reached"] * 3
    assert run_sensor("poke", operation=operation, until="live").kind == "waits"
    going = GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0).execute(
        {key: value for key, value in context.items() if key != "task_state_store"}
    )
    assert (going["kind"], going["operation_id"]) == ("golive", operation["operation_id"])
    assert going["location"] != operation["location"]
    assert run_sensor("deferred", operation=going).kind == "waits"
    portal.clock.advance(days=5)
    assert [run_sensor("deferred", operation=one, until="live").kind for one in (operation, going)] == ["reached"] * 2
    assert portal.orders_for(OFFER) == {"publish": 1, "golive": 1, "cancel": 0}


@pytest.mark.parametrize(("began", "waited"), [APIS, APIS[::-1]])
@pytest.mark.parametrize("mode", MODES)
def test_what_was_published_through_one_is_waited_for_through_the_other(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., Any],
    began: str,
    waited: str,
    mode: str,
) -> None:
    """The offer is the same: by its id it is waited for, gone live with and seen through either API."""
    portal = serve()
    portal.add_offer(OFFER)
    connect(portal, conn_type=began)
    publish(context)
    connect(portal, conn_type=waited)
    assert run_sensor(mode, offer_id=OFFER, until="preview").kind == "waits"
    portal.clock.advance(days=5)
    assert run_sensor(mode, offer_id=OFFER, until="preview").kind == "reached"
    assert GoLiveOfferOperator(task_id="go_live", offer_id=OFFER, settle_time=0).execute(context)["api"] == waited
    connect(portal, conn_type=began)
    portal.clock.advance(days=5)
    assert run_sensor(mode, offer_id=OFFER).kind == "reached"
    assert portal.orders_for(OFFER) == {"publish": 1, "golive": 1, "cancel": 0}


@pytest.mark.parametrize(("began", "switched"), [APIS, APIS[::-1]])
@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_was_switched_is_a_clear_error(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., Any],
    began: str,
    switched: str,
    mode: str,
) -> None:
    """An operation names its API: through the other one it is neither waited for, gone live with nor canceled."""
    portal = serve()
    portal.add_offer(OFFER)
    connect(portal, conn_type=began)
    operation = publish(context)
    connect(portal, conn_type=switched)
    said = f"it belongs to the API {began}, and the connection is of type {switched}"
    ending = run_sensor(mode, operation=operation)
    assert (ending.kind, said in ending.text) == ("AirflowFailException", True), ending.text
    for task in (
        GoLiveOfferOperator(task_id="go_live", operation=operation),
        CancelOfferOperator(task_id="cancel", operation=operation),
    ):
        with pytest.raises(AirflowFailException, match=said):
            task.execute(context)
    assert portal.orders_for(OFFER) == {"publish": 1, "golive": 0, "cancel": 0}


def test_a_connection_that_is_switched_under_a_deferred_wait(
    portal: Emulator, connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """A wait that a triggerer begins again after the switch ends after the tolerance, also one without an operation."""
    task = PublishOfferOperator(
        task_id="publish",
        offer_id=OFFER,
        settle_time=0,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=0.01,
        poll_failure_tolerance=0,
    )
    with pytest.raises(TaskDeferred) as deferral:
        task.execute(context)
    connect(portal)
    _, arguments = deferral.value.trigger.serialize()

    async def event(**changes: Any) -> Any:
        return await anext(OfferStatusTrigger(**{**arguments, "wait_spec": arguments["wait_spec"] | changes}).run())

    for changes in ({}, {"operation": None}):
        with pytest.raises(AirflowException, match="it was switched"):
            task.execute_complete(context, asyncio.run(event(**changes)).payload)


def test_a_cancel_needs_an_operation(portal: Emulator, context: dict[str, Any]) -> None:
    """This API cannot be asked to cancel whatever runs; with the operation it cancels that job, and waits for it."""
    operation = publish(context)
    with pytest.raises(AirflowFailException, match="cannot be asked to cancel whatever runs: give operation"):
        CancelOfferOperator(task_id="cancel", offer_id=OFFER).execute(context)
    canceled = CancelOfferOperator(task_id="cancel", operation=operation, poll_interval=0.01).execute(context)
    assert (canceled and canceled["kind"], portal.status(OFFER)["status"]) == ("cancel", "canceled")
    assert CancelOfferOperator(task_id="cancel", operation=operation).execute(context) is None
    assert portal.orders_for(OFFER)["cancel"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_canceled_submission_is_canceled(
    portal: Emulator, context: dict[str, Any], run_sensor: Callable[..., Any], mode: str
) -> None:
    """What somebody canceled ends the wait as canceled, though the list does not show it any more."""
    operation = publish(context)
    portal.person(OFFER, "cancel")
    portal.clock.advance(hours=1)
    ending = run_sensor(mode, operation=operation)
    assert (ending.kind, "publication was canceled" in ending.text) == ("AirflowFailException", True), ending.text


@pytest.mark.parametrize("mode", MODES)
def test_a_rejected_certification_says_so(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., Any],
    mode: str,
) -> None:
    """A certification that said no ends the task for good, with the job's whole tree of errors."""
    portal = serve()
    portal.add_offer(OFFER, "blocked-then-rejected")
    connect(portal, conn_type=SUCCESSOR)
    operation = publish(context)
    portal.clock.advance(days=9)
    ending = run_sensor(mode, operation=operation)
    assert ending.kind == "AirflowFailException"
    assert "certification failed: Operation failed (internalServerError" in ending.text
    assert "Issues found during Certification." in ending.text


def test_somebody_elses_submission_is_in_the_way(portal: Emulator, context: dict[str, Any]) -> None:
    """A publication that runs is named, whichever API it came through, and nothing is ordered."""
    portal.person(OFFER, "publish")
    with pytest.raises(AirflowFailException, match=r"operation submission/.* is running, and an offer has one"):
        publish(context)
    assert portal.orders_for(OFFER)["publish"] == 0


@pytest.mark.parametrize("shown_as", ["job", "400"])
def test_a_race_that_is_lost_is_a_conflict(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any], shown_as: str
) -> None:
    """Somebody who publishes between look and order is in the way, whether a job says so or a 400."""
    portal = serve(refusal_shown_as=shown_as, draft_job=timedelta(0))
    portal.add_offer(OFFER)
    connect(portal, conn_type=SUCCESSOR)
    gate = portal.gate("configure_publish", offer=OFFER)

    def somebody() -> None:
        gate.wait_until_reached(20)
        portal.person(OFFER, "publish")
        gate.open()

    thread = threading.Thread(target=somebody)
    thread.start()
    try:
        with pytest.raises(AirflowFailException, match="is running, and an offer has one operation at a time"):
            publish(context)
    finally:
        gate.open()
        thread.join()


@pytest.mark.parametrize("fault", ["drop", "answer"])
def test_a_lost_answer_is_not_sent_again(
    portal: Emulator, connect: Callable[..., None], context: dict[str, Any], store: Any, fault: str
) -> None:
    """An order that was taken and whose answer was lost is found in the list, and sent once."""
    options: dict[str, Any] = {"status": 502, "body": ""} if fault == "answer" else {}
    portal.inject(Fault(fault, "configure_publish", after=True, **options))
    operation = PublishOfferOperator(task_id="publish", offer_id=OFFER, settle_time=10).execute(context)
    assert (operation["operation_id"].startswith("submission/"), operation["location"]) == (True, None)
    assert portal.orders_for(OFFER)["publish"] == 1


def test_a_draft_is_changed_by_resources(portal: Emulator, context: dict[str, Any]) -> None:
    """What is configured is waited for and not written twice; a patch is the other API's, and says so."""
    resources = ProductIngestionHook("cloud_partner_portal_default").get_resources(OFFER)
    (product,) = (one for one in resources if one["id"].startswith("product/"))
    arguments: dict[str, Any] = {
        "task_id": "update",
        "offer_id": OFFER,
        "product_resources": [product | {"alias": "New"}],
    }
    task = UpdateOfferOperator(**arguments)
    written = [_while_time_passes(portal, lambda: task.execute(context)) for _ in range(2)]
    assert [one["written"] for one in written] == [True, False]
    assert written[0] == {"publisher_id": None, "offer_id": OFFER, "version": None, "written": True}
    with pytest.raises(AirflowFailException, match="give configure, not patch or change"):
        UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"a": 1}).execute(context)


def _while_time_passes(portal: Emulator, act: Callable[[], Any]) -> Any:
    """Run something while the emulator's clock goes on."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.2):
            portal.clock.advance(seconds=10)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        return act()
    finally:
        done.set()
        thread.join()


def test_resources_are_nothing_for_the_portal(
    portal: Emulator, connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """With a connection to the portal, resources are refused before anything is sent."""
    connect(portal)
    for task in (
        UpdateOfferOperator(task_id="update", offer_id=OFFER, product_resources=[{"$schema": "x"}]),
        PublishOfferOperator(task_id="publish", offer_id=OFFER, product_resources=[{"$schema": "x"}], settle_time=0),
    ):
        with pytest.raises(AirflowFailException, match="resources are the Product Ingestion API's"):
            task.execute(context)
    assert portal.orders_for(OFFER)["publish"] == 0


def test_an_image_is_added_with_the_same_arguments(portal: Emulator, context: dict[str, Any]) -> None:
    """The version is in the draft afterwards, as the portal sees it too, and a second time there is nothing to do."""
    arguments = {"plan_id": "gold", "version": "2026.11.3", "os_disk_url": DISK}
    task = AddImageVersionOperator(task_id="image", offer_id=OFFER, **arguments)
    assert _while_time_passes(portal, lambda: task.execute(context))["written"] is True
    again = AddImageVersionOperator(
        task_id="image", offer_id=OFFER, **(arguments | {"os_disk_url": DISK.replace("sig=", "sig=x")})
    )
    assert again.execute(context)["written"] is False


def test_a_modular_publish(portal: Emulator, context: dict[str, Any]) -> None:
    """Some resources are published alone, with what the API wants beside them."""
    resources = ProductIngestionHook("cloud_partner_portal_default").get_resources(OFFER)
    changed = [one for one in resources if "technical-configuration" in one["id"]][:1]
    operation = publish(context, product_resources=changed)
    assert operation["operation_id"].startswith("submission/")
    assert portal.orders_for(OFFER)["publish"] == 1


def test_the_hook_alone(portal: Emulator) -> None:
    """Without a task: products, statuses, submissions and jobs are read, and orders given."""
    hook = ProductIngestionHook("cloud_partner_portal_default")
    assert [product.external_id for product in hook.list_offers()] == [OFFER]
    assert hook.get_offer_status(OFFER).status.is_success
    operation = hook.publish_offer(OFFER, settle_time=0)
    assert hook.get_job(operation.to_json()).state.is_open
    assert hook.list_operations(OFFER)[0].kind == "publish"
    portal.add_offer("new")
    with pytest.raises(exceptions.NotFoundError):
        hook.get_resources("new", "preview")
    portal.clock.advance(days=5)
    assert hook.get_offer_status(OFFER).awaits_sign_off
    going = hook.go_live(OFFER, operation, settle_time=0)
    with pytest.raises(exceptions.CancelFailedError, match="goes on"):
        hook.cancel(going, timeout=5)


def test_the_connections_test(portal: Emulator, connect: Callable[..., None]) -> None:
    """The Test button signs in and asks for products; what is wrong is said."""
    hook = ProductIngestionHook("cloud_partner_portal_default")
    assert hook.test_connection() == (
        True,
        f"Signed in to {portal.url}/rp/product-ingestion: the account has 1 product",
    )
    connect(portal, conn_type=SUCCESSOR, password="wrong")
    good, said = hook.test_connection()
    assert (good, "invalid_client" in said) == (False, True)


def test_the_address_may_lack_its_path(portal: Emulator, connect: Callable[..., None]) -> None:
    """An address without a path means the API's own; a port may stand in its own field."""
    connect(portal, conn_type=SUCCESSOR, host=portal.url)
    hook = get_hook("cloud_partner_portal_default")
    assert hook.get_settings().base_url == f"{portal.url}/rp/product-ingestion"


def test_the_hook_is_found_by_the_connections_type(portal: Emulator, connect: Callable[..., None]) -> None:
    """Each type has its hook; another type, or a hook for the other one, is an error that names them."""
    assert type(get_hook("cloud_partner_portal_default")) is ProductIngestionHook
    with pytest.raises(
        exceptions.ConfigurationError, match="of type product_ingestion now, and this is for cloud_partner"
    ):
        CloudPartnerPortalHook().get_settings()
    connect(portal)
    assert type(get_hook("cloud_partner_portal_default")) is CloudPartnerPortalHook
    connect(portal, conn_type="http")
    with pytest.raises(
        exceptions.ConfigurationError, match="'http', and this provider's types are: cloud_partner_portal, prod"
    ):
        get_hook("cloud_partner_portal_default")


@pytest.mark.parametrize("conn_id", ["nowhere"])
def test_a_task_without_its_connection(context: dict[str, Any], conn_id: str) -> None:
    """A connection that is not there is an error that names it, for a task and for a trigger."""
    with pytest.raises(AirflowException, match="nowhere"):
        PublishOfferOperator(task_id="publish", offer_id=OFFER, conn_id=conn_id).execute(context)
    watch = json.loads((Path(__file__).parents[1] / "golden/wait-spec-1-product-ingestion.json").read_text())
    watch["poll_failure_tolerance"] = 0

    async def event() -> Any:
        return await anext(OfferStatusTrigger(conn_id, watch).run())

    assert "nowhere" in asyncio.run(event()).payload["message"]


def test_golden_files_of_the_successor() -> None:
    """What crosses from task to task and to the triggerer is read by every later release as it is written now."""
    golden = Path(__file__).parents[1] / "golden"
    watch = json.loads((golden / "wait-spec-1-product-ingestion.json").read_text())
    assert WaitSpec.from_payload(watch).to_payload() == watch
    operation = watch["operation"]
    assert Operation.from_json(operation).to_json() == operation
