# SPDX-License-Identifier: Apache-2.0
"""The emulated portal: strict where the real one is, and every doubtful choice a setting."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

OFFER = "contoso-vm"


def test_a_request_needs_version_token_and_access(client: Callable[..., Any]) -> None:
    """A wrong version is 400, no token 401, another publisher 403, an unknown offer 404, each with a request id."""
    mine = client()
    answers = [
        mine.call("GET", f"/api/publishers/contoso/offers/{OFFER}/status?api-version=2016"),
        mine.call("GET", f"{OFFER}/status", headers={"Authorization": ""}),
        mine.call("GET", "/api/publishers/fabrikam/offers"),
        mine.call("GET", "nothing/status"),
    ]
    assert [answer.status_code for answer in answers] == [400, 401, 403, 404]
    assert [answer.json()["error"]["code"] for answer in answers] == [
        "InvalidAPIVersion",
        "Unauthorized",
        "Forbidden",
        "NotFound",
    ]
    assert "2017-10-31" in answers[0].json()["error"]["message"]
    assert len({answer.headers["X-Ms-Correlation-Request-Id"] for answer in answers}) == 4


@pytest.mark.parametrize(
    "path",
    [
        f"{OFFER}/status",
        f"{OFFER}/status/",
        f"{OFFER.upper()}/submissions",
        f"{OFFER}/submissions/",
        "/api/publishers/CONTOSO/offers/",
    ],
)
def test_slashes_and_case_do_not_matter(client: Callable[..., Any], path: str) -> None:
    """Routes are served with and without a slash at their end, and ids in any case."""
    assert client().call("GET", path).status_code == 200


def test_a_publication_from_order_to_market(client: Callable[..., Any]) -> None:
    """Publish, certification, sign-off, going live: status, steps and operations agree all the way."""
    mine = client()
    clock = mine.portal.clock
    assert mine.status() == "neverPublished"
    accepted = mine.publish()
    assert (accepted.status_code, accepted.content) == (202, b"")
    assert mine.status() == "running"
    clock.advance(days=1)
    steps = {step["id"]: (step["status"], step["progressPercentage"]) for step in mine.get(f"{OFFER}/status")["steps"]}
    assert steps == {
        "displaydummycertify": ("complete", 100),
        "displaycertify": ("inProgress", 39),
        "displayprovision": ("notStarted", 0),
        "displaypackage": ("notStarted", 0),
        "publisher-signoff": ("notStarted", 0),
        "live": ("notStarted", 0),
    }
    clock.advance(days=3)
    assert mine.status() == "waitingForPublisherReview"
    golive = mine.call("POST", f"{OFFER}/golive")
    operation = mine.call("GET", golive.headers["Location"]).json()
    assert (golive.status_code, operation["status"], operation["cancellationRequestState"]) == (
        202,
        "running",
        "canCancel",
    )
    clock.advance(days=2)
    entries = mine.get(f"{OFFER}/submissions")
    shown = [(entry["submissionType"], entry["submissionState"], entry["slot"]) for entry in entries]
    assert (mine.status(), shown) == (
        "succeeded",
        [("goLive", "completed", "production"), ("publish", "completed", "staging")],
    )
    assert all(len(str(entry["version"])) == 18 for entry in entries)


@pytest.mark.parametrize("name", ["status", "submissionState"])
def test_the_list_is_filtered_by_either_name(client: Callable[..., Any], name: str) -> None:
    """Both names of the filter that clients use are honoured."""
    mine = client(history="succeeded")
    mine.publish()
    found = mine.get(f"/api/publishers/contoso/offers/{OFFER}/submissions/?api-version=2017-10-31&{name}=Running")
    assert [entry["submissionState"] for entry in found] == ["running"]


@pytest.mark.parametrize("status", [409, 400])
def test_one_operation_at_a_time(client: Callable[..., Any], status: int) -> None:
    """A second publish is refused while one runs, with the status that is set."""
    mine = client(second_publish=status)
    mine.publish()
    assert (mine.publish().status_code, len(mine.get(f"{OFFER}/submissions"))) == (status, 1)


def test_a_parked_offer_is_published_over(client: Callable[..., Any]) -> None:
    """Publishing a parked offer overrides it."""
    mine = client()
    mine.publish()
    mine.portal.clock.advance(days=4)
    assert mine.publish().status_code == 202
    assert [entry["submissionState"] for entry in mine.get(f"{OFFER}/submissions")] == ["running", "canceled"]


LOCATIONS = [
    ("publisher", "/api/publishers/contoso/offers/contoso-vm/operations/{id}?api-version=2017-10-31"),
    ("dollar", "/api/operations/contoso$contoso-vm$1$preview?api-version=2017-10-31"),
    ("absolute", "{url}/api/publishers/contoso/offers/contoso-vm/operations/{id}"),
    ("dollar-guid", "/api/operations/contoso${guid}$1$preview?api-version=2017-10-31"),
]


@pytest.mark.parametrize(("form", "pattern"), LOCATIONS)
@pytest.mark.parametrize("body", ["object", "list"])
def test_the_forms_of_a_location(client: Callable[..., Any], form: str, pattern: str, body: str) -> None:
    """Each form of the location is as the contract has it, and leads to the operation."""
    mine = client(location_form=form, operation_body=body)
    location = mine.publish().headers["Location"]
    identifier = mine.get(f"{OFFER}/submissions")[0]["id"]
    guid = location.split("$")[1] if form == "dollar-guid" else ""
    assert location == pattern.format(id=identifier, url=mine.portal.url, guid=guid)
    path = location.removeprefix(mine.portal.url)
    answers = [
        mine.get(path if "?" in path else f"{path}?api-version=2017-10-31"),
        mine.get(path.split("?")[0].replace("$", "%24")),
    ]
    assert [(answer[0] if body == "list" else answer)["status"] for answer in answers] == ["running", "running"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("Location", ["location"]),
        ("Operation-Location", ["operation-location"]),
        ("both", ["location", "operation-location"]),
        ("none", []),
    ],
)
def test_the_headers_of_a_location(client: Callable[..., Any], header: str, names: list[str]) -> None:
    """The location stands in the header that is set, in both, or in none."""
    found = client(location_header=header).publish().headers
    assert sorted(name.lower() for name in found if "location" in name.lower()) == names


@pytest.mark.parametrize(
    ("form", "status", "name"),
    [
        ("status", "waitingForPublisherReview", "Publisher signoff"),
        ("step-id", "running", "Publisher signoff"),
        ("step-name", "running", "publisher-signoff"),
    ],
)
def test_a_sign_off_shows_in_three_ways(client: Callable[..., Any], form: str, status: str, name: str) -> None:
    """A parked offer says so by its status, or as running with a step known by its id or its name."""
    mine = client(sign_off_shown_as=form)
    mine.publish()
    mine.portal.clock.advance(days=4)
    body = mine.get(f"{OFFER}/status")
    assert (body["status"], body["steps"][4]["stepName"], body["steps"][4]["status"]) == (
        status,
        name,
        "waitingForPublisherReview",
    )


@pytest.mark.parametrize(("form", "content"), [("json", b'{"error"'), ("empty", b""), ("html", b"<html>")])
def test_error_bodies(client: Callable[..., Any], form: str, content: bytes) -> None:
    """An error's body is JSON, nothing, or a page, as is set."""
    answer = client(error_body=form).call("GET", "nothing/status")
    assert (answer.status_code, answer.content[: len(content)], bool(answer.content)) == (404, content, form != "empty")


def test_words_as_they_are_set(client: Callable[..., Any]) -> None:
    """Casing and the words for success are settings."""
    mine = client(
        history="succeeded",
        casing="pascal",
        success_word="published",
        operation_success_word="succeeded",
        list_success_word="complete",
    )
    entry = mine.get(f"{OFFER}/submissions")[0]
    operation = mine.get(f"{OFFER}/operations/{entry['id']}")
    assert (mine.status(), entry["submissionState"], operation["status"]) == ("Published", "Complete", "Succeeded")


SCENARIOS = [
    ("parked", ["waitingForPublisherReview", "waitingForPublisherReview"], "waitingForPublisherReview"),
    ("blocked-then-rejected", ["running", "failed"], "rejected"),
    ("failed", ["running", "failed"], "rejected"),
    ("canceled", ["canceled", "canceled"], "canceled"),
    ("unknown-status", ["frobnicating", "frobnicating"], "waitingForPublisherReview"),
]


@pytest.mark.parametrize(("scenario", "words", "step"), SCENARIOS)
def test_scenarios(client: Callable[..., Any], scenario: str, words: list[str], step: str) -> None:
    """Each scenario shows what it says, half-way and at its end."""
    mine = client(scenario)
    mine.publish()
    seen = []
    for days in (4, 2) if scenario == "parked" else (2, 3):
        mine.portal.clock.advance(days=days)
        seen.append(mine.status())
    statuses = [one["status"] for one in mine.get(f"{OFFER}/status")["steps"]]
    assert (seen, step in statuses) == (words, True)


def test_a_scenario_that_fails_on_the_way_to_the_market(client: Callable[..., Any]) -> None:
    """`fails-going-live` parks like any other and fails after going live."""
    mine = client("fails-going-live")
    mine.publish()
    mine.portal.clock.advance(days=4)
    mine.portal.person(OFFER, "sign-off")
    mine.portal.clock.advance(days=3)
    assert (mine.status(), mine.get(f"{OFFER}/submissions")[0]["submissionState"]) == ("failed", "failed")


def test_an_invalid_offer(client: Callable[..., Any]) -> None:
    """`invalid` is refused with 422 and details, and a body that is no JSON with 400."""
    mine = client("invalid")
    answer = mine.publish()
    assert (answer.status_code, answer.json()["error"]["details"][0]["target"]) == (422, "plans[0]")
    assert [mine.call("POST", f"{OFFER}/publish", data=data).status_code for data in ("{'a': 1}", "[]")] == [400, 400]


@pytest.mark.parametrize("answer", [202, 200])
def test_cancel(client: Callable[..., Any], answer: int) -> None:
    """A cancel takes its time or none, answers the same when nothing runs, and is refused while an offer goes live."""
    mine = client(cancel_answer=answer)
    clock = mine.portal.clock
    mine.publish()
    assert (mine.call("POST", f"{OFFER}/cancel").status_code, mine.status()) == (
        answer,
        "running" if answer == 202 else "canceled",
    )
    clock.advance(minutes=3)
    assert (mine.status(), mine.call("POST", f"{OFFER}/cancel").status_code) == ("canceled", answer)
    mine.publish()
    clock.advance(days=4)
    mine.call("POST", f"{OFFER}/golive")
    assert [mine.call("POST", f"{OFFER}/{order}").status_code for order in ("cancel", "golive")] == [400, 400]


@pytest.mark.parametrize(
    ("setting", "status", "word"), [("canceled", 202, "canceled"), ("400", 400, "waitingForPublisherReview")]
)
def test_canceling_what_is_parked(client: Callable[..., Any], setting: str, status: int, word: str) -> None:
    """Whether a parked offer can be canceled is a setting."""
    mine = client(cancel_parked=setting)
    mine.publish()
    mine.portal.clock.advance(days=4)
    answer = mine.call("POST", f"{OFFER}/cancel").status_code
    mine.portal.clock.advance(minutes=3)
    assert (answer, mine.status()) == (status, word)


@pytest.mark.parametrize("missing", ["previous", "missing"])
def test_old_answers_after_an_order(client: Callable[..., Any], missing: str) -> None:
    """Status, list and operation stay the old ones, or are missing, for exactly as many polls as is set."""
    mine = client(history="failed", lag_status=2, lag_list=1, lag_operation=2, lag_operation_as=missing)
    location = mine.publish().headers["Location"]
    statuses = [mine.status() for _ in range(3)]
    lists = [len(mine.get(f"{OFFER}/submissions")) for _ in range(2)]
    operations = [mine.call("GET", location) for _ in range(3)]
    assert (statuses, lists) == (["failed", "failed", "running"], [1, 2])
    shown = [answer.json().get("status") for answer in operations]
    assert shown == ([None, None] if missing == "missing" else ["failed", "failed"]) + ["running"]


def test_drafts_slots_versions_and_etags(client: Callable[..., Any]) -> None:
    """A draft is replaced whole under If-Match, and publications keep what they were begun with."""
    mine = client(create_code=201)
    first = mine.call("GET", OFFER)
    draft = first.json() | {"definition": {"displayText": "changed", "plans": []}, "odd.key": [1]}
    body = json.dumps(draft)
    mine.publish()
    codes = [
        mine.call("PUT", OFFER, data=body).status_code,
        mine.call("PUT", OFFER, data=body, headers={"If-Match": first.headers["ETag"]}).status_code,
        mine.call("PUT", OFFER, data=body, headers={"If-Match": first.headers["ETag"]}).status_code,
        mine.call("PUT", OFFER, data=body, headers={"If-Match": "*"}).status_code,
        mine.call("PUT", "new-offer", data=body).status_code,
        mine.call("PUT", "newer-offer", data=body, headers={"If-Match": "*"}).status_code,
        mine.call("PUT", "newer-offer", data=body, headers={"If-Match": "W/x"}).status_code,
    ]
    assert codes == [409, 200, 412, 200, 201, 404, 412]
    assert mine.get(OFFER)["odd.key"] == [1]
    missing = mine.call("GET", f"{OFFER}/slot/preview")
    mine.portal.clock.advance(days=4)
    shown = [
        mine.get(f"{OFFER}/{place}")["definition"]["displayText"]
        for place in ("slot/Preview", "versions/1", "slot/draft")
    ]
    assert (shown, mine.call("GET", f"{OFFER}/slot/production").status_code) == ([OFFER, OFFER, "changed"], 404)
    assert ("There is no Staging slot" in missing.text, mine.call("GET", f"{OFFER}/versions/9").status_code) == (
        True,
        404,
    )


def test_lists_of_publishers_and_offers(client: Callable[..., Any]) -> None:
    """Publishers and offers are listed as the portal lists them."""
    mine = client(history="succeeded", etag_on_get=False)
    offers = mine.get("/api/publishers/contoso/offers")
    assert [entry["id"] for entry in mine.get("/api/publishers")] == ["contoso"]
    assert (offers[0]["id"], offers[0]["status"], offers[0]["changedTime"][-2:]) == (OFFER, "succeeded", "1Z")
    assert "ETag" not in mine.call("GET", OFFER).headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{OFFER}/operations/none", 404),
        ("/api/operations/fabrikam$x$1$preview", 403),
        ("/api/operations/contoso$contoso-vm$9$preview", 404),
        ("/api/operations/odd", 403),
    ],
)
def test_operations_that_are_not_there(client: Callable[..., Any], path: str, status: int) -> None:
    """An operation that does not exist is 404, of another publisher 403."""
    assert client().call("GET", path).status_code == status
