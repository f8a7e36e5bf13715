# SPDX-License-Identifier: Apache-2.0
"""Operators for an offer's life: publish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    XCOM_RETURN_KEY,
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseOperator,
    conf,
)

from airflow_provider_cpp.completion import airflow_errors, finish, resume
from airflow_provider_cpp.hooks.cloud_partner_portal import DEFAULT_SETTLE_TIME, CloudPartnerPortalHook
from airflow_provider_cpp.portal.operations import Operation
from airflow_provider_cpp.portal.verdict import default_until
from airflow_provider_cpp.portal.watching import Watch, wait
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

DEFAULT_TIMEOUT = timedelta(days=14)
DEFAULT_TOLERANCE = timedelta(hours=6)
SLACK = timedelta(hours=1)
"""The trigger keeps the deadline itself; Airflow's own is for a deployment whose triggerer never comes."""


class PublishOfferOperator(BaseOperator):
    """Publishes an offer's draft, all plans of it, and returns the operation that this began.

    The order is sent once: while another operation of the offer runs it is not sent at all, and after an answer
    that was lost it is not sent again, but looked for in the offer's operations. A later try of the task, after a
    retry or a clear, sends it only if no publish operation of the offer changed since the DAG run began: otherwise it
    stops and asks for a person. Killing, clearing or timing out the task cancels nothing at the portal.

    :param offer_id: the offer. Templated.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection, of type ``cloud_partner_portal``. Templated.
    :param notification_emails: who is told by mail, as a list or with commas between; the portal ignores it for
        offers moved to Partner Center. Templated.
    :param wait_for_completion: whether to wait until the preview is ready, instead of leaving that to a sensor.
    :param deferrable: whether that wait is the triggerer's; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two looks of that wait.
    :param timeout: after how long that wait gives up; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long the portal may fail to answer that wait; seconds or a timedelta,
        6 hours by default.
    :param settle_time: seconds for which a new operation is looked for if the answer to the order was lost.
    :returns: the operation as JSON: ``api``, ``publisher_id``, ``offer_id``, ``operation_id``, ``location``,
        ``kind``, ``submitted_at``. It is pushed as XCom before any wait begins.
    :raises AirflowFailException: if another operation runs, the portal refuses, the publication fails or is
        canceled, or it cannot be known whether the order was taken, by this try or an earlier one.
    :raises AirflowException: if the portal could not be reached before the order was sent.

    `Publish an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-publish-offer>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "notification_emails")
    ui_color = "#cfe3f5"

    def __init__(  # noqa: PLR0913 - an operator's arguments are its user interface, all by name
        self,
        *,
        offer_id: str,
        publisher_id: str | None = None,
        conn_id: str = CloudPartnerPortalHook.default_conn_name,
        notification_emails: str | Sequence[str] = (),
        wait_for_completion: bool = False,
        deferrable: bool | None = None,
        poll_interval: float = 300.0,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        poll_failure_tolerance: float | timedelta = DEFAULT_TOLERANCE,
        settle_time: float = DEFAULT_SETTLE_TIME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.offer_id = offer_id
        self.publisher_id = publisher_id
        self.conn_id = conn_id
        self.notification_emails = notification_emails
        self.wait_for_completion = wait_for_completion
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.poll_failure_tolerance = poll_failure_tolerance
        self.settle_time = settle_time

    def execute(self, context: Context) -> dict[str, str | None]:
        """Publish, and wait if asked to."""
        hook = CloudPartnerPortalHook(self.conn_id)
        with airflow_errors():
            offer_id, publisher_id, emails = self.offer_id, self.publisher_id, self.notification_emails
            since = _run_began(context) if getattr(context["ti"], "try_number", 1) > 1 else None
            operation = hook.publish_offer(offer_id, publisher_id, emails or (), self.settle_time, since)
            self._operation = operation
            self.log.info("offer %s: the portal took the publish, operation %s", operation.offer, _name(operation))
            value = operation.to_json()
            if self.wait_for_completion:
                if self.do_xcom_push:
                    context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=value)
                self._wait(hook, operation)
        return value

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str | None] | None:  # noqa: ARG002 - Airflow passes it
        """Go on after the deferred wait.

        :param event: what the trigger ended with.
        """
        with _no_more_tries():
            return resume(event).operation

    def on_kill(self) -> None:
        """Say what a killed task leaves behind; it is not canceled, since a signal does not know a person."""
        operation: Operation | None = getattr(self, "_operation", None)
        if operation is not None:
            self.log.warning("offer %s: operation %s goes on at the portal", operation.offer, _name(operation))

    def _wait(self, hook: CloudPartnerPortalHook, operation: Operation) -> None:
        deadline = datetime.now(timezone.utc) + as_timedelta(self.timeout)
        watch = Watch(
            offer=operation.offer,
            until=default_until(operation),
            deadline=deadline,
            operation=operation,
            poll_interval=self.poll_interval,
            poll_failure_tolerance=as_timedelta(self.poll_failure_tolerance).total_seconds(),
            answered=True,
        )
        if self.deferrable:
            trigger = OfferStatusTrigger(self.conn_id, watch.to_payload())
            self.defer(trigger=trigger, method_name="execute_complete", timeout=as_timedelta(self.timeout) + SLACK)
        with _no_more_tries():
            finish(hook.run(wait(watch)))


def default_deferrable() -> bool:
    """Return what Airflow's configuration says of operators that leave it open."""
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def as_timedelta(value: float | timedelta) -> timedelta:
    """Return a span of time that may be given in seconds."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


@contextmanager
def _no_more_tries() -> Iterator[None]:
    """Make every bad end of the wait final: the publish is done, and another try of the task would order another."""
    try:
        yield
    except (AirflowFailException, AirflowSensorTimeout, AirflowSkipException):
        raise
    except AirflowException as error:
        raise AirflowFailException(str(error)) from error


def _run_began(context: Context) -> datetime:
    """Return when the DAG run began: what an earlier try ordered, it ordered since then."""
    return context["dag_run"].start_date or datetime(1970, 1, 1, tzinfo=timezone.utc)


def _name(operation: Operation) -> str:
    return operation.operation_id or operation.location or "without a name"
