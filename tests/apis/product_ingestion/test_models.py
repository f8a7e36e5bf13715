# SPDX-License-Identifier: Apache-2.0
"""What the Product Ingestion API says, read as it is written, and as it is not."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.product_ingestion import GUID, SAMPLES, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import (
    MAX_DEPTH,
    Job,
    JobError,
    Product,
    Submission,
    resources_of,
)
from airflow_provider_cpp.apis.product_ingestion.status import (
    PROGRESS,
    RESULTS,
    SPELLINGS,
    Target,
    offer_status,
    parse_state,
)
from airflow_provider_cpp.apis.product_ingestion.submissions import as_operations, status_report
from airflow_provider_cpp.core.http import Response, decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.status import Status

OFFER = OfferRef(None, "contoso-vm")
OPERATION = Operation(
    OFFER, "publish", datetime(2026, 11, 3, tzinfo=timezone.utc), None, "/configure/d4261631/status", PRODUCT_INGESTION
)
EVERY = [
    endpoints.list_products("contoso-vm"),
    endpoints.list_submissions(GUID, OFFER),
    endpoints.get_tree(GUID, OFFER),
    endpoints.get_job(OPERATION),
    endpoints.configure(OFFER, []),
    endpoints.publish_product(OFFER, GUID),
    endpoints.go_live_submission(OFFER, GUID, f"submission/{GUID}/7"),
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
    """How far a job is comes first, its result only then, and a word that nobody knows ends nothing."""
    assert parse_state(progress, result) is status
    assert status.is_terminal == (status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED))


@pytest.mark.parametrize(("status", "spelt"), [(s, word) for s, words in SPELLINGS.items() for word in words])
def test_every_spelling_means_what_the_table_says(status: Status, spelt: str) -> None:
    """The table that is shown to people is what the API's words are read as."""
    target, _, words = spelt.partition(" ")
    state = parse_state(*words.split("/")) if "/" in words else None
    if state is None:
        assert status_report(()).status is status
    else:
        assert (state if target == "job" else offer_status(Target.parse(target), state)) is status


def test_the_table_has_every_word() -> None:
    """Each word of a job or a submission stands in the table."""
    shown = " ".join(word for words in SPELLINGS.values() for word in words)
    words = [word for table in (PROGRESS, RESULTS) for words in table.values() for word in words]
    assert [word for word in words if word not in shown and word != "canceled"] == []


@pytest.mark.parametrize(
    ("name", "status", "parked", "kinds"),
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
def test_the_lists_that_were_seen(player: Any, name: str, status: Status, parked: bool, kinds: list[str]) -> None:  # noqa: FBT001
    """Each list of submissions that was seen says where its offer stands, whatever its order."""
    from airflow_provider_cpp.apis.product_ingestion.submissions import published_submissions

    for turned in (False, True):
        value = sample(name)["value"]
        player.answer = lambda _, value=value, turned=turned: {"value": value[::-1] if turned else value}
        entries = player.run(published_submissions(GUID, OFFER))
        said = status_report(entries)
        assert (said.status, said.awaits_sign_off) == (status, parked)
        assert [entry.kind for entry in as_operations(entries)] == kinds


def test_an_offer_is_beyond_its_preview_once_it_is_listed_for_the_market() -> None:
    """What is listed as live has its preview behind it, also before the API has begun with it."""
    said = status_report((Submission.from_json(submission(3, "live", "notStarted/pending")),))
    assert (said.status, said.is_past_sign_off, said.awaits_sign_off) == (Status.RUNNING, True, False)


def test_a_word_nobody_knows_is_told_as_it_is() -> None:
    """The summary of an unknown state has the API's own words."""
    said = status_report((Submission.from_json(submission(3, "preview", "mislaid/pending")),))
    assert (said.status, said.raw_status) == (Status.UNKNOWN, "preview mislaid/pending")
    assert status_report((Submission.from_json(submission(3, "flight")),)).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("name", "status", "certification", "conflict", "said"),
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
                f"{GUID}): Certification (invalidState): Issues found during Certification. (invalidState); the team's"
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
def test_the_jobs_that_were_seen(
    name: str,
    status: Status,
    certification: bool,  # noqa: FBT001
    conflict: bool,  # noqa: FBT001
    said: str,
) -> None:
    """Each job that was seen is read, with its whole tree of errors as one line."""
    job = Job.from_json(sample(name))
    assert (job.state, job.is_certification, job.is_conflict) == (status, certification, conflict)
    assert said in job.reason
    assert job.started_at == datetime(2024, 3, 4, 9, 0, 0, 123456, tzinfo=timezone.utc)


def nested(depth: int) -> dict[str, Any]:
    leaf: dict[str, Any] = {"code": "INVALIDSTATE", "message": "issues found during CERTIFICATION"}
    for _ in range(depth):
        leaf = {"code": "internalServerError", "message": "Operation failed", "details": [leaf]}
    return leaf


@pytest.mark.parametrize("depth", [0, 1, 5, MAX_DEPTH])
def test_a_certification_failure_is_found_at_any_depth(depth: int) -> None:
    """Certification that said no is found however deep it stands."""
    assert JobError.from_json(nested(depth)).is_certification


def test_a_tree_without_an_end_is_cut() -> None:
    """Of a tree that is deeper than any that is sane, the top is read."""
    assert JobError.from_json(nested(MAX_DEPTH + 1)).is_certification is False


@pytest.mark.parametrize(
    ("errors_of_the_job", "said"),
    [
        ({}, "and the API gave no message"),
        (None, "and the API gave no message"),
        ([{}], "no message"),
        ([None, "plain text", 3], "plain text; 3"),
        ([{"message": "m", "details": {}}], "m"),
        ([{"code": "c", "details": [{"message": "<b>d</b>\n"}]}], "no message (c): d"),
        ([{"message": "m", "resourceName": "x"}], "m (x)"),
    ],
)
def test_errors_are_walked_defensively(errors_of_the_job: Any, said: str) -> None:
    """An object where a list belongs, a leaf without details and a bare text are all understood."""
    job = Job.from_json({"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": errors_of_the_job})
    assert job.reason == said


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "0001-01-01", "soon", None, 7])
def test_no_beginning_is_no_time(moment: Any) -> None:
    """The year 1, and what is no time, is not when a job began."""
    assert Job.from_json({"jobId": "1", "jobStatus": "running", "jobStart": moment}).started_at is None


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (Product.from_json, {"id": "plan/1/2"}, "a product has no id"),
        (Product.from_json, [], "a product is a list"),
        (Submission.from_json, {"id": 7}, "a submission has no id"),
        (Submission.from_json, {"id": "submission/1"}, "a submission has no id"),
        (Job.from_json, {"jobId": "1"}, "a job has no id or no status"),
        (Job.from_json, {"jobId": "../x", "jobStatus": "running"}, "a job has no id or no status"),
        (resources_of, {"resources": {}}, "resources is an object where a list belongs"),
        (resources_of, {"resources": [1]}, "a resource is a number"),
    ],
)
def test_what_cannot_be_read_says_why(read: Any, value: Any, said: str) -> None:
    """A wrong shape is a ValueError that names what is there."""
    with pytest.raises(ValueError, match=said):
        read(value)


def test_a_product_may_lack_what_is_not_needed() -> None:
    """A product without identity, type or alias is a product."""
    product = Product.from_json({"id": "product/1", "identity": []})
    assert (product.id, product.external_id, product.type) == ("product/1", "", "")


SAMPLE_BODIES = [json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))]
ODD: list[Any] = [None, {}, [], "", "x", 3, True, [None], {"a": 1}, "0001-01-01", nested(3)]


def mutate(value: Any, draw: Any) -> Any:
    """Replace, drop or double something at a random place of a sample."""
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
def test_every_sample_and_its_mutations_end_in_a_model_or_an_error_of_ours(data: Any, status: int, which: int) -> None:
    """No answer, however odd, ends in anything but a model or an error of this package, and what is read can be told."""
    body: Any = data.draw(some.sampled_from(SAMPLE_BODIES))
    for _ in range(data.draw(some.integers(0, 4))):
        body = mutate(body, data.draw)
    content = json.dumps(body).encode() if data.draw(some.integers(0, 9)) else data.draw(some.binary(max_size=20))
    reply = Response(status, content, {}, endpoints.DEFAULT_HOST, datetime.now(timezone.utc))
    with contextlib.suppress(exceptions.MarketplaceError):
        found = decode_response(EVERY[which], reply)
        if isinstance(found, Job):
            assert "\n" not in found.reason
        if isinstance(found, endpoints.Page) and found.items and isinstance(found.items[0], Submission):
            assert status_report(found.items).raw_status
