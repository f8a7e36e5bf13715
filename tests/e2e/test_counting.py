# SPDX-License-Identifier: Apache-2.0
"""The table shows what was lost, submitted twice or canceled, and a fault that affects nothing is an error."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from deployments.airflow import TASK_PROCESS
from e2e.scenario import Scenario


class ApiClient:
    """A client of the CPP API on a scenario's emulator."""

    def __init__(self, scenario: Scenario) -> None:
        self.emulator = scenario.emulator
        self.session = requests.Session()
        self.session.trust_env = False
        form = {
            "grant_type": "client_credentials",
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            "scope": "https://cloudpartner.azure.com/.default",
        }
        path = f"{self.emulator.tenant_id}/oauth2/v2.0/token"
        token = self.session.post(
            f"{self.emulator.url}/{path}", data=form, verify=self.emulator.ca_file, timeout=9
        ).json()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def submit(self, offer: str, kind: str) -> int:
        """Submit an operation for an offer, and return the status of the response."""
        url = f"{self.emulator.url}/api/publishers/contoso/offers/{offer}/{kind}?api-version=2017-10-31"
        return self.session.post(url, json={"metadata": {}}, verify=self.emulator.ca_file, timeout=9).status_code


def fake_deployment(home: Path, *failed: int) -> Any:
    """Return a fake deployment in which the tasks with these map indexes failed."""
    tasks = [
        {"map_index": index, "state": "failed" if index in failed else "success", "rendered_fields": {"offer_id": name}}
        for index, name in enumerate(("counted-0", "counted-1"))
    ]
    api = SimpleNamespace(
        set_connection=lambda *_: None,
        run=lambda *_names: {"state": "failed" if failed else "success"},
        task_instances=lambda *_names: tasks,
    )
    return SimpleNamespace(name="none", home=home, api=api)


@pytest.mark.parametrize(
    ("submits", "failed", "counts"),
    [
        (("0 publish", "1 publish"), (), (2, 2, 0, 0, 0)),
        (("0 publish",), (), (1, 1, 1, 0, 0)),
        (("0 publish", "1 publish"), (1,), (2, 2, 1, 0, 0)),
        (("0 publish", "1 publish", "1 publish"), (), (2, 2, 0, 1, 0)),
        (("0 publish", "1 publish", "1 cancel"), (), (2, 1, 1, 0, 2)),
    ],
    ids=["all published", "one never published", "one task failed", "one published twice", "one canceled"],
)
def test_failures_are_counted(
    submits: tuple[str, ...], failed: tuple[int, ...], counts: tuple[int, ...], tmp_path: Path
) -> None:
    """The row counts published, live, lost, twice submitted and canceled offers."""
    with Scenario(fake_deployment(tmp_path, *failed), "counted", offers=2) as scenario:
        client = ApiClient(scenario)
        for submit in submits:
            number, kind = submit.split()
            client.submit(f"counted-{number}", kind)
        row = scenario.count()
    assert (row.published, row.live, row.lost, row.duplicates, row.canceled) == counts
    assert row.is_good == (counts == (2, 2, 0, 0, 0))


def test_a_rejected_second_submit_is_counted(tmp_path: Path) -> None:
    """A second publish counts as a duplicate although the API rejects it."""
    with Scenario(fake_deployment(tmp_path), "counted", offers=2) as scenario:
        client = ApiClient(scenario)
        statuses = [client.submit("counted-0", "publish"), client.submit("counted-0", "publish")]
        assert statuses == [202, 409]
        assert scenario.count().duplicates == 1


def test_a_fault_that_affects_nothing_fails_its_scenario(tmp_path: Path) -> None:
    """A fault that affects nothing is an error, not a row of zeros."""
    with (
        Scenario(fake_deployment(tmp_path), "counted", offers=2) as scenario,
        pytest.raises(AssertionError, match="affected nothing"),
    ):
        scenario.record("a triggerer without triggers was killed", affected=0)


def test_idle_workers_are_not_killed_with_the_tasks() -> None:
    """The title of a process that executes a task is recognized; those of LocalExecutor's workers are not."""
    assert TASK_PROCESS.match("airflow worker -- 019ad3c5-7f3e-7d0c-b0a5-0f1c7d4d8a11")
    assert not TASK_PROCESS.match("airflow worker -- LocalExecutor: <idle>")
    assert not TASK_PROCESS.match("airflow worker -- LocalExecutor: deferred.wait scheduled__2026-11-03")
