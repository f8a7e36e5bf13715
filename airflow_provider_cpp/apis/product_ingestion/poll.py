# SPDX-License-Identifier: Apache-2.0
"""One poll of the Product Ingestion API: of an operation's job and submission; the submission decides.

A job can lag behind its submission, and may be in progress for as long as certification takes. It decides only if there is no
submission: it failed before it made one, or was canceled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job, Submission
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import (
    get_state,
    product_id_of,
    published_submissions,
    status_report,
)
from airflow_provider_cpp.core.effects import Flow, Sleep, get_time, send
from airflow_provider_cpp.core.http import Response
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE, evaluate_offer, failure_result
from airflow_provider_cpp.core.offer_state import Target as Until
from airflow_provider_cpp.core.operations import VISIBILITY_DELAY, Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_result import PollResult, poll_result
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import NotFoundError

LATE_POLLS = 5
LATE_POLL_DELAY = 60.0
"""How often, and after how many seconds each, a job is polled for its reason after its submission has failed."""


def poll_request(spec: WaitSpec, state: PollState) -> None:
    """Return None: a poll always needs several requests."""


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
        """Return what the wait ends with; None if it goes on."""
        entry, job = self.submission, self.job
        if entry is not None:
            is_live = entry.target is Target.LIVE
            if (entry.state.is_success and is_live) or (until == "preview" and (entry.state.is_success or is_live)):
                return WaitResult.REACHED
            if entry.state.is_terminal:
                return failure_result(entry.state)
        # A canceled job ends its submission; the submission of a failed job may continue.
        if job is not None and job.state.is_canceled:
            return WaitResult.CANCELED
        return WaitResult.FAILED if job is not None and job.state.is_failure and entry is None else None

    @property
    def lacks_reason(self) -> bool:
        """Whether the submission failed, and its job, which has the reason, lags behind."""
        failed = self.submission is not None and self.submission.state.is_failure
        return failed and self.job is not None and not self.job.state.is_terminal

    def report(self, result: WaitResult | None) -> StatusReport:
        """Return the operation's status."""
        entry = self.submission
        if self.job is None or (entry is not None and (result is not WaitResult.CANCELED or entry.state.is_terminal)):
            return status_report(() if entry is None else (entry,), self.job)
        if result is None:
            return StatusReport(
                Status.RUNNING, Status.RUNNING.value, status_report((_as_submission(self.operation, self.job),)).steps
            )
        report = status_report((_as_submission(self.operation, self.job),), self.job)
        return StatusReport(self.job.state, self.job.raw_status, report.steps)


def find_submission(operation: Operation, job: Job | None, entries: Iterable[Submission]) -> Submission | None:
    """Find an operation's submission: by its id, or as the first one after its job began, by the API's own clock.

    :param entries: the newest first.
    """
    submissions = list(entries)
    if operation.operation_id is not None:
        entry = next((entry for entry in submissions if entry.id == operation.operation_id), None)
        if entry is not None and (operation.kind != "golive" or entry.target is Target.LIVE):
            return entry
        if operation.kind != "golive":
            return None
    if job is None or job.started_at is None:
        return None
    targets = (Target.LIVE,) if operation.kind == "golive" else (Target.PREVIEW, Target.LIVE)
    # What was created long after a job that failed is another submission: that job made none.
    until = job.started_at + VISIBILITY_DELAY if job.state.is_failure else None
    later = [
        e
        for e in submissions
        if e.target in targets
        and e.created is not None
        and e.created >= job.started_at
        and (until is None or e.created <= until)
    ]
    return later[-1] if later else None


def get_operation_state(operation: Operation) -> Flow[OperationState]:
    """Read an operation's job and submission.

    :raises NotFoundError: if the API shows neither some minutes after the submit.
    """
    job = yield from _job(operation)
    product = yield from product_id_of(operation, send)
    entries = yield from published_submissions(product, operation.offer, send)
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
    """Tolerate for some minutes that a new submission is not listed; after that, it is an error."""
    now = yield from get_time()
    if operation.may_not_be_listed_yet(now):
        return
    newest = f"the newest is {entries[0].id}, {entries[0].raw_status}" if entries else "there are none"
    text = (
        f"it is not among the submissions, {VISIBILITY_DELAY.total_seconds() / 60:g} minutes after its submit; {newest}"
    )
    description = f"operation {operation.display_id} of offer {operation.offer}"
    raise NotFoundError(description, text=text, offer=str(operation.offer), operation=operation.display_id)


def _as_submission(operation: Operation, job: Job) -> Submission:
    """Return a job as the submission that it has not made."""
    target = Target.LIVE if operation.kind == "golive" else Target.PREVIEW
    return Submission("", target, job.state, job.raw_status)
