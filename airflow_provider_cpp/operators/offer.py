# SPDX-License-Identifier: Apache-2.0
"""Operators that publish an offer, let it go live, and cancel."""

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
    """Publishes an offer's draft with all plans, and returns the operation that this starts.

    It publishes at most once in a run of the task, which lasts from its first schedule, or a clear, to the next clear. A
    retry continues with the operation of the previous try, in progress or ended. A cleared task continues with it only
    while it is in progress, and otherwise publishes again. After a lost response, the task polls the offer's operations.
    From Airflow 3.3 on, each try saves a checkpoint for the next one. Before, a later try continues with the only
    publish in progress; if anything else changed since the DAG run began, it fails and asks for a manual check. Killing,
    clearing or timing out the task cancels nothing.

    :param offer_id: the offer. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type selects the API. Templated.
    :param notification_emails: the addresses to notify, as a list or comma-separated; ignored for offers that moved to
        Partner Center, and by the Product Ingestion API. Templated.
    :param product_resources: with a connection of type ``product_ingestion``, the resources to configure and publish
        without the rest of the draft, as raw JSON; None for the whole draft. Templated.
    :param wait_for_completion: whether to wait until the preview is ready, instead of leaving that to a sensor.
    :param deferrable: whether to wait in the triggerer; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two polls; if None, the age of the current step decides.
    :param timeout: how long to wait; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long all polls may fail; seconds or a timedelta, 6 hours by default.
    :param if_running: what to do while somebody else's operation of the offer is in progress: ``fail`` at once, without
        a retry, or ``wait`` for it and then publish. The task never adopts it: it may publish another draft.
    :param settle_time: seconds after which a submission whose response was lost, and that does not show, was not
        accepted; 900 by default. A publish that somebody else starts within this time is treated as this task's.
    :returns: the operation as JSON: ``api``, ``publisher_id``, ``offer_id``, ``operation_id``, ``location``,
        ``kind``, ``submitted_at``. It is pushed as XCom before any wait begins.
    :raises AirflowFailException: if another operation is in progress, the API rejects the publish, the publication fails
        or is canceled, or you must check whether the publish was accepted.
    :raises AirflowException: if the API could not be reached, or another try may find out whether the publish was
        accepted.

    `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "notification_emails", "product_resources")
    template_fields_renderers = {"product_resources": "json"}  # noqa: RUF012 - as in Airflow
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
    """Signs off a preview, so that the offer goes live, and returns the operation that this starts.

    It submits the go-live only while the offer is awaiting sign-off; a first try fails otherwise. After a lost response,
    and on a retry, an offer that is still awaiting sign-off after the settle time is signed off again. The offer's own
    state ensures that it goes live at most once.

    :param offer_id: the offer; the operation's if None. Templated.
    :param operation: the publish operation whose preview to sign off, ``publish.output``: another publication is not
        signed off. None for whichever is awaiting sign-off. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type selects the API. Templated.
    :param wait_for_completion: whether to wait until the offer is live, instead of leaving that to a sensor.
    :param deferrable: as of :class:`PublishOfferOperator`, like the arguments that follow.
    :param poll_interval: seconds between two polls; if None, the age of the current step decides.
    :param timeout: how long to wait; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long all polls may fail; seconds or a timedelta, 6 hours by default.
    :param settle_time: seconds after which an offer that is still awaiting sign-off was not signed off; 900 by default.
    :returns: the operation as JSON, as of :class:`PublishOfferOperator`, of kind ``golive``.
    :raises AirflowFailException: if nothing is awaiting sign-off, or another publication is; if the API rejects the
        go-live; or if the publication fails or is canceled.
    :raises AirflowException: if the API could not be reached, or the offer is still awaiting sign-off after the go-live.

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
    """Cancels an offer's operation in progress, and waits until it has ended. Nothing else in this package cancels.

    The API accepts a cancel whether or not an operation is in progress, and takes some minutes; so the task polls before
    and after. If there is no operation in progress to cancel, it submits nothing and returns None.

    :param offer_id: the offer; the operation's if None. Templated.
    :param operation: the operation to cancel, ``publish.output``: while another one is in progress, the task fails and
        cancels nothing. None for whichever is in progress. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type selects the API. Templated.
    :param notification_emails: the addresses to notify, as a list or comma-separated. Templated.
    :param poll_interval: seconds between two polls while it ends; 15 by default.
    :param timeout: how long to wait for its end; seconds or a timedelta, 15 minutes by default.
    :returns: the operation as JSON, as of :class:`PublishOfferOperator`, of kind ``cancel``; None if there was nothing
        to cancel.
    :raises AirflowFailException: if another operation is in progress, the API rejects the cancel, or the operation ended
        otherwise.
    :raises AirflowException: if the API could not be reached, or the operation is still in progress after ``timeout``.

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
        """Cancel, and wait until the operation has ended."""
        from airflow_provider_cpp.tasks import submit

        return submit.cancel(self, context)
