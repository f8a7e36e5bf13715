# SPDX-License-Identifier: Apache-2.0
"""Credentials and client assertions are sent to the connection's authority only, whatever the authority's responses name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault, ManualClock
from partner_center_emulator import Settings as EmulatorSettings
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.settings import Settings

APPLICATIONS = ("client_secret", "certificate-pem", "workload_identity")


@pytest.fixture(scope="module")
def evil() -> Iterator[Emulator]:
    """Serve a second host."""
    with Emulator(EmulatorSettings(), ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def sign_in_trusting_both(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
    evil: Emulator,
    tmp_path: Path,
) -> Callable[[str], tuple[Emulator, Settings]]:
    """Return a function that starts an emulator whose connection also trusts the second host; it returns emulator and settings."""

    def start(name: str) -> tuple[Emulator, Settings]:
        emulator = sign_in_by(methods[name])
        bundle = tmp_path / "both.pem"
        bundle.write_text(emulator.ca_file.read_text() + evil.ca_file.read_text())
        use(emulator.connection_for(methods[name].auth_type, methods[name].form), extra={"verify": str(bundle)})
        return emulator, source()._settings

    return start


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_token_endpoint_on_another_host_gets_no_request(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Settings]], evil: Emulator, name: str
) -> None:
    """A discovery document with an endpoint of another scheme, host or port, or without one, ends the sign-in without a request."""
    emulator, settings = sign_in_trusting_both(name)
    path = f"{emulator.tenant_id}/oauth2/v2.0/token"
    own_host = emulator.url.removeprefix("https://")
    endpoints: list[object] = [
        f"{evil.url}/{path}",
        f"{emulator.url.rpartition(':')[0]}/{path}",
        f"http://{own_host}/{path}",
        f"https://{own_host}@{evil.url.removeprefix('https://')}/{path}",
        f"https://{own_host}\\@{evil.url.removeprefix('https://')}/{path}",
        f"{evil.url}\\@{own_host}/{path}",
        f"{emulator.url}.evil.example/{path}",
        f"//{evil.url.removeprefix('https://')}/{path}",
        "https://[",
        "",
        None,
        7,
        [f"{emulator.url}/{path}"],
    ]
    for endpoint in endpoints:
        document = {"issuer": emulator.url, "authorization_endpoint": f"{emulator.url}/x", "token_endpoint": endpoint}
        emulator.inject(Fault("response", "discovery", status=200, body=json.dumps(document)))
        with pytest.raises(
            exceptions.AuthenticationError, match=r"is not on the authority|has no token_endpoint"
        ) as caught:
            TokenSource(settings).token()
        assert caught.value.retryable is False
    assert evil.requests == []
    assert emulator.counts["token"] == 0


@pytest.mark.parametrize("name", [*APPLICATIONS, "managed_identity"])
def test_no_redirect_is_followed_to_another_host(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Settings]], evil: Emulator, name: str
) -> None:
    """A redirect ends a sign-in, at each of its requests and with each status that would send the form again."""
    emulator, settings = sign_in_trusting_both(name)
    for route in ("managed-identity",) if name == "managed_identity" else ("discovery", "token"):
        for status in (302, 307, 308):
            location = f"{evil.url}/{evil.tenant_id}/oauth2/v2.0/token"
            emulator.inject(Fault("response", route, status=status, headers={"Location": location}))
            with pytest.raises(exceptions.AuthenticationError, match="a redirect, which is not followed"):
                TokenSource(settings).token()
    assert evil.requests == []


def test_the_authority_is_compared_case_insensitively(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Settings]],
) -> None:
    """The discovery document may write the authority's own address in capitals."""
    emulator, settings = sign_in_trusting_both("client_secret")
    address = f"{emulator.url.replace('https', 'HTTPS')}/{emulator.tenant_id}"
    document = {"authorization_endpoint": f"{address}/x", "token_endpoint": f"{address}/oauth2/v2.0/token"}
    emulator.inject(Fault("response", "discovery", status=200, body=json.dumps(document)))
    TokenSource(settings).token()
    assert emulator.counts["token"] == 1


def test_a_region_in_the_environment_is_ignored(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Settings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment variables that move other programs' sign-ins to a regional host do not move this one."""
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    monkeypatch.setenv("REGION_NAME", "westeurope")
    emulator, settings = sign_in_trusting_both("client_secret")
    TokenSource(settings).token()
    assert emulator.counts["token"] == 1
