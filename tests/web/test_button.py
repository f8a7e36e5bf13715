# SPDX-License-Identifier: Apache-2.0
"""The messages of the Test button."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from deployments.airflow import Deployment
from partner_center_emulator import Emulator, Fault
from playwright.sync_api import Page
from web.pages import press_test, row_of

Press = Callable[..., tuple[bool, str]]


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port that accepts connections and sends nothing, as behind a firewall."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """Return a port that nothing listens on, and that stays free."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def press(page: Page, emulator: Emulator, deployment: Deployment) -> Press:
    """Return a function that presses the Test button of a connection with some fields changed."""

    def test(name: str = "tested", *, extra: dict[str, Any] | None = None, **changes: Any) -> tuple[bool, str]:
        connection = emulator.connection
        host, _, port = connection["host"].rpartition(":")
        fields = connection | {"host": host, "port": int(port)} | changes
        kept = {key: value for key, value in (connection["extra"] | (extra or {})).items() if value is not None}
        deployment.api.set_connection(fields | {"extra": kept}, name)
        page.goto("/connections")
        return press_test(page, name)

    return test


def test_a_valid_connection(press: Press, page: Page, screenshot: Callable[..., None], emulator: Emulator) -> None:
    """The test of a valid connection succeeds, and shows the publisher and the number of offers."""
    assert press("contoso") == (True, f"Signed in to {emulator.url}: publisher contoso has 1 offer")
    screenshot("test-success", page.get_by_role("status"))


def test_a_wrong_secret(press: Press, page: Page, screenshot: Callable[..., None]) -> None:
    """A wrong secret is reported with Entra ID's message and the advice for it, and is not shown."""
    wrong = "a-secret-that-is-wrong"
    good, text = press("contoso", password=wrong)
    assert not good
    assert "AADSTS7000215: Invalid client secret" in text
    assert wrong not in text
    assert text.endswith("the secret is wrong: enter its value, not its ID")
    screenshot("test-wrong-secret", page.get_by_role("status"))


def test_no_access(press: Press, page: Page, screenshot: Callable[..., None]) -> None:
    """If the application has no access to the publisher, the message names the account and role to add."""
    good, text = press("contoso", extra={"publisher_id": "fabrikam"})
    assert not good
    assert "publisher fabrikam: HTTP 403" in text
    assert "add the service principal to the publisher's account as Owner or Contributor" in text
    screenshot("test-no-access", page.get_by_role("status"))


@pytest.mark.parametrize("field", ["host", "authority"])
def test_a_host_that_cannot_be_reached(press: Press, closed: int, field: str) -> None:
    """A host that does not respond, of the API or of the authority, is reported with its address and what to check."""
    address = f"https://127.0.0.1:{closed}"
    changes = {"port": closed} if field == "host" else {"extra": {"authority": address}}
    good, text = press(**changes)
    assert not good
    assert "Connection refused" in text
    assert f"{address} does not respond" in text
    assert "firewalls and proxies" in text


def test_a_host_that_never_responds(press: Press, silent: int) -> None:
    """Without a response, the time limit of the test ends it, also if the connection's timeout is longer."""
    good, text = press(port=silent, extra={"request_timeout": 600})
    assert not good
    assert f"https://127.0.0.1:{silent} does not respond" in text
    assert "timed out" in text


def test_missing_fields(press: Press) -> None:
    """The message names all missing fields, and not the random id under which Airflow tests a connection."""
    good, text = press(login=None, extra={"tenant_id": None})
    assert (good, text) == (
        False,
        "the connection cannot be used: it lacks login (application id), tenant_id in extra",
    )


def test_a_failing_api(press: Press, emulator: Emulator) -> None:
    """If the API fails, the message has its status and advises to try again."""
    emulator.inject(Fault("response", "offers", status=503))
    good, text = press()
    assert not good
    assert "HTTP 503" in text
    assert text.endswith("try again in some minutes")


def test_airflow_rejects_a_connection_without_a_port(press: Press, page: Page) -> None:
    """Airflow 3.3.2 rejects the test if the port is empty; when this test fails, remove the note from the documentation."""
    good, text = press("without-port", port=None)
    assert (good, text) == (False, "Bad Request")
    assert row_of(page, "without-port").is_visible()
