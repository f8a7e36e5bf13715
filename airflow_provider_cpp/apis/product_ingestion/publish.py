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
from airflow_provider_cpp.apis.product_ingestion.poll import read_operation
from airflow_provider_cpp.apis.product_ingestion.resources import for_preview, read_draft
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product, operations, publications, situation
from airflow_provider_cpp.core.checkpoint import Note
from airflow_provider_cpp.core.effects import Flow, Sleep, Tell, fetch
from airflow_provider_cpp.core.http import Call
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import Situation, new_ones
from airflow_provider_cpp.core.operations import INGESTION, Operation, Submission
from airflow_provider_cpp.core.params import Publish
from airflow_provider_cpp.core.submit import order_once
from airflow_provider_cpp.exceptions import Conflict, NotFound, PortalError, Refused

LATER = 60.0
"""Seconds between the two looks for what an order began: the API asks for no more than one a minute."""


def looks(settle_time: float) -> tuple[float, ...]:
    """Return the pauses before each look for what an order began; the later one only where there is time to settle."""
    later = min(LATER, settle_time / 15)
    return (0.0, later) if later > 0 else (0.0,)


class IngestionDesk:
    """Where this API takes orders; :class:`~airflow_provider_cpp.core.submit_backend.Desk` says what each is for."""

    def submissions(self, offer: OfferRef) -> Flow[tuple[Submission, ...]]:
        """List an offer's submissions."""
        product = yield from find_product(offer)
        return operations((yield from publications(product.guid, offer)))

    def situation(self, offer: OfferRef) -> Flow[Situation]:
        """Look at an offer's submissions, and what they say of it."""
        return (yield from situation(offer))

    def still_runs(self, operation: Operation) -> Flow[bool]:
        """Ask an operation's submission, or its job where there is none."""
        try:
            seen = yield from read_operation(operation)
        except NotFound:
            return False
        if seen.entry is not None:
            return seen.entry.state.is_open
        return seen.job is None or not seen.job.state.is_terminal

    def prepare(self, wanted: Publish) -> Flow[Call[str | None]]:
        """Make the order: whole, or modular where resources go with it."""
        product = yield from find_product(wanted.offer)
        resources: tuple[dict[str, Any], ...] = ()
        if wanted.resources:
            resources = for_preview(wanted.resources, (yield from read_draft(wanted.offer, product.guid)))
        return endpoints.publish(wanted.offer, product.guid, resources)

    def operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""
        return Operation(offer, "publish", submitted_at, None, location, INGESTION)

    def identify(self, wanted: Publish, operation: Operation, note: Note) -> Flow[Operation]:
        """Look for the submission that a job made, for a minute.

        :raises Conflict: if the job failed because another submission is in the way.
        :raises Refused: if it failed otherwise without having made one.
        """
        for pause in looks(wanted.attempt.settle_time):
            if pause:
                yield Sleep(pause)
            try:
                job: Job = yield from fetch(endpoints.get_job(operation))
                entries = yield from self.submissions(operation.offer)
            except PortalError as error:
                yield Tell(f"{error}; the order is with the API, and goes on", logging.WARNING)
                return operation
            refuse(operation, job)
            new = new_ones(entries, note.known, operation.kind)
            if new:  # of several, the wait finds out by the job which is its own
                return replace(operation, operation_id=new[0].id) if len(new) == 1 else operation
        return operation


def refuse(operation: Operation, job: Job, verb: str | None = None) -> None:
    """Raise what the portal would have answered at once, if a job has failed.

    :param verb: what was ordered; the operation's kind if None.
    """
    if job.state.is_failure:
        kind = Conflict if job.is_conflict else Refused
        error = kind(f"{verb or operation.kind} offer {operation.offer}", text=f"job {job.id} failed: {job.reason}")
        error.offer, error.operation = str(operation.offer), operation.name
        raise error


def publish(wanted: Publish) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did."""
    return order_once(IngestionDesk(), wanted)
