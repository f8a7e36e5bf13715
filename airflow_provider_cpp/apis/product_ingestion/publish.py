# SPDX-License-Identifier: Apache-2.0
"""Publish through the Product Ingestion API.

A publish is a job. The API validates it only some seconds after it accepted the request. So this module polls the job for up to
a minute, until a submission shows or the job fails.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job
from airflow_provider_cpp.apis.product_ingestion.poll import get_operation_state
from airflow_provider_cpp.apis.product_ingestion.resources import (
    get_resources,
    validate_resources,
    with_required_resources,
)
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
from airflow_provider_cpp.core.offer_state import OfferState, find_by_id, new_operations
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit import submit_once
from airflow_provider_cpp.exceptions import BadRequestError, ConflictError, MarketplaceError, NotFoundError

SECOND_POLL = 60.0
"""Seconds between the two polls of a job; the API asks for at most one poll a minute."""


def polls_within(settle_time: float) -> tuple[float, ...]:
    """Return the delay before each poll of a job; without a settle time, there is only one poll."""
    second = min(SECOND_POLL, settle_time / 15)
    return (0.0, second) if second > 0 else (0.0,)


class PublishBackend:
    """This API's :class:`~airflow_provider_cpp.core.submit_backend.SubmitBackend`."""

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's submissions."""
        product = yield from find_product(offer)
        entries = yield from published_submissions(product.guid, offer)
        return as_operations(entries)

    def get_state(self, offer: OfferRef) -> Flow[OfferState]:
        """Read an offer's submissions and the status that follows from them."""
        return (yield from get_state(offer))

    def find_operation(self, operation: Operation, entries: Iterable[OperationSummary]) -> OperationSummary | None:
        """Find an operation in the offer's list by its submission ID."""
        return find_by_id(operation, entries)

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
            draft = yield from get_resources(params.offer, product.guid)
            resources = with_required_resources(params.resources, draft)
        return endpoints.publish_product(params.offer, product.guid, resources)

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Return the operation that a submit started."""
        return Operation(offer, "publish", submitted_at, None, location, PRODUCT_INGESTION)

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:
        """Poll for up to a minute for the submission that a job created.

        :raises ConflictError: if the job failed because of a conflict with another submission.
        :raises BadRequestError: if it failed for another reason.
        """
        for delay in polls_within(params.try_context.settle_time):
            if delay:
                yield Sleep(delay)
            try:
                job = yield from send_with_retry(endpoints.get_job(operation))
                entries = yield from self.list_operations(operation.offer)
            except MarketplaceError as error:
                yield Log(f"{error}; the API accepted the publish, which goes on", logging.WARNING)
                return operation
            raise_if_failed(operation, job)
            new = new_operations(entries, checkpoint.known_ids, operation.kind)
            if new:  # if there are several, the wait identifies the right one by the job
                return replace(operation, operation_id=new[0].id) if len(new) == 1 else operation
        return operation


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
