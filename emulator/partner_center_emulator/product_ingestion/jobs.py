# SPDX-License-Identifier: Apache-2.0
"""Configure jobs. The state of a job is computed from the time; there is no background process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from partner_center_emulator.offer import Offer, PendingChange, StaleReads
from partner_center_emulator.product_ingestion.errors import error_detail
from partner_center_emulator.product_ingestion.identifiers import PREVIEW, schema
from partner_center_emulator.publications import CANCELED, FAILED, SUCCEEDED, UNKNOWN, Publication
from partner_center_emulator.serializers import SIGN_OFF, Serializers
from partner_center_emulator.settings import Settings

NOT_FINISHED = "0001-01-01T00:00:00"
NOT_STARTED_FOR = timedelta(seconds=1)
PREVIEW_READY = 3
"""The index of the step after which the preview is ready."""
RESULTS = {SUCCEEDED: "succeeded", CANCELED: "cancelled", FAILED: "failed"}


@dataclass(slots=True)
class Job:
    """A configure job.

    :param target: ``draft`` for a change of the draft; ``preview`` or ``live`` for a publication.
    :param resources: the resources of the request, with durable IDs.
    :param publication: the publication; None for a change of the draft, or for a rejected request.
    :param errors: the reasons for a rejection.
    :param change: the change of the draft that the job applies when it ends.
    :param lag: the stale reads, during which the job is missing or not started.
    """

    job_id: str
    offer: Offer
    target: str
    began: datetime
    resources: list[dict[str, Any]]
    publication: Publication | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    change: PendingChange | None = None
    canceled_at: datetime | None = None
    lag: StaleReads | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job."""

    status: str
    result: str = "pending"
    ended: datetime | None = None
    errors: tuple[dict[str, Any], ...] = ()


def job_state(job: Job, settings: Settings, now: datetime) -> JobState:
    """Return a job's state at a time."""
    publication = job.publication
    if publication is None:
        if job.canceled_at is not None and now >= job.canceled_at:
            return JobState("completed", "cancelled", job.canceled_at)
        if now >= (ended := job.began + settings.draft_job):
            errors = tuple(job.errors)
            return JobState("completed", "failed" if errors else "succeeded", ended, errors)
    elif (state := _ended(job, publication, settings, now)) is not None:
        return state
    return JobState("notStarted" if now < job.began + NOT_STARTED_FOR else "running")


def _ended(job: Job, publication: Publication, settings: Settings, now: datetime) -> JobState | None:
    state = publication.state_at(settings, now)
    if state.status == CANCELED and state.steps[PREVIEW_READY].status != "complete":
        return JobState("completed", "cancelled", state.since)
    state = publication.state_at(settings, now - settings.job_lag)
    if state.status == UNKNOWN:
        return JobState(UNKNOWN)
    if job.target == PREVIEW and state.steps[PREVIEW_READY].status == "complete":
        return JobState("completed", "succeeded", publication.awaits_sign_off_at(settings) + settings.job_lag)
    if state.status not in RESULTS:
        return None
    failed = state.status == FAILED
    errors = (_failure(job, publication, state.steps[SIGN_OFF].status),) if failed else ()
    return JobState("completed", RESULTS[state.status], state.since + settings.job_lag, errors)


def _failure(job: Job, publication: Publication, sign_off: str) -> dict[str, Any]:
    about = f"submission/{job.offer.guid}/{publication.submission_id}"
    if publication.scenario == "blocked-then-rejected":
        reason = error_detail("invalidState", "Issues found during Certification.")
        stage = error_detail("invalidState", "Certification", reason)
        about = f"submission/{job.offer.guid}"
    else:
        text = "The image of plan gold does not boot on a generation 2 size."
        reason = error_detail("businessValidationError", text)
        stage = error_detail("notDeployed", "Publish to live" if sign_off == "complete" else "Provisioning", reason)
    return error_detail("internalServerError", "Operation failed", stage, about=about)


class JobSerializer:
    """A serializer of jobs."""

    def __init__(self, serializers: Serializers, settings: Settings) -> None:
        self._serializers = serializers
        self._settings = settings

    def status(self, job: Job, state: JobState, other_host: str) -> dict[str, Any]:
        """Return the status of a job.

        :param other_host: the scheme, host and port of ``resourceUri``.
        """
        settings = self._settings
        ended = {"when-done": state.ended, "always": state.ended or job.began, "never": None}[settings.job_end]
        body = {
            "$schema": schema("configure-status"),
            "jobId": job.job_id,
            "jobStatus": self._serializers.word(state.status),
            "jobResult": self._serializers.word(state.result),
            "jobStart": self._serializers.time(job.began),
            "jobEnd": NOT_FINISHED if ended is None else self._serializers.time(ended),
            "errors": [self._error(error) for error in state.errors],
        }
        if settings.resource_uri == "given":
            body["resourceUri"] = f"{other_host}/configure/{job.job_id}"
        return body

    def _error(self, error: dict[str, Any]) -> dict[str, Any]:
        """Return an error; a setting determines the ``details`` of an error without nested errors."""
        nested = [self._error(one) for one in error["details"]]
        if nested or self._settings.error_details == "list":
            return error | {"details": nested}
        rest = {name: value for name, value in error.items() if name != "details"}
        return rest if self._settings.error_details == "missing" else rest | {"details": {}}


def detail(job: Job, state: JobState) -> dict[str, Any]:
    """Return the resources that a job processed."""
    changed = job.publication is not None or state.result == "succeeded"
    return {"$schema": schema("configure-detail"), "resources": job.resources if changed else []}
