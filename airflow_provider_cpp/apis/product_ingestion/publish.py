# SPDX-License-Identifier: Apache-2.0
"""Publish through the Product Ingestion API.

A publish is a job. The API validates it only some seconds after it accepted the request. So this module polls the job for up to
a minute, until a submission shows or the job fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job, Submission
from airflow_provider_cpp.apis.product_ingestion.poll import get_operation_state
from airflow_provider_cpp.apis.product_ingestion.resources import validate_resources, with_required_resources
from airflow_provider_cpp.apis.product_ingestion.submissions import (
    as_operations,
    find_product,
    get_state,
    published_submissions,
)
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow, Log, Sleep, send_with_retry
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import find_by_id, new_operations
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit import submit_once
from airflow_provider_cpp.exceptions import BadRequestError, ConflictError, MarketplaceError, NotFoundError

T = TypeVar("T")

SECOND_POLL = 60.0
"""Seconds between the two polls of a job; the API asks for at most one poll a minute."""


class PublishBackend:
    """This API's :class:`~airflow_provider_cpp.core.api.SubmitBackend`."""

    get_state = staticmethod(get_state)
    find_operation = staticmethod(find_by_id)

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's submissions."""
        return as_operations((yield from published_submissions(offer)))

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Read an operation's submission or, without one, its job."""
        try:
            state = yield from get_operation_state(operation)
        except NotFoundError:
            return False
        if state.submission is not None:
            return not state.submission.state.is_terminal
        return state.job is None or not state.job.state.is_terminal

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Build the publish request, with the additional resources that the API requires."""
        product = yield from find_product(params.offer)
        resources: tuple[dict[str, Any], ...] = ()
        if params.resources:
            draft = yield from send_with_retry(endpoints.get_tree(product, params.offer))
            resources = with_required_resources(params.resources, draft)
        return endpoints.publish_product(params.offer, product, resources)

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Return the operation that a submit started."""
        return Operation(offer, "publish", submitted_at, None, location, PRODUCT_INGESTION)

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:
        """Poll for up to a minute for the submission that a job created.

        :raises ConflictError: if the job failed because of a conflict with another submission.
        :raises BadRequestError: if it failed for another reason.
        """

        def find_new(entries: tuple[Submission, ...]) -> list[OperationSummary]:
            return new_operations(as_operations(entries), checkpoint.known_ids, operation.kind)

        new = yield from wait_for_submission(operation, params.try_context.settle_time, find_new)
        # If there are several, the wait identifies the right one by the job.
        return replace(operation, operation_id=new[0].id) if new and len(new) == 1 else operation


def wait_for_submission(
    operation: Operation, settle_time: float, find: Callable[[tuple[Submission, ...]], T]
) -> Flow[T | None]:
    """Poll a new job for up to a minute until it shows in the list; None if it does not, or if it cannot be read.

    :param settle_time: the task's settle time in seconds; if it is 0, there is only one poll.
    :param find: finds the job's effect in the list.
    :raises ConflictError: if the job failed because of a conflict with another submission.
    :raises BadRequestError: if it failed for another reason.
    """
    second_poll = min(SECOND_POLL, settle_time / 15)
    for delay in (0.0, second_poll) if second_poll > 0 else (0.0,):
        if delay:
            yield Sleep(delay)
        try:
            job = yield from send_with_retry(endpoints.get_job(operation))
            entries = yield from published_submissions(operation.offer)
        except MarketplaceError as error:
            verb = "go-live" if operation.kind == "golive" else operation.kind
            yield Log(f"{error}; the API accepted the {verb}, which goes on", logging.WARNING)
            return None
        raise_if_failed(operation, job)
        if found := find(entries):
            return found
    return None


def raise_if_failed(operation: Operation, job: Job, verb: str | None = None) -> None:
    """Raise the error of a failed job.

    :param verb: the action, for the error; None for the operation's kind.
    :raises ConflictError: if the job failed because of a conflict with another submission.
    :raises BadRequestError: if it failed for another reason.
    """
    if job.state.is_failure:
        kind = ConflictError if job.is_conflict else BadRequestError
        raise kind(
            f"{verb or operation.kind} offer {operation.offer}",
            text=f"job {job.id} failed: {job.reason}",
            offer=str(operation.offer),
            operation=operation.display_id,
        )


def publish(params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or return the operation of an earlier try."""
    if params.resources:
        validate_resources(params.resources)
    return (yield from submit_once(PublishBackend(), params))
