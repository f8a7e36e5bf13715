# SPDX-License-Identifier: Apache-2.0
"""A deferred wait that no triggerer ends: Airflow resumes the task only to fail it, with two words for a reason."""

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
WORDS = ("Trigger timeout", "Trigger/execution timeout")
"""What Airflow says, 3 and 2."""

NO_TRIGGERER = "no triggerer ended the wait in its time, so Airflow did: does one run, and has it room for it?"


@pytest.fixture
def operation(serve: Callable[..., Emulator]) -> dict[str, Any]:
    """Return an operation that runs."""
    serve().add_offer(OFFER)
    return CloudPartnerPortalHook().publish_offer(OFFER).to_json()


def give_up(task: Any, context: dict[str, Any], word: str) -> None:
    task.resume_execution(RESUMED_TO_FAIL, {"error": word}, context)


@pytest.mark.parametrize("word", WORDS)
def test_a_sensor_says_what_to_look_for(operation: dict[str, Any], context: dict[str, Any], word: str) -> None:
    """The sensor names offer and target, asks for the triggerer, and uses no retry, as after any timeout."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True)
    with pytest.raises(AirflowSensorTimeout) as caught:
        give_up(sensor, context, word)
    expected = f"offer contoso/contoso-vm: gave up waiting for preview; {NO_TRIGGERER} The publication itself goes on"
    assert str(caught.value) == expected


def test_operators_say_so_too(operation: dict[str, Any], context: dict[str, Any]) -> None:
    """A publish and a go-live that wait name the offer, which the second knows from its operation."""
    publish = PublishOfferOperator(task_id="publish", offer_id=OFFER)
    go_live = GoLiveOfferOperator(task_id="go_live", operation=operation)
    for task in (publish, go_live):
        with pytest.raises(AirflowSensorTimeout, match=r"^offer contoso/contoso-vm: gave up waiting; no triggerer"):
            give_up(task, context, WORDS[0])


def test_soft_fail_skips_and_says_why(
    operation: dict[str, Any], context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is a timeout, so `soft_fail` skips, with the reason logged first."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True, soft_fail=True)
    with pytest.raises(AirflowSkipException, match="gave up waiting for preview"):
        give_up(sensor, context, WORDS[0])
    assert NO_TRIGGERER in caplog.text


@pytest.mark.parametrize("kind", ["sensor", "operator"])
def test_the_execution_timeout_of_airflow_2_keeps_its_retries(
    operation: dict[str, Any], context: dict[str, Any], kind: str
) -> None:
    """Airflow 2 bounds the deferred time by `execution_timeout` as well: that is what is told then, and a retry is used."""
    options: dict[str, Any] = {"task_id": "wait", "operation": operation, "execution_timeout": timedelta(hours=1)}
    task = (OfferStatusSensor if kind == "sensor" else GoLiveOfferOperator)(**options)
    with pytest.raises(AirflowException, match="its execution_timeout of 1:00:00 was over while it waited") as caught:
        give_up(task, context, WORDS[1])
    assert not isinstance(caught.value, (AirflowFailException, AirflowSensorTimeout))


def test_a_trigger_that_broke_stays_airflow_s_affair(operation: dict[str, Any], context: dict[str, Any]) -> None:
    """What else Airflow resumes a task to fail for is raised as Airflow raises it."""
    sensor = OfferStatusSensor(task_id="wait", operation=operation, deferrable=True)
    with pytest.raises(Exception, match=r"^Trigger failure$"):
        give_up(sensor, context, "Trigger failure")
