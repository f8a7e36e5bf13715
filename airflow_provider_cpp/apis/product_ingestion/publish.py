# SPDX-License-Identifier: Apache-2.0
"""How the Product Ingestion API takes a publish order, and names what came of it.

An order is a job, and a job is looked at only afterwards: what the portal refuses at once, this API refuses some
seconds later. So an order is looked after until a submission shows, or it is refused, or a minute has passed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job
from airflow_provider_cpp.apis.product_ingestion.poll import get_operation_state
from airflow_provider_cpp.apis.product_ingestion.resources import get_resources, with_required_resources
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
from airflow_provider_cpp.core.offer_state import OfferState, new_operations
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit import submit_once
from airflow_provider_cpp.exceptions import BadRequestError, ConflictError, MarketplaceError, NotFoundError

LATER = 60.0
"""Seconds between the two looks for what an order began: the API asks for no more than one a minute."""


def polls_within(settle_time: float) -> tuple[float, ...]:
    """Return the pauses before each look for what an order began; the later one only where there is time to settle."""
    later = min(LATER, settle_time / 15)
    return (0.0, later) if later > 0 else (0.0,)


class PublishBackend:
    """Where this API takes orders; :class:`~airflow_provider_cpp.core.submit_backend.SubmitBackend` says what each is for."""

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's submissions."""
        product = yield from find_product(offer)
        return as_operations((yield from published_submissions(product.guid, offer)))

    def get_state(self, offer: OfferRef) -> Flow[OfferState]:
        """Look at an offer's submissions, and what they say of it."""
        return (yield from get_state(offer))

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Ask an operation's submission, or its job where there is none."""
        try:
            seen = yield from get_operation_state(operation)
        except NotFoundError:
            return False
        if seen.submission is not None:
            return seen.submission.state.is_open
        return seen.job is None or not seen.job.state.is_terminal

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Make the order: whole, or modular where resources go with it."""
        product = yield from find_product(params.offer)
        resources: tuple[dict[str, Any], ...] = ()
        if params.resources:
            resources = with_required_resources(
                params.resources, (yield from get_resources(params.offer, product.guid))
            )
        return endpoints.publish_product(params.offer, product.guid, resources)

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""
        return Operation(offer, "publish", submitted_at, None, location, PRODUCT_INGESTION)

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:
        """Look for the submission that a job made, for a minute.

        :raises ConflictError: if the job failed because another submission is in the way.
        :raises BadRequestError: if it failed otherwise without having made one.
        """
        for pause in polls_within(params.try_context.settle_time):
            if pause:
                yield Sleep(pause)
            try:
                job: Job = yield from send_with_retry(endpoints.get_job(operation))
                entries = yield from self.list_operations(operation.offer)
            except MarketplaceError as error:
                yield Log(f"{error}; the order is with the API, and goes on", logging.WARNING)
                return operation
            raise_if_failed(operation, job)
            new = new_operations(entries, checkpoint.known_ids, operation.kind)
            if new:  # of several, the wait finds out by the job which is its own
                return replace(operation, operation_id=new[0].id) if len(new) == 1 else operation
        return operation


def raise_if_failed(operation: Operation, job: Job, verb: str | None = None) -> None:
    """Raise what the portal would have answered at once, if a job has failed.

    :param verb: what was ordered; the operation's kind if None.
    """
    if job.state.is_failure:
        kind = ConflictError if job.is_conflict else BadRequestError
        error = kind(f"{verb or operation.kind} offer {operation.offer}", text=f"job {job.id} failed: {job.reason}")
        error.offer, error.operation = str(operation.offer), operation.display_id
        raise error


def publish(params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did."""
    return submit_once(PublishBackend(), params)
