# SPDX-License-Identifier: Apache-2.0
"""Copy the results of the last full run to the documentation, as tables and charts: `make bench-docs`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import plan, report
from benchmarks.charts import charts
from benchmarks.imports import DAG_FILES
from benchmarks.summary import KEYS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".bench/results.json"
DOCS = ROOT / "docs/performance"

NOTHING = """\
This version has no results of a full run. To create them, run `make bench` on an otherwise idle machine, then `make bench-docs`,
which writes tables and charts to this page, with the machine and the command.
"""
"""The page without results."""

CHARTS = {
    f"A poll: {plan.MANY:,} triggers, TLS": "poll.svg",
    "Memory": "memory.svg",
    "Event loop lag": "lag.svg",
    "Parsing a DAG file": "imports.svg",
    "Polling intervals": "intervals.svg",
}
"""The charts, each by the heading of its table."""


class NotFullError(Exception):
    """Raised when the results are not those of a full run, the only ones that the documentation shows."""


def main() -> int:
    """Store the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="results of the last run by default")
    results = json.loads(parser.parse_args().results.read_text())
    try:
        store(results, DOCS)
    except NotFullError as error:
        sys.exit(f"{error}. The documentation shows only full runs: run make bench")
    return 0


def check(results: dict[str, Any]) -> None:
    """Check that the results are complete, and of a commit.

    :raises NotFullError: if the run was short, a measurement is missing, or the code was not committed.
    """
    if results["made"]["form"] != "full":
        msg = "the results are of a short run"
        raise NotFullError(msg)
    if results["made"]["commit"].endswith("-dirty"):
        msg = "the results are of code that is not committed"
        raise NotFullError(msg)
    full = plan.full()
    expected = {step.measured() for step in full.steps} | {("imports", name, "", 1) for name in DAG_FILES}
    if full.deployed is not None:
        expected |= {("deployed", name, "https", full.deployed[0]) for name in ("ours", "http")}
    measured = {tuple(row[key] for key in KEYS) for row in results["summaries"]}
    if missing := expected - measured:
        raise NotFullError(f"the results lack {min(missing)} and {len(missing) - 1} other measurements")


def store(results: dict[str, Any], folder: Path) -> None:
    """Write all files, without the rows of single repetitions.

    :raises NotFullError: if the results are not those of a full run.
    """
    check(results)
    folder.mkdir(exist_ok=True)
    kept = {name: value for name, value in results.items() if name != "rows"}
    (folder / "results.json").write_text(json.dumps(kept, indent=1) + "\n")
    for name, text in pages(kept).items():
        (folder / name).write_text(text)


def pages(results: dict[str, Any] | None) -> dict[str, str]:
    """Return the generated files by name; for None, the page without results."""
    if results is None:
        return {"results.md": NOTHING}
    parts = []
    for heading, table in report.tables(results).items():
        chart = f"```{{raw}} html\n:file: {CHARTS[heading]}\n```\n\n" if heading in CHARTS else ""
        parts.append(f"### {heading}\n\n{chart}{table}")
    return {"results.md": "\n".join([f"{machine(results['made'])}\n", *parts]), **charts(results)}


def machine(made: dict[str, Any]) -> str:
    """Describe the run and its machine."""
    on = made["machine"]
    packages = ", ".join(
        f"{name.removeprefix('apache-airflow-providers-')} {one}" for name, one in made["packages"].items()
    )
    return (
        f"`{made['command']}` on {made['at'][:10]}, at {made['commit']}, in {made['seconds'] / 60:.0f} minutes:"
        f" {on['cores']} cores of {on['processor']}, {on['system']}, Python {on['python']}; {packages}."
    )


if __name__ == "__main__":
    sys.exit(main())
