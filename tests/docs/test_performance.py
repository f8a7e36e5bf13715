# SPDX-License-Identifier: Apache-2.0
"""The page on performance shows what the stored results say, and these are of a full run; without any, it says so."""

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
    """Read what is stored; None if nothing is."""
    file = FOLDER / "results.json"
    return json.loads(file.read_text()) if file.exists() else None


def test_the_page_is_made_from_what_is_stored() -> None:
    """Each table and chart is what the stored results make, and no file is there that they do not make."""
    results = stored()
    made = store.pages(results)
    for name, text in made.items():
        assert (FOLDER / name).read_text() == text, f"{name} is old: make bench-docs"
    names = {"index.md", *made} | ({"results.json"} if results else set())
    assert {path.name for path in FOLDER.iterdir()} == names


def test_the_page_shows_results_and_no_other_table() -> None:
    """The page takes the results in, and has no table and no picture of its own."""
    page = (FOLDER / "index.md").read_text()
    assert re.findall(r"```{(\w+)} ?(\S*)", page) == [("include", "results.md")]
    assert "|" not in page


def test_what_is_stored_is_of_a_full_run() -> None:
    """What is shown was measured in full: every peer, every number of triggers, and real Airflow."""
    results = stored()
    if results is None:
        assert (FOLDER / "results.md").read_text() == store.NOTHING
        return
    store.check(results)
    assert results["made"]["command"] == "make bench"
    assert results["goals"] == [goal.to_json() for goal in goals(results["summaries"], results["simulated"])]


def test_each_goal_that_is_missed_is_explained() -> None:
    """The page says where the time goes for each goal that the stored run missed, and for no goal that it reached."""
    results = stored()
    missed = [goal["measure"] for goal in (results or {"goals": []})["goals"] if not goal["reached"]]
    page = (FOLDER / "index.md").read_text()
    section = page.split("## Where the time goes")[1].split("\n## ")[0] if "## Where the time goes" in page else ""
    explained = re.findall(r"^([A-Z].*)\n: ", section, re.MULTILINE)
    words = {
        "CPU of a poll": "CPU of a poll",
        "Memory of": "memory per",
        "Lag of": "worst loop lag",
        "Parsing": "parsing",
    }
    found = {measure for title in explained for begin, measure in words.items() if title.startswith(begin)}
    assert found == {measure for measure in words.values() if any(one.startswith(measure) for one in missed)}
    assert len(found) == len(explained)
