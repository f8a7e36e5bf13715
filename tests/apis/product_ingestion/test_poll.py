# SPDX-License-Identifier: Apache-2.0
"""The wait: job and submission are both asked, and the submission decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.product_ingestion import GUID, JOB, Market, job, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.poll import LATE_POLLS, poll
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.outcome import WaitResult
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
def watch(offer: OfferRef, operation: Operation, start: Any) -> WaitSpec:
    """Return a wait for the preview of a publish operation."""
    return WaitSpec(offer, "preview", start + timedelta(days=14), operation, api="product_ingestion")


def seen(player: Any, watch: WaitSpec, entries: list[Any], *jobs: Any) -> tuple[WaitResult | None, str]:
    market = Market(entries)
    market.jobs = list(jobs) or [job()]
    player.answer = market
    sighting = player.run(poll(watch))
    assert not market.posted
    outcome = sighting.outcome
    return (outcome.result if outcome else None), outcome.message if outcome else ""


REACHED, FAILED, CANCELED = WaitResult.REACHED, WaitResult.FAILED, WaitResult.CANCELED


@pytest.mark.parametrize(
    ("entries", "a_job", "preview", "live"),
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
        ([RUNNING], job("completed/failed", CONFLICT), FAILED, FAILED),  # it is somebody else's
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
def test_what_a_look_at_a_publication_means(
    player: Any, watch: WaitSpec, entries: list[Any], a_job: Any, preview: WaitResult | None, live: WaitResult | None
) -> None:
    """The submission decides; its job only where there is none, where it was canceled, or where it was refused."""
    assert seen(player, watch, entries, a_job)[0] is preview
    assert seen(player, replace(watch, until="live"), entries, a_job)[0] is live


@pytest.mark.parametrize(
    ("entries", "a_job", "result"),
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
        ([submission(8, "live", created="2026-11-03T10:00:00Z"), OLD_LIVE], DONE, REACHED),  # under another id
        ([OLD_LIVE], DONE, None),
        ([OLD_LIVE], job("completed/succeeded", started=None), None),
    ],
)
def test_what_a_look_at_a_going_live_means(
    player: Any, watch: WaitSpec, operation: Operation, entries: list[Any], a_job: Any, result: WaitResult | None
) -> None:
    """Only what is listed for the market ends a going live well: the preview before it says nothing of it."""
    going_live = replace(watch, operation=replace(operation, kind="golive"), until="live")
    assert seen(player, going_live, entries, a_job)[0] is result


@pytest.mark.parametrize(
    ("entries", "started", "result"),
    [
        ([submission(9, "preview")], "2026-11-03T09:00:00.4Z", REACHED),
        ([submission(9, "preview", "running/pending")], "2026-11-03T09:00:00Z", None),
        ([submission(7, "preview"), OLD_LIVE], "2026-11-03T09:00:00Z", None),  # the publication before
        ([submission(12, "preview", "completed/failed"), submission(9, "live")], "2026-11-03T09:00:00Z", REACHED),
        ([submission(9, "flight")], "2026-11-03T09:00:00Z", None),
        ([submission(9, "preview") | {"created": None}], "2026-11-03T09:00:00Z", None),
        ([submission(9, "preview")], None, None),
        ([submission(9, "preview")], "0001-01-01T00:00:00", None),
    ],
)
def test_a_submission_is_found_by_the_jobs_own_clock(
    player: Any,
    watch: WaitSpec,
    operation: Operation,
    entries: list[Any],
    started: str | None,
    result: WaitResult | None,
) -> None:
    """Where the order's answer came before its submission, the first one after the job's beginning is its own."""
    unnamed = replace(watch, operation=replace(operation, operation_id=None))
    assert seen(player, unnamed, entries, job("completed/succeeded", started=started))[0] is result


def test_why_it_failed_is_told(player: Any, watch: WaitSpec) -> None:
    """The outcome's one line has the step, the whole tree of the job's errors, and the operation."""
    entries = [submission(7, "preview", "completed/failed")]
    result, message = seen(player, watch, entries, job("completed/failed", CERTIFICATION))
    assert result is FAILED
    assert message.startswith(
        "offer contoso-vm: publication failed at step preview: certification failed: Operation failed"
    )
    assert "Issues found during Certification." in message
    assert f"operation submission/{GUID}/7" in message


def test_a_job_that_knows_why_may_lag(player: Any, watch: WaitSpec) -> None:
    """A submission that failed before its job tells why is waited for, a minute at a time, and not for ever."""
    entries = [submission(7, "preview", "completed/failed")]
    _, message = seen(player, watch, entries, job(), job(), job("completed/failed", CERTIFICATION))
    assert ("certification failed" in message, player.slept) == (True, [60.0, 60.0])
    player.slept.clear()
    result, message = seen(player, watch, entries, job())
    assert (result, "no message" in message, len(player.slept)) == (FAILED, True, LATE_POLLS)


@pytest.mark.parametrize("a_job", [GONE, DONE])
@pytest.mark.parametrize(
    ("entries", "said"), [([OLD_LIVE], f"the newest is submission/{GUID}/3"), ([], "there is none")]
)
def test_a_submission_that_never_shows(
    player: Any, watch: WaitSpec, start: Any, a_job: Any, entries: list[Any], said: str
) -> None:
    """A list without the submission that is awaited is waited through for some minutes, and then an error that says so."""
    player.now = start + timedelta(minutes=16)
    with pytest.raises(
        exceptions.NotFoundError, match="it is not among the submissions, 15 minutes after its order"
    ) as caught:
        seen(player, watch, entries, a_job)
    assert said in str(caught.value)
    assert (caught.value.offer, caught.value.operation) == ("contoso-vm", f"submission/{GUID}/7")


def test_a_submission_may_be_known_without_its_job(player: Any, watch: WaitSpec, operation: Operation) -> None:
    """What was found after a lost answer has no job, and is watched by its submission alone."""
    found = replace(watch, operation=replace(operation, location=None))
    assert seen(player, found, [RUNNING])[0] is None
    assert seen(player, found, [PREVIEW])[0] is REACHED
    assert not [line for line in player.sent if "configure" in line]


def test_an_operation_names_its_product(player: Any, watch: WaitSpec, operation: Operation) -> None:
    """Where the submission is known its product is too, and a look takes two requests; else it is looked up."""
    seen(player, watch, [RUNNING])
    assert player.sent == [f"GET /configure/{JOB}/status", f"GET /submission/{GUID}"]
    player.sent.clear()
    seen(player, replace(watch, operation=replace(operation, operation_id=None)), [RUNNING])
    assert len(player.sent) == 3


@pytest.mark.parametrize(
    ("entries", "preview", "live"),
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
    player: Any, watch: WaitSpec, entries: list[Any], preview: WaitResult | None, live: WaitResult | None
) -> None:
    """The newest submission says where the offer stands; a preview under the id of what is live waits for nobody."""
    assert seen(player, replace(watch, operation=None), entries)[0] is preview
    assert seen(player, replace(watch, operation=None, until="live"), entries)[0] is live


@pytest.mark.parametrize(
    ("entries", "result"),
    [([], REACHED), ([RUNNING], None), ([PREVIEW], REACHED), ([GOING_LIVE], None), ([LIVE], REACHED)],
)
def test_idle_is_when_nothing_is_open(
    player: Any, watch: WaitSpec, entries: list[Any], result: WaitResult | None
) -> None:
    """A task that waits for somebody else's submission goes on once none is open; parked is not running."""
    assert seen(player, replace(watch, operation=None, until="idle"), entries)[0] is result


def test_a_kind_of_operation_crosses_with_its_watch(watch: WaitSpec) -> None:
    """A wait survives its way to the triggerer, with an offer that has no publisher."""
    assert WaitSpec.from_payload(watch.to_payload()) == watch
    assert watch.operation is not None
    assert watch.operation.api == PRODUCT_INGESTION


@pytest.mark.parametrize(("minutes", "result"), [(1, REACHED), (16, FAILED)])
def test_what_began_long_after_a_job_that_failed_is_somebody_else_s(
    player: Any, watch: WaitSpec, minutes: int, result: WaitResult
) -> None:
    """A publish that is known by its job alone, which failed, is not found in a submission that began much later."""
    assert watch.operation is not None
    by_its_job = replace(watch.operation, operation_id=None)
    entry = submission(9, "preview", created=f"2026-11-03T08:{minutes:02d}:00.5Z")
    failed = job("completed/failed", VALIDATION)
    assert seen(player, replace(watch, operation=by_its_job), [entry], failed)[0] is result
