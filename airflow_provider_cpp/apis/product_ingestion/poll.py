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
from airflow_provider_cpp.apis.product_ingestion.models import Entry, Job
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import product_of, publications, report, situation
from airflow_provider_cpp.core.effects import Flow, Now, Sleep, ask
from airflow_provider_cpp.core.models import Report
from airflow_provider_cpp.core.operations import GRACE, Operation
from airflow_provider_cpp.core.outcome import Result
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.verdict import IDLE, ended_badly, judge_offer
from airflow_provider_cpp.core.verdict import Target as Until
from airflow_provider_cpp.core.wait import Sighting, sighting
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import NotFound

LATE_LOOKS = 5
LATE_PAUSE = 60.0
"""How often, and after how many seconds each, a job is asked why, whose submission has failed before it."""


def look(watch: Watch) -> Flow[Sighting]:
    """Look once; what fails raises.

    :raises PortalError: if the API did not answer, or not as it promises.
    """
    if watch.operation is not None:
        return (yield from _look_at_operation(watch, watch.operation))
    now_there = yield from situation(watch.offer, ask)
    if watch.until == IDLE:
        return sighting(watch, now_there.report, Result.REACHED if now_there.running is None else None)
    return sighting(watch, now_there.report, judge_offer(now_there.report, watch.until))


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there of one operation.

    :param operation: the operation.
    :param job: its job; None if it is not known any more, or never was.
    :param entry: its submission; None if it is not listed.
    """

    operation: Operation
    job: Job | None
    entry: Entry | None

    def judge(self, until: Until) -> Result | None:
        """Say what the wait ends with; None if it goes on."""
        entry, job = self.entry, self.job
        if entry is not None:
            is_live = entry.target is Target.LIVE
            if (entry.state.is_success and is_live) or (until == "preview" and (entry.state.is_success or is_live)):
                return Result.REACHED
            if entry.state.is_terminal:
                return ended_badly(entry.state)
        # A canceled job ends what it began; one that failed may have had a submission that goes on all the same.
        if job is not None and job.state.is_canceled:
            return Result.CANCELED
        return Result.FAILED if job is not None and job.state.is_failure and entry is None else None

    @property
    def lacks_reason(self) -> bool:
        """Whether the submission failed, and its job, which knows why, lags behind."""
        failed = self.entry is not None and self.entry.state.is_failure
        return failed and self.job is not None and not self.job.state.is_terminal

    def report(self, result: Result | None) -> Report:
        """Say where the operation stands."""
        entry = self.entry
        if self.job is None or (entry is not None and (result is not Result.CANCELED or entry.state.is_terminal)):
            return report(() if entry is None else (entry,), self.job)
        if result is None:
            return Report(Status.RUNNING, Status.RUNNING.value, report((_as_entry(self.operation, self.job),)).steps)
        said = report((_as_entry(self.operation, self.job),), self.job)
        return Report(self.job.state, self.job.word, said.steps)


def find_entry(operation: Operation, job: Job | None, entries: Iterable[Entry]) -> Entry | None:
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
    until = job.started_at + GRACE if job.state.is_failure else None
    later = [
        e
        for e in listed
        if e.target in targets
        and e.created is not None
        and e.created >= job.started_at
        and (until is None or e.created <= until)
    ]
    return later[-1] if later else None


def read_operation(operation: Operation) -> Flow[Seen]:
    """Ask for an operation's job and for its submission.

    :raises NotFound: if the API knows neither, some minutes after the order.
    """
    job = yield from _job(operation)
    product = yield from product_of(operation, ask)
    entries = yield from publications(product, operation.offer, ask)
    # What is there while its job failed over it is somebody else's.
    entry = None if job is not None and job.is_conflict else find_entry(operation, job, entries)
    if entry is None and (job is None or job.state.is_success):
        yield from _missing(operation, entries)
    return Seen(operation, job, entry)


def _look_at_operation(watch: Watch, operation: Operation) -> Flow[Sighting]:
    seen = yield from read_operation(operation)
    if seen.job is None and seen.entry is None:
        return Sighting(None)
    for _ in range(LATE_LOOKS if seen.lacks_reason else 0):
        yield Sleep(LATE_PAUSE)
        seen = replace(seen, job=(yield from _job(operation)))
        if not seen.lacks_reason:
            break
    result = seen.judge(watch.until)
    return sighting(watch, seen.report(result), result)


def _job(operation: Operation) -> Flow[Job | None]:
    if endpoints.job_id(operation) is None:
        return None
    try:
        job: Job = yield from ask(endpoints.get_job(operation))
    except NotFound:  # the submission may be there all the same
        return None
    return job


def _missing(operation: Operation, entries: tuple[Entry, ...]) -> Flow[None]:
    """Let some minutes pass for a submission that is not listed yet; after them, its absence is an error."""
    now: datetime = yield Now()
    if operation.may_be_unknown(now):
        return
    there = f"the newest is {entries[0].id}, {entries[0].word}" if entries else "there is none"
    text = f"it is not among the submissions, {GRACE.total_seconds() / 60:g} minutes after its order; {there}"
    error = NotFound(f"operation {operation.name} of offer {operation.offer}", text=text)
    error.offer, error.operation = str(operation.offer), operation.name
    raise error


def _as_entry(operation: Operation, job: Job) -> Entry:
    """Write a job as the submission that it has not made."""
    target = Target.LIVE if operation.kind == "golive" else Target.PREVIEW
    return Entry("", target, job.state, job.word)
