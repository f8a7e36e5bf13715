# SPDX-License-Identifier: Apache-2.0
"""Change a draft: configure resources, and wait for the job.

The API has no ETags, and the last write of a resource takes effect. So only the given resources are sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.images import with_image_version
from airflow_provider_cpp.apis.product_ingestion.publish import raise_if_failed
from airflow_provider_cpp.apis.product_ingestion.resources import (
    Resource,
    draft_matches,
    schema_type,
    validate_resources,
)
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product
from airflow_provider_cpp.core.effects import Flow, Log, Sleep, get_time, may_have_been_accepted, send, send_with_retry
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import AddImageParams, ConfigureParams, UpdateParams, UpdateResult
from airflow_provider_cpp.exceptions import (
    BadRequestError,
    ConfigurationError,
    MarketplaceError,
    NotFoundError,
    SubmitOutcomeUnknownError,
)

FIRST_POLL = 5.0
"""Seconds before a job's first poll; a job that only changes a draft takes some seconds."""

POLL_INTERVAL = 60.0
"""Seconds between later polls; the API asks for at most one a minute."""

DRAFT_JOB_TIMEOUT = 1800.0
"""Seconds to wait for a job that only changes a draft."""

IsDone = Callable[[tuple[Resource, ...]], bool]

NO_DOCUMENT = (
    "the Product Ingestion API has resources instead of one document: use product_resources, not patch or change"
)


def update(params: ConfigureParams | UpdateParams) -> Flow[UpdateResult]:
    """Configure resources of a draft, and wait until the draft has them.

    :raises ConfigurationError: if these are not resources, or if they include a submission.
    :raises BadRequestError: if the API rejects them, in the response or in a failed job; has all of its errors.
    :raises SubmitOutcomeUnknownError: if the response was lost and the draft does not show the change, or if the job does not
        end in time.
    """
    if isinstance(params, UpdateParams):
        raise ConfigurationError((NO_DOCUMENT,), "the task's arguments")
    resources = validate_resources(params.resources)
    draft = yield from _get_draft(params.offer, resources)
    if draft_matches(draft, resources):
        yield Log(f"offer {params.offer}: the draft already is as it should be; nothing was written")
        return UpdateResult(None, written=False)
    yield from _write(params.offer, resources, lambda now: draft_matches(now, resources))
    return UpdateResult(None, written=True)


def add_image(params: AddImageParams) -> Flow[UpdateResult]:
    """Add an image version to a plan, and wait until the draft has it.

    :raises ConfigurationError: if the plan does not exist, or has the version with another blob.
    :raises BadRequestError: see :func:`update`.
    :raises SubmitOutcomeUnknownError: see :func:`update`.
    """
    offer, image = params.offer, params.image
    product = yield from find_product(offer)
    preview = yield from _get_published(offer, product, Target.PREVIEW)
    live = yield from _get_published(offer, product, Target.LIVE)
    draft = yield from send_with_retry(endpoints.get_tree(product, offer))
    changed = with_image_version(image, draft, (*preview, *live))
    if changed is None:
        yield Log(f"offer {offer}: version {image.version} of plan {image.plan_id} already exists; nothing was written")
        return UpdateResult(None, written=False)
    yield from _write(offer, (changed,), lambda now: with_image_version(image, now, ()) is None)
    return UpdateResult(None, written=True)


def _get_draft(offer: OfferRef, resources: tuple[Resource, ...]) -> Flow[tuple[Resource, ...]]:
    """Read the draft; empty for a product that these resources create."""
    try:
        product = yield from find_product(offer)
    except NotFoundError:
        if not any(schema_type(resource) == "product" for resource in resources):
            raise
        return ()
    return (yield from send_with_retry(endpoints.get_tree(product, offer)))


def _get_published(offer: OfferRef, product: str, target: Target) -> Flow[tuple[Resource, ...]]:
    """Read the resources in preview or live; empty if there are none."""
    try:
        return (yield from send_with_retry(endpoints.get_tree(product, offer, target)))
    except (NotFoundError, BadRequestError):
        return ()


def _write(offer: OfferRef, resources: tuple[Resource, ...], is_done: IsDone) -> Flow[None]:
    began = yield from get_time()
    try:
        job = yield from send(endpoints.configure(offer, resources))
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            raise
        yield Log(f"{error}; the request may still have been accepted; reading the draft", logging.WARNING)
        yield from _wait_until_written(offer, resources, is_done, error)
        return
    operation = Operation(offer, "publish", began, None, endpoints.location_of_job(job), PRODUCT_INGESTION)
    delay = FIRST_POLL
    while not job.state.is_terminal:
        yield Sleep(delay)
        now = yield from get_time()
        job = yield from send_with_retry(endpoints.get_job(operation))
        if (now - began).total_seconds() >= DRAFT_JOB_TIMEOUT and not job.state.is_terminal:
            reason = f"{job.raw_status} after {DRAFT_JOB_TIMEOUT:g} s (job {job.id})"
            raise SubmitOutcomeUnknownError(offer, "update", reason, may_settle=True)
        delay = POLL_INTERVAL
    if job.state.is_canceled:
        raise BadRequestError(f"configure offer {offer}", text=f"job {job.id} was canceled", offer=str(offer))
    raise_if_failed(operation, job, "configure")


def _wait_until_written(
    offer: OfferRef, resources: tuple[Resource, ...], is_done: IsDone, lost: MarketplaceError
) -> Flow[None]:
    """Poll the draft until it shows the change; do not send the request again."""
    began = yield from get_time()
    delay = FIRST_POLL
    while True:
        yield Sleep(delay)
        try:
            draft = yield from _get_draft(offer, resources)
            if is_done(draft):
                return
        except MarketplaceError as error:
            yield Log(f"{error}; polling again", logging.WARNING)
        now = yield from get_time()
        if (now - began).total_seconds() >= DRAFT_JOB_TIMEOUT / 3:
            raise SubmitOutcomeUnknownError(offer, "update", str(lost), may_settle=True) from lost
        delay = POLL_INTERVAL
