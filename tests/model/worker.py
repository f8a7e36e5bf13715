# SPDX-License-Identifier: Apache-2.0
"""A process that runs the task's flows: it performs their effects, and may die before or after any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from model.invariants import InvariantChecker
from model.marketplace import Marketplace

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, SaveCheckpoint, SendRequest, Sleep
from airflow_provider_cpp.core.http import Request, Response


class ProcessDied(BaseException):
    """The process ended: it was killed, or its machine failed."""


@dataclass
class Worker:
    """One process.

    :ivar timeout: the task's timeout, in seconds.
    :ivar crash_rate: the probability that the process dies.
    :ivar save: saves a checkpoint, or removes it.
    :ivar log: adds a line to the trace.
    :ivar takes_1xx_for_refusal: whether the injected fault is on that takes an interim response for a refusal.
    """

    rng: Random
    market: Marketplace
    checker: InvariantChecker
    timeout: float
    crash_rate: float
    save: Callable[[dict[str, Any] | None], None]
    log: Callable[[str], None]
    takes_1xx_for_refusal: bool = False
    _crash: tuple[str, int, bool] | None = field(init=False)
    _counted: int = 0

    def __post_init__(self) -> None:
        """Draw the effect at which the process dies: its kind, its number, and whether after it."""
        self._crash = None
        if self.rng.random() < self.crash_rate:
            kind, most = self.rng.choice((("any", 12), ("any", 120), ("save", 3), ("submit", 1), ("submit", 2)))
            self._crash = kind, self.rng.randint(1, most), self.rng.random() < 0.7

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow to its end.

        :raises ProcessDied: if the process dies first.
        """
        resume, value = flow.send, None
        while True:
            try:
                effect = resume(value)
            except StopIteration as stop:
                return stop.value
            self.checker.count_effect()
            self.checker.check_time(self.timeout)
            after = self._dies_at(effect)
            if after is False:
                raise ProcessDied
            try:
                resume, value = flow.send, self._do(effect, dies=after is True)
            except exceptions.MarketplaceError as error:
                resume, value = flow.throw, error
            if after is True:
                raise ProcessDied

    def _do(self, effect: Any, *, dies: bool) -> Any:
        match effect:
            case SendRequest(request) if request.method == "GET":
                return self.market.get(request)
            case SendRequest(request):
                return self._submit(request, dies=dies)
            case Sleep(seconds):
                self.market.pass_time(seconds)
            case GetTime():
                return self.market.time()
            case Log(text):
                self.log(f"log: {text}")
                self.checker.check_text(text)
            case SaveCheckpoint(checkpoint):
                keys = ("known_ids", "draft_version", "operation")
                self.log(f"checkpoint: {checkpoint and {key: checkpoint[key] for key in keys}}")
                self.save(checkpoint)
        return None

    def _submit(self, request: Request[Any], *, dies: bool) -> Response:
        submit = self.checker.record_submit()
        submit.outcome, response = self.market.post(request, self.checker.run, dies=dies)
        if dies:
            submit.outcome = "unproven"
        result = response.status if isinstance(response, Response) else response.text
        records = ", ".join(f"{record.id} {record.state}" for record in self.market.records) or "none"
        self.log(f"submit: {submit.outcome}, {'died' if dies else result}; records: {records}")
        if isinstance(response, exceptions.MarketplaceError):
            raise response
        if self.takes_1xx_for_refusal and response.status < 200:
            raise exceptions.BadRequestError(request.description, status=response.status)
        return cast("Response", response)

    def _dies_at(self, effect: Any) -> bool | None:
        """Return whether the process dies before (False) or after (True) an effect; None if it lives on."""
        if self._crash is None:
            return None
        kind, number, after = self._crash
        is_submit = isinstance(effect, SendRequest) and effect.request.method == "POST"
        counts = {"save": isinstance(effect, SaveCheckpoint), "submit": is_submit}.get(kind, True)
        self._counted += counts
        return after if counts and self._counted >= number else None
