# SPDX-License-Identifier: Apache-2.0
"""When a connection that many wait on is read again, and that whoever leaves leaves nothing."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from airflow_provider_cpp.exceptions import ConnectionNotFoundError
from airflow_provider_cpp.transport import shared_connection
from airflow_provider_cpp.transport.auth.token_source import FAILURE_CACHE_TIME
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.loop_registry import LoopRegistry
from airflow_provider_cpp.transport.session_pool import PooledSession, SessionPool
from airflow_provider_cpp.transport.settings import Settings

FIRST = Settings("https://first.invalid", AccessToken("x"), "scope", "1")
SECOND, THIRD = (replace(FIRST, base_url=f"https://{name}.invalid") for name in ("second", "third"))
AGAIN = 3600.0
"""Seconds between two readings, by a clock that the tests move: however slow the machine, none passes by itself."""


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def let_pass(seconds: float) -> None:
    """Move the clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.ahead += seconds


class Reader:
    """Reads a connection that says what it is told to, counts, and keeps what is logged."""

    cache_key = where = "a connection"

    def __init__(self) -> None:
        self.says: Settings | Exception = FIRST
        self.reads = 0
        self.told: list[tuple[str, int]] = []

    async def aget_settings(self) -> Settings:
        self.reads += 1
        if isinstance(self.says, Exception):
            raise self.says
        return replace(self.says)

    def log_line(self, text: str, level: int) -> None:
        self.told.append((text, level))


@pytest.fixture
def reader() -> Reader:
    """Return a reader."""
    return Reader()


def waiting(
    reader: Reader, then: Callable[[LoopRegistry, shared_connection.SharedConnection], Awaitable[None]]
) -> None:
    """Let one wait use the connection, with a token that is good, and see that nothing is left of it."""

    async def main() -> None:
        lines = LoopRegistry()
        lines.failure_interval = AGAIN
        entered = lines.join(reader)
        try:
            await entered.acquire()
            await then(lines, entered)
        finally:  # a test that fails leaves no session to the next one
            await lines.leave(entered)
        assert (lines.pool._sessions, lines._connections) == ({}, {})

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


def test_what_was_changed_and_changed_back_is_read_again(reader: Reader) -> None:
    """A look that fails finds what the connection says by now, however often that changed before anybody looked."""

    async def then(lines: LoopRegistry, entered: shared_connection.SharedConnection) -> None:
        for says in (SECOND, FIRST, THIRD):
            reader.says = says
            let_pass(AGAIN)
            await (entered.reload_if_stale() if says is FIRST else entered.reload())
        assert (await entered.acquire())[0].settings == THIRD

    waiting(reader, then)


def test_looks_that_fail_read_now_and_then(reader: Reader) -> None:
    """A thousand looks that fail at once read the connection once, also where Airflow does not give it."""

    async def then(lines: LoopRegistry, entered: shared_connection.SharedConnection) -> None:
        for says in (FIRST, ConnectionNotFoundError(("it isn't defined",))):
            reader.says, before = says, reader.reads
            let_pass(AGAIN)
            await asyncio.gather(*(entered.reload() for _ in range(1000)), return_exceptions=True)
            assert reader.reads - before == 1
        assert (await entered.acquire())[0].settings == FIRST  # its token is good

    waiting(reader, then)


def test_an_airflow_that_is_away_is_told_once(reader: Reader) -> None:
    """However often the connection cannot be read, that is one line, until it could be in between."""

    async def then(lines: LoopRegistry, entered: shared_connection.SharedConnection) -> None:
        away = RuntimeError("https://user:secret@airflow is away")
        for says in (away, away, away, FIRST, away, away):
            reader.says = says
            let_pass(AGAIN)
            await entered.reload()

    waiting(reader, then)
    said = "the connection cannot be read now (RuntimeError); it is used as it was"
    assert reader.told == [(said, logging.WARNING)] * 2


def test_a_wait_that_is_canceled_while_it_moves_leaves_nothing(reader: Reader) -> None:
    """One who is canceled while the old session is closed has the new one counted already."""

    class Slow(SessionPool):
        async def close(self, line: PooledSession) -> None:
            await super().close(line)
            if line.settings == FIRST:
                closing.set()
                await asyncio.sleep(60)

    async def main() -> None:
        lines = LoopRegistry()
        lines.pool = Slow()
        lines.failure_interval = 0.0
        entered = lines.join(reader)
        await entered.acquire()
        reader.says = SECOND
        await entered.reload()
        mover = asyncio.create_task(entered.acquire())
        await closing.wait()
        mover.cancel()
        await asyncio.gather(mover, return_exceptions=True)
        assert (await entered.acquire())[0].settings == SECOND
        await lines.leave(entered)
        assert (lines.pool._sessions, lines._connections) == ({}, {})

    closing = asyncio.Event()
    asyncio.run(main())


def test_a_flow_that_begins_uses_a_token_that_is_good(reader: Reader) -> None:
    """A flow that begins reads the connection once within a while; one that cannot be read is used as long as its token is good."""

    async def then(lines: LoopRegistry, entered: shared_connection.SharedConnection) -> None:
        reader.says = ConnectionNotFoundError(("it isn't defined",))
        let_pass(AGAIN)
        await asyncio.gather(*(entered.reload_if_stale() for _ in range(100)))
        assert ((await entered.acquire())[0].settings, reader.reads) == (FIRST, 2)
        await entered.reload_if_stale()
        assert reader.reads == 2

    waiting(reader, then)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (RuntimeError("https://user:secret@vault is sealed"), r"a connection .*it cannot be read now: RuntimeError$"),
        (replace(FIRST, verify="/nowhere/ca.pem"), "ca.pem'? does not exist"),
    ],
)
def test_what_cannot_be_used_at_first_is_read_again(reader: Reader, says: Settings | Exception, said: str) -> None:
    """What cannot be used when it is read first is an error that may pass, is read once for all, and again a moment later."""

    async def main() -> None:
        lines = LoopRegistry()
        entered = lines.join(reader)
        reader.says = says
        failures = await asyncio.gather(*(entered.acquire() for _ in range(100)), return_exceptions=True)
        assert {getattr(failure, "retryable", None) for failure in failures} == {True}
        assert re.search(said, str(failures[0]))
        assert reader.reads == 1
        reader.says = FIRST
        let_pass(2 * FAILURE_CACHE_TIME)
        assert (await entered.acquire())[0].settings == FIRST
        await lines.leave(entered)
        assert (lines.pool._sessions, lines._connections) == ({}, {})

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
