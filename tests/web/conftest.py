# SPDX-License-Identifier: Apache-2.0
"""Airflow's web page in a real browser: one deployment, one portal and one Chromium for all tests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from deployments.airflow import Deployment, OneMachine
from deployments.processes import wait_until
from partner_center_emulator import Emulator, ScaledClock, Settings
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from support.search import hidden_in, parts_of_token
from web.pages import DEFAULT, OFFER, ConnectionForm

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".e2e/web"
"""Airflow's home, what the page looked like at the end of each test, and what came from Airflow meanwhile."""

PICTURES = Path(os.environ.get("SCREENSHOTS") or KEPT / "pictures")
"""Where the pictures go that the documentation shows; only ``make screenshots`` names its folder."""

REQUIRED = bool(os.environ.get("E2E_REQUIRE_ALL"))
"""Whether what would be skipped fails instead."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install chromium"
VIEWPORT = {"width": 1280, "height": 800}
PATIENCE = 60.0
"""Seconds to wait for something on a page: a machine may be busy."""


class WithTestButton(OneMachine):
    """Airflow on one machine, with the button that tests a connection."""

    def settings(self) -> dict[str, str]:
        """Return the settings that are this deployment's own."""
        return super().settings() | {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Debian's Chromium, without a window."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        text = f"chromium is missing: {INSTALL}"
        if REQUIRED:
            pytest.fail(text)
        pytest.skip(text)
    expect.set_options(timeout=PATIENCE * 1000)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def portal(browser: Browser) -> Iterator[Emulator]:
    """Serve a portal with one offer; days pass when a test says so, and nobody but a test signs off."""
    with Emulator(Settings(), ScaledClock(1.0), directory=KEPT / "portal") as emulator:
        emulator.add_offer(OFFER, history="succeeded")
        yield emulator


@pytest.fixture(scope="session")
def deployment(portal: Emulator) -> Iterator[Deployment]:
    """Serve Airflow with the examples; its first connection is still to be made."""
    for name in ("pages", "received"):
        shutil.rmtree(KEPT / name, ignore_errors=True)
    with WithTestButton(KEPT / "airflow", ROOT / "example_dags") as airflow:
        yield airflow


@pytest.fixture(scope="session")
def visit(
    browser: Browser, deployment: Deployment, portal: Emulator
) -> Callable[[str], contextlib.AbstractContextManager[Page]]:
    """Return what opens a page as somebody new sees it; whatever Airflow sent to it must be without secrets."""

    @contextlib.contextmanager
    def opened(name: str) -> Iterator[Page]:
        received = KEPT / f"received/{name}.har"
        context = browser.new_context(
            base_url=deployment.api.url,
            viewport=VIEWPORT,
            device_scale_factor=1,
            color_scheme="light",
            reduced_motion="reduce",
            locale="en-US",
            timezone_id="UTC",
            record_har_path=received,
            record_har_content="embed",
            record_har_url_filter=re.compile(r"/(api|ui)/"),
        )
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        try:
            yield page
        finally:
            is_opened = page.url != "about:blank"
            page.screenshot(path=KEPT / f"pages/{name}.png")
            context.close()
        answers = json.loads(received.read_text())["log"]["entries"]
        texts = {one["request"]["url"]: one["response"]["content"].get("text", "") for one in answers}
        secrets = [portal.client_secret, *(part for token in portal.tokens for part in parts_of_token(token))]
        assert (bool(texts), hidden_in(texts, secrets)) == (is_opened, [])

    return opened


@pytest.fixture
def page(
    visit: Callable[[str], contextlib.AbstractContextManager[Page]], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Open a page for one test."""
    with visit(re.sub(r"[^\w-]+", "-", request.node.name)) as opened:
        yield opened


@pytest.fixture(scope="session")
def connected(visit: Callable[[str], contextlib.AbstractContextManager[Page]], portal: Emulator) -> Emulator:
    """Make the default connection as a person does, in the form; returns the portal behind it."""
    made = portal.connection
    host, _, port = made["host"].rpartition(":")
    with visit("connecting") as page:
        form = ConnectionForm(page, DEFAULT)
        form.fill_standard({"Portal address": host, "Portal port": port})
        form.fill_standard(
            {"Application (client) ID": made["login"], "Client secret, passphrase or token": made["password"]}
        )
        labels = {
            "Tenant ID": "tenant_id",
            "Publisher ID": "publisher_id",
            "Authority": "authority",
            "CA bundle": "verify",
        }
        form.fill_extra({label: made["extra"][key] for label, key in labels.items()})
        form.save()
    return portal


@pytest.fixture
def picture(page: Page) -> Callable[..., None]:
    """Return what takes a picture of a part of the page."""

    def take(name: str, *parts: Locator, margin: int = 8) -> None:
        """Take it.

        :param name: of its file.
        :param parts: what is on it, whole.
        :param margin: pixels around them.
        """
        page.evaluate("document.activeElement.blur()")
        boxes = settled(parts)
        left, top = (max(0, min(box[side] for box in boxes) - margin) for side in ("x", "y"))
        right, bottom = (
            max(box[side] + box[length] for box in boxes) + margin for side, length in (("x", "width"), ("y", "height"))
        )
        clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        page.screenshot(path=PICTURES / f"{name}.png", clip=clip, animations="disabled", scale="css")

    def settled(parts: Sequence[Locator]) -> list[dict[str, float]]:
        """Return where parts of the page are, once they stay there."""
        found: list[Any] = []

        def stay() -> bool:
            before, found[:] = list(found), [part.bounding_box() for part in parts]
            return before == found and None not in found

        wait_until(stay, "the page stays as it is", pause=0.3)
        return found

    return take
