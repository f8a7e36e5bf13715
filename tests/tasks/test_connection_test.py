# SPDX-License-Identifier: Apache-2.0
"""What Airflow's Test button says: what is right or wrong, and what to do about it."""

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

OFFER = "contoso-vm"


@pytest.fixture
def closed() -> Iterator[int]:
    """Return a port at which nobody answers, and nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def press(serve: Callable[..., Emulator], connect: Callable[..., None]) -> Callable[..., tuple[bool, str]]:
    """Return what presses the button, with these fields of the connection changed."""
    portal = serve()
    portal.add_offer(OFFER)

    def test(fault: Fault | None = None, **changes: Any) -> tuple[bool, str]:
        connect(portal, **changes)
        if fault is not None:
            portal.inject(fault)
        return CloudPartnerPortalHook().test_connection()

    return test


def test_success_says_where_and_what_was_found(press: Callable[..., tuple[bool, str]]) -> None:
    """It names the portal and the publisher, and counts the offers as a person does."""
    good, text = press()
    assert (good, text.startswith("Signed in to https://127.0.0.1:")) == (True, True)
    assert text.endswith(": publisher contoso has 1 offer")


def test_a_connection_without_a_publisher_is_a_good_one(press: Callable[..., tuple[bool, str]]) -> None:
    """Without a publisher it says for which ones the application may act, since each task may name one."""
    good, text = press(extra={"publisher_id": None})
    assert (good, text.partition(": ")[2]) == (
        True,
        "the application may act for contoso. The connection names no publisher, so each task must (publisher_id)",
    )


def test_an_application_that_may_act_for_nobody(press: Callable[..., tuple[bool, str]]) -> None:
    """Without a publisher, and with no right to any, it says how to get one."""
    good, text = press(Fault("answer", "publishers", status=200, body="[]"), extra={"publisher_id": None})
    assert (good, "may act for no publisher; add the service principal" in text) == (False, True)


REFUSED = {
    "wrong secret": ({"password": "wrong-secret"}, "AADSTS7000215", "enter its value, not its ID"),
    "wrong application": ({"login": "nobody"}, "AADSTS700016", "check the application (client) ID"),
    "wrong tenant": ({"extra": {"tenant_id": "elsewhere"}}, "AADSTS90002", "check the tenant ID"),
    "wrong scope": ({"extra": {"scope": "https://x.example/.default"}}, "AADSTS500011", "leave the scope empty"),
    "no access": ({"extra": {"publisher_id": "fabrikam"}}, "HTTP 403", "*enterprise application*"),
    "no bundle": ({"extra": {"verify": "/nowhere.pem"}}, "CA bundle /nowhere.pem does not exist", "in PEM format"),
    "untrusted": ({"extra": {"verify": None}}, "TLS: unable to get local issuer certificate", "a CA of your own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_what_was_said_and_what_to_do(press: Callable[..., tuple[bool, str]], case: str) -> None:
    """What Entra ID, the portal or TLS said is there as it came, and after it what a person is to do."""
    changes, said, advice = REFUSED[case]
    good, text = press(**changes)
    assert (good, said in text, advice in text.partition(said)[2]) == (False, True, True), text


@pytest.mark.parametrize("field", ["host", "authority"])
def test_what_does_not_answer_is_named(press: Callable[..., tuple[bool, str]], closed: int, field: str) -> None:
    """Portal or sign-in that cannot be reached is named by its address, and where the question came from."""
    address = f"https://127.0.0.1:{closed}"
    good, text = press(**({"host": address} if field == "host" else {"extra": {"authority": address}}))
    assert (good, f"nothing answers at {address}" in text, "firewall" in text) == (False, True, True), text
    assert "Airflow's API server" in text


def test_a_portal_that_failed_is_not_said_to_be_away(press: Callable[..., tuple[bool, str]]) -> None:
    """A 503 of the sign-in is an answer: nobody is sent to look for a firewall."""
    good, text = press(Fault("answer", "token", status=503))
    assert (good, "HTTP 503" in text, "firewall" in text, "try again" in text) == (False, True, False, True), text


def test_what_is_missing_is_named_without_a_name_that_airflow_made_up(press: Callable[..., tuple[bool, str]]) -> None:
    """Airflow tests a copy of the connection under a random name, which would tell nobody anything."""
    assert press(login=None, extra={"tenant_id": None}) == (
        False,
        "the connection cannot be used: it lacks login (application id), tenant_id in extra",
    )


def test_nobody_waits_for_long(connect: Callable[..., None], serve: Callable[..., Emulator]) -> None:
    """A portal that takes the question and gives no answer is given up, and the shorter of both limits counts."""
    portal = serve()
    connect(portal, extra={"request_timeout": 0.3})
    portal.inject(Fault("hang", "offers", seconds=3))
    good, text = CloudPartnerPortalHook().test_connection()
    assert (good, "Timeout" in text, portal.url in text) == (False, True, True), text


@pytest.mark.parametrize(("typed", "used"), [(None, connection_test.TIMEOUT), (600, connection_test.TIMEOUT), (2, 2)])
def test_the_button_has_a_limit_of_its_own(
    connect: Callable[..., None], serve: Callable[..., Emulator], typed: float | None, used: float
) -> None:
    """Whoever presses a button is not kept waiting for as long as a task may be."""
    connect(serve(), extra={"request_timeout": typed})
    settings = connection_test.with_short_timeout(CloudPartnerPortalHook().get_settings())
    assert (settings.request_timeout, connection_test.TIMEOUT <= 15) == (used, True)


def test_no_secret_is_shown(press: Callable[..., tuple[bool, str]]) -> None:
    """Whatever goes wrong, the secret that was typed is not in the words."""
    for changes, *_ in REFUSED.values():
        secret = "a-secret-that-was-typed"
        assert secret not in press(**{"password": secret} | changes)[1]


@pytest.mark.parametrize("port", [None, 443, 8443])
def test_the_port_has_a_field_of_its_own(
    connect: Callable[..., None], serve: Callable[..., Emulator], port: Any
) -> None:
    """A port given beside the address counts, also where the address is empty; 443 is what https means anyway."""
    portal, base = serve(), "https://portal.example"
    shown = f":{port}" if port == 8443 else ""
    for host, expected in ((base, base), (None, "https://cloudpartner.azure.com"), ("portal.example", base)):
        connect(portal, host=host, port=port)
        assert CloudPartnerPortalHook().get_settings().base_url == f"{expected}{shown}"


def test_a_port_that_stands_in_the_address_too() -> None:
    """The same port twice is one port; two different ones are an error that names both."""
    fields: Any = {"host": "https://portal.example:8443", "login": None, "password": None}
    extra = {"auth": "managed_identity"}
    assert (
        Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, port=8443, extra=extra).base_url
        == "https://portal.example:8443"
    )
    with pytest.raises(exceptions.ConfigurationError, match="host names port 8443, and port says 443"):
        Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, port=443, extra=extra)
