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

from airflow_provider_cpp.portal import calls, errors
from airflow_provider_cpp.portal.calls import Reply, decode, local_location
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.operations import Operation
from airflow_provider_cpp.portal.text import LONGEST, plain_text

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
    assert local_location(value, HOME) == expected


def test_the_api_version_is_added_where_it_is_missing(offer: OfferRef, operation: Operation) -> None:
    """Every request names the API's version once."""
    assert (
        calls.get_offer_status(offer).target("2017-10-31")
        == "/api/publishers/contoso/offers/contoso-vm/status?api-version=2017-10-31"
    )
    located = Operation(offer, "publish", operation.submitted_at, None, f"{BY_ID}?x=1")
    assert calls.get_operation(located).target("1") == f"{BY_ID}?x=1&api-version=1"
    versioned = Operation(offer, "publish", operation.submitted_at, None, f"{BY_ID}?api-version=2")
    assert calls.get_operation(versioned).target("1") == f"{BY_ID}?api-version=2"


def test_only_reads_may_be_sent_twice(offer: OfferRef) -> None:
    """A publish is not safe to send again; reads are."""
    assert [calls.publish_offer(offer).is_safe, calls.get_offer(offer).is_safe] == [False, True]


def test_the_publish_body(offer: OfferRef) -> None:
    """Addresses are one text under the key with a hyphen, and the metadata stay without them."""
    assert calls.publish_offer(offer, ("a@b", "c@d")).body == b'{"metadata": {"notification-emails": "a@b,c@d"}}'
    assert calls.publish_offer(offer).body == b'{"metadata": {}}'


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (301, errors.BadReply, True),
        (204, errors.BadReply, True),
        (400, errors.Refused, False),
        (401, errors.Unauthorized, False),
        (403, errors.Forbidden, False),
        (404, errors.NotFound, False),
        (409, errors.Conflict, False),
        (412, errors.PreconditionFailed, True),
        (418, errors.Refused, False),
        (422, errors.Refused, False),
        (429, errors.Throttled, True),
        (500, errors.ServerFault, True),
        (502, errors.ServerFault, True),
        (599, errors.ServerFault, True),
    ],
)
def test_every_status_is_an_error_of_its_kind(
    offer: OfferRef,
    make_reply: Callable[..., Reply],
    status: int,
    kind: type,
    retryable: bool,  # noqa: FBT001
) -> None:
    """A status that is not good is the error that stands for it, and says whether asking again can help."""
    with pytest.raises(errors.RequestError) as caught:
        decode(calls.get_offer(offer), make_reply(b"", status))
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
    offer: OfferRef, make_reply: Callable[..., Reply], body: bytes, code: str | None, text: str
) -> None:
    """Code and words are taken from whatever an error's body is."""
    with pytest.raises(errors.Refused) as caught:
        decode(calls.get_offer(offer), make_reply(body, 400))
    assert (caught.value.code, caught.value.text) == (code, text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("999999999", calls.LONGEST_RETRY_AFTER),
        ("Tue, 03 Nov 2026 09:00:30 GMT", 30.0),
        ("Tue, 03 Nov 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("٣", 3.0),
        ("", None),
    ],
)
def test_retry_after(offer: OfferRef, make_reply: Callable[..., Reply], value: str, seconds: float | None) -> None:
    """Retry-After is read as seconds and as a date, and is never more than an hour."""
    with pytest.raises(errors.Throttled) as caught:
        decode(calls.get_offer(offer), make_reply(b"", 429, {"retry-after": value}))
    assert caught.value.retry_after == seconds


def test_an_error_is_one_line_with_all_that_is_known() -> None:
    """An error's text has the call, the status, code, words, the request's id and a hint."""
    error = errors.Forbidden("offers of publisher p", status=403, code="Forbidden", text="No.", request_id="id-1")
    assert str(error).startswith("offers of publisher p: HTTP 403 Forbidden: No. (request id id-1); add the service")
    assert str(errors.Unreachable("x", text="")) == "x: no answer"


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
        ("x" * 3000, "x" * (LONGEST - 1) + "…"),
        ("", ""),
    ],
)
def test_plain_text(markup: str, text: str) -> None:
    """Tags go, also escaped ones; entities become characters; what moves a cursor becomes a blank."""
    assert plain_text(markup) == text


@given(some.text() | some.text(alphabet="<>&;ltgam/!ps \x1b\n\r\u202e"))
def test_no_text_forges_a_line_or_a_tag(markup: str) -> None:
    """Whatever the portal writes, no control character, line break or tag of it reaches a log."""
    text = plain_text(markup)
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
        calls.get_offer_status(offer),
        calls.list_submissions(offer),
        calls.list_offers("contoso"),
        calls.get_offer(offer),
        calls.publish_offer(offer),
        calls.publish_offer(offer),
    ]
    reply = Reply(
        status,
        body,
        {"location": body.decode("latin-1"), "retry-after": body.decode("latin-1")},
        HOME,
        datetime.now(timezone.utc),
    )
    with contextlib.suppress(errors.PortalError):
        decode(every[which], reply)


@given(some.text(max_size=40) | some.text(alphabet="abc./%?#\\-_$@:&", max_size=40))
def test_no_identifier_changes_host_or_path(identifier: str) -> None:
    """An id is refused, or stays one segment of its path."""
    try:
        call = calls.get_offer_status(OfferRef("contoso", identifier))
    except errors.ConfigurationError:
        return
    segments = call.target("1").split("?")[0].split("/")
    assert (len(segments), segments[:5], segments[6]) == (7, ["", "api", "publishers", "contoso", "offers"], "status")
    assert segments[5] not in (".", "..")
