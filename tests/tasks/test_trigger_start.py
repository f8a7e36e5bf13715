# SPDX-License-Identifier: Apache-2.0
"""Waits that a triggerer starts while their connection cannot be used: each attempt is a failed poll, not the end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.secrets import BaseSecretsBackend
from partner_center_emulator import Emulator

from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

CONNECTION = "cloud_partner_portal_default"
VARIABLE = f"AIRFLOW_CONN_{CONNECTION.upper()}"
WAITS = 50
POLL_INTERVAL = 1.2
"""Seconds, longer than the interval between two reads, so that every round of polls reads the connection."""


class Vault(BaseSecretsBackend):
    """A secrets backend as Airflow loads it, without connections, which cannot even be constructed while it is sealed."""

    sealed = False

    def __init__(self, **_: Any) -> None:
        super().__init__()
        if Vault.sealed:
            msg = "https://user:hunter2@vault.invalid is sealed"
            raise RuntimeError(msg)

    def get_conn_value(self, conn_id: str) -> str | None:
        return None


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


def clear_secrets_backends() -> None:
    """Make Airflow construct its secrets backends again, if it caches them."""
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module("airflow.sdk.configuration").clear_secrets_backends_cache()


@pytest.fixture
def emulator(serve: Callable[..., Emulator]) -> Emulator:
    """Serve one offer."""
    made = serve()
    made.add_offer("contoso-vm")
    return made


@pytest.fixture(params=["sealed vault", "missing connection", "missing CA bundle"])
def broken_connection(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[tuple[WaitSpec, Callable[[], None], str]]:
    """Publish, then break the connection; return the wait spec, a function that repairs it, and a part of the error's text."""
    bundle = tmp_path / "ca.pem"
    operation = CloudPartnerPortalHook().publish_offer("contoso-vm")
    emulator.clock.advance(days=30)
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5)
    wait_spec = WaitSpec(
        operation.offer, "preview", deadline, operation, poll_interval=POLL_INTERVAL, responded=True, api=operation.api
    )
    if request.param == "sealed vault":
        Vault.sealed = True
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Vault")
        yield wait_spec, lambda: setattr(Vault, "sealed", False), "RuntimeError"
    elif request.param == "missing connection":
        value = os.environ[VARIABLE]
        monkeypatch.delenv(VARIABLE)
        yield wait_spec, lambda: monkeypatch.setenv(VARIABLE, value), "isn't defined"
    else:
        connect(emulator, extra={"verify": str(bundle)})
        yield wait_spec, lambda: (bundle.write_bytes(emulator.ca_file.read_bytes()), None)[1], "does not exist"
    Vault.sealed = False
    monkeypatch.undo()
    clear_secrets_backends()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another thread, or a log, makes it true
            await asyncio.sleep(0.02)


async def start(wait_spec: WaitSpec) -> list[asyncio.Task[Any]]:
    """Start waits as a restarted triggerer does."""

    async def one() -> Any:
        return (await anext(OfferStatusTrigger(CONNECTION, wait_spec.to_payload()).run())).payload

    return [asyncio.create_task(one()) for _ in range(WAITS)]


def test_waits_go_on_once_the_connection_is_repaired(
    broken_connection: tuple[WaitSpec, Callable[[], None], str], emulator: Emulator, lookups: Callable[[], int]
) -> None:
    """Waits with a broken connection go on polling, with one read for all, and succeed once it is repaired."""
    wait_spec, repair, _ = broken_connection

    async def main() -> list[Any]:
        waits = await start(wait_spec)
        await until(lambda: lookups() >= 2 or all(one.done() for one in waits))
        repair()
        events = await asyncio.gather(*waits)
        await until(lambda: emulator.connections_open == 0)  # so that no loop ends while its sockets are closing
        return events

    events = asyncio.run(main())
    assert {(event["result"], event["retryable"]) for event in events} == {("reached", False)}, events[0]["message"]
    # Two rounds of polls that fail, and one or two more. A slow machine stretches a round to several reads.
    assert 2 <= lookups() < 12


def test_waits_end_after_the_tolerance(
    broken_connection: tuple[WaitSpec, Callable[[], None], str], warnings: Callable[[], list[str]]
) -> None:
    """With a connection that is never repaired, the waits end after the tolerance, retryable, without the error's own text."""
    wait_spec, _, expected = broken_connection

    async def main() -> list[Any]:
        return await asyncio.gather(
            *await start(WaitSpec.from_payload(wait_spec.to_payload() | {"poll_failure_tolerance": 2}))
        )

    events = asyncio.run(main())
    assert {(event["result"], event["retryable"]) for event in events} == {("error", True)}
    messages = {event["message"] for event in events}
    assert all("every poll failed for" in text and expected in text for text in messages), messages
    logged = warnings()
    assert len([text for text in logged if expected in text]) == WAITS
    assert "hunter2" not in " ".join([*messages, *logged])


def test_a_wait_without_an_api_is_an_error(emulator: Emulator) -> None:
    """A wait spec without an API ends the wait at once, with an error that says so."""
    wait_spec = WaitSpec(
        CloudPartnerPortalHook().offer_ref("contoso-vm"), "live", datetime.now(timezone.utc), api="cloud_partner_portal"
    )

    payload = {key: value for key, value in wait_spec.to_payload().items() if key != "api"}

    async def main() -> Any:
        return (await anext(OfferStatusTrigger(CONNECTION, payload).run())).payload

    event = asyncio.run(main())
    assert event["result"] == "error"
    assert event["retryable"] is False
    assert emulator.requests == []
    assert "another release" in event["message"]
