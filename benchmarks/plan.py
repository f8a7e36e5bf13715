# SPDX-License-Identifier: Apache-2.0
"""What `make bench` measures, and how often: all of it, or enough for every day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

NEAR = ("limit", "bare-trigger", "ours")
"""Measured with many polls, often: these are near each other."""

HEAVY = ("data-factory", "power-bi", "airbyte")
"""Measured with fewer polls, less often, and with TLS only, since they take ten times as long."""

BOTH = ("http", "https")
PEERS = ("http", "dbt", *HEAVY)
MANY = 1000
"""The number of triggers that the goals are for."""

MOST = 10_000
"""The number of paced waits."""


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement, to be repeated.

    :param kind: which.
    :param subject: of what.
    :param arguments: the measurement's own.
    :param times: how often.
    """

    kind: Literal["poll", "restart", "memory", "paced"]
    subject: str
    arguments: tuple[str | float, ...]
    times: int

    def measured(self) -> tuple[str, str, str, float]:
        """Return what its rows are known by: kind, subject, scheme and the number of triggers."""
        words = [argument for argument in self.arguments if isinstance(argument, str)]
        numbers = [argument for argument in self.arguments if not isinstance(argument, str)]
        return self.kind, self.subject, words[0] if words else "http", numbers[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is measured.

    :param steps: the measurements of the wait.
    :param imports: how often everything is imported.
    :param smaller: how many times fewer publications are simulated than usual.
    :param deployed: tasks, seconds between two polls and seconds that are measured in real Airflow; None for not.
    """

    steps: tuple[Step, ...]
    imports: int
    smaller: int
    deployed: tuple[int, float, float] | None

    def in_turn(self) -> Iterator[tuple[int, Step]]:
        """Go through the repetitions, in another order each: what disturbs the machine disturbs everybody."""
        chance = random.Random(5)  # noqa: S311 - an order, no secret
        for repetition in range(max(step.times for step in self.steps)):
            steps = [step for step in self.steps if step.times > repetition]
            chance.shuffle(steps)
            yield from ((repetition, step) for step in steps)


def full() -> Plan:
    """All of it: some quarter of an hour on two cores that have nothing else to do."""
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
        Step("paced", "idle", (0, 30.0, 15.0), 2),
        Step("paced", "ours", (MOST, 30.0, 15.0), 2),
        Step("paced", "http", (MOST, 30.0, 15.0), 1),
    ]
    return Plan(tuple(steps), imports=6, smaller=5, deployed=(12, 1.0, 30.0))


def short() -> Plan:
    """Enough for every day: some minutes. Each row of the goals, but no deployment."""
    steps = [
        *(_poll(subject, scheme, MANY, 6000, 2) for scheme in BOTH for subject in ("limit", "ours")),
        *(_poll(subject, scheme, MANY, 1000, 1) for scheme in BOTH for subject in ("http", "dbt")),
        *(_poll(subject, "https", 100, 100, 1) for subject in ("limit", "airbyte")),
        *(Step("memory", subject, (MANY,), 1) for subject in ("sleep", "idle", "limit", "ours", "dbt")),
        Step("paced", "idle", (0, 30.0, 10.0), 2),
        Step("paced", "ours", (MOST, 30.0, 10.0), 1),
        Step("paced", "http", (MOST, 30.0, 10.0), 1),
    ]
    return Plan(tuple(steps), imports=4, smaller=20, deployed=None)


def _poll(subject: str, scheme: str, number: int, polls: int, times: int) -> Step:
    return Step("poll", subject, (scheme, number, polls), times)
