# SPDX-License-Identifier: Apache-2.0
"""What a configure request does: it changes the draft, publishes to preview, or goes live."""

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
    in_progress,
    invalid,
    not_latest,
    trouble,
)
from partner_center_emulator.product_ingestion.identifiers import DRAFT, LIVE, PREVIEW, kind_of
from partner_center_emulator.product_ingestion.jobs import PREVIEW_READY, Job, State, state_of
from partner_center_emulator.product_ingestion.reference_resolver import Products, resolved
from partner_center_emulator.product_ingestion.request_body import checked, target_of
from partner_center_emulator.product_ingestion.resources import Draft
from partner_center_emulator.product_ingestion.submissions import Submissions
from partner_center_emulator.product_ingestion.validation import check
from partner_center_emulator.publications import Publication

TOO_LATE = "Cannot cancel job, job has already completed."
Resources = list[dict[str, Any]]


class ConfigureJobs:
    """Takes configure requests, and remembers the jobs.

    :param portal: through which a publication is ordered, so that both APIs see it the same.
    """

    def __init__(self, portal: CloudPartnerPortalAPI, submissions: Submissions, products: Products) -> None:
        self._portal = portal
        self._submissions = submissions
        self._products = products
        self._settings = portal.service.settings
        self._clock = portal.offers.clock
        self._jobs: dict[str, Job] = {}

    def find(self, job_id: str) -> Job:
        """Find a job.

        :raises ApiError: 404, if there is none, or none any more.
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
        """Return a job, whether or not it is still found."""
        return self._jobs.get(job_id.lower())

    def state(self, job: Job) -> State:
        """Say how far a job is."""
        return state_of(job, self._settings, self._clock.now())

    def order(self, body: bytes) -> Job:
        """Take a request.

        :raises ApiError: if it is refused at once.
        """
        wanted = checked(body, check_hosts=self._settings.schema_hosts == "checked")
        offer, target = self._offer(wanted), target_of(wanted)
        if offer.locked:
            detail = trouble("productLocked", "The product is being edited by another user.")
            raise ApiError(423, "The product is locked.", [detail])
        resources = resolved(offer, wanted)
        job = Job(str(uuid.uuid4()), offer, target, self._clock.now(), resources)
        carry_out = {DRAFT: self._change, PREVIEW: self._publish, LIVE: self._go_live}[target]
        try:
            carry_out(job)
        except JobError as refusal:
            if self._settings.refusal_shown_as == "400":
                raise ApiError(400, str(refusal), refusal.errors) from None
            job.errors = refusal.errors
        self._jobs[job.job_id] = job
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a job.

        :raises ApiError: 400, if it has ended, or is too far.
        """
        settings, now = self._settings, self._clock.now()
        if settings.cancel_job == "refused" or self.state(job).status == "completed":
            raise ApiError(400, TOO_LATE)
        if job.canceled_at is not None:
            return
        takes = timedelta(0)
        if job.publication is not None and job.publication is job.offer.current:
            takes = settings.cancel_takes if settings.cancel_job == "later" else takes
            try:
                self._portal.offers.cancel(job.offer, takes)
            except OfferError:
                raise ApiError(400, TOO_LATE) from None
        if job.change in job.offer.coming and job.change is not None:
            job.offer.coming.remove(job.change)
        job.canceled_at = now + takes

    def published(self, offer: Offer, *, only_live: bool = False) -> Publication | None:
        """Return the publication of an offer that is in preview, or live; None if nothing is."""
        for publication in reversed(offer.publications):
            steps = publication.standing(self._settings, self._clock.now()).steps
            if steps[-1 if only_live else PREVIEW_READY].status == "complete":
                return publication
        return None

    def _offer(self, resources: Resources) -> Offer:
        if (offer := self._products.named_in(resources)) is not None:
            return offer
        new = [one for one in resources if kind_of(one["$schema"]) == "product" and not one.get("id")]
        if not new or not (new[0].get("identity") or {}).get("externalId"):
            detail = trouble("resourceNotFound", "The product does not exist.")
            raise ApiError(400, "Invalid configuration: a reference cannot be resolved", [detail])
        return self._products.make(new[0])

    def _change(self, job: Job) -> None:
        resources = [one for one in job.resources if kind_of(one["$schema"]) != "submission"]
        self._check(job.offer, resources)

        def apply() -> None:
            self._apply(job.offer, resources)

        job.change = PendingChange(job.began + self._settings.draft_job, apply)
        job.offer.coming.append(job.change)
        job.offer.settle(job.began)

    def _publish(self, job: Job) -> None:
        offer, others = job.offer, [one for one in job.resources if kind_of(one["$schema"]) != "submission"]
        if self._submissions.is_in_progress(offer):
            raise in_progress(f"submission/{offer.guid}/0")
        self._check(offer, others)
        if others and self._settings.modular_needs == "property" and not self._has(others, "property"):
            text = "The resource 'property' is needed to publish some resources only."
            raise invalid(f"submission/{offer.guid}/0", trouble("businessValidationError", text))
        if others:
            self._apply(offer, others)
        self._ordered(job, "publish")

    def _go_live(self, job: Job) -> None:
        offer, submission = job.offer, next(one for one in job.resources if kind_of(one["$schema"]) == "submission")
        if len(job.resources) > 1:
            detail = trouble("notSupported", "A submission to live is not combined with other resources.")
            raise ApiError(400, "Invalid configuration", [detail])
        number = str(submission.get("id") or "0").rpartition("/")[2]
        about = f"submission/{offer.guid}/{number}"
        if number == "0":
            text = "A submission to live needs the id of the preview's submission."
            raise JobError([trouble("badRequest", "Validation failed.", trouble("invalidId", text), about=about)])
        if self._submissions.is_in_progress(offer):
            raise in_progress(about)
        parked = self._submissions.parked(offer)
        if parked is None or str(parked.submission_id) != number:
            raise not_latest(about, LIVE)
        self._ordered(job, "golive")

    def _ordered(self, job: Job, kind: str) -> None:
        """Order a publication as the portal would, so that whatever happens to its orders happens to this one."""
        offers, offer = self._portal.offers, job.offer
        before = self._submissions.entries(offer)

        def act() -> Publication:
            return offers.publish(offer) if kind == "publish" else offers.go_live(offer)

        try:
            job.publication = self._portal.order(offer, kind, act)
        except OfferError as refusal:
            details = [trouble("businessValidationError", one["message"]) for one in refusal.details]
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
