# SPDX-License-Identifier: Apache-2.0
"""Kill the process of a publish and of a go-live at every step, retry and clear the task, and count the submits.

The emulator holds requests at gates, and Airflow's task state store is held before and after it writes, so every step is
hit exactly; the package is not aware of either. ``make crash`` runs this and prints the tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from cases import cases
from deployment import Airflow2, Airflow3, connection_environment
from faults import FaultRow, FaultScenario, fault_table
from points import points
from scenario import SETTLE_TIME, Row, Scenario, wait_until

APIS = ("cloud_partner_portal", "product_ingestion")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PARALLEL_SCENARIOS = 3  # on one deployment; with more, SQLite's locks decide the results
PARALLEL_DEPLOYMENTS = 2  # for each API


Rows = tuple[list[Row], list[FaultRow]]
"""The rows of the points, and those of the faults."""


def on_airflow_3(api: str, only: str, *, keep: bool) -> Rows:
    """Run the points and the faults, some in parallel, on one deployment."""
    with ExitStack() as stack, ThreadPoolExecutor(PARALLEL_SCENARIOS) as pool:
        directory = _directory(stack, keep=keep)
        scenarios = [Scenario(point, directory, api) for point in points(with_checkpoints=True) if only in point.name]
        faults = [FaultScenario(case, directory, api) for case in cases(with_checkpoints=True) if only in case.name]
        environment = _environment(directory)
        everything: list[Scenario | FaultScenario] = [*scenarios, *faults]
        for one in everything:
            environment |= _connection(stack, one)
        environment |= {
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__STATE_STORE__BACKEND": "held_backend.HeldBackend",
        }
        deployment = stack.enter_context(Airflow3(Path(sys.executable), directory / "home", HERE / "dags", environment))
        wait_until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never parsed")
        longest_first = sorted(scenarios, key=lambda one: not one.point.waits)
        rows = {one: pool.submit(one.run, deployment) for one in longest_first}
        fault_rows = [pool.submit(one.run, deployment) for one in faults]
        return [rows[one].result() for one in scenarios], [row.result() for row in fault_rows]


def on_airflow_2(api: str, python: Path, only: str, *, keep: bool) -> Rows:
    """Run them, some in parallel, each on its own deployment, because SQLite allows one task at a time."""
    with ExitStack() as outer, ThreadPoolExecutor(PARALLEL_DEPLOYMENTS) as pool:
        # One for all: Airflow takes several seconds to create it.
        database = Airflow2(python, _directory(outer, keep=keep) / "home", HERE / "dags", {}).create_database()

        def run(make: Callable[[Path], Scenario] | Callable[[Path], FaultScenario]) -> Any:
            with ExitStack() as stack:
                directory = _directory(stack, keep=keep)
                scenario = make(directory)
                environment = _environment(directory) | _connection(stack, scenario)
                deployment = Airflow2(python, directory / "home", HERE / "dags", environment, database)
                stack.enter_context(deployment)
                wait_until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never parsed")
                return scenario.run(deployment)

        chosen = [point for point in points(with_checkpoints=False) if only in point.name]
        longest_first = sorted(chosen, key=lambda point: not point.waits)
        rows = {point: pool.submit(run, partial(Scenario, point, api=api)) for point in longest_first}
        faults = [case for case in cases(with_checkpoints=False) if only in case.name]
        fault_rows = [pool.submit(run, partial(FaultScenario, case, api=api)) for case in faults]
        return [rows[point].result() for point in chosen], [row.result() for row in fault_rows]


def _directory(stack: ExitStack, *, keep: bool) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="crash-"))
    if keep:
        print(f"kept: {directory}", file=sys.stderr)
    else:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
    for name in ("holds", "processes"):
        (directory / name).mkdir()
    (directory / "retries").write_text("3")
    return directory


def _environment(directory: Path) -> dict[str, str]:
    path = os.pathsep.join((str(HERE), str(ROOT)))
    return {"CRASH_DIRECTORY": str(directory), "CRASH_SETTLE_TIME": str(SETTLE_TIME), "PYTHONPATH": path}


def _connection(stack: ExitStack, scenario: Scenario | FaultScenario) -> dict[str, str]:
    (value,) = connection_environment(scenario.connect(stack)).values()
    return {f"AIRFLOW_CONN_{scenario.name.upper()}": value}


def problems_of(rows: list[Row], *, with_checkpoints: bool) -> list[str]:
    """Describe each unexpected row: two submits in one run of the task, or none without a failed task."""
    problems = [f"{row.point.name}: {row.error}" for row in rows if row.error]
    for row in rows:
        if row.error:
            continue
        last = 2 if row.point.kind == "publish" else 1
        if with_checkpoints:
            good = row.counts == [1, 1, last] and "failed" not in row.endings
        else:
            stopped = [ending == "failed" for ending in row.endings]
            good = all(
                count == expected or (stops and count <= expected)
                for count, expected, stops in zip(row.counts, (1, 1, last), stopped, strict=True)
            )
        if not good:
            problems.append(f"{row.point.name}: {row.cells}")
    return problems


def table(title: str, rows: list[Row]) -> str:
    """Return the rows as a table, as in the documentation."""
    headings = ("submit", "killed", "after the retry", "cleared while in progress", "cleared after it ended")
    lines = [f"### {title}", "", f"| {' | '.join(headings)} |", "| --- | --- | --- | --- | --- |"]
    names = {"publish": "publish", "golive": "go-live"}
    for row in rows:
        cells = row.cells + [""] * (3 - len(row.cells))
        lines.append(f"| {names[row.point.kind]} | {row.point.description} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run all, print the tables, and fail if anything was submitted twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow2", type=Path, help="the interpreter of an environment with Airflow 2.11")
    parser.add_argument("--only", default="", help="only the points and faults whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the folders, with all logs")
    parser.add_argument("--skip3", action="store_true", help="leave Airflow 3.3 out")
    parser.add_argument("--api", choices=APIS, help="only through this API; through both by default")
    options = parser.parse_args()
    problems: list[str] = []
    runs: list[tuple[str, bool, Callable[[str], Rows]]] = []
    faults: dict[str, list[FaultRow]] = {}
    if not options.skip3:
        runs.append(("3.3", True, lambda api: on_airflow_3(api, options.only, keep=options.keep)))
    if options.airflow2:
        runs.append(("2.11", False, lambda api: on_airflow_2(api, options.airflow2, options.only, keep=options.keep)))
    apis = [options.api] if options.api else [*APIS]
    for version, with_checkpoints, run in runs:
        with ThreadPoolExecutor(len(apis)) as pool:  # in parallel: each spends most of its time waiting
            for api, (rows, fault_rows) in zip(apis, pool.map(run, apis), strict=True):
                if rows:
                    print(table(f"Airflow {version}, {api}", rows), end="\n\n", flush=True)
                problems += problems_of(rows, with_checkpoints=with_checkpoints)
                faults[f"Airflow {version}, {api}, faults of responses and clears"] = fault_rows
    for title, fault_rows in faults.items():
        if fault_rows:
            print(fault_table(title, fault_rows), end="\n\n")
        problems += [f"{title}, {row.case.name}: {row.problem}" for row in fault_rows if row.problem]
    for problem in problems:
        print(f"unexpected result: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
