# SPDX-License-Identifier: Apache-2.0
"""A marketplace with a clock, for one offer: what it accepts, what other people do, and how late it shows that.

Every choice comes from one random generator, so a seed identifies a run. Times are seconds.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

from model.conditions import MAX_DELAY, READ_FAULTS, REFUSALS, UNPROVEN, Conditions

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.api import MarketplaceAPI
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef

OFFER = OfferRef("contoso", "contoso-vm")
START = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
SETTLE = 900.0
SUPERSEDED = "completed"


@dataclass(slots=True)
class Record:
    """An operation that the marketplace accepted.

    :ivar run: the run of the task that submitted it; None for somebody else.
    :ivar number: the number of its publication.
    :ivar states: its states, each with the time from which it has it.
    :ivar lags: seconds by which the list and the status lag for it.
    """

    id: str
    kind: str
    run: int | None
    number: int
    draft: int
    states: list[tuple[float, str]]
    lags: tuple[float, float]

    @property
    def state(self) -> str:
        """Return its current state."""
        return self.states[-1][1]

    @property
    def in_progress(self) -> bool:
        """Return whether it has not ended; awaiting sign-off counts as ended."""
        return self.state == "running"

    def state_at(self, moment: float) -> tuple[float, str] | None:
        """Return its state at a time, with the time since which it has it; None before it began."""
        return next((state for state in reversed(self.states) if state[0] <= moment), None)


@dataclass
class Marketplace:
    """One offer of a marketplace; each API adds its own requests.

    :cvar api: the package's implementation of the API.
    :cvar has_one_id: whether a publication has one id from its publish until it is live.
    :ivar on_accept: called with each accepted operation.
    :ivar on_shown: called with the records that a read of the list showed, and with those shown as in progress.
    :ivar pending: how many submits of each run of the task are in transit.
    """

    api: ClassVar[MarketplaceAPI]
    has_one_id: ClassVar[bool] = False
    rng: Random
    conditions: Conditions
    now: float = 0.0
    records: list[Record] = field(default_factory=list)
    pending: dict[int, int] = field(default_factory=dict)
    draft: int = 1
    busy_until: float = 0.0
    down_until: float = 0.0
    on_accept: Callable[[Record], None] = lambda _: None
    on_shown: Callable[[list[Record], list[Record]], None] = lambda _all, _in_progress: None
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        """Create a past, and schedule other people and outages."""
        if self.rng.random() < 0.5:
            self.accept(None)
            self.pass_time(self.rng.expovariate(1 / 20000))
        if self.conditions.others_interval is not None:
            self.later(self.rng.expovariate(1 / self.conditions.others_interval), self._act_as_somebody_else)
        if self.conditions.read_fault_rate or self.conditions.has_busy_periods:
            self.later(self.rng.expovariate(1 / 3000), self._cause_trouble)

    def time(self) -> datetime:
        """Return the current time."""
        return START + timedelta(seconds=self.now)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Schedule an event."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, what))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with the events scheduled in it."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            at, _, what = heapq.heappop(self._events)
            self.now = at
            what()
        self.now = until

    def in_progress(self) -> Record | None:
        """Return the operation in progress, whether or not it is shown."""
        return next((record for record in self.records if record.in_progress), None)

    def accept(self, run: int | None, kind: str = "publish") -> Record | None:
        """Accept a publish or a go-live, unless an operation is in progress."""
        if self.in_progress() is not None:
            return None
        for record in self.records:
            if record.state == "awaiting sign-off":
                record.states.append((self.now, SUPERSEDED))
        number = sum(record.kind == "publish" for record in self.records) + (kind == "publish")
        self._count += 1
        lags = (
            (self._lag(), self._lag()) if self.conditions.is_slow or not self.conditions.is_replicated else (0.0, 0.0)
        )
        name = f"{'theirs' if run is None else 'ours'}-{self._count}"
        record = Record(name, kind, run, number, self.draft, [(self.now, "running")], lags)
        self.records.append(record)
        ends = ("failed", "completed", "awaiting sign-off") if kind == "publish" else ("failed", "completed")
        end = self.rng.choice(ends)
        self.later(
            self.rng.choice((1.0, self.rng.expovariate(1 / self.conditions.mean_duration))),
            lambda: self._end(record, end),
        )
        self.on_accept(record)
        return record

    def submit(self, run: int, *, dies: bool) -> tuple[Any, Any]:
        """Process a submit of the task.

        :param dies: whether the task dies before it reads the response.
        :returns: ``accepted`` with the record or the job; or a status or a word of the tables above, and None.
        """
        self.pass_time(self.rng.choice((0.2, 2.0)))
        roll, conditions = self.rng.random(), self.conditions
        if self.down_until > self.now:
            return self.rng.choice((503, "never sent", "lost")), None
        if roll < conditions.refusal_rate:
            return self.rng.choice(REFUSALS), None
        if dies or roll < conditions.refusal_rate + conditions.unproven_rate:
            self._maybe_deliver(run)
            self.pass_time(self.rng.choice((0.0, 30.0, 250.0)))
            return self.rng.choice(UNPROVEN), None
        if conditions.rejects_unchanged or self.busy_until > self.now:
            return "conflict", "The draft has no changes" if conditions.rejects_unchanged else "The offer is locked"
        return self._deliver(run)

    def deliver(self, run: int) -> Any:
        """Process a submit that reaches the marketplace."""
        return self.accept(run)

    def _deliver(self, run: int) -> tuple[Any, Any]:
        record = self.deliver(run)
        return ("conflict", "An In Progress submission already exists") if record is None else ("accepted", record)

    def _maybe_deliver(self, run: int) -> None:
        """Let a submit take effect now, later, or never."""
        how = self.rng.choice(("now", "later", "never"))
        rejects = self.conditions.rejects_unchanged
        if how == "now" and not rejects and self.busy_until <= self.now:
            self.deliver(run)
        elif how == "later" and not rejects:
            self.pending[run] = self.pending.get(run, 0) + 1
            self.later(self.rng.uniform(0, MAX_DELAY), lambda: self._arrive(run))

    def _arrive(self, run: int) -> None:
        self.pending[run] -= 1
        self.deliver(run)

    def _end(self, record: Record, state: str) -> None:
        if record.in_progress:
            record.states.append((self.now, state))

    def _lag(self) -> float:
        if self.conditions.is_slow:
            return self.rng.uniform(SETTLE, 4 * SETTLE)
        return self.rng.choice((0.0, self.rng.uniform(0, self.conditions.max_lag)))

    def _act_as_somebody_else(self) -> None:
        """Edit, publish, cancel or sign off as a person in Partner Center."""
        record = self.in_progress()
        if self.rng.random() < 0.3:
            self.draft += 1
        if record is not None:
            if self.rng.random() < 0.3:
                self._end(record, "canceled")
        elif self.records and self.records[-1].state == "awaiting sign-off" and self.rng.random() < 0.5:
            self.accept(None, "golive")
        else:
            self.accept(None)
        self.later(self.rng.expovariate(1 / (self.conditions.others_interval or 1.0)), self._act_as_somebody_else)

    def _cause_trouble(self) -> None:
        """Let requests fail for some time, or lock the offer by something that no list shows."""
        seconds = self.rng.choice((10.0, 200.0, 1500.0))
        if self.conditions.read_fault_rate and self.rng.random() < 0.3:
            self.down_until = self.now + seconds
        if self.conditions.has_busy_periods:
            self.busy_until = self.now + seconds
        self.later(self.rng.expovariate(1 / 6000), self._cause_trouble)

    def read(self, *, source: int) -> list[tuple[Record, float, str]]:
        """Return the operations as the list (0) or the status (1) shows them, each with its last change and state."""
        lag = (
            self.rng.choice((0.0, self.rng.uniform(0, self.conditions.max_lag)))
            if self.conditions.is_replicated
            else 0.0
        )
        shown = []
        for record in self.records:
            state = record.state_at(self.now - record.lags[source] - lag)
            if state is not None:
                shown.append((record, *state))
        if source == 0:
            all_shown = [record for record, _, _ in shown]
            self.on_shown(all_shown, [record for record, _, state in shown if state == "running"])
        return shown

    def get(self, request: Request[Any]) -> Response:
        """Respond to a read.

        :raises MarketplaceError: if there is no response.
        """
        self.pass_time(0.5)
        if self.down_until > self.now or self.rng.random() < self.conditions.read_fault_rate:
            return respond(request, self.rng.choice(READ_FAULTS))
        return respond(request, 200, self.body(request))

    def body(self, request: Request[Any]) -> Any:
        """Return the body of the response to a read."""
        raise NotImplementedError

    def post(self, request: Request[Any], run: int, *, dies: bool) -> tuple[str, Any]:
        """Respond to a submit.

        :returns: whether it is ``accepted``, ``refused`` or ``unproven``, and the response or error.
        """
        raise NotImplementedError

    def find(self, operation: Any) -> Record | None:
        """Return the record that an operation of the package identifies."""
        raise NotImplementedError


def respond(request: Request[Any], status: Any, body: Any = None, headers: dict[str, str] | None = None) -> Response:
    """Make a response of a status.

    :raises TransportError: for ``lost`` and ``never sent``.
    """
    if status in ("lost", "never sent"):
        raise exceptions.TransportError(request.description, text=str(status), sent=status == "lost")
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status, content, headers or {}, "https://x", START)
