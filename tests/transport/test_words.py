# SPDX-License-Identifier: Apache-2.0
"""What the network did, in words that somebody can act on, the same over both wires: which address, what, what to do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook

NOWHERE = "https://127.0.0.1:1"
PROXY = {"https": "http://me:hunter2@127.0.0.1:1"}
VERIFY = "a CA of your own goes into the connection's extra, as verify"
NAMED = "the proxy is named in the connection's extra, as proxies, or by HTTPS_PROXY of the environment"


@pytest.fixture(params=["requests", "aiohttp"])
def told(request: pytest.FixtureRequest) -> Callable[[], exceptions.MarketplaceError]:
    """Return a function that asks for a status, once, which must fail, and returns the error."""

    def fails() -> exceptions.MarketplaceError:
        hook = CloudPartnerPortalHook()
        once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
        with pytest.raises(exceptions.MarketplaceError) as caught:
            hook.run(once) if request.param == "requests" else asyncio.run(hook.arun(once))
        return caught.value

    return fails


@pytest.fixture
def signed_in(sign_in_by: Callable[..., Emulator], ways: dict[str, Any]) -> Emulator:
    """Return an emulator to which the connection has a token already."""
    return sign_in_by(ways["access_token"])


def test_where_nobody_answers_the_address_is_named(
    signed_in: Emulator, use: Callable[..., Any], told: Callable[[], exceptions.MarketplaceError]
) -> None:
    """A connection that is refused names the portal's address, as the connection or its default has it."""
    use(signed_in.connection_for("access_token"), host=NOWHERE)
    expected = r"^status of offer contoso/contoso-vm: no answer from https://127\.0\.0\.1:1: \w+: \[Errno 111\] Connect"
    error = told()
    assert (bool(re.search(expected, str(error))), error.retryable) == (True, True), str(error)


def test_an_untrusted_portal_is_final_and_sent_nothing(
    signed_in: Emulator, use: Callable[..., Any], told: Callable[[], exceptions.MarketplaceError]
) -> None:
    """Without the emulator's authority the error names the address, says what is wrong and where a CA goes, on both wires."""
    use(signed_in.connection_for("access_token"), extra={"verify": None})
    text = f"TLS: unable to get local issuer certificate; {VERIFY}"
    error = told()
    assert str(error) == f"status of offer contoso/contoso-vm: no answer from {signed_in.url}: {text}"
    assert (type(error), error.retryable, signed_in.requests) == (exceptions.CertificateVerifyError, False, [])


def test_an_untrusted_authority_is_told_alike(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    ways: dict[str, Any],
    told: Callable[[], exceptions.MarketplaceError],
) -> None:
    """The sign-in comes first, so it is what mostly meets a certificate that is not trusted: it says the same."""
    portal = sign_in_by(ways["client_secret"])
    use(portal.connection_for(), extra={"verify": None})
    error = told()
    assert str(error).endswith(f"failed: TLS: unable to get local issuer certificate; {VERIFY}")
    assert (type(error), error.retryable) == (exceptions.AuthenticationError, False)


@pytest.mark.parametrize("name", ["access_token", "client_secret"])
def test_a_proxy_that_is_not_there_is_said_to_be_one(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    ways: dict[str, Any],
    told: Callable[[], exceptions.MarketplaceError],
    name: str,
) -> None:
    """Where the way to the proxy fails, the error says where a proxy is named, and not its password."""
    use(sign_in_by(ways[name]).connection_for(name), extra={"proxies": PROXY})
    error = told()
    assert (str(error).endswith(f"; {NAMED}"), "hunter2" in str(error), error.retryable) == (True, False, True)


def test_a_connection_that_is_lost_is_told_in_words(
    signed_in: Emulator, told: Callable[[], exceptions.MarketplaceError]
) -> None:
    """An answer that breaks off is told as such, without the notation of Python's exceptions."""
    signed_in.inject(Fault("drop", "status", times=2))  # aiohttp asks for itself once more
    text = str(told())
    assert (f"no answer from {signed_in.url}: " in text, "('" in text) == (True, False), text
