# SPDX-License-Identifier: Apache-2.0
"""One point at which a process is killed: what is done there, and what is counted."""

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

from deployment import PATIENCE, Deployment
from partner_center_emulator import Emulator, ScaledClock, Settings
from points import Point, route

SETTLE_TIME = 15.0
LAG = timedelta(seconds=2)


@dataclass
class Row:
    """What was counted at one point: orders after the retry, after the first clear and after the second."""

    point: Point
    counts: list[int] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    trouble: str = ""

    def note(self, portal: Emulator, ending: str) -> None:
        """Count."""
        self.counts.append(portal.orders_for(self.point.name)[self.point.order])
        self.endings.append(ending)

    @property
    def cells(self) -> list[str]:
        """The counts as they stand in the table; a task that stopped for a person says so."""
        marks = {"success": "", "running": "", "failed": ", stops"}
        shown = zip(self.counts, self.endings, strict=True)
        return [f"{count}{marks[ending]}" for count, ending in shown]


class Scenario:
    """One point, on one deployment, with a portal of its own."""

    def __init__(self, point: Point, directory: Path, api: str) -> None:
        self.point = point
        self.name = point.name
        self.api = api
        self.directory = directory
        self.clock = ScaledClock()
        # What the portal shows of an order lags, though for less than the settle time.
        self.portal = Emulator(Settings(lag_time=LAG), self.clock)
        self.row = Row(point)

    def connect(self, stack: ExitStack) -> dict[str, Any]:
        """Serve the portal, and return the connection to it."""
        stack.enter_context(self.portal)
        return self.portal.connection_for(api=self.api)

    def run(self, deployment: Deployment) -> Row:
        """Kill, retry, clear, clear; what goes wrong is told with the point."""
        try:
            self._prepare()
            self._kill_first_try(deployment)
            self._note(deployment, after_try=1)
            self._clear(deployment)
            if self.point.waits:
                self.clock.jump(days=10)
                self._ended(deployment, self._try(deployment) - 1)
            else:
                self.clock.jump(days=10)
            self._clear(deployment)
        except Exception as error:  # noqa: BLE001 - the other points go on
            self.row.trouble = f"{type(error).__name__}: {error}"
        return self.row

    def _prepare(self) -> None:
        self.portal.add_offer(self.point.name)
        if self.point.order == "golive":
            self.portal.person(self.point.name, "publish")
            self.clock.jump(days=10)
        if self.point.hold:
            (self.directory / "holds" / self.point.name).write_text(self.point.hold)

    def _kill_first_try(self, deployment: Deployment) -> None:
        point, hold = self.point, self.directory / "holds" / self.point.name
        gate = None
        if point.gate:
            gate = self.portal.gate(route(point.gate[0], self.api), after=point.gate[1], offer=point.name)
        deployment.trigger(point.dag_id, point.name)
        if gate is not None:
            gate.wait_until_reached(PATIENCE)
        else:
            until(hold.with_suffix(".reached").exists, "the note was never written")
        kill_process(self._process(1))
        if point.late:
            looks = self._looks()
            until(lambda: self._looks() > looks, "the retry never looked")
        if gate is not None:
            gate.open()
        hold.with_suffix(".released").touch()

    def _note(self, deployment: Deployment, after_try: int) -> None:
        if not self.point.waits:
            self.row.note(self.portal, deployment.wait_until_ended(self.point.dag_id, self.point.name, after_try))
            return
        until(self._process(after_try + 1).exists, "there was no further try")
        asked = route("operation", self.api)
        polls, looks = self.portal.counts_for(self.point.name)[asked], self._looks()
        ended = ("success", "failed")

        def settled() -> bool:
            polled = self.portal.counts_for(self.point.name)[asked] > polls + 1
            # An operation that was found in the list may be waited for there: a second apart, until nothing can come of
            # the order any more.
            polled = polled or self._looks() > looks + SETTLE_TIME + 5
            return polled or (self._try(deployment) > after_try and self._state(deployment) in ended)

        until(settled, "the task does not wait")
        state = self._state(deployment)
        self.row.note(self.portal, state if state in ended else "running")

    def _clear(self, deployment: Deployment) -> None:
        time.sleep(LAG.total_seconds())  # a person is not quicker than the portal
        number = self._try(deployment)
        if self._state(deployment) in ("success", "failed"):
            # A clear that comes between the end of the task and that of its run is lost, whatever the task is.
            until(lambda: deployment.has_ended(self.point.dag_id, self.point.name), "the run has not ended")
        deployment.clear(self.point.dag_id, self.point.name)
        self._note(deployment, number)

    def _ended(self, deployment: Deployment, after_try: int) -> None:
        deployment.wait_until_ended(self.point.dag_id, self.point.name, after_try)

    def _looks(self) -> int:
        return self.portal.counts_for(self.point.name)[route("submissions", self.api)]

    def _try(self, deployment: Deployment) -> int:
        return deployment.task(self.point.dag_id, self.point.name)[1]

    def _state(self, deployment: Deployment) -> str | None:
        return deployment.task(self.point.dag_id, self.point.name)[0]

    def _process(self, number: int) -> Path:
        return self.directory / "processes" / f"{self.point.name}.{number}"


def until(condition: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so.

    :raises TimeoutError: if it is not so in time.
    """
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(otherwise)
        time.sleep(0.1)


def kill_process(written: Path) -> None:
    """Kill the process whose id was written there, and wait until it is dead."""
    process = int(written.read_text())
    os.kill(process, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{process}").exists() or _is_dead(process), "the process lives on")


def _is_dead(process: int) -> bool:
    """Say whether a process is a zombie: killed, and not collected by its parent yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
