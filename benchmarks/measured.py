# SPDX-License-Identifier: Apache-2.0
"""The measured process: a number of triggers in one event loop, as in a triggerer."""

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
from benchmarks.subjects import FIRST, BareLoop, BareTrigger, Idle, Ours, PollTarget, Sleep, Subject
from benchmarks.triggerer import Triggerer

SUBJECTS: dict[str, type[Subject]] = {
    one.name: one
    for one in (BareLoop, BareTrigger, Sleep, Idle, Ours, HttpSensor, DbtCloud, DataFactory, PowerBi, Airbyte)
}
"""All subjects, by name."""

BEAT = 0.010
"""Seconds between two heartbeats; the delay of a beat is the loop's lag."""

PROBE_EVERY = 0.2
"""Seconds between two probes of the core's speed."""


@dataclass(frozen=True, slots=True)
class MeasurementSpec:
    """What to measure.

    :param subject: the subject's name.
    :param target: where the stub is.
    :param number: how many triggers.
    :param warm: how many triggers run before, so that shared objects exist already.
    :param spread: seconds over which the triggers are started; 0 for all at once, as after a restart.
    """

    subject: str
    target: PollTarget
    number: int
    warm: int = 0
    spread: float = 0.0


@dataclass
class Heartbeat:
    """A heartbeat in the event loop.

    :param beats: for each beat its time (on the monotonic clock), its lag, and the connections looked up so far.
    :param probes: for each probe its time, and the seconds that it took.
    """

    beats: list[tuple[float, float, int]] = field(default_factory=list)
    probes: list[tuple[float, float]] = field(default_factory=list)

    async def beat(self, lookups: Callable[[], int]) -> None:
        """Beat until canceled."""
        due = time.monotonic()
        while True:
            started = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self.beats.append((now, max(0.0, now - started - BEAT), lookups()))
            if now >= due:
                self.probes.append((now, probe()))
                due = time.monotonic() + PROBE_EVERY


def main(spec: MeasurementSpec, control: Connection, log: Connection, core: int | None) -> None:
    """Run the measured process: execute commands from the control connection until ``end``."""
    try:
        pin(core)
        subject = SUBJECTS[spec.subject](spec.target)
        triggerer = Triggerer(subject.connections(), os.dup(log.fileno())) if subject.in_triggerer else None
        subject.prepare()
        asyncio.run(MeasuredProcess(spec, subject, triggerer, control).run())
    except Exception:  # noqa: BLE001 - the parent process needs any error
        with contextlib.suppress(OSError):
            control.send({"error": traceback.format_exc()})


class MeasuredProcess:
    """One measurement, controlled through a connection."""

    def __init__(
        self, spec: MeasurementSpec, subject: Subject, triggerer: Triggerer | None, control: Connection
    ) -> None:
        self._spec = spec
        self._subject = subject
        self._triggerer = triggerer
        self._control = control
        self._commands: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._heartbeat = Heartbeat()

    async def run(self) -> None:
        """Execute commands until ``end``."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._read)
        self._control.send({})
        running = []
        while (command := await self._commands.get()) != "end":
            if command == "warm":
                await self._start_all(FIRST - self._spec.warm, self._spec.warm)
                self._control.send({})
            elif command == "start":
                gc.collect()
                self._control.send({"memory": resident(), "at": time.monotonic()})
                started = self._start_all(FIRST, self._spec.number)
                running = [asyncio.create_task(self._heartbeat.beat(self._lookups)), asyncio.create_task(started)]
            elif command == "memory":
                gc.collect()
                self._control.send({"memory": resident()})
        self._control.send({"heartbeat": self._heartbeat, "lookups": self._lookups()})
        del running
        os._exit(0)  # without canceling thousands of triggers one by one

    def _read(self) -> None:
        try:
            self._commands.put_nowait(self._control.recv())
        except (EOFError, OSError):
            os._exit(1)

    async def _start_all(self, first: int, number: int) -> None:
        started = time.monotonic()
        for index in range(number):
            if self._spec.spread:
                due = started + self._spec.spread * index / self._spec.number
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            else:
                await asyncio.sleep(0)  # as the triggerer does between two triggers
            self._tasks.append(self._start(first + index))

    def _start(self, number: int) -> asyncio.Task[None]:
        if self._triggerer is None:
            task = asyncio.create_task(self._subject.wait(number))
        else:
            task = self._triggerer.start(number, self._subject.trigger(number))
        task.add_done_callback(self._report_end)
        return task

    def _lookups(self) -> int:
        return self._triggerer.supervisor.lookups if self._triggerer else 0

    def _report_end(self, task: asyncio.Task[None]) -> None:
        """Report that a trigger has ended, although the work that it waits for has not."""
        reason = "canceled" if task.cancelled() else task.exception() or "it fired an event"
        with contextlib.suppress(OSError):
            self._control.send({"error": f"a trigger has ended: {reason!r}"})
