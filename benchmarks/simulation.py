# SPDX-License-Identifier: Apache-2.0
"""How often a wait polls, and how late it reports what happened: the default intervals compared with fixed ones.

``python -m benchmarks.simulation`` waits for some hundreds of simulated publications, from a seed and the documented
durations, and prints the tables; ``--json FILE`` writes their rows too. The same seed gives the same rows on any machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.publications import DAY, HOUR, MINUTE, NAMES, Publication, as_documented, of_days
from benchmarks.waiting import (
    DEFAULT,
    EVERY_300,
    SCHEDULES,
    Driver,
    PollSchedule,
    Restart,
    WaitRecord,
    poll_as_sensor,
    simulate_wait,
    wait_as_trigger,
)

Row = dict[str, Any]
UNDER_AN_HOUR, FAILURE = "all steps that took less than an hour", "a failure at any step"
PUBLICATIONS, OF_FIVE_DAYS, TOGETHER, IN_ONE_TRIGGERER = 200, 100, 1000, 5000


def simulate(seed: int = 1, smaller: int = 1, schedules: Sequence[PollSchedule] = SCHEDULES) -> dict[str, Any]:
    """Simulate all waits.

    :param seed: the seed of the publications.
    :param smaller: how many times fewer publications than usual.
    :param schedules: when the waits poll.
    :returns: the rows of each table, and the parameters.
    """
    sets = {
        "of five days": of_days(5, OF_FIVE_DAYS // smaller, seed),
        "as documented": as_documented(PUBLICATIONS // smaller, seed),
    }
    records = {
        (schedule.name, name): [simulate_wait(one, schedule) for one in publications[:: schedule.one_in]]
        for schedule in schedules
        for name, publications in sets.items()
    }
    return {
        "seed": seed,
        "schedules": [schedule.name for schedule in schedules],
        "publications": {name: len(publications) for name, publications in sets.items()},
        "polls": [polls(schedule, name, waits) for (schedule, name), waits in records.items()],
        "delays": [
            row
            for schedule in schedules
            for row in delays(schedule.name, [record for name in sets for record in records[schedule.name, name]])
        ],
        "bursts": [
            burst(
                f"{TOGETHER // smaller} offers published in the same second, for three hours",
                as_documented(TOGETHER // smaller, seed),
                skipped_polls=2,
                starts_after=None,
                runs_for=3 * HOUR,
            ),
            burst(
                f"{IN_ONE_TRIGGERER // smaller} waits of a triggerer that restarts, a day after",
                as_documented(IN_ONE_TRIGGERER // smaller, seed),
                skipped_polls=1,
                starts_after=DAY,
                runs_for=2 * MINUTE,
            ),
        ],
    }


def polls(schedule: str, name: str, records: Sequence[WaitRecord]) -> Row:
    """Return how often each publication of a set was polled, and with how many requests.

    A poll is one request, except at an end, where it reads the list and the offer too.
    """
    counts = figures(len(record.polls) for record in records)
    requests = {f"{figure}, in requests": value for figure, value in figures(r.requests for r in records).items()}
    return {"schedule": schedule, "publications": name, "simulated": len(records), **counts, **requests}


def delays(schedule: str, records: Sequence[WaitRecord]) -> list[Row]:
    """Return after how many seconds each step's end was reported; then the same for short steps and for failures."""
    by_step = {
        name: [record.delays[step] for record in records if step in record.delays] for step, name in enumerate(NAMES)
    }
    by_step[UNDER_AN_HOUR] = [
        seconds
        for record in records
        for step, seconds in record.delays.items()
        if record.publication.seconds[step] < HOUR
    ]
    by_step[FAILURE] = [record.failure_delay for record in records if record.failure_delay is not None]
    return [
        {"schedule": schedule, "step": name, "reported": len(values), **figures(values)}
        for name, values in by_step.items()
    ]


def burst(
    title: str, publications: Sequence[Publication], skipped_polls: int, starts_after: float | None, runs_for: float
) -> Row:
    """Count the polls of many waits in the busiest second.

    :param skipped_polls: how many first polls of each wait do not count.
    :param starts_after: seconds after its publish at which each wait's trigger starts; None for at once.
    :param runs_for: for how many seconds it runs.
    """
    row: Row = {"waits": title}
    for schedule in (DEFAULT, EVERY_300):
        seconds: Counter[int] = Counter()
        for publication in publications:
            driver = Driver(publication)
            arguments = poll_as_sensor(driver, schedule, "preview")
            driver.jump(driver.since if starts_after is None else starts_after, runs_for)
            if isinstance(arguments, str):
                with contextlib.suppress(Restart):
                    wait_as_trigger(driver, arguments)
            seconds.update(int(poll) for poll in driver.record.polls[skipped_polls:])
        row[schedule.name] = max(seconds.values())
    return row


def figures(values: Iterable[float]) -> Row:
    """Return median, 95th percentile and maximum; None without values."""
    ordered = sorted(values)
    if not ordered:
        return {"median": None, "p95": None, "max": None}
    return {"median": statistics.median(ordered), "p95": ordered[-(-95 * len(ordered) // 100) - 1], "max": ordered[-1]}


def span(seconds: float | None) -> str:
    """Format a duration for people."""
    if seconds is None:
        return ""
    unit, name = next((one for one in ((HOUR, "h"), (MINUTE, "min")) if seconds >= 2 * one[0]), (1.0, "s"))
    return f"{seconds / unit:.{0 if unit == 1 else 1}f} {name}"


def tables(rows: Row) -> str:
    """Format the rows as Markdown, with a column for each schedule."""
    names = rows["schedules"]
    lines = []
    for name, count in rows["publications"].items():
        by_schedule = {row["schedule"]: row for row in rows["polls"] if row["publications"] == name}
        lines += [f"| polls per publication, {count} {name} | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
        lines += [
            f"| {figure} | {' | '.join(f'{by_schedule[schedule][figure]:.0f}' for schedule in names)} |"
            for figure in ("median", "p95", "max", "median, in requests", "max, in requests", "simulated")
        ]
        lines.append("")
    lines += [f"| reported after its end: median, p95, max | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for step in dict.fromkeys(row["step"] for row in rows["delays"]):
        by_schedule = {row["schedule"]: row for row in rows["delays"] if row["step"] == step}
        cells = (
            ", ".join(span(by_schedule[name][one]) for one in ("median", "p95", "max")).strip(", ") for name in names
        )
        lines.append(f"| {step} | {' | '.join(cells)} |")
    lines += ["", f"| most polls in one second | {DEFAULT.name} | {EVERY_300.name} |", "| --- | --- | --- |"]
    lines += [f"| {row['waits']} | {row[DEFAULT.name]} | {row[EVERY_300.name]} |" for row in rows["bursts"]]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate the waits and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="seed of the publications")
    parser.add_argument("--smaller", type=int, default=1, metavar="N", help="simulate N times fewer publications")
    parser.add_argument(
        "--default-only", action="store_true", help="leave out the fixed intervals, which take most of the time"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    options = parser.parse_args(arguments)
    schedules = [one for one in SCHEDULES if one.poll_interval is None] if options.default_only else SCHEDULES
    rows = simulate(options.seed, options.smaller, schedules)
    print(tables(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
