# SPDX-License-Identifier: Apache-2.0
"""Configure requests, which change the draft, publish to preview, or go live."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.offer import Offer, PendingChange
from partner_center_emulator.offer_store import OfferError
from partner_center_emulator.product_ingestion.errors import (
    ApiError,
    JobError,
    error_detail,
    in_progress,
    invalid,
    not_latest,
)
from partner_center_emulator.product_ingestion.identifiers import DRAFT, LIVE, PREVIEW, kind_of
from partner_center_emulator.product_ingestion.jobs import PREVIEW_READY, Job, JobState, job_state
from partner_center_emulator.product_ingestion.reference_resolver import Products, resolve_references
from partner_center_emulator.product_ingestion.request_body import parse_request, target_of
from partner_center_emulator.product_ingestion.resources import Draft
from partner_center_emulator.product_ingestion.submissions import Submissions
from partner_center_emulator.product_ingestion.validation import check
from partner_center_emulator.publications import Publication

TOO_LATE = "Cannot cancel job, job has already completed."
Resources = list[dict[str, Any]]


class ConfigureJobs:
    """The jobs of configure requests.

    :param cpp_api: the CPP API, which performs publications, so that both APIs show the same state.
    """

    def __init__(self, cpp_api: CloudPartnerPortalAPI, submissions: Submissions, products: Products) -> None:
        self._cpp_api = cpp_api
        self._submissions = submissions
        self._products = products
        self._settings = cpp_api.dispatcher.settings
        self._clock = cpp_api.offers.clock
        self._jobs: dict[str, Job] = {}

    def find(self, job_id: str) -> Job:
        """Return a job.

        :raises ApiError: 404, if there is none, or if it is no longer kept.
        """
        job = self._jobs.get(job_id.lower())
        if job is not None and self._settings.job_kept_for:
            ended = self.state(job).ended
            if ended is not None and self._clock.now() >= ended + self._settings.job_kept_for:
                job = None
        if job is None:
            raise ApiError(404, "Resource not found.")
        return job

    def peek(self, job_id: str) -> Job | None:
        """Return a job, even if it is no longer kept."""
        return self._jobs.get(job_id.lower())

    def state(self, job: Job) -> JobState:
        """Return a job's current state."""
        return job_state(job, self._settings, self._clock.now())

    def submit(self, body: bytes) -> Job:
        """Accept a configure request.

        :raises ApiError: if the request is rejected immediately.
        """
        configured = parse_request(body, check_hosts=self._settings.schema_hosts == "checked")
        offer, target = self._offer(configured), target_of(configured)
        if offer.locked:
            detail = error_detail("productLocked", "The product is being edited by another user.")
            raise ApiError(423, "The product is locked.", [detail])
        resources = resolve_references(offer, configured)
        job = Job(str(uuid.uuid4()), offer, target, self._clock.now(), resources)
        carry_out = {DRAFT: self._change, PREVIEW: self._publish, LIVE: self._go_live}[target]
        try:
            carry_out(job)
        except JobError as error:
            if self._settings.refusal_shown_as == "400":
                raise ApiError(400, str(error), error.errors) from None
            job.errors = error.errors
        self._jobs[job.job_id] = job
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a job.

        :raises ApiError: 400, if it has ended or can no longer be canceled.
        """
        settings, now = self._settings, self._clock.now()
        if settings.cancel_job == "refused" or self.state(job).status == "completed":
            raise ApiError(400, TOO_LATE)
        if job.canceled_at is not None:
            return
        duration = timedelta(0)
        if job.publication is not None and job.publication is job.offer.current:
            duration = settings.cancel_takes if settings.cancel_job == "later" else duration
            try:
                self._cpp_api.offers.cancel(job.offer, duration)
            except OfferError:
                raise ApiError(400, TOO_LATE) from None
        if job.change in job.offer.pending_changes and job.change is not None:
            job.offer.pending_changes.remove(job.change)
        job.canceled_at = now + duration

    def published(self, offer: Offer, *, only_live: bool = False) -> Publication | None:
        """Return the publication of an offer that is in preview or live; None if there is none."""
        for publication in reversed(offer.publications):
            steps = publication.state_at(self._settings, self._clock.now()).steps
            if steps[-1 if only_live else PREVIEW_READY].status == "complete":
                return publication
        return None

    def _offer(self, resources: Resources) -> Offer:
        if (offer := self._products.named_in(resources)) is not None:
            return offer
        new = [one for one in resources if kind_of(one["$schema"]) == "product" and not one.get("id")]
        if not new or not (new[0].get("identity") or {}).get("externalId"):
            detail = error_detail("resourceNotFound", "The product does not exist.")
            raise ApiError(400, "Invalid configuration: a reference cannot be resolved", [detail])
        return self._products.create(new[0])

    def _change(self, job: Job) -> None:
        resources = [one for one in job.resources if kind_of(one["$schema"]) != "submission"]
        self._check(job.offer, resources)

        def apply() -> None:
            self._apply(job.offer, resources)

        job.change = PendingChange(job.began + self._settings.draft_job, apply)
        job.offer.pending_changes.append(job.change)
        job.offer.apply_due_changes(job.began)

    def _publish(self, job: Job) -> None:
        offer, others = job.offer, [one for one in job.resources if kind_of(one["$schema"]) != "submission"]
        if self._submissions.is_in_progress(offer):
            raise in_progress(f"submission/{offer.guid}/0")
        self._check(offer, others)
        if others and self._settings.modular_needs == "property" and not self._has(others, "property"):
            text = "The resource 'property' is needed to publish some resources only."
            raise invalid(f"submission/{offer.guid}/0", error_detail("businessValidationError", text))
        if others:
            self._apply(offer, others)
        self._submit(job, "publish")

    def _go_live(self, job: Job) -> None:
        offer, submission = job.offer, next(one for one in job.resources if kind_of(one["$schema"]) == "submission")
        if len(job.resources) > 1:
            detail = error_detail("notSupported", "A submission to live is not combined with other resources.")
            raise ApiError(400, "Invalid configuration", [detail])
        number = str(submission.get("id") or "0").rpartition("/")[2]
        about = f"submission/{offer.guid}/{number}"
        if number == "0":
            text = "A submission to live needs the id of the preview's submission."
            raise JobError(
                [error_detail("badRequest", "Validation failed.", error_detail("invalidId", text), about=about)]
            )
        if self._submissions.is_in_progress(offer):
            raise in_progress(about)
        awaiting_sign_off = self._submissions.awaiting_sign_off(offer)
        if awaiting_sign_off is None or str(awaiting_sign_off.submission_id) != number:
            raise not_latest(about, LIVE)
        self._submit(job, "golive")

    def _submit(self, job: Job, kind: str) -> None:
        """Submit a publication through the CPP API, with the same faults and delays."""
        offers, offer = self._cpp_api.offers, job.offer
        before = self._submissions.entries(offer)

        def perform() -> Publication:
            return offers.publish(offer) if kind == "publish" else offers.go_live(offer)

        try:
            job.publication = self._cpp_api.submit(offer, kind, perform)
        except OfferError as error:
            details = [error_detail("businessValidationError", one["message"]) for one in error.details]
            raise invalid(f"submission/{offer.guid}/0", *details) from None
        offer.lag.old_submissions = before
        job.lag = offer.lag
        for resource in job.resources:
            if kind_of(resource["$schema"]) == "submission":
                resource["id"] = f"submission/{offer.guid}/{job.publication.submission_id}"

    def _check(self, offer: Offer, resources: Resources) -> None:
        before = self.published(offer)
        published = None if before is None else Draft(offer, before.document, before.resources)
        check(resources, published, one_at_a_time=self._settings.new_versions == "one")

    def _apply(self, offer: Offer, resources: Resources) -> None:
        Draft(offer, offer.document, offer.resources).apply(resources)
        offer.touch(self._clock.now())

    def _has(self, resources: Resources, kind: str) -> bool:
        return any(kind_of(one["$schema"]) == kind for one in resources)
