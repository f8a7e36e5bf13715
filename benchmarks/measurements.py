# SPDX-License-Identifier: Apache-2.0
"""The measurements of the wait: polls, starts, memory and lag, each a row of plain numbers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import MeasurementError, Reading, Run, Stub, serving
from benchmarks.measured import SUBJECTS, Order, Pulse
from benchmarks.subjects import Place

Row = dict[str, float | str]

LONG = 3600.0
"""Seconds: nothing polls a second time."""

BEFORE = 3000
"""Triggers that wait already when memory is measured: what all share is there by then, and what lay free is taken.
After a thousand it is not, in a process that has imported Airflow: a trigger that only sleeps seems 2 KiB smaller there."""

STARTS = 400.0
"""Triggers started in a second when memory is measured: none has to queue for a connection, which would count too."""

CALM = 1.0
"""Seconds for what stood in line meanwhile to be done."""

REFERENCE = 1000.0
"""Probes that a core of reference does in a second; normalised numbers are those of such a core."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where measurements are made.

    :param certificate: the stub's.
    :param core: the core of what is measured; None for whichever.
    :param other: the core of all else.
    """

    certificate: Path
    core: int | None
    other: int | None

    def poll(self, subject: str, scheme: str, number: int, polls: int) -> Row:
        """Let so many triggers poll, evenly and often but not more than they can, and see what a poll takes.

        :param polls: how many polls are measured, once all triggers have been answered.
        """
        interval = number / SUBJECTS[subject].rate
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, scheme, interval, number, spread=interval) as run,
        ):
            run.ask("start")
            run.wait_for(number)
            run.ask("memory")  # collects garbage: a process at work for days collects the oldest of it seldom
            time.sleep(CALM)
            first = run.read()
            enough = first.counts["polls"] + polls
            run.wait_until(lambda: bool(stub.counts()["polls"] >= enough), f"{polls} more polls")
            last = run.read()
            pulse, lookups = run.end()
        row = _name("poll", subject, scheme, number) | _polls(first, last, pulse) | _lag(first, last, pulse)
        return row | {"tokens": last.counts["tokens"], "lookups": lookups}

    def restart(self, subject: str, scheme: str, number: int) -> Row:
        """Start so many triggers at once in a process that has done nothing yet, until each was answered once."""
        with serving(self.certificate, self.other) as stub, self._run(subject, stub, scheme, LONG, number) as run:
            before = run.read()
            started = run.ask("start")["at"]
            run.wait_until(lambda: bool(stub.counts()["seen"] >= number), f"{number} triggers have asked")
            there = run.read()
            pulse, lookups = run.end()
        return _name("restart", subject, scheme, number) | {
            "seconds": there.at - started,
            "cpu": _cpu(before, there, pulse) * _speed(before, there, pulse),
            "connections": there.counts["connections"],
            "tokens": there.counts["tokens"],
            "lookups": lookups,
        }

    def memory(self, subject: str, number: int) -> Row:
        """Let some triggers wait, then so many more, and see what these hold."""
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, "http", LONG, number, BEFORE, number / STARTS) as run,
        ):
            before = run.ask("start")["memory"]
            run.wait_for(BEFORE + number)
            after = run.ask("memory")["memory"]
            run.end()
        return _name("memory", subject, "http", number) | {"bytes_per_trigger": (after - before) / number}

    def paced(self, subject: str, number: int, interval: float, window: float) -> Row:
        """Let so many triggers wait, their polls spread evenly, and see how late the loop is.

        They ask without TLS: with it, a peer that opens a connection for each poll could not keep up.

        :param interval: seconds between two polls of one trigger, and those over which they are started.
        :param window: seconds that are measured.
        """
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, "http", interval, number, int(number > 0), interval if number else 0.0) as run,
        ):
            before = run.ask("start")["memory"]
            if number:
                run.wait_for(1 + number)
            after = run.ask("memory")["memory"]  # collects garbage, as above
            time.sleep(CALM)
            first = run.read()
            time.sleep(window)
            last = run.read()
            pulse, _ = run.end()
        row = _name("paced", subject, "http", number) | _lag(first, last, pulse) | {"interval": interval}
        row["utilisation"] = _cpu(first, last, pulse) * _speed(first, last, pulse) / (last.at - first.at)
        if number:
            row |= _polls(first, last, pulse)
            row["bytes_per_trigger"] = (after - before) / number
        return row

    def _run(  # noqa: PLR0913, PLR0917 - what an order says
        self, subject: str, stub: Stub, scheme: str, interval: float, number: int, warm: int = 0, spread: float = 0.0
    ) -> Run:
        place = Place(scheme, stub.ports, interval)
        return Run(Order(subject, place, number, warm, spread), stub, self.core)


def _name(benchmark: str, subject: str, scheme: str, number: int) -> Row:
    return {"benchmark": benchmark, "subject": subject, "scheme": scheme, "number": number}


def _polls(first: Reading, last: Reading, pulse: Pulse) -> Row:
    """Say what polls cost between two readings."""
    polls = last.counts["polls"] - first.counts["polls"]
    if polls <= 0:
        msg = "nothing was polled"
        raise MeasurementError(msg)
    cpu = _cpu(first, last, pulse)
    return {
        "polls": polls,
        "cpu_per_1000": 1000 * cpu / polls,
        "cpu_per_1000_normalised": 1000 * cpu / polls * _speed(first, last, pulse),
        "connections_per_poll": (last.counts["connections"] - first.counts["connections"]) / polls,
        "lookups_per_poll": (_lookups(pulse, last.at) - _lookups(pulse, first.at)) / polls,
        "lines_per_poll": (last.lines - first.lines) / polls,
    }


def _cpu(first: Reading, last: Reading, pulse: Pulse) -> float:
    """Return the seconds of CPU between two readings, without those of the probes."""
    return last.cpu - first.cpu - sum(took for at, took in pulse.probes if first.at <= at <= last.at)


def _lag(first: Reading, last: Reading, pulse: Pulse) -> Row:
    """Say how late the loop was between two readings, in milliseconds."""
    late = sorted(1000 * lag for at, lag, _ in pulse.beats if first.at <= at <= last.at)
    if not late:  # one step of the loop took longer than all that was measured
        late = [1000 * max(lag for _, lag, _ in pulse.beats)]
    return {"lag_worst": late[-1], "lag_p99": late[int(0.99 * (len(late) - 1))], "beats": len(late)}


def _speed(first: Reading, last: Reading, pulse: Pulse) -> float:
    """Return how fast the core was between two readings, in those of the core of reference."""
    probes: Iterable[float] = [took for at, took in pulse.probes if first.at <= at <= last.at]
    took = statistics.fmean(probes or [took for _, took in pulse.probes])
    return 1 / (REFERENCE * took)


def _lookups(pulse: Pulse, moment: float) -> int:
    """Return the connections that had been looked up by then."""
    return max((lookups for at, _, lookups in pulse.beats if at <= moment), default=0)
