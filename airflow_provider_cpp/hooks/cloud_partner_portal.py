# SPDX-License-Identifier: Apache-2.0
"""The hook of the Cloud Partner Portal API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import OfferSummary, PublisherSummary
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.effects import send_with_retry
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport
from airflow_provider_cpp.core.operations import Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.params import CancelParams, GoLiveParams, PublishParams, UpdateParams, UpdateResult
from airflow_provider_cpp.defaults import DEFAULT_SETTLE_TIME, DraftChange
from airflow_provider_cpp.get_provider_info import CLOUD_PARTNER_PORTAL, CONNECTIONS
from airflow_provider_cpp.hooks.base import MarketplaceHook, split_emails


class CloudPartnerPortalHook(MarketplaceHook):
    """Send requests to the Cloud Partner Portal API with the credentials of an Airflow connection.

    The methods raise the errors of :mod:`airflow_provider_cpp.exceptions`, which carry the HTTP status, the API's error code
    and message, and the request ID. Reads are retried up to three times after a temporary error; submits are never retried.

    :param conn_id: the ID of a connection of type ``cloud_partner_portal``; ``cloud_partner_portal_default`` if None.
    """

    default_conn_name = "cloud_partner_portal_default"
    conn_type = CLOUD_PARTNER_PORTAL
    hook_name = CONNECTIONS[conn_type]["hook-name"]
    api = CLOUD_PARTNER_PORTAL_API
    needs_publisher = True

    def list_offers(self, publisher_id: str | None = None) -> tuple[OfferSummary, ...]:
        """List a publisher's offers with their statuses."""
        publisher = self._publisher(publisher_id or self.get_settings().publisher_id)
        return self._send(endpoints.list_offers(publisher))

    def list_publishers(self) -> tuple[PublisherSummary, ...]:
        """List the publishers to which the application has access."""
        return self._send(endpoints.list_publishers())

    def get_offer(
        self, offer_id: str, publisher_id: str | None = None, *, version: int | None = None, slot: str | None = None
    ) -> dict[str, Any]:
        """Return an offer's raw document with every key that the API sent.

        :param offer_id: the offer ID.
        :param publisher_id: the publisher ID; the connection's if None.
        :param version: the version of the offer to read; the draft if None.
        :param slot: ``Draft``, ``Preview`` or ``Production``; an empty slot raises
            :class:`~airflow_provider_cpp.exceptions.NotFoundError`.

        `Retrieve a specific offer
        <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-specific-offer>`_
        """
        return self.read_offer(offer_id, publisher_id, version=version, slot=slot).content

    def read_offer(
        self, offer_id: str, publisher_id: str | None = None, *, version: int | None = None, slot: str | None = None
    ) -> OfferDocument:
        """Return an offer as :meth:`get_offer` does, with the ETag that :meth:`put_offer` needs."""
        return self._send(endpoints.get_offer(self.offer_ref(offer_id, publisher_id), version, slot))

    def put_offer(
        self, offer_id: str, content: dict[str, Any], publisher_id: str | None = None, *, if_match: str | None = None
    ) -> OfferDocument:
        """Replace an offer's draft. Keys that are missing from the document are deleted.

        :param offer_id: the offer ID.
        :param content: the whole document.
        :param publisher_id: the publisher ID; the connection's if None.
        :param if_match: the ETag of the draft to replace, ``*`` for any, None to create the offer.
        :raises PreconditionFailedError: if the draft has a different ETag.
        :raises ConflictError: if the offer exists and ``if_match`` is None.

        `Create or modify an offer
        <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
        """
        return self._send(endpoints.put_offer(self.offer_ref(offer_id, publisher_id), content, if_match))

    def update_offer(self, offer_id: str, change: DraftChange, publisher_id: str | None = None) -> UpdateResult:
        """Read a draft, change it and store it, without overwriting a concurrent change.

        :param offer_id: the offer ID.
        :param change: changes the document in place, or returns a new one; may be called several times.
        :param publisher_id: the publisher ID; the connection's if None.
        """
        return self.run(self.api.update(UpdateParams(self.offer_ref(offer_id, publisher_id), change)))

    def get_offer_status(self, offer_id: str, publisher_id: str | None = None) -> StatusReport:
        """Return an offer's status with its steps and messages."""
        return self._send(endpoints.get_offer_status(self.offer_ref(offer_id, publisher_id)))

    async def aget_offer_status(self, offer_id: str, publisher_id: str | None = None) -> StatusReport:
        """Return an offer's status without blocking the event loop."""
        publisher = publisher_id or (await self.aget_settings()).publisher_id
        offer = OfferRef(self._publisher(publisher), offer_id)
        return await self.arun(send_with_retry(endpoints.get_offer_status(offer)))

    def list_operations(self, offer_id: str, publisher_id: str | None = None) -> list[OperationSummary]:
        """List an offer's operations, newest first."""
        operations = self._send(endpoints.list_operations(self.offer_ref(offer_id, publisher_id)))
        return newest_first(operations)

    def get_operation(self, operation: Operation | Mapping[str, Any]) -> StatusReport:
        """Return an operation's status.

        :param operation: the operation that :meth:`publish_offer` or a task returned.
        """
        return self._send(endpoints.get_operation(self.parse_operation(operation)))

    def publish_offer(
        self,
        offer_id: str,
        publisher_id: str | None = None,
        notification_emails: str | Sequence[str] = (),
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Publish an offer's draft once, and return its operation.

        Do not retry this method, because it does not detect earlier submits. To retry, use the operator. After a conflict while no
        operation is in progress, this method waits for ``settle_time`` and submits once more.

        :param offer_id: the offer ID.
        :param publisher_id: the publisher ID; the connection's if None.
        :param notification_emails: addresses to notify; the API ignores them for offers moved to Partner Center.
        :param settle_time: seconds to poll for a new operation if the response was lost, or after a conflict; 900 by default.
        :raises OperationInProgressError: if another operation is in progress; this call started none.
        :raises SubmitOutcomeUnknownError: if the response was lost and no new operation appeared within the settle time.

        `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
        """
        offer, emails = self.offer_ref(offer_id, publisher_id), split_emails(notification_emails)
        return self.run(self.api.publish(PublishParams(offer, emails, TryContext(settle_time))))

    def go_live(
        self, offer_id: str, publisher_id: str | None = None, settle_time: float = DEFAULT_SETTLE_TIME
    ) -> Operation:
        """Sign off the offer that awaits sign-off, and return the go-live operation.

        :param offer_id: the offer ID.
        :param publisher_id: the publisher ID; the connection's if None.
        :param settle_time: seconds to wait for the effect of a go-live whose response was lost; 900 by default.
        :raises PreviewNotReadyError: if the offer does not await sign-off.
        :raises SubmitOutcomeUnknownError: if the offer still awaits sign-off after the go-live was submitted.

        `Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
        """
        return self.run(self.api.go_live(GoLiveParams(self.offer_ref(offer_id, publisher_id), TryContext(settle_time))))

    def cancel(
        self,
        offer_id: str,
        publisher_id: str | None = None,
        operation: Operation | Mapping[str, Any] | None = None,
        timeout: float = 900.0,
    ) -> Operation | None:
        """Cancel the operation in progress and wait until it ends; return None if there is none.

        :param operation: the operation to cancel; None for any operation in progress.
        :param timeout: seconds to wait for the operation to end; 900 by default.
        :raises OperationInProgressError: if a different operation is in progress; the cancel is not submitted.
        :raises CancelFailedError: if the operation ended before it was canceled, or is still in progress after the timeout.

        `Cancel operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
        """
        target = self.parse_operation(operation) if operation is not None else None
        offer = self.offer_ref(offer_id, publisher_id)
        return self.run(self.api.cancel(CancelParams(offer, TryContext(0.0), target, timeout=timeout)))
