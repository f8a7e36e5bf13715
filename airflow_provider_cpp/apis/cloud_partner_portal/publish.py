# SPDX-License-Identifier: Apache-2.0
"""How the portal takes a publish order, and names what came of it.

`Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.location import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import get_state
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, send_with_retry
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import OfferState, SettleWindow, wait_for_new_operation
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit import submit_once
from airflow_provider_cpp.exceptions import NotFoundError, SubmitOutcomeUnknownError


class PublishBackend:
    """Where the portal takes orders; :class:`~.submit_backend.SubmitBackend` says what each is for."""

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's operations."""
        return (yield from send_with_retry(endpoints.list_operations(offer)))

    def get_state(self, offer: OfferRef) -> Flow[OfferState]:
        """Look at an offer's operations and at its status."""
        return (yield from get_state(offer))

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Ask an operation itself, which the list may lag behind; parked counts as ended."""
        try:
            report = yield from send_with_retry(endpoints.get_operation(operation))
        except NotFoundError:
            now: datetime = yield GetTime()
            return operation.may_not_be_listed_yet(now)
        return report.status.is_open and not report.awaits_sign_off

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Make the order, for which the portal needs nothing but the offer's name."""
        yield from ()
        return endpoints.publish_offer(params.offer, params.notification_emails)

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""
        return Operation(offer, "publish", submitted_at, operation_id_from_location(location), location)

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:  # noqa: ARG002 - as every desk
        """Look once in the list; the location is enough where it does not tell."""
        try:
            found = yield from wait_for_new_operation(
                self.list_operations, operation, checkpoint.known_ids, SettleWindow(operation.submitted_at, 0)
            )
        except SubmitOutcomeUnknownError:
            text = f"several operations are new; going on with the location {operation.location}"
            yield Log(f"offer {operation.offer}: {text}", logging.WARNING)
            return operation
        return operation if found is None else replace(operation, operation_id=found.id)


def publish(params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or find the operation by which an earlier try did: :func:`~.ordering.order_once`."""
    return submit_once(PublishBackend(), params)
