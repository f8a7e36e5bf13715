# SPDX-License-Identifier: Apache-2.0
"""Kill the process of a publish and of a go-live at every step, retry and clear the task, and count the orders.

The portal holds requests at gates, and Airflow's store of a task's state is held before and after it writes, so every
step is met exactly; the product knows nothing of it. ``make crash`` runs this and prints the tables.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from deployment import PATIENCE, Airflow2, Airflow3, Deployment, connection_environment
from points import Point, points, route

from airflow_provider_cpp.emulator import Emulator, ScaledClock, Settings

APIS = {"portal": "cloud_partner_portal", "successor": "product_ingestion"}
"""The APIs, by the names that the tables have for them, and their connection types."""

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SETTLE_TIME = 15.0
LAG = timedelta(seconds=2)
AT_ONCE = 3  # on one deployment; more, and SQLite's locks decide what is seen
DEPLOYMENTS_AT_ONCE = 2  # for each API


@dataclass
class Row:
    """What was counted at one point: orders after the retry, after the first clear and after the second."""

    point: Point
    counts: list[int] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    trouble: str = ""

    def note(self, portal: Emulator, ending: str) -> None:
        """Count."""
        self.counts.append(portal.orders_for(self.point.name)[self.point.order])
        self.endings.append(ending)

    @property
    def cells(self) -> list[str]:
        """The counts as they stand in the table; a task that stopped for a person says so."""
        marks = {"success": "", "running": "", "failed": ", stops"}
        shown = zip(self.counts, self.endings, strict=True)
        return [f"{count}{marks[ending]}" for count, ending in shown]


class Scenario:
    """One point, on one deployment, with a portal of its own."""

    def __init__(self, point: Point, directory: Path, api: str) -> None:
        self.point = point
        self.api = api
        self.directory = directory
        self.clock = ScaledClock()
        # What the portal shows of an order lags, though for less than the settle time.
        self.portal = Emulator(Settings(lag_time=LAG), self.clock)
        self.row = Row(point)

    def run(self, deployment: Deployment) -> Row:
        """Kill, retry, clear, clear; what goes wrong is told with the point."""
        try:
            self._prepare()
            self._kill_first_try(deployment)
            self._note(deployment, after_try=1)
            self._clear(deployment)
            if self.point.waits:
                self.clock.jump(days=10)
                self._ended(deployment, self._try(deployment) - 1)
            else:
                self.clock.jump(days=10)
            self._clear(deployment)
        except Exception as error:  # noqa: BLE001 - the other points go on
            self.row.trouble = f"{type(error).__name__}: {error}"
        return self.row

    def _prepare(self) -> None:
        self.portal.add_offer(self.point.name)
        if self.point.order == "golive":
            self.portal.person(self.point.name, "publish")
            self.clock.jump(days=10)
        if self.point.hold:
            (self.directory / "holds" / self.point.name).write_text(self.point.hold)

    def _kill_first_try(self, deployment: Deployment) -> None:
        point, hold = self.point, self.directory / "holds" / self.point.name
        gate = None
        if point.gate:
            gate = self.portal.gate(route(point.gate[0], self.api), after=point.gate[1], offer=point.name)
        deployment.trigger(point.dag_id, point.name)
        if gate is not None:
            gate.wait_until_reached(PATIENCE)
        else:
            _until(hold.with_suffix(".reached").exists, "the note was never written")
        process = int(self._process(1).read_text())
        os.kill(process, signal.SIGKILL)
        _until(lambda: not Path(f"/proc/{process}").exists() or _is_dead(process), "the process lives on")
        if point.late:
            looks = self._looks()
            _until(lambda: self._looks() > looks, "the retry never looked")
        if gate is not None:
            gate.open()
        hold.with_suffix(".released").touch()

    def _note(self, deployment: Deployment, after_try: int) -> None:
        if not self.point.waits:
            self.row.note(self.portal, deployment.wait_until_ended(self.point.dag_id, self.point.name, after_try))
            return
        _until(self._process(after_try + 1).exists, "there was no further try")
        asked = route("operation", self.api)
        polls, looks = self.portal.counts_for(self.point.name)[asked], self._looks()
        ended = ("success", "failed")

        def settled() -> bool:
            polled = self.portal.counts_for(self.point.name)[asked] > polls + 1
            # An operation that was found in the list may be waited for there: a second apart, until nothing can come of
            # the order any more.
            polled = polled or self._looks() > looks + SETTLE_TIME + 5
            return polled or (self._try(deployment) > after_try and self._state(deployment) in ended)

        _until(settled, "the task does not wait")
        state = self._state(deployment)
        self.row.note(self.portal, state if state in ended else "running")

    def _clear(self, deployment: Deployment) -> None:
        time.sleep(LAG.total_seconds())  # a person is not quicker than the portal
        number = self._try(deployment)
        if self._state(deployment) in ("success", "failed"):
            # A clear that comes between the end of the task and that of its run is lost, whatever the task is.
            _until(lambda: deployment.has_ended(self.point.dag_id, self.point.name), "the run has not ended")
        deployment.clear(self.point.dag_id, self.point.name)
        self._note(deployment, number)

    def _ended(self, deployment: Deployment, after_try: int) -> None:
        deployment.wait_until_ended(self.point.dag_id, self.point.name, after_try)

    def _looks(self) -> int:
        return self.portal.counts_for(self.point.name)[route("submissions", self.api)]

    def _try(self, deployment: Deployment) -> int:
        return deployment.task(self.point.dag_id, self.point.name)[1]

    def _state(self, deployment: Deployment) -> str | None:
        return deployment.task(self.point.dag_id, self.point.name)[0]

    def _process(self, number: int) -> Path:
        return self.directory / "processes" / f"{self.point.name}.{number}"


def on_airflow_3(api: str, only: str, *, keep: bool) -> list[Row]:
    """Run the points some at a time, on one deployment."""
    with ExitStack() as stack:
        directory = _directory(stack, keep=keep)
        scenarios = [Scenario(point, directory, api) for point in points(with_notes=True) if only in point.name]
        environment = _environment(directory)
        for scenario in scenarios:
            environment |= _connection(stack, scenario)
        environment |= {
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__STATE_STORE__BACKEND": "held_backend.HeldBackend",
        }
        deployment = stack.enter_context(Airflow3(Path(sys.executable), directory / "home", HERE / "dags", environment))
        _until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never read")
        longest_first = sorted(scenarios, key=lambda one: not one.point.waits)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            begun = {one.point: pool.submit(one.run, deployment) for one in longest_first}
            return [begun[one.point].result() for one in scenarios]


def on_airflow_2(api: str, python: Path, only: str, *, keep: bool) -> list[Row]:
    """Run the points some at a time, each on a deployment of its own, since SQLite allows one task at a time."""
    with ExitStack() as outer, ThreadPoolExecutor(DEPLOYMENTS_AT_ONCE) as pool:
        # One for all: Airflow takes several seconds to make it.
        made = Airflow2(python, _directory(outer, keep=keep) / "home", HERE / "dags", {}).make_database()

        def run(point: Point) -> Row:
            with ExitStack() as stack:
                directory = _directory(stack, keep=keep)
                scenario = Scenario(point, directory, api)
                environment = _environment(directory) | _connection(stack, scenario)
                deployment = Airflow2(python, directory / "home", HERE / "dags", environment, made)
                stack.enter_context(deployment)
                _until(lambda: deployment.has_dag("golive_and_wait"), "the DAG file was never read")
                return scenario.run(deployment)

        wanted = [point for point in points(with_notes=False) if only in point.name]
        longest_first = sorted(wanted, key=lambda point: not point.waits)
        begun = {point: pool.submit(run, point) for point in longest_first}
        return [begun[point].result() for point in wanted]


def _directory(stack: ExitStack, *, keep: bool) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="crash-"))
    if keep:
        print(f"kept: {directory}", file=sys.stderr)
    else:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
    for name in ("holds", "processes"):
        (directory / name).mkdir()
    return directory


def _environment(directory: Path) -> dict[str, str]:
    path = os.pathsep.join((str(HERE), str(ROOT)))
    return {"CRASH_DIRECTORY": str(directory), "CRASH_SETTLE_TIME": str(SETTLE_TIME), "PYTHONPATH": path}


def _connection(stack: ExitStack, scenario: Scenario) -> dict[str, str]:
    stack.enter_context(scenario.portal)
    (value,) = connection_environment(scenario.portal.connection_for(api=scenario.api)).values()
    return {f"AIRFLOW_CONN_{scenario.point.name.upper()}": value}


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(otherwise)
        time.sleep(0.1)


def _is_dead(process: int) -> bool:
    """Say whether a process is a zombie: killed, and not collected by its parent yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


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
    """Run both, print both tables, and fail if anything was ordered twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow2", type=Path, help="the interpreter of an environment with Airflow 2.11")
    parser.add_argument("--only", default="", help="only the points whose name has this in it")
    parser.add_argument("--keep", action="store_true", help="keep the folders, with all logs")
    parser.add_argument("--skip3", action="store_true", help="leave Airflow 3.3 out")
    parser.add_argument("--api", choices=list(APIS), help="only through this one; through both by default")
    options = parser.parse_args()
    problems: list[str] = []
    runs: list[tuple[str, bool, Callable[[str], list[Row]]]] = []
    if not options.skip3:
        runs.append(("3.3", True, lambda api: on_airflow_3(api, options.only, keep=options.keep)))
    if options.airflow2:
        runs.append(("2.11", False, lambda api: on_airflow_2(api, options.airflow2, options.only, keep=options.keep)))
    apis = [options.api] if options.api else [*APIS]
    for version, with_notes, run in runs:
        with ThreadPoolExecutor(len(apis)) as pool:  # side by side: much of what each does is to wait
            for api, rows in zip(apis, pool.map(run, [APIS[api] for api in apis]), strict=True):
                print(table(f"Airflow {version}, {api}", rows), end="\n\n", flush=True)
                problems += problems_of(rows, with_notes=with_notes)
    for problem in problems:
        print(f"not as promised: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
