# SPDX-License-Identifier: Apache-2.0
"""Requests as values, and responses as models or errors."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.player import make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core.http import MAX_RETRY_AFTER, Response, decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.redaction import MAX_LENGTH, sanitize_line
from airflow_provider_cpp.core.urls import resolve_same_origin

HOME = "https://cloudpartner.azure.com"
BY_ID = "/api/publishers/p/offers/o/operations/1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{BY_ID}?api-version=2017-10-31", f"{BY_ID}?api-version=2017-10-31"),
        (f"{HOME}{BY_ID}", BY_ID),
        (f"{HOME}:443{BY_ID}", BY_ID),
        (
            "/api/operations/p$o$2$preview?api-version=2017-10-31",
            "/api/operations/p$o$2$preview?api-version=2017-10-31",
        ),
        ("/api/operations/p%24o%242%24preview", "/api/operations/p%24o%242%24preview"),
        (f"  {BY_ID}  ", BY_ID),
        (None, None),
        ("", None),
        (f"http://cloudpartner.azure.com{BY_ID}", None),
        (f"https://cloudpartner.azure.com:8443{BY_ID}", None),
        (f"https://evil.example{BY_ID}", None),
        (f"//evil.example{BY_ID}", None),
        (f"https://cloudpartner.azure.com@evil.example{BY_ID}", None),
        (f"https://somebody@cloudpartner.azure.com{BY_ID}", None),
        (f"https://cloudpartner.azure.com.evil.example{BY_ID}", None),
        ("https://cloudpartner.azure.com:x/api/1", None),
        ("https://[/api/1", None),
        ("/elsewhere/1", None),
        ("/api/../secrets", None),
        ("\\\\evil.example\\api", None),
    ],
)
def test_a_location_is_followed_on_its_own_host_only(value: str | None, expected: str | None) -> None:
    """A location keeps its path if it is on the requested host, and counts as missing otherwise."""
    assert resolve_same_origin(value, HOME, "/api/") == expected


def test_the_api_version_is_added_where_it_is_missing(offer: OfferRef, operation: Operation) -> None:
    """Every request has the API version exactly once."""
    assert (
        endpoints.get_offer_status(offer).url_path("2017-10-31")
        == "/api/publishers/contoso/offers/contoso-vm/status?api-version=2017-10-31"
    )
    located = Operation(offer, "publish", operation.submitted_at, None, f"{BY_ID}?x=1")
    assert endpoints.get_operation(located).url_path("1") == f"{BY_ID}?x=1&api-version=1"
    versioned = Operation(offer, "publish", operation.submitted_at, None, f"{BY_ID}?api-version=2")
    assert endpoints.get_operation(versioned).url_path("1") == f"{BY_ID}?api-version=2"


def test_only_reads_may_be_sent_twice(offer: OfferRef) -> None:
    """A publish is not safe to send again; reads are."""
    assert [endpoints.publish_offer(offer).is_safe, endpoints.get_offer(offer).is_safe] == [False, True]


def test_the_publish_body(offer: OfferRef) -> None:
    """The addresses are one string under a hyphenated key, and without addresses the metadata object stays."""
    assert endpoints.publish_offer(offer, ("a@b", "c@d")).body == b'{"metadata": {"notification-emails": "a@b,c@d"}}'
    assert endpoints.publish_offer(offer).body == b'{"metadata": {}}'


OFFER = "/api/publishers/contoso/offers/contoso-vm"


def test_each_request_has_its_method_path_and_body(offer: OfferRef) -> None:
    """Each request has the API's method, path and body; only reads are safe to send twice."""
    mails = b'{"metadata": {"notification-emails": "a@b"}}'
    expected = {
        ("GET", "/api/publishers", None): endpoints.list_publishers(),
        ("GET", OFFER, None): endpoints.get_offer(offer),
        ("GET", f"{OFFER}/versions/18", None): endpoints.get_offer(offer, 18),
        ("GET", f"{OFFER}/versions/0", None): endpoints.get_offer(offer, 0),
        ("GET", f"{OFFER}/slot/Preview", None): endpoints.get_offer(offer, slot="Preview"),
        ("POST", f"{OFFER}/golive", None): endpoints.go_live_offer(offer),
        ("POST", f"{OFFER}/cancel", mails): endpoints.cancel_operation(offer, ("a@b",)),
        ("POST", f"{OFFER}/cancel", b'{"metadata": {}}'): endpoints.cancel_operation(offer),
        ("PUT", OFFER, b'{"a": 1}'): endpoints.put_offer(offer, {"a": 1}, None),
    }
    for expected_request, request in expected.items():
        assert (request.method, request.path, request.body) == expected_request
        assert request.is_safe == (request.method == "GET")


@pytest.mark.parametrize("slot", ["", "../x", "a/b", "a b"])
def test_a_slot_stays_one_segment(offer: OfferRef, slot: str) -> None:
    """A slot that is not a single path segment is refused."""
    with pytest.raises(exceptions.ConfigurationError, match="slot is"):
        endpoints.get_offer(offer, slot=slot)


@pytest.mark.parametrize(
    ("submit", "description"), [("go_live_offer", "go live with offer"), ("cancel_operation", "cancel offer")]
)
@pytest.mark.parametrize(
    ("headers", "location"),
    [
        ({"location": BY_ID}, BY_ID),
        ({"operation-location": f"{HOME}{BY_ID}"}, BY_ID),
        ({"location": f"https://evil.example{BY_ID}"}, None),
        ({}, None),
    ],
)
def test_submits_return_their_location(
    offer: OfferRef, submit: str, description: str, headers: dict[str, str], location: str
) -> None:
    """Go-live and cancel return the location of an operation on this host, or none."""
    request: endpoints.Request[str | None] = getattr(endpoints, submit)(offer)
    assert request.description == f"{description} contoso/contoso-vm"
    for status in (200, 202):
        assert decode_response(request, make_response(b"", status, headers)) == location


@pytest.mark.parametrize(
    ("condition", "headers"), [(None, {}), ("*", {"If-Match": "*"}), ('W/"a%3A"', {"If-Match": 'W/"a%3A"'})]
)
def test_a_draft_is_stored_under_its_condition(offer: OfferRef, condition: str | None, headers: dict[str, str]) -> None:
    """The ETag is sent back unchanged, and a creation has no condition."""
    assert endpoints.put_offer(offer, {}, condition).headers == headers


def test_a_draft_is_written_unchanged(offer: OfferRef) -> None:
    """The body escapes no ampersand and no non-ASCII letter, keeps every digit of a long number, and is not in the repr."""
    request = endpoints.put_offer(offer, {"url": "https://a/b?c=d&sig=<é>", "version": 636576975611768314}, None)
    assert request.body == '{"url": "https://a/b?c=d&sig=<é>", "version": 636576975611768314}'.encode()
    assert "sig" not in repr(request)


@pytest.mark.parametrize(("headers", "etag"), [({"etag": 'W/"x"'}, 'W/"x"'), ({"etag": ""}, None), ({}, None)])
@pytest.mark.parametrize("status", [200, 201])
def test_a_draft_comes_with_its_etag(offer: OfferRef, headers: dict[str, str], etag: str | None, status: int) -> None:
    """Reads and writes return the document with the ETag of the response header, if there is one."""
    for request in (endpoints.get_offer(offer), endpoints.put_offer(offer, {}, None)):
        document = decode_response(request, make_response({"id": "contoso-vm"}, status, headers))
        assert document.content == {"id": "contoso-vm"}
        assert document.etag == etag


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": "BadRequest", "message": "https://a/b?sv=1&sig=c2VjcmV0%3D&se=2 is not readable"}}',
        b'{"error": {"code": "C", "message": "m", "details": [{"message": "https://a?sv=1&amp;sig=c2VjcmV0%3D"}]}}',
        b'{"osVhdUrl": "https://a/b?sv=1\\u0026sig\\u003dc2VjcmV0%3D"}',
        b"<p>https://a/b?sig=c2VjcmV0%3D</p>",
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_no_error_quotes_a_signature(offer: OfferRef, body: bytes, status: int) -> None:
    """The signature of an image's URL is redacted where a response quotes it."""
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.get_offer_status(offer), make_response(body, status))
    assert "c2Vj" not in str(caught.value)
    assert "***" in str(caught.value)


def test_publishers_are_listed() -> None:
    """The list of publishers is parsed, and anything else is an error that names the request."""
    body = [{"id": "contoso", "version": 1, "definition": {"displayText": "Contoso <b>Ltd</b>"}}, {"id": "other"}]
    publishers = decode_response(endpoints.list_publishers(), make_response(body))
    assert [(one.id, one.display_text) for one in publishers] == [("contoso", "Contoso Ltd"), ("other", "")]
    with pytest.raises(exceptions.InvalidResponseError, match="publishers: HTTP 200: expected a list, not an object"):
        decode_response(endpoints.list_publishers(), make_response({"id": "contoso"}))


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (301, exceptions.InvalidResponseError, True),
        (204, exceptions.InvalidResponseError, True),
        (400, exceptions.BadRequestError, False),
        (401, exceptions.UnauthorizedError, False),
        (403, exceptions.PermissionDeniedError, False),
        (404, exceptions.NotFoundError, False),
        (409, exceptions.ConflictError, False),
        (412, exceptions.PreconditionFailedError, True),
        (418, exceptions.BadRequestError, False),
        (422, exceptions.BadRequestError, False),
        (429, exceptions.RateLimitError, True),
        (500, exceptions.ServerError, True),
        (502, exceptions.ServerError, True),
        (599, exceptions.ServerError, True),
    ],
)
def test_every_status_is_an_error_of_its_kind(offer: OfferRef, status: int, kind: type, *, retryable: bool) -> None:
    """Each error status raises its own exception type, which says whether a retry can help."""
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.get_offer(offer), make_response(b"", status))
    assert type(caught.value) is kind
    assert caught.value.retryable == retryable
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b'{"error": {"code": "C", "message": "<b>No</b>\\nway"}}', "C", "No way"),
        (b'{"error": {"code": 5, "message": "m", "details": [{"message": "d1"}, {"message": null}]}}', None, "m; d1"),
        (b'{"error": {"message": null, "details": null}}', None, ""),
        (b'{"error": {"message": "m", "details": ["d"]}}', None, '{"error": {"message": "m", "details": ["d"]}}'),
        (b'{"error": "text"}', None, '{"error": "text"}'),
        (b"[]", None, "[]"),
        (b"<html><h1>Bad gateway</h1></html>", None, "Bad gateway"),
        (b"[" * 50_000, None, "[" * 599 + "…"),
        (b"", None, ""),
    ],
)
def test_error_bodies(offer: OfferRef, body: bytes, code: str | None, text: str) -> None:
    """The code and text of an error come from whatever its body is."""
    with pytest.raises(exceptions.BadRequestError) as caught:
        decode_response(endpoints.get_offer(offer), make_response(body, 400))
    assert caught.value.code == code
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("999999999", MAX_RETRY_AFTER),
        ("Tue, 03 Nov 2026 09:00:30 GMT", 30.0),
        ("Tue, 03 Nov 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("٣", 3.0),
        ("", None),
    ],
)
def test_retry_after(offer: OfferRef, value: str, seconds: float | None) -> None:
    """Retry-After is parsed as seconds or as a date, and is at most an hour."""
    with pytest.raises(exceptions.RateLimitError) as caught:
        decode_response(endpoints.get_offer(offer), make_response(b"", 429, {"retry-after": value}))
    assert caught.value.retry_after == seconds


def test_an_error_is_one_line_with_all_that_is_known() -> None:
    """The text of an error has the request, the status, code, text, request id and a hint."""
    error = exceptions.PermissionDeniedError(
        "offers of publisher p", status=403, code="Forbidden", text="No.", request_id="id-1"
    )
    assert str(error).startswith("offers of publisher p: HTTP 403 Forbidden: No.; add the service principal")
    assert str(error).endswith(" (request id id-1)")
    assert str(exceptions.TransportError("x", text="")) == "x: no response"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Plan <b>gold</b>: a &amp; b</p>", "Plan gold : a & b"),
        ("a < b and c > d", "a < b and c > d"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "alert(1)"),
        ("&amp;lt;i&amp;gt;x", "x"),
        ("<scr<script>ipt>x", "ipt>x"),
        ("<img src=x onerror=alert(1)", ""),
        ("one\r\ntwo\x1b[31mred\x00", "one two [31mred"),
        ("a\u202eb\u2028c\u200bd", "a b c d"),
        ("x" * 3000, "x" * (MAX_LENGTH - 1) + "…"),
        ("", ""),
    ],
)
def test_plain_text(markup: str, text: str) -> None:
    """Tags are removed, also escaped ones; entities become characters; control characters become blanks."""
    assert sanitize_line(markup) == text


@given(some.text() | some.text(alphabet="<>&;ltgam/!ps \x1b\n\r\u202e"))
def test_no_text_forges_a_line_or_a_tag(markup: str) -> None:
    """Whatever the API sends, no control character, line break or tag of it reaches a log."""
    text = sanitize_line(markup)
    assert all(letter.isprintable() for letter in text)
    assert not any(
        text[index] == "<" and text[index + 1].isascii() and (text[index + 1].isalpha() or text[index + 1] in "/!?")
        for index in range(len(text) - 1)
    )


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(
            some.sampled_from(
                [
                    "status",
                    "steps",
                    "messages",
                    "id",
                    "stepName",
                    "messageHtml",
                    "level",
                    "timestamp",
                    "submissionState",
                    "error",
                    "code",
                    "message",
                    "details",
                    "definition",
                    "displayText",
                    "version",
                    "changedTime",
                    "progressPercentage",
                ]
            )
            | some.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(
    body=JSON.map(lambda value: json.dumps(value).encode()) | some.binary(max_size=200),
    status=some.sampled_from([200, 202, 302, 400, 429, 500]),
    which=some.integers(0, 5),
)
def test_every_response_becomes_a_model_or_an_error_of_ours(body: bytes, status: int, which: int) -> None:
    """Any response, however odd, becomes a model or an exception of this package."""
    offer = OfferRef("contoso", "contoso-vm")
    every = [
        endpoints.get_offer_status(offer),
        endpoints.list_operations(offer),
        endpoints.list_offers("contoso"),
        endpoints.get_offer(offer),
        endpoints.publish_offer(offer),
        endpoints.publish_offer(offer),
    ]
    response = Response(
        status,
        body,
        {"location": body.decode("latin-1"), "retry-after": body.decode("latin-1")},
        HOME,
        datetime.now(timezone.utc),
    )
    with contextlib.suppress(exceptions.MarketplaceError):
        decode_response(every[which], response)


@given(some.text(max_size=40) | some.text(alphabet="abc./%?#\\-_$@:&", max_size=40))
def test_no_identifier_changes_host_or_path(identifier: str) -> None:
    """An identifier is refused or stays one segment of its path."""
    try:
        request = endpoints.get_offer_status(OfferRef("contoso", identifier))
    except exceptions.ConfigurationError:
        return
    segments = request.url_path("1").split("?")[0].split("/")
    assert len(segments) == 7
    assert segments[:5] == ["", "api", "publishers", "contoso", "offers"]
    assert segments[6] == "status"
    assert segments[5] not in (".", "..")
