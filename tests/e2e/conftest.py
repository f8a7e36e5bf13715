# SPDX-License-Identifier: Apache-2.0
"""The deployments, each started once, and the table of results."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployments import services
from deployments.airflow import Deployment, OneMachine
from deployments.distributed import Distributed
from e2e.scenario import Row
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
OUTPUT = Path(os.environ.get("E2E_HOME") or HERE.parent.parent / ".e2e")
"""The folder for logs and the table."""

REQUIRED = bool(os.environ.get("E2E_REQUIRE_ALL"))
"""Whether a test fails instead of being skipped."""

HEADINGS = (
    *("deployment", "fault", "offers", "published", "of these through the Product Ingestion API", "live"),
    *("lost", "duplicate submits", "canceled", "what happened"),
)


DEPLOYMENTS = ("one machine", "distributed")


class ByDeployment(LoadScopeScheduling):
    """Run all tests of a deployment in one worker; tests without a deployment run with those of the shorter one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name in DEPLOYMENTS if name in nodeid), DEPLOYMENTS[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByDeployment:
    """Test the two deployments in parallel, because each spends most of its time waiting."""
    return ByDeployment(config, log)


@pytest.fixture(scope="session", params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Serve Airflow on each deployment; pytest groups their tests, so one ends before the other starts."""
    if request.param == "one machine":
        with OneMachine(OUTPUT / "one-machine", HERE / "dags") as served:
            yield served
        return
    if missing := services.missing():
        text = f"{', '.join(missing)} missing: {services.INSTALL}"
        if REQUIRED:
            pytest.fail(text)
        pytest.skip(text)
    with Distributed(OUTPUT / "distributed", HERE / "dags") as served:
        yield served


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return a function that adds a row to the table, and fails if something was lost, submitted twice or canceled."""

    def add(row: Row) -> None:
        request.node.user_properties.append(("row", dataclasses.asdict(row)))  # part of the worker's report
        assert row.is_good, row

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table and store it."""
    reports = [
        one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, []) if one.when == "call"
    ]
    properties = [pair for one in reports for pair in one.user_properties]
    for examples in (value for name, value in properties if name == "examples"):
        terminalreporter.write_sep("=", "the examples in make airflow")
        table = [("example", "result", "seconds"), ("---", "---", "---")]
        table += [(dag_id, state, f"{duration:.0f}") for dag_id, (state, duration) in sorted(examples.items())]
        terminalreporter.write_line("\n".join(f"| {' | '.join(cells)} |" for cells in table))
    rows = [Row(**value) for name, value in properties if name == "row"]
    rows.sort(key=lambda row: DEPLOYMENTS.index(row.deployment))
    if not rows:
        return
    lines = [f"| {' | '.join(HEADINGS)} | seconds |", "| --- " * (len(HEADINGS) + 1) + "|"]
    for row in rows:
        counts = (
            row.offers,
            row.published,
            row.through_product_ingestion,
            row.live,
            row.lost,
            row.duplicates,
            row.canceled,
        )
        cells = (row.deployment, row.fault, *map(str, counts), row.events, f"{row.seconds:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "table.md").write_text("\n".join(lines) + "\n")
    terminalreporter.write_sep("=", "what the emulator counted")
    terminalreporter.write_line("\n".join(lines))
