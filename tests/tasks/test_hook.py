# SPDX-License-Identifier: Apache-2.0
"""The hook against the emulator: signing in, reading, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.transport.settings import Settings

OFFER = "contoso-vm"


def read_sync() -> Any:
    return CloudPartnerPortalHook().get_offer_status(OFFER)


def read_async() -> Any:
    return asyncio.run(CloudPartnerPortalHook().aget_offer_status(OFFER))


@pytest.fixture(params=[read_sync, read_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a read of an offer's status, over either wire."""
    found: Callable[[], Any] = request.param
    return found


def test_both_wires_read_the_same(serve: Callable[..., Emulator]) -> None:
    """The blocking and the asynchronous way give equal answers but for the request's id."""
    serve().add_offer(OFFER, history="succeeded")
    one, other = read_sync(), read_async()
    assert (one.steps, one.status, one.request_id == other.request_id) == (other.steps, other.status, False)


def test_offers_draft_and_operations(serve: Callable[..., Emulator]) -> None:
    """Offers, the raw draft and the list of operations are read, the newest operation first."""
    portal = serve()
    portal.add_offer(OFFER, history="succeeded", document={"id": OFFER, "odd.key": {"kept": [1, None]}})
    hook = CloudPartnerPortalHook()
    kinds = [entry.kind for entry in hook.list_operations(OFFER)]
    assert ([offer.id for offer in hook.list_offers()], kinds) == ([OFFER], ["golive", "publish"])
    assert hook.get_offer(OFFER)["odd.key"] == {"kept": [1, None]}


def test_an_operation_is_read_by_what_a_task_returned(serve: Callable[..., Emulator]) -> None:
    """The operation that publishing returned leads to its report, as a value and as XCom's JSON."""
    serve().add_offer(OFFER)
    hook = CloudPartnerPortalHook()
    operation = hook.publish_offer(OFFER)
    assert hook.get_operation(operation).steps == hook.get_operation(operation.to_json()).steps


def test_one_token_serves_a_process(serve: Callable[..., Emulator]) -> None:
    """Many hooks over both wires ask for one token in its lifetime."""
    portal = serve()
    portal.add_offer(OFFER)
    for _ in range(3):
        read_sync()
        read_async()
    assert portal.tokens_issued == 1


def test_two_hundred_reads_at_once_ask_for_one_token(serve: Callable[..., Emulator]) -> None:
    """Waits that begin together share one sign-in."""
    portal = serve()
    portal.add_offer(OFFER)

    async def all_at_once() -> None:
        await asyncio.gather(*(CloudPartnerPortalHook().aget_offer_status(OFFER) for _ in range(200)))

    asyncio.run(all_at_once())
    assert (portal.tokens_issued, portal.counts["status"]) == (1, 200)


def test_a_token_is_renewed_before_it_expires(serve: Callable[..., Emulator], read: Callable[[], Any]) -> None:
    """A token near its end is replaced before a request could be refused with it."""
    portal = serve(token_lifetime=timedelta(seconds=1))
    portal.add_offer(OFFER)
    read()
    asyncio.run(asyncio.sleep(1.0))
    read()
    assert (portal.tokens_issued, [one.status for one in portal.requests if one.route == "status"]) == (2, [200, 200])


def test_a_revoked_token_is_replaced_once(serve: Callable[..., Emulator], read: Callable[[], Any]) -> None:
    """A 401 gets one new token and one more try."""
    portal = serve()
    portal.add_offer(OFFER)
    read()
    portal.revoke_tokens()
    read()
    statuses = [one.status for one in portal.requests if one.route == "status"]
    assert (portal.tokens_issued, statuses) == (2, [200, 401, 200])


def test_a_portal_that_refuses_every_token(serve: Callable[..., Emulator], read: Callable[[], Any]) -> None:
    """A second 401 is an error that says what to check; there is no third try."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.inject(Fault("answer", "status", times=9, status=401))
    with pytest.raises(exceptions.UnauthorizedError, match="does not accept this token"):
        read()
    assert portal.counts["status"] == 2


SIGN_INS = {
    "wrong secret": ({"password": "not-the-secret"}, "invalid_client", "AADSTS7000215: Invalid client secret"),
    "unknown client": (
        {"login": "nobody"},
        "unauthorized_client",
        "AADSTS700016: Application with identifier 'nobody'",
    ),
    "wrong tenant": ({"extra": {"tenant_id": "elsewhere"}}, "invalid_tenant", "AADSTS90002: Tenant 'elsewhere'"),
    "wrong scope": ({"extra": {"scope": "https://x.example/.default"}}, "invalid_resource", "AADSTS500011"),
}


@pytest.mark.parametrize("case", SIGN_INS)
def test_a_refused_sign_in_says_why(
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], Any], case: str
) -> None:
    """Entra ID's own code and text reach the error, and no secret does."""
    changes, code, text = SIGN_INS[case]
    portal = serve()
    connect(portal, **changes)
    with pytest.raises(exceptions.AuthenticationError) as caught:
        read()
    assert (caught.value.code, text in str(caught.value), caught.value.retryable) == (code, True, False)
    assert not any(secret in str(caught.value) for secret in ("not-the-secret", portal.client_secret))


def test_forbidden_gives_the_hint(serve: Callable[..., Emulator], connect: Callable[..., None]) -> None:
    """A 403 says which object id has to be added to the publisher's account."""
    connect(serve(), extra={"publisher_id": "fabrikam"})
    with pytest.raises(
        exceptions.PermissionDeniedError, match=r"object id of the \*enterprise application\*"
    ) as caught:
        read_sync()
    assert (caught.value.status, caught.value.code, bool(caught.value.request_id)) == (403, "Forbidden", True)


@pytest.mark.parametrize("error_body", ["json", "empty", "html"])
def test_errors_in_every_form(serve: Callable[..., Emulator], read: Callable[[], Any], error_body: str) -> None:
    """An unknown offer is NotFound, whether the error's body is JSON, a page or nothing."""
    serve(error_body=error_body)
    with pytest.raises(exceptions.NotFoundError, match=r"^status of offer contoso/contoso-vm: HTTP 404") as caught:
        read()
    assert "<" not in str(caught.value)


def test_reads_are_asked_again(serve: Callable[..., Emulator], read: Callable[[], Any]) -> None:
    """A read survives a server's fault and throttling, waiting as long as it is told to."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.inject(Fault("answer", "status", status=503, headers={"Retry-After": "0"}))
    portal.inject(Fault("answer", "status", status=429, headers={"Retry-After": "0"}))
    assert (read().raw_status, portal.counts["status"]) == ("neverPublished", 3)


def test_a_redirect_is_not_followed(serve: Callable[..., Emulator], read: Callable[[], Any]) -> None:
    """A redirect gets no token: it is an error."""
    portal = serve()
    portal.add_offer(OFFER)
    portal.inject(
        Fault(
            "answer",
            "status",
            times=9,
            status=302,
            headers={"Location": f"{portal.url}/api/publishers", "Retry-After": "0"},
        )
    )
    with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
        read()
    assert portal.counts["publishers"] == 0


def test_an_untrusted_certificate_is_final(
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], Any]
) -> None:
    """Without the emulator's authority nothing is sent, and the error says where a CA of one's own goes."""
    portal = serve()
    read_settings = {"extra": {"verify": None}}
    connect(portal, **read_settings)
    with pytest.raises(exceptions.AuthenticationError, match="TLS: unable to get local issuer certificate") as caught:
        read()
    assert (caught.value.retryable, portal.requests) == (False, [])


@pytest.mark.parametrize("bundle", [True, False])
def test_the_connections_bundle_beats_the_environments(
    serve: Callable[..., Emulator],
    read: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    bundle: bool,  # noqa: FBT001
) -> None:
    """The connection's CA is the one that counts, whether or not the environment names another bundle."""
    import certifi

    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle:
            monkeypatch.setenv(name, certifi.where())
        else:
            monkeypatch.delenv(name, raising=False)
    serve().add_offer(OFFER)
    assert read().raw_status == "neverPublished"


def test_the_environments_bundle_is_used_where_the_connection_names_none(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    read: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """REQUESTS_CA_BUNDLE makes both wires trust a private authority."""
    portal = serve()
    portal.add_offer(OFFER)
    connect(portal, extra={"verify": None})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(portal.ca_file))
    assert read().raw_status == "neverPublished"


@pytest.mark.parametrize("wire", ["requests", "aiohttp"])
def test_an_answer_without_end_is_cut(serve: Callable[..., Emulator], wire: str) -> None:
    """An answer larger than any offer is an error rather than memory."""
    portal = serve()
    portal.add_offer(OFFER)
    huge = b" " * (33 * 1024 * 1024)
    portal.inject(Fault("answer", "status", status=200, body=huge))
    hook = CloudPartnerPortalHook()
    once = effects.send(endpoints.get_offer_status(hook.offer_ref(OFFER)))
    with pytest.raises(exceptions.InvalidResponseError, match="larger than 32 MiB"):
        hook.run(once) if wire == "requests" else asyncio.run(hook.arun(once))


def test_a_portal_that_does_not_answer_in_time(
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], Any]
) -> None:
    """Every request has a time limit: a read that is not answered is given up and asked again."""
    portal = serve()
    portal.add_offer(OFFER)
    connect(portal, extra={"request_timeout": 0.3})
    portal.inject(Fault("hang", "status", seconds=2))
    assert (read().raw_status, portal.counts["status"] >= 1) == ("neverPublished", True)


def test_missing_fields_are_named_together(connect: Callable[..., None], serve: Callable[..., Emulator]) -> None:
    """A connection that lacks several fields gives one error that names them all."""
    connect(serve(), login=None, password=None, extra={"tenant_id": None})
    with pytest.raises(exceptions.ConfigurationError) as caught:
        CloudPartnerPortalHook().get_settings()
    line = "it lacks login (application id), password (client secret), tenant_id in extra"
    assert str(caught.value) == f"connection 'cloud_partner_portal_default' cannot be used: {line}"


def test_a_connection_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, airflow_home: Any) -> None:
    """A missing connection is an error of this package's tree, in the worker and in the triggerer."""
    hook = CloudPartnerPortalHook("no_such_connection")
    for call in (hook.get_settings, lambda: asyncio.run(hook.aget_settings())):
        with pytest.raises(exceptions.ConnectionNotFoundError, match="no_such_connection"):
            call()


def test_a_connection_that_cannot_be_read_leaves_retries(context: dict[str, Any], airflow_home: Any) -> None:
    """Airflow says of a connection that it could not read that it is not defined, so the task may try again."""
    task = PublishOfferOperator(task_id="publish", offer_id="contoso-vm", conn_id="no_such_connection")
    with pytest.raises(AirflowException, match="isn't defined") as caught:
        task.execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_secrets_show_themselves_to_nobody(serve: Callable[..., Emulator]) -> None:
    """Neither settings nor tokens print what they hold."""
    from airflow_provider_cpp.transport.auth.token_source import token_source

    portal = serve()
    settings: Settings = CloudPartnerPortalHook().get_settings()
    token = token_source(settings).token()
    shown = f"{settings!r} {token!r} {settings} {token}"
    assert (portal.client_secret in shown, token.value in shown) == (False, False)


@pytest.mark.parametrize("wire", ["requests", "aiohttp"])
def test_an_error_carries_what_is_known_of_it(serve: Callable[..., Emulator], wire: str) -> None:
    """Status, code, text, request id, Retry-After, offer and operation are data of the error, on both wires."""
    portal = serve()
    portal.add_offer("contoso-vm")
    operation = Operation(OfferRef("contoso", "contoso-vm"), "publish", datetime.now(timezone.utc), "1234")
    body = '{"error": {"code": "TooMany", "message": "Ask less often."}}'
    portal.inject(Fault("answer", "operation", times=9, status=429, headers={"Retry-After": "600"}, body=body))
    hook = CloudPartnerPortalHook()
    flow = effects.send_with_retry(endpoints.get_operation(operation))
    with pytest.raises(exceptions.RateLimitError) as caught:
        _ = hook.run(flow) if wire == "requests" else asyncio.run(hook.arun(flow))
    error = caught.value
    assert (error.status, error.code, error.text, error.retry_after) == (429, "TooMany", "Ask less often.", 600.0)
    assert (error.offer, error.operation, len(error.request_id or "")) == ("contoso/contoso-vm", "1234", 36)
