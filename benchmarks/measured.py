# SPDX-License-Identifier: Apache-2.0
"""The process that is measured: so many triggers in one event loop, as a triggerer has them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from benchmarks.machine import pin, probe, resident
from benchmarks.peers import Airbyte, DataFactory, DbtCloud, HttpSensor, PowerBi
from benchmarks.subjects import FIRST, BareLoop, BareTrigger, Idle, Ours, Place, Sleep, Subject
from benchmarks.triggerer import Triggerer

SUBJECTS: dict[str, type[Subject]] = {
    one.name: one
    for one in (BareLoop, BareTrigger, Sleep, Idle, Ours, HttpSensor, DbtCloud, DataFactory, PowerBi, Airbyte)
}
"""All that can be measured, by name."""

BEAT = 0.010
"""Seconds between two beats of the heart, whose lateness is the loop's lag."""

PROBE_EVERY = 0.2
"""Seconds between two looks at how fast the core is."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure.

    :param subject: its name.
    :param place: where the stub is.
    :param number: how many triggers.
    :param warm: how many triggers run before, so that what is made once is there already.
    :param spread: seconds over which the triggers are started; 0 for all at once, as after a restart.
    """

    subject: str
    place: Place
    number: int
    warm: int = 0
    spread: float = 0.0


@dataclass
class Pulse:
    """What the loop felt.

    :param beats: for each beat when it came (on the monotonic clock), by how much it was late, and the connections
        looked up so far.
    :param probes: for each probe when it was made, and the seconds that it took.
    """

    beats: list[tuple[float, float, int]] = field(default_factory=list)
    probes: list[tuple[float, float]] = field(default_factory=list)

    async def beat(self, lookups: Callable[[], int]) -> None:
        """Beat until canceled."""
        due = time.monotonic()
        while True:
            began = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self.beats.append((now, max(0.0, now - began - BEAT), lookups()))
            if now >= due:
                self.probes.append((now, probe()))
                due = time.monotonic() + PROBE_EVERY


def main(order: Order, control: Connection, log: Connection, core: int | None) -> None:
    """Be the measured process: say what happens through the control, and end when it says so."""
    try:
        pin(core)
        subject = SUBJECTS[order.subject](order.place)
        triggerer = Triggerer(subject.connections(), os.dup(log.fileno())) if subject.in_triggerer else None
        subject.prepare()
        asyncio.run(Measured(order, subject, triggerer, control).run())
    except Exception:  # noqa: BLE001 - whatever it is, whoever asked has to know
        with contextlib.suppress(OSError):
            control.send({"error": traceback.format_exc()})


class Measured:
    """One measurement, driven by whoever holds the other end of the control."""

    def __init__(self, order: Order, subject: Subject, triggerer: Triggerer | None, control: Connection) -> None:
        self._order = order
        self._subject = subject
        self._triggerer = triggerer
        self._control = control
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._pulse = Pulse()

    async def run(self) -> None:
        """Do what is asked for, until that is the end."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._read)
        self._control.send({})
        running = []
        while (wanted := await self._asked.get()) != "end":
            if wanted == "warm":
                await self._start_all(FIRST - self._order.warm, self._order.warm)
                self._control.send({})
            elif wanted == "start":
                gc.collect()
                self._control.send({"memory": resident(), "at": time.monotonic()})
                started = self._start_all(FIRST, self._order.number)
                running = [asyncio.create_task(self._pulse.beat(self._lookups)), asyncio.create_task(started)]
            elif wanted == "memory":
                gc.collect()
                self._control.send({"memory": resident()})
        self._control.send({"pulse": self._pulse, "lookups": self._lookups()})
        del running
        os._exit(0)  # thousands of triggers are not taken down one by one

    def _read(self) -> None:
        try:
            self._asked.put_nowait(self._control.recv())
        except (EOFError, OSError):
            os._exit(1)

    async def _start_all(self, first: int, number: int) -> None:
        began = time.monotonic()
        for index in range(number):
            if self._order.spread:
                due = began + self._order.spread * index / self._order.number
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            else:
                await asyncio.sleep(0)  # as the triggerer does between two
            self._tasks.append(self._start(first + index))

    def _start(self, number: int) -> asyncio.Task[None]:
        if self._triggerer is None:
            task = asyncio.create_task(self._subject.wait(number))
        else:
            task = self._triggerer.start(number, self._subject.trigger(number))
        task.add_done_callback(self._say_end)
        return task

    def _lookups(self) -> int:
        return self._triggerer.supervisor.lookups if self._triggerer else 0

    def _say_end(self, task: asyncio.Task[None]) -> None:
        """Say that a trigger has ended, though what it waits for has not."""
        how = "canceled" if task.cancelled() else task.exception() or "it fired, or its error was an event"
        with contextlib.suppress(OSError):
            self._control.send({"error": f"a trigger has ended: {how!r}"})
