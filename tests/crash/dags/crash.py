# SPDX-License-Identifier: Apache-2.0
"""The tasks that are killed. The run id names the offer; each try records its process id."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cpp.operators.offer import GoLiveOfferOperator, PublishOfferOperator


def record_process(context: Any) -> None:
    """Record the id of the process that executes this try."""
    ti = context["ti"]
    name = f"{context['run_id']}.{ti.try_number}"
    path = Path(os.environ["CRASH_DIRECTORY"], "processes", name)
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)


COMMON: dict[str, Any] = {
    "task_id": "submit",
    "offer_id": "{{ run_id }}",
    "conn_id": "{{ run_id }}",
    "retries": 3,
    "retry_delay": timedelta(0),
    "settle_time": float(os.environ["CRASH_SETTLE_TIME"]),
    "deferrable": False,
    "poll_interval": 1.0,
    "pre_execute": record_process,
}

WAIT: dict[str, Any] = {"wait_for_completion": True}
RETRIES = Path(os.environ["CRASH_DIRECTORY"], "retries")
"""Holds the ``retries`` of one of the DAGs; a run may change it."""

for name, operator, options in (
    ("publish", PublishOfferOperator, {}),
    ("publish_and_wait", PublishOfferOperator, WAIT),
    ("publish_in_turn", PublishOfferOperator, WAIT | {"if_running": "wait"}),
    ("publish_with_retries", PublishOfferOperator, {"retries": int(RETRIES.read_text())}),
    ("golive", GoLiveOfferOperator, {}),
    ("golive_and_wait", GoLiveOfferOperator, WAIT),
):
    with DAG(
        name,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        max_active_runs=32,
        is_paused_upon_creation=False,
    ):
        operator(**COMMON | options)
