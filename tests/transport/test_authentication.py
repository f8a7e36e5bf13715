# SPDX-License-Identifier: Apache-2.0
"""Each way to sign in against an Entra ID that checks: it gets a token, renews it, and shares it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth.token_source import TokenSource

OFFER = "contoso-vm"


def statuses(portal: Emulator) -> list[int | None]:
    return [one.status for one in portal.requests if one.route == "status"]


def test_each_way_gets_a_token_that_was_checked(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], way: Any
) -> None:
    """Over either wire an offer is read, after one sign-in whose proof the emulator found good by what it should."""
    portal = sign_in_by(way)
    assert read().raw_status == "neverPublished"
    assert [(one.kind, one.how) for one in portal.sign_ins] == [(way.kind, way.how)]


def test_who_signed_in_is_who_was_named(sign_in_by: Callable[..., Emulator], ways: dict[str, Any]) -> None:
    """The application's id and the ids of managed identities arrive as what they are."""
    found = {}
    for name in ("certificate-pem", "workload_identity", "managed_identity", "managed_identity-object_id"):
        portal = sign_in_by(ways[name])
        CloudPartnerPortalHook().get_offer_status(OFFER)
        machine, who = portal.credentials.machine, portal.sign_ins[-1].client_id
        known = {portal.client_id: "application", machine.system.client_id: "own", machine.user.client_id: "assigned"}
        found[name] = known[who]
    assert list(found.values()) == ["application", "application", "own", "assigned"]


def test_a_token_that_nears_its_end_is_renewed(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], renewing: Any
) -> None:
    """A second sign-in comes before the portal could refuse the first one's token."""
    portal = sign_in_by(renewing, token_lifetime=timedelta(seconds=3))
    read()
    time.sleep(2.8)
    read()
    assert (len(portal.sign_ins), statuses(portal)) == (2, [200, 200])


def test_a_token_that_was_revoked_is_replaced_once(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], renewing: Any
) -> None:
    """A 401 gets one new token and one more try, whatever the way to sign in."""
    portal = sign_in_by(renewing)
    read()
    portal.revoke_tokens()
    read()
    assert (len(portal.sign_ins), statuses(portal)) == (2, [200, 401, 200])


def all_at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Call from many threads at the same moment, and return what each got or raised."""
    barrier, found = threading.Barrier(count), []

    def one() -> None:
        barrier.wait()
        try:
            found.append(call())
        except exceptions.MarketplaceError as error:
            found.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_two_hundred_at_once_ask_once_in_each_lifetime(sign_in_by: Callable[..., Emulator], renewing: Any) -> None:
    """There is one request for a token in a lifetime, however many want one."""
    portal = sign_in_by(renewing, token_lifetime=timedelta(hours=1))
    now = 0.0
    tokens = TokenSource(CloudPartnerPortalHook().get_settings(), clock=lambda: now)
    route = "managed-identity" if renewing.kind == "managed_identity" else "token"
    counted = []
    for now in (0.0, 3600.0):  # noqa: B007 - the source's clock reads it
        values = {token.value for token in all_at_once(200, tokens.token)}
        counted.append((len(values), portal.counts[route]))
    assert counted == [(1, 1), (1, 2)]


def test_two_hundred_who_wait_for_a_service_in_trouble_share_its_answer(
    sign_in_by: Callable[..., Emulator], renewing: Any
) -> None:
    """A service that answers 503 is asked once, and each of those who waited gets an error of its own."""
    portal = sign_in_by(renewing)
    route = "managed-identity" if renewing.kind == "managed_identity" else "token"
    portal.inject(Fault("answer", route, times=999, status=503))
    tokens = TokenSource(CloudPartnerPortalHook().get_settings(), clock=lambda: 0.0)  # however slow the machine
    found = all_at_once(200, tokens.token)
    assert (len({id(one) for one in found}), {one.retryable for one in found}) == (200, {True})
    assert portal.counts[route] == 1


def test_a_rotated_federated_token_is_read_anew(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """Each acquisition reads the file: the token that is there by then is what is sent, and the old one is not."""
    portal = sign_in_by(ways["workload_identity"])
    tokens = source()
    portal.credentials.federated_token(lifetime=3.0)
    first = tokens.token()
    time.sleep(3.1)
    with pytest.raises(exceptions.AuthenticationError, match="AADSTS700024"):
        tokens.token(rejected=first)
    time.sleep(1.1)
    portal.credentials.federated_token()
    assert tokens.token(rejected=first).value != first.value


def test_a_rotated_certificate_is_read_anew(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """A certificate that is replaced on disk and in the registration is found at the next acquisition."""
    portal = sign_in_by(ways["certificate-pem"])
    tokens = source()
    first = tokens.token()
    portal.credentials.rotate_certificate(register=True)
    assert tokens.token(rejected=first).value != first.value


def test_a_certificate_of_the_same_subject_needs_no_registration(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """With send_x5c a rotated certificate is good by its issuer and subject; without it, it is unknown."""
    portal = sign_in_by(ways["certificate-pem"])
    source().token()
    portal.credentials.rotate_certificate(register=False)
    with pytest.raises(exceptions.AuthenticationError, match=r"AADSTS700027.*The key was not found"):
        source().token(rejected=source().token())
    portal = sign_in_by(ways["certificate-pem-send_x5c"])
    portal.credentials.rotate_certificate(register=False)
    source().token()
    assert portal.sign_ins[-1].how == "x5c"


def test_an_expired_certificate_is_refused(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """Entra ID's own words say that the certificate expired, and that is final."""
    sign_in_by(ways["certificate-pem"]).credentials.rotate_certificate(register=True, days=-1)
    with pytest.raises(exceptions.AuthenticationError, match=r"AADSTS700027.*The key used is expired") as caught:
        read()
    assert (caught.value.code, caught.value.retryable) == ("invalid_client", False)


FEDERATED_REFUSALS = {
    "expired": ({"lifetime": -60}, "AADSTS700024"),
    "not yet": ({"nbf": 4_102_444_800}, "AADSTS700024"),  # in 2100: however long the suite takes
    "forged": ({"signed_with": "another"}, "AADSTS700027"),
    "another issuer": ({"iss": "https://evil.example/"}, "AADSTS700211"),
    "another subject": ({"sub": "system:serviceaccount:default:default"}, "AADSTS700213"),
    "another audience": ({"aud": "sts.amazonaws.com"}, "AADSTS700212"),
}


@pytest.mark.parametrize("case", FEDERATED_REFUSALS)
def test_a_federated_token_that_is_not_good_is_refused(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], ways: dict[str, Any], case: str
) -> None:
    """Entra ID's own code reaches the error, which is final and no ground for a retry."""
    claims, code = FEDERATED_REFUSALS[case]
    portal = sign_in_by(ways["workload_identity"])
    portal.credentials.federated_token(**claims)
    with pytest.raises(exceptions.AuthenticationError, match=f"invalid_client: {code}: ") as caught:
        read()
    assert (caught.value.retryable, bool(caught.value.correlation_id), portal.sign_ins) == (False, True, [])


def test_a_ready_made_token_cannot_be_renewed(
    sign_in_by: Callable[..., Emulator], read: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """When the portal refuses it, the error says that a new one belongs into the connection, and nothing is retried."""
    portal = sign_in_by(ways["access_token"])
    assert read().raw_status == "neverPublished"
    portal.revoke_tokens()
    with pytest.raises(
        exceptions.AuthenticationError, match=r"cannot be renewed here: put a new one into the connection"
    ) as caught:
        read()
    assert (caught.value.retryable, statuses(portal), portal.counts["token"]) == (False, [200, 401], 0)


def test_a_ready_made_token_may_stand_in_extra(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], read: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """The token is found in extra as well, and a pasted header's first word is no part of it."""
    portal = sign_in_by(ways["access_token"])
    connection = portal.connection_for("access_token")
    use(connection, password=None, extra={"access_token": f"Bearer {connection['password']}"})
    assert read().raw_status == "neverPublished"


def test_a_machine_without_that_identity(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], read: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """A managed identity that the machine does not have is refused in the machine's own words."""
    portal = sign_in_by(ways["managed_identity-client_id"])
    use(portal.connection_for("managed_identity"), login="nobody")
    with pytest.raises(
        exceptions.AuthenticationError, match="managed identity nobody failed: invalid_request: Identity not found"
    ):
        read()


def test_app_service_with_another_header(
    sign_in_by: Callable[..., Emulator],
    read: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """App Service's refusal, which has a form of its own, is said too."""
    sign_in_by(ways["managed_identity-app-service"])
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(exceptions.AuthenticationError, match="failed: HTTP 401: Unauthorized: X-IDENTITY-HEADER"):
        read()


def test_a_machine_that_is_none_of_azures(
    sign_in_by: Callable[..., Emulator],
    source: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nothing answers at the machine's own address, the error says so, and asking later may help."""
    sign_in_by(ways["managed_identity"])
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    with pytest.raises(
        exceptions.AuthenticationError, match="machine's own managed identity failed: ConnectionError"
    ) as caught:
        source().token()
    assert caught.value.retryable


@pytest.mark.parametrize("content", [None, "", "  \n", "tokén"])
def test_a_federated_token_that_cannot_be_read(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any], content: str | None
) -> None:
    """A file that is gone, empty or no token by the time of the sign-in is a clear error; nothing is sent."""
    portal = sign_in_by(ways["workload_identity"])
    tokens, file = source(), Path(portal.connection_for("workload_identity")["extra"]["token_file"])
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(
        exceptions.AuthenticationError, match=r"token_file (cannot be read: No such file|holds no token)"
    ) as caught:
        tokens.token()
    assert (caught.value.retryable, portal.counts["token"]) == (False, 0)
