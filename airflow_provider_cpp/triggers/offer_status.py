# SPDX-License-Identifier: Apache-2.0
"""The trigger: one drive of the wait in the triggerer, one event. It orders nothing, ever."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_cpp.core.outcome import Outcome
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import PortalError
from airflow_provider_cpp.hooks.lookup import make_hook

_KEYS = [*Memory().to_payload()]
"""The keys of a memory, as this release writes one."""


class OfferStatusTrigger(BaseTrigger):
    """Waits for a publication and fires once, with how the wait ended.

    A triggerer that restarts, or takes it over from another one, begins it again from its arguments: all of
    them are plain JSON, the deadline is an absolute time, and looking twice does no harm.

    :param conn_id: the connection.
    :param watch: what to wait for: :meth:`airflow_provider_cpp.core.wait.Watch.to_payload`.
    :param memory: what the task told before it deferred, so that it is not told again:
        :meth:`airflow_provider_cpp.core.poll_state.Memory.to_payload`.
    """

    def __init__(self, conn_id: str, watch: dict[str, Any], memory: dict[str, Any] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.conn_id = conn_id
        self.watch = watch
        # Hardly ever asked for again, and smaller as text, without the keys that all have.
        kept = [*memory.values()] if isinstance(memory, dict) and [*memory] == _KEYS else memory
        self._memory = json.dumps(kept, separators=(",", ":"))

    @property
    def watch(self) -> dict[str, Any]:
        """What to wait for, as it was given."""
        return self._watch.to_payload() if isinstance(self._watch, Watch) else self._watch

    @watch.setter
    def watch(self, payload: dict[str, Any]) -> None:
        self._watch = _read(payload)

    @property
    def memory(self) -> dict[str, Any] | None:
        """What the task told before it deferred, as it was given."""
        kept: list[Any] | dict[str, Any] | None = json.loads(self._memory)
        return dict(zip(_KEYS, kept, strict=False)) if isinstance(kept, list) else kept

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what a triggerer needs to make this trigger again."""
        values = {"conn_id": self.conn_id, "watch": self.watch, "memory": self.memory}
        return f"{__name__}.{type(self).__name__}", values

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; errors of this package's own tree are outcomes, so that their text reaches the task."""
        try:
            outcome = await self._begin()
        except PortalError as error:
            outcome = Outcome.of_error(error, _name(self.watch))
        yield TriggerEvent(outcome.to_payload())  # type: ignore[no-untyped-call]  # Airflow leaves it untyped

    def _begin(self) -> Coroutine[Any, Any, Outcome]:
        """Return the wait, to be awaited for days, without what is needed to begin it only.

        The connection is not read here: only the polls of the wait may fail for a while.
        """
        watch = self._watch if isinstance(self._watch, Watch) else Watch.from_payload(self._watch)
        hook = make_hook(self.conn_id, watch.named_api())
        return hook.arun(wait(hook.api, watch, Memory.from_payload(self.memory)))


def _read(payload: dict[str, Any]) -> Watch | dict[str, Any]:
    """Read a watch, which takes a quarter of the room, and is what the wait holds anyway.

    :returns: what was given, if it cannot be read, which is said when the wait begins, or would be written differently.
    """
    try:
        watch = Watch.from_payload(payload)
    except PortalError:
        return payload
    return watch if watch.to_payload() == payload else payload


def _name(watch: object) -> str:
    """Name the offer as well as a watch that cannot be read allows."""
    offer = watch.get("offer") if isinstance(watch, dict) else None
    offer = offer if isinstance(offer, dict) else {}
    names = (offer.get("publisher_id"), offer.get("offer_id"))
    return "/".join(str(name) for name in names if name is not None) or "an offer"
