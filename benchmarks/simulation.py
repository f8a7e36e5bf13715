# SPDX-License-Identifier: Apache-2.0
"""How often a wait asks, and how late it tells what happened: its own pace beside fixed intervals.

``python -m benchmarks.simulation`` follows some hundreds of publications, made up from a seed on the portal's documented
timings, and prints the tables; ``--json FILE`` writes their rows too. The same seed gives the same rows, on any machine.
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

from airflow_provider_cpp.core.outcome import WaitOutcome
from benchmarks.publications import DAY, HOUR, MINUTE, NAMES, as_documented, of_days
from benchmarks.waiting import (
    EVERY_300,
    PACED,
    WAYS,
    Course,
    Player,
    Restart,
    Way,
    follow,
    look_as_sensor,
    wait_as_trigger,
)

Row = dict[str, Any]
UNDER_AN_HOUR, FAILURE = "all steps that took less than an hour", "a failure, in whichever step"
PUBLICATIONS, OF_FIVE_DAYS, TOGETHER, IN_ONE_TRIGGERER = 200, 100, 1000, 5000


def simulate(seed: int = 1, smaller: int = 1, ways: Sequence[Way] = WAYS) -> dict[str, Any]:
    """Follow them all.

    :param seed: which publications are made up.
    :param smaller: how many times fewer than usual.
    :param ways: how they are waited for.
    :returns: the rows of each table, and what they were made from.
    """
    sets = {
        "of five days": of_days(5, OF_FIVE_DAYS // smaller, seed),
        "as documented": as_documented(PUBLICATIONS // smaller, seed),
    }
    courses = {
        (way.name, name): [follow(one, way) for one in publications[:: way.one_in]]
        for way in ways
        for name, publications in sets.items()
    }
    return {
        "seed": seed,
        "ways": [way.name for way in ways],
        "publications": {name: len(publications) for name, publications in sets.items()},
        "polls": [polls(way, name, found) for (way, name), found in courses.items()],
        "delays": [
            row
            for way in ways
            for row in delays(way.name, [course for name in sets for course in courses[way.name, name]])
        ],
        "together": [together(TOGETHER // smaller, seed), restarted(IN_ONE_TRIGGERER // smaller, seed)],
    }


def polls(way: str, name: str, courses: Sequence[Course]) -> Row:
    """Say how often each publication of a set was looked at, and with how many requests.

    A look is one request, but for those at an end, which ask the list and the offer too.
    """
    looks = figures(len(course.looks) for course in courses)
    requests = {f"{figure}, in requests": value for figure, value in figures(c.requests for c in courses).items()}
    return {"way": way, "publications": name, "followed": len(courses), **looks, **requests}


def delays(way: str, courses: Sequence[Course]) -> list[Row]:
    """Say how many seconds after its end each step's end was told; then the same for what a task waits for."""
    found = {
        name: [course.delays[step] for course in courses if step in course.delays] for step, name in enumerate(NAMES)
    }
    found[UNDER_AN_HOUR] = [
        seconds
        for course in courses
        for step, seconds in course.delays.items()
        if course.publication.seconds[step] < HOUR
    ]
    found[FAILURE] = [course.failed for course in courses if course.failed is not None]
    return [{"way": way, "step": name, "told": len(values), **figures(values)} for name, values in found.items()]


def together(count: int, seed: int) -> Row:
    """Publish so many offers in the same second, and count their looks by the second, but for the first ones."""
    found = {}
    for way in (PACED, EVERY_300):
        courses = []
        for publication in as_documented(count, seed):
            player = Player(publication)
            arguments = look_as_sensor(player, way, "preview")
            player.jump(player.since, runs_for=3 * HOUR)
            courses.append(run_for_a_while(player, arguments)[2:])
        found[way.name] = busiest(courses)
    return {"what": f"{count} offers published in the same second, for three hours", **found}


def restarted(count: int, seed: int) -> Row:
    """Restart a triggerer with so many waits, a day after they began, and count their first looks by the second."""
    found = {}
    for way in (PACED, EVERY_300):
        courses = []
        for publication in as_documented(count, seed):
            player = Player(publication)
            arguments = look_as_sensor(player, way, "preview")
            player.jump(DAY, runs_for=2 * MINUTE)
            courses.append(run_for_a_while(player, arguments)[1:])
        found[way.name] = busiest(courses)
    return {"what": f"{count} waits of a triggerer that restarts, a day after", **found}


def run_for_a_while(player: Player, arguments: WaitOutcome | str) -> list[float]:
    """Run a trigger until the time that was set for it, and return all looks."""
    if isinstance(arguments, str):
        with contextlib.suppress(Restart):
            wait_as_trigger(player, arguments)
    return player.course.looks


def busiest(courses: Iterable[Iterable[float]]) -> int:
    """Return the looks in the second that has the most."""
    return max(Counter(int(look) for looks in courses for look in looks).values())


def figures(values: Iterable[float]) -> Row:
    """Return median, 95th percentile and maximum; nothing of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {"median": None, "p95": None, "max": None}
    return {"median": statistics.median(ordered), "p95": ordered[-(-95 * len(ordered) // 100) - 1], "max": ordered[-1]}


def span(seconds: float | None) -> str:
    """Write a span of time as people say it."""
    if seconds is None:
        return ""
    unit, name = next((one for one in ((HOUR, "h"), (MINUTE, "min")) if seconds >= 2 * one[0]), (1.0, "s"))
    return f"{seconds / unit:.{0 if unit == 1 else 1}f} {name}"


def tables(rows: Row) -> str:
    """Write the rows as Markdown: the ways beside each other."""
    names = rows["ways"]
    text = []
    for name, count in rows["publications"].items():
        found = {row["way"]: row for row in rows["polls"] if row["publications"] == name}
        text += [f"| polls per publication, {count} {name} | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
        text += [
            f"| {figure} | {' | '.join(f'{found[way][figure]:.0f}' for way in names)} |"
            for figure in ("median", "p95", "max", "median, in requests", "max, in requests", "followed")
        ]
        text.append("")
    text += [f"| told after its end: median, p95, max | {' | '.join(names)} |", "| --- " * (len(names) + 1) + "|"]
    for step in dict.fromkeys(row["step"] for row in rows["delays"]):
        found = {row["way"]: row for row in rows["delays"] if row["step"] == step}
        cells = (", ".join(span(found[way][one]) for one in ("median", "p95", "max")).strip(", ") for way in names)
        text.append(f"| {step} | {' | '.join(cells)} |")
    text += ["", f"| most looks in one second | {PACED.name} | {EVERY_300.name} |", "| --- | --- | --- |"]
    text += [f"| {row['what']} | {row[PACED.name]} | {row[EVERY_300.name]} |" for row in rows["together"]]
    return "\n".join(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="which publications are made up")
    parser.add_argument("--smaller", type=int, default=1, metavar="N", help="make up N times fewer, for a first look")
    parser.add_argument("--paced-only", action="store_true", help="leave out the fixed intervals, which take the time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    options = parser.parse_args(arguments)
    ways = [way for way in WAYS if way.poll_interval is None] if options.paced_only else WAYS
    rows = simulate(options.seed, options.smaller, ways)
    print(tables(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
