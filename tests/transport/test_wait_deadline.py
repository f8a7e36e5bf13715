# SPDX-License-Identifier: Apache-2.0
"""A flow's deadline in a triggerer: the flow ends even if nothing responds, and shared resources stay usable."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from partner_center_emulator import Emulator

from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_offer_status
from airflow_provider_cpp.core.effects import Flow, ReloadConnection, SetDeadline, Sleep, send
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import AuthenticationError, ConnectionNotFoundError, TransportError
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport import loop_registry
from airflow_provider_cpp.transport.auth.token_response import TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.session_pool import MAX_CONNECTIONS, PooledSession
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

REF = OfferRef("contoso", "contoso-vm")
LONG = 40.0
"""Seconds that a request without a deadline takes, and no test here does."""


@pytest.fixture
def emulator(serve: Callable[..., Emulator]) -> Emulator:
    """Serve one offer."""
    made = serve()
    made.add_offer(REF.offer_id)
    return made


def poll(seconds: float | None = None) -> Flow[Any]:
    """Read the offer's status once, with an optional deadline."""
    if seconds is not None:
        yield SetDeadline(datetime.now(timezone.utc) + timedelta(seconds=seconds))
    return (yield from send(get_offer_status(REF)))


def run(flow: Flow[Any]) -> Awaitable[Any]:
    return CloudPartnerPortalHook().arun(flow)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


async def wait_until_closed(emulator: Emulator) -> None:
    """Wait until all connections are closed: no loop should end before they are."""
    await until(lambda: emulator.connections_open == 0)


def assert_nothing_is_shared() -> None:
    """Check that no event loop has a session or a shared connection."""
    for shared in loop_registry._registries.values():
        assert shared.pool._sessions == {}
        assert shared._connections == {}


def test_waits_time_out_while_their_sign_in_hangs(emulator: Emulator) -> None:
    """Ten waits time out soon after their deadline while their shared sign-in gets no response, and the loop can close."""
    gate = emulator.gate("token")
    deadline = datetime.now(timezone.utc) + timedelta(seconds=1)
    wait_spec = WaitSpec(REF, "live", deadline, poll_interval=0.5, responded=True, api=CloudPartnerPortalHook.conn_type)

    async def one() -> Any:
        async with aclosing(OfferStatusTrigger("cloud_partner_portal_default", wait_spec.to_payload()).run()) as events:
            return (await anext(events)).payload

    async def main() -> list[Any]:
        events = await asyncio.gather(*(one() for _ in range(10)))
        gate.open()  # asyncio waits for its threads
        await wait_until_closed(emulator)
        return events

    began = time.monotonic()
    events = asyncio.run(main())
    took = time.monotonic() - began
    assert {event["result"] for event in events} == {"timed_out"}
    assert took < LONG
    assert emulator.counts["token"] <= 1
    assert_nothing_is_shared()


@pytest.mark.parametrize("route", ["token", "status"])
def test_a_poll_ends_with_the_deadline_and_the_next_one_sends_nothing(emulator: Emulator, route: str) -> None:
    """A poll without a response, of the API or the sign-in, fails at the deadline; a poll after the deadline fails at once."""
    gate = emulator.gate(route)

    def flow() -> Flow[list[TransportError]]:
        failures = []
        with pytest.raises(TransportError) as failure:
            yield from poll(0.5)
        failures.append(failure.value)
        with pytest.raises(TransportError) as failure:
            yield from poll(0.0)
        return [*failures, failure.value]

    async def main() -> Any:
        try:
            return await run(flow())
        finally:
            gate.open()
            await wait_until_closed(emulator)

    first, second = asyncio.run(main())
    assert first.text == "no response within 0.5 seconds"
    assert first.sent is True
    assert second.text == "the deadline has passed"
    assert second.sent is False
    assert emulator.counts["status"] <= 1
    assert_nothing_is_shared()


def test_a_deadline_does_not_cancel_the_shared_sign_in(emulator: Emulator) -> None:
    """A flow whose deadline passes while it signs in for others cancels neither the sign-in nor the other flows."""
    gate = emulator.gate("token")

    async def main() -> Any:
        first = asyncio.ensure_future(run(poll(0.5)))
        others = [asyncio.ensure_future(run(poll())) for _ in range(9)]
        await asyncio.wait([first])
        gate.open()
        reports = await asyncio.gather(*others)
        await wait_until_closed(emulator)
        return first.exception(), reports

    failure, reports = asyncio.run(main())
    assert type(failure) is TransportError
    assert {report.raw_status for report in reports} == {"neverPublished"}
    assert emulator.counts["token"] == 1
    assert_nothing_is_shared()


def test_a_deadline_in_the_queue_frees_its_place(emulator: Emulator) -> None:
    """A flow whose deadline passes before a connection is free fails, and other flows can use all connections afterwards."""
    CloudPartnerPortalHook().get_offer_status(REF.offer_id)
    gate = emulator.gate("status")

    async def main() -> Any:
        busy = [asyncio.ensure_future(run(poll())) for _ in range(MAX_CONNECTIONS)]
        await until(lambda: emulator.connections_open >= MAX_CONNECTIONS)
        late = await asyncio.gather(*(run(poll(0.5)) for _ in range(5)), return_exceptions=True)
        gate.open()
        await asyncio.gather(*busy)
        reports = await asyncio.gather(*(run(poll()) for _ in range(2 * MAX_CONNECTIONS)))
        await wait_until_closed(emulator)
        return late, reports

    late, reports = asyncio.run(main())
    assert {type(one) for one in late} == {TransportError}
    assert len(reports) == 2 * MAX_CONNECTIONS
    assert_nothing_is_shared()


def test_reading_the_connection_ends_with_the_deadline(emulator: Emulator) -> None:
    """An Airflow connection that cannot be read before the deadline is an error of its own."""

    class Slow(CloudPartnerPortalHook):
        async def aget_settings(self) -> Any:
            await asyncio.sleep(LONG)

    def flow() -> Flow[None]:
        yield SetDeadline(datetime.now(timezone.utc) + timedelta(seconds=0.3))
        with pytest.raises(
            ConnectionNotFoundError, match=r"_default' cannot be used: no response within 0[.]\d+ seconds"
        ):
            yield ReloadConnection()
        yield Sleep(0)
        with pytest.raises(TransportError, match="the deadline has passed"):
            yield from poll()

    asyncio.run(Slow().arun(flow()))
    assert emulator.requests == []
    assert_nothing_is_shared()


def test_a_sign_in_is_not_awaited_forever() -> None:
    """Waiting for a sign-in ends without a deadline too, and takes one thread, however often it is repeated."""
    settings = Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1", request_timeout=0.05)
    released, threads = threading.Event(), []

    def acquire(*_: Any, **__: Any) -> TokenGrant:
        threads.append(threading.get_ident())
        released.wait(LONG)
        return TokenGrant("token", 3600.0)

    async def main() -> str:
        session = PooledSession(settings, ssl.create_default_context())
        session.token_source = TokenSource(replace(settings), acquire=acquire)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match=r"no response within 0.2 seconds") as caught:
                await session.token(None)
            assert caught.value.retryable
        released.set()
        token = await session.token(None)
        await session.client.close()
        return token.value

    assert asyncio.run(main()) == "token"
    assert len(threads) == 1
