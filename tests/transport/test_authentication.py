# SPDX-License-Identifier: Apache-2.0
"""Every authentication method against an Entra ID that checks the credentials: get a token, renew it, share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth.token_source import TokenSource

OFFER = "contoso-vm"


def statuses(emulator: Emulator) -> list[int | None]:
    return [one.status for one in emulator.requests if one.route == "status"]


def test_each_method_gets_a_token(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], method: AuthMethod
) -> None:
    """With either HTTP client an offer is read after one sign-in, with a credential that the emulator has verified."""
    emulator = sign_in_by(method)
    assert read().raw_status == "neverPublished"
    assert [(one.auth_type, one.detail) for one in emulator.sign_ins] == [(method.auth_type, method.detail)]


def test_the_configured_identity_signs_in(sign_in_by: Callable[..., Emulator], methods: dict[str, AuthMethod]) -> None:
    """The application ID and the IDs of managed identities reach the emulator as what they are."""
    identities = []
    for name in ("certificate-pem", "workload_identity", "managed_identity", "managed_identity-object_id"):
        emulator = sign_in_by(methods[name])
        CloudPartnerPortalHook().get_offer_status(OFFER)
        machine, client_id = emulator.credentials.managed_identity, emulator.sign_ins[-1].client_id
        known = {emulator.client_id: "application", machine.system.client_id: "own", machine.user.client_id: "assigned"}
        identities.append(known[client_id])
    assert identities == ["application", "application", "own", "assigned"]


def test_a_token_that_is_about_to_expire_is_renewed(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], renewable: AuthMethod
) -> None:
    """A second sign-in comes before the API could refuse the first token."""
    emulator = sign_in_by(renewable, token_lifetime=timedelta(seconds=3))
    read()
    time.sleep(2.8)
    read()
    assert len(emulator.sign_ins) == 2
    assert statuses(emulator) == [200, 200]


def test_a_revoked_token_is_replaced_once(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], renewable: AuthMethod
) -> None:
    """A 401 is followed by one new token and one more request, with every authentication method."""
    emulator = sign_in_by(renewable)
    read()
    emulator.revoke_tokens()
    read()
    assert len(emulator.sign_ins) == 2
    assert statuses(emulator) == [200, 401, 200]


def run_concurrently(count: int, function: Callable[[], Any]) -> list[Any]:
    """Run a function in many threads at the same moment, and return what each returned or raised."""
    barrier, results = threading.Barrier(count), []

    def one() -> None:
        barrier.wait()
        try:
            results.append(function())
        except exceptions.MarketplaceError as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_hundred_threads_send_one_token_request_per_lifetime(
    sign_in_by: Callable[..., Emulator], renewable: AuthMethod
) -> None:
    """In a token's lifetime there is one token request, however many threads need the token."""
    emulator = sign_in_by(renewable, token_lifetime=timedelta(hours=1))
    now = 0.0
    tokens = TokenSource(CloudPartnerPortalHook().get_settings(), clock=lambda: now)
    counts = []
    for now in (0.0, 3600.0):  # noqa: B007 - the source's clock reads it
        values = {token.value for token in run_concurrently(200, tokens.token)}
        counts.append((len(values), emulator.counts[renewable.route]))
    assert counts == [(1, 1), (1, 2)]


def test_two_hundred_threads_share_a_failed_token_request(
    sign_in_by: Callable[..., Emulator], renewable: AuthMethod
) -> None:
    """A service that responds with 503 gets one request, and each waiting thread gets its own exception."""
    emulator = sign_in_by(renewable)
    emulator.inject(Fault("response", renewable.route, times=999, status=503))
    tokens = TokenSource(CloudPartnerPortalHook().get_settings(), clock=lambda: 0.0)  # however slow the machine
    errors = run_concurrently(200, tokens.token)
    assert len({id(one) for one in errors}) == 200
    assert {one.retryable for one in errors} == {True}
    assert emulator.counts[renewable.route] == 1


def test_a_rotated_federated_token_is_read_again(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """Each token request reads the file again and sends the federated token that it holds now."""
    emulator = sign_in_by(methods["workload_identity"])
    tokens = source()
    emulator.credentials.federated_token(lifetime=3.0)
    first = tokens.token()
    time.sleep(3.1)
    with pytest.raises(exceptions.AuthenticationError, match="AADSTS700024"):
        tokens.token(rejected=first)
    time.sleep(1.1)
    emulator.credentials.federated_token()
    assert tokens.token(rejected=first).value != first.value


def test_a_rotated_certificate_is_read_again(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """The next token request uses a certificate that was replaced on disk and in the app registration."""
    emulator = sign_in_by(methods["certificate-pem"])
    tokens = source()
    first = tokens.token()
    emulator.credentials.rotate_certificate(register=True)
    assert tokens.token(rejected=first).value != first.value


def test_a_certificate_of_the_same_subject_needs_no_registration(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """With send_x5c a rotated certificate is accepted for its issuer and subject; without send_x5c it is unknown."""
    emulator = sign_in_by(methods["certificate-pem"])
    source().token()
    emulator.credentials.rotate_certificate(register=False)
    with pytest.raises(exceptions.AuthenticationError, match=r"AADSTS700027.*The key was not found"):
        source().token(rejected=source().token())
    emulator = sign_in_by(methods["certificate-pem-send_x5c"])
    emulator.credentials.rotate_certificate(register=False)
    source().token()
    assert emulator.sign_ins[-1].detail == "x5c"


def test_an_expired_certificate_is_refused(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], methods: dict[str, AuthMethod]
) -> None:
    """The error contains Entra ID's message that the certificate has expired, and is not retryable."""
    sign_in_by(methods["certificate-pem"]).credentials.rotate_certificate(register=True, days=-1)
    with pytest.raises(exceptions.AuthenticationError, match=r"AADSTS700027.*The key used is expired") as caught:
        read()
    assert caught.value.code == "invalid_client"
    assert caught.value.retryable is False


FEDERATED_REFUSALS = {
    "expired": ({"lifetime": -60}, "AADSTS700024"),
    "not yet": ({"nbf": 4_102_444_800}, "AADSTS700024"),  # in 2100: however long the suite takes
    "forged": ({"signed_with": "another"}, "AADSTS700027"),
    "another issuer": ({"iss": "https://evil.example/"}, "AADSTS700211"),
    "another subject": ({"sub": "system:serviceaccount:default:default"}, "AADSTS700213"),
    "another audience": ({"aud": "sts.amazonaws.com"}, "AADSTS700212"),
}


@pytest.mark.parametrize("case", FEDERATED_REFUSALS)
def test_an_invalid_federated_token_is_refused(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], methods: dict[str, AuthMethod], case: str
) -> None:
    """The error contains Entra ID's code and is not retryable."""
    claims, code = FEDERATED_REFUSALS[case]
    emulator = sign_in_by(methods["workload_identity"])
    emulator.credentials.federated_token(**claims)
    with pytest.raises(exceptions.AuthenticationError, match=f"invalid_client: {code}: ") as caught:
        read()
    assert caught.value.retryable is False
    assert caught.value.correlation_id
    assert emulator.sign_ins == []


def test_a_ready_made_token_cannot_be_renewed(
    sign_in_by: Callable[..., Emulator], read: Callable[[], StatusReport], methods: dict[str, AuthMethod]
) -> None:
    """When the API refuses a ready-made token, the error asks for a new one in the connection, and no request is repeated."""
    emulator = sign_in_by(methods["access_token"])
    assert read().raw_status == "neverPublished"
    emulator.revoke_tokens()
    with pytest.raises(
        exceptions.AuthenticationError, match=r"cannot be renewed: put a new one into the connection"
    ) as caught:
        read()
    assert caught.value.retryable is False
    assert statuses(emulator) == [200, 401]
    assert emulator.counts["token"] == 0


def test_a_ready_made_token_may_be_in_extra(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
) -> None:
    """A ready-made token is also read from extra, without the "Bearer" of a pasted header."""
    emulator = sign_in_by(methods["access_token"])
    connection = emulator.connection_for("access_token")
    use(connection, password=None, extra={"access_token": f"Bearer {connection['password']}"})
    assert read().raw_status == "neverPublished"


def test_a_machine_without_that_identity(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
) -> None:
    """The error repeats the machine's own message when the machine does not have the managed identity."""
    emulator = sign_in_by(methods["managed_identity-client_id"])
    use(emulator.connection_for("managed_identity"), login="nobody")
    with pytest.raises(
        exceptions.AuthenticationError, match="managed identity nobody failed: invalid_request: Identity not found"
    ):
        read()


def test_app_service_with_another_header(
    sign_in_by: Callable[..., Emulator],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error repeats App Service's own message, which has its own format."""
    sign_in_by(methods["managed_identity-app-service"])
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(exceptions.AuthenticationError, match="failed: HTTP 401: Unauthorized: X-IDENTITY-HEADER"):
        read()


def test_a_machine_outside_azure(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nothing listens at the managed identity's address, the error says so and is retryable."""
    sign_in_by(methods["managed_identity"])
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    with pytest.raises(
        exceptions.AuthenticationError, match="machine's system-assigned managed identity failed: ConnectionError"
    ) as caught:
        source().token()
    assert caught.value.retryable


@pytest.mark.parametrize("content", [None, "", "  \n", "tokén"])
def test_a_federated_token_that_cannot_be_read(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], TokenSource],
    methods: dict[str, AuthMethod],
    content: str | None,
) -> None:
    """A token file that is missing, empty or no token at sign-in is an error of its own, and nothing is sent."""
    emulator = sign_in_by(methods["workload_identity"])
    tokens, file = source(), Path(emulator.connection_for("workload_identity")["extra"]["token_file"])
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(
        exceptions.AuthenticationError, match=r"token_file (cannot be read: No such file|holds no token)"
    ) as caught:
        tokens.token()
    assert caught.value.retryable is False
    assert emulator.counts["token"] == 0
