# SPDX-License-Identifier: Apache-2.0
"""One point at which a process is killed: what is done, and what is counted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from deployment import TIMEOUT, Deployment
from partner_center_emulator import Emulator, ScaledClock, Settings
from points import Point, route

SETTLE_TIME = 15.0
LAG = timedelta(seconds=2)


@dataclass
class Row:
    """The submits counted at one point: after the retry, after the first clear and after the second."""

    point: Point
    counts: list[int] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    error: str = ""

    def record(self, emulator: Emulator, ending: str) -> None:
        """Count."""
        self.counts.append(emulator.submits_for(self.point.name)[self.point.kind])
        self.endings.append(ending)

    @property
    def cells(self) -> list[str]:
        """The counts for the table, marked where the task failed and asked for a manual check."""
        marks = {"success": "", "running": "", "failed": ", stops"}
        shown = zip(self.counts, self.endings, strict=True)
        return [f"{count}{marks[ending]}" for count, ending in shown]


class Scenario:
    """One point, on one deployment, with an emulator of its own."""

    def __init__(self, point: Point, directory: Path, api: str) -> None:
        self.point = point
        self.name = point.name
        self.api = api
        self.directory = directory
        self.clock = ScaledClock()
        # The API's responses lag behind a submit, for less than the settle time.
        self.emulator = Emulator(Settings(lag_time=LAG), self.clock)
        self.row = Row(point)

    def connect(self, stack: ExitStack) -> dict[str, Any]:
        """Start the emulator, and return the connection to it."""
        stack.enter_context(self.emulator)
        return self.emulator.connection_for(api=self.api)

    def run(self, deployment: Deployment) -> Row:
        """Kill, retry, clear, clear; an error goes into the row."""
        try:
            self._prepare()
            self._kill_first_try(deployment)
            self._record(deployment, after_try=1)
            self._clear(deployment)
            self.clock.jump(days=10)
            if self.point.waits:
                deployment.wait_until_ended(self.point.dag_id, self.point.name, self._try(deployment) - 1)
            self._clear(deployment)
        except Exception as error:  # noqa: BLE001 - the other points continue
            self.row.error = f"{type(error).__name__}: {error}"
        return self.row

    def _prepare(self) -> None:
        self.emulator.add_offer(self.point.name)
        if self.point.kind == "golive":
            self.emulator.person(self.point.name, "publish")
            self.clock.jump(days=10)
        if self.point.hold:
            (self.directory / "holds" / self.point.name).write_text(self.point.hold)

    def _kill_first_try(self, deployment: Deployment) -> None:
        point, hold = self.point, self.directory / "holds" / self.point.name
        gate = None
        if point.gate:
            gate = self.emulator.gate(route(point.gate[0], self.api), after=point.gate[1], offer=point.name)
        deployment.trigger(point.dag_id, point.name)
        if gate is not None:
            gate.wait_until_reached(TIMEOUT)
        else:
            wait_until(hold.with_suffix(".reached").exists, "the checkpoint was never written")
        kill_process(self._process(1))
        if point.late:
            polls = self._list_polls()
            wait_until(lambda: self._list_polls() > polls, "the retry never polled")
        if gate is not None:
            gate.open()
        hold.with_suffix(".released").touch()

    def _record(self, deployment: Deployment, after_try: int) -> None:
        if not self.point.waits:
            self.row.record(self.emulator, deployment.wait_until_ended(self.point.dag_id, self.point.name, after_try))
            return
        wait_until(self._process(after_try + 1).exists, "there was no further try")
        polls, list_polls = self._polls("operation"), self._list_polls()
        ended = ("success", "failed")

        def settled() -> bool:
            polled = self._polls("operation") > polls + 1
            # The task may wait for an operation of the list by polling the list once a second, until the settle time
            # has passed.
            polled = polled or self._list_polls() > list_polls + SETTLE_TIME + 5
            return polled or (self._try(deployment) > after_try and self._state(deployment) in ended)

        wait_until(settled, "the task does not wait")
        state = self._state(deployment)
        self.row.record(self.emulator, state if state in ended else "running")

    def _clear(self, deployment: Deployment) -> None:
        time.sleep(LAG.total_seconds())  # a person is not faster than the lag of the responses
        number = self._try(deployment)
        if self._state(deployment) in ("success", "failed"):
            # Airflow loses a clear that comes between the end of the task and that of its run, of any task.
            wait_until(lambda: deployment.has_ended(self.point.dag_id, self.point.name), "the run has not ended")
        deployment.clear(self.point.dag_id, self.point.name)
        self._record(deployment, number)

    def _polls(self, name: str) -> int:
        return self.emulator.counts_for(self.point.name)[route(name, self.api)]

    def _list_polls(self) -> int:
        return self._polls("submissions")

    def _try(self, deployment: Deployment) -> int:
        return deployment.task(self.point.dag_id, self.point.name)[1]

    def _state(self, deployment: Deployment) -> str | None:
        return deployment.task(self.point.dag_id, self.point.name)[0]

    def _process(self, number: int) -> Path:
        return self.directory / "processes" / f"{self.point.name}.{number}"


def wait_until(condition: Callable[[], bool], error: str) -> None:
    """Wait until a condition holds.

    :raises TimeoutError: if it does not hold in time.
    """
    limit = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(error)
        time.sleep(0.1)


def kill_process(id_file: Path) -> None:
    """Kill the process whose id the file holds, and wait until it is dead."""
    process = int(id_file.read_text())
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{process}").exists() or _is_dead(process), "the process is still alive")


def _is_dead(process: int) -> bool:
    """Return whether a process is a zombie: killed, and not reaped by its parent yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
