# SPDX-License-Identifier: Apache-2.0
"""A run of the first example in Airflow's UI: its log, its operation, its links."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from deployments.airflow import Deployment
from deployments.processes import wait_until
from partner_center_emulator import Emulator
from playwright.sync_api import Page, expect
from web.pages import OFFER

DAG, RUN = "publish_and_wait", "release"
FIELDS = ["api", "publisher_id", "offer_id", "operation_id", "location", "kind", "submitted_at"]
PAGE = f"/dags/{DAG}/runs/{RUN}"


@pytest.fixture(scope="module")
def operation(connected: Emulator, deployment: Deployment) -> dict[str, Any]:
    """Run the example with the connection from the form, and return its publish operation from the emulator."""
    api, emulator = deployment.api, connected

    def states() -> dict[str, str]:
        by_task = {one["task_id"]: one["state"] for one in api.task_instances(DAG, RUN)}
        assert "failed" not in by_task.values(), by_task
        return by_task

    def wait_for(task: str, state: str) -> None:
        wait_until(lambda: states().get(task) == state, f"{task} is {state}", 240)

    def polls() -> int:
        return emulator.counts_for(OFFER)["operation"]

    api.trigger(DAG, RUN)
    wait_until(lambda: states() and emulator.counts_for(OFFER)["publish"], "the offer is published", 240)
    emulator.clock.jump(hours=20)
    wait_for("preview", "deferred")
    before = polls()
    wait_until(lambda: polls() > before + 1, "the triggerer polls")
    emulator.clock.jump(days=4)
    wait_for("live", "deferred")
    (publish,) = [one for one in emulator.operations(OFFER) if one["submissionState"] == "running"]
    emulator.person(OFFER, "sign-off")
    emulator.clock.jump(days=3)
    wait_until(lambda: api.run(DAG, RUN)["state"] == "success", "the run succeeds", 240)
    return publish


def test_the_log_shows_the_progress(page: Page, operation: dict[str, Any], screenshot: Callable[..., None]) -> None:
    """The publish logs its operation, and the wait logs each step until the preview is ready."""
    page.goto(f"{PAGE}/tasks/publish")
    lines = page.get_by_role("code").first
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: publish accepted as operation {operation['id']}")
    page.goto(f"{PAGE}/tasks/preview")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: its preview is ready; not live yet")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: Certification: Step completed.")
    screenshot("run-log", lines)
    page.goto(f"{PAGE}/tasks/live")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: it is live")


def test_the_operation_is_in_xcom(page: Page, operation: dict[str, Any], screenshot: Callable[..., None]) -> None:
    """The XCom page shows the returned operation with its id, and no other fields."""
    page.goto(f"{PAGE}/tasks/publish/xcom")
    page.get_by_role("button", name="Expand all extra JSON").click()
    row = page.get_by_role("row").filter(has_text="return_value")
    expect(row).to_contain_text(operation["id"])
    shown = json.loads(re.sub(r"\s+", "", row.get_by_role("cell").nth(2).inner_text()).partition("}")[0] + "}")
    assert shown["operation_id"] == operation["id"]
    assert list(shown) == FIELDS
    screenshot("run-xcom", page.get_by_role("table"))


def test_the_links_lead_to_the_offer(
    page: Page, operation: dict[str, Any], connected: Emulator, screenshot: Callable[..., None]
) -> None:
    """An ended task has a button for each of its links, with the right URL."""
    page.goto(f"{PAGE}/tasks/publish/details")
    targets = {
        "Azure Marketplace": f"https://azuremarketplace.microsoft.com/marketplace/apps/contoso.{OFFER}",
        "Partner Center": f"{connected.url}/?offer={OFFER}",
    }
    for name, target in targets.items():
        expect(page.get_by_role("link", name=name)).to_have_attribute("href", target)
    links = [page.get_by_role("link", name=name) for name in (*targets, "Logs", "Details")]
    screenshot("run-links", page.get_by_role("heading", name="publish"), *links)


@pytest.mark.parametrize("tab", ["rendered_templates", "task-state-store", "code", "events"])
def test_no_other_page_of_the_task_shows_a_secret(page: Page, operation: dict[str, Any], tab: str) -> None:
    """Every other page of the task is shown, and no response to it contains a secret."""
    page.goto(f"{PAGE}/tasks/publish/{tab}")
    expect(page.get_by_role("heading", name="publish")).to_be_visible()
    page.wait_for_load_state("networkidle")
