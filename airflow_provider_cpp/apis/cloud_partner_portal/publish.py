# SPDX-License-Identifier: Apache-2.0
"""How the portal takes a publish order, and names what came of it.

`Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import id_in_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import situation
from airflow_provider_cpp.core.checkpoint import Note
from airflow_provider_cpp.core.effects import Flow, Now, Tell, fetch
from airflow_provider_cpp.core.http import Call
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import Patience, Situation, find_new
from airflow_provider_cpp.core.operations import Operation, Submission
from airflow_provider_cpp.core.params import Publish
from airflow_provider_cpp.core.submit import order_once
from airflow_provider_cpp.exceptions import NotFound, OutcomeUnknown


class PortalDesk:
    """Where the portal takes orders; :class:`~.submit_backend.Desk` says what each is for."""

    def submissions(self, offer: OfferRef) -> Flow[tuple[Submission, ...]]:
        """List an offer's operations."""
        return (yield from fetch(endpoints.list_submissions(offer)))

    def situation(self, offer: OfferRef) -> Flow[Situation]:
        """Look at an offer's operations and at its status."""
        return (yield from situation(offer))

    def still_runs(self, operation: Operation) -> Flow[bool]:
        """Ask an operation itself, which the list may lag behind; parked counts as ended."""
        try:
            report = yield from fetch(endpoints.get_operation(operation))
        except NotFound:
            now: datetime = yield Now()
            return operation.may_be_unknown(now)
        return report.status.is_open and not report.is_parked

    def prepare(self, wanted: Publish) -> Flow[Call[str | None]]:
        """Make the order, for which the portal needs nothing but the offer's name."""
        yield from ()
        return endpoints.publish_offer(wanted.offer, wanted.notification_emails)

    def operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""
        return Operation(offer, "publish", submitted_at, id_in_location(location), location)

    def identify(self, wanted: Publish, operation: Operation, note: Note) -> Flow[Operation]:  # noqa: ARG002 - as every desk
        """Look once in the list; the location is enough where it does not tell."""
        try:
            found = yield from find_new(self.submissions, operation, note.known, Patience(operation.submitted_at, 0))
        except OutcomeUnknown:
            text = f"several operations are new; going on with the location {operation.location}"
            yield Tell(f"offer {operation.offer}: {text}", logging.WARNING)
            return operation
        return operation if found is None else replace(operation, operation_id=found.id)


def publish(wanted: Publish) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did: :func:`~.ordering.order_once`."""
    return order_once(PortalDesk(), wanted)
