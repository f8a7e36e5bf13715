# SPDX-License-Identifier: Apache-2.0
"""A publish task as Airflow runs it: tries that die, waits that are deferred, retries, clears, a store that is emptied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from model.ledger import Ledger
from model.marketplace import BEGAN, OFFER, SETTLE, Marketplace
from model.worker import Died, Worker

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import WaitSpec, wait

PLANTS = ("checkpoint-not-saved", "1xx-is-a-refusal", "no-settle")

MOST_TRIES = 8
MOST_PROCESSES = 40
NEVER = 1000
"""A process that no task gets to."""


class Deferred(BaseException):
    """The process of a task ended, and a triggerer waits in its place."""


class WaitFailedError(Exception):
    """A wait ended otherwise than it should.

    :ivar retryable: whether the task is tried again.
    """

    def __init__(self, text: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(text)


@dataclass
class Store:
    """What outlives a try, from Airflow 3.3 on."""

    checkpoint: dict[str, Any] | None = None
    knows_first_try: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """How the task is written, and what happens to it.

    :ivar store_from: the process from which on Airflow has a store: 0 always, ``NEVER`` never.
    :ivar restless: how likely people clear this task or others, or change its retries.
    """

    if_running: str
    deferrable: bool
    retry_delay: float
    timeout: float
    store_from: int
    empties: float
    dies: float
    restless: float

    @classmethod
    def draw(cls, rng: Random) -> Setup:
        """Draw them."""
        return cls(
            if_running=rng.choice(("fail", "wait")),
            deferrable=rng.random() < 0.5,
            retry_delay=rng.choice((1.0, 300.0, 2000.0)),
            timeout=rng.choice((1800.0, 4 * 3600.0, 86400.0)),
            store_from=rng.choice((0, 0, 0, 0, 1, 2, NEVER)),
            empties=rng.choice((0.0, 0.5)),
            dies=rng.choice((0.0, 0.3, 0.7)),
            restless=rng.choice((0.0, 0.0, 0.3)),
        )


@dataclass
class AirflowTask:
    """The task, and what Airflow counts of it.

    :ivar store: what outlives a try, where Airflow has a place for that.
    :ivar kept: the checkpoint as this process knows it; without a store, it does not outlive it.
    :ivar found: the checkpoint with which the procedure was begun last.
    :ivar lost_store: whether this is the first try after a clear that emptied the store.
    """

    rng: Random
    market: Marketplace
    ledger: Ledger
    setup: Setup
    plant: str = ""
    trace: Callable[[str], None] | None = None
    try_number: int = 0
    retries: int = 0
    max_tries: int = 0
    clear_number: int = 0
    since: datetime = BEGAN
    processes: int = 0
    store: Store = field(default_factory=Store)
    kept: dict[str, Any] | None = None
    found: dict[str, Any] | None = None
    lost_store: bool = False
    try_began: datetime = BEGAN
    worker: Worker = field(init=False)

    def play(self) -> None:
        """Schedule the task, and see it through its tries, until it is left alone."""
        self.retries = self.max_tries = self.rng.choice((0, 1, 2, 3))
        self.since = self.market.time()
        for _ in range(MOST_TRIES):
            end = self._try()
            self.market.pass_time(self.rng.choice((1.0, 1.0, 60.0)))
            self._change_about()
            self.lost_store = False
            restarted = end == "cleared"
            is_over = end in ("success", "failed") or (end in ("retry", "died") and self.try_number > self.max_tries)
            if is_over and end in ("retry", "died"):
                self.ledger.counts["retries exhausted"] += 1
            if not restarted and self.rng.random() < (0.5 if is_over else self.setup.restless / 2):
                self._clear(is_over=is_over)
            elif is_over:
                return
            elif not restarted:
                self.market.pass_time(self.setup.retry_delay)

    def _change_about(self) -> None:
        """Let somebody clear another task of the DAG run, or write another number of retries into the DAG."""
        if self.rng.random() < self.setup.restless:
            self.clear_number += 1
            self._say("another task is cleared")
        # Where tries before an upgrade left no trace, a retry with fewer ``retries`` than before looks like a clear.
        is_upgraded = 0 < self.setup.store_from < NEVER
        if self.rng.random() < self.setup.restless and not is_upgraded:
            self.retries = self.rng.choice((0, 1, 2, 3))
            self._say(f"retries becomes {self.retries}")

    def _clear(self, *, is_over: bool) -> None:
        """Clear the task as Airflow does where it does not run."""
        self.market.pass_time(self.rng.choice((5.0, 600.0, 5000.0)))
        self.max_tries = self.try_number + self.retries
        if is_over:
            self.since = self.market.time()
        self._cleared()
        self.lost_store = self.setup.store_from == 0 and not self.store.knows_first_try

    def _cleared(self) -> None:
        self.clear_number += 1
        empties = self.rng.random() < self.setup.empties
        if empties:
            self.store = Store()
        self.ledger.begin_run()
        self._say(f"cleared, max_tries {self.max_tries}{', the store emptied' if empties else ''}")

    def _try(self) -> str:
        """Play a try: one process, or several with deferred waits between them."""
        self.try_number += 1
        self.ledger.begin_try()
        self.try_began = self.market.time()
        self._say(f"try {self.try_number} of max_tries {self.max_tries}, retries {self.retries}")
        event = None
        while True:
            self.processes += 1
            self.worker = self._begin_process(self.setup.dies)
            try:
                if event is not None:
                    finish(event)
                operation = self._ordered()
            except Deferred:
                if self.rng.random() < self.setup.restless / 4:
                    self._clear(is_over=False)
                    return "cleared"
                event = self._begin_process(0.0).run(
                    wait(self.market.api, self._watch(), PollState(answered=True, step_since=self.market.time()))
                )
            except Died:
                if self.rng.random() < self.setup.restless / 2:
                    self._cleared()
                    return "cleared"
                self._say("died")
                return "died"
            except (exceptions.MarketplaceError, WaitFailedError) as error:
                return self._ended(error)
            else:
                self._say(f"returned {operation.display_id}")
                self.ledger.adopted(operation, returned=True)
                self.ledger.counts["success"] += 1
                return "success"
            if self.processes > MOST_PROCESSES:
                return "failed"

    def _ended(self, error: Exception) -> str:
        self._say(f"{type(error).__name__}: {error}")
        self.ledger.ended(error, lost_store=self.lost_store)
        self.ledger.counts[type(error).__name__ + ("" if error.retryable else ", final")] += 1  # type: ignore[attr-defined]
        return "retry" if error.retryable else "failed"  # type: ignore[attr-defined]

    def _ordered(self) -> Operation:
        """Submit and wait for others, as ``_ordered`` of the package's ``operators.running`` does."""
        attempt = self._attempt()
        self.kept = self.found = self.store.checkpoint if attempt.can_checkpoint else None
        deadline = self.try_began + timedelta(seconds=self.setup.timeout)
        while True:
            try:
                operation: Operation = self.worker.run(
                    self.market.api.publish(PublishParams(OFFER, (), attempt, self._draft()))
                )
            except exceptions.OperationInProgressError as running:
                if self.setup.if_running != "wait" or self.market.time() >= deadline:
                    raise
                self._say(f"{running}; waiting for it to end")
                self.ledger.told(str(running), blames_others=True)
                if self.setup.deferrable:
                    raise Deferred from None
                finish(self.worker.run(wait(self.market.api, self._watch())))
                self.found = self.kept
                attempt = replace(attempt, checkpoint=Checkpoint.from_payload(self.kept))
            else:
                return operation

    def _attempt(self) -> TryContext:
        """Gather what a try can know, as ``attempt_of`` of the package's ``operators.running`` does."""
        can_note = self.processes > self.setup.store_from
        counts = TryCounts(self.try_number, self.max_tries, self.retries, self.clear_number)
        earlier_could_note = self.try_number <= 1 or (can_note and self.store.knows_first_try)
        if can_note and (self.try_number <= 1 or counts.follows_clear):
            self.store.knows_first_try = True
        return TryContext(
            settle_time=0.0 if self.plant == "no-settle" else SETTLE,
            counts=counts,
            can_checkpoint=can_note,
            earlier_could_checkpoint=earlier_could_note,
            checkpoint=Checkpoint.from_payload(self.store.checkpoint) if can_note else None,
            dag_run_start=self.since,
            waits_for_others=self.setup.if_running == "wait",
        )

    def _draft(self) -> int | None:
        try:
            document = self.worker.run(self.market.api.get_draft(OFFER))
        except exceptions.RequestError:
            return None
        return document.version if document is not None else None

    def _watch(self) -> WaitSpec:
        deadline = self.try_began + timedelta(seconds=self.setup.timeout)
        return WaitSpec(OFFER, "idle", deadline, poll_failure_tolerance=7200.0, answered=True, api=self.market.api.name)

    def _keep(self, note: dict[str, Any] | None) -> None:
        """Save a checkpoint, or remove it, as the package's ``Notes`` do."""
        if note is not None and note["operation"] is None:
            self.ledger.saving()
        elif note is not None and note != self.found:  # what an earlier try saved may stand again
            self.ledger.adopted(Operation.from_json(note["operation"]), returned=False)
        if self.plant == "checkpoint-not-saved":
            return
        self.kept = note
        if self.processes > self.setup.store_from:
            self.store.checkpoint = note

    def _begin_process(self, dies: float) -> Worker:
        return Worker(
            self.rng, self.market, self.ledger, self.setup.timeout, dies, self._keep, self._say, self.plant == PLANTS[1]
        )

    def _say(self, text: str) -> None:
        if self.trace is not None:
            self.trace(f"{self.market.now:9.1f}  run {self.ledger.run} try {self.try_number}  {text}")


def finish(outcome: Any) -> None:
    """End a wait as the package's ``completion`` does.

    :raises WaitFailedError: unless it reached what was waited for.
    """
    if outcome.result is not WaitResult.REACHED:
        raise WaitFailedError(outcome.message, retryable=outcome.retryable)
