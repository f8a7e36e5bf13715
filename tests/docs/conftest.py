# SPDX-License-Identifier: Apache-2.0
"""Runs tasks against an emulator and collects the lines that a user finds in the task's log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from partner_center_emulator import Emulator
from support.run_tasks import Store, TaskInstance, run_to_end

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

OFFER = "contoso-vm"
LOG_LINE = re.compile(r"^\S+ \[(\w+) *\] (.*?) +\[[\w.]*airflow_provider_cpp[\w.]*\]")
"""A log line of this package as Airflow prints it: time, level, text, logger."""

TRACEBACK_END = re.compile(r"^\w+Error: ")
"""The last line of a traceback that is printed as text."""


class TaskRunner:
    """Runs tasks in one context, against an emulator with one offer.

    :ivar lines: the log as Airflow's page shows it: ``WARNING - a text``, ``AirflowException: a text``.
    """

    def __init__(
        self,
        serve: Callable[..., Emulator],
        connect: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
        directory: Path,
    ) -> None:
        self._serve, self._connect, self._capsys, self._caplog = serve, connect, capsys, caplog
        self._directory = directory
        self.lines: list[str] = []
        self.context: dict[str, Any] = {}
        self.later_try(1)
        caplog.set_level("INFO", logger="airflow_provider_cpp")

    def later_try(self, number: int, *, checkpoints: bool = True) -> None:
        """Set the context of a try; the DAG run began just now."""
        store = self.context.get("task_state_store") or Store()
        began = datetime.now(timezone.utc)
        self.context = {"ti": TaskInstance(number, max_tries=2), "dag_run": SimpleNamespace(start_date=began)}
        if checkpoints:
            self.context["task_state_store"] = store

    def serve(self, scenario: str = "succeeds", history: str | None = None, **settings: Any) -> Emulator:
        """Start an emulator with one offer, and connect to it."""
        self.emulator = self._serve(**settings)
        self.emulator.add_offer(OFFER, scenario, history)
        return self.emulator

    def connect(self, **changes: Any) -> None:
        """Change the connection."""
        self._connect(self.emulator, **changes)

    def published(self) -> dict[str, Any]:
        """Return the operation of a successful publish task."""
        return CloudPartnerPortalHook().publish_offer(OFFER).to_json()

    def published_preview(self) -> dict[str, Any]:
        """Return the operation of a publish whose preview is ready by now."""
        operation = self.published()
        self.emulator.clock.advance(days=4)
        return operation

    def publish(self, **arguments: Any) -> Any:
        """Run a publish task."""
        options = {"task_id": "publish", "offer_id": OFFER, "settle_time": 0, "retries": 2, "poll_interval": 0.01}
        return self.run(PublishOfferOperator(**{**options, **arguments}))

    def sensor(self, **arguments: Any) -> OfferStatusSensor:
        """Make a deferrable sensor whose timeout is over."""
        options = {"task_id": "wait", "deferrable": True, "timeout": timedelta(0), "poll_interval": 0.01}
        return OfferStatusSensor(**{**options, **arguments})

    def wait(self, **arguments: Any) -> Any:
        """Run such a sensor."""
        return self.run(self.sensor(**arguments))

    def run(self, task: Any) -> Any:
        """Run a task to its end, and collect its log."""
        return self.record(lambda: run_to_end(task, self.context))

    def record(self, function: Callable[[], Any]) -> Any:
        """Call a function, and collect what it logs and how it ends."""
        returned = None
        try:
            returned = function()
        except Exception as error:  # noqa: BLE001 - the page names the expected one
            ending = [f"{type(error).__name__}: {error}"]
        else:
            ending = []
        printed = self._capsys.readouterr().out.splitlines()
        logged = [f"{match[1].upper()} - {match[2]}" for line in printed if (match := LOG_LINE.match(line))]
        # Lines of standard library loggers, which a task's log has as well.
        own = [record for record in self._caplog.records if record.name.startswith("airflow_provider_cpp")]
        logged += [f"{record.levelname} - {record.getMessage()}" for record in own]
        self._caplog.clear()
        self.lines += [*logged, *(line for line in printed if TRACEBACK_END.match(line)), *ending]
        return returned

    def meanwhile(self, function: Callable[[], Any], route: str, act: Callable[[], None]) -> None:
        """Call a function in a thread of its own, and act while the emulator holds a request of it."""
        gate = self.emulator.gate(route)
        thread = threading.Thread(target=function)
        thread.start()
        gate.wait_until_reached()
        act()
        gate.open()
        thread.join(30)
        assert not thread.is_alive()

    def airflow(self, *arguments: str, is_installed: bool = True) -> None:
        """Run an Airflow command, and collect its output."""
        printed = self.python("-m", "airflow", *arguments, is_installed=is_installed)
        self.lines += [f"$ airflow {' '.join(arguments)}\n{line.strip()}" for line in printed]

    def python(self, *arguments: str, is_installed: bool = True) -> list[str]:
        """Run Python, and return the lines that it printed.

        :param is_installed: whether this package is installed; otherwise every other package is.
        """
        environment, options = dict(os.environ), []
        if not is_installed:
            everything = self._directory / "everything"
            everything.mkdir()
            for path in Path(sysconfig.get_path("purelib")).iterdir():
                if "airflow_provider_cpp" not in path.name:
                    (everything / path.name).symlink_to(path)
            environment["PYTHONPATH"], options = str(everything), ["-S"]  # without site, which would find the package
        result = subprocess.run(
            [sys.executable, *options, *arguments],
            env=environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        return [*result.stdout.splitlines(), *result.stderr.splitlines()]


@pytest.fixture
def runner(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> TaskRunner:
    """Return a task runner without an emulator."""
    return TaskRunner(serve, connect, capsys, caplog, tmp_path)
