# SPDX-License-Identifier: Apache-2.0
"""A flow's deadline in a triggerer: whatever does not respond, the flow ends, and what others share goes on."""

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
from airflow_provider_cpp.transport.auth.acquire import TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.session_pool import MAX_CONNECTIONS, PooledSession
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

REF = OfferRef("contoso", "contoso-vm")
LONG = 40.0
"""Seconds that no test here takes, and a request without a deadline does."""


@pytest.fixture
def portal(serve: Callable[..., Emulator]) -> Emulator:
    """Serve a portal with one offer."""
    made = serve()
    made.add_offer(REF.offer_id)
    return made


def poll(seconds: float | None = None) -> Flow[Any]:
    """Ask for the offer's status once, for so many seconds at most."""
    if seconds is not None:
        yield SetDeadline(datetime.now(timezone.utc) + timedelta(seconds=seconds))
    return (yield from send(get_offer_status(REF)))


def run(flow: Flow[Any]) -> Awaitable[Any]:
    return CloudPartnerPortalHook().arun(flow)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


async def closed(portal: Emulator) -> None:
    """Wait until all connections are closed: no loop should end under them."""
    await until(lambda: portal.connections_open == 0)


def assert_nothing_is_left() -> None:
    for shared in loop_registry._registries.values():
        assert (shared.pool._sessions, shared._connections) == ({}, {})


def test_a_sign_in_that_hangs_ends_no_wait_late(portal: Emulator) -> None:
    """Ten waits time out soon after their deadline while the sign-in that they share gets no response, and the loop can close."""
    gate = portal.gate("token")
    deadline = datetime.now(timezone.utc) + timedelta(seconds=1)
    watch = WaitSpec(REF, "live", deadline, poll_interval=0.5, answered=True, api=CloudPartnerPortalHook.conn_type)

    async def one() -> Any:
        async with aclosing(OfferStatusTrigger("cloud_partner_portal_default", watch.to_payload()).run()) as events:
            return (await anext(events)).payload

    async def main() -> list[Any]:
        events = await asyncio.gather(*(one() for _ in range(10)))
        gate.open()  # asyncio waits for its threads
        await closed(portal)
        return events

    began = time.monotonic()
    events = asyncio.run(main())
    took = time.monotonic() - began
    assert ({event["result"] for event in events}, took < LONG) == ({"timed_out"}, True), took
    assert portal.counts["token"] <= 1
    assert_nothing_is_left()


@pytest.mark.parametrize("route", ["token", "status"])
def test_a_poll_ends_with_the_deadline_and_the_next_one_sends_nothing(portal: Emulator, route: str) -> None:
    """A poll that gets no response, be it to its sign-in, fails at the deadline; one after the deadline fails at once."""
    gate = portal.gate(route)

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
            await closed(portal)

    first, second = asyncio.run(main())
    assert (first.text, first.sent) == ("no response within 0.5 seconds", True)
    assert (second.text, second.sent) == ("the deadline has passed", False)
    assert portal.counts["status"] <= 1
    assert_nothing_is_left()


def test_one_who_gives_up_leaves_the_sign_in_to_the_others(portal: Emulator) -> None:
    """A flow whose deadline passes while it signs in for others cancels neither the sign-in nor them."""
    gate = portal.gate("token")

    async def main() -> Any:
        first = asyncio.ensure_future(run(poll(0.5)))
        others = [asyncio.ensure_future(run(poll())) for _ in range(9)]
        await asyncio.wait([first])
        gate.open()
        reports = await asyncio.gather(*others)
        await closed(portal)
        return first.exception(), reports

    failure, reports = asyncio.run(main())
    assert (type(failure), {report.raw_status for report in reports}) == (TransportError, {"neverPublished"})
    assert portal.counts["token"] == 1
    assert_nothing_is_left()


def test_one_who_queues_gives_its_place_back(portal: Emulator) -> None:
    """A flow whose deadline passes before a connection is free fails, and all connections are used by others afterwards."""
    CloudPartnerPortalHook().get_offer_status(REF.offer_id)
    gate = portal.gate("status")

    async def main() -> Any:
        busy = [asyncio.ensure_future(run(poll())) for _ in range(MAX_CONNECTIONS)]
        await until(lambda: portal.connections_open >= MAX_CONNECTIONS)
        late = await asyncio.gather(*(run(poll(0.5)) for _ in range(5)), return_exceptions=True)
        gate.open()
        await asyncio.gather(*busy)
        reports = await asyncio.gather(*(run(poll()) for _ in range(2 * MAX_CONNECTIONS)))
        await closed(portal)
        return late, reports

    late, reports = asyncio.run(main())
    assert ({type(one) for one in late}, len(reports)) == ({TransportError}, 2 * MAX_CONNECTIONS)
    assert_nothing_is_left()


def test_reading_the_connection_ends_with_the_deadline(portal: Emulator) -> None:
    """A connection that Airflow does not give in time is one that cannot be read now."""

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
    assert portal.requests == []
    assert_nothing_is_left()


def test_a_sign_in_is_not_awaited_forever() -> None:
    """Without a deadline, too, waiting for a sign-in ends; and however often it is waited for, it takes one thread."""
    settings = Settings("https://nowhere.invalid", AccessToken("x"), "scope", "1", request_timeout=0.05)
    go, begun = threading.Event(), []

    def acquire(*_: Any, **__: Any) -> TokenGrant:
        begun.append(threading.get_ident())
        go.wait(LONG)
        return TokenGrant("token", 3600.0)

    async def main() -> str:
        line = PooledSession(settings, ssl.create_default_context())
        line.token_source = TokenSource(replace(settings), acquire=acquire)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match=r"no response within 0.2 seconds") as caught:
                await line.token(None)
            assert caught.value.retryable
        go.set()
        token = await line.token(None)
        await line.client.close()
        return token.value

    assert (asyncio.run(main()), len(begun)) == ("token", 1)
