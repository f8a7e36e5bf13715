# SPDX-License-Identifier: Apache-2.0
"""A deferred wait that no triggerer ends: Airflow resumes the task only to fail it, with a two-word reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from partner_center_emulator import Emulator

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

OFFER = "contoso-vm"
RESUMED_TO_FAIL = "__fail__"
REASONS = ("Trigger timeout", "Trigger/execution timeout")
"""Airflow's reasons, in version 3 and 2."""

NO_TRIGGERER = "no triggerer ended the wait in time, so Airflow did: check that a triggerer runs and has capacity"


@pytest.fixture
def operation(serve: Callable[..., Emulator]) -> dict[str, Any]:
    """Return an operation in progress."""
    serve().add_offer(OFFER)
    return CloudPartnerPortalHook().publish_offer(OFFER).to_json()


def resume_to_fail(task: Any, context: dict[str, Any], reason: str) -> None:
    task.resume_execution(RESUMED_TO_FAIL, {"error": reason}, context)


@pytest.mark.parametrize("reason", REASONS)
def test_a_sensor_asks_to_check_the_triggerer(operation: dict[str, Any], context: dict[str, Any], reason: str) -> None:
    """The sensor names offer and target, asks to check the triggerer, and uses no retry, as after any timeout."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True)
    with pytest.raises(AirflowSensorTimeout) as caught:
        resume_to_fail(sensor, context, reason)
    expected = f"offer contoso/contoso-vm: gave up waiting for preview; {NO_TRIGGERER}. The publication continues"
    assert str(caught.value) == expected


def test_operators_ask_to_check_the_triggerer_too(operation: dict[str, Any], context: dict[str, Any]) -> None:
    """A publish and a go-live that wait name the offer, which the go-live knows from its operation."""
    publish = PublishOfferOperator(task_id="publish", offer_id=OFFER)
    go_live = GoLiveOfferOperator(task_id="go_live", operation=operation)
    for task in (publish, go_live):
        with pytest.raises(AirflowSensorTimeout, match=r"^offer contoso/contoso-vm: gave up waiting; no triggerer"):
            resume_to_fail(task, context, REASONS[0])


def test_soft_fail_skips_and_logs_why(
    operation: dict[str, Any], context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Since it is a timeout, `soft_fail` skips, and logs the reason first."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True, soft_fail=True)
    with pytest.raises(AirflowSkipException, match="gave up waiting for preview"):
        resume_to_fail(sensor, context, REASONS[0])
    assert NO_TRIGGERER in caplog.text


@pytest.mark.parametrize("kind", ["sensor", "operator"])
def test_the_execution_timeout_of_airflow_2_keeps_its_retries(
    operation: dict[str, Any], context: dict[str, Any], kind: str
) -> None:
    """Airflow 2 applies `execution_timeout` to the deferred time as well: the error says so then, and a retry is used."""
    options: dict[str, Any] = {"task_id": "wait", "operation": operation, "execution_timeout": timedelta(hours=1)}
    task = (OfferStatusSensor if kind == "sensor" else GoLiveOfferOperator)(**options)
    with pytest.raises(AirflowException, match="its execution_timeout of 1:00:00 passed") as caught:
        resume_to_fail(task, context, REASONS[1])
    assert not isinstance(caught.value, (AirflowFailException, AirflowSensorTimeout))


def test_other_reasons_are_left_to_airflow(operation: dict[str, Any], context: dict[str, Any]) -> None:
    """For any other reason, the task raises what Airflow raises."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True)
    with pytest.raises(Exception, match=r"^Trigger failure$"):
        resume_to_fail(sensor, context, "Trigger failure")
