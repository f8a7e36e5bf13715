# SPDX-License-Identifier: Apache-2.0
"""Credentials that expire during a wait: the connection is read again, and the wait goes on or fails with the reason."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from partner_center_emulator import Emulator
from support.auth_methods import AuthMethod

from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.tasks.completion import finish_from_event
from airflow_provider_cpp.transport import shared_connection
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
CONNECTION = "cloud_partner_portal_default"
RunWait = Callable[[WaitSpec], dict[str, Any]]


def by_trigger(wait_spec: WaitSpec) -> dict[str, Any]:
    """Wait as a triggerer does, and return the event's payload."""
    path, arguments = OfferStatusTrigger(CONNECTION, wait_spec.to_payload()).serialize()
    assert path.endswith(".OfferStatusTrigger")

    async def first_event() -> Any:
        return await anext(OfferStatusTrigger(**arguments).run())

    return asyncio.run(first_event()).payload


def by_worker(wait_spec: WaitSpec) -> dict[str, Any]:
    """Wait as a task that does not defer does."""
    return CloudPartnerPortalHook().run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).to_payload()


class RunningWait:
    """A wait in its own thread."""

    def __init__(self, emulator: Emulator, run_wait: RunWait, wait_spec: WaitSpec) -> None:
        self.emulator = emulator
        self.event: dict[str, Any] | None = None
        self._run_wait, self._wait_spec = run_wait, wait_spec
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.event = self._run_wait(self._wait_spec)

    def polls(self, status: int) -> int:
        """Return the number of polls with this status."""
        return sum(one.status == status for one in self.emulator.requests if one.route == "operation")

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the wait go on until a condition holds."""
        end = time.monotonic() + 20
        while not condition() and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        assert condition()

    def end(self) -> dict[str, Any]:
        """Wait for the end, and return the event's payload."""
        self._thread.join(30)
        assert self.event is not None
        return self.event


@pytest.fixture(autouse=True)
def _frequent_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let failed polls in a trigger read the connection often."""
    monkeypatch.setattr(shared_connection, "FAILURE_RELOAD_INTERVAL", 0.1)


@pytest.fixture
def begin(sign_in_by: Callable[..., Emulator], methods: dict[str, AuthMethod]) -> Callable[..., RunningWait]:
    """Return a function that publishes, starts a wait for the preview, and returns after two successful polls."""

    def start(name: str, run_wait: RunWait, tolerance: float = 60.0) -> RunningWait:
        emulator = sign_in_by(methods[name])
        operation: Operation = CloudPartnerPortalHook().publish_offer(OFFER)
        deadline = datetime.now(timezone.utc) + timedelta(seconds=60)
        wait_spec = WaitSpec(
            operation.offer,
            "preview",
            deadline,
            operation,
            poll_interval=0.05,
            poll_failure_tolerance=tolerance,
            responded=True,
            api=CloudPartnerPortalHook.conn_type,
        )
        waiting = RunningWait(emulator, run_wait, wait_spec)
        waiting.until(lambda: waiting.polls(200) >= 2)
        return waiting

    return start


@pytest.fixture(params=[by_trigger, by_worker])
def run_wait(request: pytest.FixtureRequest) -> RunWait:
    """Return each way to wait."""
    each: RunWait = request.param
    return each


def test_a_new_token_in_the_connection_lets_the_wait_go_on(
    begin: Callable[..., RunningWait],
    run_wait: RunWait,
    use: Callable[..., dict[str, Any]],
    warnings: Callable[[], list[str]],
) -> None:
    """A revoked ready-made token is logged as a warning; the wait uses a new one in the connection, and succeeds."""
    waiting = begin("access_token", run_wait)
    waiting.emulator.revoke_tokens()
    waiting.until(lambda: waiting.polls(401) >= 1)
    use(waiting.emulator.connection_for("access_token"))
    before = waiting.polls(200)
    waiting.until(lambda: waiting.polls(200) > before)
    waiting.emulator.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    logged = warnings()
    assert len(logged) == 1
    assert "put a new one into the connection" in logged[0]
    assert "; the wait goes on" in logged[0]


def test_an_unchanged_token_is_reported_as_unchanged(begin: Callable[..., RunningWait], run_wait: RunWait) -> None:
    """When the tolerance has passed the task fails, and the error says that the connection still holds the same token."""
    waiting = begin("access_token", run_wait, tolerance=2.5)
    waiting.emulator.revoke_tokens()
    event = waiting.end()
    with pytest.raises(AirflowException, match=r"cannot be renewed.*still the same") as caught:
        finish_from_event(event)
    token = waiting.emulator.connection_for("access_token")["password"]
    assert "every poll failed for" in str(caught.value)
    assert token[:20] not in str(caught.value)
    assert waiting.emulator.counts["token"] == 0


def test_a_corrected_secret_lets_the_wait_go_on(
    begin: Callable[..., RunningWait],
    run_wait: RunWait,
    use: Callable[..., dict[str, Any]],
    warnings: Callable[[], list[str]],
) -> None:
    """A client secret that Entra ID refuses is logged as a warning; the wait uses the corrected one in the connection."""
    waiting = begin("client_secret", run_wait)
    waiting.emulator.rotate_secret()
    waiting.emulator.revoke_tokens()
    waiting.until(lambda: any(one.route == "token" and one.status == 401 for one in waiting.emulator.requests))
    use(waiting.emulator.connection_for("client_secret"))
    before = waiting.polls(200)
    waiting.until(lambda: waiting.polls(200) > before)
    waiting.emulator.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    logged = warnings()
    assert len(logged) == 1
    assert "AADSTS7000215: Invalid client secret" in logged[0]


def test_an_unreadable_connection_does_not_end_the_wait(
    begin: Callable[..., RunningWait],
    run_wait: RunWait,
    warnings: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If a network failure makes the connection unreadable too, the wait goes on with the known connection."""

    def fail(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("the API server at https://user:secret@airflow is unavailable")

    waiting = begin("client_secret", run_wait)
    with monkeypatch.context() as patch:
        for name in ("get_connection", "aget_connection"):
            patch.setattr(CloudPartnerPortalHook, name, fail, raising=False)
        waiting.emulator.stop()
        time.sleep(1)
        waiting.emulator.start()
        before = waiting.polls(200)
        waiting.until(lambda: waiting.polls(200) > before)
    waiting.emulator.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    logged = "\n".join(warnings())
    assert "cannot be read now" in logged
    assert "RuntimeError" in logged
    assert "secret@" not in logged
