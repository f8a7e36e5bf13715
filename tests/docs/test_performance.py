# SPDX-License-Identifier: Apache-2.0
"""The page on performance shows the stored results, which are of a full run, or that there are none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import store
from benchmarks.goals import goals

FOLDER = Path(__file__).parents[2] / "docs/performance"
pytestmark = pytest.mark.tree


def stored() -> dict[str, Any] | None:
    """Read the stored results, if there are any."""
    file = FOLDER / "results.json"
    return json.loads(file.read_text()) if file.exists() else None


def test_the_page_is_made_from_the_stored_results() -> None:
    """Each table and chart is generated from the stored results, and the folder has no other file."""
    results = stored()
    made = store.pages(results)
    for name, text in made.items():
        assert (FOLDER / name).read_text() == text, f"{name} is old: make bench-docs"
    names = {"index.md", *made} | ({"results.json"} if results else set())
    assert {path.name for path in FOLDER.iterdir()} == names


def test_the_page_shows_results_and_no_other_table() -> None:
    """The page includes the results and has no table or picture of its own."""
    page = (FOLDER / "index.md").read_text()
    assert re.findall(r"```{(\w+)} ?(\S*)", page) == [("include", "results.md")]
    assert "|" not in page


def test_the_stored_results_are_of_a_full_run() -> None:
    """The stored results were measured in full: every peer, every number of triggers, and real Airflow."""
    results = stored()
    if results is None:
        assert (FOLDER / "results.md").read_text() == store.NOTHING
        return
    store.check(results)
    assert results["made"]["command"] == "make bench"
    assert results["goals"] == [goal.to_json() for goal in goals(results["summaries"], results["simulated"])]


def test_each_goal_that_is_missed_is_explained() -> None:
    """The page explains where the time goes for exactly the goals that the stored run missed."""
    results = stored()
    missed = [goal["measure"] for goal in (results or {"goals": []})["goals"] if not goal["reached"]]
    page = (FOLDER / "index.md").read_text()
    section = page.split("## Where the time goes")[1].split("\n## ")[0] if "## Where the time goes" in page else ""
    explained = re.findall(r"^([A-Z].*)\n: ", section, re.MULTILINE)
    measures = {
        "CPU of a poll": "CPU of a poll",
        "Memory of": "memory per",
        "Lag of": "worst loop lag",
        "Parsing": "parsing",
    }
    explained_measures = {
        measure for title in explained for begin, measure in measures.items() if title.startswith(begin)
    }
    assert explained_measures == {
        measure for measure in measures.values() if any(one.startswith(measure) for one in missed)
    }
    assert len(explained_measures) == len(explained)
