# SPDX-License-Identifier: Apache-2.0
"""Faults of responses and of clears: how they are caused, and what is counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases import Case
from deployment import PATIENCE, Airflow3, Deployment
from partner_center_emulator import Emulator, Fault, ScaledClock, Settings
from points import route
from relay import Relay
from scenario import LAG, kill_process, until

SECONDS_FOR_LOG = 5.0
"""How long the last lines of a task's log may take to be written after Airflow has its state."""


@dataclass
class FaultRow:
    """What was counted: a line of the table."""

    case: Case
    submitted: int = 0
    accepted: int = 0
    ending: str = ""
    says: str = ""
    trouble: str = ""

    @property
    def cells(self) -> list[str]:
        """The line's cells."""
        return [self.case.words, str(self.submitted), str(self.accepted), self.ending, self.says]

    @property
    def problem(self) -> str:
        """What is not as it must be; empty if all is."""
        case = self.case
        wanted = (case.submitted, case.accepted, case.ending, case.says)
        is_good = (self.submitted, self.accepted, self.ending, self.says) == wanted
        return self.trouble or ("" if is_good else f"{self.cells[1:]}, and not {[*map(str, wanted)]}")


class FaultScenario:
    """One fault, on one deployment, with a portal of its own."""

    def __init__(self, case: Case, directory: Path, api: str) -> None:
        self.case = case
        self.name = case.name
        self.api = api
        self.directory = directory
        self.clock = ScaledClock(case.speed)
        self.portal = Emulator(case.settings or Settings(lag_time=LAG), self.clock)
        self.row = FaultRow(case)

    def connect(self, stack: ExitStack) -> dict[str, Any]:
        """Serve the portal, and return the connection to it."""
        stack.enter_context(self.portal)
        connection = self.portal.connection_for(api=self.api)
        if self.case.through_relay:
            bundle = self.directory / f"{self.case.name}.pem"
            relay = stack.enter_context(Relay(self.portal.url, self.portal.ca_file, bundle))
            connection["host"] = connection["host"].replace(self.portal.url, relay.url)
            connection["extra"]["verify"] = str(bundle)
        return connection

    def run(self, deployment: Deployment) -> FaultRow:
        """Act, and count; what goes wrong is told with the row."""
        case, row = self.case, self.row
        try:
            self.portal.add_offer(case.name)
            ACTS[case.act](self, deployment)
        except Exception as error:  # noqa: BLE001 - the other rows go on
            row.trouble = f"{type(error).__name__}: {error}"
        row.submitted = self.submitted
        row.accepted = sum(one["submissionType"] == "publish" for one in self.portal.operations(case.name))
        row.ending, row.says = str(deployment.task(case.dag_id, case.name)[0]), self._said(deployment)
        return row

    @property
    def submitted(self) -> int:
        """How many publishes were sent."""
        return self.portal.orders_for(self.case.name)["publish"]

    def inject(self, what: str, status: int, body: Any) -> None:
        """Answer all requests of a route so, as the API that is used calls it."""
        self.portal.inject(
            Fault("answer", route(what, self.api), self.case.name, 10**6, status=status, body=json.dumps(body))
        )

    def wait(self, deployment: Deployment, after_try: int = 0) -> None:
        """Wait until a later try has ended, or more was sent than may be."""

        def is_over() -> bool:
            state, number = deployment.task(self.case.dag_id, self.case.name)
            has_ended = number > after_try and state in ("success", "failed")
            return has_ended or self.submitted > self.case.submitted

        until(is_over, "the task has not ended")

    def clear(self, deployment: Deployment) -> None:
        """Clear the task once its run has ended, and wait for its end."""
        until(lambda: deployment.has_ended(self.case.dag_id, self.case.name), "the run has not ended")
        _, number = deployment.task(self.case.dag_id, self.case.name)  # its first run may have taken a retry
        deployment.clear(self.case.dag_id, self.case.name)
        self.wait(deployment, after_try=number)

    def _said(self, deployment: Deployment) -> str:
        """Return what the log must say if that of any try does."""
        limit = time.monotonic() + SECONDS_FOR_LOG
        while self.case.says not in deployment.log(self.case.dag_id, self.case.name):
            if time.monotonic() > limit:
                return "something else"
            time.sleep(0.2)
        return self.case.says


def interim_response(scenario: FaultScenario, deployment: Deployment) -> None:
    """Let the relay do its work."""
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)


def no_changes(scenario: FaultScenario, deployment: Deployment) -> None:
    """Refuse every publish with 409."""
    scenario.inject("publish", 409, {"error": {"code": "Conflict", "message": "The draft has no changes"}})
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)


def silent_list(scenario: FaultScenario, deployment: Deployment) -> None:
    """Kill the first try when its publish has been accepted, of which the list never tells."""
    case = scenario.case
    scenario.inject("submissions", 200, [] if scenario.api == "cloud_partner_portal" else {"value": []})
    gate = scenario.portal.gate(route("publish", scenario.api), after=True, offer=case.name)
    deployment.trigger(case.dag_id, case.name)
    gate.wait_until_reached(PATIENCE)
    kill_process(scenario.directory / "processes" / f"{case.name}.1")
    gate.open()
    scenario.wait(deployment, after_try=1)


def fewer_retries(scenario: FaultScenario, deployment: Deployment) -> None:
    """Clear the task when its ``retries`` have been lowered by as many as its tries."""
    assert isinstance(deployment, Airflow3)
    dag_id = scenario.case.dag_id
    deployment.trigger(dag_id, scenario.case.name)
    scenario.wait(deployment)
    scenario.clock.jump(days=10)
    retries = scenario.directory / "retries"
    lower = int(retries.read_text()) - 1
    retries.write_text(str(lower))
    deployment.parse_again(dag_id)
    until(lambda: deployment.retries(dag_id) == lower, "the DAG's file was not read again")
    scenario.clear(deployment)


def emptied_store(scenario: FaultScenario, deployment: Deployment) -> None:
    """Clear the task, and empty Airflow's store of its state."""
    assert isinstance(deployment, Airflow3)
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)
    scenario.clock.jump(days=10)
    assert deployment.empty_store(scenario.case.dag_id, scenario.case.name), "there was no checkpoint to lose"
    scenario.clear(deployment)


ACTS: dict[str, Callable[[FaultScenario, Deployment], None]] = {
    act.__name__: act for act in (interim_response, no_changes, silent_list, fewer_retries, emptied_store)
}
"""What is done, by its name in the cases."""


def fault_table(title: str, rows: list[FaultRow]) -> str:
    """Write the rows as they stand in the documentation."""
    headings = ("fault", "publishes submitted", "accepted", "the task ends", "its log says")
    lines = [f"### {title}", "", f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row.cells)} |" for row in rows)])
