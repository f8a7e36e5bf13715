# SPDX-License-Identifier: Apache-2.0
"""Parsing responses of the Product Ingestion API, valid and invalid."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.player import Player
from support.product_ingestion import GUID, SAMPLES, SPELLINGS, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import (
    MAX_DEPTH,
    Job,
    Product,
    Submission,
    resources_of,
)
from airflow_provider_cpp.apis.product_ingestion.status import PROGRESS, RESULTS, Target, offer_status, parse_state
from airflow_provider_cpp.apis.product_ingestion.submissions import as_operations, published_submissions, status_report
from airflow_provider_cpp.core.http import Response, decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.status import Status

OFFER = OfferRef(None, "contoso-vm")
OPERATION = Operation(
    OFFER, "publish", datetime(2026, 11, 3, tzinfo=timezone.utc), None, "/configure/d4261631/status", PRODUCT_INGESTION
)
EVERY = [
    endpoints.find_product(OFFER),
    endpoints.list_submissions(GUID, OFFER),
    endpoints.get_tree(GUID, OFFER),
    endpoints.get_job(OPERATION),
    endpoints.configure(OFFER, []),
    endpoints.publish_product(OFFER, GUID),
    endpoints.go_live_submission(OFFER, f"submission/{GUID}/7"),
    endpoints.cancel_job(OPERATION),
]


@pytest.mark.parametrize(
    ("progress", "result", "status"),
    [
        ("notStarted", "pending", Status.NOT_STARTED),
        ("NotStarted", "", Status.NOT_STARTED),
        ("running", "succeeded", Status.RUNNING),
        ("running", "failed", Status.RUNNING),
        ("completed", "succeeded", Status.SUCCEEDED),
        ("Completed", "Failed", Status.FAILED),
        ("completed", "cancelled", Status.CANCELED),
        ("completed", "canceled", Status.CANCELED),
        ("completed", "pending", Status.UNKNOWN),
        ("completed", "", Status.UNKNOWN),
        ("completed", "ok", Status.UNKNOWN),
        ("frobnicating", "succeeded", Status.UNKNOWN),
        ("", "", Status.UNKNOWN),
    ],
)
def test_a_result_counts_only_once_it_is_complete(progress: str, result: str, status: Status) -> None:
    """The result counts only once the progress is completed, and an unknown word ends nothing."""
    assert parse_state(progress, result) is status
    assert status.is_terminal == (status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED))


@pytest.mark.parametrize(("status", "spelling"), [(s, word) for s, words in SPELLINGS.items() for word in words])
def test_every_spelling_means_what_the_table_says(status: Status, spelling: str) -> None:
    """The documented table of spellings matches how states are parsed."""
    target, _, words = spelling.partition(" ")
    state = parse_state(*words.split("/")) if "/" in words else None
    if state is None:
        assert status_report(()).status is status
    else:
        assert (state if target == "job" else offer_status(Target.parse(target), state)) is status


def test_the_table_has_every_word() -> None:
    """The documented table has each word of a job or a submission."""
    shown = " ".join(word for words in SPELLINGS.values() for word in words)
    words = [word for table in (PROGRESS, RESULTS) for words in table.values() for word in words]
    assert [word for word in words if word not in shown and word != "canceled"] == []


@pytest.mark.parametrize(
    ("name", "status", "awaits_sign_off", "kinds"),
    [
        ("submissions-draft-only", Status.NEVER_PUBLISHED, False, []),
        ("submissions-preview-running", Status.RUNNING, False, ["publish", "golive", "publish"]),
        ("submissions-preview-succeeded", Status.WAITING_FOR_PUBLISHER_REVIEW, True, ["publish", "golive", "publish"]),
        ("submissions-preview-failed", Status.FAILED, False, ["publish", "golive", "publish"]),
        ("submissions-live-running-two-live", Status.RUNNING, False, ["golive", "publish", "golive", "publish"]),
        ("submissions-live-replaced", Status.SUCCEEDED, False, ["golive", "publish"]),
        ("submissions-same-id-preview-and-live", Status.SUCCEEDED, False, ["golive", "publish"]),
    ],
)
def test_sample_lists_of_submissions(
    player: Player, name: str, status: Status, kinds: list[str], *, awaits_sign_off: bool
) -> None:
    """Each sample list of submissions gives the offer's status in any order."""
    for is_reversed in (False, True):
        value = sample(name)["value"]
        player.respond = lambda _, value=value, is_reversed=is_reversed: {
            "value": value[::-1] if is_reversed else value
        }
        submissions = player.run(published_submissions(OFFER, known=f"submission/{GUID}/9"))
        expected = status_report(submissions)
        assert expected.status == status
        assert expected.awaits_sign_off == awaits_sign_off
        assert [entry.kind for entry in as_operations(submissions)] == kinds


def test_an_offer_with_a_live_submission_is_past_its_sign_off() -> None:
    """A live submission is past its sign-off, also before it starts."""
    expected = status_report((Submission.from_json(submission(3, "live", "notStarted/pending")),))
    assert expected.status == Status.RUNNING
    assert expected.is_past_sign_off is True
    assert expected.awaits_sign_off is False


def test_the_preview_of_a_live_submission_is_done() -> None:
    """The steps of a live submission are its own, not those of an older preview; the reason is at the live step."""
    failed = ("live", "completed/failed"), ("preview", "completed/failed")
    entries = tuple(Submission.from_json(submission(4 - n, *one)) for n, one in enumerate(failed))
    report = status_report(entries, failed_job([{"code": "a", "message": "why"}]))
    assert [step.status for step in report.steps] == [Status.SUCCEEDED, Status.FAILED]
    assert [bool(step.messages) for step in report.steps] == [False, True]


def test_an_unknown_state_keeps_its_raw_text() -> None:
    """The report of an unknown state has the API's own words."""
    expected = status_report((Submission.from_json(submission(3, "preview", "mislaid/pending")),))
    assert expected.status == Status.UNKNOWN
    assert expected.raw_status == "preview mislaid/pending"
    assert status_report((Submission.from_json(submission(3, "flight")),)).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("name", "status", "certification", "conflict", "expected"),
    [
        ("configure-status-not-started", Status.NOT_STARTED, False, False, "no message"),
        ("configure-status-running", Status.RUNNING, False, False, "no message"),
        ("configure-status-completed-succeeded", Status.SUCCEEDED, False, False, "no message"),
        (
            "configure-status-failed-certification",
            Status.FAILED,
            True,
            False,
            (
                "certification failed: Operation failed (internalServerError, submission/"
                f"{GUID}): Certification (invalidState): Issues found during Certification. (invalidState); the report"
            ),
        ),
        ("configure-status-failed-in-progress", Status.FAILED, False, True, "An In Progress submission already exists"),
        ("configure-status-failed-not-latest", Status.FAILED, False, True, "cannot be pushed to live as its not the"),
        (
            "configure-status-failed-validation",
            Status.FAILED,
            False,
            False,
            "The property 'PlanId' is locked by a previous submission. (businessValidationError); #/vmImageVersions/3",
        ),
    ],
)
def test_sample_jobs(name: str, status: Status, expected: str, *, certification: bool, conflict: bool) -> None:
    """Each sample job is parsed, with its whole tree of errors in one line."""
    job = Job.from_json(sample(name))
    assert job.state == status
    assert job.is_certification == certification
    assert job.is_conflict == conflict
    assert expected in job.reason
    assert job.started_at == datetime(2024, 3, 4, 9, 0, 0, 123456, tzinfo=timezone.utc)


def nested(depth: int) -> dict[str, Any]:
    leaf: dict[str, Any] = {"code": "INVALIDSTATE", "message": "issues found during CERTIFICATION"}
    for _ in range(depth):
        leaf = {"code": "internalServerError", "message": "Operation failed", "details": [leaf]}
    return leaf


def failed_job(errors: Any) -> Job:
    return Job.from_json({"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": errors})


@pytest.mark.parametrize("depth", [0, 1, 5, MAX_DEPTH])
def test_a_certification_failure_is_found_at_any_depth(depth: int) -> None:
    """A certification failure is found at any depth of the tree."""
    assert failed_job([nested(depth)]).is_certification


def test_a_tree_that_is_too_deep_is_cut() -> None:
    """Only the top of a tree that is too deep is parsed."""
    assert failed_job([nested(MAX_DEPTH + 1)]).is_certification is False


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({}, "the API returned no message"),
        (None, "the API returned no message"),
        ([{}], "no message"),
        ([None, "plain text", 3], "plain text; 3"),
        ([{"message": "m", "details": {}}], "m"),
        ([{"code": "c", "details": [{"message": "<b>d</b>\n"}]}], "no message (c): d"),
        ([{"message": "m", "resourceName": "x"}], "m (x)"),
    ],
)
def test_errors_of_any_structure(errors: Any, expected: str) -> None:
    """An object in place of a list, an error without details, and plain text are accepted."""
    assert failed_job(errors).reason == expected


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "0001-01-01", "soon", None, 7])
def test_a_job_without_a_start_time(moment: Any) -> None:
    """The year 1, and a value that is no time, mean that a job has no start time."""
    assert Job.from_json({"jobId": "1", "jobStatus": "running", "jobStart": moment}).started_at is None


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (Product.from_json, {"id": "plan/1/2"}, "a product has no id"),
        (Product.from_json, [], "a product is a list"),
        (Submission.from_json, {"id": 7}, "a submission has no id"),
        (Submission.from_json, {"id": "submission/1"}, "a submission has no id"),
        (Job.from_json, {"jobId": "1"}, "a job has no id or no status"),
        (Job.from_json, {"jobId": "../x", "jobStatus": "running"}, "a job has no id or no status"),
        (resources_of, {"resources": {}}, "resources is an object, not a list"),
        (resources_of, {"resources": [1]}, "a resource is a number"),
    ],
)
def test_an_invalid_value_is_an_error(read: Any, value: Any, expected: str) -> None:
    """A value of the wrong type is a ValueError that describes it."""
    with pytest.raises(ValueError, match=expected):
        read(value)


def test_a_product_may_lack_optional_fields() -> None:
    """A product without identity, type or alias is valid."""
    product = Product.from_json({"id": "product/1", "identity": []})
    assert product.id == "product/1"
    assert product.external_id == ""
    assert product.type == ""


SAMPLE_BODIES = [json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))]
ODD: list[Any] = [None, {}, [], "", "x", 3, True, [None], {"a": 1}, "0001-01-01", nested(3)]


def mutate(value: Any, draw: Any) -> Any:
    """Replace, remove or duplicate a random value in a sample."""
    if isinstance(value, dict) and value and draw(some.integers(0, 3)):
        key = draw(some.sampled_from(sorted(value)))
        changed = dict(value)
        if draw(some.booleans()):
            changed.pop(key)
        else:
            changed[key] = mutate(value[key], draw)
        return changed
    if isinstance(value, list) and value and draw(some.integers(0, 3)):
        place = draw(some.integers(0, len(value) - 1))
        return [*value[:place], mutate(value[place], draw), *value[place + draw(some.integers(0, 1)) :]]
    return draw(some.sampled_from(ODD))


@given(
    data=some.data(),
    status=some.sampled_from([200, 202, 302, 400, 401, 404, 423, 429, 500, 502]),
    which=some.integers(0, len(EVERY) - 1),
)
def test_every_sample_and_its_mutations_become_a_model_or_an_error_of_ours(data: Any, status: int, which: int) -> None:
    """Any response, however odd, becomes a model that can be described or an exception of this package."""
    body: Any = data.draw(some.sampled_from(SAMPLE_BODIES))
    for _ in range(data.draw(some.integers(0, 4))):
        body = mutate(body, data.draw)
    content = json.dumps(body).encode() if data.draw(some.integers(0, 9)) else data.draw(some.binary(max_size=20))
    response = Response(status, content, {}, endpoints.DEFAULT_HOST, datetime.now(timezone.utc))
    with contextlib.suppress(exceptions.MarketplaceError):
        parsed = decode_response(EVERY[which], response)
        if isinstance(parsed, Job):
            assert "\n" not in parsed.reason
        if which == 1 and parsed[0]:
            assert status_report(parsed[0]).raw_status
