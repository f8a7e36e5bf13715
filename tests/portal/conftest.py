# SPDX-License-Identifier: Apache-2.0
"""A portal played by hand: flows are driven without a wire, and time passes when they sleep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_cpp.portal.calls import Call, Reply
from airflow_provider_cpp.portal.errors import PortalError
from airflow_provider_cpp.portal.flows import Flow, Keep, Now, Reconnect, Send, Sleep, Tell
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.operations import Operation

START = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)
ORIGIN = "https://cloudpartner.azure.com"


class Player:
    """Plays the portal and the clock for a flow.

    :ivar notes: what was kept, in order.
    :ivar connection: what reading the connection again raises.
    :ivar answer: what a call is answered with: a reply, an error to raise, or JSON for a 200.
    """

    def __init__(self) -> None:
        self.now = START
        self.sent: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.notes: list[dict[str, Any] | None] = []
        self.reconnects = 0
        self.connection: PortalError | None = None
        self.answer: Callable[[Call[Any]], Any] = lambda _: {}

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow to its end."""
        resume: Callable[[Any], Any] = flow.send
        value: Any = None
        while True:
            try:
                request = resume(value)
            except StopIteration as stop:
                return stop.value
            resume, value = flow.send, None
            match request:
                case Send(call):
                    self.sent.append(f"{call.method} {call.path}")
                    value = self.answer(call)
                    if isinstance(value, PortalError):
                        resume = flow.throw
                    elif not isinstance(value, Reply):
                        value = reply(value)
                case Sleep(seconds):
                    self.slept.append(seconds)
                    self.now += timedelta(seconds=seconds)
                case Now():
                    value = self.now
                case Reconnect():
                    self.reconnects += 1
                    if self.connection is not None:
                        resume, value = flow.throw, self.connection
                case _:
                    self.note(request)

    def note(self, request: Tell | Keep) -> None:
        """Note what a flow tells and keeps."""
        if isinstance(request, Keep):
            self.notes.append(request.note)
        else:
            self.told.append((request.text, {20: "info", 30: "warning"}[request.level]))


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Make an answer of JSON, or of bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, dict(headers or {}), ORIGIN, START)


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture(scope="session")
def make_player() -> type[Player]:
    """Return what makes a player, for tests that need one for each of many examples."""
    return Player


@pytest.fixture
def make_reply() -> Callable[..., Reply]:
    return reply


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef("contoso", "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, "new-id", None)


@pytest.fixture(scope="session")
def start() -> datetime:
    return START
