# SPDX-License-Identifier: Apache-2.0
"""Made-up rows of a benchmark run, to test what is computed from them without a measurement."""

from __future__ import annotations

from typing import Any

from benchmarks.imports import DAG_FILES
from benchmarks.plan import Plan
from benchmarks.summary import summarize

SIMULATED: dict[str, Any] = {
    "tables": "| polls | default |\n| --- | --- |\n| median | 130 |\n",
    "polls": [
        {"schedule": "default", "publications": "of five days", "median": 130},
        {"schedule": "every 300 s", "publications": "of five days", "median": 1440},
    ],
    "delays": [
        {"schedule": schedule, "step": "all steps that took less than an hour", "median": seconds}
        for schedule, seconds in (("default", 80.0), ("every 300 s", 150.0))
    ],
}

NUMBERS: dict[str, dict[str, dict[str, float]]] = {
    "poll": {
        "": {
            "cpu_per_1000_normalised": 2.0,
            "cpu_per_1000": 2.1,
            "connections_per_poll": 1.0,
            "lookups_per_poll": 1.0,
            "lines_per_poll": 1.0,
            "lag_worst": 100.0,
            "tokens": 1000.0,
            "lookups": 1000.0,
        },
        "limit": {"cpu_per_1000_normalised": 0.4, "connections_per_poll": 0.0, "tokens": 0.0, "lines_per_poll": 0.0},
        "ours": {
            "cpu_per_1000_normalised": 0.5,
            "connections_per_poll": 0.0,
            "tokens": 1.0,
            "lookups": 1.0,
            "lines_per_poll": 0.0,
        },
    },
    "restart": {"": {"seconds": 4.0, "cpu": 3.0, "connections": 1000.0, "tokens": 1.0, "lookups": 1000.0}},
    "memory": {
        "": {"bytes_per_trigger": 20_000.0},
        "sleep": {"bytes_per_trigger": 2_000.0},
        "idle": {"bytes_per_trigger": 14_000.0},
        "limit": {"bytes_per_trigger": 2_300.0},
        "ours": {"bytes_per_trigger": 15_900.0},
    },
    "lag": {
        "": {"lag_worst": 400.0, "lag_p99": 100.0, "interval": 30.0, "utilisation": 0.6, "bytes_per_trigger": 40_000.0},
        "idle": {"lag_worst": 10.0, "utilisation": 0.01},
        "ours": {"lag_worst": 15.0, "utilisation": 0.2},
    },
    "imports": {
        "": {"milliseconds": 60.0, "modules": 50.0, "foreign_modules": 40.0},
        "floor": {"milliseconds": 4.0, "foreign_modules": 0.0},
        "ours": {"milliseconds": 7.0, "foreign_modules": 0.0},
    },
    "deployed": {
        "": {"cpu_per_1000": 5.0, "cpu_per_task": 0.2, "polls": 480.0, "seconds": 40.0, "idle_cpu": 0.5},
        "ours": {"cpu_per_1000": 0.8},
    },
}
"""The numbers of every subject, and of some subjects instead."""


def rows(plan: Plan) -> list[dict[str, Any]]:
    """Return the rows of a plan's measurements."""
    rows = []
    for repetition, step in plan.shuffled():
        scheme, number = ("http", step.arguments[0])
        if step.kind in ("poll", "restart"):
            scheme, number = step.arguments[:2]
        rows.append(row(step.kind, step.subject, scheme, number) | {"repetition": repetition})
    for repetition in range(plan.imports):
        rows += [row("imports", subject, "", 1) | {"repetition": repetition} for subject in DAG_FILES]
    if plan.deployed:
        rows += [
            row("deployed", subject, "https", plan.deployed[0]) | {"repetition": 0} for subject in ("ours", "http")
        ]
    return rows


def row(benchmark: str, subject: str, scheme: object, number: object) -> dict[str, Any]:
    """Return the row of one measurement."""
    numbers = NUMBERS[benchmark][""] | NUMBERS[benchmark].get(subject, {})
    return {"benchmark": benchmark, "subject": subject, "scheme": scheme, "number": number, **numbers}


def results(plan: Plan) -> dict[str, Any]:
    """Return the stored results of a run."""
    from benchmarks.goals import goals

    summaries = summarize(rows(plan))
    made = {"command": "make bench", "form": "full", "at": "2026-11-03T09:00:00+00:00", "commit": "abc", "seconds": 900}
    machine = {"processor": "one", "cores": "2", "system": "Linux", "python": "3.11"}
    return {
        "made": made | {"machine": machine, "packages": {"aiohttp": "3.14"}},
        "goals": [goal.to_json() for goal in goals(summaries, SIMULATED)],
        "summaries": summaries,
        "simulated": SIMULATED,
        "rows": rows(plan),
    }
