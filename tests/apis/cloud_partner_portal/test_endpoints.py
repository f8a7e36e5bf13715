# SPDX-License-Identifier: Apache-2.0
"""Requests as values, and answers as models or errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import resolve_same_origin
from airflow_provider_cpp.core.http import MAX_RETRY_AFTER, Response, decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.redaction import MAX_LENGTH, sanitize_line

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
    """A location keeps its path if it is on the host that was asked, and is as good as none otherwise."""
    assert resolve_same_origin(value, HOME) == expected


def test_the_api_version_is_added_where_it_is_missing(offer: OfferRef, operation: Operation) -> None:
    """Every request names the API's version once."""
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
    """Addresses are one text under the key with a hyphen, and the metadata stay without them."""
    assert endpoints.publish_offer(offer, ("a@b", "c@d")).body == b'{"metadata": {"notification-emails": "a@b,c@d"}}'
    assert endpoints.publish_offer(offer).body == b'{"metadata": {}}'


OFFER = "/api/publishers/contoso/offers/contoso-vm"


def test_every_order_has_its_place(offer: OfferRef) -> None:
    """Method, path and body of each call are as the API has them; no order may be sent twice."""
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
    for place, call in expected.items():
        assert (call.method, call.path, call.body) == place
        assert call.is_safe == (call.method == "GET")


@pytest.mark.parametrize("slot", ["", "../x", "a/b", "a b"])
def test_a_slot_stays_one_segment(offer: OfferRef, slot: str) -> None:
    """A slot that could leave its place in the path is refused."""
    with pytest.raises(exceptions.ConfigurationError, match="slot is"):
        endpoints.get_offer(offer, slot=slot)


@pytest.mark.parametrize(
    ("order", "words"), [("go_live_offer", "go live with offer"), ("cancel_operation", "cancel offer")]
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
def test_orders_name_their_location(
    offer: OfferRef, make_reply: Callable[..., Response], order: str, words: str, headers: dict[str, str], location: str
) -> None:
    """Going live and canceling are answered by the location of an operation, on this host, or by none."""
    call: endpoints.Request[str | None] = getattr(endpoints, order)(offer)
    assert call.description == f"{words} contoso/contoso-vm"
    for status in (200, 202):
        assert decode_response(call, make_reply(b"", status, headers)) == location


@pytest.mark.parametrize(
    ("condition", "headers"), [(None, {}), ("*", {"If-Match": "*"}), ('W/"a%3A"', {"If-Match": 'W/"a%3A"'})]
)
def test_a_draft_is_stored_under_its_condition(offer: OfferRef, condition: str | None, headers: dict[str, str]) -> None:
    """The ETag is sent back as it came, and a creation has no condition."""
    assert endpoints.put_offer(offer, {}, condition).headers == headers


def test_a_draft_is_written_as_it_is(offer: OfferRef) -> None:
    """Neither an ampersand nor a letter beyond ASCII is escaped, no digit of a long number is lost, and no repr shows it."""
    call = endpoints.put_offer(offer, {"url": "https://a/b?c=d&sig=<é>", "version": 636576975611768314}, None)
    assert call.body == '{"url": "https://a/b?c=d&sig=<é>", "version": 636576975611768314}'.encode()
    assert "sig" not in repr(call)


@pytest.mark.parametrize(("headers", "etag"), [({"etag": 'W/"x"'}, 'W/"x"'), ({"etag": ""}, None), ({}, None)])
@pytest.mark.parametrize("status", [200, 201])
def test_a_draft_comes_with_its_etag(
    offer: OfferRef, make_reply: Callable[..., Response], headers: dict[str, str], etag: str | None, status: int
) -> None:
    """Reading and storing give the document and the ETag of its header, where there is one."""
    for call in (endpoints.get_offer(offer), endpoints.put_offer(offer, {}, None)):
        document = decode_response(call, make_reply({"id": "contoso-vm"}, status, headers))
        assert (document.content, document.etag) == ({"id": "contoso-vm"}, etag)


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
def test_no_error_quotes_a_signature(
    offer: OfferRef, make_reply: Callable[..., Response], body: bytes, status: int
) -> None:
    """What signs the URL of an image is hidden where the portal quotes it back."""
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.get_offer_status(offer), make_reply(body, status))
    assert "c2Vj" not in str(caught.value)
    assert "***" in str(caught.value)


def test_publishers_are_listed(make_reply: Callable[..., Response]) -> None:
    """The list of publishers is read entry by entry, and anything else is an error that names the call."""
    body = [{"id": "contoso", "version": 1, "definition": {"displayText": "Contoso <b>Ltd</b>"}}, {"id": "other"}]
    found = decode_response(endpoints.list_publishers(), make_reply(body))
    assert [(one.id, one.display_text) for one in found] == [("contoso", "Contoso Ltd"), ("other", "")]
    with pytest.raises(exceptions.InvalidResponseError, match="publishers: HTTP 200: a list was expected"):
        decode_response(endpoints.list_publishers(), make_reply({"id": "contoso"}))


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
def test_every_status_is_an_error_of_its_kind(
    offer: OfferRef,
    make_reply: Callable[..., Response],
    status: int,
    kind: type,
    retryable: bool,  # noqa: FBT001
) -> None:
    """A status that is not good is the error that stands for it, and says whether asking again can help."""
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.get_offer(offer), make_reply(b"", status))
    assert (type(caught.value), caught.value.retryable, caught.value.status) == (kind, retryable, status)


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
def test_error_bodies(
    offer: OfferRef, make_reply: Callable[..., Response], body: bytes, code: str | None, text: str
) -> None:
    """Code and words are taken from whatever an error's body is."""
    with pytest.raises(exceptions.BadRequestError) as caught:
        decode_response(endpoints.get_offer(offer), make_reply(body, 400))
    assert (caught.value.code, caught.value.text) == (code, text)


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
def test_retry_after(offer: OfferRef, make_reply: Callable[..., Response], value: str, seconds: float | None) -> None:
    """Retry-After is read as seconds and as a date, and is never more than an hour."""
    with pytest.raises(exceptions.RateLimitError) as caught:
        decode_response(endpoints.get_offer(offer), make_reply(b"", 429, {"retry-after": value}))
    assert caught.value.retry_after == seconds


def test_an_error_is_one_line_with_all_that_is_known() -> None:
    """An error's text has the call, the status, code, words, the request's id and a hint."""
    error = exceptions.PermissionDeniedError(
        "offers of publisher p", status=403, code="Forbidden", text="No.", request_id="id-1"
    )
    assert str(error).startswith("offers of publisher p: HTTP 403 Forbidden: No. (request id id-1); add the service")
    assert str(exceptions.TransportError("x", text="")) == "x: no answer"


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
    """Tags go, also escaped ones; entities become characters; what moves a cursor becomes a blank."""
    assert sanitize_line(markup) == text


@given(some.text() | some.text(alphabet="<>&;ltgam/!ps \x1b\n\r\u202e"))
def test_no_text_forges_a_line_or_a_tag(markup: str) -> None:
    """Whatever the portal writes, no control character, line break or tag of it reaches a log."""
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
def test_every_answer_ends_in_a_model_or_an_error_of_ours(body: bytes, status: int, which: int) -> None:
    """No answer, however odd, ends in anything but a model or an error of this package."""
    offer = OfferRef("contoso", "contoso-vm")
    every = [
        endpoints.get_offer_status(offer),
        endpoints.list_operations(offer),
        endpoints.list_offers("contoso"),
        endpoints.get_offer(offer),
        endpoints.publish_offer(offer),
        endpoints.publish_offer(offer),
    ]
    reply = Response(
        status,
        body,
        {"location": body.decode("latin-1"), "retry-after": body.decode("latin-1")},
        HOME,
        datetime.now(timezone.utc),
    )
    with contextlib.suppress(exceptions.MarketplaceError):
        decode_response(every[which], reply)


@given(some.text(max_size=40) | some.text(alphabet="abc./%?#\\-_$@:&", max_size=40))
def test_no_identifier_changes_host_or_path(identifier: str) -> None:
    """An id is refused, or stays one segment of its path."""
    try:
        call = endpoints.get_offer_status(OfferRef("contoso", identifier))
    except exceptions.ConfigurationError:
        return
    segments = call.url_path("1").split("?")[0].split("/")
    assert (len(segments), segments[:5], segments[6]) == (7, ["", "api", "publishers", "contoso", "offers"], "status")
    assert segments[5] not in (".", "..")
