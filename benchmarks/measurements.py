# SPDX-License-Identifier: Apache-2.0
"""The measurements of the wait: polls, restarts, memory and event loop lag, each a row of numbers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import MeasurementError, Reading, Run, Stub, serving
from benchmarks.measured import SUBJECTS, Heartbeat, MeasurementSpec
from benchmarks.subjects import PollTarget

Row = dict[str, float | str]

LONG = 3600.0
"""A poll interval in seconds, so long that nothing polls a second time."""

BEFORE = 3000
"""Triggers that wait already when memory is measured: by then, shared objects exist, and free memory is used up. After
a thousand it is not, in a process that has imported Airflow: a trigger that only sleeps seems 2 KiB smaller then."""

STARTS = 400.0
"""Triggers started in a second when memory is measured: none queues for a connection, which would count too."""

CALM = 1.0
"""Seconds for queued work to finish."""

REFERENCE = 1000.0
"""Probes that the reference core makes in a second; normalised numbers are those of such a core."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The environment of the measurements.

    :param certificate: the stub's certificate.
    :param core: the core of the measured process; None for any.
    :param other: the core of all other processes.
    """

    certificate: Path
    core: int | None
    other: int | None

    def poll(self, subject: str, scheme: str, number: int, polls: int) -> Row:
        """Measure what a poll costs, with so many triggers that poll evenly, at about half of the possible rate.

        :param polls: how many polls to measure, after each trigger has received a response.
        """
        interval = number / SUBJECTS[subject].rate
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, scheme, interval, number, spread=interval) as run,
        ):
            run.send("start")
            run.wait_for(number)
            run.send("memory")  # collects garbage: a process that runs for days rarely collects the oldest generation
            time.sleep(CALM)
            first = run.read()
            target = first.counts["polls"] + polls
            run.wait_until(lambda: bool(stub.counts()["polls"] >= target), f"{polls} more polls")
            last = run.read()
            heartbeat, lookups = run.end()
        row = _key("poll", subject, scheme, number) | _polls(first, last, heartbeat) | _lag(first, last, heartbeat)
        return row | {"tokens": last.counts["tokens"], "lookups": lookups}

    def restart(self, subject: str, scheme: str, number: int) -> Row:
        """Start so many triggers at once in a fresh process, until each has received a response."""
        with serving(self.certificate, self.other) as stub, self._run(subject, stub, scheme, LONG, number) as run:
            before = run.read()
            started = run.send("start")["at"]
            run.wait_until(lambda: bool(stub.counts()["jobs"] >= number), f"{number} triggers have polled")
            last = run.read()
            heartbeat, lookups = run.end()
        return _key("restart", subject, scheme, number) | {
            "seconds": last.at - started,
            "cpu": _cpu(before, last, heartbeat) * _speed(before, last, heartbeat),
            "connections": last.counts["connections"],
            "tokens": last.counts["tokens"],
            "lookups": lookups,
        }

    def memory(self, subject: str, number: int) -> Row:
        """Measure the memory of so many triggers, with others waiting already."""
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, "http", LONG, number, BEFORE, number / STARTS) as run,
        ):
            before = run.send("start")["memory"]
            run.wait_for(BEFORE + number)
            after = run.send("memory")["memory"]
            run.end()
        return _key("memory", subject, "http", number) | {"bytes_per_trigger": (after - before) / number}

    def lag(self, subject: str, number: int, interval: float, window: float) -> Row:
        """Measure the lag of the event loop while so many triggers poll evenly.

        They poll without TLS: with it, a peer that opens a connection for each poll could not keep up.

        :param interval: seconds between two polls of one trigger, over which the triggers are also started.
        :param window: seconds to measure.
        """
        with (
            serving(self.certificate, self.other) as stub,
            self._run(subject, stub, "http", interval, number, int(number > 0), interval if number else 0.0) as run,
        ):
            before = run.send("start")["memory"]
            if number:
                run.wait_for(1 + number)
            after = run.send("memory")["memory"]  # collects garbage, as above
            time.sleep(CALM)
            first = run.read()
            time.sleep(window)
            last = run.read()
            heartbeat, _ = run.end()
        row = _key("lag", subject, "http", number) | _lag(first, last, heartbeat) | {"interval": interval}
        row["utilisation"] = _cpu(first, last, heartbeat) * _speed(first, last, heartbeat) / (last.at - first.at)
        if number:
            row |= _polls(first, last, heartbeat)
            row["bytes_per_trigger"] = (after - before) / number
        return row

    def _run(  # noqa: PLR0913, PLR0917 - the fields of a specification
        self, subject: str, stub: Stub, scheme: str, interval: float, number: int, warm: int = 0, spread: float = 0.0
    ) -> Run:
        target = PollTarget(scheme, stub.ports, interval)
        return Run(MeasurementSpec(subject, target, number, warm, spread), stub, self.core)


def _key(benchmark: str, subject: str, scheme: str, number: int) -> Row:
    return {"benchmark": benchmark, "subject": subject, "scheme": scheme, "number": number}


def _polls(first: Reading, last: Reading, heartbeat: Heartbeat) -> Row:
    """Return the cost of the polls between two readings."""
    polls = last.counts["polls"] - first.counts["polls"]
    if polls <= 0:
        msg = "nothing was polled"
        raise MeasurementError(msg)
    cpu = _cpu(first, last, heartbeat)
    return {
        "polls": polls,
        "cpu_per_1000": 1000 * cpu / polls,
        "cpu_per_1000_normalised": 1000 * cpu / polls * _speed(first, last, heartbeat),
        "connections_per_poll": (last.counts["connections"] - first.counts["connections"]) / polls,
        "lookups_per_poll": (_lookups(heartbeat, last.at) - _lookups(heartbeat, first.at)) / polls,
        "lines_per_poll": (last.lines - first.lines) / polls,
    }


def _cpu(first: Reading, last: Reading, heartbeat: Heartbeat) -> float:
    """Return the seconds of CPU between two readings, without those of the probes."""
    return last.cpu - first.cpu - sum(took for at, took in heartbeat.probes if first.at <= at <= last.at)


def _lag(first: Reading, last: Reading, heartbeat: Heartbeat) -> Row:
    """Return the lag of the loop between two readings, in milliseconds."""
    late = sorted(1000 * lag for at, lag, _ in heartbeat.beats if first.at <= at <= last.at)
    if not late:  # one step of the loop took longer than the measured time
        late = [1000 * max(lag for _, lag, _ in heartbeat.beats)]
    return {"lag_worst": late[-1], "lag_p99": late[int(0.99 * (len(late) - 1))], "beats": len(late)}


def _speed(first: Reading, last: Reading, heartbeat: Heartbeat) -> float:
    """Return how fast the core was between two readings, relative to the reference core."""
    probes: Iterable[float] = [took for at, took in heartbeat.probes if first.at <= at <= last.at]
    took = statistics.fmean(probes or [took for _, took in heartbeat.probes])
    return 1 / (REFERENCE * took)


def _lookups(heartbeat: Heartbeat, moment: float) -> int:
    """Return how many connections had been looked up at a moment."""
    return max((lookups for at, _, lookups in heartbeat.beats if at <= moment), default=0)
