# SPDX-License-Identifier: Apache-2.0
"""What is made from measurements: medians, the table of goals, the pages and charts. A row that is missing is an error."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support import measurements as made_up

from benchmarks import charts, plan, report, store
from benchmarks.goals import Goal, goals
from benchmarks.summary import MissingRow, summarize

pytestmark = pytest.mark.tree
FORMS = {"full": plan.full, "short": plan.short}


def table(*changes: dict[str, Any], simulated: dict[str, Any] = made_up.SIMULATED) -> dict[str, Goal]:
    """Make the table of goals from made-up rows, some of them changed."""
    found = made_up.rows(plan.short())
    for change in changes:
        names = ("benchmark", "subject", "scheme")
        where = {name: change[name] for name in names if name in change}
        matching = [row for row in found if all(row[name] == value for name, value in where.items())]
        assert matching
        for row in matching:
            row.update(change)
    return {goal.measure: goal for goal in goals(summarize(found), simulated)}


@pytest.mark.parametrize("form", FORMS)
def test_every_goal_has_its_row(form: str) -> None:
    """Both the full and the short form measure all that the table needs, with a peer in each row but the limit's own."""
    found = made_up.results(FORMS[form]())["goals"]
    assert len(found) == 10
    assert all(row["reached"] for row in found), found
    assert all("(" in row["peer"] for row in found)


@pytest.mark.parametrize(
    "missing",
    [
        ("poll", "ours", "http"),
        ("poll", "ours", "https"),
        ("poll", "limit", "http"),
        ("poll", "limit", "https"),
        ("memory", "ours", "http"),
        ("memory", "limit", "http"),
        ("memory", "idle", "http"),
        ("memory", "sleep", "http"),
        ("paced", "ours", "http"),
        ("paced", "idle", "http"),
        ("imports", "ours", ""),
        ("imports", "floor", ""),
    ],
)
def test_a_missing_row_is_an_error(missing: tuple[str, str, str]) -> None:
    """Without a row that it needs there is no table, rather than one with a hole."""
    found = [
        row
        for row in made_up.rows(plan.full())
        if (row["benchmark"], row["subject"], row["scheme"]) != missing or row["number"] not in (1000, 10_000, 0, 1)
    ]
    with pytest.raises((MissingRow, KeyError)):
        goals(summarize(found), made_up.SIMULATED)


@pytest.mark.parametrize("benchmark", ["poll", "memory", "paced", "imports"])
def test_a_table_without_peers_is_an_error(benchmark: str) -> None:
    """What is compared with nobody is not shown as if it were."""
    own = ("ours", "limit", "idle", "sleep", "floor")
    found = [row for row in made_up.rows(plan.full()) if row["benchmark"] != benchmark or row["subject"] in own]
    with pytest.raises(MissingRow, match="no peer"):
        goals(summarize(found), made_up.SIMULATED)


@pytest.mark.parametrize(
    ("start", "change"),
    [
        ("CPU of a poll over the limit's, N = 1,000, plain", {"scheme": "http", "cpu_per_1000_normalised": 0.53}),
        ("CPU of a poll over the limit's, N = 1,000, TLS", {"scheme": "https", "cpu_per_1000_normalised": 0.53}),
        ("connections per poll", {"connections_per_poll": 0.01}),
        ("tokens asked for", {"tokens": 2.0}),
        ("connection lookups", {"lookups": 2.0}),
        ("log lines per unchanged poll", {"lines_per_poll": 0.001}),
        ("memory per waiting trigger", {"benchmark": "memory", "bytes_per_trigger": 16_200.0}),
        ("worst loop lag", {"benchmark": "paced", "lag_worst": 20.1}),
        ("parsing a DAG file", {"benchmark": "imports", "milliseconds": 8.1}),
        ("parsing a DAG file", {"benchmark": "imports", "foreign_modules": 1.0}),
    ],
)
def test_a_goal_that_is_missed_is_said(start: str, change: dict[str, Any]) -> None:
    """Each goal, and no other, is not reached as soon as ours is a little worse than it."""
    found = table({"benchmark": "poll", "subject": "ours"} | change)
    missed = [measure for measure, goal in found.items() if not goal.reached]
    assert [measure.startswith(start) for measure in missed] == [True]


@pytest.mark.parametrize(("which", "name", "value"), [("polls", "median", 151), ("delays", "median", 151.0)])
def test_the_pace_is_judged_by_both_of_its_numbers(which: str, name: str, value: float) -> None:
    """Few polls that tell late miss the goal, and so do prompt ones that are many."""
    changed = copy.deepcopy(made_up.SIMULATED)
    changed[which][0][name] = value
    missed = [measure for measure, goal in table(simulated=changed).items() if not goal.reached]
    assert [measure.startswith("polls for a publication") for measure in missed] == [True]


def test_ratios_are_formed_within_a_repetition() -> None:
    """A machine that was slow in one repetition slowed down both sides of that ratio, and counts for none."""
    limit, ours = (made_up.row("poll", subject, "https", 1000) for subject in ("limit", "ours"))
    found = []
    for repetition, slowness in enumerate((1.0, 5.0, 2.0)):
        for row, seconds in ((limit, 0.4), (ours, 0.6)):
            found.append(row | {"repetition": repetition, "cpu_per_1000_normalised": seconds * slowness})
    summaries = {row["subject"]: row for row in summarize(found)}
    assert summaries["ours"]["ratio"] == {name: pytest.approx(1.5) for name in ("median", "least", "most")}
    assert (summaries["ours"]["cpu_per_1000_normalised"], summaries["ours"]["repetitions"]) == (pytest.approx(1.2), 3)


@pytest.mark.parametrize("form", FORMS)
def test_the_tables_have_every_subject(form: str) -> None:
    """Each measurement's table has a row for whoever was measured, and each column a cell in every row."""
    results = made_up.results(FORMS[form]())
    found = report.tables(results)
    for text in found.values():
        lines = text.splitlines()
        assert len(lines) > 2
        assert {line.count(" | ") for line in lines[2:]} == {lines[0].count(" | ")}
    assert ("The whole wait in real Airflow" in found, "A restart" in found) == (form == "full", form == "full")
    measured = {(row["benchmark"], row["subject"]) for row in results["rows"]}
    assert found["Parsing a DAG file"].count("\n") == 2 + sum(name == "imports" for name, _ in measured)
    assert found["Memory"].count("\n") == 2 + sum(name == "memory" for name, _ in measured)


def test_the_charts_are_pictures_of_the_numbers() -> None:
    """Each chart is SVG with a bar for each row, as long as its number is large, and says its numbers in words."""
    results = made_up.results(plan.full())
    drawn = charts.charts(results)
    name = "{http://www.w3.org/2000/svg}"
    for text in drawn.values():
        root = ET.fromstring(text)  # noqa: S314 - written just now
        bars = root.findall(f"{name}rect")
        lengths = [float(bar.get("width", "0")) for bar in bars]
        assert lengths == sorted(lengths)
        assert [bar.get("class") for bar in bars].count("ours") >= 1
        assert root.findtext(f"{name}desc", "").count(";") == len(bars) - 1
    root = ET.fromstring(drawn["pace.svg"])  # noqa: S314 - written just now
    short, long = (float(bar.get("width", "0")) for bar in root.findall(f"{name}rect"))
    assert long / short == pytest.approx(1440 / 130, rel=0.01)


def test_what_is_stored_is_made_from_the_results(tmp_path: Path) -> None:
    """The page and charts are written beside the results, which can be made into the same ones again."""
    results = made_up.results(plan.full())
    store.store(results, tmp_path)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert "rows" not in kept
    made = store.pages(kept)
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", *made}
    assert all((tmp_path / name).read_text() == text for name, text in made.items())


def test_the_page_has_each_table_and_each_chart_once() -> None:
    """Nothing that was measured is left out of the page, and the machine stands above it."""
    results = made_up.results(plan.full())
    made = store.pages(results)
    page = made.pop("results.md")
    assert page.startswith("`make bench` on 2026-11-03, at abc, in 15 minutes: 2 cores of one")
    assert [page.count(f"### {heading}\n") for heading in report.tables(results)] == [1] * len(report.tables(results))
    assert all(text in page for text in report.tables(results).values())
    assert [page.count(f":file: {name}\n") for name in made] == [1] * len(made)


def test_results_of_less_than_a_full_run_are_not_stored(tmp_path: Path) -> None:
    """A short run, one that lacks a measurement, and one of uncommitted code leave the documentation as it is."""
    short = made_up.results(plan.full())
    short["made"]["form"] = "short"
    changed = made_up.results(plan.full())
    changed["made"]["commit"] = "abc-dirty"
    partial = made_up.results(plan.full())
    partial["summaries"] = [row for row in partial["summaries"] if row["benchmark"] != "deployed"]
    few = made_up.results(plan.short())
    cases = ((short, "short run"), (changed, "not committed"), (partial, "'deployed'"), (few, "lack"))
    for results, what in cases:
        with pytest.raises(store.NotFullError, match=what):
            store.store(results, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_results_no_number_is_shown() -> None:
    """Where nothing was measured, the page says so and how to measure, and there is no chart."""
    made = store.pages(None)
    assert list(made) == ["results.md"]
    assert "`make bench`" in made["results.md"]
    assert not any(letter.isdigit() for letter in made["results.md"])
