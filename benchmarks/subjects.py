# SPDX-License-Identifier: Apache-2.0
"""The subjects of the measurements: the limit, this package, and the steps between them."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

FIRST = 1_000_000
"""The number of the first piece of work to wait for."""

TOKEN = "a" * 1200
MAX_CONNECTIONS = 100
"""Concurrent connections of the bare loop: aiohttp's default."""


@dataclass(frozen=True, slots=True)
class PollTarget:
    """Where the stub is, and how often to poll it.

    :param scheme: ``http`` or ``https``, for polls; tokens are always requested over TLS.
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
        """Host and port of the token endpoint."""
        return f"127.0.0.1:{self.ports['https']}"


class Subject:
    """A subject of the measurements: something that waits.

    :cvar name: its name in results.
    :cvar label: its name in tables.
    :cvar schemes: the schemes that it supports.
    :cvar in_triggerer: whether it runs as a trigger, as in a triggerer.
    :cvar rate: polls in a second of all triggers together: about half of the possible rate.
    :cvar polls_stub: whether it sends requests to the stub.
    :cvar authenticates: whether it requests a token with a client secret.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]] = ("http", "https")
    in_triggerer: ClassVar[bool] = True
    rate: ClassVar[float] = 2000.0
    polls_stub: ClassVar[bool] = True
    authenticates: ClassVar[bool] = False

    def __init__(self, target: PollTarget) -> None:
        self.target = target

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return its Airflow connections by their ids."""
        return {}

    def prepare(self) -> None:
        """Import its modules."""

    def trigger(self, number: int) -> Any:
        """Return the trigger that waits for a piece of work."""
        raise NotImplementedError

    async def wait(self, number: int) -> None:
        """Wait without a triggerer."""
        raise NotImplementedError


def path(number: int) -> str:
    """Return the path of an operation, for this package and for the limit."""
    operation = f"0565d10f-9182-42b9-a734-{number:012d}"
    return f"/api/publishers/contoso/offers/offer-{number}/operations/{operation}?api-version=2017-10-31"


class Sleep(Subject):
    """A task that only sleeps, without Airflow: the cost of asyncio itself."""

    name = "sleep"
    label = "a task that only sleeps"
    in_triggerer = False
    polls_stub = False

    async def wait(self, number: int) -> None:
        """Sleep."""
        del number
        await _sleep()


class Idle(Subject):
    """A trigger that only sleeps: the cost of the triggerer itself."""

    name = "idle"
    label = "a trigger that only sleeps"
    polls_stub = False

    def trigger(self, number: int) -> Any:
        """Return a trigger that sleeps."""
        del number
        return _trigger_class()(_sleep())


class BareLoop(Subject):
    """The limit: one aiohttp session and a loop that polls, decodes and sleeps, in a process without Airflow."""

    name = "limit"
    label = "bare aiohttp loop"
    in_triggerer = False
    _session: Any = None

    async def wait(self, number: int) -> None:
        """Poll until the end."""
        if self._session is None:
            self._session = self._open()
        url = self.target.origin + path(number)
        while await self._poll(url) == "running":  # noqa: ASYNC110 - the subject of the measurement
            await asyncio.sleep(self.target.interval)

    async def _poll(self, url: str) -> str:
        # A separate function, so that no response is held while the loop sleeps.
        async with self._session.get(url) as response:
            return str(json.loads(await response.read())["status"])

    @staticmethod
    def _open() -> Any:
        import aiohttp

        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS), headers=headers)


class BareTrigger(BareLoop):
    """The same loop as a trigger: as close to the limit as anything in a triggerer can be."""

    name = "bare-trigger"
    label = "the same loop as a trigger"
    in_triggerer = True

    def trigger(self, number: int) -> Any:
        """Return a trigger that runs the loop."""
        return _trigger_class()(self.wait(number))


class Ours(Subject):
    """The trigger of this package, as its operators and its sensor create it."""

    name = "ours"
    label = "airflow-provider-cpp"
    authenticates = True

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with a client secret."""
        extra = {"tenant_id": "contoso", "publisher_id": "contoso", "authority": f"https://{self.target.authority}"}
        fields = {"host": f"https://{self.target.address}", "login": "client", "password": "s" * 40}
        return {"emulator": {"conn_type": "cloud_partner_portal", **fields, "extra": json.dumps(extra)}}

    def prepare(self) -> None:
        """Import the trigger."""
        if self.target.scheme == "http":
            self._allow_http()
        from airflow_provider_cpp.triggers import offer_status

        self._trigger = offer_status.OfferStatusTrigger

    def trigger(self, number: int) -> Any:
        """Return the trigger that waits until an operation is live."""
        from airflow_provider_cpp.core.models import OfferRef
        from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation
        from airflow_provider_cpp.core.poll_state import PollState
        from airflow_provider_cpp.core.wait_spec import WaitSpec

        offer, now = OfferRef("contoso", f"offer-{number}"), datetime.now(timezone.utc)
        location = path(number)
        identifier = location.partition("?")[0].rpartition("/")[2]
        operation = Operation(offer, "publish", now, identifier, location)
        deadline = now + timedelta(days=14)
        spec = WaitSpec(
            offer,
            "live",
            deadline,
            operation,
            poll_interval=self.target.interval,
            responded=True,
            api=CLOUD_PARTNER_PORTAL,
        )
        state = PollState(responded=True, step_since=now)
        stored = json.dumps([spec.to_payload(), state.to_payload()])
        return self._trigger("emulator", *json.loads(stored))

    @staticmethod
    def _allow_http() -> None:
        """Replace https by http in the settings, because a connection accepts only https."""
        from airflow_provider_cpp.transport.settings import Settings

        original = Settings.from_fields

        def plain(*args: Any, **fields: Any) -> Settings:
            settings = original(*args, **fields)
            return replace(settings, base_url=settings.base_url.replace("https://", "http://", 1))

        Settings.from_fields = plain  # type: ignore[method-assign]  # on purpose, see above


async def _sleep() -> None:
    await asyncio.Event().wait()


@functools.cache
def _trigger_class() -> Any:
    from airflow.triggers.base import BaseTrigger, TriggerEvent

    class Waits(BaseTrigger):
        """Run a coroutine and never fire."""

        def __init__(self, work: Coroutine[Any, Any, None]) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
            self.work = work

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "waits", {}

        async def run(self) -> AsyncIterator[TriggerEvent]:
            await self.work
            yield TriggerEvent(None)  # type: ignore[no-untyped-call]  # Airflow leaves it untyped

    return Waits
