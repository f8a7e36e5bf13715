# SPDX-License-Identifier: Apache-2.0
"""The deployments, each started once, and the table that is printed at the end."""

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
KEPT = Path(os.environ.get("E2E_HOME") or HERE.parent.parent / ".e2e")
"""Logs and the table."""

REQUIRED = bool(os.environ.get("E2E_REQUIRE_ALL"))
"""Whether what would be skipped fails instead."""

HEADINGS = (
    *("deployment", "fault", "offers", "published", "of these through the successor", "gone live"),
    *("lost", "doubled", "canceled", "how it struck"),
)


DEPLOYMENTS = ("one machine", "distributed")


class ByDeployment(LoadScopeScheduling):
    """Gives one of pytest's workers all that a deployment is started for; what needs none goes with the shorter one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name in DEPLOYMENTS if name in nodeid), DEPLOYMENTS[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByDeployment:
    """Let the two deployments be tested side by side: most of what is done in each is to wait."""
    return ByDeployment(config, log)


@pytest.fixture(scope="session", params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Serve Airflow in each way; in one process one ends before the other begins, since pytest puts their tests together."""
    if request.param == "one machine":
        with OneMachine(KEPT / "one-machine", HERE / "dags") as served:
            yield served
        return
    if absent := services.missing():
        text = f"{', '.join(absent)} missing: {services.INSTALL}"
        if REQUIRED:
            pytest.fail(text)
        pytest.skip(text)
    with Distributed(KEPT / "distributed", HERE / "dags") as served:
        yield served


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Return what puts a row into the table, and fails if something was lost, doubled or canceled."""

    def put(row: Row) -> None:
        request.node.user_properties.append(("row", dataclasses.asdict(row)))  # which a worker's report carries
        assert row.is_good, row

    return put


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and keep it."""
    reports = [
        one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, []) if one.when == "call"
    ]
    rows = [Row(**value) for one in reports for name, value in one.user_properties if name == "row"]
    rows.sort(key=lambda row: DEPLOYMENTS.index(row.deployment))
    if not rows:
        return
    lines = [f"| {' | '.join(HEADINGS)} | seconds |", "| --- " * (len(HEADINGS) + 1) + "|"]
    for row in rows:
        counts = (row.offers, row.published, row.through_successor, row.live, row.lost, row.doubled, row.canceled)
        cells = (row.deployment, row.fault, *map(str, counts), row.struck, f"{row.seconds:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    KEPT.mkdir(exist_ok=True)
    (KEPT / "table.md").write_text("\n".join(lines) + "\n")
    terminalreporter.write_sep("=", "what the portal counted")
    terminalreporter.write_line("\n".join(lines))
