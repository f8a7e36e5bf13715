# SPDX-License-Identifier: Apache-2.0
"""Every example runs in Airflow against the emulator; of the one that needs a deployment, the structure is checked."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, ScaledClock, Settings
from support.search import LOUD, hidden_in, parts_of_token, texts_of, without_airflows_own
from support.versions import DEBUG_LINE, HAS_APPROVALS, HAS_TASK_SDK

OFFER = "contoso-vm"
MANY_OFFERS = ("contoso-db", "contoso-web")
FOLDER = Path(__file__).parents[2] / "example_dags"
DAGS = Path(__file__).parents[1] / "dags"
SIGNATURE = "c2lnbmVkLWJ5LW5vYm9keQ%3D%3D"
"""The signature of the example's SAS URL."""

SUBMITS = {
    "draft": ("put", "configure_draft"),
    "publish": ("publish", "configure_publish"),
    "golive": ("golive", "configure_golive"),
    "cancel": ("cancel", "configure_cancel"),
}
"""The routes of each submit, in both APIs."""

APIS = ("cloud_partner_portal", "product_ingestion")
NOT_RUN = {"full_release"}
"""Examples that only a deployment can finish; their structure is checked instead."""


@dataclass(frozen=True)
class Example:
    """What an example should do: its submits, the offer's final status, and a text in its log."""

    status: str
    submits: dict[str, int]
    logged: str
    offers: tuple[str, ...] = (OFFER,)
    settings: dict[str, Any] = field(default_factory=dict)
    is_published_before: bool = False
    apis: tuple[str, ...] = APIS


SIGNED_OFF: dict[str, Any] = {"sign_off_after": timedelta(hours=6)}
STALE_READS = {"lag_status": 2, "lag_list": 2, "lag_operation": 2}

EXAMPLES = {
    "publish_and_wait": Example(
        "succeeded", {"publish": 1}, "its preview is ready; not live yet", settings=SIGNED_OFF | STALE_READS
    ),
    "many_offers": Example(
        "succeeded",
        {"publish": 2},
        "contoso-web: it is live",
        offers=MANY_OFFERS,
        settings=SIGNED_OFF | STALE_READS,
    ),
    "new_image_version": Example(
        "succeeded", {"draft": 1, "publish": 1, "golive": 1}, "it is live", offers=("contoso-linux",)
    ),
    "correct_and_republish": Example(
        "waitingForPublisherReview",
        {"draft": 1, "publish": 1, "cancel": 1},
        "its preview is ready; not live yet",
        offers=("contoso-gateway",),
        is_published_before=True,
        apis=APIS[:1],  # it changes the CPP API's document, and cancels any operation in progress
    ),
    "hook_alone": Example("succeeded", {"draft": 1}, "contoso-vm: succeeded", apis=APIS[:1]),
}
ON_BOTH = (APIS[0], pytest.param(APIS[1], marks=pytest.mark.again))
RUNS = [
    pytest.param(dag_id, api, marks=[pytest.mark.again] if api == APIS[1] else [])
    for api in reversed(APIS)
    for dag_id, example in EXAMPLES.items()
    if api in example.apis
]
"""Those of the Product Ingestion API first: it is polled once a minute."""


@pytest.fixture(scope="module", autouse=True)
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of examples; for Airflow 2, with the one change to them that the documentation names."""
    if HAS_TASK_SDK:
        yield FOLDER
        return
    folder = tmp_path_factory.mktemp("examples")
    for path in FOLDER.glob("*.py"):
        changed = path.read_text().replace("from airflow.sdk import", "from airflow.providers.common.compat.sdk import")
        if "hitl" not in changed:
            (folder / path.name).write_text(changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
        yield folder


def run(
    dag_id: str, emulator: Emulator, folder: Path | None = None, api: str = APIS[0]
) -> subprocess.CompletedProcess[str]:
    connection = emulator.connection_for(api=api)
    connection["extra"]["poll_interval"] = 0.2
    environment = os.environ | LOUD | {"AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT": json.dumps(connection)}
    if folder is not None:
        environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
    command = [sys.executable, "-m", "airflow", "dags", "test", dag_id]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def secrets_of(emulator: Emulator) -> list[str]:
    """Return the secrets of the emulator and of an example."""
    tokens = [part for token in emulator.tokens for part in parts_of_token(token)]
    return [emulator.client_secret, *tokens, SIGNATURE]


def output_of(home: Path, result: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return a run's output at DEBUG, and everything that it left in Airflow's home."""
    assert DEBUG_LINE in result.stdout + result.stderr
    return {"stdout": without_airflows_own(result.stdout), "stderr": result.stderr, **texts_of(home)}


def test_every_example_is_tested() -> None:
    """These tests know every example."""
    assert {path.stem for path in FOLDER.glob("*.py")} == set(EXAMPLES) | NOT_RUN


@pytest.mark.long
@pytest.mark.parametrize(("dag_id", "api"), RUNS)
def test_an_example_succeeds(airflow_home: Path, dag_id: str, api: str) -> None:
    """With each connection type the example succeeds, submits what it should, and shows no secret."""
    example = EXAMPLES[dag_id]
    with Emulator(Settings(**example.settings), ScaledClock(speed=200_000)) as emulator:
        for offer in example.offers:
            emulator.add_offer(offer, history="succeeded")
            if example.is_published_before:
                emulator.person(offer, "publish")
        result = run(dag_id, emulator, api=api)
        shown = result.stdout + result.stderr
        assert result.returncode == 0, shown[-5000:]
        statuses = {emulator.status(offer)["status"] for offer in example.offers}
        counts = {kind: sum(emulator.counts[route] for route in routes) for kind, routes in SUBMITS.items()}
        secrets = secrets_of(emulator)
    assert statuses == {example.status}
    assert {kind: count for kind, count in counts.items() if count} == example.submits
    assert example.logged in shown
    assert hidden_in(output_of(airflow_home, result), secrets) == []


@pytest.mark.long
def test_a_refused_offer_does_not_stop_the_waits_of_the_others(airflow_home: Path) -> None:
    """If the API refuses one of many offers, its task fails, and the other offer is published and awaited until it is live."""
    refused, released = MANY_OFFERS
    with Emulator(Settings(**SIGNED_OFF), ScaledClock(speed=200_000)) as emulator:
        emulator.add_offer(refused, "invalid")
        emulator.add_offer(released)
        result = run("many_offers", emulator)
        status = emulator.status(released)["status"]
    shown = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"publish offer contoso/{refused}: HTTP 422" in shown
    assert f"{released}: it is live" in shown
    assert status == "succeeded"


@pytest.mark.skipif(not HAS_APPROVALS, reason="full_release: a person's approval came with Airflow 3.1")
def test_the_structure_of_the_full_release(airflow_home: Path) -> None:
    """A person decides between preview and going live, and only a failed wait for the preview leads to a cancel."""
    dag = runpy.run_path(str(FOLDER / "full_release.py"))["full_release"]()
    upstream = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert upstream == {
        "add_image": set(),
        "publish": {"add_image"},
        "preview": {"publish"},
        "approval": {"preview"},
        "go_live": {"publish", "approval"},
        "live": {"publish", "go_live"},
        "announce": {"publish", "live"},
        "cancel": {"publish", "preview"},
    }
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks if task.trigger_rule.value != "all_success"}
    assert rules == {"cancel": "one_failed"}
    waits = [task for task in dag.tasks if task.task_id in ("preview", "live")]
    assert [(wait.deferrable, wait.until) for wait in waits] == [(True, None), (True, "live")]
    for name in ("go_live", "cancel", "preview", "live"):
        assert dag.get_task(name).operation.operator is dag.get_task("publish")


@pytest.mark.long
@pytest.mark.parametrize(
    ("api", "expected"),
    [
        (APIS[0], "publication failed at step Certification: Plan gold : CVE-2026-0001 is not patched"),
        pytest.param(
            APIS[1],
            "publication failed at step preview: certification failed: Operation failed (internalServerError",
            marks=pytest.mark.again,
        ),
    ],
)
def test_a_rejected_certification_fails_the_run_with_its_reason(airflow_home: Path, api: str, expected: str) -> None:
    """A rejected offer fails the run with the certification team's words, and no secret is shown."""
    with Emulator(Settings(), ScaledClock(speed=400_000)) as emulator:
        emulator.add_offer(OFFER, "blocked-then-rejected")
        result = run("publish_and_wait", emulator, api=api)
        shown = result.stdout + result.stderr
        secrets = secrets_of(emulator)
    assert result.returncode != 0
    assert expected in shown
    assert hidden_in(output_of(airflow_home, result), secrets) == []


@pytest.mark.long
@pytest.mark.parametrize("api", ON_BOTH)
def test_every_wait_mode_in_airflow(airflow_home: Path, api: str) -> None:
    """The operator's wait and the sensor's three all succeed on one publication, each in Airflow's own runner."""
    settings = Settings(sign_off_after=timedelta(hours=1))
    with Emulator(settings, ScaledClock(speed=60_000)) as emulator:
        emulator.add_offer(OFFER, history="failed")
        result = run("every_way_of_waiting", emulator, DAGS, api)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
        status, submits = emulator.status(OFFER)["status"], emulator.submits_for(OFFER)
    assert status == "succeeded"
    assert submits == {"publish": 1, "golive": 0, "cancel": 0}
    assert (result.stdout + result.stderr).count("contoso-vm: it is live") == 3
