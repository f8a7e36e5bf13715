# SPDX-License-Identifier: Apache-2.0
"""A publish task as Airflow runs it: tries that die, deferred waits, retries, clears, and an emptied store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from model.invariants import InvariantChecker
from model.marketplace import OFFER, SETTLE, START, Marketplace
from model.worker import ProcessDied, Worker

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import WaitSpec, wait

FAULT_NAMES = ("checkpoint-not-saved", "1xx-is-a-refusal", "no-settle-time")

MAX_TRIES = 8
MAX_PROCESSES = 40
NEVER = 1000
"""A number of processes that no task reaches."""


class TaskDeferred(BaseException):
    """The process of the task ended, and a triggerer waits in its place."""


class WaitFailedError(Exception):
    """A wait did not reach its target.

    :ivar retryable: whether the task is retried.
    """

    def __init__(self, text: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(text)


@dataclass
class Store:
    """What outlives a try on Airflow 3.3 and newer."""

    checkpoint: dict[str, Any] | None = None
    knows_first_try: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """The task's arguments, and what happens to it; rates are probabilities.

    :ivar store_from: the process from which Airflow has a store: 0 for always, ``NEVER`` for never.
    :ivar user_action_rate: how likely people clear this task or others, or change its retries.
    """

    if_running: str
    deferrable: bool
    retry_delay: float
    timeout: float
    store_from: int
    store_emptied_rate: float
    crash_rate: float
    user_action_rate: float

    @classmethod
    def draw(cls, rng: Random) -> Setup:
        """Draw a setup."""
        return cls(
            if_running=rng.choice(("fail", "wait")),
            deferrable=rng.random() < 0.5,
            retry_delay=rng.choice((1.0, 300.0, 2000.0)),
            timeout=rng.choice((1800.0, 4 * 3600.0, 86400.0)),
            store_from=rng.choice((0, 0, 0, 0, 1, 2, NEVER)),
            store_emptied_rate=rng.choice((0.0, 0.5)),
            crash_rate=rng.choice((0.0, 0.3, 0.7)),
            user_action_rate=rng.choice((0.0, 0.0, 0.3)),
        )


@dataclass
class AirflowTask:
    """The task, and what Airflow counts of it.

    :ivar store: what outlives a try, if Airflow has a place for it.
    :ivar current_checkpoint: the checkpoint as this process knows it; without a store, it ends with the process.
    :ivar initial_checkpoint: the checkpoint with which the last submit procedure began.
    :ivar lost_store: whether this is the first try after a clear that emptied the store.
    """

    rng: Random
    market: Marketplace
    checker: InvariantChecker
    setup: Setup
    injected_fault: str = ""
    trace: Callable[[str], None] | None = None
    try_number: int = 0
    retries: int = 0
    max_tries: int = 0
    clear_number: int = 0
    dag_run_start: datetime = START
    processes: int = 0
    store: Store = field(default_factory=Store)
    current_checkpoint: dict[str, Any] | None = None
    initial_checkpoint: dict[str, Any] | None = None
    lost_store: bool = False
    try_began: datetime = START
    worker: Worker = field(init=False)

    def play(self) -> None:
        """Schedule the task and run its tries until it ends for good."""
        self.retries = self.max_tries = self.rng.choice((0, 1, 2, 3))
        self.dag_run_start = self.market.time()
        for _ in range(MAX_TRIES):
            end = self._try()
            self.market.pass_time(self.rng.choice((1.0, 1.0, 60.0)))
            self._let_users_act()
            self.lost_store = False
            was_cleared = end == "cleared"
            is_over = end in ("success", "failed") or (end in ("retry", "died") and self.try_number > self.max_tries)
            if is_over and end in ("retry", "died"):
                self.checker.counts["retries exhausted"] += 1
            if not was_cleared and self.rng.random() < (0.5 if is_over else self.setup.user_action_rate / 2):
                self._clear(is_over=is_over)
            elif is_over:
                return
            elif not was_cleared:
                self.market.pass_time(self.setup.retry_delay)

    def _let_users_act(self) -> None:
        """Let somebody clear another task of the DAG run, or change the DAG's retries."""
        if self.rng.random() < self.setup.user_action_rate:
            self.clear_number += 1
            self._log("another task cleared")
        # If tries before an upgrade saved no checkpoint, a retry with fewer ``retries`` is indistinguishable from a clear.
        is_upgraded = 0 < self.setup.store_from < NEVER
        if self.rng.random() < self.setup.user_action_rate and not is_upgraded:
            self.retries = self.rng.choice((0, 1, 2, 3))
            self._log(f"retries set to {self.retries}")

    def _clear(self, *, is_over: bool) -> None:
        """Clear the task as Airflow does while it does not run."""
        self.market.pass_time(self.rng.choice((5.0, 600.0, 5000.0)))
        self.max_tries = self.try_number + self.retries
        if is_over:
            self.dag_run_start = self.market.time()
        self._cleared()
        self.lost_store = self.setup.store_from == 0 and not self.store.knows_first_try

    def _cleared(self) -> None:
        self.clear_number += 1
        is_emptied = self.rng.random() < self.setup.store_emptied_rate
        if is_emptied:
            self.store = Store()
        self.checker.begin_run()
        self._log(f"cleared, max_tries {self.max_tries}{', store emptied' if is_emptied else ''}")

    def _try(self) -> str:
        """Run a try: one process, or several with deferred waits in between."""
        self.try_number += 1
        self.checker.begin_try()
        self.try_began = self.market.time()
        self._log(f"try {self.try_number} of max_tries {self.max_tries}, retries {self.retries}")
        event = None
        while True:
            self.processes += 1
            self.worker = self._begin_process(self.setup.crash_rate)
            try:
                if event is not None:
                    raise_for_outcome(event)
                operation = self._submit()
            except TaskDeferred:
                if self.rng.random() < self.setup.user_action_rate / 4:
                    self._clear(is_over=False)
                    return "cleared"
                event = self._begin_process(0.0).run(
                    wait(self.market.api, self._idle_spec(), PollState(responded=True, step_since=self.market.time()))
                )
            except ProcessDied:
                if self.rng.random() < self.setup.user_action_rate / 2:
                    self._cleared()
                    return "cleared"
                self._log("died")
                return "died"
            except (exceptions.MarketplaceError, WaitFailedError) as error:
                return self._end_with_error(error)
            else:
                self._log(f"returned {operation.display_id}")
                self.checker.check_operation(operation, returned=True)
                self.checker.counts["success"] += 1
                return "success"
            if self.processes > MAX_PROCESSES:
                return "failed"

    def _end_with_error(self, error: Exception) -> str:
        self._log(f"{type(error).__name__}: {error}")
        self.checker.check_error(error, lost_store=self.lost_store)
        self.checker.counts[type(error).__name__ + ("" if error.retryable else ", final")] += 1  # type: ignore[attr-defined]
        return "retry" if error.retryable else "failed"  # type: ignore[attr-defined]

    def _submit(self) -> Operation:
        """Submit and wait for others, like the package's ``tasks.runtime``."""
        context = self._try_context()
        self.current_checkpoint = self.initial_checkpoint = self.store.checkpoint if context.can_checkpoint else None
        deadline = self.try_began + timedelta(seconds=self.setup.timeout)
        while True:
            try:
                operation: Operation = self.worker.run(
                    self.market.api.publish(PublishParams(OFFER, (), context, self._draft()))
                )
            except exceptions.OperationInProgressError as error:
                if self.setup.if_running != "wait" or self.market.time() >= deadline:
                    raise
                self._log(f"{error}; waiting for it to end")
                self.checker.check_text(str(error), blames_others=True)
                if self.setup.deferrable:
                    raise TaskDeferred from None
                raise_for_outcome(self.worker.run(wait(self.market.api, self._idle_spec())))
                self.initial_checkpoint = self.current_checkpoint
                context = replace(context, checkpoint=Checkpoint.from_payload(self.current_checkpoint))
            else:
                return operation

    def _try_context(self) -> TryContext:
        """Gather what a try can know, like the package's ``tasks.runtime``."""
        can_checkpoint = self.processes > self.setup.store_from
        counts = TryCounts(self.try_number, self.max_tries, self.retries, self.clear_number)
        earlier_could_checkpoint = self.try_number <= 1 or (can_checkpoint and self.store.knows_first_try)
        if can_checkpoint and (self.try_number <= 1 or counts.follows_clear):
            self.store.knows_first_try = True
        return TryContext(
            settle_time=0.0 if self.injected_fault == "no-settle-time" else SETTLE,
            counts=counts,
            can_checkpoint=can_checkpoint,
            earlier_could_checkpoint=earlier_could_checkpoint,
            checkpoint=Checkpoint.from_payload(self.store.checkpoint) if can_checkpoint else None,
            dag_run_start=self.dag_run_start,
            waits_for_others=self.setup.if_running == "wait",
        )

    def _draft(self) -> int | None:
        try:
            document = self.worker.run(self.market.api.get_draft(OFFER))
        except exceptions.RequestError:
            return None
        return document.version if document is not None else None

    def _idle_spec(self) -> WaitSpec:
        deadline = self.try_began + timedelta(seconds=self.setup.timeout)
        return WaitSpec(
            OFFER, "idle", deadline, poll_failure_tolerance=7200.0, responded=True, api=self.market.api.name
        )

    def _save(self, checkpoint: dict[str, Any] | None) -> None:
        """Save a checkpoint or remove it, like the package's ``tasks.runtime``."""
        if checkpoint is not None and checkpoint["operation"] is None:
            self.checker.record_checkpoint()
        elif checkpoint is not None and checkpoint != self.initial_checkpoint:  # a refusal restores the earlier one
            self.checker.check_operation(Operation.from_json(checkpoint["operation"]), returned=False)
        if self.injected_fault == "checkpoint-not-saved":
            return
        self.current_checkpoint = checkpoint
        if self.processes > self.setup.store_from:
            self.store.checkpoint = checkpoint

    def _begin_process(self, crash_rate: float) -> Worker:
        return Worker(
            self.rng,
            self.market,
            self.checker,
            self.setup.timeout,
            crash_rate,
            self._save,
            self._log,
            self.injected_fault == "1xx-is-a-refusal",
        )

    def _log(self, text: str) -> None:
        if self.trace is not None:
            self.trace(f"{self.market.now:9.1f}  run {self.checker.run} try {self.try_number}  {text}")


def raise_for_outcome(outcome: Any) -> None:
    """Raise unless a wait reached its target, like the package's ``tasks.completion``.

    :raises WaitFailedError: if it did not.
    """
    if outcome.result is not WaitResult.REACHED:
        raise WaitFailedError(outcome.message, retryable=outcome.retryable)
