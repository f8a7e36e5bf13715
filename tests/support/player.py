# SPDX-License-Identifier: Apache-2.0
"""An API played by hand: flows are driven without a wire, and time passes when they sleep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_cpp.core.effects import (
    Flow,
    GetTime,
    Log,
    ReloadConnection,
    SaveCheckpoint,
    SendRequest,
    SetDeadline,
    Sleep,
)
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.exceptions import MarketplaceError

START = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)
ORIGIN = "https://cloudpartner.azure.com"


class Player:
    """Plays the portal and the clock for a flow.

    :ivar notes: what was kept, in order.
    :ivar deadlines: what was set, in order.
    :ivar connection: what reading the connection again raises.
    :ivar answer: what a call is answered with: a reply, an error to raise, or JSON for a 200.
    """

    def __init__(self) -> None:
        self.now = START
        self.sent: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.notes: list[dict[str, Any] | None] = []
        self.deadlines: list[datetime] = []
        self.reconnects = 0
        self.connection: MarketplaceError | None = None
        self.answer: Callable[[Request[Any]], Any] = lambda _: {}

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
                case SendRequest(call):
                    self.sent.append(f"{call.method} {call.path}")
                    value = self.answer(call)
                    if isinstance(value, MarketplaceError):
                        resume = flow.throw
                    elif not isinstance(value, Response):
                        value = reply(value)
                case Sleep(seconds):
                    self.slept.append(seconds)
                    self.now += timedelta(seconds=seconds)
                case GetTime():
                    value = self.now
                case ReloadConnection():
                    self.reconnects += 1
                    if self.connection is not None:
                        resume, value = flow.throw, self.connection
                case _:
                    self.note(request)

    def note(self, request: Log | SaveCheckpoint | SetDeadline) -> None:
        """Note what a flow tells and keeps, and its deadlines."""
        if isinstance(request, SetDeadline):
            self.deadlines.append(request.at)
        elif isinstance(request, SaveCheckpoint):
            self.notes.append(request.checkpoint)
        else:
            self.told.append((request.text, {20: "info", 30: "warning"}[request.level]))


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None, origin: str = ORIGIN) -> Response:
    """Make an answer of JSON, or of bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, content, dict(headers or {}), origin, START)
