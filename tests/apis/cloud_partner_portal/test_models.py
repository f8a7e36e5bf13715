# SPDX-License-Identifier: Apache-2.0
"""Reading what the portal says: odd but harmless is understood, wrong is a ValueError."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    PublisherSummary,
    parse_operation_summary,
    parse_status_report,
    parse_step,
)
from airflow_provider_cpp.core.http import Response, decode_response
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
def test_what_is_no_status_is_an_error_of_ours(offer: OfferRef, make_reply: Callable[..., Response], case: str) -> None:
    """An answer that cannot be read names the call, and is neither success nor a traceback from inside json."""
    answer = make_reply(WRONG[case], headers={"x-ms-correlation-request-id": "abc"})
    with pytest.raises(exceptions.InvalidResponseError) as caught:
        decode_response(endpoints.get_offer_status(offer), answer)
    line = str(caught.value)
    assert line.startswith("status of offer contoso/contoso-vm: HTTP 200: ")
    assert (line.endswith("(request id abc)"), "\n" in line, len(line) < 600) == (True, False, True)


def test_an_operation_may_come_as_a_list_of_one() -> None:
    """The documented form of an operation and the real one are read alike."""
    body = {"status": "complete", "publishingVersion": 7}
    assert parse_status_report([body]) == parse_status_report(body)


def test_a_report_is_read_whole() -> None:
    """Steps, messages, percentages and versions are taken over; unknown fields are passed by."""
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
    """Messages may be null, texts, objects with nulls, or missing; empty ones are dropped."""
    full = {"messageHtml": "<p>a&amp;b</p>", "level": "Error", "timestamp": "2024-03-04T15:00:00.1234567Z"}
    step = parse_step({"id": "live", "status": "blocked", "messages": [full, None, "text", {"messageHtml": None}, 7]})
    when = datetime(2024, 3, 4, 15, 0, 0, 123456, tzinfo=timezone.utc)
    assert step.messages == (Message("a&b", "error", when), Message("text"), Message("7"))
    assert (step.name, step.messages[0].is_error, parse_step({"messages": None}).messages) == ("live", True, ())


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
    """Seven digits of fraction and a missing zone are read, the latter as UTC; what is no time is none."""
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
def test_whole_numbers(value: object, expected: int | None) -> None:
    """Eighteen digits arrive as they are, as a number or as text; what is no number is none."""
    assert as_int(value) == expected


def test_a_list_of_operations_keeps_every_digit(offer: OfferRef, make_reply: Callable[..., Response]) -> None:
    """An operation's version of 18 digits is not rounded, and the newest comes first whatever the order was."""
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
    entries = newest_first(decode_response(endpoints.list_operations(offer), make_reply([older, undated, newer])))
    assert [entry.id for entry in entries] == ["b", "a", "c"]
    assert (entries[1].version, entries[0].kind, entries[2].raw_status) == (
        636576975611768314,
        "publish",
        "without a state",
    )
    described = [entry.description for entry in entries]
    assert described[0] == "operation b (publish, running, changed 2018-03-10 00:00:00 UTC)"
    assert described[2] == "operation c (of an unknown kind, without a state)"


@pytest.mark.parametrize("body", [{}, [1], [{"id": None}], [{"id": " "}], [{"submissionState": "running"}]])
def test_a_list_that_is_none_is_an_error(offer: OfferRef, make_reply: Callable[..., Response], body: Any) -> None:
    """A list of operations that is an object, or has entries without an id, is not read as an empty one."""
    with pytest.raises(exceptions.InvalidResponseError):
        decode_response(endpoints.list_operations(offer), make_reply(body))


def test_offers_are_read(make_reply: Callable[..., Response]) -> None:
    """An entry of the list of offers is read, with and without its parts."""
    full = {"id": "o", "offerTypeId": "t", "status": "published", "definition": {"displayText": "O"}, "version": 0}
    found = decode_response(endpoints.list_offers("contoso"), make_reply([full, {"id": "p", "definition": None}]))
    assert found == (
        OfferSummary("o", "t", Status.SUCCEEDED, "published", "O", 0),
        OfferSummary("p", "", Status.UNKNOWN, ""),
    )


@pytest.mark.parametrize(
    "identifier",
    ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a b", "a\nb", "a%2fb", "é", ".hidden", "x" * 201, None, 7, ["a"]],
)
def test_an_identifier_cannot_leave_its_place(identifier: Any) -> None:
    """An id that is not plain letters, digits and a few signs is refused before it comes near a path."""
    with pytest.raises(exceptions.ConfigurationError, match="offer_id is "):
        OfferRef("contoso", identifier)


def test_an_operation_survives_its_json(operation: Operation) -> None:
    """What crosses as XCom is read back equal."""
    assert Operation.from_json(operation.to_json()) == operation


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"api": None}, "its api is None"),
        ({"kind": "delete"}, "its kind is 'delete', not one of publish, golive, cancel"),
        ({"submitted_at": "soon"}, "its submitted_at is not an ISO 8601 time"),
        ({"location": "https://evil.example/api/x"}, "its location is not a path of the portal's API"),
        ({"location": "/other/x"}, "its location is not a path of the portal's API"),
        ({"location": "/api/../x"}, "its location is not a path of the portal's API"),
        ({"location": "/api/x y"}, "its location is not a path of the portal's API"),
        ({"operation_id": None}, "it has neither an operation_id nor a location"),
        ({"operation_id": "../x"}, "operation_id is '../x'"),
        ({"offer_id": "a/b"}, "offer_id is 'a/b'"),
        ({"publisher_id": None}, "publisher_id is None"),
    ],
)
def test_an_operation_that_is_none(operation: Operation, change: dict[str, Any], said: str) -> None:
    """An operation with a wrong field is refused, saying which."""
    with pytest.raises(exceptions.ConfigurationError) as caught:
        Operation.from_json(operation.to_json() | change)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "it is a number"),
        (None, "it came out as None"),
        ([1, 2], "it is a list of 2"),
        (("api", "x"), "it is one field of"),
    ],
)
def test_what_is_no_operation_at_all(value: Any, said: str) -> None:
    """Anything but one operation is refused, saying what it is instead."""
    with pytest.raises(exceptions.ConfigurationError, match=said):
        Operation.from_json(value)


@pytest.mark.parametrize(
    ("location", "identifier", "number"),
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
def test_what_a_location_names(
    offer: OfferRef, start: datetime, location: str | None, identifier: str | None, number: int | None
) -> None:
    """A location names an operation by its id, or by the number of its publication, or not at all."""
    operation = Operation(offer, "publish", start, None, location)
    assert (operation_id_from_location(location), operation.publishing_version) == (identifier, number)


def test_entries_without_dates_are_ordered_by_version() -> None:
    """Where no time tells, the greater version is the newer operation."""
    entries = [parse_operation_summary({"id": str(version), "version": version}) for version in (1, 3, 2)]
    assert [entry.id for entry in newest_first(entries)] == ["3", "2", "1"]


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
def test_what_is_read_from_a_draft(content: dict[str, Any], version: int | None, page: str | None) -> None:
    """Of a draft the version and the publisher's page are read, where they are what they should be."""
    document = OfferDocument(content, "etag")
    assert (document.version, document.partner_center_url) == (version, page)
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
    """An entry of the list of publishers may lack everything but being an object."""
    assert PublisherSummary.from_json(data) == expected


@pytest.mark.parametrize("data", [None, [], "contoso", 7])
def test_what_is_no_publisher(data: Any) -> None:
    """What is no object is no publisher."""
    with pytest.raises(ValueError, match=r"a publisher is .* where an object belongs"):
        PublisherSummary.from_json(data)


@pytest.mark.parametrize(
    ("live", "is_parked"), [(None, True), ("notStarted", True), ("complete", True), ("inProgress", False)]
)
def test_what_goes_live_is_not_parked(live: str | None, is_parked: bool) -> None:  # noqa: FBT001
    """Once the live step is at work the offer is not parked, whatever its sign-off step still says."""
    steps = [{"id": "publisher-signoff", "status": "waitingForPublisherReview"}, {"id": "live", "status": live}]
    assert parse_status_report({"status": "running", "steps": steps[: 2 if live else 1]}).awaits_sign_off == is_parked
    assert parse_status_report({"status": "waitingForPublisherReview", "steps": steps}).awaits_sign_off


@pytest.mark.parametrize("location", ["https://evil.example/api/x", "//evil.example/api/x", "/elsewhere", "/api/../x"])
def test_an_operation_stays_at_the_portal(offer: OfferRef, location: str) -> None:
    """A location that is no path of the portal's API makes no operation, whoever asks for it."""
    with pytest.raises(exceptions.ConfigurationError):
        Operation(offer, "publish", datetime.now(timezone.utc), None, location)
