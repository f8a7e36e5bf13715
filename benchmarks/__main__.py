# SPDX-License-Identifier: Apache-2.0
"""Measure, print the tables, and store the results in `.bench/results.json`: `make bench`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import certificates, deployed, imports, machine, report
from benchmarks.goals import goals
from benchmarks.harness import environment
from benchmarks.measurements import Bench, Row
from benchmarks.plan import Plan, Step, full, short
from benchmarks.summary import summarize

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / ".bench"
PACKAGES = (
    "apache-airflow",
    "aiohttp",
    "msal",
    "apache-airflow-providers-http",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-microsoft-azure",
    "apache-airflow-providers-airbyte",
)


def main() -> int:
    """Run all measurements of the plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("form", nargs="?", choices=["full", "short"], default="full")
    form = parser.parse_args().form
    started = time.monotonic()
    OUTPUT.mkdir(exist_ok=True)
    certificate, bundle = certificates.create(OUTPUT)
    environment(OUTPUT / "airflow", bundle)
    core, other = machine.cores()
    bench, plan = Bench(certificate, core, other), full() if form == "full" else short()
    rows = measure(bench, plan)
    simulated = simulate(plan.smaller)
    summaries = summarize(rows)
    results = {
        "made": run_facts(form, time.monotonic() - started),
        "goals": [goal.to_json() for goal in goals(summaries, simulated)],
        "summaries": summaries,
        "simulated": simulated,
        "rows": rows,
    }
    (OUTPUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{report.text(results)}")
    say(f"{form}: {time.monotonic() - started:.0f} s; all results are in {OUTPUT.name}/results.json")
    return 0


def measure(bench: Bench, plan: Plan) -> list[Row]:
    """Run the measurements, and print each result."""
    rows = []
    machine.pin(bench.other)
    for repetition, step in plan.shuffled():
        row = run_step(bench, step) | {"repetition": repetition}
        rows.append(row)
        key = [str(value) for value in (row["benchmark"], row["subject"], row["scheme"], row["number"])]
        shown = {
            name: row[name]
            for name in ("cpu_per_1000_normalised", "bytes_per_trigger", "lag_worst", "seconds")
            if name in row
        }
        say(f"{' '.join(key)}: {', '.join(f'{name} {float(value):.3g}' for name, value in shown.items())}")
    say("imports")
    rows += imports.measure(plan.imports, bench.core)
    machine.pin_to_all()
    if plan.deployed is not None:
        say("real Airflow")
        rows += [row | {"repetition": 0} for row in deployed.measure(bench, OUTPUT / "deployment", *plan.deployed)]
    return rows


def run_step(bench: Bench, step: Step) -> Row:
    """Run one measurement."""
    measurement: Any = getattr(bench, step.kind)
    row: Row = measurement(step.subject, *step.arguments)
    return row


def simulate(smaller: int) -> dict[str, Any]:
    """Run the simulation of polling intervals, which formats its own tables."""
    say("simulation")
    file = OUTPUT / "simulation.json"
    command = [sys.executable, "-m", "benchmarks.simulation", "--smaller", str(smaller), "--json", str(file)]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {**json.loads(file.read_text()), "tables": output}


def run_facts(form: str, seconds: float) -> dict[str, Any]:
    """Describe the run, its machine and its packages."""
    git = shutil.which("git")
    command = [git or "git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "command": "make bench" if form == "full" else "make bench BENCH=short",
        "form": form,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "seconds": round(seconds),
        "load": os.getloadavg()[1],
        "machine": machine.description(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
