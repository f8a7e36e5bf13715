# SPDX-License-Identifier: Apache-2.0
"""A test driver for flows: no network, and time passes only when a flow sleeps."""

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
    """Drive flows with scripted responses and a clock of its own.

    :ivar sent: the requests, as ``POST /path``.
    :ivar logged: the log lines, each with its level.
    :ivar checkpoints: the saved checkpoints.
    :ivar deadlines: the deadlines that the flow set.
    :ivar reload_error: what reloading the connection raises, if anything.
    :ivar respond: returns what a request gets: a response, an error to raise, or JSON for a 200.
    """

    def __init__(self) -> None:
        self.now = START
        self.sent: list[str] = []
        self.logged: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.checkpoints: list[dict[str, Any] | None] = []
        self.deadlines: list[datetime] = []
        self.reloads = 0
        self.reload_error: MarketplaceError | None = None
        self.respond: Callable[[Request[Any]], Any] = lambda _: {}

    @property
    def posts(self) -> int:
        """Return how many POST requests were sent."""
        return sum(line.startswith("POST") for line in self.sent)

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow to its end."""
        resume: Callable[[Any], Any] = flow.send
        value: Any = None
        while True:
            try:
                effect = resume(value)
            except StopIteration as stop:
                return stop.value
            resume, value = flow.send, None
            match effect:
                case SendRequest(request):
                    self.sent.append(f"{request.method} {request.path}")
                    value = self.respond(request)
                    if isinstance(value, MarketplaceError):
                        resume = flow.throw
                    elif not isinstance(value, Response):
                        value = make_response(value)
                case Sleep(seconds):
                    self.slept.append(seconds)
                    self.now += timedelta(seconds=seconds)
                case GetTime():
                    value = self.now
                case ReloadConnection():
                    self.reloads += 1
                    if self.reload_error is not None:
                        resume, value = flow.throw, self.reload_error
                case _:
                    self._record(effect)

    def _record(self, effect: Log | SaveCheckpoint | SetDeadline) -> None:
        if isinstance(effect, SetDeadline):
            self.deadlines.append(effect.at)
        elif isinstance(effect, SaveCheckpoint):
            self.checkpoints.append(effect.checkpoint)
        else:
            self.logged.append((effect.text, {20: "info", 30: "warning"}[effect.level]))


def make_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, origin: str = ORIGIN
) -> Response:
    """Make a response; its body becomes JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, content, dict(headers or {}), origin, START)
