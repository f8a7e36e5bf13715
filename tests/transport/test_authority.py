# SPDX-License-Identifier: Apache-2.0
"""Secrets and statements go to the connection's authority, whatever the authority itself says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault, ManualClock, Settings

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.transport.auth.token_source import TokenSource

APPLICATIONS = ("client_secret", "certificate-pem", "workload_identity")


@pytest.fixture(scope="module")
def evil() -> Iterator[Emulator]:
    """Serve a second host."""
    with Emulator(Settings(), ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def sign_in_trusting_both(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    source: Callable[[], Any],
    ways: dict[str, Any],
    evil: Emulator,
    tmp_path: Path,
) -> Callable[[str], tuple[Emulator, Any]]:
    """Return a function that starts a portal whose connection trusts the second host too; returns its settings also."""

    def start(name: str) -> tuple[Emulator, Any]:
        portal = sign_in_by(ways[name])
        bundle = tmp_path / "both.pem"
        bundle.write_text(portal.ca_file.read_text() + evil.ca_file.read_text())
        use(portal.connection_for(ways[name].kind, ways[name].form), extra={"verify": str(bundle)})
        return portal, source()._settings

    return start


@pytest.mark.parametrize("name", APPLICATIONS)
def test_nothing_is_sent_to_a_host_that_discovery_names(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Any]], evil: Emulator, name: str
) -> None:
    """A discovery that names an endpoint of another scheme, host or port, or none, ends the sign-in before a request."""
    portal, settings = sign_in_trusting_both(name)
    path = f"{portal.tenant_id}/oauth2/v2.0/token"
    own_host = portal.url.removeprefix("https://")
    endpoints: list[object] = [
        f"{evil.url}/{path}",
        f"{portal.url.rpartition(':')[0]}/{path}",
        f"http://{own_host}/{path}",
        f"https://{own_host}@{evil.url.removeprefix('https://')}/{path}",
        f"https://{own_host}\\@{evil.url.removeprefix('https://')}/{path}",
        f"{evil.url}\\@{own_host}/{path}",
        f"{portal.url}.evil.example/{path}",
        f"//{evil.url.removeprefix('https://')}/{path}",
        "https://[",
        "",
        None,
        7,
        [f"{portal.url}/{path}"],
    ]
    for endpoint in endpoints:
        document = {"issuer": portal.url, "authorization_endpoint": f"{portal.url}/x", "token_endpoint": endpoint}
        portal.inject(Fault("answer", "discovery", status=200, body=json.dumps(document)))
        with pytest.raises(exceptions.AuthenticationError, match=r"another address|no address for tokens") as caught:
            TokenSource(settings).token()
        assert caught.value.retryable is False
    assert (evil.requests, portal.counts["token"]) == ([], 0)


@pytest.mark.parametrize("name", [*APPLICATIONS, "managed_identity"])
def test_no_redirect_is_followed_to_another_host(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Any]], evil: Emulator, name: str
) -> None:
    """A redirect ends a sign-in, at each of its requests and with each status that would send the form again."""
    portal, settings = sign_in_trusting_both(name)
    for route in ("managed-identity",) if name == "managed_identity" else ("discovery", "token"):
        for status in (302, 307, 308):
            location = f"{evil.url}/{evil.tenant_id}/oauth2/v2.0/token"
            portal.inject(Fault("answer", route, status=status, headers={"Location": location}))
            with pytest.raises(exceptions.AuthenticationError, match="a redirect, which is not followed"):
                TokenSource(settings).token()
    assert evil.requests == []


def test_an_authority_in_other_letters_is_the_same(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Any]],
) -> None:
    """Discovery may write the authority's own address in capitals."""
    portal, settings = sign_in_trusting_both("client_secret")
    address = f"{portal.url.replace('https', 'HTTPS')}/{portal.tenant_id}"
    document = {"authorization_endpoint": f"{address}/x", "token_endpoint": f"{address}/oauth2/v2.0/token"}
    portal.inject(Fault("answer", "discovery", status=200, body=json.dumps(document)))
    TokenSource(settings).token()
    assert portal.counts["token"] == 1


def test_a_region_of_the_environment_moves_nothing(
    sign_in_trusting_both: Callable[[str], tuple[Emulator, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that moves other programs' sign-ins to a region's own host does not move this one's."""
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    monkeypatch.setenv("REGION_NAME", "westeurope")
    portal, settings = sign_in_trusting_both("client_secret")
    TokenSource(settings).token()
    assert portal.counts["token"] == 1
