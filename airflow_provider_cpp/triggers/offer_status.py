# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for an offer's status. It never submits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cpp.core.outcome import WaitOutcome
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import MarketplaceError
from airflow_provider_cpp.hooks.lookup import make_hook


class OfferStatusTrigger(BaseTrigger):
    """Wait for a publication, and fire one event with the outcome.

    If a triggerer restarts, or takes over the trigger from another one, it starts the wait again from these arguments. All of
    them are plain JSON, and the deadline is an absolute time.

    :param conn_id: the connection ID.
    :param wait_spec: the result of ``WaitSpec.to_payload()``.
    :param poll_state: the result of ``PollState.to_payload()``, so that the trigger
        does not log again what the task has logged.
    """

    def __init__(self, conn_id: str, wait_spec: dict[str, Any], poll_state: dict[str, Any] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.conn_id = conn_id
        self.wait_spec = wait_spec
        self.poll_state = poll_state

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments from which a triggerer recreates this trigger."""
        arguments = {"conn_id": self.conn_id, "wait_spec": self.wait_spec, "poll_state": self.poll_state}
        return f"{__name__}.{type(self).__name__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event. Errors of this package become outcomes, so that their text reaches the task."""
        try:
            spec, state = WaitSpec.from_payload(self.wait_spec), PollState.from_payload(self.poll_state)
            # Rebuild both, so that all triggers share the dictionary keys: parsed JSON has its own, 1.5 KiB for each trigger.
            self.wait_spec, self.poll_state = spec.to_payload(), state.to_payload()
            # The first poll reads the connection, because a failed poll does not end the wait.
            hook = make_hook(self.conn_id, spec.api)
            outcome = await hook.arun(wait(hook.api, spec, state))
        except MarketplaceError as error:
            outcome = WaitOutcome.from_error(error, _offer_name(self.wait_spec))
        yield TriggerEvent(outcome.to_payload())  # type: ignore[no-untyped-call]  # Airflow leaves it untyped


def _offer_name(wait_spec: object) -> str:
    """Return the offer's name from a wait spec that may be invalid."""
    offer = wait_spec.get("offer") if isinstance(wait_spec, dict) else None
    offer = offer if isinstance(offer, dict) else {}
    names = (offer.get("publisher_id"), offer.get("offer_id"))
    return "/".join(str(name) for name in names if name is not None) or "an offer"
