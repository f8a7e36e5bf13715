# SPDX-License-Identifier: Apache-2.0
"""Polling: job and submission are both read, and the submission decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import GUID, JOB, FakeAPI, job, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.poll import LATE_POLLS, poll
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec

PREVIEW = submission(7, "preview")
RUNNING = submission(7, "preview", "running/pending")
LIVE = submission(7, "live")
GOING_LIVE = submission(7, "live", "running/pending")
OLD_LIVE = submission(3, "live")
DONE = job("completed/succeeded")
CERTIFICATION = sample("configure-status-failed-certification")["errors"]
CONFLICT = sample("configure-status-failed-in-progress")["errors"]
VALIDATION = sample("configure-status-failed-validation")["errors"]
GONE = exceptions.NotFoundError("job", status=404)


@pytest.fixture
def wait_spec(offer: OfferRef, operation: Operation, start: datetime) -> WaitSpec:
    """Return a wait for the preview of a publish operation."""
    return WaitSpec(offer, "preview", start + timedelta(days=14), operation, api="product_ingestion")


def poll_once(player: Player, wait_spec: WaitSpec, submissions: list[Any], *jobs: Any) -> tuple[WaitResult | None, str]:
    api = FakeAPI(submissions)
    api.jobs = list(jobs) or [job()]
    player.respond = api
    polled = player.run(poll(wait_spec, PollState(), None))
    assert not api.posted
    outcome = polled.outcome
    return (outcome.result if outcome else None), outcome.message if outcome else ""


REACHED, FAILED, CANCELED = WaitResult.REACHED, WaitResult.FAILED, WaitResult.CANCELED


@pytest.mark.parametrize(
    ("submissions", "job_response", "preview", "live"),
    [
        ([RUNNING, OLD_LIVE], job(), None, None),
        ([PREVIEW, OLD_LIVE], DONE, REACHED, None),
        ([PREVIEW], job(), REACHED, None),  # the job lags
        ([RUNNING], DONE, None, None),  # the submission decides
        ([RUNNING], job("completed/failed", VALIDATION), None, None),
        ([RUNNING], job("completed/cancelled"), CANCELED, CANCELED),
        ([PREVIEW], job("completed/cancelled"), REACHED, None),
        ([submission(7, "preview", "completed/failed")], job("completed/failed", CERTIFICATION), FAILED, FAILED),
        ([submission(7, "preview", "completed/cancelled")], job(), CANCELED, CANCELED),
        ([submission(7, "preview", "completed/pending")], job(), None, None),
        ([submission(7, "preview", "mislaid/succeeded")], job(), None, None),
        ([GOING_LIVE, OLD_LIVE], DONE, REACHED, None),
        ([LIVE], DONE, REACHED, REACHED),
        ([LIVE, PREVIEW], DONE, REACHED, REACHED),
        ([LIVE], GONE, REACHED, REACHED),
        ([submission(7, "live", "completed/failed"), OLD_LIVE], DONE, REACHED, FAILED),
        ([OLD_LIVE], job("completed/failed", VALIDATION), FAILED, FAILED),
        ([OLD_LIVE], job("completed/cancelled"), CANCELED, CANCELED),
        ([OLD_LIVE], job("completed/failed", CONFLICT), FAILED, FAILED),
        ([RUNNING], job("completed/failed", CONFLICT), FAILED, FAILED),  # it is another submission
        ([LIVE], job("completed/failed", CONFLICT), FAILED, FAILED),
        ([OLD_LIVE], job(), None, None),
        ([OLD_LIVE], DONE, None, None),
        ([OLD_LIVE], GONE, None, None),
        ([], GONE, None, None),
        ([], job("completed/pending"), None, None),
        ([], job("running/succeeded"), None, None),
        ([], job("frobnicating/failed"), None, None),
    ],
)
def test_polls_of_a_publish(
    player: Player,
    wait_spec: WaitSpec,
    submissions: list[Any],
    job_response: Any,
    preview: WaitResult | None,
    live: WaitResult | None,
) -> None:
    """The submission decides; the job decides only where no submission is listed, or where it was canceled or refused."""
    assert poll_once(player, wait_spec, submissions, job_response)[0] is preview
    assert poll_once(player, replace(wait_spec, until="live"), submissions, job_response)[0] is live


@pytest.mark.parametrize(
    ("submissions", "job_response", "result"),
    [
        ([PREVIEW, OLD_LIVE], job(), None),
        ([PREVIEW], DONE, None),
        ([GOING_LIVE, OLD_LIVE], job(), None),
        ([LIVE], job(), REACHED),
        ([LIVE], DONE, REACHED),
        ([submission(7, "live", "completed/failed")], job("completed/failed", VALIDATION), FAILED),
        ([PREVIEW], job("completed/failed", VALIDATION), FAILED),
        ([PREVIEW], job("completed/failed", sample("configure-status-failed-not-latest")["errors"]), FAILED),
        ([PREVIEW], job("completed/cancelled"), CANCELED),
        ([submission(8, "live", created="2026-11-03T10:00:00Z"), OLD_LIVE], DONE, REACHED),  # with another id
        ([OLD_LIVE], DONE, None),
        ([OLD_LIVE], job("completed/succeeded", started=None), None),
    ],
)
def test_polls_of_a_go_live(
    player: Player,
    wait_spec: WaitSpec,
    operation: Operation,
    submissions: list[Any],
    job_response: Any,
    result: WaitResult | None,
) -> None:
    """A go-live succeeds only with a live submission; its preview does not count."""
    going_live = replace(wait_spec, operation=replace(operation, kind="golive"), until="live")
    assert poll_once(player, going_live, submissions, job_response)[0] is result


@pytest.mark.parametrize(
    ("submissions", "started", "result"),
    [
        ([submission(9, "preview")], "2026-11-03T09:00:00.4Z", REACHED),
        ([submission(9, "preview", "running/pending")], "2026-11-03T09:00:00Z", None),
        ([submission(7, "preview"), OLD_LIVE], "2026-11-03T09:00:00Z", None),  # the previous publication
        ([submission(12, "preview", "completed/failed"), submission(9, "live")], "2026-11-03T09:00:00Z", REACHED),
        ([submission(9, "flight")], "2026-11-03T09:00:00Z", None),
        ([submission(9, "preview") | {"created": None}], "2026-11-03T09:00:00Z", None),
        ([submission(9, "preview")], None, None),
        ([submission(9, "preview")], "0001-01-01T00:00:00", None),
    ],
)
def test_a_submission_is_identified_by_the_jobs_start_time(
    player: Player,
    wait_spec: WaitSpec,
    operation: Operation,
    submissions: list[Any],
    started: str | None,
    result: WaitResult | None,
) -> None:
    """Without a submission id, the first submission created after the job's start is the job's."""
    unnamed = replace(wait_spec, operation=replace(operation, operation_id=None))
    assert poll_once(player, unnamed, submissions, job("completed/succeeded", started=started))[0] is result


def test_a_failure_has_its_reason(player: Player, wait_spec: WaitSpec) -> None:
    """The one line of a failure has the step, the whole tree of the job's errors, and the operation."""
    submissions = [submission(7, "preview", "completed/failed")]
    result, message = poll_once(player, wait_spec, submissions, job("completed/failed", CERTIFICATION))
    assert result is FAILED
    assert message.startswith(
        "offer contoso-vm: publication failed at step preview: certification failed: Operation failed"
    )
    assert "Issues found during Certification." in message
    assert f"operation submission/{GUID}/7" in message


def test_a_job_with_the_reason_may_lag(player: Player, wait_spec: WaitSpec) -> None:
    """After a submission failed, its job is polled once a minute for the reason, a limited number of times."""
    submissions = [submission(7, "preview", "completed/failed")]
    _, message = poll_once(player, wait_spec, submissions, job(), job(), job("completed/failed", CERTIFICATION))
    assert "certification failed" in message
    assert player.slept == [60.0, 60.0]
    player.slept.clear()
    result, message = poll_once(player, wait_spec, submissions, job())
    assert result == FAILED
    assert "no message" in message
    assert len(player.slept) == LATE_POLLS


@pytest.mark.parametrize("job_response", [GONE, DONE])
@pytest.mark.parametrize(
    ("submissions", "expected"), [([OLD_LIVE], f"the newest is submission/{GUID}/3"), ([], "there are none")]
)
def test_a_submission_that_is_never_listed(
    player: Player, wait_spec: WaitSpec, start: datetime, job_response: Any, submissions: list[Any], expected: str
) -> None:
    """A submission that is not listed some minutes after its submit is an error that names the newest one."""
    player.now = start + timedelta(minutes=16)
    with pytest.raises(
        exceptions.NotFoundError, match="it is not among the submissions, 15 minutes after its submit"
    ) as caught:
        poll_once(player, wait_spec, submissions, job_response)
    assert expected in str(caught.value)
    assert caught.value.offer == "contoso-vm"
    assert caught.value.operation == f"submission/{GUID}/7"


def test_a_submission_may_be_known_without_its_job(player: Player, wait_spec: WaitSpec, operation: Operation) -> None:
    """An operation that was found after a lost response has no job and is polled by its submission alone."""
    without_job = replace(wait_spec, operation=replace(operation, location=None))
    assert poll_once(player, without_job, [RUNNING])[0] is None
    assert poll_once(player, without_job, [PREVIEW])[0] is REACHED
    assert not [line for line in player.sent if "configure" in line]


def test_an_operation_names_its_product(player: Player, wait_spec: WaitSpec, operation: Operation) -> None:
    """A known submission includes its product, so a poll takes two requests, and three otherwise."""
    poll_once(player, wait_spec, [RUNNING])
    assert player.sent == [f"GET /configure/{JOB}/status", f"GET /submission/{GUID}"]
    player.sent.clear()
    poll_once(player, replace(wait_spec, operation=replace(operation, operation_id=None)), [RUNNING])
    assert len(player.sent) == 3


@pytest.mark.parametrize(
    ("submissions", "preview", "live"),
    [
        ([], None, None),
        ([OLD_LIVE], REACHED, REACHED),
        ([PREVIEW, OLD_LIVE], REACHED, None),
        ([RUNNING, OLD_LIVE], None, None),
        ([GOING_LIVE, OLD_LIVE], REACHED, None),
        ([submission(7, "preview", "completed/failed"), OLD_LIVE], FAILED, FAILED),
        ([submission(7, "preview") | {"id": OLD_LIVE["id"]}, OLD_LIVE], REACHED, REACHED),
    ],
)
def test_without_an_operation_the_offer_decides(
    player: Player, wait_spec: WaitSpec, submissions: list[Any], preview: WaitResult | None, live: WaitResult | None
) -> None:
    """Without an operation the newest submission decides; a preview with the live submission's id does not await sign-off."""
    assert poll_once(player, replace(wait_spec, operation=None), submissions)[0] is preview
    assert poll_once(player, replace(wait_spec, operation=None, until="live"), submissions)[0] is live


@pytest.mark.parametrize(
    ("submissions", "result"),
    [([], REACHED), ([RUNNING], None), ([PREVIEW], REACHED), ([GOING_LIVE], None), ([LIVE], REACHED)],
)
def test_idle_means_that_nothing_is_in_progress(
    player: Player, wait_spec: WaitSpec, submissions: list[Any], result: WaitResult | None
) -> None:
    """A wait for "idle" ends once no submission is in progress, also where one awaits sign-off."""
    assert poll_once(player, replace(wait_spec, operation=None, until="idle"), submissions)[0] is result


def test_a_wait_spec_survives_its_payload(wait_spec: WaitSpec) -> None:
    """A wait spec for an offer without a publisher survives the way to the triggerer."""
    assert WaitSpec.from_payload(wait_spec.to_payload()) == wait_spec
    assert wait_spec.operation is not None
    assert wait_spec.operation.api == PRODUCT_INGESTION


@pytest.mark.parametrize(("minutes", "result"), [(1, REACHED), (16, FAILED)])
def test_a_submission_long_after_a_failed_job_is_not_the_jobs(
    player: Player, wait_spec: WaitSpec, minutes: int, result: WaitResult
) -> None:
    """A submission created long after a failed job's start is not that job's."""
    assert wait_spec.operation is not None
    by_its_job = replace(wait_spec.operation, operation_id=None)
    late = submission(9, "preview", created=f"2026-11-03T08:{minutes:02d}:00.5Z")
    failed = job("completed/failed", VALIDATION)
    assert poll_once(player, replace(wait_spec, operation=by_its_job), [late], failed)[0] is result
