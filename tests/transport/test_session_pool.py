# SPDX-License-Identifier: Apache-2.0
"""What waits of one event loop share, what they never share, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from partner_center_emulator import Emulator

from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_offer_status
from airflow_provider_cpp.core.effects import Flow, Sleep, send
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport import loop_registry, session_pool
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
REF = OfferRef("contoso", OFFER)
DEFAULT = "cloud_partner_portal_default"


class Hook(CloudPartnerPortalHook):
    """A hook that counts how often its connection is read, and can be held or made to fail while it is."""

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
    """Return a function that says how often a connection was looked up on an event loop."""
    found: list[logging.LogRecord] = []

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Get connection using"):
                found.append(record)

    log, handler = logging.getLogger("airflow.providers.common.compat.connection"), Counting()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield lambda: len(found)
    log.setLevel(level)
    log.removeHandler(handler)


@pytest.fixture
def portal(serve: Callable[..., Emulator]) -> Emulator:
    made = serve()
    made.add_offer(OFFER)
    return made


def looks(times: int = 1, pause: float = 0.0) -> Flow[int]:
    """Ask for the status again and again."""
    for turn in range(times):
        if turn:
            yield Sleep(pause)
        yield from send(get_offer_status(REF))
    return times


async def first_event(watch: WaitSpec) -> Any:
    """Wait as a triggerer does, and leave nothing if canceled."""
    async with aclosing(OfferStatusTrigger(DEFAULT, watch.to_payload()).run()) as events:
        return (await anext(events)).payload


def settled() -> None:
    """Say that no session and no access is left in any loop that lives."""
    for loop, shared in loop_registry._registries.items():
        assert (loop.is_closed(), shared.pool._sessions, shared._connections) in ((True, {}, {}), (False, {}, {}))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.01)


@contextmanager
def other_connection(name: str, portal: Emulator, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> Iterator[str]:
    value = portal.connection | {"extra": portal.connection["extra"] | extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(value))
    yield name


def test_a_thousand_waits_read_once_sign_in_once_and_leave_nothing(portal: Emulator) -> None:
    """A thousand at once cost one lookup and one token; afterwards no socket and no task is there."""

    async def main() -> tuple[int, set[Any]]:
        await asyncio.gather(*(Hook(DEFAULT).arun(looks(2, 0.05)) for _ in range(1000)))
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await until(lambda: portal.connections_open == 0)
        return Hook.reads, left

    reads, left = asyncio.run(main())
    gc.collect()
    assert (reads, portal.counts["token"], portal.counts["status"], left) == (1, 1, 2000, set())
    assert portal.connections_made <= session_pool.MAX_CONNECTIONS + 2  # the sign-in's own, too
    settled()


def test_a_thousand_triggers_look_their_connection_up_once(portal: Emulator, lookups: Callable[[], int]) -> None:
    """Which API a connection is for, and what it says, is read by one for all, also for those that come later."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=5)
    watch = WaitSpec(REF, "live", deadline, poll_interval=2.0, answered=True, api=CloudPartnerPortalHook.conn_type)

    async def one() -> Any:
        return (await anext(OfferStatusTrigger(DEFAULT, watch.to_payload()).run())).payload

    async def main() -> list[Any]:
        first = [asyncio.create_task(one()) for _ in range(500)]
        await until(lambda: portal.counts["status"] > 0)
        return await asyncio.gather(*first, *(one() for _ in range(500)))

    events = asyncio.run(main())
    assert ({event["result"] for event in events}, lookups(), portal.counts["token"]) == ({"timed_out"}, 1, 1)
    settled()


def test_polls_after_the_first_make_no_connection(portal: Emulator) -> None:
    """A wait that polls ten times goes ten times over one connection."""
    asyncio.run(Hook(DEFAULT).arun(looks(1)))
    before = portal.connections_made
    asyncio.run(Hook(DEFAULT).arun(looks(10, 0.01)))
    assert portal.connections_made - before == 1


def test_an_unchanged_poll_writes_no_line(portal: Emulator, caplog: Any, capsys: Any) -> None:
    """The first look says where the offer stands; those that find it there again say nothing."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=1)
    api = CloudPartnerPortalHook.conn_type
    watch = WaitSpec(REF, "live", deadline, poll_interval=0.05, answered=True, api=api).to_payload()

    async def first_event() -> Any:
        return (await anext(OfferStatusTrigger(DEFAULT, watch).run())).payload

    event = asyncio.run(first_event())
    told = capsys.readouterr().out + "".join(one.getMessage() + "\n" for one in caplog.records)
    assert (event["result"], portal.counts["status"] > 5) == ("timed_out", True)
    assert 1 <= told.count("offer contoso/contoso-vm: ") <= 2  # one line, whichever way this Airflow writes it


def test_a_server_that_closes_idle_connections_costs_a_connection_and_no_failure(portal: Emulator) -> None:
    """A connection that the server closed in between is found out before it is used."""

    async def main() -> None:
        def flow() -> Flow[None]:
            for _ in range(3):
                yield from send(get_offer_status(REF))
                portal.close_connections()
                yield Sleep(0.2)

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert {one.status for one in portal.requests if one.route == "status"} == {200}
    assert portal.counts["status"] == 3


def test_a_connection_that_is_reset_under_a_poll_is_tried_once_more(portal: Emulator) -> None:
    """A read may be sent twice, and is, where its connection was lost on the way."""
    from partner_center_emulator import Fault

    async def main() -> int:
        def flow() -> Flow[int]:
            yield from send(get_offer_status(REF))
            portal.inject(Fault("drop", "status"))
            yield from send(get_offer_status(REF))
            return 2

        return await Hook(DEFAULT).arun(flow())

    assert asyncio.run(main()) == 2


def test_connections_with_different_settings_share_nothing(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another timeout makes another session; another name with the same settings does not."""
    found: list[Any] = []

    async def main() -> None:
        async def one(name: str) -> None:
            def flow() -> Flow[None]:
                yield from send(get_offer_status(REF))
                yield Sleep(1)

            await Hook(name).arun(flow())

        tasks = []
        for name in (DEFAULT, "twin", "stranger"):  # each comes when the others are there
            tasks.append(asyncio.create_task(one(name)))
            await until(lambda: portal.counts["status"] == len(tasks))
        shared = loop_registry._registries[asyncio.get_running_loop()]
        found.extend(
            [
                len(shared._connections),
                len(shared.pool._sessions),
                len({id(a.session.token_source) for a in shared._connections.values() if a.session}),
            ]
        )
        await asyncio.gather(*tasks)

    with (
        other_connection("twin", portal, monkeypatch),
        other_connection("stranger", portal, monkeypatch, request_timeout=7),
    ):
        asyncio.run(main())
    assert found == [3, 2, 2]
    settled()


def test_a_rotated_secret_is_noticed_at_the_next_token(
    portal: Emulator, use: Callable[..., Any], serve: Callable[..., Emulator]
) -> None:
    """When the token is refused the connection is read again, and the wait goes on with the new secret."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)  # what was read a moment ago counts
            portal.rotate_secret()
            use(portal.connection)
            portal.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert (Hook.reads, portal.counts["token"]) == (2, 2)
    settled()


def test_a_deleted_connection_is_noticed_at_the_next_token(portal: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of a connection that is gone are used until their token ends, and not longer."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            monkeypatch.delenv(f"AIRFLOW_CONN_{DEFAULT.upper()}")
            portal.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    with pytest.raises(ConfigurationError, match="isn't defined"):
        asyncio.run(main())
    settled()


def test_a_lookup_that_fails_is_not_kept(portal: Emulator) -> None:
    """All who wait for a lookup that fails are told; a later one reads anew."""

    async def main() -> tuple[int, int]:
        Hook.hold = asyncio.Event()
        Hook.trouble = ConfigurationError(("it is broken",))
        waits = [asyncio.create_task(Hook(DEFAULT).arun(looks())) for _ in range(50)]
        await until(lambda: Hook.reads == 1)
        Hook.hold.set()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        Hook.hold = Hook.trouble = None
        reads = Hook.reads
        assert await Hook(DEFAULT).arun(looks()) == 1
        return sum(isinstance(one, ConfigurationError) for one in ended), reads

    assert asyncio.run(main()) == (50, 1)
    settled()


def test_a_lookup_that_breaks_does_not_end_a_wait_that_has_its_token(portal: Emulator) -> None:
    """Airflow's API may be away when a token ends: the connection is used as it was."""

    async def main() -> None:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            Hook.trouble = RuntimeError("the API server is away")
            portal.revoke_tokens()
            yield from send(get_offer_status(REF))

        await Hook(DEFAULT).arun(flow())

    asyncio.run(main())
    assert (Hook.reads, portal.counts["token"]) == (2, 2)


def test_a_canceled_wait_takes_no_other_down(portal: Emulator) -> None:
    """The one that reads for all is canceled while it does: the next one reads, and all of them go on."""

    async def main() -> list[Any]:
        Hook.hold = asyncio.Event()
        waits = [asyncio.create_task(Hook(DEFAULT).arun(looks())) for _ in range(50)]
        await until(lambda: Hook.reads == 1)
        waits[0].cancel()
        await asyncio.sleep(0.05)
        Hook.hold.set()
        return await asyncio.gather(*waits, return_exceptions=True)

    ended = asyncio.run(main())
    assert (isinstance(ended[0], asyncio.CancelledError), ended[1:], Hook.reads) == (True, [1] * 49, 2)
    settled()


def test_all_are_canceled_while_one_signs_in(portal: Emulator) -> None:
    """Waits that are all canceled in the middle of a sign-in leave nothing, and the next one begins anew."""
    gate = portal.gate("token")

    async def main() -> set[Any]:
        waits = [asyncio.create_task(Hook(DEFAULT).arun(looks())) for _ in range(50)]
        await asyncio.sleep(0.3)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        gate.open()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert await Hook(DEFAULT).arun(looks()) == 1
        return left

    assert asyncio.run(main()) == set()
    settled()


def test_one_leaves_while_another_enters(portal: Emulator) -> None:
    """A session that is closing is not handed to who comes next."""

    async def main() -> list[int]:
        return [
            await one for _ in range(10) for one in [asyncio.create_task(Hook(DEFAULT).arun(looks())) for _ in range(2)]
        ]

    assert asyncio.run(main()) == [1] * 20
    settled()


def test_a_change_of_settings_moves_waits_and_closes_the_old_session(portal: Emulator, use: Callable[..., Any]) -> None:
    """After a refused token, waits go to the line of the new settings; the old one ends with its last request."""

    async def main() -> tuple[int, float]:
        def flow() -> Flow[None]:
            yield from send(get_offer_status(REF))
            yield Sleep(1.1)
            yield from send(get_offer_status(REF))
            yield Sleep(0.3)

        waits = [asyncio.create_task(Hook(DEFAULT).arun(flow())) for _ in range(20)]
        await until(lambda: portal.counts["status"] == 20)
        use(portal.connection, extra={"request_timeout": 7})
        portal.revoke_tokens()
        await until(lambda: sum(one.status == 200 for one in portal.requests if one.route == "status") == 40)
        shared = loop_registry._registries[asyncio.get_running_loop()]
        (only,) = shared.pool._sessions.values()
        found = len(shared.pool._sessions), only.settings.request_timeout
        await asyncio.gather(*waits)
        return found

    assert asyncio.run(main()) == (1, 7)
    settled()


def test_waits_on_a_host_that_does_not_answer_go_where_the_connection_leads_by_now(
    portal: Emulator, serve: Callable[..., Emulator], use: Callable[..., Any]
) -> None:
    """A token that is good for an hour does not keep waits at an address that is none any more: a failed look reads anew."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=20)
    watch = WaitSpec(REF, "live", deadline, poll_interval=0.3, answered=True, api=CloudPartnerPortalHook.conn_type)

    async def main(other: Emulator) -> None:
        (await loop_registry.loop_registry()).failure_interval = 0.1
        waits = [asyncio.create_task(first_event(watch)) for _ in range(20)]
        await until(lambda: portal.counts["status"] >= 20)
        await asyncio.to_thread(portal.stop)
        await asyncio.sleep(1)  # looks fail, and find the connection as it was
        use(other.connection)
        await until(lambda: other.counts["status"] >= 40)
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await until(lambda: other.connections_open == 0)  # before the loop ends under sockets that are being closed

    other = serve()
    other.add_offer(OFFER)
    use(portal.connection)
    asyncio.run(main(other))
    assert other.counts["token"] == 1
    settled()


@pytest.mark.parametrize(("fresh", "reads"), [(0.2, 2), (60.0, 1)])
def test_a_wait_that_begins_later_goes_where_the_connection_leads_by_then(
    portal: Emulator, use: Callable[..., Any], lookups: Callable[[], int], fresh: float, reads: int
) -> None:
    """What was read for others counts for a while; then a new wait reads the connection, and all go where it leads."""
    deadline = datetime.now(timezone.utc) + timedelta(seconds=20)
    watch = WaitSpec(REF, "live", deadline, poll_interval=0.3, answered=True, api=CloudPartnerPortalHook.conn_type)

    async def main() -> list[float]:
        shared = await loop_registry.loop_registry()
        shared.start_interval, shared.failure_interval = fresh, min(fresh, shared.failure_interval)
        waits = [asyncio.create_task(first_event(watch))]
        await until(lambda: portal.counts["status"] > 0)
        use(portal.connection, extra={"request_timeout": 7})
        await asyncio.sleep(0.4)
        waits.append(asyncio.create_task(first_event(watch)))
        seen = portal.counts["status"]
        await until(lambda: portal.counts["status"] >= seen + 6)
        found = [one.settings.request_timeout for one in shared.pool._sessions.values()]
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await until(lambda: portal.connections_open == 0)
        return found

    before = CloudPartnerPortalHook().get_settings().request_timeout
    assert (asyncio.run(main()), lookups()) == ([7.0 if reads == 2 else before], reads)
    settled()


def test_a_closed_loop_is_noticed(portal: Emulator) -> None:
    """Another loop of the process has a session of its own, and what a dead loop had is forgotten."""
    loop = asyncio.new_event_loop()

    async def enter() -> None:
        shared = await loop_registry.loop_registry()
        shared.join(Hook("left behind"))

    loop.run_until_complete(enter())
    loop.close()
    assert loop in loop_registry._registries
    assert asyncio.run(Hook(DEFAULT).arun(looks())) == 1
    assert loop not in loop_registry._registries
    settled()


def test_a_bundle_that_was_replaced_is_read_again(tmp_path: Any, portal: Emulator) -> None:
    """The authorities of a file are kept while it is the same file, and read anew when it is another one."""
    file = tmp_path / "ca.pem"
    file.write_bytes(portal.ca_file.read_bytes())
    settings = CloudPartnerPortalHook().get_settings()
    from dataclasses import replace

    mine = replace(settings, verify=str(file))
    first = session_pool.ssl_context(mine)
    assert (isinstance(first, ssl.SSLContext), session_pool.ssl_context(mine) is first) == (True, True)
    file.write_bytes(portal.ca_file.read_bytes() + b"\n")
    assert session_pool.ssl_context(mine) is not first
