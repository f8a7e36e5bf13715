# SPDX-License-Identifier: Apache-2.0
"""Jobs: what was ordered, and how far it is. Like a publication, a job is looked at and does nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from partner_center_emulator.offer import Offer, PendingChange, StaleReads
from partner_center_emulator.product_ingestion.errors import trouble
from partner_center_emulator.product_ingestion.identifiers import PREVIEW, schema
from partner_center_emulator.publications import CANCELED, FAILED, STRANGE, SUCCEEDED, Publication
from partner_center_emulator.serializers import SIGN_OFF, Serializers
from partner_center_emulator.settings import Settings

NOT_FINISHED = "0001-01-01T00:00:00"
NOT_STARTED_FOR = timedelta(seconds=1)
PREVIEW_READY = 3
"""The step with whose end a preview is there."""
RESULTS = {SUCCEEDED: "succeeded", CANCELED: "cancelled", FAILED: "failed"}


@dataclass(slots=True)
class Job:
    """One configure job.

    :param target: what it changes: the draft, or what it publishes to.
    :param resources: what it was given, with durable ids.
    :param publication: what it publishes; None if it only changes the draft, or was refused.
    :param errors: why it was refused.
    :param change: its change of the draft, while that is still to come.
    :param lag: for how long it is not found, or has not begun.
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
class State:
    """How far a job is."""

    status: str
    result: str = "pending"
    ended: datetime | None = None
    errors: tuple[dict[str, Any], ...] = ()


def state_of(job: Job, settings: Settings, now: datetime) -> State:
    """Say how far a job is by a time."""
    publication = job.publication
    if publication is None:
        if job.canceled_at is not None and now >= job.canceled_at:
            return State("completed", "cancelled", job.canceled_at)
        if now >= (ended := job.began + settings.draft_job):
            errors = tuple(job.errors)
            return State("completed", "failed" if errors else "succeeded", ended, errors)
    elif (state := _ended(job, publication, settings, now)) is not None:
        return state
    return State("notStarted" if now < job.began + NOT_STARTED_FOR else "running")


def _ended(job: Job, publication: Publication, settings: Settings, now: datetime) -> State | None:
    standing = publication.standing(settings, now)
    if standing.status == CANCELED and standing.steps[PREVIEW_READY].status != "complete":
        return State("completed", "cancelled", standing.since)
    standing = publication.standing(settings, now - settings.job_lag)
    if standing.status == STRANGE:
        return State(STRANGE)
    if job.target == PREVIEW and standing.steps[PREVIEW_READY].status == "complete":
        return State("completed", "succeeded", publication.parked_at(settings) + settings.job_lag)
    if standing.status not in RESULTS:
        return None
    failed = standing.status == FAILED
    errors = (_failure(job, publication, standing.steps[SIGN_OFF].status),) if failed else ()
    return State("completed", RESULTS[standing.status], standing.since + settings.job_lag, errors)


def _failure(job: Job, publication: Publication, sign_off: str) -> dict[str, Any]:
    about = f"submission/{job.offer.guid}/{publication.submission_id}"
    if publication.scenario == "blocked-then-rejected":
        reason = trouble("invalidState", "Issues found during Certification.")
        stage = trouble("invalidState", "Certification", reason)
        about = f"submission/{job.offer.guid}"
    else:
        text = "The image of plan gold does not boot on a generation 2 size."
        reason = trouble("businessValidationError", text)
        stage = trouble("notDeployed", "Publish to live" if sign_off == "complete" else "Provisioning", reason)
    return trouble("internalServerError", "Operation failed", stage, about=about)


class JobViews:
    """Writes jobs."""

    def __init__(self, views: Serializers, settings: Settings) -> None:
        self._views = views
        self._settings = settings

    def status(self, job: Job, state: State, elsewhere: str) -> dict[str, Any]:
        """Write a job's state.

        :param elsewhere: scheme and host of the address that it names besides, and that nobody should call.
        """
        settings = self._settings
        ended = {"when-done": state.ended, "always": state.ended or job.began, "never": None}[settings.job_end]
        body = {
            "$schema": schema("configure-status"),
            "jobId": job.job_id,
            "jobStatus": self._views.word(state.status),
            "jobResult": self._views.word(state.result),
            "jobStart": self._views.time(job.began),
            "jobEnd": NOT_FINISHED if ended is None else self._views.time(ended),
            "errors": [self._error(error) for error in state.errors],
        }
        if settings.resource_uri == "given":
            body["resourceUri"] = f"{elsewhere}/configure/{job.job_id}"
        return body

    def _error(self, error: dict[str, Any]) -> dict[str, Any]:
        """Write an error; what stands in one without any below it is a setting."""
        below = [self._error(one) for one in error["details"]]
        if below or self._settings.error_details == "list":
            return error | {"details": below}
        rest = {name: value for name, value in error.items() if name != "details"}
        return rest if self._settings.error_details == "missing" else rest | {"details": {}}


def detail(job: Job, state: State) -> dict[str, Any]:
    """Write the resources that a job really processed."""
    changed = job.publication is not None or state.result == "succeeded"
    return {"$schema": schema("configure-detail"), "resources": job.resources if changed else []}
