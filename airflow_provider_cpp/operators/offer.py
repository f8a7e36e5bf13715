# SPDX-License-Identifier: Apache-2.0
"""Operators that publish an offer, go live, and cancel."""

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
    """Publish an offer's draft with all plans, and return the publish operation.

    The operator publishes at most once in a run of the task, which starts when the task is scheduled or cleared, and ends at
    the next clear. A retry continues with the operation of an earlier try, even if it has ended. A cleared task continues with
    the operation only while it is in progress; otherwise, it publishes again. After a lost response, the task polls the
    offer's operations. In Airflow 3.3 and later, each try saves a checkpoint for the next one. In earlier versions, a retry
    continues with the only publish in progress; if anything else changed after the DAG run began, the task fails and asks for
    a manual check. Killing, clearing or timing out the task does not cancel the publication.

    :param offer_id: the offer ID. Templated.
    :param publisher_id: the publisher ID; the connection's if None. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :param notification_emails: the addresses to notify, as a list or comma-separated; ignored for offers that moved to
        Partner Center, and by the Product Ingestion API. Templated.
    :param product_resources: for a connection of type ``product_ingestion``, the resources to configure and publish without
        the rest of the draft, as raw JSON; None for the whole draft. Templated.
    :param wait_for_completion: whether to wait until the preview is ready; False by default, so that a sensor can wait.
    :param deferrable: whether to wait in the triggerer; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two polls; the connection's if None, or else it grows with the age of the current
        step.
    :param timeout: how long to wait; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long all polls may fail; seconds or a timedelta, 6 hours by default.
    :param if_running: what to do if another operation of the offer is in progress: ``fail`` without a retry, the default, or
        ``wait`` until it ends and then publish. The task never continues with that operation, which may publish another draft.
    :param settle_time: seconds after which a publish was not accepted if its response was lost and no operation shows it; 900
        by default. A publish that another client starts within this time is treated as this task's.
    :returns: the operation as JSON: ``api``, ``publisher_id``, ``offer_id``, ``operation_id``, ``location``,
        ``kind``, ``submitted_at``. The task pushes it to XCom before it waits.
    :raises AirflowFailException: if another operation is in progress, the API rejects the publish, the publication fails
        or is canceled, or you must check whether the publish was accepted.
    :raises AirflowException: if the API cannot be reached, or if a retry may find out whether the publish was accepted.

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
        """Publish at most once in a run of the task, and optionally wait."""
        from airflow_provider_cpp.tasks import submit

        return submit.publish(self, context)


class GoLiveOfferOperator(SubmitOperator):
    """Sign off a preview, so that the offer goes live, and return the go-live operation.

    The task submits the go-live only while the offer awaits sign-off. If ``operation`` is past its sign-off, because a person was
    faster, the task succeeds and submits nothing; otherwise, a first try fails. After a lost response and on a retry, the task signs off again if the offer still awaits sign-off after the settle time. The offer goes live at most
    once, because after a sign-off it no longer awaits one.

    :param offer_id: the offer ID; the operation's if None. Templated.
    :param operation: the publish operation whose preview to sign off, for example ``publish.output``; the task signs off no
        other publication. None for any. Templated.
    :param publisher_id: the publisher ID; the connection's if None. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :param wait_for_completion: whether to wait until the offer is live; False by default, so that a sensor can wait.
    :param deferrable: whether to wait in the triggerer; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two polls; the connection's if None, or else it grows with the age of the current
        step.
    :param timeout: how long to wait; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long all polls may fail; seconds or a timedelta, 6 hours by default.
    :param settle_time: seconds after which a go-live was not accepted if the offer still awaits sign-off; 900 by default.
    :returns: the operation as JSON, of kind ``golive``; see :class:`PublishOfferOperator`.
    :raises AirflowFailException: if the offer does not await sign-off and ``operation`` is not past it, or another publication
        awaits it; if the API rejects the
        go-live; or if the publication fails or is canceled.
    :raises AirflowException: if the API cannot be reached, or the offer still awaits sign-off after the go-live.

    `Go live <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-go-live>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation")
    ui_color = "#cdebc5"

    def __init__(self, *, offer_id: str | None = None, operation: Any = None, **kwargs: Any) -> None:
        super().__init__(offer_id=offer_id or "", **kwargs)
        self.operation = operation
        self.operation_is_given = operation is not None

    def execute(self, context: Context) -> dict[str, str | None]:
        """Go live at most once in a run of the task, and optionally wait."""
        from airflow_provider_cpp.tasks import submit

        return submit.go_live(self, context)


class CancelOfferOperator(OfferOperator):
    """Cancel an offer's operation in progress, and wait until it ends. No other part of this package cancels operations.

    The API accepts a cancel even if no operation is in progress, and a cancel takes some minutes, so the task polls before
    and after it. If there is no operation in progress to cancel, the task submits nothing and returns None. If ``operation`` is
    None when the task runs, because the publish task returned none, the task is skipped.

    :param offer_id: the offer ID; the operation's if None. Templated.
    :param operation: the operation to cancel, for example ``publish.output``. If another operation is in progress, the task
        fails and cancels nothing. None for any operation in progress. Templated.
    :param publisher_id: the publisher ID; the connection's if None. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :param notification_emails: the addresses to notify, as a list or comma-separated. Templated.
    :param poll_interval: seconds between two polls until the operation ends; the connection's if None, or else 15.
    :param timeout: how long to wait until the operation ends; seconds or a timedelta, 15 minutes by default.
    :returns: the operation as JSON, of kind ``cancel``, see :class:`PublishOfferOperator`; None if there was nothing
        to cancel.
    :raises AirflowSkipException: if the publish task returned no operation.
    :raises AirflowFailException: if another operation is in progress, the API rejects the cancel, or the operation ended
        before it was canceled.
    :raises AirflowException: if the API cannot be reached, or the operation is still in progress after ``timeout``.

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
        poll_interval: float | None = None,
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
        """Cancel the operation, and wait until it ends."""
        from airflow_provider_cpp.tasks import submit

        return submit.cancel(self, context)
