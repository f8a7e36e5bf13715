# SPDX-License-Identifier: Apache-2.0
"""Jobs of the emulated Product Ingestion API: progress, delays, failures, conflicts and cancels."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from emulator_client import OFFER, Client, ProductIngestionClient
from partner_center_emulator import Fault

DONE, FAILED = ("completed", "succeeded"), ("completed", "failed")


@pytest.mark.parametrize(("code", "word"), [(202, "notStarted"), (200, "running")])
def test_the_response_to_a_configure_request(start_client: Callable[..., Client], code: int, word: str) -> None:
    """The response to a configure request has either code and either status, and every field of a job."""
    client = start_client(configure_code=code, first_job_status=word)
    response = client.product_ingestion.publish()
    job = response.json()
    assert response.status_code == code
    assert job["jobStatus"] == word
    assert job["jobResult"] == "pending"
    assert job["errors"] == []
    assert job["jobEnd"] == "0001-01-01T00:00:00"
    assert job["$schema"].split("/")[4] == "configure-status"
    assert client.product_ingestion.job(job["jobId"]) == ("notStarted", "pending")
    client.emulator.clock.advance(seconds=1)
    assert client.product_ingestion.job(job["jobId"]) == ("running", "pending")


@pytest.mark.parametrize(
    ("setting", "known"),
    [("when-done", [False, True]), ("always", [True, True]), ("never", [False, False])],
)
def test_when_a_job_shows_its_end(start_client: Callable[..., Client], setting: str, known: list[bool]) -> None:
    """A job shows an end when it has ended, always, or never, depending on the setting."""
    client = start_client(job_end=setting)
    job, ends = client.product_ingestion.publish().json()["jobId"], []
    for _ in range(2):
        ends.append(client.product_ingestion.get(f"configure/{job}/status")["jobEnd"][:4] != "0001")
        client.emulator.clock.advance(days=4)
    assert ends == known


def test_a_job_can_end_after_its_submission(start_client: Callable[..., Client]) -> None:
    """A submission can be done while its job is still running, but a cancel shows at once in both."""
    client = start_client(job_lag=timedelta(hours=6), certification=timedelta(hours=1), provisioning=timedelta(0))
    api, clock = client.product_ingestion, client.emulator.clock
    job = api.publish().json()["jobId"]
    clock.advance(hours=3)
    assert api.statuses() == [("preview", *DONE)]
    assert api.job(job) == ("running", "pending")
    clock.advance(hours=6)
    assert api.job(job) == DONE
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    clock.advance(days=2)
    assert api.statuses() == [("live", *DONE)]
    assert api.job(golive) == ("running", "pending")
    clock.advance(hours=6)
    assert api.job(golive) == DONE
    again = api.publish().json()["jobId"]
    assert api.request("POST", f"configure/{again}/cancel").json()["jobResult"] == "cancelled"


def test_a_job_can_lack_its_url(start_client: Callable[..., Client]) -> None:
    """The job's URL on another host can be missing."""
    assert "resourceUri" not in start_client(resource_uri="missing").product_ingestion.publish().json()


def test_a_submission_can_be_not_started(start_client: Callable[..., Client]) -> None:
    """A new submission can have the status notStarted for a while, and still blocks others."""
    client = start_client(submission_waits=timedelta(minutes=5))
    api = client.product_ingestion
    api.publish()
    assert api.statuses() == [("preview", "notStarted", "pending")]
    refused = api.publish().json()["jobId"]
    client.emulator.clock.advance(minutes=5)
    assert api.statuses() == [("preview", "running", "pending")]
    assert api.job(refused) == FAILED


@pytest.mark.parametrize(("form", "codes"), [("missing", [404, 404, 200]), ("previous", [200, 200, 200])])
def test_stale_responses_after_a_publish(start_client: Callable[..., Client], form: str, codes: list[int]) -> None:
    """For some polls the list stays old, and the job is missing or not started."""
    client = start_client(lag_list=2, lag_operation=2, lag_operation_as=form)
    api = client.product_ingestion
    guid, job = api.guid(), api.publish().json()["jobId"]
    client.emulator.clock.advance(hours=1)
    lists = [len(api.get(f"submission/{guid}")["value"]) for _ in range(3)]
    responses = [api.request("GET", f"configure/{job}/status") for _ in range(3)]
    assert lists == [1, 1, 2]
    assert [response.status_code for response in responses] == codes
    words = [response.json().get("jobStatus", "none") for response in responses]
    assert words == [*(["none"] * 2 if form == "missing" else ["notStarted"] * 2), "running"]


def test_an_ended_job_can_disappear(start_client: Callable[..., Client]) -> None:
    """An ended job can be gone after some time, but its submission stays."""
    client = start_client(job_kept_for=timedelta(days=1))
    api = client.product_ingestion
    job = api.publish().json()["jobId"]
    client.emulator.clock.advance(days=4)
    assert api.job(job) == DONE
    client.emulator.clock.advance(days=1)
    assert api.request("GET", f"configure/{job}/status").status_code == 404
    assert api.statuses() == [("preview", *DONE)]


def test_a_job_has_details_after_its_end(start_client: Callable[..., Client]) -> None:
    """A job's resources, with the submission's id, can be read after its end, and the request is rejected before."""
    client = start_client()
    api = client.product_ingestion
    job = api.publish().json()["jobId"]
    early = api.request("GET", f"configure/{job}")
    assert early.status_code == 400
    assert early.json()["error"]["code"] == "badRequest"
    client.emulator.clock.advance(days=4)
    (resource,) = api.get(f"configure/{job}")["resources"]
    assert resource["id"] == api.submission("preview")
    refused = api.go_live().json()["jobId"]
    client.emulator.clock.advance(seconds=5)
    assert api.job(refused) == FAILED
    assert api.get(f"configure/{refused}")["resources"] == []


def leaves(errors: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return all errors, nested ones included."""
    for error in errors:
        yield error
        yield from leaves(error.get("details") or [])


FAILURES = [
    (
        "blocked-then-rejected",
        ["internalServerError", "invalidState", "invalidState"],
        "Issues found during Certification.",
    ),
    (
        "failed",
        ["internalServerError", "notDeployed", "businessValidationError"],
        "The image of plan gold does not boot on a generation 2 size.",
    ),
]


@pytest.mark.parametrize(("scenario", "codes", "text"), FAILURES)
@pytest.mark.parametrize(("setting", "last"), [("list", []), ("missing", None), ("object", {})])
def test_a_failed_publication_has_an_error_tree(
    start_client: Callable[..., Client], scenario: str, codes: list[str], text: str, setting: str, last: object
) -> None:
    """The errors of a failed job are a tree whose last error is the reason, and which ends in one of three ways."""
    client = start_client(scenario, error_details=setting)
    job = client.product_ingestion.publish().json()["jobId"]
    client.emulator.clock.advance(days=10)
    errors = list(leaves(client.product_ingestion.errors(job)))
    assert client.product_ingestion.job(job) == FAILED
    assert [one["code"] for one in errors] == codes
    assert errors[-1]["message"] == text
    assert errors[-1].get("details") == last
    assert client.status() == "failed"
    assert client.product_ingestion.statuses() == [("preview", *FAILED)]


def test_going_live_can_fail(start_client: Callable[..., Client]) -> None:
    """A failure while going live fails the live job, but not the preview's job."""
    client = start_client("fails-going-live", history="succeeded")
    api, clock = client.product_ingestion, client.emulator.clock
    job = api.publish().json()["jobId"]
    clock.advance(days=4)
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    clock.advance(days=2)
    assert api.job(job) == DONE
    assert api.job(golive) == FAILED
    assert api.statuses() == [("live", *DONE), ("live", *FAILED)]
    assert [one["message"] for one in leaves(api.errors(golive))][1] == "Publish to live"


def test_undocumented_statuses(start_client: Callable[..., Client]) -> None:
    """A job can have an undocumented status."""
    client = start_client("unknown-status")
    job = client.product_ingestion.publish().json()["jobId"]
    client.emulator.clock.advance(days=3)
    assert client.product_ingestion.job(job) == ("frobnicating", "pending")


def test_status_words_in_pascal_case(start_client: Callable[..., Client]) -> None:
    """With the Pascal casing of some documents, every status word begins with a capital."""
    client = start_client(casing="pascal")
    job = client.product_ingestion.publish().json()["jobId"]
    assert client.product_ingestion.statuses() == [("preview", "Running", "Pending")]
    client.emulator.clock.advance(days=4)
    assert client.product_ingestion.job(job) == ("Completed", "Succeeded")


def rejection(api: ProductIngestionClient, submit: Callable[[], requests.Response]) -> tuple[int, str, str]:
    """Submit a request that is rejected; return the HTTP status, the code and the message, wherever they are."""
    response = submit()
    if response.status_code == 400:
        error = response.json()["error"]["details"][0]
        return 400, error["code"], response.json()["error"]["message"]
    api.client.emulator.clock.advance(seconds=5)
    (error,) = api.errors(response.json()["jobId"])
    assert api.job(response.json()["jobId"]) == FAILED
    return response.status_code, error["code"], error["message"]


@pytest.mark.parametrize(("setting", "code"), [("job", 202), ("400", 400)])
def test_submissions_block_each_other(start_client: Callable[..., Client], setting: str, code: int) -> None:
    """A publish or go-live that is not allowed fails its job, or is rejected at once, and changes nothing."""
    client = start_client(refusal_shown_as=setting)
    api, clock = client.product_ingestion, client.emulator.clock
    in_progress = (code, "conflict", "An In Progress submission already exists")
    not_latest = (code, "conflict", "The submission cannot be pushed to live as its not the latest")
    api.publish()
    first = api.submission("preview")
    assert rejection(api, api.publish) == in_progress
    assert rejection(api, lambda: api.go_live(first)) == in_progress
    clock.advance(days=4)
    api.publish()
    clock.advance(days=4)
    assert rejection(api, lambda: api.go_live(first)) == not_latest
    second = api.submission("preview")
    for number in (None, f"submission/{api.guid()}/0"):
        assert rejection(api, lambda number=number: api.go_live(number))[0] == code
    assert client.status() == "waitingForPublisherReview"
    assert len(client.emulator.operations(OFFER)) == 2
    assert api.go_live(second).status_code == 202
    assert rejection(api, lambda: api.go_live(second)) == in_progress
    clock.advance(days=2)
    assert rejection(api, lambda: api.go_live(second)) == not_latest
    assert client.status() == "succeeded"
    assert api.statuses() == [("live", *DONE)]


def test_an_offer_that_is_not_valid(start_client: Callable[..., Client]) -> None:
    """An offer that the CPP API rejects with 422 fails its job here, with the reason."""
    client = start_client("invalid")
    job = client.product_ingestion.publish().json()["jobId"]
    client.emulator.clock.advance(seconds=5)
    errors = [(one["code"], one["message"]) for one in leaves(client.product_ingestion.errors(job))]
    assert errors == [("badRequest", "Validation failed."), ("businessValidationError", "The plan gold has no image.")]
    assert client.emulator.operations(OFFER) == []


@pytest.mark.parametrize(
    ("setting", "codes", "words"),
    [
        ("at-once", [200, 400], ["cancelled", "cancelled"]),
        ("later", [200, 200], ["pending", "cancelled"]),
        ("refused", [400, 400], ["pending", "pending"]),
    ],
)
def test_a_cancel(start_client: Callable[..., Client], setting: str, codes: list[int], words: list[str]) -> None:
    """A job in progress is canceled at once, later, or not at all, in both APIs alike."""
    client = start_client(cancel_job=setting, cancel_takes=timedelta(minutes=2))
    api = client.product_ingestion
    job = api.publish().json()["jobId"]
    responses = [api.request("POST", f"configure/{job}/cancel") for _ in range(2)]
    results = [api.job(job)[1]]
    client.emulator.clock.advance(minutes=2)
    results.append(api.job(job)[1])
    assert [response.status_code for response in responses] == codes
    assert results == words
    assert client.status() == ("running" if setting == "refused" else "canceled")
    assert client.emulator.submits_for(OFFER)["cancel"] == 2


def test_jobs_that_cannot_be_canceled(start_client: Callable[..., Client]) -> None:
    """An ended job and a job that goes live cannot be canceled, and a preview keeps awaiting sign-off."""
    client = start_client()
    api = client.product_ingestion
    job = api.publish().json()["jobId"]
    client.emulator.clock.advance(days=4)
    late = api.request("POST", f"configure/{job}/cancel")
    assert late.status_code == 400
    assert late.json()["error"]["message"] == "Cannot cancel job, job has already completed."
    assert client.status() == "waitingForPublisherReview"
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    assert api.request("POST", f"configure/{golive}/cancel").status_code == 400
    assert client.status() == "running"
    assert api.request("POST", "configure/none/cancel").status_code == 404


def test_the_job_of_a_preview_keeps_its_result(start_client: Callable[..., Client]) -> None:
    """The job of a preview stays successful when another publish replaces the preview, or a cancel ends it."""
    client = start_client()
    api = client.product_ingestion
    jobs = []
    for _ in range(2):
        jobs.append(api.publish().json()["jobId"])
        client.emulator.clock.advance(days=4)
    client.emulator.person(OFFER, "cancel")
    client.emulator.clock.advance(minutes=2)
    assert [api.job(job) for job in jobs] == [DONE, DONE]
    assert api.statuses() == []
    assert client.status() == "canceled"


def test_a_product_that_a_person_edits_is_locked(start_client: Callable[..., Client]) -> None:
    """While a person edits a product, a configure request gets 423, and afterwards succeeds."""
    client = start_client()
    client.emulator.person(OFFER, "lock")
    refused = client.product_ingestion.publish()
    error = refused.json()["error"]
    assert refused.status_code == 423
    assert error["code"] == "locked"
    assert error["details"][0]["code"] == "productLocked"
    client.emulator.person(OFFER, "unlock")
    assert client.product_ingestion.publish().status_code == 202


@pytest.mark.parametrize("route", ["configure_publish", "configure_golive", "configure_draft"])
def test_faults_apply_before_or_after_a_configure_request(start_client: Callable[..., Client], route: str) -> None:
    """A fault applies to one kind of configure request of one offer, before or after the request takes effect."""
    client = start_client()
    client.emulator.add_offer("second")
    api = client.product_ingestion
    api.publish()
    client.emulator.clock.advance(days=4)
    submits: dict[str, Callable[[], Any]] = {
        "configure_publish": api.publish,
        "configure_golive": lambda: api.go_live(api.submission("preview")),
        "configure_draft": lambda: api.configure(api.get(api.product()) | {"alias": "Renamed"}),
    }
    before = len(client.emulator.operations(OFFER)), client.status()
    client.emulator.inject(Fault("response", route, status=502, offer=OFFER))
    assert api.publish(offer="second").status_code == 202
    lost = submits[route]()
    assert lost.status_code == 502
    assert lost.content == b""
    assert (len(client.emulator.operations(OFFER)), client.status()) == before
    client.emulator.inject(Fault("drop", route, after=True))
    with pytest.raises(requests.ConnectionError):
        submits[route]()
    client.emulator.clock.advance(seconds=5)
    changed = api.get(api.product())["alias"] == "Renamed"
    unpublished = (len(client.emulator.operations(OFFER)), client.status()) == before
    assert unpublished == (route == "configure_draft")
    assert changed == (route == "configure_draft")
    assert client.emulator.counts_for(OFFER)[route] == (3 if route == "configure_publish" else 2)


@pytest.mark.parametrize(
    ("scenario", "codes"),
    [("throttled", [429, 429, 429, 200]), ("server-errors", [500] * 5 + [200])],
)
def test_scenarios_that_fail_the_next_reads(
    start_client: Callable[..., Client], scenario: str, codes: list[int]
) -> None:
    """After a publish, reads of its submissions and of its job fail as the scenario says."""
    client = start_client(scenario)
    guid, job = client.product_ingestion.guid(), client.product_ingestion.publish().json()["jobId"]
    for path in (f"submission/{guid}", f"configure/{job}/status"):
        responses = [client.product_ingestion.request("GET", path) for _ in codes]
        assert [response.status_code for response in responses] == codes
        assert ("Retry-After" in responses[0].headers) == (scenario == "throttled")


def test_a_gate_holds_a_poll_of_a_job(start_client: Callable[..., Client]) -> None:
    """A gate holds requests of one route for one offer."""
    client = start_client()
    job = client.product_ingestion.publish().json()["jobId"]
    gate = client.emulator.gate("configure_status", offer=OFFER)
    states: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: states.append(client.product_ingestion.job(job)))
    thread.start()
    gate.wait_until_reached()
    held = states[:]
    gate.open()
    thread.join(10)
    assert held == []
    assert states == [("notStarted", "pending")]


BODIES: list[tuple[Any, int, str]] = [
    (b"{", 400, "at least one resource"),
    ([], 400, "at least one resource"),
    ({"$schema": "https://schema.mp.microsoft.com/schema/configure/2022-07-01", "resources": []}, 400, "at least one"),
    ({"$schema": "https://schema.mp.microsoft.com/schema/product/2022-07-01", "resources": [{}]}, 400, "configure"),
    ({"resources": [{"$schema": "https://schema.mp.microsoft.com/schema/product/2022-07-01"}]}, 400, "configure"),
    ({"$schema": "https://schema.mp.microsoft.com/schema/configure/1", "resources": [{"id": "x"}]}, 400, '["$schema"]'),
    ({"$schema": "https://schema.mp.microsoft.com/schema/configure/1", "resources": ["x"]}, 400, '["$schema"]'),
    (
        {
            "$schema": "https://schema.mp.microsoft.com/schema/configure/1",
            "resources": [{"$schema": "https://schema.mp.microsoft.com/schema/submission/1"}] * 2,
        },
        400,
        "more than one submission",
    ),
]


@pytest.mark.parametrize(("body", "code", "text"), BODIES)
def test_an_invalid_body_is_rejected(start_client: Callable[..., Client], body: Any, code: int, text: str) -> None:
    """A body that is not a valid configure request is rejected at once, with the reason."""
    client = start_client()
    response = client.product_ingestion.request(
        "POST", "configure", data=body if isinstance(body, bytes) else json.dumps(body)
    )
    details = response.json()["error"]["details"]
    assert response.status_code == code
    assert text in details[0]["message"]
    assert client.emulator.counts["configure_draft"] == 1


SCHEMA = "https://schema.mp.microsoft.com/schema"
RESOURCES: list[tuple[dict[str, Any], int, str]] = [
    ({"$schema": f"{SCHEMA}/submission/2022-03-01-preview7"}, 400, '["sources"]'),
    ({"$schema": "https://product-ingestion.azureedge.net/schema/submission/2022-03-01-preview2"}, 400, "accessed"),
    ({"lifecycleState": "deprecated"}, 501, "deprecated"),
    ({"product": "product/00000000-0000-0000-0000-000000000000"}, 400, "does not exist"),
    ({"product": {"externalId": "nobody"}}, 400, "does not exist"),
    ({"product": None}, 400, "Expected type string but found type null"),
    ({"target": {"targetType": "moon"}}, 400, "'moon' is not valid"),
    ({"id": "submission/00000000-0000-0000-0000-000000000000/5"}, 400, "is no id"),
]


@pytest.mark.parametrize(("changes", "code", "text"), RESOURCES)
def test_an_invalid_submission_is_rejected_at_once(
    start_client: Callable[..., Client], changes: dict[str, Any], code: int, text: str
) -> None:
    """Invalid schemas, ids and products are rejected with the texts of the real API, and nothing is published."""
    client = start_client()
    response = client.product_ingestion.publish(**changes)
    assert response.status_code == code
    assert text in response.text.replace('\\"', '"')
    assert client.emulator.operations(OFFER) == []


def test_the_retired_host_can_be_accepted(start_client: Callable[..., Client]) -> None:
    """Without the check of schema hosts, the retired host is accepted."""
    url = "https://product-ingestion.azureedge.net/schema/submission/2022-03-01-preview2"
    assert start_client(schema_hosts="any").product_ingestion.publish(**{"$schema": url}).status_code == 202


@pytest.mark.parametrize("reference", ["guid", "externalId", "id"])
def test_a_submission_names_its_product_in_each_form(start_client: Callable[..., Client], reference: str) -> None:
    """A submission can identify its product by durable id, by external id, or by the draft's own id."""
    client = start_client()
    forms = {
        "guid": {},
        "externalId": {"product": {"externalId": OFFER}},
        "id": {"id": f"submission/{client.product_ingestion.guid()}/0"},
    }
    assert client.product_ingestion.publish(**forms[reference]).status_code == 202
    assert client.emulator.submits_for(OFFER)["publish"] == 1


@pytest.mark.parametrize(("form", "content"), [("json", b'{"error"'), ("empty", b""), ("html", b"<html>")])
def test_the_bodies_of_errors(start_client: Callable[..., Client], form: str, content: bytes) -> None:
    """An error's body is JSON, empty or HTML, depending on the setting, in this API too."""
    api = start_client(error_body=form).product_ingestion
    response = api.request("GET", "nothing")
    assert response.status_code == 404
    assert response.content[: len(content) or 1] == content
    assert response.headers["request-id"]
