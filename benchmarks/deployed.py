# SPDX-License-Identifier: Apache-2.0
"""The whole wait in real Airflow: the CPU that the triggerer of a real deployment uses for waiting tasks."""

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
from benchmarks.subjects import PollTarget

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))  # the deployments of the end-to-end tests

if TYPE_CHECKING:
    from deployments.airflow import Deployment

DAGS = Path(__file__).parent / "dags"
PEER = "http"
TIMEOUT = 300.0


def measure(bench: Bench, home: Path, tasks: int, interval: float, seconds: float) -> list[Row]:
    """Measure an idle triggerer, then one with so many tasks of this package, then with those of the HTTP provider.

    :param home: a folder for all files that Airflow writes.
    :param interval: seconds between two polls of one task.
    :param seconds: for how long each is measured.
    """
    from deployments.airflow import OneMachine

    os.environ |= {"BENCH_TASKS": str(tasks), "BENCH_INTERVAL": str(interval)}
    with serving(bench.certificate, bench.other) as stub, OneMachine(home, DAGS, parallelism=4) as deployment:
        target = PollTarget("https", stub.ports, interval)
        for name in ("ours", PEER):
            for conn_id, fields in SUBJECTS[name](target).connections().items():
                deployment.api.set_connection(fields | {"extra": json.loads(fields["extra"])}, conn_id)
        idle = _triggerer_cpu(deployment, seconds)
        return [_wait(deployment, stub, name, tasks, seconds, idle) for name in ("ours", PEER)]


def _wait(deployment: Deployment, stub: Stub, name: str, tasks: int, seconds: float, idle: float) -> Row:  # noqa: PLR0913, PLR0917 - one measurement
    """Start a run, measure while its tasks wait, and end it."""
    from deployments.processes import wait_until

    run, started = f"bench-{name}", time.monotonic()
    deployment.api.trigger(name, run)
    wait_until(lambda: _deferred(deployment, name, run) == tasks, f"all tasks of {name} wait", TIMEOUT, 0.5)
    # Each task polls once before it defers; the others are polls of the triggers.
    polled = stub.counts()["polls"] + 2 * tasks
    wait_until(lambda: stub.counts()["polls"] >= polled, f"the triggers of {name} poll", TIMEOUT, 0.1)
    deferring = time.monotonic() - started
    polls = stub.counts()["polls"]
    cpu = _triggerer_cpu(deployment, seconds)
    polls = stub.counts()["polls"] - polls
    if _deferred(deployment, name, run) != tasks:
        msg = f"{name}: a task has stopped waiting"
        raise MeasurementError(msg)
    deployment.api.request("PATCH", f"dags/{name}/dagRuns/{run}", {"state": "failed"})
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
        msg = f"{dag_id}: tasks are {bad} instead of deferred"
        raise MeasurementError(msg)
    return states.count("deferred")


def _triggerer_cpu(deployment: Deployment, seconds: float) -> float:
    """Return the seconds of CPU that all processes of the triggerer use in so many seconds."""
    before = _cpu(deployment)
    time.sleep(seconds)
    return _cpu(deployment) - before


def _cpu(deployment: Deployment) -> float:
    times = [
        one.cpu_times()
        for one in deployment.process("triggerer-1").process_tree()
        if one.status() != psutil.STATUS_ZOMBIE
    ]
    return float(sum(one.user + one.system for one in times))
