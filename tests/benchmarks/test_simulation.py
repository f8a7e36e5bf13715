# SPDX-License-Identifier: Apache-2.0
"""The default polling intervals, on simulated publications with the real flows: few polls, and short steps reported soon."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from benchmarks import simulation
from benchmarks.publications import FAILS_AT, HOUR, as_documented, of_days
from benchmarks.waiting import DEFAULT, EVERY_300, RESTARTED, WaitRecord, simulate_wait

MINUTE, DAY = 60.0, 24 * HOUR


def delays_of_short_steps(records: list[WaitRecord]) -> list[float]:
    return [
        seconds
        for record in records
        for step, seconds in record.delays.items()
        if record.publication.seconds[step] < HOUR
    ]


@pytest.fixture(scope="module")
def waits() -> list[WaitRecord]:
    """Return waits for publications of five days with the default polling intervals."""
    return [simulate_wait(publication, DEFAULT) for publication in of_days(5, 30, seed=5)]


def assert_few_polls(records: list[WaitRecord]) -> None:
    polls = sorted(len(record.polls) for record in records)
    assert 750 <= statistics.median(polls) <= 850
    assert polls[-1] <= 900


def test_five_days_take_few_polls(waits: list[WaitRecord]) -> None:
    """A publication of five days is polled about 800 times, and at most 900 times."""
    assert_few_polls(waits)


def test_a_poll_is_one_request(waits: list[WaitRecord]) -> None:
    """A poll is one request, except at the ends and where going live is an operation of its own."""
    assert {record.publication.one_operation for record in waits} == {True, False}
    assert all(record.requests <= len(record.polls) + 12 for record in waits)


def test_restarts_take_no_more_polls(waits: list[WaitRecord]) -> None:
    """The number of polls is no higher if the triggerer restarts each day and starts its waits again."""
    assert_few_polls([simulate_wait(record.publication, RESTARTED) for record in waits[:15]])


def test_short_steps_are_reported_as_soon_as_with_a_fixed_interval(waits: list[WaitRecord]) -> None:
    """Ends of steps under an hour are reported no later than with polls every 300 seconds, with fewer polls."""
    fixed = [simulate_wait(record.publication, EVERY_300) for record in waits[:2]]
    assert statistics.median(delays_of_short_steps(waits)) <= min(
        statistics.median(delays_of_short_steps(fixed)), EVERY_300.poll_interval / 2
    )
    assert sum(len(record.polls) for record in fixed) > sum(len(record.polls) for record in waits[:2])


def test_every_step_is_reported_after_its_end(waits: list[WaitRecord]) -> None:
    """The flows report each step of each publication after its end, and within the longest interval."""
    for record in waits:
        assert sorted(record.delays) == list(range(6))
        assert all(0 <= seconds <= 11 * MINUTE for seconds in record.delays.values())
        assert record.failure_delay is None


def test_a_failure_is_reported() -> None:
    """A publication that fails is reported as failed at its step, and not as live."""
    failing = [one for one in as_documented(60, seed=3) if one.scenario in FAILS_AT]
    assert {one.scenario for one in failing} == set(FAILS_AT)
    for publication in failing:
        record = simulate_wait(publication, DEFAULT)
        assert record.failure_delay is not None
        assert 0 <= record.failure_delay <= 11 * MINUTE
        assert FAILS_AT[publication.scenario] not in record.delays


def test_the_same_seed_gives_the_same_publications() -> None:
    """Publications and waits depend on their seed alone, and stay within the documented durations."""
    assert as_documented(50, seed=4) == as_documented(50, seed=4) != as_documented(50, seed=5)
    assert simulate_wait(as_documented(1, seed=4)[0], DEFAULT) == simulate_wait(as_documented(1, seed=4)[0], DEFAULT)
    for publication in [*as_documented(50, seed=4), *of_days(5, 20, seed=4)]:
        validation, certification, provisioning, packaging, _, live = publication.seconds
        assert validation <= 15 * MINUTE
        assert provisioning <= DAY
        assert packaging <= HOUR
        assert certification <= 5 * DAY
        assert live <= 5 * DAY


def test_the_tables_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints a table of polls, of delays and of busy seconds, and writes the same rows as JSON."""
    file = tmp_path / "rows.json"
    simulation.main(["--smaller", "50", "--default-only", "--json", str(file)])
    rows: dict[str, Any] = json.loads(file.read_text())
    printed = capsys.readouterr().out
    assert {row["schedule"] for row in rows["polls"]} == {"default", "default, restarted every 23 h"}
    assert [row["publications"] for row in rows["polls"][:2]] == ["of five days", "as documented"]
    assert all(f"| {row['step']} |" in printed for row in rows["delays"])
    together, restarted = rows["bursts"]
    assert (together["every 300 s"], restarted["every 300 s"]) == (20, 100)
    assert together["default"] < 12
    assert restarted["default"] < 12
