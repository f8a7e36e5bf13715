# SPDX-License-Identifier: Apache-2.0
"""The same tasks with a connection to the Product Ingestion API, and from one API to the other."""

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
from support.run_tasks import Store
from support.sensor_result import SensorResult

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
CPP, INGESTION = APIS = ("cloud_partner_portal", "product_ingestion")
MODES = ("poke", "reschedule", "deferred")
DISK = "https://images.blob.core.windows.net/vhds/new.vhd?sv=2024-11-04&sig=c2lnbmF0dXJlLW9mLW5vYm9keQ%3D%3D"


@pytest.fixture
def emulator(serve: Callable[..., Emulator], connect: Callable[..., None]) -> Emulator:
    """Serve an offer, and connect to the Product Ingestion API."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded")
    connect(emulator, conn_type=INGESTION)
    return emulator


def publish(context: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return PublishOfferOperator(task_id="publish", offer_id=OFFER, settle_time=0, **arguments).execute(context)


def test_from_publish_to_live(
    emulator: Emulator, context: dict[str, Any], run_sensor: Callable[..., SensorResult], store: Store
) -> None:
    """Publish, preview, go-live and live work as with the CPP API, with one submission, whose ID stays, and two jobs."""
    operation = publish(context)
    assert operation["api"] == INGESTION
    assert operation["publisher_id"] is None
    assert operation["kind"] == "publish"
    assert operation["operation_id"].startswith("submission/")
    assert [run_sensor(mode, operation=operation).kind for mode in MODES] == ["waits"] * 3
    emulator.clock.advance(days=5)
    assert [run_sensor(mode, operation=operation).kind for mode in MODES] == ["reached"] * 3
    assert run_sensor("poke", operation=operation, until="live").kind == "waits"
    go_live = GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0).execute(
        {key: value for key, value in context.items() if key != "task_state_store"}
    )
    assert go_live["kind"] == "golive"
    assert go_live["operation_id"] == operation["operation_id"]
    assert go_live["location"] != operation["location"]
    assert run_sensor("deferred", operation=go_live).kind == "waits"
    emulator.clock.advance(days=5)
    assert [run_sensor("deferred", operation=one, until="live").kind for one in (operation, go_live)] == ["reached"] * 2
    assert emulator.submits_for(OFFER) == {"publish": 1, "golive": 1, "cancel": 0}


@pytest.mark.parametrize(("submitted", "polled"), [APIS, APIS[::-1]])
@pytest.mark.parametrize("mode", MODES)
def test_an_offer_may_be_published_and_waited_for_through_different_apis(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., SensorResult],
    submitted: str,
    polled: str,
    mode: str,
) -> None:
    """An offer that was published through one API is waited for and goes live through the other."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, conn_type=submitted)
    publish(context)
    connect(emulator, conn_type=polled)
    assert run_sensor(mode, offer_id=OFFER, until="preview").kind == "waits"
    emulator.clock.advance(days=5)
    assert run_sensor(mode, offer_id=OFFER, until="preview").kind == "reached"
    assert GoLiveOfferOperator(task_id="go_live", offer_id=OFFER, settle_time=0).execute(context)["api"] == polled
    connect(emulator, conn_type=submitted)
    emulator.clock.advance(days=5)
    assert run_sensor(mode, offer_id=OFFER).kind == "reached"
    assert emulator.submits_for(OFFER) == {"publish": 1, "golive": 1, "cancel": 0}


@pytest.mark.parametrize(("submitted", "switched"), [APIS, APIS[::-1]])
@pytest.mark.parametrize("mode", MODES)
def test_a_switched_connection_is_a_clear_error(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., SensorResult],
    submitted: str,
    switched: str,
    mode: str,
) -> None:
    """An operation names its API, and cannot be waited for, gone live with or canceled through the other one."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, conn_type=submitted)
    operation = publish(context)
    connect(emulator, conn_type=switched)
    expected = f"it belongs to the API {submitted}, but the connection is of type {switched}"
    ending = run_sensor(mode, operation=operation)
    assert ending.kind == "AirflowFailException"
    assert expected in ending.text
    for task in (
        GoLiveOfferOperator(task_id="go_live", operation=operation),
        CancelOfferOperator(task_id="cancel", operation=operation),
    ):
        with pytest.raises(AirflowFailException, match=expected):
            task.execute(context)
    assert emulator.submits_for(OFFER) == {"publish": 1, "golive": 0, "cancel": 0}


def test_a_connection_that_is_switched_during_a_deferred_wait(
    emulator: Emulator, connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """A wait that a triggerer restarts after the switch fails after the tolerance, with or without an operation."""
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
    connect(emulator)
    _, arguments = deferral.value.trigger.serialize()

    async def event(**changes: Any) -> Any:
        return await anext(OfferStatusTrigger(**{**arguments, "wait_spec": arguments["wait_spec"] | changes}).run())

    for changes in ({}, {"operation": None}):
        with pytest.raises(AirflowException, match="its type was changed from "):
            task.execute_complete(context, asyncio.run(event(**changes)).payload)


def test_a_cancel_needs_an_operation(emulator: Emulator, context: dict[str, Any]) -> None:
    """With this API a cancel without an operation is an error; with an operation it cancels that job, and waits for its end."""
    operation = publish(context)
    with pytest.raises(AirflowFailException, match="cannot cancel whichever is in progress: pass the operation"):
        CancelOfferOperator(task_id="cancel", offer_id=OFFER).execute(context)
    canceled = CancelOfferOperator(task_id="cancel", operation=operation, poll_interval=0.01).execute(context)
    assert canceled["kind"] == "cancel"
    assert emulator.status(OFFER)["status"] == "canceled"
    assert CancelOfferOperator(task_id="cancel", operation=operation).execute(context) is None
    assert emulator.submits_for(OFFER)["cancel"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_canceled_submission_is_canceled(
    emulator: Emulator, context: dict[str, Any], run_sensor: Callable[..., SensorResult], mode: str
) -> None:
    """A submission that somebody canceled ends the wait as canceled, though the list no longer shows it."""
    operation = publish(context)
    emulator.person(OFFER, "cancel")
    emulator.clock.advance(hours=1)
    ending = run_sensor(mode, operation=operation)
    assert ending.kind == "AirflowFailException"
    assert "publication was canceled" in ending.text


@pytest.mark.parametrize("mode", MODES)
def test_a_rejected_certification_reports_its_errors(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    context: dict[str, Any],
    run_sensor: Callable[..., SensorResult],
    mode: str,
) -> None:
    """A rejected certification fails the task without a retry, with the job's whole tree of errors."""
    emulator = serve()
    emulator.add_offer(OFFER, "blocked-then-rejected")
    connect(emulator, conn_type=INGESTION)
    operation = publish(context)
    emulator.clock.advance(days=9)
    ending = run_sensor(mode, operation=operation)
    assert ending.kind == "AirflowFailException"
    assert "certification failed: Operation failed (internalServerError" in ending.text
    assert "Issues found during Certification." in ending.text


def test_somebody_else_s_submission_blocks_a_publish(emulator: Emulator, context: dict[str, Any]) -> None:
    """The error names a publication in progress, whichever API it was submitted through, and nothing is submitted."""
    emulator.person(OFFER, "publish")
    with pytest.raises(
        AirflowFailException, match=r"operation submission/.* is in progress, and an offer can have only one"
    ):
        publish(context)
    assert emulator.submits_for(OFFER)["publish"] == 0


@pytest.mark.parametrize("shown_as", ["job", "400"])
def test_a_lost_race_is_a_conflict(
    serve: Callable[..., Emulator], connect: Callable[..., None], context: dict[str, Any], shown_as: str
) -> None:
    """A publish that somebody starts between the list and the submit is a conflict, whether a job or a 400 reports it."""
    emulator = serve(refusal_shown_as=shown_as, draft_job=timedelta(0))
    emulator.add_offer(OFFER)
    connect(emulator, conn_type=INGESTION)
    gate = emulator.gate("configure_publish", offer=OFFER)

    def publish_at_the_gate() -> None:
        gate.wait_until_reached(20)
        emulator.person(OFFER, "publish")
        gate.open()

    thread = threading.Thread(target=publish_at_the_gate)
    thread.start()
    try:
        with pytest.raises(AirflowFailException, match="is in progress, and an offer can have only one"):
            publish(context)
    finally:
        gate.open()
        thread.join()


@pytest.mark.parametrize("fault", ["drop", "response"])
def test_a_lost_response_is_not_submitted_again(
    emulator: Emulator, connect: Callable[..., None], context: dict[str, Any], store: Store, fault: str
) -> None:
    """An accepted request whose response was lost is identified in the list, and submitted once."""
    options: dict[str, Any] = {"status": 502, "body": ""} if fault == "response" else {}
    emulator.inject(Fault(fault, "configure_publish", after=True, **options))
    operation = PublishOfferOperator(task_id="publish", offer_id=OFFER, settle_time=10).execute(context)
    assert operation["operation_id"].startswith("submission/")
    assert operation["location"] is None
    assert emulator.submits_for(OFFER)["publish"] == 1


def test_a_draft_is_changed_by_resources(emulator: Emulator, context: dict[str, Any]) -> None:
    """Configured resources are waited for and not written twice, and a patch, which only the CPP API has, is an error."""
    resources = ProductIngestionHook("cloud_partner_portal_default").get_resources(OFFER)
    (product,) = (one for one in resources if one["id"].startswith("product/"))
    arguments: dict[str, Any] = {
        "task_id": "update",
        "offer_id": OFFER,
        "product_resources": [product | {"alias": "New"}],
    }
    task = UpdateOfferOperator(**arguments)
    written = [_while_time_passes(emulator, lambda: task.execute(context)) for _ in range(2)]
    assert [one["written"] for one in written] == [True, False]
    assert written[0] == {"publisher_id": None, "offer_id": OFFER, "version": None, "written": True}
    with pytest.raises(AirflowFailException, match="use product_resources, not patch or change"):
        UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"a": 1}).execute(context)


def _while_time_passes(emulator: Emulator, act: Callable[[], Any]) -> Any:
    """Run a function while the emulator's clock moves on."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.2):
            emulator.clock.advance(seconds=10)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        return act()
    finally:
        done.set()
        thread.join()


def test_resources_are_refused_by_the_cpp_api(
    emulator: Emulator, connect: Callable[..., None], context: dict[str, Any]
) -> None:
    """With a connection to the CPP API, resources are an error before anything is sent."""
    connect(emulator)
    for task in (
        UpdateOfferOperator(task_id="update", offer_id=OFFER, product_resources=[{"$schema": "x"}]),
        PublishOfferOperator(task_id="publish", offer_id=OFFER, product_resources=[{"$schema": "x"}], settle_time=0),
    ):
        with pytest.raises(AirflowFailException, match="only the Product Ingestion API has resources"):
            task.execute(context)
    assert emulator.submits_for(OFFER)["publish"] == 0


def test_an_image_is_added_with_the_same_arguments(emulator: Emulator, context: dict[str, Any]) -> None:
    """The version is in the draft afterwards, and adding it again writes nothing."""
    arguments = {"plan_id": "gold", "version": "2026.11.3", "os_disk_url": DISK}
    task = AddImageVersionOperator(task_id="image", offer_id=OFFER, **arguments)
    assert _while_time_passes(emulator, lambda: task.execute(context))["written"] is True
    again = AddImageVersionOperator(
        task_id="image", offer_id=OFFER, **(arguments | {"os_disk_url": DISK.replace("sig=", "sig=x")})
    )
    assert again.execute(context)["written"] is False


def test_a_modular_publish(emulator: Emulator, context: dict[str, Any]) -> None:
    """Some resources are published alone, with the resources that the API requires beside them."""
    resources = ProductIngestionHook("cloud_partner_portal_default").get_resources(OFFER)
    changed = [one for one in resources if "technical-configuration" in one["id"]][:1]
    operation = publish(context, product_resources=changed)
    assert operation["operation_id"].startswith("submission/")
    assert emulator.submits_for(OFFER)["publish"] == 1


def test_the_hook_alone(emulator: Emulator) -> None:
    """The hook reads products, statuses, submissions and jobs, and submits, without a task."""
    hook = ProductIngestionHook("cloud_partner_portal_default")
    assert [product.external_id for product in hook.list_offers()] == [OFFER]
    assert hook.get_offer_status(OFFER).status.is_success
    operation = hook.publish_offer(OFFER, settle_time=0)
    assert hook.get_job(operation.to_json()).state.is_pending_or_in_progress
    assert hook.list_operations(OFFER)[0].kind == "publish"
    emulator.add_offer("new")
    with pytest.raises(exceptions.NotFoundError):
        hook.get_resources("new", "preview")
    emulator.clock.advance(days=5)
    assert hook.get_offer_status(OFFER).awaits_sign_off
    go_live = hook.go_live(OFFER, operation, settle_time=0)
    with pytest.raises(exceptions.CancelFailedError, match="continues"):
        hook.cancel(go_live, timeout=5)


def test_the_connection_test(emulator: Emulator, connect: Callable[..., None]) -> None:
    """The Test button signs in and lists the products, and repeats what is wrong."""
    hook = ProductIngestionHook("cloud_partner_portal_default")
    assert hook.test_connection() == (
        True,
        f"Signed in to {emulator.url}/rp/product-ingestion: the account has 1 product",
    )
    connect(emulator, conn_type=INGESTION, password="wrong")
    success, text = hook.test_connection()
    assert not success
    assert "invalid_client" in text


def test_the_address_may_lack_its_path(emulator: Emulator, connect: Callable[..., None]) -> None:
    """A host without a path gets the API's own path."""
    connect(emulator, conn_type=INGESTION, host=emulator.url)
    hook = get_hook("cloud_partner_portal_default")
    assert hook.get_settings().base_url == f"{emulator.url}/rp/product-ingestion"


def test_the_connection_s_type_selects_the_hook(emulator: Emulator, connect: Callable[..., None]) -> None:
    """Each connection type has its hook, and another type, or a hook for another type, is an error that names them."""
    assert type(get_hook("cloud_partner_portal_default")) is ProductIngestionHook
    with pytest.raises(
        exceptions.ConfigurationError, match="its type was changed from cloud_partner_portal to product_ingestion"
    ):
        CloudPartnerPortalHook().get_settings()
    connect(emulator)
    assert type(get_hook("cloud_partner_portal_default")) is CloudPartnerPortalHook
    connect(emulator, conn_type="http")
    with pytest.raises(exceptions.ConfigurationError, match="'http', not one of: cloud_partner_portal, prod"):
        get_hook("cloud_partner_portal_default")


@pytest.mark.parametrize("conn_id", ["nowhere"])
def test_a_task_without_its_connection(context: dict[str, Any], conn_id: str) -> None:
    """A missing connection is an error that names it, in a task and in a trigger."""
    with pytest.raises(AirflowException, match="nowhere"):
        PublishOfferOperator(task_id="publish", offer_id=OFFER, conn_id=conn_id).execute(context)
    wait_spec = json.loads((Path(__file__).parents[1] / "golden/wait-spec-1-product-ingestion.json").read_text())
    wait_spec["poll_failure_tolerance"] = 0

    async def event() -> Any:
        return await anext(OfferStatusTrigger(conn_id, wait_spec).run())

    assert "nowhere" in asyncio.run(event()).payload["message"]


def test_golden_files_of_the_product_ingestion_api() -> None:
    """Every later release reads the payloads that cross to other tasks and the triggerer as they are written now."""
    golden = Path(__file__).parents[1] / "golden"
    wait_spec = json.loads((golden / "wait-spec-1-product-ingestion.json").read_text())
    assert WaitSpec.from_payload(wait_spec).to_payload() == wait_spec
    operation = wait_spec["operation"]
    assert Operation.from_json(operation).to_json() == operation
