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
from deployment import TIMEOUT, Airflow3, Deployment
from partner_center_emulator import Emulator, Fault, ScaledClock, Settings
from points import route
from relay import Relay
from scenario import LAG, kill_process, wait_until

SECONDS_FOR_LOG = 5.0
"""How long the last lines of a task's log may take to be written after Airflow has its state."""


@dataclass
class FaultRow:
    """The counts of a case: a line of the table."""

    case: Case
    submitted: int = 0
    accepted: int = 0
    ending: str = ""
    log_text: str = ""
    error: str = ""

    @property
    def cells(self) -> list[str]:
        """The line's cells."""
        return [self.case.description, str(self.submitted), str(self.accepted), self.ending, self.log_text]

    @property
    def problem(self) -> str:
        """The error, or the difference from what is expected; empty if there is none."""
        case = self.case
        expected = (case.submitted, case.accepted, case.ending, case.log_text)
        is_good = (self.submitted, self.accepted, self.ending, self.log_text) == expected
        return self.error or ("" if is_good else f"{self.cells[1:]}, expected {[*map(str, expected)]}")


class FaultScenario:
    """One fault, on one deployment, with an emulator of its own."""

    def __init__(self, case: Case, directory: Path, api: str) -> None:
        self.case = case
        self.name = case.name
        self.api = api
        self.directory = directory
        self.clock = ScaledClock(case.speed)
        self.emulator = Emulator(case.settings or Settings(lag_time=LAG), self.clock)
        self.row = FaultRow(case)

    def connect(self, stack: ExitStack) -> dict[str, Any]:
        """Start the emulator, and return the connection to it."""
        stack.enter_context(self.emulator)
        connection = self.emulator.connection_for(api=self.api)
        if self.case.through_relay:
            bundle = self.directory / f"{self.case.name}.pem"
            relay = stack.enter_context(Relay(self.emulator.url, self.emulator.ca_file, bundle))
            connection["host"] = connection["host"].replace(self.emulator.url, relay.url)
            connection["extra"]["verify"] = str(bundle)
        return connection

    def run(self, deployment: Deployment) -> FaultRow:
        """Act, and count; an error goes into the row."""
        case, row = self.case, self.row
        try:
            self.emulator.add_offer(case.name)
            ACTIONS[case.action](self, deployment)
        except Exception as error:  # noqa: BLE001 - the other rows continue
            row.error = f"{type(error).__name__}: {error}"
        row.submitted = self.submitted
        row.accepted = sum(one["submissionType"] == "publish" for one in self.emulator.operations(case.name))
        row.ending, row.log_text = str(deployment.task(case.dag_id, case.name)[0]), self._log_text(deployment)
        return row

    @property
    def submitted(self) -> int:
        """How many publishes were sent."""
        return self.emulator.submits_for(self.case.name)["publish"]

    def inject(self, name: str, status: int, body: Any) -> None:
        """Inject a response to all requests of a route, given as the CPP API's route."""
        self.emulator.inject(
            Fault("response", route(name, self.api), self.case.name, 10**6, status=status, body=json.dumps(body))
        )

    def wait(self, deployment: Deployment, after_try: int = 0) -> None:
        """Wait until a later try has ended, or more was sent than may be."""

        def is_over() -> bool:
            state, number = deployment.task(self.case.dag_id, self.case.name)
            has_ended = number > after_try and state in ("success", "failed")
            return has_ended or self.submitted > self.case.submitted

        wait_until(is_over, "the task has not ended")

    def clear(self, deployment: Deployment) -> None:
        """Clear the task once its run has ended, and wait for its end."""
        wait_until(lambda: deployment.has_ended(self.case.dag_id, self.case.name), "the run has not ended")
        _, number = deployment.task(self.case.dag_id, self.case.name)  # its first run may have used a retry
        deployment.clear(self.case.dag_id, self.case.name)
        self.wait(deployment, after_try=number)

    def _log_text(self, deployment: Deployment) -> str:
        """Return the expected text if the log of any try has it."""
        limit = time.monotonic() + SECONDS_FOR_LOG
        while self.case.log_text not in deployment.log(self.case.dag_id, self.case.name):
            if time.monotonic() > limit:
                return "something else"
            time.sleep(0.2)
        return self.case.log_text


def interim_response(scenario: FaultScenario, deployment: Deployment) -> None:
    """Run the DAG; the relay sends the interim responses."""
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)


def no_changes(scenario: FaultScenario, deployment: Deployment) -> None:
    """Refuse every publish with 409."""
    scenario.inject("publish", 409, {"error": {"code": "Conflict", "message": "The draft has no changes"}})
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)


def silent_list(scenario: FaultScenario, deployment: Deployment) -> None:
    """Kill the first try when its publish has been accepted, which the list never shows."""
    case = scenario.case
    scenario.inject("submissions", 200, [] if scenario.api == "cloud_partner_portal" else {"value": []})
    gate = scenario.emulator.gate(route("publish", scenario.api), after=True, offer=case.name)
    deployment.trigger(case.dag_id, case.name)
    gate.wait_until_reached(TIMEOUT)
    kill_process(scenario.directory / "processes" / f"{case.name}.1")
    gate.open()
    scenario.wait(deployment, after_try=1)


def fewer_retries(scenario: FaultScenario, deployment: Deployment) -> None:
    """Clear the task after its ``retries`` were lowered by its number of tries."""
    assert isinstance(deployment, Airflow3)
    dag_id = scenario.case.dag_id
    deployment.trigger(dag_id, scenario.case.name)
    scenario.wait(deployment)
    scenario.clock.jump(days=10)
    retries = scenario.directory / "retries"
    lower = int(retries.read_text()) - 1
    retries.write_text(str(lower))
    deployment.reparse(dag_id)
    wait_until(lambda: deployment.retries(dag_id) == lower, "the DAG file was not parsed again")
    scenario.clear(deployment)


def emptied_store(scenario: FaultScenario, deployment: Deployment) -> None:
    """Clear the task after Airflow's store of its state was emptied."""
    assert isinstance(deployment, Airflow3)
    deployment.trigger(scenario.case.dag_id, scenario.case.name)
    scenario.wait(deployment)
    scenario.clock.jump(days=10)
    assert deployment.empty_store(scenario.case.dag_id, scenario.case.name), "there was no checkpoint to delete"
    scenario.clear(deployment)


ACTIONS: dict[str, Callable[[FaultScenario, Deployment], None]] = {
    action.__name__: action for action in (interim_response, no_changes, silent_list, fewer_retries, emptied_store)
}
"""The actions, by their names in the cases."""


def fault_table(title: str, rows: list[FaultRow]) -> str:
    """Return the rows as a table, as in the documentation."""
    headings = ("fault", "publishes submitted", "accepted", "task state", "its log contains")
    lines = [f"### {title}", "", f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row.cells)} |" for row in rows)])
