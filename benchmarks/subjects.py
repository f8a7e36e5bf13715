# SPDX-License-Identifier: Apache-2.0
"""What is measured: the limit, ourselves, and what stands between the two."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

FIRST = 1_000_000
"""The number of the first piece of work that is waited for."""

TOKEN = "a" * 1200
AT_ONCE = 100
"""Connections at a time of the bare loop, as many as aiohttp's sessions have where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stub is, and how often to ask it.

    :param scheme: ``http`` or ``https``: how the state is asked for; tokens always come over TLS.
    :param ports: the stub's ports by scheme.
    :param interval: seconds between two polls of one trigger.
    """

    scheme: str
    ports: dict[str, int]
    interval: float

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.ports[self.scheme]}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{self.address}"

    @property
    def authority(self) -> str:
        """Host and port of what gives out tokens."""
        return f"127.0.0.1:{self.ports['https']}"


class Subject:
    """Something that waits; a subclass for each.

    :cvar name: what results call it.
    :cvar label: what tables call it.
    :cvar schemes: how it can ask.
    :cvar in_triggerer: whether it runs in the triggerer's conditions, as a trigger.
    :cvar rate: polls in a second that all triggers together are made to want: about half of what they can.
    :cvar asks: whether it asks the stub for anything.
    :cvar signs_in: whether it asks for a token of its own, with a client secret.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]] = ("http", "https")
    in_triggerer: ClassVar[bool] = True
    rate: ClassVar[float] = 2000.0
    asks: ClassVar[bool] = True
    signs_in: ClassVar[bool] = False

    def __init__(self, place: Place) -> None:
        self.place = place

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return its Airflow connections, for whoever asks for them by their names."""
        return {}

    def prepare(self) -> None:
        """Import what it is made of."""

    def trigger(self, number: int) -> Any:
        """Make the trigger that waits for this piece of work."""
        raise NotImplementedError

    async def wait(self, number: int) -> None:
        """Wait without a triggerer."""
        raise NotImplementedError


def path(number: int) -> str:
    """Return where the state of an operation is asked for: ours, and the limit's."""
    operation = f"0565d10f-9182-42b9-a734-{number:012d}"
    return f"/api/publishers/contoso/offers/offer-{number}/operations/{operation}?api-version=2017-10-31"


class Sleep(Subject):
    """A task that waits for nothing, without Airflow: what asyncio itself costs."""

    name = "sleep"
    label = "a task that only sleeps"
    in_triggerer = False
    asks = False

    async def wait(self, number: int) -> None:
        """Sleep."""
        del number
        await _sleep()


class Idle(Subject):
    """A trigger that waits for nothing: what the triggerer itself costs."""

    name = "idle"
    label = "a trigger that only sleeps"
    asks = False

    def trigger(self, number: int) -> Any:
        """Make a trigger that sleeps."""
        del number
        return _trigger_class()(_sleep())


class BareLoop(Subject):
    """One aiohttp session, one loop that asks, decodes and sleeps; no Airflow in the process: the limit."""

    name = "limit"
    label = "bare aiohttp loop"
    in_triggerer = False
    _session: Any = None

    async def wait(self, number: int) -> None:
        """Ask until the end."""
        if self._session is None:
            self._session = self._open()
        url = self.place.origin + path(number)
        while await self._ask(url) == "running":  # noqa: ASYNC110 - this is what is measured
            await asyncio.sleep(self.place.interval)

    async def _ask(self, url: str) -> str:
        # A function of its own, so that no answer is held while the loop sleeps.
        async with self._session.get(url) as response:
            return str(json.loads(await response.read())["status"])

    @staticmethod
    def _open() -> Any:
        import aiohttp

        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), headers=headers)


class BareTrigger(BareLoop):
    """The same loop as a trigger: as near to the limit as anything in a triggerer can come."""

    name = "bare-trigger"
    label = "the same loop as a trigger"
    in_triggerer = True

    def trigger(self, number: int) -> Any:
        """Make a trigger of the loop."""
        return _trigger_class()(self.wait(number))


class Ours(Subject):
    """The trigger of this package, as its operators and its sensor make it."""

    name = "ours"
    label = "airflow-provider-cpp"
    signs_in = True

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with a client secret."""
        extra = {"tenant_id": "contoso", "publisher_id": "contoso", "authority": f"https://{self.place.authority}"}
        fields = {"host": f"https://{self.place.address}", "login": "client", "password": "s" * 40}
        return {"portal": {"conn_type": "cloud_partner_portal", **fields, "extra": json.dumps(extra)}}

    def prepare(self) -> None:
        """Import the trigger."""
        if self.place.scheme == "http":
            self._allow_plain()
        from airflow_provider_cpp.triggers import offer_status

        self._trigger = offer_status.OfferStatusTrigger

    def trigger(self, number: int) -> Any:
        """Make the trigger that waits for an operation to go live."""
        from airflow_provider_cpp.core.models import OfferRef
        from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation
        from airflow_provider_cpp.core.poll_state import PollState
        from airflow_provider_cpp.core.wait_spec import WaitSpec

        offer, now = OfferRef("contoso", f"offer-{number}"), datetime.now(timezone.utc)
        where = path(number)
        identifier = where.partition("?")[0].rpartition("/")[2]
        operation = Operation(offer, "publish", now, identifier, where)
        deadline = now + timedelta(days=14)
        watch = WaitSpec(
            offer,
            "live",
            deadline,
            operation,
            poll_interval=self.place.interval,
            answered=True,
            api=CLOUD_PARTNER_PORTAL,
        )
        memory = PollState(answered=True, step_since=now)
        stored = json.dumps([watch.to_payload(), memory.to_payload()])
        return self._trigger("portal", *json.loads(stored))

    @staticmethod
    def _allow_plain() -> None:
        """Put a plain address into the settings behind the connection's back, which takes https and nothing else."""
        from airflow_provider_cpp.transport.settings import Settings

        read = Settings.from_fields

        def plain(*words: Any, **fields: Any) -> Settings:
            settings = read(*words, **fields)
            return replace(settings, base_url=settings.base_url.replace("https://", "http://", 1))

        Settings.from_fields = plain  # type: ignore[method-assign]  # on purpose, as said above


async def _sleep() -> None:
    await asyncio.Event().wait()


@functools.cache
def _trigger_class() -> Any:
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    class Waits(BaseTrigger):
        """Runs a coroutine and never fires."""

        def __init__(self, work: Coroutine[Any, Any, None]) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
            self.work = work

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "waits", {}

        async def run(self) -> AsyncIterator[TriggerEvent]:
            await self.work
            yield TriggerEvent(None)  # type: ignore[no-untyped-call]  # Airflow leaves it untyped

    return Waits
