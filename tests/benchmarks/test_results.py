# SPDX-License-Identifier: Apache-2.0
"""Medians, the table of goals, pages and charts are made from the measurements; a missing row is an error."""

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
    """Return the table of goals for made-up rows, some of them changed."""
    rows = made_up.rows(plan.short())
    for change in changes:
        names = ("benchmark", "subject", "scheme")
        where = {name: change[name] for name in names if name in change}
        matching = [row for row in rows if all(row[name] == value for name, value in where.items())]
        assert matching
        for row in matching:
            row.update(change)
    return {goal.measure: goal for goal in goals(summarize(rows), simulated)}


@pytest.mark.parametrize("form", FORMS)
def test_every_goal_has_its_row(form: str) -> None:
    """Both the full and the short run measure all rows of the table, each with a peer."""
    rows = made_up.results(FORMS[form]())["goals"]
    assert len(rows) == 10
    assert all(row["reached"] for row in rows), rows
    assert all("(" in row["peer"] for row in rows)


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
        ("lag", "ours", "http"),
        ("lag", "idle", "http"),
        ("imports", "ours", ""),
        ("imports", "floor", ""),
    ],
)
def test_a_missing_row_is_an_error(missing: tuple[str, str, str]) -> None:
    """If a row is missing, there is an error instead of an incomplete table."""
    rows = [
        row
        for row in made_up.rows(plan.full())
        if (row["benchmark"], row["subject"], row["scheme"]) != missing or row["number"] not in (1000, 10_000, 0, 1)
    ]
    with pytest.raises((MissingRow, KeyError)):
        goals(summarize(rows), made_up.SIMULATED)


@pytest.mark.parametrize("benchmark", ["poll", "memory", "lag", "imports"])
def test_a_table_without_peers_is_an_error(benchmark: str) -> None:
    """A measurement without any peer is an error."""
    own = ("ours", "limit", "idle", "sleep", "floor")
    rows = [row for row in made_up.rows(plan.full()) if row["benchmark"] != benchmark or row["subject"] in own]
    with pytest.raises(MissingRow, match="no peer"):
        goals(summarize(rows), made_up.SIMULATED)


@pytest.mark.parametrize(
    ("start", "change"),
    [
        ("CPU of a poll relative to the limit, N = 1,000, plain", {"scheme": "http", "cpu_per_1000_normalised": 0.53}),
        ("CPU of a poll relative to the limit, N = 1,000, TLS", {"scheme": "https", "cpu_per_1000_normalised": 0.53}),
        ("connections per poll", {"connections_per_poll": 0.01}),
        ("tokens requested", {"tokens": 2.0}),
        ("connection lookups", {"lookups": 2.0}),
        ("log lines per unchanged poll", {"lines_per_poll": 0.001}),
        ("memory per waiting trigger", {"benchmark": "memory", "bytes_per_trigger": 16_200.0}),
        ("worst loop lag", {"benchmark": "lag", "lag_worst": 20.1}),
        ("parsing a DAG file", {"benchmark": "imports", "milliseconds": 8.1}),
        ("parsing a DAG file", {"benchmark": "imports", "foreign_modules": 1.0}),
    ],
)
def test_a_missed_goal_is_reported(start: str, change: dict[str, Any]) -> None:
    """A result that is a little worse than its goal misses that goal, and no other."""
    by_measure = table({"benchmark": "poll", "subject": "ours"} | change)
    missed = [measure for measure, goal in by_measure.items() if not goal.reached]
    assert [measure.startswith(start) for measure in missed] == [True]


@pytest.mark.parametrize(("which", "name", "value"), [("polls", "median", 901), ("delays", "median", 151.0)])
def test_polling_intervals_are_judged_by_polls_and_delay(which: str, name: str, value: float) -> None:
    """The goal is missed both by late reports and by too many polls."""
    changed = copy.deepcopy(made_up.SIMULATED)
    changed[which][0][name] = value
    missed = [measure for measure, goal in table(simulated=changed).items() if not goal.reached]
    assert [measure.startswith("polls for a publication") for measure in missed] == [True]


def test_ratios_are_formed_within_a_repetition() -> None:
    """A slow repetition changes neither its ratio nor the others."""
    limit, ours = (made_up.row("poll", subject, "https", 1000) for subject in ("limit", "ours"))
    rows = []
    for repetition, slowness in enumerate((1.0, 5.0, 2.0)):
        for row, seconds in ((limit, 0.4), (ours, 0.6)):
            rows.append(row | {"repetition": repetition, "cpu_per_1000_normalised": seconds * slowness})
    summaries = {row["subject"]: row for row in summarize(rows)}
    assert summaries["ours"]["ratio"] == {name: pytest.approx(1.5) for name in ("median", "least", "most")}
    assert (summaries["ours"]["cpu_per_1000_normalised"], summaries["ours"]["repetitions"]) == (pytest.approx(1.2), 3)


@pytest.mark.parametrize("form", FORMS)
def test_the_tables_have_every_subject(form: str) -> None:
    """Each measurement's table has a row for each subject, and a cell for each column."""
    results = made_up.results(FORMS[form]())
    tables = report.tables(results)
    for text in tables.values():
        lines = text.splitlines()
        assert len(lines) > 2
        assert {line.count(" | ") for line in lines[2:]} == {lines[0].count(" | ")}
    assert ("The whole wait in real Airflow" in tables) == (form == "full")
    assert ("A restart" in tables) == (form == "full")
    measured = {(row["benchmark"], row["subject"]) for row in results["rows"]}
    assert tables["Parsing a DAG file"].count("\n") == 2 + sum(name == "imports" for name, _ in measured)
    assert tables["Memory"].count("\n") == 2 + sum(name == "memory" for name, _ in measured)


def test_the_charts_show_the_numbers() -> None:
    """Each chart is SVG with a bar for each row, in proportion to its number, and has its numbers as text."""
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
    root = ET.fromstring(drawn["intervals.svg"])  # noqa: S314 - written just now
    short, long = (float(bar.get("width", "0")) for bar in root.findall(f"{name}rect"))
    assert long / short == pytest.approx(1440 / 130, rel=0.01)


def test_the_stored_files_are_made_from_the_results(tmp_path: Path) -> None:
    """The page and the charts are stored with the results, which give the same files again."""
    results = made_up.results(plan.full())
    store.store(results, tmp_path)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert "rows" not in kept
    made = store.pages(kept)
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", *made}
    assert all((tmp_path / name).read_text() == text for name, text in made.items())


def test_the_page_has_each_table_and_each_chart_once() -> None:
    """The page has every measurement, below the description of the machine."""
    results = made_up.results(plan.full())
    made = store.pages(results)
    page = made.pop("results.md")
    assert page.startswith("`make bench` on 2026-11-03, at abc, in 15 minutes: 2 cores of one")
    assert [page.count(f"### {heading}\n") for heading in report.tables(results)] == [1] * len(report.tables(results))
    assert all(text in page for text in report.tables(results).values())
    assert [page.count(f":file: {name}\n") for name in made] == [1] * len(made)


def test_results_of_less_than_a_full_run_are_not_stored(tmp_path: Path) -> None:
    """Results of a short run, of an incomplete one, and of uncommitted code do not change the documentation."""
    short = made_up.results(plan.full())
    short["made"]["form"] = "short"
    changed = made_up.results(plan.full())
    changed["made"]["commit"] = "abc-dirty"
    partial = made_up.results(plan.full())
    partial["summaries"] = [row for row in partial["summaries"] if row["benchmark"] != "deployed"]
    few = made_up.results(plan.short())
    cases = ((short, "short run"), (changed, "not committed"), (partial, "'deployed'"), (few, "lack"))
    for results, error in cases:
        with pytest.raises(store.NotFullError, match=error):
            store.store(results, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_results_no_number_is_shown() -> None:
    """Without results, the page explains how to measure, and there is no chart."""
    made = store.pages(None)
    assert list(made) == ["results.md"]
    assert "`make bench`" in made["results.md"]
    assert not any(letter.isdigit() for letter in made["results.md"])
