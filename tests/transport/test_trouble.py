# SPDX-License-Identifier: Apache-2.0
"""When signing in fails: what may pass and what does not, how often is asked, and what is done meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.transport.auth.acquire import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken, ManagedIdentity
from airflow_provider_cpp.transport.settings import Settings

ENTRA = {
    "error": "temporarily_unavailable",
    "error_description": "AADSTS90033: A transient error has occurred.\r\nTrace ID: 1\r\nCorrelation ID: two",
    "correlation_id": "two",
}


def route_of(way: Any) -> str:
    return "managed-identity" if way.kind == "managed_identity" else "token"


ANSWERS = {
    "a server's fault": (Fault("answer", status=503), True, "HTTP 503: no token, and no reason"),
    "a gateway's page": (Fault("answer", status=502, body="<html>oh"), True, "HTTP 502: no token, and no reason"),
    "Entra's own fault": (
        Fault("answer", status=500, body=json.dumps(ENTRA)),
        True,
        "temporarily_unavailable: AADSTS90033",
    ),
    "throttled": (Fault("answer", status=429, headers={"Retry-After": "9"}), True, "HTTP 429"),
    "a page": (Fault("answer", status=200, body="<html>sign in to the network"), True, "the answer is no JSON object"),
    "a list": (Fault("answer", status=200, body="[1]"), True, "the answer is no JSON object"),
    "nothing": (Fault("answer", status=200, body="{}"), False, "no token, and no reason"),
    "no token": (
        Fault("answer", status=200, body='{"access_token": 7, "expires_in": 1}'),
        False,
        "the access_token in the answer is no token",
    ),
    "no time": (Fault("answer", status=200, body='{"access_token": "x", "expires_in": "soon"}'), False, "is no time"),
    "a redirect": (Fault("answer", status=302, headers={"Location": "https://evil.example/"}), True, "not followed"),
    "refused": (Fault("answer", status=400, body='{"error": "odd", "error_description": "no"}'), False, "odd: no"),
    "refused, in another form": (
        Fault("answer", status=403, body='{"error": {"code": "odd", "message": "no", "correlationId": "x"}}'),
        False,
        "odd: no",
    ),
    "a connection that is lost": (Fault("drop"), True, "ConnectionError"),
}


def test_what_may_pass_is_told_from_what_does_not(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], renewing: Any
) -> None:
    """Network, 5xx and 429 may pass, a refusal does not; each is one line that says who signed in and what was said."""
    portal, settings, found = sign_in_by(renewing), source()._settings, {}
    for case, (fault, _, said) in ANSWERS.items():
        portal.inject(replace(fault, route=route_of(renewing)))
        with pytest.raises(exceptions.AuthenticationError, match=r"^sign-in of .* failed: ") as caught:
            TokenSource(settings).token()
        text = str(caught.value)
        assert (said in text, "\n" in text, "<" in text) == (True, False, False), text
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        found[case] = caught.value.retryable
    assert found == {case: transient for case, (_, transient, _) in ANSWERS.items()}


def test_the_ids_that_support_asks_for_are_said(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """Entra's correlation id is in the error, and in its text once."""
    portal = sign_in_by(ways["certificate-pem"])
    portal.inject(Fault("answer", "token", status=500, body=json.dumps(ENTRA)))
    with pytest.raises(exceptions.AuthenticationError, match=r"Correlation ID: two$") as caught:
        source().token()
    assert (caught.value.correlation_id, caught.value.code) == ("two", "temporarily_unavailable")


def test_a_discovery_that_fails_is_a_failed_sign_in(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """What comes before the request for a token may fail as that may: a server's fault passes, half an answer does not."""
    portal = sign_in_by(ways["workload_identity"])
    found = []
    for status, body in ((503, ""), (200, "{}"), (200, "<html>")):
        portal.inject(Fault("answer", "discovery", status=status, body=body))
        with pytest.raises(exceptions.AuthenticationError) as caught:
            TokenSource(source()._settings).token()
        found.append(caught.value.retryable)
    assert (found, portal.counts["token"]) == ([True, False, True], 0)


def test_a_cluster_s_own_address_that_is_not_there(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In Service Fabric msal brings a session of its own, whose failures are read like those of ours."""
    sign_in_by(ways["managed_identity-service-fabric"])
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://127.0.0.1:1/msi/fabric")
    with pytest.raises(exceptions.AuthenticationError, match="ConnectionError: ") as caught:
        source().token()
    assert caught.value.retryable


@pytest.mark.parametrize("status", [404, 410])
def test_a_machine_that_is_updated(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any], status: int
) -> None:
    """A virtual machine's identity service is away for a minute while it is updated, which passes."""
    portal = sign_in_by(ways["managed_identity"])
    portal.inject(Fault("answer", "managed-identity", status=status))
    with pytest.raises(exceptions.AuthenticationError) as caught:
        source().token()
    assert caught.value.retryable


def test_a_read_survives_an_entra_that_is_unwell(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], renewing: Any
) -> None:
    """A read that had no token is asked again once there is one."""
    portal = sign_in_by(renewing)
    portal.inject(Fault("answer", route_of(renewing), status=503))
    assert (read().raw_status, len(portal.sign_ins)) == ("neverPublished", 1)


def test_nobody_is_sent_to_an_authority_that_is_not_trusted(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """Without the emulator's authority neither a statement nor a federated token leaves, and that is final."""
    for name in ("client_secret", "certificate-pem", "workload_identity"):
        portal = sign_in_by(ways[name])
        use(portal.connection_for(ways[name].kind), extra={"verify": None})
        with pytest.raises(
            exceptions.AuthenticationError, match="TLS: unable to get local issuer certificate"
        ) as caught:
            source().token()
        assert (caught.value.retryable, portal.requests) == (False, [])


def test_what_stands_in_netrc_does_not_count(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], Any],
    renewing: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A password that ~/.netrc has for the host is not sent in place of the connection's own proof."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    portal = sign_in_by(renewing)
    source().token()
    assert [one.kind for one in portal.sign_ins] == [renewing.kind]


class Entra:
    """Grants and refuses as it is told, and counts."""

    def __init__(self, *outcomes: TokenGrant | TokenFailure) -> None:
        self.outcomes = list(outcomes)
        self.now = 1000.0
        self.source = TokenSource(Settings("https://x", ManagedIdentity(), "scope", "1"), lambda: self.now, self)

    def __call__(self, settings: Settings, *, refused: bool) -> TokenGrant | TokenFailure:
        return self.outcomes.pop(0)


def test_a_refusal_is_shared_for_a_moment() -> None:
    """Who asks within a second gets the same refusal, without Entra ID being asked again."""
    entra = Entra(TokenFailure("one"), TokenFailure("two"))
    for passing, said in ((0.9, "one"), (0.2, "one"), (0.0, "two")):
        with pytest.raises(exceptions.AuthenticationError, match=f"^{said}$"):
            entra.source.token()
        entra.now += passing


def test_a_service_that_says_when_is_not_asked_before() -> None:
    """Retry-After is kept to, but for no longer than an hour."""
    entra = Entra(
        TokenFailure("one", transient=True, retry_after=90), TokenFailure("two", retry_after=9e9), TokenGrant("x", 60)
    )
    with pytest.raises(exceptions.AuthenticationError, match="one"):
        entra.source.token()
    entra.now += 89
    with pytest.raises(exceptions.AuthenticationError, match="one"):
        entra.source.token()
    entra.now += 1
    with pytest.raises(exceptions.AuthenticationError, match="two"):
        entra.source.token()
    entra.now += 3600
    assert entra.source.token().value == "x"


def test_an_old_token_serves_to_its_real_end() -> None:
    """While renewing fails for reasons that pass, the token at hand is used for as long as it is good, and no longer."""
    away = TokenFailure("away", transient=True)
    entra = Entra(TokenGrant("old", 3600), away, away, away, away, TokenGrant("new", 3600))
    seen = []
    for passing in (0, 3300, 10, 25, 264, 1):
        entra.now += passing
        try:
            seen.append(entra.source.token().value)
        except exceptions.AuthenticationError as error:
            seen.append(str(error))
    assert (seen, len(entra.outcomes)) == (["old", "old", "old", "old", "old", "away"], 1)
    entra.now += 1
    assert entra.source.token().value == "new"


def test_a_final_refusal_ends_the_old_token_s_use() -> None:
    """Credentials that were taken away are said at once, although the token at hand would be good for minutes."""
    entra = Entra(TokenGrant("old", 3600), TokenFailure("gone"))
    entra.source.token()
    entra.now += 3300
    with pytest.raises(exceptions.AuthenticationError, match="gone"):
        entra.source.token()


def test_a_token_that_was_refused_is_not_used_again() -> None:
    """After the portal refused a token, a sign-in that fails for a moment does not bring it back."""
    entra = Entra(TokenGrant("old", 3600), TokenFailure("away", transient=True), TokenGrant("new", 3600))
    old = entra.source.token()
    with pytest.raises(exceptions.AuthenticationError, match="away"):
        entra.source.token(rejected=old)
    assert entra.source.cached() is None
    entra.now += 1
    assert (entra.source.token(rejected=old).value, entra.source.cached(rejected=old).value) == ("new", "new")


def test_a_token_that_outlived_its_renewal_can_be_refused_too() -> None:
    """A token that serves on because renewing failed is the same token to whoever had it refused."""
    entra = Entra(TokenGrant("old", 3600), TokenFailure("away", transient=True), TokenGrant("new", 3600))
    old = entra.source.token()
    entra.now += 3300
    assert entra.source.token().value == "old"
    entra.now += 1
    assert entra.source.token(rejected=old).value == "new"


def test_a_machine_s_own_token_may_come_again() -> None:
    """What gives a machine its tokens may hand out the refused one again; it is taken rather than asked for for ever."""
    entra = Entra(TokenGrant("same", 3600), TokenGrant("same", 3600))
    old = entra.source.token()
    assert entra.source.token(rejected=old).value == "same"


def test_a_ready_made_token_is_never_asked_for(source: Callable[[], Any]) -> None:
    """A ready-made token needs no network, and lasts until the portal says otherwise."""
    token = TokenSource(Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1")).token()
    assert (token.value, token.renew_at) == ("x", float("inf"))


def test_a_ready_made_token_is_said_to_be_the_same_only_if_that_was_looked_up() -> None:
    """What was read before the token was refused says nothing of a new one, which may stand in the connection by now."""
    source = TokenSource(Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1"), pause := Clock())
    token = source.token()
    source.connection_was_reloaded()
    for is_said in (False, True):
        with pytest.raises(exceptions.AuthenticationError) as caught:
            source.token(rejected=token)
        assert ("still the same" in str(caught.value)) is is_said
        source.connection_was_reloaded()
        pause.now += 2


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
