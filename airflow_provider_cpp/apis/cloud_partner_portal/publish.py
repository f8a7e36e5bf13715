# SPDX-License-Identifier: Apache-2.0
"""Publish through the CPP API.

`Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import operation_id_from_location
from airflow_provider_cpp.apis.cloud_partner_portal.poll import find_operation, get_state
from airflow_provider_cpp.apis.cloud_partner_portal.update import NO_RESOURCES
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow, Log, get_time, send_with_retry
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import new_operations
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.submit import submit_once
from airflow_provider_cpp.exceptions import ConfigurationError, MarketplaceError, NotFoundError


class PublishBackend:
    """The CPP API's :class:`~.api.SubmitBackend`."""

    get_state = staticmethod(get_state)
    find_operation = staticmethod(find_operation)

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's operations."""
        return (yield from send_with_retry(endpoints.list_operations(offer)))

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Read the operation itself, because the list may be stale; awaiting sign-off counts as ended."""
        try:
            report = yield from send_with_retry(endpoints.get_operation(operation))
        except NotFoundError:
            now = yield from get_time()
            return operation.may_not_be_listed_yet(now)
        return not report.status.is_terminal and not report.awaits_sign_off

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Build the publish request; send no reads."""
        yield from ()
        return endpoints.publish_offer(params.offer, params.notification_emails)

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Return the operation that a submit started."""
        return Operation(offer, "publish", submitted_at, operation_id_from_location(location), location)

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:  # noqa: ARG002 - as the protocol has it
        """Read the list once; if it does not show the operation, use only its location."""
        try:
            entries = yield from self.list_operations(operation.offer)
        except MarketplaceError as error:
            yield Log(
                f"{error}; the API accepted the publish; continuing with its location {operation.location}",
                logging.WARNING,
            )
            return operation
        number = endpoints.publication_number(operation)
        new = new_operations(entries, checkpoint.known_ids, operation.kind)
        new = [entry for entry in new if number in (None, entry.publishing_version)]
        return replace(operation, operation_id=new[0].id) if len(new) == 1 else operation


def publish(params: PublishParams) -> Flow[Operation]:
    """Publish an offer's draft, or return the operation of an earlier try; see :func:`~.submit.submit_once`."""
    if params.resources:
        raise ConfigurationError((NO_RESOURCES,), "the task's arguments")
    return (yield from submit_once(PublishBackend(), params))
