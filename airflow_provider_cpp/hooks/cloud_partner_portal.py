# SPDX-License-Identifier: Apache-2.0
"""The hook of the Cloud Partner Portal's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import OfferSummary, PublisherSummary
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.models import OfferDocument, StatusReport
from airflow_provider_cpp.core.operations import Operation, OperationSummary, newest_first
from airflow_provider_cpp.core.params import CancelParams, GoLiveParams, PublishParams, UpdateParams, UpdateResult
from airflow_provider_cpp.defaults import DraftChange
from airflow_provider_cpp.get_provider_info import CLOUD_PARTNER_PORTAL, HOOK_NAME
from airflow_provider_cpp.hooks.base import DEFAULT_SETTLE_TIME, MarketplaceHook, split_emails


class CloudPartnerPortalHook(MarketplaceHook):
    """Calls the Cloud Partner Portal API with the credentials of an Airflow connection.

    Its methods raise the errors of :mod:`airflow_provider_cpp.exceptions`, which carry the HTTP status, the
    portal's code and words, and its request id. Reads are asked again a few times where that may help; an order
    never is.

    :param conn_id: the connection, of type ``cloud_partner_portal``.
    """

    default_conn_name = "cloud_partner_portal_default"
    conn_type = CLOUD_PARTNER_PORTAL
    hook_name = HOOK_NAME
    api = CLOUD_PARTNER_PORTAL_API
    needs_publisher = True

    def list_offers(self, publisher_id: str | None = None) -> tuple[OfferSummary, ...]:
        """List a publisher's offers with their statuses."""
        with self.get_conn() as session:
            publisher = self._publisher(publisher_id or session.settings.publisher_id)
            return session.run(effects.send_with_retry(endpoints.list_offers(publisher)))

    def list_publishers(self) -> tuple[PublisherSummary, ...]:
        """List the publishers that the application may act for."""
        return self.run(effects.send_with_retry(endpoints.list_publishers()))

    def get_offer(
        self, offer_id: str, publisher_id: str | None = None, *, version: int | None = None, slot: str | None = None
    ) -> dict[str, Any]:
        """Return an offer: the raw document, with every key that the portal sent.

        :param offer_id: the offer.
        :param publisher_id: its publisher; the connection's if None.
        :param version: one of its versions; the draft if None.
        :param slot: ``Draft``, ``Preview`` or ``Production``: what stands there; a 404 if nothing ever stood there.

        `Retrieve a specific offer
        <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-specific-offer>`_
        """
        return self.read_offer(offer_id, publisher_id, version=version, slot=slot).content

    def read_offer(
        self, offer_id: str, publisher_id: str | None = None, *, version: int | None = None, slot: str | None = None
    ) -> OfferDocument:
        """Return an offer as :meth:`get_offer` does, together with the ETag that :meth:`put_offer` wants."""
        return self.run(
            effects.send_with_retry(endpoints.get_offer(self.offer_ref(offer_id, publisher_id), version, slot))
        )

    def put_offer(
        self, offer_id: str, content: dict[str, Any], publisher_id: str | None = None, *, if_match: str | None = None
    ) -> OfferDocument:
        """Store an offer's draft, whole: a key that is missing from the document is lost.

        :param offer_id: the offer.
        :param content: the document.
        :param publisher_id: its publisher; the connection's if None.
        :param if_match: the ETag of the draft that this one replaces, ``*`` for whichever is there, None to create
            an offer that is not there yet.
        :raises PreconditionFailedError: if the draft has another ETag by now.
        :raises ConflictError: if the offer exists, and ``if_match`` is None.

        `Create or modify an offer
        <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
        """
        return self.run(
            effects.send_with_retry(endpoints.put_offer(self.offer_ref(offer_id, publisher_id), content, if_match))
        )

    def update_offer(self, offer_id: str, change: DraftChange, publisher_id: str | None = None) -> UpdateResult:
        """Read a draft, change it and store it as one step; somebody else's change in between is kept.

        :param change: gets the document, and changes it in place or returns another one; may be called several times.
        """
        return self.run(self.api.update(UpdateParams(self.offer_ref(offer_id, publisher_id), change)))

    def get_offer_status(self, offer_id: str, publisher_id: str | None = None) -> StatusReport:
        """Return where an offer stands, with its steps and messages."""
        return self.run(effects.send_with_retry(endpoints.get_offer_status(self.offer_ref(offer_id, publisher_id))))

    async def aget_offer_status(self, offer_id: str, publisher_id: str | None = None) -> StatusReport:
        """Return where an offer stands, on the event loop."""
        publisher = publisher_id or (await self.aget_settings()).publisher_id
        return await self.arun(
            effects.send_with_retry(endpoints.get_offer_status(self._offer_ref(offer_id, publisher)))
        )

    def list_operations(self, offer_id: str, publisher_id: str | None = None) -> list[OperationSummary]:
        """List an offer's operations, the newest first."""
        submissions = self.run(
            effects.send_with_retry(endpoints.list_operations(self.offer_ref(offer_id, publisher_id)))
        )
        return newest_first(submissions)

    def get_operation(self, operation: Operation | Mapping[str, Any]) -> StatusReport:
        """Return where an operation stands.

        :param operation: what :meth:`publish_offer`, or a task, returned.
        """
        return self.run(effects.send_with_retry(endpoints.get_operation(self.parse_operation(operation))))

    def publish_offer(
        self,
        offer_id: str,
        publisher_id: str | None = None,
        notification_emails: str | Sequence[str] = (),
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Order the publication of an offer's draft, once, and return the operation that this began.

        A call knows nothing of those before it: the operator, which does, is what retries are for.

        :param offer_id: the offer.
        :param publisher_id: its publisher; the connection's if None.
        :param notification_emails: who is told by mail; the portal ignores it for offers moved to Partner Center.
        :param settle_time: seconds for which a new operation is looked for if the portal's answer was lost.
        :raises OperationInProgressError: if the offer has an operation that runs; nothing was ordered.
        :raises SubmitOutcomeUnknownError: if the answer was lost and no new operation showed within the settle time.

        `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
        """
        offer, emails = self.offer_ref(offer_id, publisher_id), split_emails(notification_emails)
        return self.run(self.api.publish(PublishParams(offer, emails, TryContext(settle_time))))

    def go_live(
        self, offer_id: str, publisher_id: str | None = None, settle_time: float = DEFAULT_SETTLE_TIME
    ) -> Operation:
        """Sign off what is parked, and return the operation by which it goes live.

        :param settle_time: seconds after which an offer that is still parked was not signed off.
        :raises PreviewNotReadyError: if nothing is parked.
        :raises SubmitOutcomeUnknownError: if it stays parked though it was ordered.

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
        """Cancel what runs, and wait until it has ended; None if nothing runs that was meant.

        :param operation: the one that is meant; None for whichever runs.
        :param timeout: seconds after which it should have ended.
        :raises OperationInProgressError: if another one runs than was meant; nothing was ordered.
        :raises CancelFailedError: if it ended otherwise, or still runs.

        `Cancel operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
        """
        meant = self.parse_operation(operation) if operation is not None else None
        offer = self.offer_ref(offer_id, publisher_id)
        return self.run(self.api.cancel(CancelParams(offer, TryContext(0.0), meant, timeout=timeout)))
