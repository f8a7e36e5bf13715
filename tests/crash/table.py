# SPDX-License-Identifier: Apache-2.0
"""Kill the process of a publish and of a go-live at every step, retry and clear the task, and count the orders.

The portal holds requests at gates, and Airflow's store of a task's state is held before and after it writes, so every
step is met exactly; the product knows nothing of it. ``make crash`` runs this and prints the tables.
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
from scenario import SETTLE_TIME, Row, Scenario, until

APIS = {"portal": "cloud_partner_portal", "successor": "product_ingestion"}
"""The APIs, by the names that the tables have for them, and their connection types."""

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
AT_ONCE = 3  # on one deployment; more, and SQLite's locks decide what is seen
DEPLOYMENTS_AT_ONCE = 2  # for each API


Rows = tuple[list[Row], list[FaultRow]]
"""What was counted at the points, and of the faults."""


def on_airflow_3(api: str, only: str, *, keep: bool) -> Rows:
    """Run the points and the faults some at a time, on one deployment."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        directory = _directory(stack, keep=keep)
        scenarios = [Scenario(point, directory, api) for point in points(with_notes=True) if only in point.name]
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
        until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never read")
        longest_first = sorted(scenarios, key=lambda one: not one.point.waits)
        begun = {one: pool.submit(one.run, deployment) for one in longest_first}
        struck = [pool.submit(one.run, deployment) for one in faults]
        return [begun[one].result() for one in scenarios], [one.result() for one in struck]


def on_airflow_2(api: str, python: Path, only: str, *, keep: bool) -> Rows:
    """Run them some at a time, each on a deployment of its own, since SQLite allows one task at a time."""
    with ExitStack() as outer, ThreadPoolExecutor(DEPLOYMENTS_AT_ONCE) as pool:
        # One for all: Airflow takes several seconds to make it.
        made = Airflow2(python, _directory(outer, keep=keep) / "home", HERE / "dags", {}).make_database()

        def run(make: Callable[[Path], Scenario] | Callable[[Path], FaultScenario]) -> Any:
            with ExitStack() as stack:
                directory = _directory(stack, keep=keep)
                scenario = make(directory)
                environment = _environment(directory) | _connection(stack, scenario)
                deployment = Airflow2(python, directory / "home", HERE / "dags", environment, made)
                stack.enter_context(deployment)
                until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never read")
                return scenario.run(deployment)

        wanted = [point for point in points(with_notes=False) if only in point.name]
        longest_first = sorted(wanted, key=lambda point: not point.waits)
        begun = {point: pool.submit(run, partial(Scenario, point, api=api)) for point in longest_first}
        faults = [case for case in cases(with_checkpoints=False) if only in case.name]
        struck = [pool.submit(run, partial(FaultScenario, case, api=api)) for case in faults]
        return [begun[point].result() for point in wanted], [one.result() for one in struck]


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


def problems_of(rows: list[Row], *, with_notes: bool) -> list[str]:
    """Say what must not be: two orders in one run of the task, or none without a stop."""
    found = [f"{row.point.name}: {row.trouble}" for row in rows if row.trouble]
    for row in rows:
        if row.trouble:
            continue
        last = 2 if row.point.order == "publish" else 1
        if with_notes:
            good = row.counts == [1, 1, last] and "failed" not in row.endings
        else:
            stopped = [ending == "failed" for ending in row.endings]
            good = all(
                count == wanted or (stops and count <= wanted)
                for count, wanted, stops in zip(row.counts, (1, 1, last), stopped, strict=True)
            )
        if not good:
            found.append(f"{row.point.name}: {row.cells}")
    return found


def table(title: str, rows: list[Row]) -> str:
    """Write the rows as they stand in the documentation."""
    lines = [f"### {title}", "", "| order | killed | after the retry | cleared while it ran | cleared after it ended |"]
    lines.append("| --- | --- | --- | --- | --- |")
    names = {"publish": "publish", "golive": "go-live"}
    for row in rows:
        cells = row.cells + [""] * (3 - len(row.cells))
        lines.append(f"| {names[row.point.order]} | {row.point.words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run all, print the tables, and fail if anything was ordered twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow2", type=Path, help="the interpreter of an environment with Airflow 2.11")
    parser.add_argument("--only", default="", help="only the points whose name has this in it")
    parser.add_argument("--keep", action="store_true", help="keep the folders, with all logs")
    parser.add_argument("--skip3", action="store_true", help="leave Airflow 3.3 out")
    parser.add_argument("--api", choices=list(APIS), help="only through this one; through both by default")
    options = parser.parse_args()
    problems: list[str] = []
    runs: list[tuple[str, bool, Callable[[str], Rows]]] = []
    faults: dict[str, list[FaultRow]] = {}
    if not options.skip3:
        runs.append(("3.3", True, lambda api: on_airflow_3(api, options.only, keep=options.keep)))
    if options.airflow2:
        runs.append(("2.11", False, lambda api: on_airflow_2(api, options.airflow2, options.only, keep=options.keep)))
    apis = [options.api] if options.api else [*APIS]
    for version, with_notes, run in runs:
        with ThreadPoolExecutor(len(apis)) as pool:  # side by side: much of what each does is to wait
            for api, (rows, struck) in zip(apis, pool.map(run, [APIS[api] for api in apis]), strict=True):
                if rows:
                    print(table(f"Airflow {version}, {api}", rows), end="\n\n", flush=True)
                problems += problems_of(rows, with_notes=with_notes)
                faults[f"Airflow {version}, {api}, faults of responses and clears"] = struck
    for title, struck in faults.items():
        if struck:
            print(fault_table(title, struck), end="\n\n")
        problems += [f"{title}, {row.case.name}: {row.problem}" for row in struck if row.problem]
    for problem in problems:
        print(f"not as promised: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
