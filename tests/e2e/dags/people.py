# SPDX-License-Identifier: Apache-2.0
"""Tasks that wait while people, or Airflow's own limits, interfere. The run's configuration names the offer."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.sdk import dag, task_group

from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

OFFER = "{{ dag_run.conf['offer'] }}"
COMMON: dict[str, Any] = {"start_date": datetime(2026, 1, 1, tzinfo=timezone.utc), "catchup": False}
TASK: dict[str, Any] = {"poll_interval": 1.0, "retries": 0}
PUBLISH: dict[str, Any] = TASK | {"task_id": "publish", "offer_id": OFFER, "settle_time": 10.0}
SHORT = timedelta(seconds=4)
LONG_ENOUGH_TO_PUBLISH = timedelta(seconds=25)
"""Also on a busy machine: the time must run out while the operation is in progress, not earlier."""


@dag("person", schedule=None, **COMMON)
def person() -> None:
    """Publish, and wait for the preview in the triggerer."""
    PublishOfferOperator(wait_for_completion=True, deferrable=True, **PUBLISH)


@dag("short_run", schedule=None, dagrun_timeout=timedelta(seconds=60), **COMMON)
def short_run() -> None:
    """Publish and wait in a run with a short ``dagrun_timeout``."""
    PublishOfferOperator(wait_for_completion=True, deferrable=True, **PUBLISH)


@dag("short_execution", schedule=None, **COMMON)
def short_execution() -> None:
    """Publish and wait in a task with a short ``execution_timeout``."""
    PublishOfferOperator(
        wait_for_completion=True, deferrable=False, execution_timeout=LONG_ENOUGH_TO_PUBLISH, **PUBLISH
    )


@dag("short_wait", schedule=None, **COMMON)
def short_wait() -> None:
    """Wait with a sensor that times out soon."""
    publish = PublishOfferOperator(**PUBLISH)
    OfferStatusSensor(task_id="wait", operation=publish.output, deferrable=True, timeout=SHORT, **TASK)


@dag("soft_wait", schedule=None, **COMMON)
def soft_wait() -> None:
    """Wait with a sensor that times out soon and is skipped then."""
    publish = PublishOfferOperator(**PUBLISH)
    OfferStatusSensor(task_id="wait", operation=publish.output, deferrable=True, timeout=SHORT, soft_fail=True, **TASK)


@dag("retried", schedule=None, **COMMON)
def retried() -> None:
    """Publish again some seconds after a first publish is throttled."""
    options = PUBLISH | {"retries": 3, "retry_delay": timedelta(seconds=2), "settle_time": 4.0}
    PublishOfferOperator(wait_for_completion=True, deferrable=True, **options)


@dag("crowded", schedule=None, **COMMON)
def crowded() -> None:
    """Publish and wait deferred by default, in a pool, one at a time, in a task group, between setup and teardown."""

    @task_group
    def release() -> None:
        options = PUBLISH | {"task_id": "prepare"}
        prepare = PublishOfferOperator(pool="default_pool", max_active_tis_per_dag=1, **options).as_setup()
        wait = OfferStatusSensor(task_id="wait", operation=prepare.output, pool="default_pool", **TASK)
        after = OfferStatusSensor(task_id="after", operation=prepare.output, **TASK).as_teardown(setups=prepare)
        prepare >> wait >> after

    release()


person()
short_run()
short_execution()
short_wait()
soft_wait()
retried()
crowded()
