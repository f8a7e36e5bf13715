# SPDX-License-Identifier: Apache-2.0
"""Failed sign-ins: which errors are retryable, how often a token is requested, and what is used meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.transport.auth.token_response import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken, ManagedIdentity
from airflow_provider_cpp.transport.settings import Settings

ENTRA = {
    "error": "temporarily_unavailable",
    "error_description": "AADSTS90033: A transient error has occurred.\r\nTrace ID: 1\r\nCorrelation ID: two",
    "correlation_id": "two",
}


RESPONSES = {
    "a server error": (Fault("response", status=503), True, "HTTP 503: no token, and no reason"),
    "a gateway's page": (Fault("response", status=502, body="<html>oh"), True, "HTTP 502: no token, and no reason"),
    "Entra ID's own error": (
        Fault("response", status=500, body=json.dumps(ENTRA)),
        True,
        "temporarily_unavailable: AADSTS90033",
    ),
    "rate limit": (Fault("response", status=429, headers={"Retry-After": "9"}), True, "HTTP 429"),
    "a page": (
        Fault("response", status=200, body="<html>sign in to the network"),
        True,
        "the response is not a JSON object",
    ),
    "a list": (Fault("response", status=200, body="[1]"), True, "the response is not a JSON object"),
    "nothing": (Fault("response", status=200, body="{}"), False, "no token, and no reason"),
    "no token": (
        Fault("response", status=200, body='{"access_token": 7, "expires_in": 1}'),
        False,
        "the access_token in the response is not a valid token",
    ),
    "no time": (
        Fault("response", status=200, body='{"access_token": "x", "expires_in": "soon"}'),
        False,
        "is not a valid time",
    ),
    "a redirect": (Fault("response", status=302, headers={"Location": "https://evil.example/"}), True, "not followed"),
    "refused": (Fault("response", status=400, body='{"error": "odd", "error_description": "no"}'), False, "odd: no"),
    "refused, in another format": (
        Fault("response", status=403, body='{"error": {"code": "odd", "message": "no", "correlationId": "x"}}'),
        False,
        "odd: no",
    ),
    "a connection that is lost": (Fault("drop"), True, "ConnectionError"),
}


def test_transient_errors_are_retryable(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], renewable: AuthMethod
) -> None:
    """Network errors, 5xx and 429 are retryable, a refusal is not, and each is one line with the identity and the reason."""
    emulator, settings, retryable = sign_in_by(renewable), source()._settings, {}
    for case, (fault, _, expected) in RESPONSES.items():
        emulator.inject(replace(fault, route=renewable.route))
        with pytest.raises(exceptions.AuthenticationError, match=r"^sign-in of .* failed: ") as caught:
            TokenSource(settings).token()
        text = str(caught.value)
        assert expected in text
        assert "\n" not in text
        assert "<" not in text
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        retryable[case] = caught.value.retryable
    assert retryable == {case: transient for case, (_, transient, _) in RESPONSES.items()}


def test_the_correlation_id_is_in_the_error(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """Entra ID's correlation ID is in the error's data, and in its text once."""
    emulator = sign_in_by(methods["certificate-pem"])
    emulator.inject(Fault("response", "token", status=500, body=json.dumps(ENTRA)))
    with pytest.raises(exceptions.AuthenticationError, match=r"Correlation ID: two$") as caught:
        source().token()
    assert caught.value.correlation_id == "two"
    assert caught.value.code == "temporarily_unavailable"


def test_a_discovery_that_fails_is_a_failed_sign_in(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """A failed discovery request fails the sign-in: retryable after a server error, and not after an incomplete document."""
    emulator = sign_in_by(methods["workload_identity"])
    retryable = []
    for status, body in ((503, ""), (200, "{}"), (200, "<html>")):
        emulator.inject(Fault("response", "discovery", status=status, body=body))
        with pytest.raises(exceptions.AuthenticationError) as caught:
            TokenSource(source()._settings).token()
        retryable.append(caught.value.retryable)
    assert retryable == [True, False, True]
    assert emulator.counts["token"] == 0


def test_an_unreachable_service_fabric_endpoint_is_retryable(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Errors of the session that msal opens for Service Fabric are handled like those of our own session."""
    sign_in_by(methods["managed_identity-service-fabric"])
    monkeypatch.setenv("IDENTITY_ENDPOINT", "https://127.0.0.1:1/msi/fabric")
    with pytest.raises(exceptions.AuthenticationError, match="ConnectionError: ") as caught:
        source().token()
    assert caught.value.retryable


@pytest.mark.parametrize("status", [404, 410])
def test_a_machine_that_is_being_updated_is_retryable(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod], status: int
) -> None:
    """A virtual machine's identity service that is unavailable during an update is a retryable error."""
    emulator = sign_in_by(methods["managed_identity"])
    emulator.inject(Fault("response", "managed-identity", status=status))
    with pytest.raises(exceptions.AuthenticationError) as caught:
        source().token()
    assert caught.value.retryable


def test_a_read_survives_a_failed_sign_in(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], renewable: AuthMethod
) -> None:
    """A read whose sign-in failed is repeated once there is a token."""
    emulator = sign_in_by(renewable)
    emulator.inject(Fault("response", renewable.route, status=503))
    assert read().raw_status == "neverPublished"
    assert len(emulator.sign_ins) == 1


def test_an_untrusted_authority_gets_no_credential(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
) -> None:
    """With an unknown CA neither a client assertion nor a federated token is sent, and the error is not retryable."""
    for name in ("client_secret", "certificate-pem", "workload_identity"):
        emulator = sign_in_by(methods[name])
        use(emulator.connection_for(methods[name].auth_type), extra={"verify": None})
        with pytest.raises(
            exceptions.AuthenticationError, match="TLS: unable to get local issuer certificate"
        ) as caught:
            source().token()
        assert caught.value.retryable is False
        assert emulator.requests == []


def test_netrc_is_ignored(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    renewable: AuthMethod,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A password for the host in ~/.netrc is not sent in place of the connection's own credential."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    emulator = sign_in_by(renewable)
    source().token()
    assert [one.auth_type for one in emulator.sign_ins] == [renewable.auth_type]


class FakeEntra:
    """Returns the given outcomes, one for each token request, with a clock that the tests move."""

    def __init__(self, *outcomes: TokenGrant | TokenFailure) -> None:
        self.outcomes = list(outcomes)
        self.now = 1000.0
        self.source = TokenSource(Settings("https://x", ManagedIdentity(), "scope", "1"), lambda: self.now, self)

    def __call__(self, settings: Settings, *, refused: bool) -> TokenGrant | TokenFailure:
        return self.outcomes.pop(0)


def test_a_refusal_is_cached_for_a_second() -> None:
    """Within a second of a refusal, further requests get the same error without a request to Entra ID."""
    entra = FakeEntra(TokenFailure("one"), TokenFailure("two"))
    for seconds, expected in ((0.9, "one"), (0.2, "one"), (0.0, "two")):
        with pytest.raises(exceptions.AuthenticationError, match=f"^{expected}$"):
            entra.source.token()
        entra.now += seconds


def test_retry_after_is_respected() -> None:
    """No token is requested before Retry-After has passed, which counts for an hour at most."""
    entra = FakeEntra(
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


def test_a_token_is_used_until_it_expires_while_renewing_fails() -> None:
    """While renewing fails for transient reasons, the current token is used until it expires, and no longer."""
    away = TokenFailure("away", transient=True)
    entra = FakeEntra(TokenGrant("old", 3600), away, away, away, away, TokenGrant("new", 3600))
    results = []
    for seconds in (0, 3300, 10, 25, 264, 1):
        entra.now += seconds
        try:
            results.append(entra.source.token().value)
        except exceptions.AuthenticationError as error:
            results.append(str(error))
    assert results == ["old", "old", "old", "old", "old", "away"]
    assert len(entra.outcomes) == 1
    entra.now += 1
    assert entra.source.token().value == "new"


def test_a_final_refusal_ends_the_use_of_the_current_token() -> None:
    """Revoked credentials are an error at once, although the current token would be valid for minutes."""
    entra = FakeEntra(TokenGrant("old", 3600), TokenFailure("gone"))
    entra.source.token()
    entra.now += 3300
    with pytest.raises(exceptions.AuthenticationError, match="gone"):
        entra.source.token()


def test_a_refused_token_is_not_used_again() -> None:
    """After the API refused a token, a transient sign-in error does not bring that token back."""
    entra = FakeEntra(TokenGrant("old", 3600), TokenFailure("away", transient=True), TokenGrant("new", 3600))
    old = entra.source.token()
    with pytest.raises(exceptions.AuthenticationError, match="away"):
        entra.source.token(rejected=old)
    assert entra.source.cached() is None
    entra.now += 1
    assert entra.source.token(rejected=old).value == "new"
    assert entra.source.cached(rejected=old).value == "new"


def test_a_token_whose_renewal_failed_can_be_refused_too() -> None:
    """A token that stays in use because renewing failed is still the same token to a flow for which it was refused."""
    entra = FakeEntra(TokenGrant("old", 3600), TokenFailure("away", transient=True), TokenGrant("new", 3600))
    old = entra.source.token()
    entra.now += 3300
    assert entra.source.token().value == "old"
    entra.now += 1
    assert entra.source.token(rejected=old).value == "new"


def test_a_managed_identity_may_return_the_same_token() -> None:
    """A managed identity that returns the refused token again is not asked for another one in a loop."""
    entra = FakeEntra(TokenGrant("same", 3600), TokenGrant("same", 3600))
    old = entra.source.token()
    assert entra.source.token(rejected=old).value == "same"


def test_a_ready_made_token_needs_no_request(source: Callable[[], TokenSource]) -> None:
    """A ready-made token needs no network, and is used until the API refuses it."""
    token = TokenSource(Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1")).token()
    assert token.value == "x"
    assert token.renew_at == float("inf")


def test_a_refused_ready_made_token_is_called_the_same_only_after_a_new_read() -> None:
    """The error says that the connection still holds the refused token only if the connection was read after the refusal."""
    source = TokenSource(Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1"), clock := Clock())
    token = source.token()
    source.connection_was_reloaded()
    for is_mentioned in (False, True):
        with pytest.raises(exceptions.AuthenticationError) as caught:
            source.token(rejected=token)
        assert ("still the same" in str(caught.value)) is is_mentioned
        source.connection_was_reloaded()
        clock.now += 2


class Clock:
    """A clock that only the tests move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
