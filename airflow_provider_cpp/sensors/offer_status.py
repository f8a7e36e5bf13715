# SPDX-License-Identifier: Apache-2.0
"""The sensor: waits for an offer's preview, or until it is live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, conf

from airflow_provider_cpp.defaults import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_FAILURE_TOLERANCE,
    DEFAULT_TIMEOUT,
    PublicationTarget,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.core.poll_state import PollState


class OfferStatusSensor(BaseSensorOperator):
    """Waits until a publication is parked at the publisher's sign-off, or until its offer is live.

    ``failed`` and ``canceled`` end the task without a retry, and say which step and which messages. Everything
    else is waited through; a step that is blocked is told as a warning as soon as it is seen.

    With ``operation`` it is that very publication that is waited for. **Without it the offer's overall status
    decides, at once, and that may be the last publication's**: a sensor that starts right after a publish can
    find the ``succeeded`` of the month before.

    :param operation: what a publish or go-live task returned, ``publish.output``. Templated.
    :param offer_id: the offer; the operation's if None. Templated.
    :param publisher_id: its publisher; the operation's, or else the connection's, if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :param until: ``preview``, parked at the sign-off or beyond, or ``live``; if None, ``preview`` for a publish
        operation and ``live`` otherwise. Templated.
    :param fail_on_blocked: whether a blocked step fails the task; by default it is a warning.
    :param deferrable: whether the wait is the triggerer's; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two looks of a deferred wait; if None, it paces itself by the step that it
        sees.
    :param poll_failure_tolerance: for how long the portal may fail to answer; seconds or a timedelta, 6 hours by
        default.
    :param mode: as Airflow's; ``reschedule`` by default. In that mode each look is a process of its own: before
        Airflow 3.3 it remembers nothing of the one before, so credentials that are refused fail the task at
        once and any other failed look is a warning.
    :param poke_interval: seconds between two looks of a wait that is not deferred; 300 by default.
    :param timeout: after how long the wait gives up; seconds or a timedelta, 14 days by default.
    :param soft_fail: skip instead of fail, for failed, canceled and timed out only.
    :raises AirflowFailException: if the publication failed, was canceled, or is blocked and that shall fail it;
        or for an error that waiting does not help.
    :raises AirflowSensorTimeout: if time ran out.
    :raises AirflowException: for an error that may pass, once it was tolerated for long enough.

    `Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation", "until")
    ui_color = "#d9ead3"
    poll_state: PollState | None = None  # what the looks of this process saw, once there were any

    def __init__(  # noqa: PLR0913 - a sensor's arguments are its user interface, all by name
        self,
        *,
        operation: Any = None,
        offer_id: str | None = None,
        publisher_id: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        until: PublicationTarget | None = None,
        fail_on_blocked: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        poll_failure_tolerance: float | timedelta = DEFAULT_POLL_FAILURE_TOLERANCE,
        mode: str = "reschedule",
        poke_interval: float | timedelta = 300.0,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(mode=mode, poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.operation = operation
        self.offer_id = offer_id
        self.publisher_id = publisher_id
        self.conn_id = conn_id
        self.until = until
        self.fail_on_blocked = fail_on_blocked
        default = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = default if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.poll_failure_tolerance = poll_failure_tolerance
        self.operation_is_given = operation is not None

    def execute(self, context: Context) -> Any:
        """Look; if the wait goes on, defer it, sleep or reschedule, as asked."""
        from airflow_provider_cpp.tasks import polling

        return polling.execute(self, context, super().execute)

    def poke(self, context: Context) -> bool:
        """Look once.

        :returns: whether what is waited for is there.
        """
        from airflow_provider_cpp.tasks import polling

        return polling.poke(self, context)

    def execute_complete(self, context: Context, event: Any = None) -> None:  # noqa: ARG002 - Airflow passes it
        """Go on after the deferred wait.

        :param event: what the trigger ended with.
        """
        from airflow_provider_cpp.tasks import polling

        polling.finish_wait(self, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume, keeping Airflow from skipping for errors that ``soft_fail`` is not meant for."""
        from airflow_provider_cpp.tasks import polling

        resuming = partial(super().resume_execution, next_method, next_kwargs, context)
        return polling.resume(self, context, next_method, next_kwargs, resuming)
