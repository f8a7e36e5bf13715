# SPDX-License-Identifier: Apache-2.0
"""What `make bench` measures, and how often: everything, or enough for everyday use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

NEAR = ("limit", "bare-trigger", "ours")
"""Measured often, with many polls, because their results are close to each other."""

HEAVY = ("data-factory", "power-bi", "airbyte")
"""Measured less often, with fewer polls, and over TLS only, because they take ten times as long."""

BOTH = ("http", "https")
PEERS = ("http", "dbt", *HEAVY)
MANY = 1000
"""The number of triggers that the goals are for."""

MOST = 10_000
"""The number of waits for the event loop lag."""


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement, to be repeated.

    :param kind: the method of :class:`Bench`.
    :param subject: what is measured.
    :param arguments: the method's further arguments.
    :param times: the number of repetitions.
    """

    kind: Literal["poll", "restart", "memory", "lag"]
    subject: str
    arguments: tuple[str | float, ...]
    times: int

    def measured(self) -> tuple[str, str, str, float]:
        """Return the key of its rows: kind, subject, scheme and the number of triggers."""
        names = [argument for argument in self.arguments if isinstance(argument, str)]
        numbers = [argument for argument in self.arguments if not isinstance(argument, str)]
        return self.kind, self.subject, names[0] if names else "http", numbers[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """All measurements.

    :param steps: the measurements of the wait.
    :param imports: how often each DAG file is imported.
    :param smaller: how many times fewer publications than usual are simulated.
    :param deployed: for real Airflow: tasks, seconds between two polls, and measured seconds; None to leave it out.
    """

    steps: tuple[Step, ...]
    imports: int
    smaller: int
    deployed: tuple[int, float, float] | None

    def shuffled(self) -> Iterator[tuple[int, Step]]:
        """Yield the repetitions, each in a different order, so that a disturbance of the machine affects all subjects."""
        rng = random.Random(5)  # noqa: S311 - a sequence, not a secret
        for repetition in range(max(step.times for step in self.steps)):
            steps = [step for step in self.steps if step.times > repetition]
            rng.shuffle(steps)
            yield from ((repetition, step) for step in steps)


def full() -> Plan:
    """Return the full plan: about twenty minutes on two otherwise idle cores."""
    compared = ("limit", "ours", "http")
    steps = [
        *(_poll(subject, scheme, 100, 1000, 2) for scheme in BOTH for subject in compared),
        *(_poll(subject, scheme, MANY, 4000, 3) for scheme in BOTH for subject in NEAR),
        *(_poll(subject, scheme, MANY, 1000, 3) for scheme in BOTH for subject in ("http", "dbt")),
        *(_poll(subject, "https", MANY, 100, 2) for subject in HEAVY),
        *(_poll(subject, scheme, 5000, 4000, 2) for scheme in BOTH for subject in ("limit", "ours")),
        *(_poll("http", scheme, 5000, 500, 1) for scheme in BOTH),
        *(Step("restart", subject, ("https", 5000), 2) for subject in compared),
        *(Step("memory", subject, (MANY,), 2) for subject in ("sleep", "idle", *NEAR, "http", "dbt")),
        Step("lag", "idle", (0, 30.0, 15.0), 2),
        Step("lag", "ours", (MOST, 30.0, 15.0), 2),
        Step("lag", "http", (MOST, 30.0, 15.0), 1),
    ]
    return Plan(tuple(steps), imports=6, smaller=5, deployed=(12, 1.0, 30.0))


def short() -> Plan:
    """Return the short plan of some minutes: each row of the goals, but no deployment."""
    steps = [
        *(_poll(subject, scheme, MANY, 6000, 2) for scheme in BOTH for subject in ("limit", "ours")),
        *(_poll(subject, scheme, MANY, 1000, 1) for scheme in BOTH for subject in ("http", "dbt")),
        *(_poll(subject, "https", 100, 100, 1) for subject in ("limit", "airbyte")),
        *(Step("memory", subject, (MANY,), 1) for subject in ("sleep", "idle", "limit", "ours", "dbt")),
        Step("lag", "idle", (0, 30.0, 10.0), 2),
        Step("lag", "ours", (MOST, 30.0, 10.0), 1),
        Step("lag", "http", (MOST, 30.0, 10.0), 1),
    ]
    return Plan(tuple(steps), imports=4, smaller=20, deployed=None)


def _poll(subject: str, scheme: str, number: int, polls: int, times: int) -> Step:
    return Step("poll", subject, (scheme, number, polls), times)
