# SPDX-License-Identifier: Apache-2.0
"""Network errors with the address, the problem and the remedy, the same with both HTTP clients."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook

NOWHERE = "https://127.0.0.1:1"
PROXY = {"https": "http://me:hunter2@127.0.0.1:1"}
VERIFY = "to trust a CA of your own, set verify in the connection's extra"
NAMED = "check the proxy: proxies in the connection's extra, or HTTPS_PROXY in the environment"


@pytest.fixture(params=["requests", "aiohttp"])
def failure(request: pytest.FixtureRequest) -> Callable[[], exceptions.MarketplaceError]:
    """Return a function that reads a status once, which must fail, and returns the error."""

    def fails() -> exceptions.MarketplaceError:
        hook = CloudPartnerPortalHook()
        once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
        with pytest.raises(exceptions.MarketplaceError) as caught:
            hook.run(once) if request.param == "requests" else asyncio.run(hook.arun(once))
        return caught.value

    return fails


@pytest.fixture
def signed_in(sign_in_by: Callable[..., Emulator], methods: dict[str, AuthMethod]) -> Emulator:
    """Return an emulator for whose connection there is a token already."""
    return sign_in_by(methods["access_token"])


def test_a_refused_connection_names_the_address(
    signed_in: Emulator, use: Callable[..., dict[str, Any]], failure: Callable[[], exceptions.MarketplaceError]
) -> None:
    """A refused connection names the API's address, configured or default."""
    use(signed_in.connection_for("access_token"), host=NOWHERE)
    expected = (
        r"^status of offer contoso/contoso-vm: no response from https://127\.0\.0\.1:1: \w+: \[Errno 111\] Connect"
    )
    error = failure()
    assert re.search(expected, str(error))
    assert error.retryable


def test_an_untrusted_certificate_is_not_retryable(
    signed_in: Emulator, use: Callable[..., dict[str, Any]], failure: Callable[[], exceptions.MarketplaceError]
) -> None:
    """With an unknown authority nothing is sent, and the error names the address, the problem and where to configure a CA."""
    use(signed_in.connection_for("access_token"), extra={"verify": None})
    text = f"TLS: unable to get local issuer certificate; {VERIFY}"
    error = failure()
    assert str(error) == f"status of offer contoso/contoso-vm: no response from {signed_in.url}: {text}"
    assert type(error) is exceptions.CertificateVerifyError
    assert error.retryable is False
    assert signed_in.requests == []


def test_an_untrusted_sign_in_has_the_same_error(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    methods: dict[str, AuthMethod],
    failure: Callable[[], exceptions.MarketplaceError],
) -> None:
    """The sign-in, which comes first, reports an untrusted certificate the same way."""
    emulator = sign_in_by(methods["client_secret"])
    use(emulator.connection_for(), extra={"verify": None})
    error = failure()
    assert str(error).endswith(f"failed: TLS: unable to get local issuer certificate; {VERIFY}")
    assert type(error) is exceptions.AuthenticationError
    assert error.retryable is False


@pytest.mark.parametrize("name", ["access_token", "client_secret"])
def test_an_unreachable_proxy_is_named_as_a_proxy(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    methods: dict[str, AuthMethod],
    failure: Callable[[], exceptions.MarketplaceError],
    name: str,
) -> None:
    """If the proxy is unreachable, the error says where a proxy is configured, without its password."""
    use(sign_in_by(methods[name]).connection_for(name), extra={"proxies": PROXY})
    error = failure()
    assert str(error).endswith(f"; {NAMED}")
    assert "hunter2" not in str(error)
    assert error.retryable


def test_a_lost_connection_is_described_in_words(
    signed_in: Emulator, failure: Callable[[], exceptions.MarketplaceError]
) -> None:
    """A response that breaks off is described without the notation of Python's exceptions."""
    signed_in.inject(Fault("drop", "status", times=2))  # aiohttp itself repeats the request once
    text = str(failure())
    assert f"no response from {signed_in.url}: " in text
    assert "('" not in text
