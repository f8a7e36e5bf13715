# SPDX-License-Identifier: Apache-2.0
"""A marketplace with a clock, for one offer: what it accepts, what other people do, and how late it shows that.

Everything that can go either way is drawn from one random generator, so that a seed names a run. Times are seconds.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar

from model.habits import LONGEST_DELAY, READ_FAULTS, REFUSALS, UNPROVEN, Habits

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.api import MarketplaceAPI
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef

OFFER = OfferRef("contoso", "contoso-vm")
BEGAN = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
SETTLE = 900.0
SUPERSEDED = "completed"


@dataclass(slots=True)
class Record:
    """An operation that the marketplace accepted.

    :ivar run: which run of the task submitted it; None for somebody else.
    :ivar number: the number of its publication.
    :ivar states: since when it has which state, in order; ``parked`` while it awaits the sign-off.
    :ivar lags: by how many seconds the list and the status lag behind it.
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
        """Its state by now."""
        return self.states[-1][1]

    @property
    def in_progress(self) -> bool:
        """Whether it has not ended; awaiting the sign-off counts as ended."""
        return self.state == "running"

    def seen_at(self, moment: float) -> tuple[float, str] | None:
        """Return since when it had which state at a moment; None before it began."""
        return next((state for state in reversed(self.states) if state[0] <= moment), None)


@dataclass
class Marketplace:
    """One offer of a marketplace; each API adds how it is asked.

    :cvar api: the API by which it is asked.
    :cvar has_one_id: whether a publication has one id from its publish to the market.
    :ivar on_accept: told of each operation as it is accepted.
    :ivar on_shown: told of what a read showed: the records that were visible, and those of them seen as in progress.
    :ivar pending: how many submits of each run of the task are still on their way.
    """

    api: ClassVar[MarketplaceAPI]
    has_one_id: ClassVar[bool] = False
    rng: Random
    habits: Habits
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
        """Let the marketplace have some past, and other people begin."""
        if self.rng.random() < 0.5:
            self.accept(None)
            self.pass_time(self.rng.expovariate(1 / 20000))
        if self.habits.others_every is not None:
            self.later(self.rng.expovariate(1 / self.habits.others_every), self._somebody_acts)
        if self.habits.faults or self.habits.busy_windows:
            self.later(self.rng.expovariate(1 / 3000), self._trouble)

    def time(self) -> datetime:
        """Return what time it is."""
        return BEGAN + timedelta(seconds=self.now)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen after so many seconds."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, what))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what happens in it happen."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            at, _, what = heapq.heappop(self._events)
            self.now = at
            what()
        self.now = until

    def in_progress(self) -> Record | None:
        """Return the operation in progress, whether or not it shows."""
        return next((record for record in self.records if record.in_progress), None)

    def accept(self, run: int | None, kind: str = "publish") -> Record | None:
        """Accept a publish or a go-live unless something is in progress."""
        if self.in_progress() is not None:
            return None
        for record in self.records:
            if record.state == "parked":
                record.states.append((self.now, SUPERSEDED))
        number = sum(record.kind == "publish" for record in self.records) + (kind == "publish")
        self._count += 1
        lags = (self._lag(), self._lag()) if self.habits.is_slow or not self.habits.is_replicated else (0.0, 0.0)
        name = f"{'theirs' if run is None else 'ours'}-{self._count}"
        record = Record(name, kind, run, number, self.draft, [(self.now, "running")], lags)
        self.records.append(record)
        ends = ("failed", "completed", "parked") if kind == "publish" else ("failed", "completed")
        end = self.rng.choice(ends)
        self.later(self.rng.choice((1.0, self.rng.expovariate(1 / self.habits.lasts))), lambda: self._end(record, end))
        self.on_accept(record)
        return record

    def submit(self, run: int, *, dies: bool) -> tuple[Any, Any]:
        """Take a submit of the task.

        :param dies: whether the task dies before it reads the response.
        :returns: what the response is: ``accepted`` with what was begun, a status, or a word of the tables above; and
            the record or the job.
        """
        self.pass_time(self.rng.choice((0.2, 2.0)))
        roll, habits = self.rng.random(), self.habits
        if self.down_until > self.now:
            return self.rng.choice((503, "never sent", "lost")), None
        if roll < habits.refuses:
            return self.rng.choice(REFUSALS), None
        if dies or roll < habits.refuses + habits.unproven:
            self._deliver_perhaps(run)
            self.pass_time(self.rng.choice((0.0, 30.0, 250.0)))
            return self.rng.choice(UNPROVEN), None
        if habits.rejects_unchanged or self.busy_until > self.now:
            return "conflict", "The draft has no changes" if habits.rejects_unchanged else "The offer is locked"
        return self._deliver(run)

    def deliver(self, run: int) -> Any:
        """Let a submit reach the marketplace."""
        return self.accept(run)

    def _deliver(self, run: int) -> tuple[Any, Any]:
        record = self.deliver(run)
        return ("conflict", "An In Progress submission already exists") if record is None else ("accepted", record)

    def _deliver_perhaps(self, run: int) -> None:
        """Let a submit take effect now, later, or never."""
        how = self.rng.choice(("now", "later", "never"))
        rejects = self.habits.rejects_unchanged
        if how == "now" and not rejects and self.busy_until <= self.now:
            self.deliver(run)
        elif how == "later" and not rejects:
            self.pending[run] = self.pending.get(run, 0) + 1
            self.later(self.rng.uniform(0, LONGEST_DELAY), lambda: self._arrive(run))

    def _arrive(self, run: int) -> None:
        self.pending[run] -= 1
        self.deliver(run)

    def _end(self, record: Record, state: str) -> None:
        if record.in_progress:
            record.states.append((self.now, state))

    def _lag(self) -> float:
        if self.habits.is_slow:
            return self.rng.uniform(SETTLE, 4 * SETTLE)
        return self.rng.choice((0.0, self.rng.uniform(0, self.habits.lag)))

    def _somebody_acts(self) -> None:
        """Let somebody in Partner Center edit, publish, cancel, or sign off."""
        there = self.in_progress()
        if self.rng.random() < 0.3:
            self.draft += 1
        if there is not None:
            if self.rng.random() < 0.3:
                self._end(there, "canceled")
        elif self.records and self.records[-1].state == "parked" and self.rng.random() < 0.5:
            self.accept(None, "golive")
        else:
            self.accept(None)
        self.later(self.rng.expovariate(1 / (self.habits.others_every or 1.0)), self._somebody_acts)

    def _trouble(self) -> None:
        """Let reads and submits fail for some time, or the offer be locked by something that shows nowhere."""
        seconds = self.rng.choice((10.0, 200.0, 1500.0))
        if self.habits.faults and self.rng.random() < 0.3:
            self.down_until = self.now + seconds
        if self.habits.busy_windows:
            self.busy_until = self.now + seconds
        self.later(self.rng.expovariate(1 / 6000), self._trouble)

    def read(self, *, source: int) -> list[tuple[Record, float, str]]:
        """Return the operations as the list (0) or the status (1) shows them: each with its last change and state."""
        lag = self.rng.choice((0.0, self.rng.uniform(0, self.habits.lag))) if self.habits.is_replicated else 0.0
        shown = []
        for record in self.records:
            seen = record.seen_at(self.now - record.lags[source] - lag)
            if seen is not None:
                shown.append((record, *seen))
        if source == 0:
            all_shown = [record for record, _, _ in shown]
            self.on_shown(all_shown, [record for record, _, state in shown if state == "running"])
        return shown

    def get(self, call: Request[Any]) -> Response:
        """Respond to a read.

        :raises MarketplaceError: where no response comes.
        """
        self.pass_time(0.5)
        if self.down_until > self.now or self.rng.random() < self.habits.faults:
            return respond(call, self.rng.choice(READ_FAULTS))
        return respond(call, 200, self.body(call))

    def body(self, call: Request[Any]) -> Any:
        """Make the body of a read's response; each API has its own."""
        raise NotImplementedError

    def post(self, call: Request[Any], run: int, *, dies: bool) -> tuple[str, Any]:
        """Take a submit and respond: whether it was ``accepted``, ``refused`` or is ``unproven``, and with what.

        :returns: the second is a reply, or the error that no response is.
        """
        raise NotImplementedError

    def find(self, operation: Any) -> Record | None:
        """Return the record that an operation of the package names."""
        raise NotImplementedError


def respond(call: Request[Any], status: Any, body: Any = None, headers: dict[str, str] | None = None) -> Response:
    """Make a reply of a status, or raise what no response is.

    :raises TransportError: for ``lost`` and ``never sent``.
    """
    if status in ("lost", "never sent"):
        raise exceptions.TransportError(call.description, text=str(status), sent=status == "lost")
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status, content, headers or {}, "https://x", BEGAN)
