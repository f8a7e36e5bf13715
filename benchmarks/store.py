# SPDX-License-Identifier: Apache-2.0
"""Put the results of the last full run into the documentation, as tables and charts: `make bench-docs`."""

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
No full run is stored with this version, so no number is shown: `make bench` makes them, on a machine that does nothing
else, and `make bench-docs` puts them here, as tables and charts, with the machine and the command.
"""
"""What the page says in place of results."""

CHARTS = {
    f"A poll: {plan.MANY:,} triggers, TLS": "poll.svg",
    "Memory": "memory.svg",
    "Paced waits": "lag.svg",
    "Parsing a DAG file": "imports.svg",
    "The pace": "pace.svg",
}
"""The charts, each by the heading of the table that it stands above."""


class NotFullError(Exception):
    """The results are not those of a full run, which are the only ones that are shown."""


def main() -> int:
    """Store them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="the last run's by default")
    results = json.loads(parser.parse_args().results.read_text())
    try:
        store(results, DOCS)
    except NotFullError as error:
        sys.exit(f"{error}; the documentation shows a full run: make bench")
    return 0


def check(results: dict[str, Any]) -> None:
    """See that all that a full run measures is there, and of which commit.

    :raises NotFullError: if it was a short one, something is missing, or no commit has what was measured.
    """
    if results["made"]["form"] != "full":
        msg = "these results are of a short run"
        raise NotFullError(msg)
    if results["made"]["commit"].endswith("-dirty"):
        msg = "these results are of code that is not committed"
        raise NotFullError(msg)
    whole = plan.full()
    wanted = {step.measured() for step in whole.steps} | {("imports", name, "", 1) for name in DAG_FILES}
    if whole.deployed is not None:
        wanted |= {("deployed", name, "https", whole.deployed[0]) for name in ("ours", "http")}
    there = {tuple(row[key] for key in KEYS) for row in results["summaries"]}
    if missing := wanted - there:
        raise NotFullError(f"these results lack {min(missing)}, and {len(missing) - 1} others")


def store(results: dict[str, Any], folder: Path) -> None:
    """Write all files; single repetitions stay out, whoever wants them runs it.

    :raises NotFullError: if they are not those of a full run.
    """
    check(results)
    folder.mkdir(exist_ok=True)
    kept = {name: value for name, value in results.items() if name != "rows"}
    (folder / "results.json").write_text(json.dumps(kept, indent=1) + "\n")
    for name, text in pages(kept).items():
        (folder / name).write_text(text)


def pages(results: dict[str, Any] | None) -> dict[str, str]:
    """Return what is made from the results, by the names of the files; from None, what is said without any."""
    if results is None:
        return {"results.md": NOTHING}
    parts = []
    for heading, table in report.tables(results).items():
        chart = f"```{{raw}} html\n:file: {CHARTS[heading]}\n```\n\n" if heading in CHARTS else ""
        parts.append(f"### {heading}\n\n{chart}{table}")
    return {"results.md": "\n".join([f"{machine(results['made'])}\n", *parts]), **charts(results)}


def machine(made: dict[str, Any]) -> str:
    """Say where the numbers are from."""
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
