# SPDX-License-Identifier: Apache-2.0
"""Airflow's UI in a real browser: one deployment, one emulator and one Chromium for all tests."""

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
OUTPUT = ROOT / ".e2e/web"
"""Airflow's home, a screenshot of the page at the end of each test, and the responses that the page received."""

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or OUTPUT / "screenshots")
"""The folder for screenshots; ``make screenshots`` sets it to that of the documentation."""

REQUIRED = bool(os.environ.get("E2E_REQUIRE_ALL"))
"""Whether a test fails instead of being skipped."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install chromium"
VIEWPORT = {"width": 1280, "height": 800}
TIMEOUT = 60.0
"""Seconds to wait for an element of a page: a machine may be busy."""


class WithTestButton(OneMachine):
    """Airflow on one machine, with the Test button for connections enabled."""

    def settings(self) -> dict[str, str]:
        """Return this deployment's own settings."""
        return super().settings() | {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Debian's Chromium without a window."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        text = f"chromium is missing: {INSTALL}"
        if REQUIRED:
            pytest.fail(text)
        pytest.skip(text)
    expect.set_options(timeout=TIMEOUT * 1000)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def emulator(browser: Browser) -> Iterator[Emulator]:
    """Serve an emulator with one offer; only a test advances its clock by days, and only a test signs off."""
    with Emulator(Settings(), ScaledClock(1.0), directory=OUTPUT / "emulator") as emulator:
        emulator.add_offer(OFFER, history="succeeded")
        yield emulator


@pytest.fixture(scope="session")
def deployment(emulator: Emulator) -> Iterator[Deployment]:
    """Serve Airflow with the examples, and without a connection."""
    for name in ("pages", "received"):
        shutil.rmtree(OUTPUT / name, ignore_errors=True)
    with WithTestButton(OUTPUT / "airflow", ROOT / "example_dags") as airflow:
        yield airflow


@pytest.fixture(scope="session")
def visit(
    browser: Browser, deployment: Deployment, emulator: Emulator
) -> Callable[[str], contextlib.AbstractContextManager[Page]]:
    """Return a function that opens a page in a new session, and checks that no response to it contains a secret."""

    @contextlib.contextmanager
    def opened(name: str) -> Iterator[Page]:
        received = OUTPUT / f"received/{name}.har"
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
        context.set_default_timeout(TIMEOUT * 1000)
        page = context.new_page()
        try:
            yield page
        finally:
            is_opened = page.url != "about:blank"
            page.screenshot(path=OUTPUT / f"pages/{name}.png")
            context.close()
        entries = json.loads(received.read_text())["log"]["entries"]
        texts = {one["request"]["url"]: one["response"]["content"].get("text", "") for one in entries}
        secrets = [emulator.client_secret, *(part for token in emulator.tokens for part in parts_of_token(token))]
        assert bool(texts) == is_opened
        assert hidden_in(texts, secrets) == []

    return opened


@pytest.fixture
def page(
    visit: Callable[[str], contextlib.AbstractContextManager[Page]], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Open a page for one test."""
    with visit(re.sub(r"[^\w-]+", "-", request.node.name)) as opened:
        yield opened


@pytest.fixture(scope="session")
def connected(visit: Callable[[str], contextlib.AbstractContextManager[Page]], emulator: Emulator) -> Emulator:
    """Create the default connection in the form, and return the emulator that it is for."""
    connection = emulator.connection
    host, _, port = connection["host"].rpartition(":")
    with visit("connecting") as page:
        form = ConnectionForm(page, DEFAULT)
        form.fill_standard({"API address": host, "API port": port})
        form.fill_standard(
            {
                "Application (client) ID": connection["login"],
                "Client secret, passphrase or token": connection["password"],
            }
        )
        labels = {
            "Tenant ID": "tenant_id",
            "Publisher ID": "publisher_id",
            "Authority": "authority",
            "CA bundle": "verify",
            "Poll interval": "poll_interval",
        }
        form.fill_extra({label: str(connection["extra"][key]) for label, key in labels.items()})
        form.save()
    return emulator


@pytest.fixture
def screenshot(page: Page) -> Callable[..., None]:
    """Return a function that takes a screenshot of a part of the page."""

    def take(name: str, *parts: Locator, margin: int = 8) -> None:
        """Take a screenshot.

        :param name: the name of its file.
        :param parts: the elements to include.
        :param margin: pixels around them.
        """
        page.evaluate("document.activeElement.blur()")
        boxes = settled(parts)
        left, top = (max(0, min(box[side] for box in boxes) - margin) for side in ("x", "y"))
        right, bottom = (
            max(box[side] + box[length] for box in boxes) + margin for side, length in (("x", "width"), ("y", "height"))
        )
        clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        page.screenshot(path=SCREENSHOTS / f"{name}.png", clip=clip, animations="disabled", scale="css")

    def settled(parts: Sequence[Locator]) -> list[dict[str, float]]:
        """Return the positions of elements, once they are stable."""
        boxes: list[Any] = []

        def is_stable() -> bool:
            before, boxes[:] = list(boxes), [part.bounding_box() for part in parts]
            return before == boxes and None not in boxes

        wait_until(is_stable, "the page is stable", interval=0.3)
        return boxes

    return take
