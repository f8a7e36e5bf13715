# SPDX-License-Identifier: Apache-2.0
"""What a wait's own pace is for: few looks, and the short steps told soon. On made-up publications, by the real flows."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks import simulation
from benchmarks.publications import FAILS_AT, HOUR, as_documented, of_days
from benchmarks.waiting import EVERY_300, PACED, RESTARTED, Course, follow

MINUTE, DAY = 60.0, 24 * HOUR


def delays_of_short_steps(courses: list[Course]) -> list[float]:
    return [
        seconds
        for course in courses
        for step, seconds in course.delays.items()
        if course.publication.seconds[step] < HOUR
    ]


@pytest.fixture(scope="module")
def paced() -> list[Course]:
    """Return what came of publications of five days that were waited for at the wait's own pace."""
    return [follow(publication, PACED) for publication in of_days(5, 30, seed=5)]


def assert_few(courses: list[Course]) -> None:
    looks = sorted(len(course.looks) for course in courses)
    assert 115 <= statistics.median(looks) <= 140
    assert looks[-1] <= 150


def test_five_days_cost_few_looks(paced: list[Course]) -> None:
    """A publication of five days is looked at some 130 times, and none of them more than 150 times."""
    assert_few(paced)


def test_a_look_is_a_request(paced: list[Course]) -> None:
    """A look asks for one thing, but at the ends and where going live is found to be an operation of its own."""
    assert {course.publication.one_operation for course in paced} == {True, False}
    assert all(course.requests <= len(course.looks) + 12 for course in paced)


def test_restarts_cost_no_more(paced: list[Course]) -> None:
    """It is no more where the triggerer restarts each day and begins its waits again."""
    assert_few([follow(course.publication, RESTARTED) for course in paced[:15]])


def test_short_steps_are_told_as_soon_as_by_a_fixed_interval(paced: list[Course]) -> None:
    """The ends of steps of less than an hour are told no later than by looks every 300 seconds, which are ten times as many."""
    fixed = [follow(course.publication, EVERY_300) for course in paced[:2]]
    assert statistics.median(delays_of_short_steps(paced)) <= min(
        statistics.median(delays_of_short_steps(fixed)), EVERY_300.poll_interval / 2
    )
    assert sum(len(course.looks) for course in fixed) >= 10 * sum(len(course.looks) for course in paced[:2])


def test_every_step_is_told_once_it_has_ended_and_no_sooner(paced: list[Course]) -> None:
    """What the flows tell is what happened: each step of each publication, after its end and within its longest pause."""
    for course in paced:
        assert sorted(course.delays) == list(range(6))
        assert all(0 <= seconds <= 2.5 * HOUR for seconds in course.delays.values())
        assert 0 <= course.delays[3] <= 50 * MINUTE
        assert course.failed is None


def test_a_failure_is_told_as_one() -> None:
    """A publication that is made up to fail ends as one that failed, at its step, and is not said to be live."""
    failing = [one for one in as_documented(60, seed=3) if one.scenario in FAILS_AT]
    assert {one.scenario for one in failing} == set(FAILS_AT)
    for publication in failing:
        course = follow(publication, PACED)
        assert course.failed is not None
        assert 0 <= course.failed <= 2.5 * HOUR
        assert FAILS_AT[publication.scenario] not in course.delays


def test_the_same_seed_makes_up_the_same_publications() -> None:
    """Publications and waits come from their seed alone, and stay within what the portal's documents estimate."""
    assert as_documented(50, seed=4) == as_documented(50, seed=4) != as_documented(50, seed=5)
    assert follow(as_documented(1, seed=4)[0], PACED) == follow(as_documented(1, seed=4)[0], PACED)
    for publication in [*as_documented(50, seed=4), *of_days(5, 20, seed=4)]:
        validation, certification, provisioning, packaging, _, live = publication.seconds
        assert validation <= 15 * MINUTE
        assert provisioning <= DAY
        assert packaging <= HOUR
        assert (certification <= 5 * DAY, live <= 5 * DAY) == (True, True)


def test_the_tables_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a table of looks, of delays and of busy seconds, and writes the same rows as JSON."""
    file = tmp_path / "rows.json"
    simulation.main(["--smaller", "50", "--paced-only", "--json", str(file)])
    rows: dict[str, Any] = json.loads(file.read_text())
    printed = capsys.readouterr().out
    assert {row["way"] for row in rows["polls"]} == {"paced", "paced, restarted each 23 h"}
    assert [row["publications"] for row in rows["polls"][:2]] == ["of five days", "as documented"]
    assert all(f"| {row['step']} |" in printed for row in rows["delays"])
    together, restarted = rows["together"]
    assert (together["every 300 s"], restarted["every 300 s"]) == (20, 100)
    assert (together["paced"] < 12, restarted["paced"] < 12) == (True, True)
