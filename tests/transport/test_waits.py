# SPDX-License-Identifier: Apache-2.0
"""Credentials that end while something is waited for: the connection is read again, and the wait goes on or says why."""

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

from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.tasks.completion import finish_from_event
from airflow_provider_cpp.transport.loop_registry import loop_registry
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

OFFER = "contoso-vm"
CONNECTION = "cloud_partner_portal_default"


def by_trigger(watch: WaitSpec) -> dict[str, Any]:
    """Wait as a triggerer does, and return the event's payload."""
    path, arguments = OfferStatusTrigger(CONNECTION, watch.to_payload()).serialize()
    assert path.endswith(".OfferStatusTrigger")

    async def first_event() -> Any:
        (await loop_registry()).failure_interval = 0.1  # the connection is read that often while looks fail
        return await anext(OfferStatusTrigger(**arguments).run())

    return asyncio.run(first_event()).payload


def by_worker(watch: WaitSpec) -> dict[str, Any]:
    """Wait as a task that does not defer does."""
    return CloudPartnerPortalHook().run(wait(CLOUD_PARTNER_PORTAL_API, watch)).to_payload()


class Waiting:
    """A wait that goes on in a thread of its own, and what it told."""

    def __init__(self, portal: Emulator, how: Callable[[WaitSpec], dict[str, Any]], watch: WaitSpec) -> None:
        self.portal = portal
        self.event: dict[str, Any] | None = None
        self._how, self._watch = how, watch
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.event = self._how(self._watch)

    def looks(self, status: int) -> int:
        """Return how many looks were answered so."""
        return sum(one.status == status for one in self.portal.requests if one.route == "operation")

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the wait go on until something has happened."""
        end = time.monotonic() + 20
        while not condition() and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        assert condition()

    def end(self) -> dict[str, Any]:
        """Let it end; returns what a triggerer would hand back."""
        self._thread.join(30)
        assert self.event is not None
        return self.event


@pytest.fixture
def begin(sign_in_by: Callable[..., Emulator], ways: dict[str, Any]) -> Callable[..., Waiting]:
    """Return a function that publishes, waits for the preview, and returns once two looks were answered."""

    def start(name: str, how: Callable[[WaitSpec], dict[str, Any]], tolerance: float = 60.0) -> Waiting:
        portal = sign_in_by(ways[name])
        operation: Operation = CloudPartnerPortalHook().publish_offer(OFFER)
        deadline = datetime.now(timezone.utc) + timedelta(seconds=60)
        watch = WaitSpec(
            operation.offer,
            "preview",
            deadline,
            operation,
            poll_interval=0.05,
            poll_failure_tolerance=tolerance,
            answered=True,
            api=CloudPartnerPortalHook.conn_type,
        )
        waiting = Waiting(portal, how, watch)
        waiting.until(lambda: waiting.looks(200) >= 2)
        return waiting

    return start


@pytest.fixture(params=[by_trigger, by_worker])
def how(request: pytest.FixtureRequest) -> Callable[[WaitSpec], dict[str, Any]]:
    """Return each way to wait."""
    found: Callable[[WaitSpec], dict[str, Any]] = request.param
    return found


def test_a_new_token_in_the_connection_lets_the_wait_go_on(
    begin: Callable[..., Waiting],
    how: Callable[[WaitSpec], dict[str, Any]],
    use: Callable[..., Any],
    warnings: Callable[[], list[str]],
) -> None:
    """A ready-made token that is revoked is warned of; a new one in the connection is found, and the wait ends well."""
    waiting = begin("access_token", how)
    waiting.portal.revoke_tokens()
    waiting.until(lambda: waiting.looks(401) >= 1)
    use(waiting.portal.connection_for("access_token"))
    before = waiting.looks(200)
    waiting.until(lambda: waiting.looks(200) > before)
    waiting.portal.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    told = warnings()
    assert (len(told), "put a new one into the connection" in told[0], "; the wait goes on" in told[0]) == (
        1,
        True,
        True,
    )


def test_the_same_token_in_the_connection_is_said_to_be_the_same(
    begin: Callable[..., Waiting], how: Callable[[WaitSpec], dict[str, Any]]
) -> None:
    """When the tolerance has passed the task fails, and the error says that the connection still holds the same token."""
    waiting = begin("access_token", how, tolerance=2.5)
    waiting.portal.revoke_tokens()
    event = waiting.end()
    with pytest.raises(AirflowException, match=r"cannot be renewed here.*still the same one") as caught:
        finish_from_event(event)
    token = waiting.portal.connection_for("access_token")["password"]
    assert ("no answer from the portal for" in str(caught.value), token[:20] in str(caught.value)) == (True, False)
    assert waiting.portal.counts["token"] == 0


def test_a_secret_that_was_rotated_and_corrected_lets_the_wait_go_on(
    begin: Callable[..., Waiting],
    how: Callable[[WaitSpec], dict[str, Any]],
    use: Callable[..., Any],
    warnings: Callable[[], list[str]],
) -> None:
    """A client secret that Entra ID no longer takes is warned of; the right one in the connection is found."""
    waiting = begin("client_secret", how)
    waiting.portal.rotate_secret()
    waiting.portal.revoke_tokens()
    waiting.until(lambda: any(one.route == "token" and one.status == 401 for one in waiting.portal.requests))
    use(waiting.portal.connection_for("client_secret"))
    before = waiting.looks(200)
    waiting.until(lambda: waiting.looks(200) > before)
    waiting.portal.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    told = warnings()
    assert (len(told), "AADSTS7000215: Invalid client secret" in told[0]) == (1, True)


def test_an_airflow_that_is_away_with_the_portal_does_not_end_the_wait(
    begin: Callable[..., Waiting],
    how: Callable[[WaitSpec], dict[str, Any]],
    warnings: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network that is down takes the connection's source along: the wait goes on with the connection as it was."""

    def away(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("the API server at https://user:secret@airflow is away")

    waiting = begin("client_secret", how)
    with monkeypatch.context() as patch:
        for name in ("get_connection", "aget_connection"):
            patch.setattr(CloudPartnerPortalHook, name, away, raising=False)
        waiting.portal.stop()
        time.sleep(1)
        waiting.portal.start()
        before = waiting.looks(200)
        waiting.until(lambda: waiting.looks(200) > before)
    waiting.portal.clock.advance(days=30)
    assert finish_from_event(waiting.end()).result.value == "reached"
    told = "\n".join(warnings())
    assert ("cannot be read now" in told, "RuntimeError" in told, "secret@" in told) == (True, True, False)
