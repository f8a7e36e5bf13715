# SPDX-License-Identifier: Apache-2.0
"""The hook: from an Airflow connection to the portal, blocking for tasks and asynchronous for triggers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.portal import calls, flows
from airflow_provider_cpp.portal.attempt import Attempt
from airflow_provider_cpp.portal.canceling import Cancel, cancel
from airflow_provider_cpp.portal.errors import ConfigurationError
from airflow_provider_cpp.portal.going_live import GoLive, go_live
from airflow_provider_cpp.portal.models import OfferDocument, OfferRef, OfferSummary, PublisherSummary, Report
from airflow_provider_cpp.portal.operations import Operation, Submission, newest_first
from airflow_provider_cpp.portal.ordering import Publish
from airflow_provider_cpp.portal.publishing import publish
from airflow_provider_cpp.portal.updating import Change, Update, Updated, update
from airflow_provider_cpp.provider_info import CONNECTION_FIELDS, CONNECTION_TYPE, FIELD_BEHAVIOUR, HOOK_NAME

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_cpp.transport.settings import Settings
    from airflow_provider_cpp.transport.sync import SyncSession

T = TypeVar("T")

DEFAULT_SETTLE_TIME = 900.0
Keeper = Callable[[dict[str, Any] | None], None]


class CloudPartnerPortalHook(BaseHook):
    """Calls the Cloud Partner Portal API with the credentials of an Airflow connection.

    Its methods raise the errors of :mod:`airflow_provider_cpp.portal.errors`, which carry the HTTP status, the
    portal's code and words, and its request id. Reads are asked again a few times where that may help; an order
    never is.

    :param conn_id: the connection, of type ``cloud_partner_portal``.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "cloud_partner_portal_default"
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields for Airflow before 3.2, which does not read them from the provider info."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(field["label"], description=field["description"], widget=BS3TextFieldWidget())
            for name, field in CONNECTION_FIELDS.items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the standard fields for Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in FIELD_BEHAVIOUR.items()}

    def get_conn(self, keep: Keeper | None = None) -> SyncSession:
        """Return an open session, to be closed or used with ``with``.

        :param keep: keeps the notes of flows; without it they are dropped.
        """
        from airflow_provider_cpp.transport.sync import SyncSession

        return SyncSession(self.get_settings(), self.log, keep=keep, reread=self.get_settings)

    def get_settings(self) -> Settings:
        """Read the connection.

        :raises ConfigurationError: if there is none, or naming all that it lacks.
        """
        try:
            connection = self.get_connection(self.conn_id)
        except AirflowNotFoundException as error:
            raise ConfigurationError((str(error),), self._name) from error
        return self._settings(connection, connection.extra_dejson)

    async def aget_settings(self) -> Settings:
        """Read the connection without blocking the event loop.

        :raises ConfigurationError: as :meth:`get_settings`.
        """
        from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

        try:
            connection = await get_async_connection(self.conn_id, hook=type(self))
        except AirflowNotFoundException as error:
            raise ConfigurationError((str(error),), self._name) from error
        return self._settings(connection, await get_async_extra_dejson(connection))

    def run(self, flow: flows.Flow[T], keep: Keeper | None = None) -> T:
        """Run a flow of :mod:`airflow_provider_cpp.portal` to its end, blocking.

        :param keep: keeps the flow's notes; without it they are dropped.
        """
        with self.get_conn(keep) as session:
            return session.run(flow)

    async def arun(self, flow: flows.Flow[T]) -> T:
        """Run a flow of :mod:`airflow_provider_cpp.portal` to its end on the event loop."""
        from airflow_provider_cpp.transport.aio import AsyncSession

        async with AsyncSession(self.aget_settings, self.log) as session:
            return await session.run(flow)

    def offer(self, offer_id: str, publisher_id: str | None = None) -> OfferRef:
        """Name an offer, its publisher taken from the connection where none is given.

        :raises ConfigurationError: if neither names a publisher, or an id could not stand in a path.
        """
        return self._offer(offer_id, publisher_id or self.get_settings().publisher_id)

    def list_offers(self, publisher_id: str | None = None) -> tuple[OfferSummary, ...]:
        """List a publisher's offers with their statuses."""
        with self.get_conn() as session:
            publisher = self._publisher(publisher_id or session.settings.publisher_id)
            return session.run(flows.fetch(calls.list_offers(publisher)))

    def list_publishers(self) -> tuple[PublisherSummary, ...]:
        """List the publishers that the application may act for."""
        return self.run(flows.fetch(calls.list_publishers()))

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
        return self.run(flows.fetch(calls.get_offer(self.offer(offer_id, publisher_id), version, slot)))

    def put_offer(
        self, offer_id: str, content: dict[str, Any], publisher_id: str | None = None, *, if_match: str | None = None
    ) -> OfferDocument:
        """Store an offer's draft, whole: a key that is missing from the document is lost.

        :param offer_id: the offer.
        :param content: the document.
        :param publisher_id: its publisher; the connection's if None.
        :param if_match: the ETag of the draft that this one replaces, ``*`` for whichever is there, None to create
            an offer that is not there yet.
        :raises PreconditionFailed: if the draft has another ETag by now.
        :raises Conflict: if the offer exists, and ``if_match`` is None.

        `Create or modify an offer
        <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
        """
        return self.run(flows.fetch(calls.put_offer(self.offer(offer_id, publisher_id), content, if_match)))

    def update_offer(self, offer_id: str, change: Change, publisher_id: str | None = None) -> Updated:
        """Read a draft, change it and store it as one step; somebody else's change in between is kept.

        :param change: gets the document, and changes it in place or returns another one; may be called several times.
        """
        return self.run(update(Update(self.offer(offer_id, publisher_id), change)))

    def get_offer_status(self, offer_id: str, publisher_id: str | None = None) -> Report:
        """Return where an offer stands, with its steps and messages."""
        return self.run(flows.fetch(calls.get_offer_status(self.offer(offer_id, publisher_id))))

    async def aget_offer_status(self, offer_id: str, publisher_id: str | None = None) -> Report:
        """Return where an offer stands, on the event loop."""
        publisher = publisher_id or (await self.aget_settings()).publisher_id
        return await self.arun(flows.fetch(calls.get_offer_status(self._offer(offer_id, publisher))))

    def list_operations(self, offer_id: str, publisher_id: str | None = None) -> list[Submission]:
        """List an offer's operations, the newest first."""
        submissions = self.run(flows.fetch(calls.list_submissions(self.offer(offer_id, publisher_id))))
        return newest_first(submissions)

    def get_operation(self, operation: Operation | Mapping[str, Any]) -> Report:
        """Return where an operation stands.

        :param operation: what :meth:`publish_offer`, or a task, returned.
        """
        which = operation if isinstance(operation, Operation) else Operation.from_json(operation)
        return self.run(flows.fetch(calls.get_operation(which)))

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
        :raises OperationRunning: if the offer has an operation that runs; nothing was ordered.
        :raises OutcomeUnknown: if the answer was lost and no new operation showed within the settle time.

        `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
        """
        offer, emails = self.offer(offer_id, publisher_id), split_emails(notification_emails)
        return self.run(publish(Publish(offer, emails, Attempt(settle_time))))

    def go_live(
        self, offer_id: str, publisher_id: str | None = None, settle_time: float = DEFAULT_SETTLE_TIME
    ) -> Operation:
        """Sign off what is parked, and return the operation by which it goes live.

        :param settle_time: seconds after which an offer that is still parked was not signed off.
        :raises NotParked: if nothing is parked.
        :raises OutcomeUnknown: if it stays parked though it was ordered.

        `Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
        """
        return self.run(go_live(GoLive(self.offer(offer_id, publisher_id), Attempt(settle_time))))

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
        :raises OperationRunning: if another one runs than was meant; nothing was ordered.
        :raises NotCanceled: if it ended otherwise, or still runs.

        `Cancel operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
        """
        meant = Operation.from_json(operation) if isinstance(operation, Mapping) else operation
        offer = self.offer(offer_id, publisher_id)
        return self.run(cancel(Cancel(offer, Attempt(0.0), meant, timeout=timeout)))

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and ask once for the publisher's offers, or where none is named for publishers; Airflow's Test button.

        :return: whether that worked, and in words what was found, or what is wrong and what to do.
        """
        from airflow_provider_cpp.hooks import trial

        return trial.run(self.get_settings, self.log)

    @property
    def _name(self) -> str:
        return f"connection {self.conn_id!r}"

    def _settings(self, connection: Connection, extra: Mapping[str, Any]) -> Settings:
        from airflow_provider_cpp.transport.settings import Settings

        return Settings.from_fields(
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=extra,
            where=self._name,
        )

    def _offer(self, offer_id: str, publisher_id: str | None) -> OfferRef:
        return OfferRef(self._publisher(publisher_id), offer_id)

    def _publisher(self, publisher_id: str | None) -> str:
        if not publisher_id:
            problem = "no publisher is named: give publisher_id to the task, or put it into the connection's extra"
            raise ConfigurationError((problem,), self._name)
        return publisher_id


def split_emails(addresses: str | Sequence[str]) -> tuple[str, ...]:
    """Read addresses given as a list, or as one text with commas between them."""
    parts = addresses.split(",") if isinstance(addresses, str) else addresses
    return tuple(part.strip() for part in parts if part.strip())
