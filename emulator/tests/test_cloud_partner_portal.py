# SPDX-License-Identifier: Apache-2.0
"""The emulated CPP API: as strict as the real one, with settings for undocumented behavior."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from emulator_client import OFFER, Client


def test_a_request_needs_version_token_and_access(start_client: Callable[..., Client]) -> None:
    """A wrong version gets 400, no token 401, another publisher 403, an unknown offer 404, each with a request id."""
    client = start_client()
    responses = [
        client.request("GET", f"/api/publishers/contoso/offers/{OFFER}/status?api-version=2016"),
        client.request("GET", f"{OFFER}/status", headers={"Authorization": ""}),
        client.request("GET", "/api/publishers/fabrikam/offers"),
        client.request("GET", "nothing/status"),
    ]
    assert [response.status_code for response in responses] == [400, 401, 403, 404]
    assert [response.json()["error"]["code"] for response in responses] == [
        "InvalidAPIVersion",
        "Unauthorized",
        "Forbidden",
        "NotFound",
    ]
    assert "2017-10-31" in responses[0].json()["error"]["message"]
    assert len({response.headers["X-Ms-Correlation-Request-Id"] for response in responses}) == 4


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
def test_slashes_and_case_do_not_matter(start_client: Callable[..., Client], path: str) -> None:
    """Routes accept a trailing slash, and ids in any case."""
    assert start_client().request("GET", path).status_code == 200


def test_a_publication_from_publish_to_live(start_client: Callable[..., Client]) -> None:
    """From publish to live, status, steps and operations agree."""
    client = start_client()
    clock = client.emulator.clock
    assert client.status() == "neverPublished"
    accepted = client.publish()
    assert accepted.status_code == 202
    assert accepted.content == b""
    assert client.status() == "running"
    clock.advance(days=1)
    steps = {
        step["id"]: (step["status"], step["progressPercentage"]) for step in client.get(f"{OFFER}/status")["steps"]
    }
    assert steps == {
        "displaydummycertify": ("complete", 100),
        "displaycertify": ("inProgress", 39),
        "displayprovision": ("notStarted", 0),
        "displaypackage": ("notStarted", 0),
        "publisher-signoff": ("notStarted", 0),
        "live": ("notStarted", 0),
    }
    clock.advance(days=3)
    assert client.status() == "waitingForPublisherReview"
    golive = client.request("POST", f"{OFFER}/golive")
    operation = client.request("GET", golive.headers["Location"]).json()
    assert golive.status_code == 202
    assert operation["status"] == "running"
    assert operation["cancellationRequestState"] == "canCancel"
    clock.advance(days=2)
    entries = client.get(f"{OFFER}/submissions")
    statuses = [(entry["submissionType"], entry["submissionState"], entry["slot"]) for entry in entries]
    assert client.status() == "succeeded"
    assert statuses == [("goLive", "completed", "production"), ("publish", "completed", "staging")]
    assert all(len(str(entry["version"])) == 18 for entry in entries)


@pytest.mark.parametrize("name", ["status", "submissionState"])
def test_the_list_is_filtered_by_either_name(start_client: Callable[..., Client], name: str) -> None:
    """The list accepts both names of the filter that clients use."""
    client = start_client(history="succeeded")
    client.publish()
    entries = client.get(f"/api/publishers/contoso/offers/{OFFER}/submissions/?api-version=2017-10-31&{name}=Running")
    assert [entry["submissionState"] for entry in entries] == ["running"]


@pytest.mark.parametrize("status", [409, 400])
def test_one_operation_at_a_time(start_client: Callable[..., Client], status: int) -> None:
    """A publish while an operation is in progress is rejected with the status of the setting."""
    client = start_client(second_publish=status)
    client.publish()
    assert client.publish().status_code == status
    assert len(client.get(f"{OFFER}/submissions")) == 1


def test_publishing_replaces_an_offer_that_awaits_sign_off(start_client: Callable[..., Client]) -> None:
    """Publishing an offer that awaits sign-off cancels the earlier publication."""
    client = start_client()
    client.publish()
    client.emulator.clock.advance(days=4)
    assert client.publish().status_code == 202
    assert [entry["submissionState"] for entry in client.get(f"{OFFER}/submissions")] == ["running", "canceled"]


LOCATIONS = [
    ("publisher", "/api/publishers/contoso/offers/contoso-vm/operations/{id}?api-version=2017-10-31"),
    ("dollar", "/api/operations/contoso$contoso-vm$1$preview?api-version=2017-10-31"),
    ("absolute", "{url}/api/publishers/contoso/offers/contoso-vm/operations/{id}"),
    ("dollar-guid", "/api/operations/contoso${guid}$1$preview?api-version=2017-10-31"),
]


@pytest.mark.parametrize(("form", "pattern"), LOCATIONS)
@pytest.mark.parametrize("body", ["object", "list"])
def test_the_forms_of_a_location(start_client: Callable[..., Client], form: str, pattern: str, body: str) -> None:
    """Each form of the location is as documented, and is the URL of the operation."""
    client = start_client(location_form=form, operation_body=body)
    location = client.publish().headers["Location"]
    identifier = client.get(f"{OFFER}/submissions")[0]["id"]
    guid = location.split("$")[1] if form == "dollar-guid" else ""
    assert location == pattern.format(id=identifier, url=client.emulator.url, guid=guid)
    path = location.removeprefix(client.emulator.url)
    responses = [
        client.get(path if "?" in path else f"{path}?api-version=2017-10-31"),
        client.get(path.split("?")[0].replace("$", "%24")),
    ]
    assert [(response[0] if body == "list" else response)["status"] for response in responses] == ["running", "running"]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("Location", ["location"]),
        ("Operation-Location", ["operation-location"]),
        ("both", ["location", "operation-location"]),
        ("none", []),
    ],
)
def test_the_headers_of_a_location(start_client: Callable[..., Client], header: str, names: list[str]) -> None:
    """The location is in the header of the setting, in both, or in none."""
    headers = start_client(location_header=header).publish().headers
    assert sorted(name.lower() for name in headers if "location" in name.lower()) == names


@pytest.mark.parametrize(
    ("form", "status", "name"),
    [
        ("status", "waitingForPublisherReview", "Publisher signoff"),
        ("step-id", "running", "Publisher signoff"),
        ("step-name", "running", "publisher-signoff"),
    ],
)
def test_a_sign_off_shows_in_three_ways(start_client: Callable[..., Client], form: str, status: str, name: str) -> None:
    """An offer that awaits sign-off shows it by its status, or as running with the step's id or name."""
    client = start_client(sign_off_shown_as=form)
    client.publish()
    client.emulator.clock.advance(days=4)
    body = client.get(f"{OFFER}/status")
    assert body["status"] == status
    assert body["steps"][4]["stepName"] == name
    assert body["steps"][4]["status"] == "waitingForPublisherReview"


@pytest.mark.parametrize(("form", "content"), [("json", b'{"error"'), ("empty", b""), ("html", b"<html>")])
def test_error_bodies(start_client: Callable[..., Client], form: str, content: bytes) -> None:
    """An error's body is JSON, empty, or HTML, depending on the setting."""
    response = start_client(error_body=form).request("GET", "nothing/status")
    assert response.status_code == 404
    assert response.content[: len(content)] == content
    assert bool(response.content) == (form != "empty")


def test_status_words_are_settings(start_client: Callable[..., Client]) -> None:
    """Casing and the words for success are settings."""
    client = start_client(
        history="succeeded",
        casing="pascal",
        success_word="published",
        operation_success_word="succeeded",
        list_success_word="complete",
    )
    entry = client.get(f"{OFFER}/submissions")[0]
    operation = client.get(f"{OFFER}/operations/{entry['id']}")
    assert client.status() == "Published"
    assert entry["submissionState"] == "Complete"
    assert operation["status"] == "Succeeded"


SCENARIOS = [
    ("never-signed-off", ["waitingForPublisherReview", "waitingForPublisherReview"], "waitingForPublisherReview"),
    ("blocked-then-rejected", ["running", "failed"], "rejected"),
    ("failed", ["running", "failed"], "rejected"),
    ("canceled", ["canceled", "canceled"], "canceled"),
    ("unknown-status", ["frobnicating", "frobnicating"], "waitingForPublisherReview"),
]


@pytest.mark.parametrize(("scenario", "words", "step"), SCENARIOS)
def test_scenarios(start_client: Callable[..., Client], scenario: str, words: list[str], step: str) -> None:
    """Each scenario has its status halfway and at its end."""
    client = start_client(scenario)
    client.publish()
    statuses_over_time = []
    for days in (4, 2) if scenario == "never-signed-off" else (2, 3):
        client.emulator.clock.advance(days=days)
        statuses_over_time.append(client.status())
    statuses = [one["status"] for one in client.get(f"{OFFER}/status")["steps"]]
    assert statuses_over_time == words
    assert step in statuses


def test_a_scenario_that_fails_while_going_live(start_client: Callable[..., Client]) -> None:
    """`fails-going-live` awaits sign-off like any other, and fails after going live."""
    client = start_client("fails-going-live")
    client.publish()
    client.emulator.clock.advance(days=4)
    client.emulator.person(OFFER, "sign-off")
    client.emulator.clock.advance(days=3)
    assert client.status() == "failed"
    assert client.get(f"{OFFER}/submissions")[0]["submissionState"] == "failed"


def test_an_invalid_offer(start_client: Callable[..., Client]) -> None:
    """`invalid` is rejected with 422 and details, and a body that is not JSON or not an object with 400."""
    client = start_client("invalid")
    response = client.publish()
    assert response.status_code == 422
    assert response.json()["error"]["details"][0]["target"] == "plans[0]"
    assert [client.request("POST", f"{OFFER}/publish", data=data).status_code for data in ("{'a': 1}", "[]")] == [
        400,
        400,
    ]


@pytest.mark.parametrize("code", [202, 200])
def test_cancel(start_client: Callable[..., Client], code: int) -> None:
    """A cancel takes effect later or at once, succeeds if nothing is in progress, and is rejected while an offer goes live."""
    client = start_client(cancel_code=code)
    clock = client.emulator.clock
    client.publish()
    assert client.request("POST", f"{OFFER}/cancel").status_code == code
    assert client.status() == ("running" if code == 202 else "canceled")
    clock.advance(minutes=3)
    assert client.status() == "canceled"
    assert client.request("POST", f"{OFFER}/cancel").status_code == code
    client.publish()
    clock.advance(days=4)
    client.request("POST", f"{OFFER}/golive")
    assert [client.request("POST", f"{OFFER}/{action}").status_code for action in ("cancel", "golive")] == [400, 400]


@pytest.mark.parametrize(
    ("setting", "status", "word"), [("canceled", 202, "canceled"), ("400", 400, "waitingForPublisherReview")]
)
def test_canceling_an_offer_that_awaits_sign_off(
    start_client: Callable[..., Client], setting: str, status: int, word: str
) -> None:
    """Whether an offer that awaits sign-off can be canceled is a setting."""
    client = start_client(cancel_at_sign_off=setting)
    client.publish()
    client.emulator.clock.advance(days=4)
    response = client.request("POST", f"{OFFER}/cancel").status_code
    client.emulator.clock.advance(minutes=3)
    assert response == status
    assert client.status() == word


@pytest.mark.parametrize("missing", ["previous", "missing"])
def test_stale_responses_after_a_publish(start_client: Callable[..., Client], missing: str) -> None:
    """Status, list and operation stay old or missing for exactly the number of polls of the settings."""
    client = start_client(history="failed", lag_status=2, lag_list=1, lag_operation=2, lag_operation_as=missing)
    location = client.publish().headers["Location"]
    statuses = [client.status() for _ in range(3)]
    lists = [len(client.get(f"{OFFER}/submissions")) for _ in range(2)]
    operations = [client.request("GET", location) for _ in range(3)]
    assert statuses == ["failed", "failed", "running"]
    assert lists == [1, 2]
    statuses = [response.json().get("status") for response in operations]
    assert statuses == ([None, None] if missing == "missing" else ["failed", "failed"]) + ["running"]


def test_drafts_slots_versions_and_etags(start_client: Callable[..., Client]) -> None:
    """A draft is replaced as a whole with If-Match, and publications keep the draft that they began with."""
    client = start_client(create_code=201)
    first = client.request("GET", OFFER)
    draft = first.json() | {"definition": {"displayText": "changed", "plans": []}, "odd.key": [1]}
    body = json.dumps(draft)
    client.publish()
    codes = [
        client.request("PUT", OFFER, data=body).status_code,
        client.request("PUT", OFFER, data=body, headers={"If-Match": first.headers["ETag"]}).status_code,
        client.request("PUT", OFFER, data=body, headers={"If-Match": first.headers["ETag"]}).status_code,
        client.request("PUT", OFFER, data=body, headers={"If-Match": "*"}).status_code,
        client.request("PUT", "new-offer", data=body).status_code,
        client.request("PUT", "newer-offer", data=body, headers={"If-Match": "*"}).status_code,
        client.request("PUT", "newer-offer", data=body, headers={"If-Match": "W/x"}).status_code,
    ]
    assert codes == [409, 200, 412, 200, 201, 404, 412]
    assert client.get(OFFER)["odd.key"] == [1]
    missing = client.request("GET", f"{OFFER}/slot/preview")
    client.emulator.clock.advance(days=4)
    statuses = [
        client.get(f"{OFFER}/{place}")["definition"]["displayText"]
        for place in ("slot/Preview", "versions/1", "slot/draft")
    ]
    assert statuses == [OFFER, OFFER, "changed"]
    assert client.request("GET", f"{OFFER}/slot/production").status_code == 404
    assert "There is no Staging slot" in missing.text
    assert client.request("GET", f"{OFFER}/versions/9").status_code == 404


def test_lists_of_publishers_and_offers(start_client: Callable[..., Client]) -> None:
    """Publishers and offers are listed as in the CPP API."""
    client = start_client(history="succeeded", etag_on_get=False)
    offers = client.get("/api/publishers/contoso/offers")
    assert [entry["id"] for entry in client.get("/api/publishers")] == ["contoso"]
    assert offers[0]["id"] == OFFER
    assert offers[0]["status"] == "succeeded"
    assert offers[0]["changedTime"][-2:] == "1Z"
    assert "ETag" not in client.request("GET", OFFER).headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{OFFER}/operations/none", 404),
        ("/api/operations/fabrikam$x$1$preview", 403),
        ("/api/operations/contoso$contoso-vm$9$preview", 404),
        ("/api/operations/odd", 403),
    ],
)
def test_an_operation_that_does_not_exist(start_client: Callable[..., Client], path: str, status: int) -> None:
    """An unknown operation gets 404, an operation of another publisher 403."""
    assert start_client().request("GET", path).status_code == status
