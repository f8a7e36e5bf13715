# SPDX-License-Identifier: Apache-2.0
"""Parsing responses of the CPP API: harmless oddities are accepted, anything wrong is an error."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from support.player import make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import (
    get_operation,
    operation_id_from_location,
    publication_number,
)
from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    PublisherSummary,
    parse_operation_summary,
    parse_status_report,
    parse_step,
)
from airflow_provider_cpp.core.http import decode_response
from airflow_provider_cpp.core.json_fields import as_int, parse_timestamp
from airflow_provider_cpp.core.models import Message, OfferDocument, OfferRef, StatusReport, Step
from airflow_provider_cpp.core.operations import Operation, newest_first
from airflow_provider_cpp.core.status import Status

WRONG = {
    "malformed": b'{"status": "succeeded", liveLinks": []}',
    "a page": b"<html><body>succeeded</body></html>",
    "empty": b"",
    "null": b"null",
    "a text": b'"succeeded"',
    "true": b"true",
    "a number": b"7",
    "an empty list": b"[]",
    "two of them": b'[{"status": "succeeded"}, {"status": "succeeded"}]',
    "an empty object": b"{}",
    "null status": b'{"status": null}',
    "blank status": b'{"status": "  "}',
    "status as a list": b'{"status": ["succeeded"]}',
    "steps as an object": b'{"status": "succeeded", "steps": {}}',
    "a step as text": b'{"status": "succeeded", "steps": ["live"]}',
    "nested without end": b"[" * 100_000,
    "a number without end": b'{"status": "succeeded", "x": ' + b"9" * 10_000 + b"}",
    "not UTF-8": b'{"status": "\xff\xfe"}',
}


@pytest.mark.parametrize("case", WRONG)
def test_a_body_that_is_no_status_is_an_error_of_ours(offer: OfferRef, case: str) -> None:
    """A response that cannot be parsed is an error that names the request, never success or a bare JSON error."""
    response = make_response(WRONG[case], headers={"x-ms-correlation-request-id": "abc"})
    with pytest.raises(exceptions.InvalidResponseError) as caught:
        decode_response(endpoints.get_offer_status(offer), response)
    line = str(caught.value)
    assert line.startswith("status of offer contoso/contoso-vm: HTTP 200: ")
    assert line.endswith("(request id abc)") is True
    assert "\n" not in line
    assert len(line) < 600


def test_an_operation_may_come_as_a_list_of_one() -> None:
    """The documented form of an operation and the real one parse alike."""
    body = {"status": "complete", "publishingVersion": 7}
    assert parse_status_report([body]) == parse_status_report(body)


def test_a_report_is_parsed_whole() -> None:
    """Steps, messages, percentages and versions are parsed; unknown fields are ignored."""
    step = {"id": "displaycertify", "stepName": "Certification", "status": "inProgress", "processPercentage": "40"}
    body = {"status": "Running", "steps": [step], "messages": "<b>One</b> text", "publishingVersion": "9", "x": 1}
    assert parse_status_report(body) == StatusReport(
        status=Status.RUNNING,
        raw_status="Running",
        steps=(Step("displaycertify", "Certification", Status.RUNNING, "inProgress", (), 40),),
        messages=(Message("One text"),),
        publishing_version=9,
    )


def test_messages_in_every_shape() -> None:
    """Messages may be null, strings, objects with nulls, or missing; empty ones are dropped."""
    full = {"messageHtml": "<p>a&amp;b</p>", "level": "Error", "timestamp": "2024-03-04T15:00:00.1234567Z"}
    step = parse_step({"id": "live", "status": "blocked", "messages": [full, None, "text", {"messageHtml": None}, 7]})
    when = datetime(2024, 3, 4, 15, 0, 0, 123456, tzinfo=timezone.utc)
    assert step.messages == (Message("a&b", "error", when), Message("text"), Message("7"))
    assert step.name == "live"
    assert step.messages[0].is_error is True
    assert parse_step({"messages": None}).messages == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017-05-23T23:33:47.8802283Z", datetime(2017, 5, 23, 23, 33, 47, 880228, tzinfo=timezone.utc)),
        ("2022-06-02T12:25:56.651", datetime(2022, 6, 2, 12, 25, 56, 651000, tzinfo=timezone.utc)),
        ("2017-03-28T21:50:36.500052+02:00", datetime(2017, 3, 28, 19, 50, 36, 500052, tzinfo=timezone.utc)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (None, None),
        (1509, None),
    ],
)
def test_timestamps(text: object, expected: datetime | None) -> None:
    """Seven fraction digits and a missing zone (UTC) are accepted; other text is no timestamp."""
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (636576975611768314, 636576975611768314),
        ("636576975611768314", 636576975611768314),
        (40.7, 40),
        (True, None),
        ("many", None),
        (None, None),
        (float("inf"), None),
        (float("nan"), None),
        ([1], None),
    ],
)
def test_integers(value: object, expected: int | None) -> None:
    """Eighteen digits stay exact, as a number or as text; other values are no integer."""
    assert as_int(value) == expected


def test_a_list_of_operations_keeps_every_digit(offer: OfferRef) -> None:
    """An 18-digit version stays exact, and the newest operation comes first."""
    older = {
        "id": "a",
        "submissionState": "completed",
        "version": 636576975611768314,
        "changedTime": "2018-03-09T00:00:00Z",
    }
    newer = {
        "id": "b",
        "submissionState": "running",
        "submissionType": "Publish",
        "changedTime": "2018-03-10T00:00:00Z",
    }
    undated = {"id": "c", "submissionState": None, "offerVersion": "x"}
    operations = newest_first(decode_response(endpoints.list_operations(offer), make_response([older, undated, newer])))
    assert [entry.id for entry in operations] == ["b", "a", "c"]
    assert operations[1].version == 636576975611768314
    assert operations[0].kind == "publish"
    assert operations[2].raw_status == "without a state"
    described = [entry.description for entry in operations]
    assert described[0] == "operation b (publish, running, changed 2018-03-10 00:00:00 UTC)"
    assert described[2] == "operation c (unknown kind, without a state)"


@pytest.mark.parametrize("body", [{}, [1], [{"id": None}], [{"id": " "}], [{"submissionState": "running"}]])
def test_an_invalid_list_of_operations_is_an_error(offer: OfferRef, body: Any) -> None:
    """An object, or a list with an item without id, is an error, not an empty list of operations."""
    with pytest.raises(exceptions.InvalidResponseError):
        decode_response(endpoints.list_operations(offer), make_response(body))


def test_offers_are_parsed() -> None:
    """Items of the list of offers are parsed, with and without their optional parts."""
    full = {"id": "o", "offerTypeId": "t", "status": "published", "definition": {"displayText": "O"}, "version": 0}
    offers = decode_response(endpoints.list_offers("contoso"), make_response([full, {"id": "p", "definition": None}]))
    assert offers == (
        OfferSummary("o", "t", Status.SUCCEEDED, "published", "O", 0),
        OfferSummary("p", "", Status.UNKNOWN, ""),
    )


@pytest.mark.parametrize(
    "operation_id",
    ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a b", "a\nb", "a%2fb", "é", ".hidden", "x" * 201, None, 7, ["a"]],
)
def test_an_identifier_is_validated(operation_id: Any) -> None:
    """An identifier with other characters than letters, digits and a few signs is refused."""
    with pytest.raises(exceptions.ConfigurationError, match="offer_id is "):
        OfferRef("contoso", operation_id)


def test_an_operation_survives_its_json(operation: Operation) -> None:
    """An operation read back from its XCom value is equal."""
    assert Operation.from_json(operation.to_json()) == operation


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"api": None}, "its api is None"),
        ({"kind": "delete"}, "its kind is 'delete', not one of publish, golive, cancel"),
        ({"submitted_at": "soon"}, "its submitted_at is not an ISO 8601 time"),
        ({"location": "https://evil.example/api/x"}, "its location is not a path of the API"),
        ({"location": "//other/x"}, "its location is not a path of the API"),
        ({"location": "/api/../x"}, "its location is not a path of the API"),
        ({"location": "/api/x y"}, "its location is not a path of the API"),
        ({"operation_id": None}, "it has neither an operation_id nor a location"),
        ({"operation_id": "../x"}, "operation_id is '../x'"),
        ({"offer_id": "a/b"}, "offer_id is 'a/b'"),
        ({"publisher_id": 1}, "publisher_id is 1"),
    ],
)
def test_an_operation_with_an_invalid_field_is_refused(
    operation: Operation, change: dict[str, Any], expected: str
) -> None:
    """An operation with an invalid field is refused, and the error names the field."""
    with pytest.raises(exceptions.ConfigurationError) as caught:
        Operation.from_json(operation.to_json() | change)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "it is a number"),
        (None, "the upstream task returned None"),
        ([1, 2], "it is a list of 2"),
        (("api", "x"), "it is one field of"),
    ],
)
def test_a_value_that_is_no_operation_is_refused(value: Any, expected: str) -> None:
    """Anything but one operation is refused, and the error describes the value."""
    with pytest.raises(exceptions.ConfigurationError, match=expected):
        Operation.from_json(value)


@pytest.mark.parametrize(
    ("location", "operation_id", "number"),
    [
        ("/api/publishers/p/offers/o/operations/408a4835-0000?api-version=2017-10-31", "408a4835-0000", None),
        ("/api/publishers/p/offers/o/operations/408a4835-0000/?api-version=2017-10-31", "408a4835-0000", None),
        ("/api/operations/p$o$2$preview?api-version=2017-10-31", None, 2),
        ("/api/operations/p%24o%2412%24preview", None, 12),
        ("/api/operations/a%20b", None, None),
        ("/api/elsewhere", None, None),
        (None, None, None),
    ],
)
def test_a_location_identifies_an_operation(
    offer: OfferRef, start: datetime, location: str | None, operation_id: str | None, number: int | None
) -> None:
    """A location identifies an operation by its id, by the number of its publication, or not at all."""
    operation = Operation(offer, "publish", start, None, location)
    assert operation_id_from_location(location) == operation_id
    assert publication_number(operation) == number


def test_operations_without_dates_are_sorted_by_version() -> None:
    """Without dates, the operation with the greater version is the newer one."""
    operations = [parse_operation_summary({"id": str(version), "version": version}) for version in (1, 3, 2)]
    assert [entry.id for entry in newest_first(operations)] == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("content", "version", "page"),
    [
        ({}, None, None),
        ({"version": 18, "pcRedirectUri": "https://partner.microsoft.com/x"}, 18, "https://partner.microsoft.com/x"),
        ({"version": "636576975611768314", "pcRedirectUri": ""}, 636576975611768314, None),
        ({"version": True, "pcRedirectUri": None}, None, None),
        ({"version": [], "pcRedirectUri": {"href": "x"}}, None, None),
    ],
)
def test_the_version_and_page_of_a_draft(content: dict[str, Any], version: int | None, page: str | None) -> None:
    """A draft gives its version and its Partner Center page if both have the right type."""
    document = OfferDocument(content, "etag")
    assert document.version == version
    assert document.partner_center_url == page
    assert "pcRedirectUri" not in repr(document)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"id": "contoso", "definition": {"displayText": "a\nb"}}, PublisherSummary("contoso", "a b")),
        ({"id": None, "definition": None}, PublisherSummary("")),
        ({"id": 7, "definition": "x"}, PublisherSummary("7")),
        ({}, PublisherSummary("")),
    ],
)
def test_publishers_in_every_shape(data: dict[str, Any], expected: PublisherSummary) -> None:
    """An item of the list of publishers may lack every field."""
    assert PublisherSummary.from_json(data) == expected


@pytest.mark.parametrize("data", [None, [], "contoso", 7])
def test_a_publisher_must_be_an_object(data: Any) -> None:
    """A publisher that is not an object is an error."""
    with pytest.raises(ValueError, match=r"a publisher is .*, not an object"):
        PublisherSummary.from_json(data)


@pytest.mark.parametrize(
    ("live", "expected"), [(None, True), ("notStarted", True), ("complete", True), ("inProgress", False)]
)
def test_an_offer_going_live_does_not_await_sign_off(live: str | None, *, expected: bool) -> None:
    """Once the live step is in progress the offer does not await sign-off, whatever its sign-off step says."""
    steps = [{"id": "publisher-signoff", "status": "waitingForPublisherReview"}, {"id": "live", "status": live}]
    assert parse_status_report({"status": "running", "steps": steps[: 2 if live else 1]}).awaits_sign_off == expected
    assert parse_status_report({"status": "waitingForPublisherReview", "steps": steps}).awaits_sign_off


@pytest.mark.parametrize("location", ["https://evil.example/api/x", "//evil.example/api/x", "/api/../x"])
def test_an_operation_stays_on_its_api(offer: OfferRef, location: str) -> None:
    """An operation with a location that is no path of the API is refused."""
    with pytest.raises(exceptions.ConfigurationError):
        Operation(offer, "publish", datetime.now(timezone.utc), None, location)


@pytest.mark.parametrize("location", ["/elsewhere", "/apis/x", "/configure/x/status"])
def test_no_request_is_built_for_a_location_below_another_path(offer: OfferRef, location: str) -> None:
    """A location on the same host that is not below the API's path gets no token."""
    operation = Operation(offer, "publish", datetime.now(timezone.utc), None, location)
    with pytest.raises(exceptions.ConfigurationError, match="not a path of the CPP API"):
        get_operation(operation)


def test_no_request_is_built_without_a_publisher(operation: Operation) -> None:
    """The CPP API needs the publisher in the path."""
    unknown = Operation.from_json(operation.to_json() | {"publisher_id": None})
    with pytest.raises(exceptions.ConfigurationError, match="publisher_id is None"):
        get_operation(unknown)
