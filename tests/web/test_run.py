# SPDX-License-Identifier: Apache-2.0
"""A run of the first example on Airflow's web page: its log, its operation, its links."""

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
    """Run the example with the connection that was made in the form; returns what the portal knows of its publish."""
    api, portal = deployment.api, connected

    def states() -> dict[str, str]:
        found = {one["task_id"]: one["state"] for one in api.task_instances(DAG, RUN)}
        assert "failed" not in found.values(), found
        return found

    def reaches(task: str, state: str) -> None:
        wait_until(lambda: states().get(task) == state, f"{task} is {state}", 240)

    def looks() -> int:
        return portal.counts_for(OFFER)["operation"]

    api.trigger(DAG, RUN)
    wait_until(lambda: states() and portal.counts_for(OFFER)["publish"], "the offer is published", 240)
    portal.clock.jump(hours=20)
    reaches("preview", "deferred")
    before = looks()
    wait_until(lambda: looks() > before + 1, "the triggerer looks")
    portal.clock.jump(days=4)
    reaches("live", "deferred")
    (publish,) = [one for one in portal.operations(OFFER) if one["submissionState"] == "running"]
    portal.person(OFFER, "sign-off")
    portal.clock.jump(days=3)
    wait_until(lambda: api.run(DAG, RUN)["state"] == "success", "the run ends well", 240)
    return publish


def test_the_log_says_what_happens(page: Page, operation: dict[str, Any], picture: Callable[..., None]) -> None:
    """The publish names its operation, and the wait tells step by step until the preview is ready."""
    page.goto(f"{PAGE}/tasks/publish")
    lines = page.get_by_role("code").first
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: publish accepted as operation {operation['id']}")
    page.goto(f"{PAGE}/tasks/preview")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: its preview is ready; not live yet")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: Certification: Step completed.")
    picture("run-log", lines)
    page.goto(f"{PAGE}/tasks/live")
    expect(lines).to_contain_text(f"offer contoso/{OFFER}: it is live")


def test_the_operation_is_in_xcom(page: Page, operation: dict[str, Any], picture: Callable[..., None]) -> None:
    """What the publish returned is shown as the operation that the portal knows, with nothing else in it."""
    page.goto(f"{PAGE}/tasks/publish/xcom")
    page.get_by_role("button", name="Expand all extra JSON").click()
    row = page.get_by_role("row").filter(has_text="return_value")
    expect(row).to_contain_text(operation["id"])
    shown = json.loads(re.sub(r"\s+", "", row.get_by_role("cell").nth(2).inner_text()).partition("}")[0] + "}")
    assert (shown["operation_id"], list(shown)) == (operation["id"], FIELDS)
    picture("run-xcom", page.get_by_role("table"))


def test_the_links_lead_to_the_offer(
    page: Page, operation: dict[str, Any], connected: Emulator, picture: Callable[..., None]
) -> None:
    """A task that has ended has a button for each of its links, which opens the right page."""
    page.goto(f"{PAGE}/tasks/publish/details")
    targets = {
        "Azure Marketplace": f"https://azuremarketplace.microsoft.com/marketplace/apps/contoso.{OFFER}",
        "Publisher's portal": f"{connected.url}/?offer={OFFER}",
    }
    for name, target in targets.items():
        expect(page.get_by_role("link", name=name)).to_have_attribute("href", target)
    links = [page.get_by_role("link", name=name) for name in (*targets, "Logs", "Details")]
    picture("run-links", page.get_by_role("heading", name="publish"), *links)


@pytest.mark.parametrize("tab", ["rendered_templates", "task-state-store", "code", "events"])
def test_nothing_else_of_the_task_shows_a_secret(page: Page, operation: dict[str, Any], tab: str) -> None:
    """Every other page of the task is drawn, and, as for each page of these tests, no secret came with it."""
    page.goto(f"{PAGE}/tasks/publish/{tab}")
    expect(page.get_by_role("heading", name="publish")).to_be_visible()
    page.wait_for_load_state("networkidle")
