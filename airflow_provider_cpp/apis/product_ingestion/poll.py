# SPDX-License-Identifier: Apache-2.0
"""What one look at the Product Ingestion API sees: the job and the submission, and the submission decides.

A job can lag behind its submission, and may run for as long as certification takes. It decides where there is no
submission to ask: it failed before it made one, or was canceled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job, Submission
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import (
    get_state,
    product_id_of,
    published_submissions,
    status_report,
)
from airflow_provider_cpp.core.effects import Flow, GetTime, Sleep, send
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE, evaluate_offer, failure_result
from airflow_provider_cpp.core.offer_state import Target as Until
from airflow_provider_cpp.core.operations import VISIBILITY_DELAY, Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_result import PollResult, poll_result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import NotFoundError

LATE_POLLS = 5
LATE_POLL_DELAY = 60.0
"""How often, and after how many seconds each, a job is asked why, whose submission has failed before it."""


def poll(spec: WaitSpec) -> Flow[PollResult]:
    """Look once; what fails raises.

    :raises MarketplaceError: if the API did not answer, or not as it promises.
    """
    if spec.operation is not None:
        return (yield from _poll_operation(spec, spec.operation))
    state = yield from get_state(spec.offer, send)
    if spec.until == IDLE:
        return poll_result(spec, state.report, WaitResult.REACHED if state.in_progress_operation is None else None)
    return poll_result(spec, state.report, evaluate_offer(state.report, spec.until))


@dataclass(frozen=True, slots=True)
class OperationState:
    """What is there of one operation.

    :param operation: the operation.
    :param job: its job; None if it is not known any more, or never was.
    :param entry: its submission; None if it is not listed.
    """

    operation: Operation
    job: Job | None
    submission: Submission | None

    def evaluate(self, until: Until) -> WaitResult | None:
        """Say what the wait ends with; None if it goes on."""
        entry, job = self.submission, self.job
        if entry is not None:
            is_live = entry.target is Target.LIVE
            if (entry.state.is_success and is_live) or (until == "preview" and (entry.state.is_success or is_live)):
                return WaitResult.REACHED
            if entry.state.is_terminal:
                return failure_result(entry.state)
        # A canceled job ends what it began; one that failed may have had a submission that goes on all the same.
        if job is not None and job.state.is_canceled:
            return WaitResult.CANCELED
        return WaitResult.FAILED if job is not None and job.state.is_failure and entry is None else None

    @property
    def lacks_reason(self) -> bool:
        """Whether the submission failed, and its job, which knows why, lags behind."""
        failed = self.submission is not None and self.submission.state.is_failure
        return failed and self.job is not None and not self.job.state.is_terminal

    def report(self, result: WaitResult | None) -> StatusReport:
        """Say where the operation stands."""
        entry = self.submission
        if self.job is None or (entry is not None and (result is not WaitResult.CANCELED or entry.state.is_terminal)):
            return status_report(() if entry is None else (entry,), self.job)
        if result is None:
            return StatusReport(
                Status.RUNNING, Status.RUNNING.value, status_report((_as_submission(self.operation, self.job),)).steps
            )
        said = status_report((_as_submission(self.operation, self.job),), self.job)
        return StatusReport(self.job.state, self.job.raw_status, said.steps)


def find_submission(operation: Operation, job: Job | None, entries: Iterable[Submission]) -> Submission | None:
    """Find an operation's submission: by its id, or as the first one after its job began, by the API's own clock.

    :param entries: the newest first.
    """
    listed = list(entries)
    if operation.operation_id is not None:
        found = next((entry for entry in listed if entry.id == operation.operation_id), None)
        if found is not None and (operation.kind != "golive" or found.target is Target.LIVE):
            return found
        if operation.kind != "golive":
            return None
    if job is None or job.started_at is None:
        return None
    targets = (Target.LIVE,) if operation.kind == "golive" else (Target.PREVIEW, Target.LIVE)
    # What began long after a job that failed is somebody else's: that job made none.
    until = job.started_at + VISIBILITY_DELAY if job.state.is_failure else None
    later = [
        e
        for e in listed
        if e.target in targets
        and e.created is not None
        and e.created >= job.started_at
        and (until is None or e.created <= until)
    ]
    return later[-1] if later else None


def get_operation_state(operation: Operation) -> Flow[OperationState]:
    """Ask for an operation's job and for its submission.

    :raises NotFoundError: if the API knows neither, some minutes after the order.
    """
    job = yield from _job(operation)
    product = yield from product_id_of(operation, send)
    entries = yield from published_submissions(product, operation.offer, send)
    # What is there while its job failed over it is somebody else's.
    entry = None if job is not None and job.is_conflict else find_submission(operation, job, entries)
    if entry is None and (job is None or job.state.is_success):
        yield from _missing(operation, entries)
    return OperationState(operation, job, entry)


def _poll_operation(spec: WaitSpec, operation: Operation) -> Flow[PollResult]:
    seen = yield from get_operation_state(operation)
    if seen.job is None and seen.submission is None:
        return PollResult(None)
    for _ in range(LATE_POLLS if seen.lacks_reason else 0):
        yield Sleep(LATE_POLL_DELAY)
        seen = replace(seen, job=(yield from _job(operation)))
        if not seen.lacks_reason:
            break
    result = seen.evaluate(spec.until)
    return poll_result(spec, seen.report(result), result)


def _job(operation: Operation) -> Flow[Job | None]:
    if endpoints.job_id(operation) is None:
        return None
    try:
        job: Job = yield from send(endpoints.get_job(operation))
    except NotFoundError:  # the submission may be there all the same
        return None
    return job


def _missing(operation: Operation, entries: tuple[Submission, ...]) -> Flow[None]:
    """Let some minutes pass for a submission that is not listed yet; after them, its absence is an error."""
    now: datetime = yield GetTime()
    if operation.may_not_be_listed_yet(now):
        return
    there = f"the newest is {entries[0].id}, {entries[0].raw_status}" if entries else "there is none"
    text = (
        f"it is not among the submissions, {VISIBILITY_DELAY.total_seconds() / 60:g} minutes after its order; {there}"
    )
    error = NotFoundError(f"operation {operation.display_id} of offer {operation.offer}", text=text)
    error.offer, error.operation = str(operation.offer), operation.display_id
    raise error


def _as_submission(operation: Operation, job: Job) -> Submission:
    """Write a job as the submission that it has not made."""
    target = Target.LIVE if operation.kind == "golive" else Target.PREVIEW
    return Submission("", target, job.state, job.raw_status)
