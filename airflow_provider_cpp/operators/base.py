# SPDX-License-Identifier: Apache-2.0
"""The base classes of the operators. They only take arguments; :mod:`airflow_provider_cpp.tasks` implements them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_cpp.defaults import (
    DEFAULT_CONN_ID,
    DEFAULT_POLL_FAILURE_TOLERANCE,
    DEFAULT_SETTLE_TIME,
    DEFAULT_TIMEOUT,
)
from airflow_provider_cpp.links import MarketplaceLink, PartnerCenterLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.core.operations import Operation


class OfferOperator(BaseOperator):
    """The base class of operators for one offer. Each operator describes the arguments."""

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id")
    operator_extra_links = (MarketplaceLink(), PartnerCenterLink())
    ui_color = "#cfe3f5"

    def __init__(
        self,
        *,
        offer_id: str,
        publisher_id: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.offer_id = offer_id
        self.publisher_id = publisher_id
        self.conn_id = conn_id
        self.link_facts: dict[str, Any] = {}


class SubmitOperator(OfferOperator):
    """The base class of the publish and go-live operators, which submit an operation and optionally wait."""

    if_running = "fail"
    submitted: Operation | None = None  # set by this process

    def __init__(  # noqa: PLR0913 - an operator's arguments are its user interface, all by name
        self,
        *,
        wait_for_completion: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        poll_failure_tolerance: float | timedelta = DEFAULT_POLL_FAILURE_TOLERANCE,
        settle_time: float = DEFAULT_SETTLE_TIME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if deferrable is None:
            deferrable = bool(conf.getboolean("operators", "default_deferrable", fallback=False))
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.poll_failure_tolerance = poll_failure_tolerance
        self.settle_time = settle_time

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str | None]:
        """Continue after a deferred wait with the trigger's event."""
        from airflow_provider_cpp.tasks import submit

        return submit.finish_wait(self, context, event) or self.execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume the task; if Airflow ended the wait, fail with the reason."""
        from airflow_provider_cpp.tasks import submit

        submit.raise_if_timed_out(self, context, next_method, next_kwargs)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Log that the operation continues: a signal does not prove that somebody wants to cancel it."""
        if self.submitted is not None:
            self.log.warning(
                "offer %s: operation %s continues; to cancel it, use CancelOfferOperator or Partner Center",
                self.submitted.offer,
                self.submitted.display_id,
            )
