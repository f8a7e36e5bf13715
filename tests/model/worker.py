# SPDX-License-Identifier: Apache-2.0
"""A process that runs the flows of the task: it does what they ask for, and may die at any effect, before or after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from model.ledger import Ledger
from model.marketplace import Marketplace

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, SaveCheckpoint, SendRequest, Sleep
from airflow_provider_cpp.core.http import Request, Response


class Died(BaseException):
    """The process ended: killed, out of memory, its machine gone."""


@dataclass
class Worker:
    """One process.

    :ivar timeout: the task's, in seconds.
    :ivar dies: how likely the process dies before it has done its work.
    :ivar keep: saves a checkpoint, or removes it.
    :ivar say: takes a line of the trace.
    :ivar believes_1xx: the planted fault that takes an interim response for a refusal.
    """

    rng: Random
    market: Marketplace
    ledger: Ledger
    timeout: float
    dies: float
    keep: Callable[[dict[str, Any] | None], None]
    say: Callable[[str], None]
    believes_1xx: bool = False
    _death: tuple[str, int, bool] | None = field(init=False)
    _counted: int = 0

    def __post_init__(self) -> None:
        """Draw at which effect the process dies: of a kind, the how manieth, and whether after it."""
        self._death = None
        if self.rng.random() < self.dies:
            kind, most = self.rng.choice((("any", 12), ("any", 120), ("keep", 3), ("submit", 1), ("submit", 2)))
            self._death = kind, self.rng.randint(1, most), self.rng.random() < 0.7

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow to its end, or to the process's.

        :raises Died: if the process ends first.
        """
        resume, value = flow.send, None
        while True:
            try:
                effect = resume(value)
            except StopIteration as stop:
                return stop.value
            self.ledger.effect()
            self.ledger.check_time(self.timeout)
            after = self._dies_at(effect)
            if after is False:
                raise Died
            try:
                resume, value = flow.send, self._do(effect, dies=after is True)
            except exceptions.MarketplaceError as error:
                resume, value = flow.throw, error
            if after is True:
                raise Died

    def _do(self, effect: Any, *, dies: bool) -> Any:
        match effect:
            case SendRequest(call) if call.method == "GET":
                return self.market.get(call)
            case SendRequest(call):
                return self._submit(call, dies=dies)
            case Sleep(seconds):
                self.market.pass_time(seconds)
            case GetTime():
                return self.market.time()
            case Log(text):
                self.say(f"log: {text}")
                self.ledger.told(text)
            case SaveCheckpoint(note):
                self.say(
                    f"checkpoint: {note and {key: note[key] for key in ('known_ids', 'draft_version', 'operation')}}"
                )
                self.keep(note)
        return None

    def _submit(self, call: Request[Any], *, dies: bool) -> Response:
        submit = self.ledger.submitting()
        submit.outcome, response = self.market.post(call, self.ledger.run, dies=dies)
        if dies:
            submit.outcome = "unproven"
        said = response.status if isinstance(response, Response) else response.text
        there = ", ".join(f"{record.id} {record.state}" for record in self.market.records) or "none"
        self.say(f"submit: {submit.outcome}, {'died' if dies else said}; records: {there}")
        if isinstance(response, exceptions.MarketplaceError):
            raise response
        reply: Response = response
        if self.believes_1xx and reply.status < 200:
            raise exceptions.BadRequestError(call.description, status=reply.status)
        return reply

    def _dies_at(self, effect: Any) -> bool | None:
        """Say whether the process dies before (False) or after (True) an effect; None if it lives."""
        if self._death is None:
            return None
        kind, number, after = self._death
        is_submit = isinstance(effect, SendRequest) and effect.request.method == "POST"
        counts = {"keep": isinstance(effect, SaveCheckpoint), "submit": is_submit}.get(kind, True)
        self._counted += counts
        return after if counts and self._counted >= number else None
