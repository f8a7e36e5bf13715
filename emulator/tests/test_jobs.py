# SPDX-License-Identifier: Apache-2.0
"""Jobs of the emulated Product Ingestion API: how they run, lag, fail, conflict and are canceled."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from partner_center_emulator import Fault

OFFER = "contoso-vm"
DONE, FAILED = ("completed", "succeeded"), ("completed", "failed")


@pytest.mark.parametrize(("code", "word"), [(202, "notStarted"), (200, "running")])
def test_the_answer_to_a_job(client: Callable[..., Any], code: int, word: str) -> None:
    """A job that was taken is answered with either code and either word, and every field of a job."""
    mine = client(configure_code=code, first_job_status=word)
    answer = mine.ingestion.publish()
    job = answer.json()
    assert (answer.status_code, job["jobStatus"], job["jobResult"], job["errors"]) == (code, word, "pending", [])
    assert (job["jobEnd"], job["$schema"].split("/")[4]) == ("0001-01-01T00:00:00", "configure-status")
    assert mine.ingestion.job(job["jobId"]) == ("notStarted", "pending")
    mine.portal.clock.advance(seconds=1)
    assert mine.ingestion.job(job["jobId"]) == ("running", "pending")


@pytest.mark.parametrize(
    ("setting", "known"),
    [("when-done", [False, True]), ("always", [True, True]), ("never", [False, False])],
)
def test_a_job_s_end_proves_nothing(client: Callable[..., Any], setting: str, known: list[bool]) -> None:
    """The end of a job is told when it has one, before that too, or not even then."""
    mine = client(job_end=setting)
    job, ends = mine.ingestion.publish().json()["jobId"], []
    for _ in range(2):
        ends.append(mine.ingestion.get(f"configure/{job}/status")["jobEnd"][:4] != "0001")
        mine.portal.clock.advance(days=4)
    assert ends == known


def test_a_job_may_lag_behind_its_submission(client: Callable[..., Any]) -> None:
    """The submission is done while its job still says that it runs, until the lag is over; a cancel shows at once."""
    mine = client(job_lag=timedelta(hours=6), certification=timedelta(hours=1), provisioning=timedelta(0))
    api, clock = mine.ingestion, mine.portal.clock
    job = api.publish().json()["jobId"]
    clock.advance(hours=3)
    assert (api.shown(), api.job(job)) == ([("preview", *DONE)], ("running", "pending"))
    clock.advance(hours=6)
    assert api.job(job) == DONE
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    clock.advance(days=2)
    assert (api.shown(), api.job(golive)) == ([("live", *DONE)], ("running", "pending"))
    clock.advance(hours=6)
    assert api.job(golive) == DONE
    again = api.publish().json()["jobId"]
    assert api.call("POST", f"configure/{again}/cancel").json()["jobResult"] == "cancelled"


def test_a_job_need_not_name_its_address(client: Callable[..., Any]) -> None:
    """The address on another host may be missing."""
    assert "resourceUri" not in client(resource_uri="missing").ingestion.publish().json()


def test_a_submission_may_not_have_started(client: Callable[..., Any]) -> None:
    """For a while a new submission may say that it has not started, and it stands in the way all the same."""
    mine = client(submission_waits=timedelta(minutes=5))
    api = mine.ingestion
    api.publish()
    assert api.shown() == [("preview", "notStarted", "pending")]
    refused = api.publish().json()["jobId"]
    mine.portal.clock.advance(minutes=5)
    assert (api.shown(), api.job(refused)) == ([("preview", "running", "pending")], FAILED)


@pytest.mark.parametrize(("form", "codes"), [("missing", [404, 404, 200]), ("previous", [200, 200, 200])])
def test_what_was_ordered_is_seen_late(client: Callable[..., Any], form: str, codes: list[int]) -> None:
    """For some polls the list is the old one, and the job is not found, or has not begun."""
    mine = client(lag_list=2, lag_operation=2, lag_operation_as=form)
    api = mine.ingestion
    guid, job = api.guid(), api.publish().json()["jobId"]
    mine.portal.clock.advance(hours=1)
    lists = [len(api.get(f"submission/{guid}")["value"]) for _ in range(3)]
    answers = [api.call("GET", f"configure/{job}/status") for _ in range(3)]
    assert (lists, [answer.status_code for answer in answers]) == ([1, 1, 2], codes)
    words = [answer.json().get("jobStatus", "none") for answer in answers]
    assert words == [*(["none"] * 2 if form == "missing" else ["notStarted"] * 2), "running"]


def test_a_job_may_vanish(client: Callable[..., Any]) -> None:
    """Some time after its end a job is not found any more, if that is set; its submission is."""
    mine = client(job_kept_for=timedelta(days=1))
    api = mine.ingestion
    job = api.publish().json()["jobId"]
    mine.portal.clock.advance(days=4)
    assert api.job(job) == DONE
    mine.portal.clock.advance(days=1)
    assert api.call("GET", f"configure/{job}/status").status_code == 404
    assert api.shown() == [("preview", *DONE)]


def test_the_details_of_a_job_come_with_its_end(client: Callable[..., Any]) -> None:
    """What a job processed is told once it has ended, the submission's id included, and refused before."""
    mine = client()
    api = mine.ingestion
    job = api.publish().json()["jobId"]
    early = api.call("GET", f"configure/{job}")
    assert (early.status_code, early.json()["error"]["code"]) == (400, "badRequest")
    mine.portal.clock.advance(days=4)
    (resource,) = api.get(f"configure/{job}")["resources"]
    assert resource["id"] == api.submission("preview")
    refused = api.go_live().json()["jobId"]
    mine.portal.clock.advance(seconds=5)
    assert (api.job(refused), api.get(f"configure/{refused}")["resources"]) == (FAILED, [])


def leaves(errors: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Walk through errors, the deepest included."""
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
def test_a_publication_that_fails_says_why(
    client: Callable[..., Any], scenario: str, codes: list[str], text: str, setting: str, last: object
) -> None:
    """The job's errors form a tree whose last one says why, and which ends in one of three ways."""
    mine = client(scenario, error_details=setting)
    job = mine.ingestion.publish().json()["jobId"]
    mine.portal.clock.advance(days=10)
    found = list(leaves(mine.ingestion.errors(job)))
    assert mine.ingestion.job(job) == FAILED
    assert ([one["code"] for one in found], found[-1]["message"], found[-1].get("details")) == (codes, text, last)
    assert (mine.status(), mine.ingestion.shown()) == ("failed", [("preview", *FAILED)])


def test_going_live_may_fail(client: Callable[..., Any]) -> None:
    """A preview that is rejected while it goes live fails the live job, and not the one that made the preview."""
    mine = client("fails-going-live", history="succeeded")
    api, clock = mine.ingestion, mine.portal.clock
    job = api.publish().json()["jobId"]
    clock.advance(days=4)
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    clock.advance(days=2)
    assert (api.job(job), api.job(golive), api.shown()) == (DONE, FAILED, [("live", *DONE), ("live", *FAILED)])
    assert [one["message"] for one in leaves(api.errors(golive))][1] == "Publish to live"


def test_words_that_nobody_knows(client: Callable[..., Any]) -> None:
    """A job and a submission may have a status that stands in no document."""
    mine = client("unknown-status")
    job = mine.ingestion.publish().json()["jobId"]
    mine.portal.clock.advance(days=3)
    assert mine.ingestion.job(job) == ("frobnicating", "pending")


def test_words_may_begin_with_a_capital(client: Callable[..., Any]) -> None:
    """With the casing of some documents every status word begins with a capital."""
    mine = client(casing="pascal")
    job = mine.ingestion.publish().json()["jobId"]
    assert mine.ingestion.shown() == [("preview", "Running", "Pending")]
    mine.portal.clock.advance(days=4)
    assert mine.ingestion.job(job) == ("Completed", "Succeeded")


def refusals(api: Any, order: Callable[[], requests.Response]) -> tuple[int, str, str]:
    """Order what is refused; returns the HTTP status, the code and the message, wherever they are."""
    answer = order()
    if answer.status_code == 400:
        error = answer.json()["error"]["details"][0]
        return 400, error["code"], answer.json()["error"]["message"]
    api.client.portal.clock.advance(seconds=5)
    (error,) = api.errors(answer.json()["jobId"])
    assert api.job(answer.json()["jobId"]) == FAILED
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize(("setting", "code"), [("job", 202), ("400", 400)])
def test_submissions_stand_in_each_other_s_way(client: Callable[..., Any], setting: str, code: int) -> None:
    """What cannot be published now, or not any more, is refused by a job that fails, or at once; nothing changes."""
    mine = client(refusal_shown_as=setting)
    api, clock = mine.ingestion, mine.portal.clock
    in_progress = (code, "conflict", "An In Progress submission already exists")
    not_latest = (code, "conflict", "The submission cannot be pushed to live as its not the latest")
    api.publish()
    first = api.submission("preview")
    assert refusals(api, api.publish) == in_progress
    assert refusals(api, lambda: api.go_live(first)) == in_progress
    clock.advance(days=4)
    api.publish()
    clock.advance(days=4)
    assert refusals(api, lambda: api.go_live(first)) == not_latest
    second = api.submission("preview")
    for number in (None, f"submission/{api.guid()}/0"):
        assert refusals(api, lambda number=number: api.go_live(number))[0] == code
    assert (mine.status(), len(mine.portal.operations(OFFER))) == ("waitingForPublisherReview", 2)
    assert api.go_live(second).status_code == 202
    assert refusals(api, lambda: api.go_live(second)) == in_progress
    clock.advance(days=2)
    assert refusals(api, lambda: api.go_live(second)) == not_latest
    assert (mine.status(), api.shown()) == ("succeeded", [("live", *DONE)])


def test_an_offer_that_is_not_valid(client: Callable[..., Any]) -> None:
    """What the portal refuses with 422 is here a job that fails, and says what is not valid."""
    mine = client("invalid")
    job = mine.ingestion.publish().json()["jobId"]
    mine.portal.clock.advance(seconds=5)
    found = [(one["code"], one["message"]) for one in leaves(mine.ingestion.errors(job))]
    assert found == [("badRequest", "Validation failed."), ("businessValidationError", "The plan gold has no image.")]
    assert mine.portal.operations(OFFER) == []


@pytest.mark.parametrize(
    ("setting", "codes", "words"),
    [
        ("at-once", [200, 400], ["cancelled", "cancelled"]),
        ("later", [200, 200], ["pending", "cancelled"]),
        ("refused", [400, 400], ["pending", "pending"]),
    ],
)
def test_a_cancel(client: Callable[..., Any], setting: str, codes: list[int], words: list[str]) -> None:
    """A job that runs is canceled at once, after a while, or not at all; both APIs see the same."""
    mine = client(cancel_job=setting, cancel_takes=timedelta(minutes=2))
    api = mine.ingestion
    job = api.publish().json()["jobId"]
    answers = [api.call("POST", f"configure/{job}/cancel") for _ in range(2)]
    found = [api.job(job)[1]]
    mine.portal.clock.advance(minutes=2)
    found.append(api.job(job)[1])
    assert ([answer.status_code for answer in answers], found) == (codes, words)
    assert mine.status() == ("running" if setting == "refused" else "canceled")
    assert mine.portal.orders_for(OFFER)["cancel"] == 2


def test_what_cannot_be_canceled(client: Callable[..., Any]) -> None:
    """A job that has ended is not canceled, nor one that goes live; a parked preview stays parked."""
    mine = client()
    api = mine.ingestion
    job = api.publish().json()["jobId"]
    mine.portal.clock.advance(days=4)
    late = api.call("POST", f"configure/{job}/cancel")
    assert (late.status_code, late.json()["error"]["message"], mine.status()) == (
        400,
        "Cannot cancel job, job has already completed.",
        "waitingForPublisherReview",
    )
    golive = api.go_live(api.submission("preview")).json()["jobId"]
    assert (api.call("POST", f"configure/{golive}/cancel").status_code, mine.status()) == (400, "running")
    assert api.call("POST", "configure/none/cancel").status_code == 404


def test_a_preview_s_job_stays_as_it_ended(client: Callable[..., Any]) -> None:
    """A preview that another one overrides was a success; its cancel through the portal does not undo the job."""
    mine = client()
    api = mine.ingestion
    jobs = []
    for _ in range(2):
        jobs.append(api.publish().json()["jobId"])
        mine.portal.clock.advance(days=4)
    mine.portal.person(OFFER, "cancel")
    mine.portal.clock.advance(minutes=2)
    assert ([api.job(job) for job in jobs], api.shown(), mine.status()) == ([DONE, DONE], [], "canceled")


def test_a_product_that_somebody_edits_is_locked(client: Callable[..., Any]) -> None:
    """While somebody edits a product nothing is configured, with 423; afterwards it is."""
    mine = client()
    mine.portal.person(OFFER, "lock")
    refused = mine.ingestion.publish()
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["details"][0]["code"]) == (423, "locked", "productLocked")
    mine.portal.person(OFFER, "unlock")
    assert mine.ingestion.publish().status_code == 202


@pytest.mark.parametrize("route", ["configure_publish", "configure_golive", "configure_draft"])
def test_orders_go_wrong_before_or_after_they_are_taken(client: Callable[..., Any], route: str) -> None:
    """A fault on a route strikes that order of that offer only, and one that strikes after it has let it happen."""
    mine = client()
    mine.portal.add_offer("second")
    api = mine.ingestion
    api.publish()
    mine.portal.clock.advance(days=4)
    orders: dict[str, Callable[[], Any]] = {
        "configure_publish": api.publish,
        "configure_golive": lambda: api.go_live(api.submission("preview")),
        "configure_draft": lambda: api.configure(api.get(api.product()) | {"alias": "Renamed"}),
    }
    before = len(mine.portal.operations(OFFER)), mine.status()
    mine.portal.inject(Fault("answer", route, status=502, offer=OFFER))
    assert api.publish(offer="second").status_code == 202
    lost = orders[route]()
    assert (lost.status_code, lost.content) == (502, b"")
    assert (len(mine.portal.operations(OFFER)), mine.status()) == before
    mine.portal.inject(Fault("drop", route, after=True))
    with pytest.raises(requests.ConnectionError):
        orders[route]()
    mine.portal.clock.advance(seconds=5)
    changed = api.get(api.product())["alias"] == "Renamed"
    unpublished = (len(mine.portal.operations(OFFER)), mine.status()) == before
    assert (unpublished, changed) == (route == "configure_draft", route == "configure_draft")
    assert mine.portal.counts_for(OFFER)[route] == (3 if route == "configure_publish" else 2)


@pytest.mark.parametrize(
    ("scenario", "codes"),
    [("throttled", [429, 429, 429, 200]), ("server-errors", [500] * 5 + [200])],
)
def test_scenarios_that_trouble_the_reads(client: Callable[..., Any], scenario: str, codes: list[int]) -> None:
    """After a publish the reads of its submissions and of its job go wrong as the scenario says."""
    mine = client(scenario)
    guid, job = mine.ingestion.guid(), mine.ingestion.publish().json()["jobId"]
    for path in (f"submission/{guid}", f"configure/{job}/status"):
        answers = [mine.ingestion.call("GET", path) for _ in codes]
        assert [answer.status_code for answer in answers] == codes
        assert ("Retry-After" in answers[0].headers) == (scenario == "throttled")


def test_a_gate_holds_a_poll_of_a_job(client: Callable[..., Any]) -> None:
    """A gate names a route of this API, and holds the requests for one offer."""
    mine = client()
    job = mine.ingestion.publish().json()["jobId"]
    gate = mine.portal.gate("configure_status", offer=OFFER)
    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=lambda: found.append(mine.ingestion.job(job)))
    thread.start()
    gate.wait_until_reached()
    held = found[:]
    gate.open()
    thread.join(10)
    assert (held, found) == ([], [("notStarted", "pending")])


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
def test_a_body_that_is_none(client: Callable[..., Any], body: Any, code: int, text: str) -> None:
    """A body that is not a configuration is refused at once, and says why."""
    mine = client()
    answer = mine.ingestion.call("POST", "configure", data=body if isinstance(body, bytes) else json.dumps(body))
    details = answer.json()["error"]["details"]
    assert (answer.status_code, text in details[0]["message"]) == (code, True)
    assert mine.portal.counts["configure_draft"] == 1


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
def test_a_submission_that_is_refused_at_once(
    client: Callable[..., Any], changes: dict[str, Any], code: int, text: str
) -> None:
    """Schemas, ids and products that are not taken are refused with the texts that were seen; nothing is published."""
    mine = client()
    answer = mine.ingestion.publish(**changes)
    assert (answer.status_code, text in answer.text.replace('\\"', '"')) == (code, True)
    assert mine.portal.operations(OFFER) == []


def test_the_retired_host_may_be_taken(client: Callable[..., Any]) -> None:
    """Without the check of schema hosts the old one does as well."""
    url = "https://product-ingestion.azureedge.net/schema/submission/2022-03-01-preview2"
    assert client(schema_hosts="any").ingestion.publish(**{"$schema": url}).status_code == 202


@pytest.mark.parametrize("reference", ["guid", "externalId", "id"])
def test_a_submission_names_its_product_in_each_form(client: Callable[..., Any], reference: str) -> None:
    """A durable id, an external id, and the draft's own id beside them all lead to the product."""
    mine = client()
    forms = {
        "guid": {},
        "externalId": {"product": {"externalId": OFFER}},
        "id": {"id": f"submission/{mine.ingestion.guid()}/0"},
    }
    assert mine.ingestion.publish(**forms[reference]).status_code == 202
    assert mine.portal.orders_for(OFFER)["publish"] == 1


@pytest.mark.parametrize(("form", "content"), [("json", b'{"error"'), ("empty", b""), ("html", b"<html>")])
def test_the_bodies_of_errors(client: Callable[..., Any], form: str, content: bytes) -> None:
    """An error's body is JSON, empty or a page, as it is set, here too."""
    api = client(error_body=form).ingestion
    answer = api.call("GET", "nothing")
    assert (answer.status_code, answer.content[: len(content) or 1]) == (404, content)
    assert answer.headers["request-id"]
