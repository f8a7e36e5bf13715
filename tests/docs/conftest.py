# SPDX-License-Identifier: Apache-2.0
"""Troubles caused for real: a portal, a task's context, and the lines that a user finds in the task's log."""

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
TOLD = re.compile(r"^\S+ \[(\w+) *\] (.*?) +\[[\w.]*airflow_provider_cpp[\w.]*\]")
"""A line of ours as Airflow prints it: time, level, text, logger."""

TRACED = re.compile(r"^\w+Error: ")
"""The last line of a traceback that is told as a text."""


class Scene:
    """What a trouble needs: a portal with one offer, a task's context, and what was told.

    :ivar lines: what the log shows, as Airflow's page does: ``WARNING - a text``, ``AirflowException: a text``.
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

    def later_try(self, number: int, *, notes: bool = True) -> None:
        """Make the context that of a try; the DAG run began just now."""
        store = self.context.get("task_state_store") or Store()
        began = datetime.now(timezone.utc)
        self.context = {"ti": TaskInstance(number, max_tries=2), "dag_run": SimpleNamespace(start_date=began)}
        if notes:
            self.context["task_state_store"] = store

    def serve(self, scenario: str = "succeeds", history: str | None = None, **settings: Any) -> Emulator:
        """Start a portal with one offer, and connect to it."""
        self.portal = self._serve(**settings)
        self.portal.add_offer(OFFER, scenario, history)
        return self.portal

    def connect(self, **changes: Any) -> None:
        """Change the connection."""
        self._connect(self.portal, **changes)

    def published(self) -> dict[str, Any]:
        """Return what a publish task returned that went well."""
        return CloudPartnerPortalHook().publish_offer(OFFER).to_json()

    def parked(self) -> dict[str, Any]:
        """Return what a publish task returned whose preview is ready by now."""
        operation = self.published()
        self.portal.clock.advance(days=4)
        return operation

    def publish(self, **arguments: Any) -> Any:
        """Run a publish task."""
        options = {"task_id": "publish", "offer_id": OFFER, "settle_time": 0, "retries": 2, "poll_interval": 0.01}
        return self.run(PublishOfferOperator(**{**options, **arguments}))

    def sensor(self, **arguments: Any) -> OfferStatusSensor:
        """Make a deferred wait, to which next to no time is left."""
        options = {"task_id": "wait", "deferrable": True, "timeout": timedelta(0), "poll_interval": 0.01}
        return OfferStatusSensor(**{**options, **arguments})

    def wait(self, **arguments: Any) -> Any:
        """Run such a wait."""
        return self.run(self.sensor(**arguments))

    def run(self, task: Any) -> Any:
        """Run a task to its end, and read its log."""
        return self.call(lambda: run_to_end(task, self.context))

    def call(self, what: Callable[[], Any]) -> Any:
        """Do something, and take down what was told and how it ended."""
        returned = None
        try:
            returned = what()
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says what it should be
            ending = [f"{type(error).__name__}: {error}"]
        else:
            ending = []
        printed = self._capsys.readouterr().out.splitlines()
        told = [f"{found[1].upper()} - {found[2]}" for line in printed if (found := TOLD.match(line))]
        # What is told by a logger of the standard library, which a task's log has as well.
        own = [record for record in self._caplog.records if record.name.startswith("airflow_provider_cpp")]
        told += [f"{record.levelname} - {record.getMessage()}" for record in own]
        self._caplog.clear()
        self.lines += [*told, *(line for line in printed if TRACED.match(line)), *ending]
        return returned

    def meanwhile(self, what: Callable[[], Any], route: str, act: Callable[[], None]) -> None:
        """Do something in a thread of its own, and act while a request of it is held at the portal."""
        gate = self.portal.gate(route)
        thread = threading.Thread(target=what)
        thread.start()
        gate.wait_until_reached()
        act()
        gate.open()
        thread.join(30)
        assert not thread.is_alive()

    def airflow(self, *arguments: str, is_installed: bool = True) -> None:
        """Run a command of Airflow, and take down what it printed."""
        printed = self.python("-m", "airflow", *arguments, is_installed=is_installed)
        self.lines += [f"$ airflow {' '.join(arguments)}\n{line.strip()}" for line in printed]

    def python(self, *arguments: str, is_installed: bool = True) -> list[str]:
        """Run Python, and return the lines that it printed.

        :param is_installed: whether this package is installed; otherwise there is everything but that.
        """
        environment, options = dict(os.environ), []
        if not is_installed:
            everything = self._directory / "everything"
            everything.mkdir()
            for path in Path(sysconfig.get_path("purelib")).iterdir():
                if "airflow_provider_cpp" not in path.name:
                    (everything / path.name).symlink_to(path)
            environment["PYTHONPATH"], options = str(everything), ["-S"]  # no site: it would find the package
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
def scene(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> Scene:
    """Return an empty scene."""
    return Scene(serve, connect, capsys, caplog, tmp_path)
