# SPDX-License-Identifier: Apache-2.0
"""When a shared connection is read again, and that a wait that leaves releases everything."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from airflow_provider_cpp.exceptions import AuthenticationError, ConnectionNotFoundError
from airflow_provider_cpp.transport import shared_connection
from airflow_provider_cpp.transport.auth.token_source import FAILURE_CACHE_TIME, Token, TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.loop_registry import LoopRegistry
from airflow_provider_cpp.transport.session_pool import PooledSession, SessionPool
from airflow_provider_cpp.transport.settings import Settings

FIRST = Settings("https://first.invalid", AccessToken("x"), "scope", "1")
SECOND, THIRD = (replace(FIRST, base_url=f"https://{name}.invalid") for name in ("second", "third"))
INTERVAL = 3600.0
"""Seconds between two reads, by a clock that only the tests move."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def advance(seconds: float) -> None:
    """Move the clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.ahead += seconds


class FakeSource:
    """A connection source with a configurable result, which counts its reads and records the log lines.

    :ivar result: the settings that the next read returns, or the exception that it raises.
    """

    cache_key = where = "a connection"

    def __init__(self) -> None:
        self.result: Settings | Exception = FIRST
        self.reads = 0
        self.logged: list[tuple[str, int]] = []

    async def aget_settings(self) -> Settings:
        self.reads += 1
        if isinstance(self.result, Exception):
            raise self.result
        return replace(self.result)

    def log_line(self, text: str, level: int) -> None:
        self.logged.append((text, level))


@pytest.fixture(autouse=True)
def _long_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_connection, "FAILURE_RELOAD_INTERVAL", INTERVAL)


@pytest.fixture
def connection_source() -> FakeSource:
    return FakeSource()


def run_wait(
    connection_source: FakeSource, then: Callable[[LoopRegistry, shared_connection.SharedConnection], Awaitable[None]]
) -> None:
    """Let one wait use the connection, with a valid token, and check that it releases everything."""

    async def main() -> None:
        registry = LoopRegistry()
        connection = registry.join(connection_source)
        try:
            await connection.acquire()
            await then(registry, connection)
        finally:  # a failed test leaves no session for the next one
            await registry.leave(connection)
        assert registry.pool._sessions == {}
        assert registry._connections == {}

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_every_change_of_a_connection_is_read(connection_source: FakeSource) -> None:
    """A failed poll reads the current connection, however often it changed since the last read."""

    async def then(registry: LoopRegistry, connection: shared_connection.SharedConnection) -> None:
        for result in (SECOND, FIRST, THIRD):
            connection_source.result = result
            advance(INTERVAL)
            await (connection.reload_if_stale() if result is FIRST else connection.reload())
        assert (await connection.acquire())[0].settings == THIRD

    run_wait(connection_source, then)


def test_failed_polls_read_the_connection_once_per_interval(connection_source: FakeSource) -> None:
    """A thousand polls that fail at once read the connection once, even if Airflow cannot find it."""

    async def then(registry: LoopRegistry, connection: shared_connection.SharedConnection) -> None:
        for result in (FIRST, ConnectionNotFoundError(("it isn't defined",))):
            connection_source.result, before = result, connection_source.reads
            advance(INTERVAL)
            await asyncio.gather(*(connection.reload() for _ in range(1000)), return_exceptions=True)
            assert connection_source.reads - before == 1
        assert (await connection.acquire())[0].settings == FIRST  # its token is valid

    run_wait(connection_source, then)


def test_an_unreadable_connection_is_logged_once(connection_source: FakeSource) -> None:
    """A connection that cannot be read is logged once, and again only after a successful read."""

    async def then(registry: LoopRegistry, connection: shared_connection.SharedConnection) -> None:
        unavailable = RuntimeError("https://user:secret@airflow is unavailable")
        for result in (unavailable, unavailable, unavailable, FIRST, unavailable, unavailable):
            connection_source.result = result
            advance(INTERVAL)
            await connection.reload()

    run_wait(connection_source, then)
    expected = "the connection cannot be read now (RuntimeError); the settings read before stay in use"
    assert connection_source.logged == [(expected, logging.WARNING)] * 2


def test_a_wait_that_is_canceled_while_it_moves_releases_all(connection_source: FakeSource) -> None:
    """A wait that is canceled while the old session closes holds the new session already."""

    class Slow(SessionPool):
        async def release(self, session: PooledSession) -> None:
            await super().release(session)
            if session.settings == FIRST:
                closing.set()
                await asyncio.sleep(60)

    async def main() -> None:
        registry = LoopRegistry()
        registry.pool = Slow()
        connection = registry.join(connection_source)
        await connection.acquire()
        connection_source.result = SECOND
        advance(INTERVAL)
        await connection.reload()
        mover = asyncio.create_task(connection.acquire())
        await closing.wait()
        mover.cancel()
        await asyncio.gather(mover, return_exceptions=True)
        assert (await connection.acquire())[0].settings == SECOND
        await registry.leave(connection)
        assert registry.pool._sessions == {}
        assert registry._connections == {}

    closing = asyncio.Event()
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_a_new_flow_uses_a_valid_token(connection_source: FakeSource) -> None:
    """New flows read the connection once per interval, and use the known one while its token is valid if it cannot be read."""

    async def then(registry: LoopRegistry, connection: shared_connection.SharedConnection) -> None:
        connection_source.result = ConnectionNotFoundError(("it isn't defined",))
        advance(INTERVAL)
        await asyncio.gather(*(connection.reload_if_stale() for _ in range(100)))
        assert (await connection.acquire())[0].settings == FIRST
        assert connection_source.reads == 2
        await connection.reload_if_stale()
        assert connection_source.reads == 2

    run_wait(connection_source, then)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (RuntimeError("https://user:secret@vault is sealed"), r"a connection .*it cannot be read now: RuntimeError$"),
        (replace(FIRST, verify="/nowhere/ca.pem"), "ca.pem'? does not exist"),
    ],
)
def test_a_failed_first_read_is_repeated(
    connection_source: FakeSource, result: Settings | Exception, expected: str
) -> None:
    """A connection that cannot be used at first is a retryable error, read once for all, and read again a moment later."""

    async def main() -> None:
        registry = LoopRegistry()
        connection = registry.join(connection_source)
        connection_source.result = result
        failures = await asyncio.gather(*(connection.acquire() for _ in range(100)), return_exceptions=True)
        assert {getattr(failure, "retryable", None) for failure in failures} == {True}
        assert re.search(expected, str(failures[0]))
        assert connection_source.reads == 1
        connection_source.result = FIRST
        advance(2 * FAILURE_CACHE_TIME)
        assert (await connection.acquire())[0].settings == FIRST
        await registry.leave(connection)
        assert registry.pool._sessions == {}
        assert registry._connections == {}

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_a_slow_read_does_not_delay_a_caller_whose_token_was_replaced(connection_source: FakeSource) -> None:
    """While a poll that failed reads the connection, a caller whose token was rejected gets the one that is there."""

    async def then(_: LoopRegistry, connection: shared_connection.SharedConnection) -> None:
        async def read_slowly() -> Settings:
            reading.set()
            await asyncio.Event().wait()
            raise AssertionError

        reading = asyncio.Event()
        connection_source.aget_settings = read_slowly  # type: ignore[method-assign]
        advance(INTERVAL)
        reload = asyncio.create_task(connection.reload())
        await reading.wait()
        older = Token("older", math.inf, math.inf)
        assert (await asyncio.wait_for(connection.acquire(older), 5))[1].value == "x"
        reload.cancel()

    run_wait(connection_source, then)


def test_only_callers_with_the_same_token_share_a_failure(
    connection_source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a secret is replaced during a sign-in that fails, a new wait does not end with its error, but reads the connection."""
    rejected = Token("rejected", math.inf, math.inf)

    async def sign_in(session: PooledSession, old: Token | None) -> Token:
        if session.settings == FIRST and old is not None:
            signs_in.set()
            await go_on.wait()
            raise AuthenticationError("the secret has expired")
        return rejected if session.settings == FIRST else Token("new", math.inf, math.inf)

    async def main() -> None:
        registry = LoopRegistry()
        connection = registry.join(connection_source)
        await connection.acquire()
        failing = [asyncio.create_task(connection.acquire(rejected)) for _ in range(2)]
        await signs_in.wait()
        starting = asyncio.create_task(connection.acquire())
        await asyncio.sleep(0)
        connection_source.result = SECOND
        go_on.set()
        failures = await asyncio.gather(*failing, return_exceptions=True)
        assert failures[0] is failures[1]
        assert isinstance(failures[0], AuthenticationError)
        assert (await starting)[1].value == "new"
        await registry.leave(connection)

    signs_in, go_on = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(PooledSession, "token", sign_in)
    monkeypatch.setattr(TokenSource, "cached", lambda *_: None)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
