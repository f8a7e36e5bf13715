# SPDX-License-Identifier: Apache-2.0
"""Operators for an offer's life: update, publish, go live, cancel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_cpp.operators.base import OfferOperator, SubmitOperator
from airflow_provider_cpp.operators.draft import MaskedField

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


IfRunning = Literal["fail", "wait"]
IF_RUNNING: tuple[IfRunning, ...] = get_args(IfRunning)


class PublishOfferOperator(SubmitOperator):
    """Publishes an offer's draft, all plans of it, and returns the operation that this began.

    At most once in a run of the task, which goes from its first schedule, or a clear, to the next clear. A retry goes
    on with the operation of the try before it, whether that runs or has ended; a cleared task does so only while that
    operation runs, and publishes anew otherwise. An answer that was lost is looked for in the offer's operations.
    From Airflow 3.3 on, tries leave notes for each other; before, a later try goes on with the one publish that runs,
    and stops for a person where something changed since the DAG run began. Killing, clearing or timing out the task
    cancels nothing at the portal.

    :param offer_id: the offer. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :param notification_emails: who is told by mail, as a list or with commas between; the portal ignores it for
        offers moved to Partner Center, and its successor has no mails. Templated.
    :param product_resources: with a connection of type ``product_ingestion``, the resources to configure and publish alone, raw;
        None for all of the draft, as the portal does. Templated.
    :param wait_for_completion: whether to wait until the preview is ready, instead of leaving that to a sensor.
    :param deferrable: whether waits are the triggerer's; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two looks of a wait; if None, it paces itself by the step that it sees.
    :param timeout: after how long a wait gives up; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long the portal may fail to answer a wait; seconds or a timedelta,
        6 hours by default.
    :param if_running: what to do while somebody else's operation of the offer runs: ``fail``, which names it and is
        final, or ``wait`` for it and then publish. It is never taken for this task's: it may hold another draft.
    :param settle_time: seconds after which an order whose answer was lost, and that shows nowhere, was not taken; 900
        by default. A publish that somebody else starts within it cannot be told from this task's.
    :returns: the operation as JSON: ``api``, ``publisher_id``, ``offer_id``, ``operation_id``, ``location``,
        ``kind``, ``submitted_at``. It is pushed as XCom before any wait begins.
    :raises AirflowFailException: if another operation runs, the portal refuses, the publication fails or is
        canceled, or a person has to look whether the order was taken.
    :raises AirflowException: if the portal could not be reached, or another try may find what became of the order.

    `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "notification_emails", "product_resources")
    template_fields_renderers = {"product_resources": "json"}  # noqa: RUF012 - as Airflow has it
    product_resources = MaskedField()

    def __init__(
        self,
        *,
        offer_id: str,
        notification_emails: str | Sequence[str] = (),
        product_resources: Sequence[Mapping[str, Any]] | None = None,
        if_running: IfRunning = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(offer_id=offer_id, **kwargs)
        if if_running not in IF_RUNNING:
            msg = f"if_running is {if_running!r}, not one of {', '.join(IF_RUNNING)}"
            raise ValueError(msg)
        self.notification_emails = notification_emails
        self.product_resources = product_resources
        self.if_running = if_running

    def execute(self, context: Context) -> dict[str, str | None]:
        """Publish, at most once per task run, and wait if asked to."""
        from airflow_provider_cpp.tasks import submit

        return submit.publish(self, context)


class GoLiveOfferOperator(SubmitOperator):
    """Signs off a preview, so that the offer goes live, and returns the operation that this began.

    It is ordered only while the offer is parked at its publisher's sign-off; a first try that finds nothing parked
    fails. After an answer that was lost, and on a retry, an offer that is still parked when the settle time has passed
    is signed off again, and one that is not is watched: the offer's own state is enough for going live at most once.

    :param offer_id: the offer; the operation's if None. Templated.
    :param operation: the publish operation whose preview is meant, ``publish.output``: another publication that is
        parked instead is not signed off. None for whichever is parked. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :param wait_for_completion: whether to wait until the offer is live, instead of leaving that to a sensor.
    :param deferrable: as of :class:`PublishOfferOperator`, and all that follow.
    :param poll_interval: seconds between two looks of a wait; if None, it paces itself by the step that it sees.
    :param timeout: after how long a wait gives up; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long the portal may fail to answer a wait; seconds or a timedelta,
        6 hours by default.
    :param settle_time: seconds after which an offer that is still parked was not signed off; 900 by default.
    :returns: the operation as JSON, as of :class:`PublishOfferOperator`, of kind ``golive``.
    :raises AirflowFailException: if nothing is parked, or another publication than was meant; if the portal refuses; or
        the publication fails or is canceled.
    :raises AirflowException: if the portal could not be reached, or the offer stays parked though it was ordered.

    `Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation")
    ui_color = "#cdebc5"

    def __init__(self, *, offer_id: str | None = None, operation: Any = None, **kwargs: Any) -> None:
        super().__init__(offer_id=offer_id or "", **kwargs)
        self.operation = operation
        self.operation_is_given = operation is not None

    def execute(self, context: Context) -> dict[str, str | None]:
        """Go live, at most once per task run, and wait if asked to."""
        from airflow_provider_cpp.tasks import submit

        return submit.go_live(self, context)


class CancelOfferOperator(OfferOperator):
    """Cancels the operation of an offer that runs, and waits until it has ended. Nothing else here ever cancels.

    The portal answers yes whether or not anything ran, and takes some minutes; so the task looks before, and waits
    after. Where nothing runs that it is to cancel, it orders nothing and returns None.

    :param offer_id: the offer; the operation's if None. Templated.
    :param operation: the operation that is meant, ``publish.output``: while another one runs the task fails, and
        cancels nothing. None for whichever runs. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :param notification_emails: who is told by mail, as a list or with commas between. Templated.
    :param poll_interval: seconds between two looks while it ends; 15 by default.
    :param timeout: after how long it should have ended; seconds or a timedelta, 15 minutes by default.
    :returns: the operation as JSON, as of :class:`PublishOfferOperator`, of kind ``cancel``; None if nothing ran.
    :raises AirflowFailException: if another operation runs than was meant, the portal refuses, or it ended otherwise.
    :raises AirflowException: if the portal could not be reached, or it still runs when the time is over.

    `Cancel operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-cancel-operations>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation", "notification_emails")
    ui_color = "#f5d5cf"

    def __init__(
        self,
        *,
        offer_id: str | None = None,
        operation: Any = None,
        notification_emails: str | Sequence[str] = (),
        poll_interval: float = 15.0,
        timeout: float | timedelta = timedelta(minutes=15),
        **kwargs: Any,
    ) -> None:
        super().__init__(offer_id=offer_id or "", **kwargs)
        self.operation = operation
        self.notification_emails = notification_emails
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.operation_is_given = operation is not None

    def execute(self, context: Context) -> dict[str, str | None] | None:
        """Cancel, and wait until nothing runs."""
        from airflow_provider_cpp.tasks import submit

        return submit.cancel(self, context)
