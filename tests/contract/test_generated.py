# SPDX-License-Identifier: Apache-2.0
"""Property tests: generated responses of the APIs and generated arguments of a DAG."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as some
from yarl import URL

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_operation, publication_number
from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    parse_message,
    parse_operation_summary,
    parse_status_report,
    parse_step,
)
from airflow_provider_cpp.core.http import Request, Response, decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec

HOME = "https://cloudpartner.azure.com"
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)

REPORT = {
    "status": "running",
    "messages": [
        {"messageHtml": "<p>Two to three days</p>", "level": "information", "timestamp": "2026-11-03T09:00:00Z"}
    ],
    "publishingVersion": 2,
    "steps": [
        {"id": "displaycertify", "stepName": "Certification", "status": "inProgress", "progressPercentage": 40},
        {"id": "live", "stepName": "Live", "status": "notStarted", "messages": ["text", None]},
    ],
}
SUBMISSION = {"id": "1", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
SUMMARY = {"id": "contoso-vm", "offerTypeId": "vm", "status": "succeeded", "definition": {"displayText": "VM"}}
CHANGES = {"version": "131000000000000001", "changedTime": "2026-11-03T09:00:00.1234567Z"}
DOCUMENT = {"id": "contoso-vm", "publisherId": "contoso", "definition": {"plans": [{"planId": "gold"}]}, "version": 3}
GUID = "12345678-1234-4321-8765-123456789012"
PRODUCT = {"id": f"product/{GUID}", "identity": {"externalId": "contoso-vm"}, "type": "azureVirtualMachine"}
PRODUCT_INGESTION_SUBMISSION = {
    "id": f"submission/{GUID}/7",
    "target": {"targetType": "preview"},
    "status": "completed",
    "result": "succeeded",
    "created": "2026-11-03T09:00:00.1Z",
}
JOB = {
    "jobId": "d4261631-c583",
    "jobStatus": "completed",
    "jobResult": "failed",
    "jobStart": "2026-11-03T09:00:00.1Z",
    "errors": [{"code": "c", "message": "m", "details": [{"code": "invalidState", "message": "Certification"}]}],
}
PRODUCT_INGESTION_BODIES = [
    {"value": [PRODUCT], "@nextLink": f"{HOME}/product?page=2"},
    {"value": [PRODUCT_INGESTION_SUBMISSION, PRODUCT_INGESTION_SUBMISSION | {"target": {"targetType": "live"}}]},
    {"resources": [PRODUCT, PRODUCT_INGESTION_SUBMISSION]},
    JOB,
]
VALID: list[Any] = [
    *PRODUCT_INGESTION_BODIES,
    REPORT,
    [REPORT],
    [SUBMISSION | CHANGES],
    [SUMMARY | CHANGES],
    DOCUMENT,
    [],
]
GOOD_HEADERS = {
    "location": "/api/publishers/contoso/offers/contoso-vm/operations/1?api-version=2017-10-31",
    "etag": "W/\"datetime'2026-11-03T09%3A00%3A00Z'\"",
    "retry-after": "5",
    "x-ms-correlation-request-id": "id-1",
}

PIECES = [
    *(
        "<",
        ">",
        "</",
        "<b>",
        "</p>",
        "<!--",
        "<?x",
        "<script",
        "&lt;",
        "&gt;",
        "&#60;",
        "&amp;",
        "lt;",
        "&#",
        "9" * 4400,
    ),
    *("\n", "\r\n", "\x85", "\u2028", "\u2029", "\x0b", "\x1c", "\x00", "\x1b[31m", "\x9b", "\x7f", "\t", "\xa0"),
    *("\u202e", "\u2066", "\u200b", "\u00ad", "\ufeff", "\U000e0041", "\ud800", "\udc00", "&#xd800;", "&#27;", "&#10;"),
    *("text", "a < b", "?sig=abc", "é", "\u0301", "%0a", "\\n", "{", '"', ": ", ""),
]
NASTY = some.lists(some.sampled_from(PIECES), max_size=8).map("".join) | some.text(
    some.characters(codec=None, exclude_categories=()), max_size=20
)


def nested(depth: int) -> Any:
    value: Any = {"status": "running"}
    for level in range(depth):
        value = [value] if level % 2 else {"steps": value}
    return value


DROP = object()
NUMBERS = [0, -1, 101, 2**63, 10**400, 1e308, float("inf"), float("nan"), True, False]
SHAPES = [None, [], {}, [[]], [{}], [None], {"": None}, nested(60), nested(300), DROP]
JUNK = some.sampled_from([*NUMBERS, *SHAPES]) | NASTY | some.lists(NASTY, max_size=2)


def mutated(value: Any, steps: list[int], junk: Any) -> Any:
    """Replace the value at a path with junk, or remove it."""
    if not steps or not isinstance(value, (dict, list)) or not value:
        return None if junk is DROP else junk
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[steps[0] % len(keys)]
    if junk is DROP and len(steps) == 1:
        rest = [(one, value[one]) for one in keys if one != key]
        return dict(rest) if isinstance(value, dict) else [item for _, item in rest]
    inner = mutated(value[key], steps[1:], junk)
    return value | {key: inner} if isinstance(value, dict) else [*value[:key], inner, *value[key + 1 :]]


def changed(valid: list[Any]) -> some.SearchStrategy[Any]:
    """Return valid values with up to three changes anywhere in them."""
    change = some.tuples(some.lists(some.integers(0, 7), max_size=4), JUNK)

    def apply(value: Any, changes: list[tuple[list[int], Any]]) -> Any:
        for steps, junk in changes:
            value = mutated(value, steps, junk)
        return value

    return some.builds(apply, some.sampled_from(valid), some.lists(change, max_size=3))


RAW = [
    *(
        b"",
        b" ",
        b"null",
        b"\xff\xfe",
        b"\xef\xbb\xbf[]",
        b'{"status": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b"{}" * 9,
    ),
    *(b'{"status": 1e999}', b"<html><h1>Bad gateway</h1>", b'"\\ud800"', "[]".encode("utf-16"), b"\x1f\x8b\x08\x00"),
    b'{"error": {"message": "&#' + b"9" * 5000 + b';"}}',
]
ENVELOPE = {"error": {"code": "Forbidden", "message": "No <b>way</b>", "details": [{"message": "d"}]}}
BODIES = (
    changed([*VALID, ENVELOPE]).map(lambda value: json.dumps(value).encode())
    | some.sampled_from(RAW)
    | some.binary(max_size=60)
)
HEADERS = some.dictionaries(
    some.sampled_from(["location", "operation-location", "retry-after", "etag", "x-ms-correlation-request-id"])
    | some.sampled_from(["content-type", "content-length", "content-encoding", "www-authenticate", "set-cookie"]),
    NASTY | some.sampled_from(["/api/1", f"{HOME}/api/1", "//evil.example/api/1", "https://[/", "9" * 5000, "-1"]),
    max_size=3,
)
STATUSES = some.sampled_from([200, 201, 202, 400, 409, 429]) | some.integers(100, 599)


def make_response(status: int, body: bytes, headers: dict[str, str]) -> Response:
    return Response(status, body, headers, HOME, NOW)


def fits(value: Any, kind: Any) -> bool:
    """Return whether a value has an annotated type."""
    if kind is Any:
        return True
    outer, inner = get_origin(kind), get_args(kind)
    if outer is UnionType:
        return any(fits(value, one) for one in inner)
    if outer is tuple and inner[1:] == (...,):
        return isinstance(value, tuple) and all(fits(one, inner[0]) for one in value)
    if outer is dict:
        return isinstance(value, dict)
    return isinstance(value, outer or kind)


def test_every_request_about_an_offer_names_it(builders: list[Any]) -> None:
    """A request that is built for an offer, or for its operation, has the offer, so that its errors have it too."""
    named = 0
    for builder in builders:
        for arguments, request in zip(builder.arguments, builder.requests, strict=True):
            for value in arguments.values():
                offer = value.offer if isinstance(value, Operation) else value
                if isinstance(offer, OfferRef):
                    assert request.offer == str(offer), builder.name
                    named += 1
    assert named


@pytest.mark.parametrize("status", [200, 202])
def test_every_builder_has_a_valid_response(builders: list[Any], status: int) -> None:
    """Each request parses at least one of the valid responses, so that their mutations reach all of its parser."""
    for builder in builders:
        read = 0
        for value in VALID:
            try:
                model = decode_response(
                    builder.requests[0], make_response(status, json.dumps(value).encode(), GOOD_HEADERS)
                )
            except exceptions.InvalidResponseError:
                continue
            assert fits(model, builder.result)
            read += 1
        assert read, f"no valid response for {builder.name}: add one to VALID"


@given(status=STATUSES, body=BODIES, headers=HEADERS)
def test_every_response_becomes_a_model_or_an_error_of_ours(
    builders: list[Any], status: int, body: bytes, headers: dict[str, str]
) -> None:
    """Any status, body and headers give each request its model or an exception of this package."""
    response = make_response(status, body, headers)
    for builder in builders:
        try:
            assert fits(decode_response(builder.requests[-1], response), builder.result)
        except exceptions.RequestError as error:
            assert error.status == status  # noqa: PT017 - a model is as good
            assert_harmless(str(error))
            assert error.retry_after is None or 0 <= error.retry_after <= 3600  # noqa: PT017 - as above


def assert_harmless(text: str) -> None:
    """Fail for a text that could forge a line, a tag or a color, or that cannot be encoded."""
    assert text.isprintable()
    assert len(text.splitlines()) <= 1
    assert not re.search(r"<[a-zA-Z/!?]", text)
    assert "sig=abc" not in text
    text.encode()


def texts(value: Any) -> Iterator[str]:
    """Yield every string in a model."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from texts(one)
    elif dataclasses.is_dataclass(value):
        yield from texts([getattr(value, field.name) for field in dataclasses.fields(value)])


@given(NASTY, NASTY, NASTY)
def test_no_text_of_a_response_forges_a_log_line(one: str, two: str, three: str) -> None:
    """Every text of every model is one printable line without tags, whatever the response holds."""
    message = {"messageHtml": one, "level": two, "timestamp": three}
    step = {"id": one, "stepName": two, "status": three, "messages": [message, three]}
    models = [
        parse_message(message),
        parse_message(one),
        parse_step(step),
        parse_status_report({"status": f"x{one}", "messages": [two, [three], {"messageHtml": [one]}], "steps": [step]}),
        parse_operation_summary({"id": f"x{one}", "submissionType": two, "submissionState": three}),
        OfferSummary.from_json({"id": one, "offerTypeId": two, "status": three, "definition": {"displayText": one}}),
    ]
    for text in texts(models):
        assert_harmless(text)


@given(some.integers(400, 599), NASTY, NASTY, NASTY)
def test_no_error_of_a_response_forges_a_log_line(
    builders: list[Any], status: int, one: str, two: str, three: str
) -> None:
    """The text, code and request id of an error are printable and of one line, whatever the response holds."""
    headers = {"x-ms-correlation-request-id": three, "retry-after": one, "location": two}
    bodies: list[Any] = [
        {"error": {"code": one, "message": two, "details": [{"message": three}]}},
        {"error": one},
        one,
    ]
    raw = [json.dumps(body).encode() for body in bodies] + [
        one.encode("utf-8", "surrogatepass"),
        two.encode("utf-16", "surrogatepass"),
    ]
    for body in raw:
        with pytest.raises(exceptions.RequestError) as caught:
            decode_response(builders[0].requests[0], make_response(status, body, headers))
        for text in (str(caught.value), caught.value.text, caught.value.code or "", caught.value.request_id or ""):
            assert_harmless(text)


IDENTIFIERS = (
    some.text(some.characters(codec=None, exclude_categories=()), max_size=12)
    | some.lists(
        some.sampled_from(["..", ".", "/", "\\", "?", "#", "%2e", "%2f", "@", ":", "a", "Z9", "$", "-", "_"]),
        max_size=6,
    ).map("".join)
    | some.text("abcXYZ019._-$", max_size=20)
    | some.sampled_from(
        ["", " ", "a\n", "a\x00", "\u0661", "\uff41", "a" * 201, "..%2f", "a?b", "a#b", "a b", None, 1, [], {}]
    )
)
PLACEHOLDER = "PLACEHOLDER"


def identifier_slots(builders: list[Any]) -> Iterator[Callable[[Any], Request[Any]]]:
    """Yield, for each identifier in a request, a function that builds the request with another one."""
    for builder in builders:
        rest = {name: None if name == "page" else value for name, value in builder.arguments[0].items()}
        for name, sample in rest.items():
            if isinstance(sample, OfferRef):
                yield lambda text, make=builder.build, rest=rest, name=name: make(**rest | {name: OfferRef(text, "o")})
                yield lambda text, make=builder.build, rest=rest, name=name: make(**rest | {name: OfferRef("p", text)})
            elif isinstance(sample, Operation):
                for key in ("publisher_id", "offer_id", "operation_id"):
                    whole = sample.to_json() | {"location": None}
                    yield lambda text, make=builder.build, rest=rest, name=name, key=key, whole=whole: make(
                        **rest | {name: Operation.from_json(whole | {key: text})}
                    )
            elif isinstance(sample, str) and not isinstance(sample, Enum):
                yield lambda text, make=builder.build, rest=rest, name=name: make(**rest | {name: text})


@pytest.fixture(scope="session")
def identified(builders: list[Any]) -> list[tuple[Callable[[Any], Request[Any]], list[str]]]:
    """Return each of these functions with the path that it builds."""
    templates = []
    for make in identifier_slots(builders):
        try:
            path = make(PLACEHOLDER).path.split("/")
        except exceptions.ConfigurationError:  # an argument with a few valid values, not an identifier
            continue
        if PLACEHOLDER in path:
            templates.append((make, path))
    assert len(templates) >= (10 if any(builder.name == "list_offers" for builder in builders) else 1)
    return templates


@given(IDENTIFIERS)
def test_every_identifier_is_one_path_segment(
    identified: list[tuple[Callable[[Any], Request[Any]], list[str]]], text: Any
) -> None:
    """An identifier is refused, or is one segment of the path to the standard library, requests and aiohttp."""
    for make, path in identified:
        try:
            request = make(text)
        except exceptions.ConfigurationError as error:
            assert_harmless(str(error))
            continue
        expected = [text if segment == PLACEHOLDER else segment for segment in path]
        url = "https://api.example:8443" + request.url_path("2017-10-31")
        for shown in (url, requests.Request(request.method, url).prepare().url, str(URL(url))):
            parts = urlsplit(shown)
            version = unquote(parts.query).replace("$version=", "api-version=")
            assert parts.scheme == "https"
            assert parts.netloc == "api.example:8443"
            assert version == "api-version=2017-10-31"
            assert [unquote(segment) for segment in parts.path.split("/")] == expected


OPERATION = Operation(OfferRef("contoso", "contoso-vm"), "publish", NOW, "1", "/api/operations/1").to_json()
OUTCOME = WaitOutcome(WaitResult.REACHED, "it is live", "contoso/contoso-vm", "succeeded", OPERATION).to_payload()
WAIT_SPEC = WaitSpec(
    OfferRef("contoso", "contoso-vm"), "live", NOW, Operation.from_json(OPERATION), api="cloud_partner_portal"
).to_payload()
POLL_STATE = PollState(responded=True, summary="running", messages=["m"], failing_since=NOW).to_payload()


@given(changed([OPERATION]))
def test_an_operation_from_xcom_is_valid_or_an_error(data: Any) -> None:
    """Any value of an operation argument is a valid operation or a one-line error."""
    try:
        operation = Operation.from_json(data)
    except exceptions.ConfigurationError as error:
        assert_harmless(str(error))
    else:
        assert Operation.from_json(operation.to_json()) == operation
        assert_harmless(f"{get_operation(operation).description} {publication_number(operation)}")


@given(changed([OUTCOME]))
def test_an_event_is_an_outcome_or_an_error(data: Any) -> None:
    """Any event of a trigger is an outcome with the same payload or a one-line error."""
    try:
        outcome = WaitOutcome.from_payload(data)
    except exceptions.InvalidEventError as error:
        assert_harmless(str(error))
    else:
        assert outcome.to_payload() == data


@given(changed([POLL_STATE]))
def test_a_poll_state_is_read_or_reset(data: Any) -> None:
    """Any stored poll state gives one that can be stored again."""
    json.dumps(PollState.from_payload(data).to_payload())


@given(changed([WAIT_SPEC, WAIT_SPEC | {"poll_interval": 300.0}]))
def test_a_wait_spec_is_valid_or_an_error(data: Any) -> None:
    """Any wait spec of a trigger can be serialized again or is a one-line error."""
    try:
        wait_spec = WaitSpec.from_payload(data)
    except exceptions.ConfigurationError as error:
        assert_harmless(str(error))
    else:
        assert WaitSpec.from_payload(wait_spec.to_payload()) == wait_spec
        assert wait_spec.poll_interval is None or 0 < wait_spec.poll_interval < float("inf")


LOCATIONS = some.lists(
    some.sampled_from(
        ["/api/", "..", "%2e%2e", "%2E.", "/", "\\", "#", "?", "@", ":", "<b>", "//", "$1$", "9" * 4400, "x"]
    ),
    max_size=6,
).map("".join)


@given(LOCATIONS | LOCATIONS.map("/api/{}".format))
def test_every_location_from_xcom_is_a_path_of_the_api(location: str) -> None:
    """A location from XCom is refused, or every URL library reads it as the same path of the API."""
    try:
        operation = Operation.from_json(OPERATION | {"location": location})
    except exceptions.ConfigurationError:
        with pytest.raises(exceptions.ConfigurationError):
            Operation(OfferRef("contoso", "contoso-vm"), "publish", NOW, None, location)
        return
    if not location.startswith("/api/"):
        with pytest.raises(exceptions.ConfigurationError):
            get_operation(operation)
        return
    url = "https://api.example:8443" + get_operation(operation).url_path("2017-10-31")
    for shown in (url, requests.Request("GET", url).prepare().url, str(URL(url))):
        parts = urlsplit(shown)
        assert parts.scheme == "https"
        assert parts.netloc == "api.example:8443"
        assert parts.fragment == ""
        assert unquote(parts.path) == unquote(location.partition("?")[0])
    number = publication_number(operation)
    assert number is None or number >= 0
