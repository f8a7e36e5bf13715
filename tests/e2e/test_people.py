# SPDX-License-Identifier: Apache-2.0
"""What people, and Airflow's own limits, do to tasks that wait: as the table in the documentation says, and no more."""

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
"""The runs, which begin all at once, by the offer of each; and their DAGs."""

EXAMPLE = Path(__file__).parents[2] / "example_dags/full_release.py"
OVER = ("success", "failed")


class People:
    """The runs, and the portal behind them."""

    def __init__(self, deployment: Deployment, portal: Emulator, clock: ScaledClock) -> None:
        self.deployment, self.portal, self.clock = deployment, portal, clock
        self.api = deployment.api

    def state(self, offer: str, task_id: str = "publish") -> str | None:
        """Return the state of a run's task."""
        found = self.api.task_instances(RUNS[offer], offer)
        return next((one["state"] for one in found if one["task_id"].rpartition(".")[2] == task_id), None)

    def until(self, offer: str, *states: str, task_id: str = "publish") -> str | None:
        """Wait for a state of a run's task."""
        wait_until(lambda: self.state(offer, task_id) in states, f"{task_id} of {offer} is {' or '.join(states)}", 120)
        return self.state(offer, task_id)

    def at_portal(self, offer: str) -> tuple[str, int, int]:
        """Return an offer's status, and how often it was published and canceled."""
        counts = self.portal.counts_for(offer)
        return self.portal.status(offer)["status"], counts["publish"], counts["cancel"]

    def log(self, offer: str, task_id: str = "publish") -> str:
        """Return the log of a task's first try."""
        return self.api.log(RUNS[offer], offer, task_id, 1)


@pytest.fixture(scope="module")
def people(deployment: Deployment) -> Iterator[People]:
    """Begin all runs; a publication lasts for days, until somebody lets them pass."""
    clock = ScaledClock(1)
    with Emulator(Settings(), clock) as portal:
        deployment.api.set_connection(portal.connection)
        for offer, dag_id in RUNS.items():
            portal.add_offer(offer)
            if offer == "retried":
                portal.inject(Fault("answer", "publish", offer=offer, status=429, headers={"Retry-After": "1"}))
            deployment.api.trigger(dag_id, offer, {"offer": offer})
        yield People(deployment, portal, clock)


@on_one_machine
@pytest.mark.parametrize(("offer", "state"), [("failed", "failed"), ("succeeded", "success")])
def test_marking_a_task_that_waits_ends_the_wait_only(people: People, offer: str, state: str) -> None:
    """A task that a person marks while it waits stays what it was marked, and its publication goes on."""
    people.until(offer, "deferred")
    people.api.set_state(RUNS[offer], offer, "publish", state)
    wait_until(lambda: people.api.run(RUNS[offer], offer)["state"] in OVER, f"the run of {offer} ends")
    assert (people.state(offer), people.at_portal(offer)) == (state, ("running", 1, 0))


@on_one_machine
def test_clearing_a_task_that_waits_goes_on_with_its_operation(people: People) -> None:
    """A cleared task waits for the operation that it ordered before, and orders nothing anew."""
    people.until("cleared", "deferred")
    people.api.clear(RUNS["cleared"], "cleared", "publish")
    wait_until(lambda: people.state("cleared") != "deferred", "the clear is acted on")
    people.until("cleared", "deferred")
    assert people.at_portal("cleared") == ("running", 1, 0)


@on_one_machine
def test_dagrun_timeout_ends_the_run_and_not_the_publication(people: People) -> None:
    """A run that took too long fails; the offer's operation goes on."""
    people.until("short-run", "deferred", "skipped", "failed")
    wait_until(lambda: people.api.run("short_run", "short-run")["state"] == "failed", "the run times out")
    assert people.at_portal("short-run") == ("running", 1, 0)


@on_one_machine
def test_execution_timeout_ends_the_task_and_not_the_publication(people: People) -> None:
    """A task that executes for too long fails, and says that its operation goes on."""
    assert people.until("short-execution", *OVER) == "failed"
    assert people.at_portal("short-execution") == ("running", 1, 0)
    assert "goes on" in people.log("short-execution")


@on_one_machine
@pytest.mark.parametrize(("offer", "state"), [("short-wait", "failed"), ("soft-wait", "skipped")])
def test_a_sensor_that_gives_up_says_where_the_offer_stood(people: People, offer: str, state: str) -> None:
    """The sensor's timeout fails it, or skips it where that is wanted, with the offer's state in its log."""
    assert people.until(offer, "failed", "skipped", "success", task_id="wait") == state
    assert people.at_portal(offer) == ("running", 1, 0)
    assert "gave up waiting for preview" in people.log(offer, "wait")


@on_one_machine
def test_after_some_days_all_that_wait_have_gone_on(people: People) -> None:
    """Paused and unpaused, changed meanwhile, retried with a delay, and in a crowd: each ends well, published once."""
    for offer in ("paused", "new-version", "retried"):
        people.until(offer, "deferred")
    people.until("crowded", "deferred", task_id="wait")
    file = people.deployment.home / "dags/people.py"
    file.write_text(file.read_text().replace('"retries": 0', '"retries": 1'))
    versions = f"dags/{RUNS['new-version']}/dagVersions"
    wait_until(lambda: people.api.ask("GET", versions)["total_entries"] > 1, "there is a new version of the DAG")
    people.api.pause("person", paused=True)
    people.clock.jump(days=10)
    assert people.until("retried", *OVER) == "success"
    assert people.until("crowded", *OVER, task_id="wait") == "success"
    people.api.pause("person", paused=False)
    for offer in ("paused", "new-version", "cleared"):
        assert people.until(offer, *OVER) == "success"
    published = {offer: people.portal.counts_for(offer)["publish"] for offer in RUNS}
    assert published == dict.fromkeys(RUNS, 1) | {"retried": 2}  # the first one was refused with 429
    assert people.portal.counts["cancel"] == 0


def test_a_person_approves_between_preview_and_going_live(
    deployment: Deployment, report: Callable[[Row], None]
) -> None:
    """The example waits for a person, who answers through the REST API, and then goes live."""
    api, speed = deployment.api, 5 * 86400 / 15
    with Scenario(deployment, "approval", offers=1, dag_id="full_release", speed=speed, signed_off=False) as scenario:
        portal, (offer,), run = scenario.portal, scenario.offers, f"dags/full_release/dagRuns/{scenario.run_id}"
        api.ask("POST", "variables", {"key": "image_url_secret", "value": image_url()})
        shutil.copy(EXAMPLE, deployment.home / "dags")
        wait_until(lambda: "full_release" in json.dumps(api.ask("GET", "dags")), "the example is read")
        api.trigger("full_release", scenario.run_id, {"offer_id": offer})
        task = f"{run}/taskInstances/approval"
        wait_until(lambda: api.ask("GET", task)["state"] in ("deferred", "awaiting_input"), "it asks", 150)
        waited = (portal.status(offer)["status"], portal.counts["golive"])
        assert waited == ("waitingForPublisherReview", 0)
        # A person is not quicker than Airflow, which fails a task whose answer comes before its executor said that it paused.
        time.sleep(3)
        api.ask("PATCH", f"{task}/-1/hitlDetails", {"chosen_options": ["Approve"], "params_input": {}})
        scenario.note("a person approved of the preview through the REST API", strikes=1)
        report(scenario.count())
        states = {one["task_id"]: one["state"] for one in api.task_instances("full_release", scenario.run_id)}
        counts: dict[str, Any] = {name: portal.counts[name] for name in ("put", "publish", "golive", "cancel")}
    assert counts == {"put": 1, "publish": 1, "golive": 1, "cancel": 0}
    assert (states.pop("cancel"), set(states.values())) == ("skipped", {"success"})


def image_url() -> str:
    """Return an image's address with a signature that is good for long enough."""
    begins, ends = (datetime.now(timezone.utc) + timedelta(days=days) for days in (-2, 40))
    times = "&".join(f"{name}={moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in (("st", begins), ("se", ends)))
    signature = "c2lnbmVkLWJ5LW5vYm9keQ%3D%3D"
    return f"https://contosoimages.blob.core.windows.net/vhds/new.vhd?sv=2024-11-04&sr=c&sp=rl&{times}&sig={signature}"
