# SPDX-License-Identifier: Apache-2.0
"""The sensor that waits until an offer's preview is ready, or until the offer is live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
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
    """Wait until a publication awaits sign-off, or until its offer is live.

    ``failed`` and ``canceled`` fail the task without a retry; the error has the step and its messages. For any other status,
    the wait continues. A blocked step is logged as a warning at the next poll.

    With ``operation``, the sensor waits for that publication. **Without it, the sensor uses the offer's overall status, which
    may be that of the previous publication**: a sensor that starts right after a publish can read the ``succeeded`` of last
    month.

    :param operation: the result of a publish or go-live task, for example ``publish.output``. Templated.
    :param offer_id: the offer ID; the operation's if None. Templated.
    :param publisher_id: the publisher ID; if None, the operation's or else the connection's. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :param until: ``preview``, which means awaiting sign-off or past it, or ``live``; if None, ``preview`` for a publish
        operation and ``live`` otherwise. Templated.
    :param fail_on_blocked: whether a blocked step fails the task; False by default, which logs a warning.
    :param deferrable: whether to wait in the triggerer; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two polls of a deferred wait; the connection's if None, or else it grows with the
        age of the current step.
    :param poll_failure_tolerance: for how long all polls may fail; seconds or a timedelta, 6 hours by default.
    :param mode: Airflow's sensor mode; ``reschedule`` by default. In that mode, each poll runs in its own process. Before
        Airflow 3.3, a poll has no data of earlier polls: rejected credentials fail the task at once, and any other
        failed poll logs a warning.
    :param poke_interval: seconds between two polls of a wait that is not deferred; 300 by default.
    :param timeout: how long to wait; seconds or a timedelta, 14 days by default.
    :param soft_fail: whether to skip the task instead of failing it if the publication failed, was canceled or timed out.
    :raises AirflowFailException: if the publication failed or was canceled, if it is blocked with ``fail_on_blocked``, or
        for a permanent error.
    :raises AirflowSensorTimeout: if the wait timed out.
    :raises AirflowException: for a temporary error, after ``poll_failure_tolerance``.

    `Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation", "until")
    ui_color = "#d9ead3"
    poll_state: PollState | None = None  # set by polls in this process

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
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.poll_failure_tolerance = poll_failure_tolerance
        self.operation_is_given = operation is not None

    def execute(self, context: Context) -> Any:
        """Poll once; if the wait continues, defer, sleep or reschedule."""
        from airflow_provider_cpp.tasks import polling

        return polling.execute(self, context, super().execute)

    def poke(self, context: Context) -> bool:
        """Poll once, and return whether the target is reached."""
        from airflow_provider_cpp.tasks import polling

        return polling.poll(self, context) is None

    def execute_complete(self, context: Context, event: Any = None) -> None:  # noqa: ARG002 - Airflow passes it
        """End the deferred wait with the trigger's event."""
        from airflow_provider_cpp.tasks import polling

        polling.finish_wait(self, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume the task; ``soft_fail`` skips only if the publication failed, was canceled or timed out."""
        from airflow_provider_cpp.tasks import polling

        return polling.resume(self, context, next_method, next_kwargs, super().resume_execution)
