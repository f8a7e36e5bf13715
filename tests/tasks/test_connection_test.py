# SPDX-License-Identifier: Apache-2.0
"""What Airflow's Test button reports: what works or not, and what to do about it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.hooks import connection_test
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sync import SyncSession

OFFER = "contoso-vm"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port on which nothing listens, and nothing else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def press(serve: Callable[..., Emulator], connect: Callable[..., None]) -> Callable[..., tuple[bool, str]]:
    """Return a function that presses the button, with fields of the connection changed."""
    emulator = serve()
    emulator.add_offer(OFFER)

    def test(fault: Fault | None = None, **changes: Any) -> tuple[bool, str]:
        connect(emulator, **changes)
        if fault is not None:
            emulator.inject(fault)
        return CloudPartnerPortalHook().test_connection()

    return test


def test_success_names_the_address_and_the_publisher(press: Callable[..., tuple[bool, str]]) -> None:
    """The text names the API's address and the publisher, and counts its offers."""
    success, text = press()
    assert success
    assert text.startswith("Signed in to https://127.0.0.1:")
    assert text.endswith(": publisher contoso has 1 offer")


def test_a_connection_may_lack_a_publisher(press: Callable[..., tuple[bool, str]]) -> None:
    """Without a publisher the text names those that the application may act for, since each task may name one."""
    success, text = press(extra={"publisher_id": None})
    assert success
    assert (
        text.partition(": ")[2]
        == "the application may act for contoso. The connection names no publisher, so each task needs publisher_id"
    )


def test_an_application_without_access_to_any_publisher(press: Callable[..., tuple[bool, str]]) -> None:
    """Without a publisher, and without access to any, the text explains how to get it."""
    success, text = press(Fault("response", "publishers", status=200, body="[]"), extra={"publisher_id": None})
    assert not success
    assert "may act for no publisher; add the service principal" in text


REFUSALS = {
    "wrong secret": ({"password": "wrong-secret"}, "AADSTS7000215", "enter its value, not its ID"),
    "wrong application": ({"login": "nobody"}, "AADSTS700016", "check the application (client) ID"),
    "wrong tenant": ({"extra": {"tenant_id": "elsewhere"}}, "AADSTS90002", "check the tenant ID"),
    "wrong scope": ({"extra": {"scope": "https://x.example/.default"}}, "AADSTS500011", "leave the scope empty"),
    "no access": ({"extra": {"publisher_id": "fabrikam"}}, "HTTP 403", "*enterprise application*"),
    "no bundle": ({"extra": {"verify": "/nowhere.pem"}}, "CA bundle /nowhere.pem does not exist", "in PEM format"),
    "untrusted": ({"extra": {"verify": None}}, "TLS: unable to get local issuer certificate", "a CA of your own"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_repeated_with_advice(press: Callable[..., tuple[bool, str]], case: str) -> None:
    """The message of Entra ID, the API or TLS is repeated, followed by what to do."""
    changes, message, advice = REFUSALS[case]
    success, text = press(**changes)
    assert not success
    assert message in text
    assert advice in text.partition(message)[2]


@pytest.mark.parametrize("field", ["host", "authority"])
def test_an_unreachable_address_is_named(press: Callable[..., tuple[bool, str]], closed_port: int, field: str) -> None:
    """If API or sign-in cannot be reached, the text names the address and where the request came from."""
    address = f"https://127.0.0.1:{closed_port}"
    success, text = press(**({"host": address} if field == "host" else {"extra": {"authority": address}}))
    assert not success
    assert f"{address} does not respond" in text
    assert "firewall" in text
    assert "Airflow's API server" in text


def test_a_server_error_is_not_called_unreachable(press: Callable[..., tuple[bool, str]]) -> None:
    """A 503 of the sign-in is a response, so the text does not mention a firewall."""
    success, text = press(Fault("response", "token", status=503))
    assert not success
    assert "HTTP 503" in text
    assert "firewall" not in text
    assert "try again" in text


def test_missing_fields_are_named_without_airflow_s_random_connection_name(
    press: Callable[..., tuple[bool, str]],
) -> None:
    """The text does not mention the random name of the copy that Airflow tests."""
    assert press(login=None, extra={"tenant_id": None}) == (
        False,
        "the connection cannot be used: it lacks login (application id), tenant_id in extra",
    )


def test_a_request_without_response_is_given_up(connect: Callable[..., None], serve: Callable[..., Emulator]) -> None:
    """A request without a response is given up after the shorter of both timeouts."""
    emulator = serve()
    connect(emulator, extra={"request_timeout": 0.3})
    emulator.inject(Fault("hang", "offers", seconds=3))
    success, text = CloudPartnerPortalHook().test_connection()
    assert not success
    assert "Timeout" in text
    assert emulator.url in text


@pytest.mark.parametrize(("typed", "used"), [(None, connection_test.TIMEOUT), (600, connection_test.TIMEOUT), (2, 2)])
def test_the_button_has_its_own_timeout(
    connect: Callable[..., None],
    serve: Callable[..., Emulator],
    monkeypatch: pytest.MonkeyPatch,
    typed: float | None,
    used: float,
) -> None:
    """A person who presses the button waits for less time than a task may."""
    connect(serve(), extra={"request_timeout": typed})
    monkeypatch.setattr(SyncSession, "run", lambda session, _: (True, session.settings.request_timeout))
    assert CloudPartnerPortalHook().test_connection() == (True, used)
    assert connection_test.TIMEOUT <= 15


def test_no_secret_is_shown(press: Callable[..., tuple[bool, str]]) -> None:
    """Whatever goes wrong, the text does not contain the secret."""
    for changes, *_ in REFUSALS.values():
        secret = "a-secret-in-the-form"
        assert secret not in press(**{"password": secret} | changes)[1]


@pytest.mark.parametrize("port", [None, 443, 8443])
def test_the_port_has_its_own_field(
    connect: Callable[..., None], serve: Callable[..., Emulator], port: int | None
) -> None:
    """A port in its own field is used, also with an empty host; 443 is the default of https."""
    emulator, base = serve(), "https://portal.example"
    shown = f":{port}" if port == 8443 else ""
    for host, expected in ((base, base), (None, "https://cloudpartner.azure.com"), ("portal.example", base)):
        connect(emulator, host=host, port=port)
        assert CloudPartnerPortalHook().get_settings().base_url == f"{expected}{shown}"


def test_a_port_in_the_address_and_in_its_field() -> None:
    """The same port twice is one port; two different ones are an error that names both."""
    fields: Any = {"host": "https://portal.example:8443", "login": None, "password": None}
    extra = {"auth": "managed_identity"}
    assert (
        Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, port=8443, extra=extra).base_url
        == "https://portal.example:8443"
    )
    with pytest.raises(exceptions.ConfigurationError, match="host has port 8443, but the port field has 443"):
        Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, port=443, extra=extra)
