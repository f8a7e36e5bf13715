# SPDX-License-Identifier: Apache-2.0
"""Poll an operation's job and submission through the Product Ingestion API; the submission decides.

A job can lag behind its submission, and may be in progress until certification ends. The job decides only if it was canceled, or
if it failed before it created a submission.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job, Submission
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import get_state, published_submissions, status_report
from airflow_provider_cpp.core.effects import Flow, Sleep, get_time, send
from airflow_provider_cpp.core.http import Response
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE, evaluate_offer, failure_result
from airflow_provider_cpp.core.offer_state import Target as Until
from airflow_provider_cpp.core.operations import VISIBILITY_DELAY, Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollResult, PollState, poll_result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import NotFoundError

_FOREVER = datetime.max.replace(tzinfo=timezone.utc)

LATE_POLLS = 5
LATE_POLL_DELAY = 60.0
"""The number of polls, and the seconds before each, for the error of a job whose submission has failed."""


def poll_request(spec: WaitSpec, state: PollState) -> None:
    """Return None, because a poll always needs several requests."""


def poll(spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:  # noqa: ARG001 - as the protocol has it
    """Poll once.

    :raises MarketplaceError: if a request failed.
    """
    if spec.operation is not None:
        return (yield from _poll_operation(spec, spec.operation))
    offer = yield from get_state(spec.offer, send)
    if spec.until == IDLE:
        return poll_result(spec, offer.report, WaitResult.REACHED if offer.in_progress_operation is None else None)
    return poll_result(spec, offer.report, evaluate_offer(offer.report, spec.until))


@dataclass(frozen=True, slots=True)
class OperationState:
    """The state of one operation.

    :param operation: the operation.
    :param job: its job; None if it is not known.
    :param submission: its submission; None if it is not listed.
    """

    operation: Operation
    job: Job | None
    submission: Submission | None

    def evaluate(self, until: Until) -> WaitResult | None:
        """Return the result of the wait; None if it continues."""
        entry, job = self.submission, self.job
        if entry is not None:
            is_live = entry.target is Target.LIVE
            if (entry.state.is_success and is_live) or (until == "preview" and (entry.state.is_success or is_live)):
                return WaitResult.REACHED
            if entry.state.is_terminal:
                return failure_result(entry.state)
        # A canceled job also ends its submission, but the submission of a failed job may continue.
        if job is not None and job.state.is_canceled:
            return WaitResult.CANCELED
        return WaitResult.FAILED if job is not None and job.state.is_failure and entry is None else None

    @property
    def lacks_reason(self) -> bool:
        """Whether the submission failed while its job, which has the error, is still in progress."""
        failed = self.submission is not None and self.submission.state.is_failure
        return failed and self.job is not None and not self.job.state.is_terminal

    def report(self, result: WaitResult | None) -> StatusReport:
        """Return the operation's status."""
        entry, job = self.submission, self.job
        if job is None or (entry is not None and (result is not WaitResult.CANCELED or entry.state.is_terminal)):
            return status_report(() if entry is None else (entry,), job)
        # The job has no submission of its own.
        target = Target.LIVE if self.operation.kind == "golive" else Target.PREVIEW
        as_submission = Submission("", target, job.state, job.raw_status)
        report = status_report((as_submission,), None if result is None else job)
        if result is None:
            return replace(report, status=Status.RUNNING, raw_status=Status.RUNNING.value)
        return replace(report, status=job.state, raw_status=job.raw_status)


def find_submission(operation: Operation, job: Job | None, entries: tuple[Submission, ...]) -> Submission | None:
    """Find an operation's submission by its ID, or as the first one created after its job started, by the API's clock.

    :param entries: the submissions, newest first.
    """
    targets = (Target.LIVE,) if operation.kind == "golive" else (Target.PREVIEW, Target.LIVE)
    if operation.operation_id is not None:
        entry = next((entry for entry in entries if entry.id == operation.operation_id), None)
        if operation.kind != "golive" or (entry is not None and entry.target is Target.LIVE):
            return entry
    if job is None or job.started_at is None:
        return None
    # A submission created long after a failed job started belongs to another job.
    until = job.started_at + VISIBILITY_DELAY if job.state.is_failure else _FOREVER
    later = [e for e in entries if e.target in targets and e.created and job.started_at <= e.created <= until]
    return later[-1] if later else None


def get_operation_state(operation: Operation) -> Flow[OperationState]:
    """Read an operation's job and submission.

    :raises NotFoundError: if the API shows neither within some minutes after the submit.
    """
    job = yield from _job(operation)
    entries = yield from published_submissions(operation.offer, send, operation.operation_id)
    # A job that failed because of a conflict has no submission of its own.
    entry = None if job is not None and job.is_conflict else find_submission(operation, job, entries)
    if entry is None and (job is None or job.state.is_success):
        yield from _missing(operation, entries)
    return OperationState(operation, job, entry)


def _poll_operation(spec: WaitSpec, operation: Operation) -> Flow[PollResult]:
    state = yield from get_operation_state(operation)
    if state.job is None and state.submission is None:
        return PollResult(None)
    for _ in range(LATE_POLLS if state.lacks_reason else 0):
        yield Sleep(LATE_POLL_DELAY)
        job = yield from _job(operation)
        state = replace(state, job=job)
        if not state.lacks_reason:
            break
    result = state.evaluate(spec.until)
    return poll_result(spec, state.report(result), result)


def _job(operation: Operation) -> Flow[Job | None]:
    if endpoints.job_id(operation) is None:
        return None
    try:
        job = yield from send(endpoints.get_job(operation))
    except NotFoundError:  # the submission may still be listed
        return None
    return job


def _missing(operation: Operation, entries: tuple[Submission, ...]) -> Flow[None]:
    """Tolerate for some minutes that a new submission is not listed; after that, raise NotFoundError."""
    now = yield from get_time()
    if operation.may_not_be_listed_yet(now):
        return
    newest = f"the newest is {entries[0].id}, {entries[0].raw_status}" if entries else "there are none"
    text = (
        f"it is not among the submissions, {VISIBILITY_DELAY.total_seconds() / 60:g} minutes after its submit; {newest}"
    )
    description = f"operation {operation.display_id} of offer {operation.offer}"
    raise NotFoundError(description, text=text, offer=str(operation.offer), operation=operation.display_id)
