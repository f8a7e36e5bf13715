# SPDX-License-Identifier: Apache-2.0
"""What the waits of one event loop share, what they never share, and that they release all of it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_offer_status
from airflow_provider_cpp.core.effects import Flow, Sleep, send
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport import loop_registry, session_pool, shared_connection
from airflow_provider_cpp.transport.trust import ssl_context_for
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
REF = OfferRef("contoso", OFFER)
DEFAULT = "cloud_partner_portal_default"


class Hook(CloudPartnerPortalHook):
    """A hook that counts how often its connection is read, and whose read can be held or made to fail."""

    reads = 0
    hold: asyncio.Event | None = None
    trouble: Exception | None = None

    async def aget_settings(self) -> Any:
        Hook.reads += 1
        if Hook.hold is not None:
            await Hook.hold.wait()
        if Hook.trouble is not None:
            raise Hook.trouble
        return await super().aget_settings()


@pytest.fixture(autouse=True)
def _fresh_counts() -> Iterator[None]:
    Hook.reads, Hook.hold, Hook.trouble = 0, None, None
    yield
    Hook.reads, Hook.hold, Hook.trouble = 0, None, None


@pytest.fixture
def lookups() -> Iterator[Callable[[], int]]:
    """Return a function that returns how often a connection was looked up on an event loop."""
    records: list[logging.LogRecord] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Get connection using"):
                records.append(record)

    log, handler = logging.getLogger("airflow.providers.common.compat.connection"), Counting()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield lambda: len(records)
    log.setLevel(level)
    log.removeHandler(handler)


@pytest.fixture
def emulator(serve: Callable[..., Emulator]) -> Emulator:
    made = serve()
    made.add_offer(OFFER)
    return made


def poll(times: int = 1, pause: float = 0.0) -> Flow[int]:
    """Read the offer's status a number of times."""
    for number in range(times):
        if number:
            yield Sleep(pause)
        yield from send(get_offer_status(REF))
    return times


async def first_event(wait_spec: WaitSpec) -> Any:
    """Wait as a triggerer does, and release everything if canceled."""
    async with aclosing(OfferStatusTrigger(DEFAULT, wait_spec.to_payload()).run()) as events:
        return (await anext(events)).payload


def assert_nothing_is_shared() -> None:
    """Check that no open event loop has a session or a shared connection."""
    for loop, shared in loop_registry._registries.items():
        assert (loop.is_closed(), shared.pool._sessions, shared._connections) in ((True, {}, {}), (False, {}, {}))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


@contextmanager
def other_connection(name: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> Iterator[str]:
    value = emulator.connection | {"extra": emulator.connection["extra"] | extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))
    yield name


def test_a_thousand_waits_read_once_sign_in_once_and_release_all(emulator: Emulator) -> None:
    """A thousand concurrent waits need one connection lookup and one token, and leave no socket and no task."""

    async def main() -> tuple[int, set[Any]]:
        await asyncio.gather(*(Hook(DEFAULT).arun(poll(2, 0.05)) for _ in range(1000)))
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await until(lambda: emulator.connections_open == 0)
        return Hook.reads, tasks

    reads, tasks = asyncio.run(main())
    gc.collect()
    assert reads == 1
    assert emulator.counts["token"] == 1
    assert emulator.counts["status"] == 2000
    assert tasks == set()
    assert emulator.connections_made <= session_pool.MAX_CONNECTIONS + 2  # the sign-in's own, too
    assert_nothing_is_shared()


def test_a_thousand_triggers_look_their_connection_up_once(emulator: Emulator, lookups: Callable[[], int]) -> None:
    """One trigger looks up the connection for all, also for those that start later."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=5)
    wait_spec = WaitSpec(REF, "live", deadline, poll_interval=2.0, responded=True, api=CloudPartnerPortalHook.conn_type)

    async def one() -> Any:
        return (await anext(OfferStatusTrigger(DEFAULT, wait_spec.to_payload()).run())).payload

    async def main() -> list[Any]:
        first = [asyncio.create_task(one()) for _ in range(500)]
        await until(lambda: emulator.counts["status"] > 0)
        return await asyncio.gather(*first, *(one() for _ in range(500)))

    events = asyncio.run(main())
    assert {event["result"] for event in events} == {"timed_out"}
    assert lookups() == 1
    assert emulator.counts["token"] == 1
    assert_nothing_is_shared()


def test_polls_after_the_first_open_no_connection(emulator: Emulator) -> None:
    """A wait that polls ten times uses one network connection."""
    asyncio.run(Hook(DEFAULT).arun(poll(1)))
    before = emulator.connections_made
    asyncio.run(Hook(DEFAULT).arun(poll(10, 0.01)))
    assert emulator.connections_made - before == 1


def test_an_unchanged_poll_logs_nothing(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first poll logs the offer's state; later polls log nothing while it is the same."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=1)
    api = CloudPartnerPortalHook.conn_type
    wait_spec = WaitSpec(REF, "live", deadline, poll_interval=0.05, responded=True, api=api).to_payload()

    async def first_event() -> Any:
        return (await anext(OfferStatusTrigger(DEFAULT, wait_spec).run())).payload

    event = asyncio.run(first_event())
    logged = capsys.readouterr().out + "".join(one.getMessage() + "\n" for one in caplog.records)
    assert event["result"] == "timed_out"
    assert emulator.counts["status"] > 5
    assert 1 <= logged.count("offer contoso/contoso-vm: ") <= 2  # one line, which some versions of Airflow write twice


def test_a_connection_that_the_server_closed_is_replaced(emulator: Emulator) -> None:
    """A network connection that the server closed between polls is noticed before it is used."""

    async def main() -> None:
        def flow() -> Flow[None]:
            for _ in range(3):
                yield from send(get_offer_status(REF))
                emulator.close_connections()
                yield Sleep(0.2)

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert {one.status for one in emulator.requests if one.route == "status"} == {200}
    assert emulator.counts["status"] == 3


def test_a_read_on_a_reset_connection_is_repeated(emulator: Emulator) -> None:
    """A read whose network connection is reset is sent again."""

    async def main() -> int:
        def flow() -> Flow[int]:
            yield from send(get_offer_status(REF))
            emulator.inject(Fault("drop", "status"))
            yield from send(get_offer_status(REF))
            return 2

        return await Hook(DEFAULT).arun(flow())

    assert asyncio.run(main()) == 2


def test_connections_with_different_settings_share_nothing(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another timeout makes another session; another name with the same settings does not."""
    counts: list[int] = []

    async def main() -> None:
        async def one(name: str) -> None:
            def flow() -> Flow[None]:
                yield from send(get_offer_status(REF))
                yield Sleep(1)

            await Hook(name).arun(flow())

        tasks = []
        for name in (DEFAULT, "same", "other"):  # each starts while the others are waiting
            tasks.append(asyncio.create_task(one(name)))
            await until(lambda: emulator.counts["status"] == len(tasks))
        shared = loop_registry._registries[asyncio.get_running_loop()]
        sources = {id(one.session.token_source) for one in shared._connections.values() if one.session}
        counts.extend([len(shared._connections), len(shared.pool._sessions), len(sources)])
        await asyncio.gather(*tasks)

    with (
        other_connection("same", emulator, monkeypatch),
        other_connection("other", emulator, monkeypatch, request_timeout=7),
    ):
        asyncio.run(main())
    assert counts == [3, 2, 2]
    assert_nothing_is_shared()


def test_a_rotated_secret_is_used_for_the_next_token(
    emulator: Emulator, use: Callable[..., dict[str, Any]], serve: Callable[..., Emulator]
) -> None:
    """When the token is refused the connection is read again, and the wait goes on with the new secret."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)  # a connection that was read less than a second ago is not read again
            emulator.rotate_secret()
            use(emulator.connection)
            emulator.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert Hook.reads == 2
    assert emulator.counts["token"] == 2
    assert_nothing_is_shared()


def test_a_deleted_connection_is_noticed_at_the_next_token(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of a deleted connection are used until their token ends, and no longer."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            monkeypatch.delenv(f"AIRFLOW_CONN_{DEFAULT.upper()}")
            emulator.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    with pytest.raises(ConfigurationError, match="isn't defined"):
        asyncio.run(main())
    assert_nothing_is_shared()


def test_a_failed_lookup_is_not_cached(emulator: Emulator) -> None:
    """All waits that share a failed lookup get its error; a later wait reads the connection again."""

    async def main() -> tuple[int, int]:
        Hook.hold = asyncio.Event()
        Hook.trouble = ConfigurationError(("it is broken",))
        waits = [asyncio.create_task(Hook(DEFAULT).arun(poll())) for _ in range(50)]
        await until(lambda: Hook.reads == 1)
        Hook.hold.set()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        Hook.hold = Hook.trouble = None
        reads = Hook.reads
        assert await Hook(DEFAULT).arun(poll()) == 1
        return sum(isinstance(one, ConfigurationError) for one in ended), reads

    assert asyncio.run(main()) == (50, 1)
    assert_nothing_is_shared()


def test_a_failed_lookup_does_not_end_a_wait_that_has_a_token(emulator: Emulator) -> None:
    """If Airflow's API is unavailable when a token ends, the known connection is used."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            Hook.trouble = RuntimeError("the API server is away")
            emulator.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert Hook.reads == 2
    assert emulator.counts["token"] == 2


def test_a_canceled_wait_cancels_no_other(emulator: Emulator) -> None:
    """If the wait that reads for all is canceled, the next one reads, and all the others go on."""

    async def main() -> list[Any]:
        Hook.hold = asyncio.Event()
        waits = [asyncio.create_task(Hook(DEFAULT).arun(poll())) for _ in range(50)]
        await until(lambda: Hook.reads == 1)
        waits[0].cancel()
        await asyncio.sleep(0.05)
        Hook.hold.set()
        return await asyncio.gather(*waits, return_exceptions=True)

    ended = asyncio.run(main())
    assert isinstance(ended[0], asyncio.CancelledError)
    assert ended[1:] == [1] * 49
    assert Hook.reads == 2
    assert_nothing_is_shared()


def test_waits_can_be_canceled_during_a_sign_in(emulator: Emulator) -> None:
    """Waits that are all canceled during a sign-in leave no task, and the next wait signs in again."""
    gate = emulator.gate("token")

    async def main() -> set[Any]:
        waits = [asyncio.create_task(Hook(DEFAULT).arun(poll())) for _ in range(50)]
        await asyncio.sleep(0.3)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        gate.open()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert await Hook(DEFAULT).arun(poll()) == 1
        return tasks

    assert asyncio.run(main()) == set()
    assert_nothing_is_shared()


def test_a_closing_session_is_not_reused(emulator: Emulator) -> None:
    """A wait that joins while another one leaves never gets a session that is closing."""

    async def main() -> list[int]:
        return [
            await one for _ in range(10) for one in [asyncio.create_task(Hook(DEFAULT).arun(poll())) for _ in range(2)]
        ]

    assert asyncio.run(main()) == [1] * 20
    assert_nothing_is_shared()


def test_a_change_of_settings_moves_waits_and_closes_the_old_session(
    emulator: Emulator, use: Callable[..., dict[str, Any]]
) -> None:
    """After a refused token, waits use the session of the new settings; the old one closes with its last request."""

    async def main() -> tuple[int, float]:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            yield from send(get_offer_status(REF))
            yield Sleep(0.3)

        waits = [asyncio.create_task(Hook(DEFAULT).arun(flow())) for _ in range(20)]
        await until(lambda: emulator.counts["status"] == 20)
        use(emulator.connection, extra={"request_timeout": 7})
        emulator.revoke_tokens()
        await until(lambda: sum(one.status == 200 for one in emulator.requests if one.route == "status") == 40)
        shared = loop_registry._registries[asyncio.get_running_loop()]
        (only,) = shared.pool._sessions.values()
        result = len(shared.pool._sessions), only.settings.request_timeout
        await asyncio.gather(*waits)
        return result

    assert asyncio.run(main()) == (1, 7)
    assert_nothing_is_shared()


def test_waits_on_an_unreachable_host_use_the_changed_connection(
    emulator: Emulator,
    serve: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A valid token does not keep waits on an old address: a failed poll reads the connection again."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=20)
    wait_spec = WaitSpec(REF, "live", deadline, poll_interval=0.3, responded=True, api=CloudPartnerPortalHook.conn_type)

    async def main(other: Emulator) -> None:
        waits = [asyncio.create_task(first_event(wait_spec)) for _ in range(20)]
        await until(lambda: emulator.counts["status"] >= 20)
        await asyncio.to_thread(emulator.stop)
        await asyncio.sleep(1)  # polls fail and read the unchanged connection
        use(other.connection)
        await until(lambda: other.counts["status"] >= 40)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await until(lambda: other.connections_open == 0)  # so that no loop ends while its sockets are closing

    other = serve()
    other.add_offer(OFFER)
    use(emulator.connection)
    monkeypatch.setattr(shared_connection, "FAILURE_RELOAD_INTERVAL", 0.1)
    asyncio.run(main(other))
    assert other.counts["token"] == 1
    assert_nothing_is_shared()


@pytest.mark.parametrize(("fresh", "reads"), [(0.2, 2), (60.0, 1)])
def test_a_new_wait_reads_the_connection_again_after_a_while(
    emulator: Emulator,
    use: Callable[..., dict[str, Any]],
    lookups: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    fresh: float,
    reads: int,
) -> None:
    """A connection that was read recently is reused; later a new wait reads it again, and all waits use the new settings."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=20)
    wait_spec = WaitSpec(REF, "live", deadline, poll_interval=0.3, responded=True, api=CloudPartnerPortalHook.conn_type)

    async def main() -> list[float]:
        shared = loop_registry.loop_registry()
        waits = [asyncio.create_task(first_event(wait_spec))]
        await until(lambda: emulator.counts["status"] > 0)
        use(emulator.connection, extra={"request_timeout": 7})
        await asyncio.sleep(0.4)
        waits.append(asyncio.create_task(first_event(wait_spec)))
        polls = emulator.counts["status"]
        await until(lambda: emulator.counts["status"] >= polls + 6)
        timeouts = [one.settings.request_timeout for one in shared.pool._sessions.values()]
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await until(lambda: emulator.connections_open == 0)
        return timeouts

    monkeypatch.setattr(shared_connection, "START_RELOAD_INTERVAL", fresh)
    monkeypatch.setattr(shared_connection, "FAILURE_RELOAD_INTERVAL", min(fresh, 10.0))
    before = CloudPartnerPortalHook().get_settings().request_timeout
    assert asyncio.run(main()) == [7.0 if reads == 2 else before]
    assert lookups() == reads
    assert_nothing_is_shared()


def test_a_closed_loop_is_discarded(emulator: Emulator) -> None:
    """Another event loop of the process has its own session, and the registry of a closed loop is discarded."""
    loop = asyncio.new_event_loop()

    async def join() -> None:
        shared = loop_registry.loop_registry()
        shared.join(Hook("abandoned"))

    loop.run_until_complete(join())
    loop.close()
    assert loop in loop_registry._registries
    assert asyncio.run(Hook(DEFAULT).arun(poll())) == 1
    assert loop not in loop_registry._registries
    assert_nothing_is_shared()


def test_a_replaced_ca_bundle_is_read_again(tmp_path: Path, emulator: Emulator) -> None:
    """The SSL context of a CA bundle is reused until the file changes."""
    file = tmp_path / "ca.pem"
    file.write_bytes(emulator.ca_file.read_bytes())
    first = ssl_context_for(str(file))
    assert ssl_context_for(str(file)) is first
    file.write_bytes(emulator.ca_file.read_bytes() + b"\n")
    assert ssl_context_for(str(file)) is not first
