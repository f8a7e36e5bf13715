# SPDX-License-Identifier: Apache-2.0
"""Effects of people, and of Airflow's own limits, on waiting tasks: those in the documentation's table, and no others."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from deployments.airflow import Deployment
from deployments.processes import wait_until
from e2e.scenario import Row, Scenario
from e2e.where import on_one_machine
from partner_center_emulator import Emulator, Fault, ScaledClock, Settings

RUNS = {
    "failed": "person",
    "succeeded": "person",
    "cleared": "person",
    "paused": "person",
    "new-version": "person",
    "short-run": "short_run",
    "short-execution": "short_execution",
    "short-wait": "short_wait",
    "soft-wait": "soft_wait",
    "retried": "retried",
    "crowded": "crowded",
}
"""The DAG of each run, by the run's offer; all runs start at once."""

EXAMPLE = Path(__file__).parents[2] / "example_dags/full_release.py"
ENDED = ("success", "failed")


class People:
    """The runs and their emulator."""

    def __init__(self, deployment: Deployment, emulator: Emulator, clock: ScaledClock) -> None:
        self.deployment, self.emulator, self.clock = deployment, emulator, clock
        self.api = deployment.api

    def state(self, offer: str, task_id: str = "publish") -> str | None:
        """Return the state of a run's task."""
        instances = self.api.task_instances(RUNS[offer], offer)
        return next((one["state"] for one in instances if one["task_id"].rpartition(".")[2] == task_id), None)

    def until(self, offer: str, *states: str, task_id: str = "publish") -> str | None:
        """Wait until a run's task is in one of these states, and return its state."""
        wait_until(lambda: self.state(offer, task_id) in states, f"{task_id} of {offer} is {' or '.join(states)}", 120)
        return self.state(offer, task_id)

    def counts(self, offer: str) -> tuple[str, int, int]:
        """Return an offer's status, and how often it was published and canceled."""
        counts = self.emulator.counts_for(offer)
        return self.emulator.status(offer)["status"], counts["publish"], counts["cancel"]

    def log(self, offer: str, task_id: str = "publish") -> str:
        """Return the log of a task's first try."""
        return self.api.log(RUNS[offer], offer, task_id, 1)


@pytest.fixture(scope="module")
def people(deployment: Deployment) -> Iterator[People]:
    """Start all runs; a publication takes days, until a test advances the clock."""
    clock = ScaledClock(1)
    with Emulator(Settings(), clock) as emulator:
        deployment.api.set_connection(emulator.connection)
        for offer, dag_id in RUNS.items():
            emulator.add_offer(offer)
            if offer == "retried":
                emulator.inject(Fault("response", "publish", offer=offer, status=429, headers={"Retry-After": "1"}))
            deployment.api.trigger(dag_id, offer, {"offer": offer})
        yield People(deployment, emulator, clock)


@on_one_machine
@pytest.mark.parametrize(("offer", "state"), [("failed", "failed"), ("succeeded", "success")])
def test_marking_a_waiting_task_ends_only_the_wait(people: People, offer: str, state: str) -> None:
    """A task that a person marks while it waits keeps that state, and its publication continues."""
    people.until(offer, "deferred")
    people.api.set_state(RUNS[offer], offer, "publish", state)
    wait_until(lambda: people.api.run(RUNS[offer], offer)["state"] in ENDED, f"the run of {offer} ends")
    assert people.state(offer) == state
    assert people.counts(offer) == ("running", 1, 0)


@on_one_machine
def test_a_cleared_waiting_task_continues_with_its_operation(people: People) -> None:
    """A cleared task waits for the operation that it submitted before, and submits nothing."""
    people.until("cleared", "deferred")
    people.api.clear(RUNS["cleared"], "cleared", "publish")
    wait_until(lambda: people.state("cleared") != "deferred", "the clear takes effect")
    people.until("cleared", "deferred")
    assert people.counts("cleared") == ("running", 1, 0)


@on_one_machine
def test_dagrun_timeout_ends_the_run_and_not_the_publication(people: People) -> None:
    """A run that takes too long fails; the offer's operation continues."""
    people.until("short-run", "deferred", "skipped", "failed")
    wait_until(lambda: people.api.run("short_run", "short-run")["state"] == "failed", "the run times out")
    assert people.counts("short-run") == ("running", 1, 0)


@on_one_machine
def test_execution_timeout_ends_the_task_and_not_the_publication(people: People) -> None:
    """A task that executes for too long fails, and logs that its operation continues."""
    assert people.until("short-execution", *ENDED) == "failed"
    assert people.counts("short-execution") == ("running", 1, 0)
    assert "continues" in people.log("short-execution")


@on_one_machine
@pytest.mark.parametrize(("offer", "state"), [("short-wait", "failed"), ("soft-wait", "skipped")])
def test_a_sensor_that_times_out_logs_the_offer_state(people: People, offer: str, state: str) -> None:
    """The sensor's timeout fails it, or skips it with soft_fail, and the log has the offer's state."""
    assert people.until(offer, "failed", "skipped", "success", task_id="wait") == state
    assert people.counts(offer) == ("running", 1, 0)
    assert "gave up waiting for preview" in people.log(offer, "wait")


@on_one_machine
def test_all_waits_end_after_some_days(people: People) -> None:
    """Runs of a paused DAG, of a changed DAG, with a retry and in a pool all succeed, and publish once."""
    for offer in ("paused", "new-version", "retried"):
        people.until(offer, "deferred")
    people.until("crowded", "deferred", task_id="wait")
    file = people.deployment.home / "dags/people.py"
    file.write_text(file.read_text().replace('"retries": 0', '"retries": 1'))
    versions = f"dags/{RUNS['new-version']}/dagVersions"
    wait_until(lambda: people.api.request("GET", versions)["total_entries"] > 1, "there is a new version of the DAG")
    people.api.pause("person", paused=True)
    people.clock.jump(days=10)
    assert people.until("retried", *ENDED) == "success"
    assert people.until("crowded", *ENDED, task_id="wait") == "success"
    people.api.pause("person", paused=False)
    for offer in ("paused", "new-version", "cleared"):
        assert people.until(offer, *ENDED) == "success"
    published = {offer: people.emulator.counts_for(offer)["publish"] for offer in RUNS}
    assert published == dict.fromkeys(RUNS, 1) | {"retried": 2}  # the first one was rejected with 429
    assert people.emulator.counts["cancel"] == 0


def test_a_person_approves_between_preview_and_going_live(
    deployment: Deployment, report: Callable[[Row], None]
) -> None:
    """The example waits until a person approves through the REST API, and then goes live."""
    api, speed = deployment.api, 5 * 86400 / 15
    with Scenario(deployment, "approval", offers=1, dag_id="full_release", speed=speed, signed_off=False) as scenario:
        emulator, (offer,), run = scenario.emulator, scenario.offers, f"dags/full_release/dagRuns/{scenario.run_id}"
        api.request("POST", "variables", {"key": "image_url_secret", "value": image_url()})
        shutil.copy(EXAMPLE, deployment.home / "dags")
        wait_until(lambda: "full_release" in json.dumps(api.request("GET", "dags")), "the example is parsed")
        api.trigger("full_release", scenario.run_id, {"offer_id": offer})
        task = f"{run}/taskInstances/approval"
        wait_until(
            lambda: api.request("GET", task)["state"] in ("deferred", "awaiting_input"), "it waits for approval", 150
        )
        assert emulator.status(offer)["status"] == "waitingForPublisherReview"
        assert emulator.counts["golive"] == 0
        # Airflow fails a task that is approved before its executor has reported that it paused; a person is slower than that.
        time.sleep(3)
        api.request("PATCH", f"{task}/-1/hitlDetails", {"chosen_options": ["Approve"], "params_input": {}})
        scenario.record("a person approved the preview through the REST API", affected=1)
        report(scenario.count())
        states = {one["task_id"]: one["state"] for one in api.task_instances("full_release", scenario.run_id)}
        counts: dict[str, Any] = {name: emulator.counts[name] for name in ("put", "publish", "golive", "cancel")}
    assert counts == {"put": 1, "publish": 1, "golive": 1, "cancel": 0}
    assert states.pop("cancel") == "skipped"
    assert set(states.values()) == {"success"}


def image_url() -> str:
    """Return the URL of an image with a signature that is valid for long enough."""
    start, end = (datetime.now(timezone.utc) + timedelta(days=days) for days in (-2, 40))
    times = "&".join(f"{name}={moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in (("st", start), ("se", end)))
    signature = "c2lnbmVkLWJ5LW5vYm9keQ%3D%3D"
    return f"https://contosoimages.blob.core.windows.net/vhds/new.vhd?sv=2024-11-04&sr=c&sp=rl&{times}&sig={signature}"
