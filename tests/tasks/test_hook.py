# SPDX-License-Identifier: Apache-2.0
"""The hook against the emulator: sign-in, reads, and errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import certifi
import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions, hooks
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import OfferRef, StatusReport
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.hooks.lookup import make_hook
from airflow_provider_cpp.hooks.product_ingestion import ProductIngestionHook
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.transport.auth.token_source import token_source
from airflow_provider_cpp.transport.settings import Settings

OFFER = "contoso-vm"


def read_sync() -> StatusReport:
    return CloudPartnerPortalHook().get_offer_status(OFFER)


def read_async() -> StatusReport:
    return asyncio.run(CloudPartnerPortalHook().aget_offer_status(OFFER))


@pytest.fixture(params=[read_sync, read_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a function that reads an offer's status, with each HTTP client."""
    each: Callable[[], StatusReport] = request.param
    return each


def test_both_http_clients_read_the_same(serve: Callable[..., Emulator]) -> None:
    """The synchronous and the asynchronous read return equal reports, except for the request ID."""
    serve().add_offer(OFFER, history="succeeded")
    one, other = read_sync(), read_async()
    assert one.steps == other.steps
    assert one.status == other.status
    assert one.request_id != other.request_id


def test_offers_draft_and_operations_are_read(serve: Callable[..., Emulator]) -> None:
    """Offers, the raw draft and the operations are read, with the newest operation first."""
    emulator = serve()
    emulator.add_offer(OFFER, history="succeeded", document={"id": OFFER, "odd.key": {"kept": [1, None]}})
    hook = CloudPartnerPortalHook()
    kinds = [operation.kind for operation in hook.list_operations(OFFER)]
    assert [offer.id for offer in hook.list_offers()] == [OFFER]
    assert kinds == ["golive", "publish"]
    assert hook.get_offer(OFFER)["odd.key"] == {"kept": [1, None]}


def test_an_operation_is_read_by_a_task_s_return_value(serve: Callable[..., Emulator]) -> None:
    """The operation that publishing returned identifies its report, as an object and as XCom's JSON."""
    serve().add_offer(OFFER)
    hook = CloudPartnerPortalHook()
    operation = hook.publish_offer(OFFER)
    assert hook.get_operation(operation).steps == hook.get_operation(operation.to_json()).steps


def test_one_token_serves_a_process(serve: Callable[..., Emulator]) -> None:
    """Many hooks with both HTTP clients request one token in its lifetime."""
    emulator = serve()
    emulator.add_offer(OFFER)
    for _ in range(3):
        read_sync()
        read_async()
    assert emulator.tokens_issued == 1


def test_two_hundred_concurrent_reads_request_one_token(serve: Callable[..., Emulator]) -> None:
    """Waits that start together share one sign-in."""
    emulator = serve()
    emulator.add_offer(OFFER)

    async def all_at_once() -> None:
        await asyncio.gather(*(CloudPartnerPortalHook().aget_offer_status(OFFER) for _ in range(200)))

    asyncio.run(all_at_once())
    assert emulator.tokens_issued == 1
    assert emulator.counts["status"] == 200


def test_a_token_is_renewed_before_it_expires(serve: Callable[..., Emulator], read: Callable[[], StatusReport]) -> None:
    """A token that is about to expire is replaced before a request could be refused."""
    emulator = serve(token_lifetime=timedelta(seconds=1))
    emulator.add_offer(OFFER)
    read()
    asyncio.run(asyncio.sleep(1.0))
    read()
    assert emulator.tokens_issued == 2
    assert [one.status for one in emulator.requests if one.route == "status"] == [200, 200]


def test_a_revoked_token_is_replaced_once(serve: Callable[..., Emulator], read: Callable[[], StatusReport]) -> None:
    """A 401 is followed by one new token and one more request."""
    emulator = serve()
    emulator.add_offer(OFFER)
    read()
    emulator.revoke_tokens()
    read()
    statuses = [one.status for one in emulator.requests if one.route == "status"]
    assert emulator.tokens_issued == 2
    assert statuses == [200, 401, 200]


def test_an_api_that_refuses_every_token(serve: Callable[..., Emulator], read: Callable[[], StatusReport]) -> None:
    """A second 401 is an error that says what to check; there is no third request."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("response", "status", times=9, status=401))
    with pytest.raises(exceptions.UnauthorizedError, match="does not accept this token"):
        read()
    assert emulator.counts["status"] == 2


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
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], StatusReport], case: str
) -> None:
    """Entra ID's code and text are in the error, and no secret is."""
    changes, code, text = SIGN_INS[case]
    emulator = serve()
    connect(emulator, **changes)
    with pytest.raises(exceptions.AuthenticationError) as caught:
        read()
    assert caught.value.code == code
    assert text in str(caught.value)
    assert caught.value.retryable is False
    assert not any(secret in str(caught.value) for secret in ("not-the-secret", emulator.client_secret))


def test_forbidden_includes_a_hint(serve: Callable[..., Emulator], connect: Callable[..., None]) -> None:
    """The error of a 403 says which object ID must be added to the publisher's account."""
    connect(serve(), extra={"publisher_id": "fabrikam"})
    with pytest.raises(
        exceptions.PermissionDeniedError, match=r"object id of the \*enterprise application\*"
    ) as caught:
        read_sync()
    assert caught.value.status == 403
    assert caught.value.code == "Forbidden"
    assert caught.value.request_id


@pytest.mark.parametrize("error_body", ["json", "empty", "html"])
def test_errors_with_every_kind_of_body(
    serve: Callable[..., Emulator], read: Callable[[], StatusReport], error_body: str
) -> None:
    """An unknown offer is a NotFoundError, whether the body is JSON, a page or empty."""
    serve(error_body=error_body)
    with pytest.raises(exceptions.NotFoundError, match=r"^status of offer contoso/contoso-vm: HTTP 404") as caught:
        read()
    assert "<" not in str(caught.value)


def test_reads_are_retried(serve: Callable[..., Emulator], read: Callable[[], StatusReport]) -> None:
    """A read survives a server error and a rate limit, and waits for as long as Retry-After says."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("response", "status", status=503, headers={"Retry-After": "0"}))
    emulator.inject(Fault("response", "status", status=429, headers={"Retry-After": "0"}))
    assert read().raw_status == "neverPublished"
    assert emulator.counts["status"] == 3


def test_a_redirect_is_not_followed(serve: Callable[..., Emulator], read: Callable[[], StatusReport]) -> None:
    """A redirect is an error, and its target gets no token."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(
        Fault(
            "response",
            "status",
            times=9,
            status=302,
            headers={"Location": f"{emulator.url}/api/publishers", "Retry-After": "0"},
        )
    )
    with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
        read()
    assert emulator.counts["publishers"] == 0


def test_an_untrusted_certificate_is_not_retryable(
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], StatusReport]
) -> None:
    """With an unknown CA nothing is sent, and the error says where to configure one."""
    emulator = serve()

    connect(emulator, extra={"verify": None})
    with pytest.raises(exceptions.AuthenticationError, match="TLS: unable to get local issuer certificate") as caught:
        read()
    assert caught.value.retryable is False
    assert emulator.requests == []


@pytest.mark.parametrize("bundle", [True, False])
def test_the_connections_ca_bundle_beats_the_environments(
    serve: Callable[..., Emulator],
    read: Callable[[], StatusReport],
    monkeypatch: pytest.MonkeyPatch,
    bundle: bool,  # noqa: FBT001
) -> None:
    """The connection's CA bundle is used, whether or not the environment names another one."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle:
            monkeypatch.setenv(name, certifi.where())
        else:
            monkeypatch.delenv(name, raising=False)
    serve().add_offer(OFFER)
    assert read().raw_status == "neverPublished"


def test_the_environments_ca_bundle_is_used_where_the_connection_has_none(
    serve: Callable[..., Emulator],
    connect: Callable[..., None],
    read: Callable[[], StatusReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With REQUESTS_CA_BUNDLE both HTTP clients trust a private authority."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, extra={"verify": None})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    assert read().raw_status == "neverPublished"


@pytest.mark.parametrize("http_client", ["requests", "aiohttp"])
def test_a_response_that_is_too_large_is_an_error(serve: Callable[..., Emulator], http_client: str) -> None:
    """A response larger than any offer is an error, and is not read to its end."""
    emulator = serve()
    emulator.add_offer(OFFER)
    huge = b" " * (33 * 1024 * 1024)
    emulator.inject(Fault("response", "status", status=200, body=huge))
    hook = CloudPartnerPortalHook()
    flow = effects.send(endpoints.get_offer_status(hook.offer_ref(OFFER)))
    with pytest.raises(exceptions.InvalidResponseError, match="larger than 32 MiB"):
        hook.run(flow) if http_client == "requests" else asyncio.run(hook.arun(flow))


def test_a_read_without_response_is_retried(
    serve: Callable[..., Emulator], connect: Callable[..., None], read: Callable[[], StatusReport]
) -> None:
    """Every request has a timeout: a read without a response is given up and sent again."""
    emulator = serve()
    emulator.add_offer(OFFER)
    connect(emulator, extra={"request_timeout": 0.3})
    emulator.inject(Fault("hang", "status", seconds=2))
    assert read().raw_status == "neverPublished"
    assert emulator.counts["status"] >= 1


def test_missing_fields_are_named_together(connect: Callable[..., None], serve: Callable[..., Emulator]) -> None:
    """A connection that lacks several fields gives one error that names them all."""
    connect(serve(), login=None, password=None, extra={"tenant_id": None})
    with pytest.raises(exceptions.ConfigurationError) as caught:
        CloudPartnerPortalHook().get_settings()
    line = "it lacks login (application id), password (client secret), tenant_id in extra"
    assert str(caught.value) == f"connection 'cloud_partner_portal_default' cannot be used: {line}"


def test_a_connection_that_does_not_exist_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, airflow_home: Path
) -> None:
    """A missing connection raises ConnectionNotFoundError, in the worker and in the triggerer."""
    hook = CloudPartnerPortalHook("no_such_connection")
    for function in (hook.get_settings, lambda: asyncio.run(hook.aget_settings())):
        with pytest.raises(exceptions.ConnectionNotFoundError, match="no_such_connection"):
            function()


def test_a_connection_that_cannot_be_read_is_retryable(context: dict[str, Any], airflow_home: Path) -> None:
    """Airflow reports a connection that it could not read as undefined, so the task may retry."""
    task = PublishOfferOperator(task_id="publish", offer_id="contoso-vm", conn_id="no_such_connection")
    with pytest.raises(AirflowException, match="isn't defined") as caught:
        task.execute(context)
    assert not isinstance(caught.value, AirflowFailException)


def test_a_hook_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of an incomplete installation is the import's own."""
    monkeypatch.setitem(sys.modules, ProductIngestionHook.__module__, None)
    monkeypatch.delattr(hooks, "product_ingestion")
    with pytest.raises(ImportError, match=ProductIngestionHook.__module__):
        make_hook("a_connection", ProductIngestionHook.conn_type)


def test_values_do_not_show_their_secrets(serve: Callable[..., Emulator]) -> None:
    """Neither settings nor tokens print their secrets."""
    emulator = serve()
    settings: Settings = CloudPartnerPortalHook().get_settings()
    token = token_source(settings).token()
    shown = f"{settings!r} {token!r} {settings} {token}"
    assert emulator.client_secret not in shown
    assert token.value not in shown


@pytest.mark.parametrize("http_client", ["requests", "aiohttp"])
def test_an_error_carries_its_data(serve: Callable[..., Emulator], http_client: str) -> None:
    """Status, code, text, request ID, Retry-After, offer and operation are attributes of the error, with both HTTP clients."""
    emulator = serve()
    emulator.add_offer("contoso-vm")
    operation = Operation(OfferRef("contoso", "contoso-vm"), "publish", datetime.now(timezone.utc), "1234")
    body = '{"error": {"code": "TooMany", "message": "Ask less often."}}'
    emulator.inject(Fault("response", "operation", times=9, status=429, headers={"Retry-After": "600"}, body=body))
    hook = CloudPartnerPortalHook()
    flow = effects.send_with_retry(endpoints.get_operation(operation))
    with pytest.raises(exceptions.RateLimitError) as caught:
        _ = hook.run(flow) if http_client == "requests" else asyncio.run(hook.arun(flow))
    error = caught.value
    assert error.status == 429
    assert error.code == "TooMany"
    assert error.text == "Ask less often."
    assert error.retry_after == 600.0
    assert error.offer == "contoso/contoso-vm"
    assert error.operation == "1234"
    assert len(error.request_id or "") == 36
