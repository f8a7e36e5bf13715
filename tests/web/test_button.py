# SPDX-License-Identifier: Apache-2.0
"""What the Test button says, as a person reads it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from deployments.airflow import Deployment
from partner_center_emulator import Emulator, Fault
from playwright.sync_api import Page
from web.pages import press_test, row_of


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port that takes connections and says nothing, as what is behind a firewall does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """Return a port at which nobody answers, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def press(page: Page, portal: Emulator, deployment: Deployment) -> Callable[..., tuple[bool, str]]:
    """Return what presses the button of a connection in which some fields are other than they should be."""

    def test(name: str = "tested", *, extra: dict[str, Any] | None = None, **changes: Any) -> tuple[bool, str]:
        made = portal.connection
        host, _, port = made["host"].rpartition(":")
        fields = made | {"host": host, "port": int(port)} | changes
        kept = {key: value for key, value in (made["extra"] | (extra or {})).items() if value is not None}
        deployment.api.set_connection(fields | {"extra": kept}, name)
        page.goto("/connections")
        return press_test(page, name)

    return test


def test_success(
    press: Callable[..., tuple[bool, str]], page: Page, picture: Callable[..., None], portal: Emulator
) -> None:
    """A connection that is right is said to be, with what was found by it."""
    assert press("contoso") == (True, f"Signed in to {portal.url}: publisher contoso has 1 offer")
    picture("test-success", page.get_by_role("status"))


def test_a_wrong_secret(press: Callable[..., tuple[bool, str]], page: Page, picture: Callable[..., None]) -> None:
    """A wrong secret is said to be that, in Entra ID's words and in ours, without being shown."""
    wrong = "a-secret-that-is-wrong"
    good, text = press("contoso", password=wrong)
    assert (good, "AADSTS7000215: Invalid client secret" in text, wrong in text) == (False, True, False)
    assert text.endswith("the secret is wrong: enter its value, not its ID")
    picture("test-wrong-secret", page.get_by_role("status"))


def test_no_access(press: Callable[..., tuple[bool, str]], page: Page, picture: Callable[..., None]) -> None:
    """An application that may not act for the publisher is told who is to be added where."""
    good, text = press("contoso", extra={"publisher_id": "fabrikam"})
    assert (good, "publisher fabrikam: HTTP 403" in text) == (False, True)
    assert "add the service principal to the publisher's account as Owner or Contributor" in text
    picture("test-no-access", page.get_by_role("status"))


@pytest.mark.parametrize("field", ["host", "authority"])
def test_a_host_that_cannot_be_reached(press: Callable[..., tuple[bool, str]], closed: int, field: str) -> None:
    """What does not answer is named with its address, be it the portal or the sign-in, and where to look."""
    address = f"https://127.0.0.1:{closed}"
    changes = {"port": closed} if field == "host" else {"extra": {"authority": address}}
    good, text = press(**changes)
    assert (good, "Connection refused" in text, f"nothing answers at {address}" in text) == (False, True, True)
    assert "(firewall, proxies)" in text


def test_a_host_that_never_answers(press: Callable[..., tuple[bool, str]], silent: int) -> None:
    """Nobody waits for a minute: where no answer comes, the button's own limit ends the wait."""
    good, text = press(port=silent, extra={"request_timeout": 600})
    assert (good, f"nothing answers at https://127.0.0.1:{silent}" in text) == (False, True)
    assert "timed out" in text


def test_what_is_missing(press: Callable[..., tuple[bool, str]]) -> None:
    """All that is missing is named at once, and not the random name under which Airflow tests a connection."""
    good, text = press(login=None, extra={"tenant_id": None})
    assert (good, text) == (
        False,
        "the connection cannot be used: it lacks login (application id), tenant_id in extra",
    )


def test_a_portal_in_trouble(press: Callable[..., tuple[bool, str]], portal: Emulator) -> None:
    """A portal that fails is said to have failed, and that this may pass."""
    portal.inject(Fault("answer", "offers", status=503))
    good, text = press()
    assert (good, "HTTP 503" in text, text.endswith("try again in some minutes")) == (False, True, True)


def test_this_airflow_refuses_a_connection_without_a_port(press: Callable[..., tuple[bool, str]], page: Page) -> None:
    """Airflow 3.3.2 asks nobody where the port is empty; once this fails, the documentation's word on that can go."""
    good, text = press("without-port", port=None)
    assert (good, text) == (False, "Bad Request")
    assert row_of(page, "without-port").is_visible()
