# SPDX-License-Identifier: Apache-2.0
"""The whole wait in real Airflow: what the triggerer of a real deployment takes for tasks that wait."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.harness import MeasurementError, Stub, serving
from benchmarks.measured import SUBJECTS
from benchmarks.measurements import Bench, Row
from benchmarks.subjects import Place

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))  # the deployments that the end-to-end tests run in

if TYPE_CHECKING:
    from deployments.airflow import Deployment

DAGS = Path(__file__).parent / "dags"
PEER = "http"
PATIENCE = 300.0


def measure(bench: Bench, home: Path, tasks: int, interval: float, seconds: float) -> list[Row]:
    """Let so many tasks wait in a deployment of its own: nobody's, ours, and the HTTP provider's.

    :param home: a folder for all that Airflow writes.
    :param interval: seconds between two polls of one task.
    :param seconds: for how long each is measured.
    """
    from deployments.airflow import OneMachine

    os.environ |= {"BENCH_TASKS": str(tasks), "BENCH_INTERVAL": str(interval)}
    with serving(bench.certificate, bench.other) as stub, OneMachine(home, DAGS, parallelism=4) as deployment:
        place = Place("https", stub.ports, interval)
        for name in ("ours", PEER):
            for conn_id, fields in SUBJECTS[name](place).connections().items():
                deployment.api.set_connection(fields | {"extra": json.loads(fields["extra"])}, conn_id)
        idle = _triggerer_cpu(deployment, seconds)
        return [_wait(deployment, stub, name, tasks, seconds, idle) for name in ("ours", PEER)]


def _wait(deployment: Deployment, stub: Stub, name: str, tasks: int, seconds: float, idle: float) -> Row:  # noqa: PLR0913, PLR0917 - one measurement
    """Begin a run, measure while its tasks wait, and end it."""
    from deployments.processes import wait_until

    run, began = f"bench-{name}", time.monotonic()
    deployment.api.trigger(name, run)
    wait_until(lambda: _deferred(deployment, name, run) == tasks, f"all tasks of {name} wait", PATIENCE, 0.5)
    # Each looks once before it defers; these are the triggers' own.
    polled = stub.counts()["polls"] + 2 * tasks
    wait_until(lambda: stub.counts()["polls"] >= polled, f"the triggers of {name} poll", PATIENCE, 0.1)
    deferring = time.monotonic() - began
    polls = stub.counts()["polls"]
    cpu = _triggerer_cpu(deployment, seconds)
    polls = stub.counts()["polls"] - polls
    if _deferred(deployment, name, run) != tasks:
        msg = f"{name}: a task has stopped waiting"
        raise MeasurementError(msg)
    deployment.api.ask("PATCH", f"dags/{name}/dagRuns/{run}", {"state": "failed"})
    return {
        "benchmark": "deployed",
        "subject": name,
        "scheme": "https",
        "number": tasks,
        "polls": polls,
        "seconds": seconds,
        "seconds_until_all_wait": deferring,
        "idle_cpu": idle,
        "cpu_per_task": (cpu - idle) / tasks,
        "cpu_per_1000": 1000 * (cpu - idle) / polls,
    }


def _deferred(deployment: Deployment, dag_id: str, run_id: str) -> int:
    states: list[Any] = [one["state"] for one in deployment.api.task_instances(dag_id, run_id)]
    if bad := {"failed", "success", "up_for_retry"} & set(states):
        msg = f"{dag_id}: a task is {bad}, and should wait"
        raise MeasurementError(msg)
    return states.count("deferred")


def _triggerer_cpu(deployment: Deployment, seconds: float) -> float:
    """Return the seconds of CPU that the triggerer, all of its processes, takes in so many seconds."""
    before = _cpu(deployment)
    time.sleep(seconds)
    return _cpu(deployment) - before


def _cpu(deployment: Deployment) -> float:
    times = [
        one.cpu_times() for one in deployment.process("triggerer-1").family() if one.status() != psutil.STATUS_ZOMBIE
    ]
    return float(sum(one.user + one.system for one in times))
