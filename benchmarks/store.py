# SPDX-License-Identifier: Apache-2.0
"""Put the results of the last full run into the documentation, as tables and charts: `make bench-docs`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.charts import charts

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".bench/results.json"
DOCS = ROOT / "docs/performance"


def main() -> int:
    """Store them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="the last run's by default")
    parser.add_argument("--any-form", action="store_true", help="take those of a short run, too, for a look")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    if results["made"]["form"] != "full" and not options.any_form:
        sys.exit("these are of a short run; the documentation shows those of a full one: make bench")
    store(results, DOCS)
    return 0


def store(results: dict[str, Any], folder: Path) -> None:
    """Write all files; single repetitions stay out, whoever wants them runs it."""
    folder.mkdir(exist_ok=True)
    kept = {name: value for name, value in results.items() if name != "rows"}
    (folder / "results.json").write_text(json.dumps(kept, indent=1) + "\n")
    for name, text in pages(results).items():
        (folder / name).write_text(text)


def pages(results: dict[str, Any]) -> dict[str, str]:
    """Return what is made from the results, by the names of the files."""
    found = report.tables(results)
    goals = f"{found.pop('The goals')}\n{machine(results['made'])}\n"
    others = "\n".join(f"### {heading}\n\n{table}" for heading, table in found.items())
    return {"goals.md": goals, "tables.md": others, **charts(results)}


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
