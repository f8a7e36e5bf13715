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
from airflow_provider_cpp.apis.product_ingestion.images import with_image
from airflow_provider_cpp.apis.product_ingestion.models import Job
from airflow_provider_cpp.apis.product_ingestion.publish import refuse
from airflow_provider_cpp.apis.product_ingestion.resources import Resource, check_resources, holds, read_draft
from airflow_provider_cpp.apis.product_ingestion.schemas import schema_type
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product
from airflow_provider_cpp.core.effects import Flow, Now, Sleep, Tell, ask, fetch
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import INGESTION, Operation
from airflow_provider_cpp.core.params import AddImage, Update, Updated
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.exceptions import NotFound, OutcomeUnknown, PortalError, Refused

FIRST_POLL = 5.0
"""Seconds after which a job is asked first: one that only changes a draft takes some seconds."""

POLL = 60.0
"""Seconds between two looks after that; the API asks for no more than one a minute."""

DRAFT_JOB_TAKES = 1800.0
"""Seconds after which a job that only changes a draft should have ended."""


def configure(wanted: Update, timeout: float = DRAFT_JOB_TAKES) -> Flow[Updated]:
    """Make a draft what some resources say, and wait until it is.

    :param timeout: seconds for which its job is waited for.
    :raises ConfigurationError: if these are no resources, or there is a submission among them.
    :raises Refused: if the API refuses them, at once or by a job that fails; with its whole tree of errors.
    :raises OutcomeUnknown: if the answer was lost, and the draft does not show whether it was taken.
    """
    resources = check_resources(wanted.resources)
    draft = yield from _draft(wanted.offer, resources)
    if holds(draft, resources):
        yield Tell(f"offer {wanted.offer}: its draft is as it should be, nothing was written")
        return Updated(None, written=False)
    yield from _write(wanted.offer, resources, lambda there: holds(there, resources), timeout)
    return Updated(None, written=True)


def add_image(wanted: AddImage, timeout: float = DRAFT_JOB_TAKES) -> Flow[Updated]:
    """Add a version of an image to a plan, and wait until it is there.

    :param timeout: seconds for which its job is waited for.
    :raises ConfigurationError: if there is no such plan, or another blob stands under the version.
    :raises Refused: as of :func:`configure`.
    :raises OutcomeUnknown: as of :func:`configure`.
    """
    offer, image = wanted.offer, wanted.image
    product = yield from find_product(offer)
    published = [
        *(yield from _published(offer, product.guid, Target.PREVIEW)),
        *(yield from _published(offer, product.guid, Target.LIVE)),
    ]
    changed = with_image(image, (yield from read_draft(offer, product.guid)), published)
    if changed is None:
        yield Tell(f"offer {offer}: version {image.version} of plan {image.plan_id} is there, nothing was written")
        return Updated(None, written=False)
    yield from _write(offer, (changed,), lambda there: with_image(image, there, ()) is None, timeout)
    return Updated(None, written=True)


def _draft(offer: OfferRef, resources: tuple[Resource, ...]) -> Flow[tuple[Resource, ...]]:
    """Read the draft; of a product that these resources make, there is none."""
    try:
        product = yield from find_product(offer)
    except NotFound:
        if not any(schema_type(resource) == "product" for resource in resources):
            raise
        return ()
    return (yield from read_draft(offer, product.guid))


def _published(offer: OfferRef, product: str, target: Target) -> Flow[tuple[Resource, ...]]:
    """Read what is in preview or live; nothing, where nothing is."""
    try:
        return (yield from read_draft(offer, product, target))
    except (NotFound, Refused):
        return ()


def _write(
    offer: OfferRef, resources: tuple[Resource, ...], is_done: Callable[[Any], bool], timeout: float
) -> Flow[None]:
    began: datetime = yield Now()
    try:
        job: Job = yield from ask(endpoints.configure(offer, resources))
    except PortalError as error:
        if not is_taken_perhaps(error):
            raise
        yield Tell(f"{error}; it may have been taken all the same, reading the draft", logging.WARNING)
        yield from _shows(lambda: _is_done(offer, resources, is_done), offer, timeout, error)
        return
    operation = Operation(offer, "publish", began, None, endpoints.location_of(job), INGESTION)
    pause = FIRST_POLL
    while not job.state.is_terminal:
        yield Sleep(pause)
        now: datetime = yield Now()
        job = yield from fetch(endpoints.get_job(operation))
        if (now - began).total_seconds() >= timeout and not job.state.is_terminal:
            reason = f"job {job.id} says {job.word} after {timeout:g} s"
            raise OutcomeUnknown(str(offer), "update", reason, may_settle=True)
        pause = POLL
    if job.state.is_canceled:
        raise Refused(f"configure offer {offer}", text=f"job {job.id} was canceled")
    refuse(operation, job, "configure")


def _is_done(offer: OfferRef, resources: tuple[Resource, ...], is_done: Callable[[Any], bool]) -> Flow[bool]:
    return is_done((yield from _draft(offer, resources)))


def _shows(read: Callable[[], Flow[bool]], offer: OfferRef, timeout: float, lost: PortalError) -> Flow[None]:
    """Read a draft until it shows what was ordered; an order is not sent again."""
    began: datetime = yield Now()
    pause = FIRST_POLL
    while True:
        yield Sleep(pause)
        try:
            if (yield from read()):
                return
        except PortalError as error:
            yield Tell(f"{error}; asking again", logging.WARNING)
        now: datetime = yield Now()
        if (now - began).total_seconds() >= timeout / 3:
            raise OutcomeUnknown(str(offer), "update", str(lost), may_settle=True) from lost
        pause = POLL
