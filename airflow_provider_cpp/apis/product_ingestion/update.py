# SPDX-License-Identifier: Apache-2.0
"""Changing a draft: resources are configured by a job, and the job is waited for.

The API takes no ETag: whoever writes last wins, resource by resource. So only what is to change is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.images import with_image_version
from airflow_provider_cpp.apis.product_ingestion.models import Job
from airflow_provider_cpp.apis.product_ingestion.publish import raise_if_failed
from airflow_provider_cpp.apis.product_ingestion.resources import (
    Resource,
    draft_matches,
    get_resources,
    validate_resources,
)
from airflow_provider_cpp.apis.product_ingestion.schemas import schema_type
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, Sleep, send, send_with_retry
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import AddImageParams, UpdateParams, UpdateResult
from airflow_provider_cpp.core.submit_backend import may_have_been_accepted
from airflow_provider_cpp.exceptions import BadRequestError, MarketplaceError, NotFoundError, SubmitOutcomeUnknownError

FIRST_POLL = 5.0
"""Seconds after which a job is asked first: one that only changes a draft takes some seconds."""

POLL_INTERVAL = 60.0
"""Seconds between two looks after that; the API asks for no more than one a minute."""

DRAFT_JOB_TIMEOUT = 1800.0
"""Seconds after which a job that only changes a draft should have ended."""


def configure(params: UpdateParams, timeout: float = DRAFT_JOB_TIMEOUT) -> Flow[UpdateResult]:
    """Make a draft what some resources say, and wait until it is.

    :param timeout: seconds for which its job is waited for.
    :raises ConfigurationError: if these are no resources, or there is a submission among them.
    :raises BadRequestError: if the API refuses them, at once or by a job that fails; with its whole tree of errors.
    :raises SubmitOutcomeUnknownError: if the answer was lost, and the draft does not show whether it was taken.
    """
    resources = validate_resources(params.resources)
    draft = yield from _get_draft(params.offer, resources)
    if draft_matches(draft, resources):
        yield Log(f"offer {params.offer}: its draft is as it should be, nothing was written")
        return UpdateResult(None, written=False)
    yield from _write(params.offer, resources, lambda there: draft_matches(there, resources), timeout)
    return UpdateResult(None, written=True)


def add_image(params: AddImageParams, timeout: float = DRAFT_JOB_TIMEOUT) -> Flow[UpdateResult]:
    """Add a version of an image to a plan, and wait until it is there.

    :param timeout: seconds for which its job is waited for.
    :raises ConfigurationError: if there is no such plan, or another blob stands under the version.
    :raises BadRequestError: as of :func:`configure`.
    :raises SubmitOutcomeUnknownError: as of :func:`configure`.
    """
    offer, image = params.offer, params.image
    product = yield from find_product(offer)
    published = [
        *(yield from _get_published(offer, product.guid, Target.PREVIEW)),
        *(yield from _get_published(offer, product.guid, Target.LIVE)),
    ]
    changed = with_image_version(image, (yield from get_resources(offer, product.guid)), published)
    if changed is None:
        yield Log(f"offer {offer}: version {image.version} of plan {image.plan_id} is there, nothing was written")
        return UpdateResult(None, written=False)
    yield from _write(offer, (changed,), lambda there: with_image_version(image, there, ()) is None, timeout)
    return UpdateResult(None, written=True)


def _get_draft(offer: OfferRef, resources: tuple[Resource, ...]) -> Flow[tuple[Resource, ...]]:
    """Read the draft; of a product that these resources make, there is none."""
    try:
        product = yield from find_product(offer)
    except NotFoundError:
        if not any(schema_type(resource) == "product" for resource in resources):
            raise
        return ()
    return (yield from get_resources(offer, product.guid))


def _get_published(offer: OfferRef, product: str, target: Target) -> Flow[tuple[Resource, ...]]:
    """Read what is in preview or live; nothing, where nothing is."""
    try:
        return (yield from get_resources(offer, product, target))
    except (NotFoundError, BadRequestError):
        return ()


def _write(
    offer: OfferRef, resources: tuple[Resource, ...], is_done: Callable[[Any], bool], timeout: float
) -> Flow[None]:
    began: datetime = yield GetTime()
    try:
        job: Job = yield from send(endpoints.configure(offer, resources))
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            raise
        yield Log(f"{error}; the request may still have been accepted; reading the draft", logging.WARNING)
        yield from _wait_until_written(lambda: _is_done(offer, resources, is_done), offer, timeout, error)
        return
    operation = Operation(offer, "publish", began, None, endpoints.location_of_job(job), PRODUCT_INGESTION)
    pause = FIRST_POLL
    while not job.state.is_terminal:
        yield Sleep(pause)
        now: datetime = yield GetTime()
        job = yield from send_with_retry(endpoints.get_job(operation))
        if (now - began).total_seconds() >= timeout and not job.state.is_terminal:
            reason = f"job {job.id} says {job.raw_status} after {timeout:g} s"
            raise SubmitOutcomeUnknownError(str(offer), "update", reason, may_settle=True)
        pause = POLL_INTERVAL
    if job.state.is_canceled:
        raise BadRequestError(f"configure offer {offer}", text=f"job {job.id} was canceled")
    raise_if_failed(operation, job, "configure")


def _is_done(offer: OfferRef, resources: tuple[Resource, ...], is_done: Callable[[Any], bool]) -> Flow[bool]:
    return is_done((yield from _get_draft(offer, resources)))


def _wait_until_written(
    read: Callable[[], Flow[bool]], offer: OfferRef, timeout: float, lost: MarketplaceError
) -> Flow[None]:
    """Read a draft until it shows what was ordered; an order is not sent again."""
    began: datetime = yield GetTime()
    pause = FIRST_POLL
    while True:
        yield Sleep(pause)
        try:
            if (yield from read()):
                return
        except MarketplaceError as error:
            yield Log(f"{error}; asking again", logging.WARNING)
        now: datetime = yield GetTime()
        if (now - began).total_seconds() >= timeout / 3:
            raise SubmitOutcomeUnknownError(str(offer), "update", str(lost), may_settle=True) from lost
        pause = POLL_INTERVAL
