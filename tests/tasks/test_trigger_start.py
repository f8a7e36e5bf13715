# SPDX-License-Identifier: Apache-2.0
"""Waits that a triggerer starts while their connection cannot be used: each is a failed poll, and not the wait's end."""

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
"""Seconds; longer than what was read counts, so that every round of polls reads the connection."""


class Vault(BaseSecretsBackend):
    """A secrets backend as Airflow loads it, which knows no connection, and cannot even be made while it is sealed."""

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


def forget_secrets_backends() -> None:
    """Let Airflow make its secrets backends anew, where it keeps them."""
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module("airflow.sdk.configuration").clear_secrets_backends_cache()


@pytest.fixture
def portal(serve: Callable[..., Emulator]) -> Emulator:
    """Serve a portal with one offer."""
    made = serve()
    made.add_offer("contoso-vm")
    return made


@pytest.fixture(params=["sealed vault", "missing connection", "missing CA bundle"])
def fault(
    request: pytest.FixtureRequest,
    portal: Emulator,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[tuple[WaitSpec, Callable[[], None], str]]:
    """Submit a publish, then make the connection unusable; gives what to wait for, how to repair it, and what errors say."""
    bundle = tmp_path / "ca.pem"
    operation = CloudPartnerPortalHook().publish_offer("contoso-vm")
    portal.clock.advance(days=30)
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5)
    watch = WaitSpec(
        operation.offer, "preview", deadline, operation, poll_interval=POLL_INTERVAL, answered=True, api=operation.api
    )
    if request.param == "sealed vault":
        Vault.sealed = True
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.Vault")
        yield watch, lambda: setattr(Vault, "sealed", False), "RuntimeError"
    elif request.param == "missing connection":
        value = os.environ[VARIABLE]
        monkeypatch.delenv(VARIABLE)
        yield watch, lambda: monkeypatch.setenv(VARIABLE, value), "isn't defined"
    else:
        connect(portal, extra={"verify": str(bundle)})
        yield watch, lambda: (bundle.write_bytes(portal.ca_file.read_bytes()), None)[1], "does not exist"
    Vault.sealed = False
    monkeypatch.undo()
    forget_secrets_backends()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another thread, or a log, makes it true
            await asyncio.sleep(0.02)


async def start(watch: WaitSpec) -> list[asyncio.Task[Any]]:
    """Start waits as a triggerer does that was restarted."""

    async def one() -> Any:
        return (await anext(OfferStatusTrigger(CONNECTION, watch.to_payload()).run())).payload

    return [asyncio.create_task(one()) for _ in range(WAITS)]


def test_waits_go_on_once_the_connection_can_be_used(
    fault: tuple[WaitSpec, Callable[[], None], str], portal: Emulator, lookups: Callable[[], int]
) -> None:
    """Waits that start while their connection cannot be used poll on, one read for all, and end well once it can be."""
    watch, repair, _ = fault

    async def main() -> list[Any]:
        waits = await start(watch)
        await until(lambda: lookups() >= 2 or all(one.done() for one in waits))
        repair()
        events = await asyncio.gather(*waits)
        await until(lambda: portal.connections_open == 0)  # before the loop ends under sockets that are being closed
        return events

    events = asyncio.run(main())
    assert {(event["result"], event["retryable"]) for event in events} == {("reached", False)}, events[0]["message"]
    # Two rounds of polls that fail, and one or two more. A slow machine stretches a round to several reads.
    assert 2 <= lookups() < 12


def test_waits_end_after_the_tolerance(
    fault: tuple[WaitSpec, Callable[[], None], str], warnings: Callable[[], list[str]]
) -> None:
    """Where it is never repaired, the waits end after the tolerance, retryable, and say why without the error's own text."""
    watch, _, said = fault

    async def main() -> list[Any]:
        return await asyncio.gather(
            *await start(WaitSpec.from_payload(watch.to_payload() | {"poll_failure_tolerance": 2}))
        )

    events = asyncio.run(main())
    assert {(event["result"], event["retryable"]) for event in events} == {("error", True)}
    messages = {event["message"] for event in events}
    assert all("no answer from the portal for" in text and said in text for text in messages), messages
    told = warnings()
    assert len([text for text in told if said in text]) == WAITS
    assert "hunter2" not in " ".join([*messages, *told])


def test_a_wait_that_names_no_api_says_so(portal: Emulator) -> None:
    """A wait that does not say which API it is for ends at once, with an error that says so."""
    watch = WaitSpec(
        CloudPartnerPortalHook().offer_ref("contoso-vm"), "live", datetime.now(timezone.utc), api="cloud_partner_portal"
    )

    payload = {key: value for key, value in watch.to_payload().items() if key != "api"}

    async def main() -> Any:
        return (await anext(OfferStatusTrigger(CONNECTION, payload).run())).payload

    event = asyncio.run(main())
    assert (event["result"], event["retryable"], portal.requests) == ("error", False, [])
    assert "another release" in event["message"]
