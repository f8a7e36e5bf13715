# SPDX-License-Identifier: Apache-2.0
"""The invariants of a run of the model, checked against what the marketplace accepted, showed and received.

They are the rules of the design, section "At most one publish", and use none of the package's own decisions.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from model.marketplace import SETTLE, Marketplace, Record

from airflow_provider_cpp import exceptions

DOUBLE, LOOP, UNTRUE, WRONG = "doubles", "endless loops", "untrue messages", "wrong operations"
NEEDLESS = "needless manual checks"
VIOLATION_KINDS = (DOUBLE, LOOP, UNTRUE, WRONG, NEEDLESS)

MAX_SUBMITS = 3
"""The maximum of consecutive submits of one try, without somebody else's operation in between."""
MAX_EFFECTS = 200
"""The maximum of consecutive effects without time passing."""
MAX_EFFECTS_OF_A_TRY = 60_000
TIMEOUT_MARGIN = 4 * SETTLE + 3600.0
"""Seconds by which a try may exceed its timeout, for settle times and failing polls."""

CLAIM = re.compile(
    r"nothing (?:was|has been) (?:submitted|accepted|sent|published|taken)"
    r"|no (?:publish|submit|submission|request) (?:was|has been) \w+"
    r"|(?:was|has|did) not (?:been )?(?:accept|take|publish)\w*",
    re.IGNORECASE,
)
"""Claims that no submit of this run of the task was accepted."""
CLAIM_OF_TRY = re.compile(r"this try (?:has )?(?:started|published|submitted) nothing", re.IGNORECASE)
"""Claims so only of the try."""


class EndlessLoopError(BaseException):
    """A try does not end."""


@dataclass
class Checkpoint:
    """A checkpoint of the task without an operation, or one of its submits.

    :ivar run: the run of the task.
    :ivar number: the number of the try in that run.
    :ivar listed: the ids of the operations that the try had listed before.
    :ivar outcome: for a submit: ``accepted``, ``refused``, ``unproven``, or the id of a job.
    :ivar shown: the publishes shown since that were not listed before.
    """

    run: int
    number: int
    listed: frozenset[str]
    outcome: str = "unproven"
    shown: dict[str, None] = field(default_factory=dict)


@dataclass
class InvariantChecker:
    """Checks a run of the model while it continues.

    :ivar run: the number of the run of the task; a clear begins another one.
    :ivar violations: the violated invariants, as kind and text.
    :ivar counts: counts for the summary.
    :ivar listed: the ids that the last read of the list showed; ``ever_listed``: that any read did.
    """

    market: Marketplace
    run: int = 0
    tries: int = 0
    violations: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    submits: list[Checkpoint] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    own_names: set[str] = field(default_factory=set)
    listed: frozenset[str] = frozenset()
    ever_listed: set[str] = field(default_factory=set)
    shown_in_progress: tuple[str, ...] = ()
    began: float = 0.0
    _in_a_row: int = 0
    _effects: int = 0
    _all_effects: int = 0
    _last: float = -1.0

    def __post_init__(self) -> None:
        """Subscribe to the marketplace."""
        self.market.on_accept = self._accepted
        self.market.on_shown = self._shown

    def begin_run(self) -> None:
        """Begin another run of the task, after a clear."""
        self.run += 1
        self.tries = 0
        self.submits = []
        self.own_names = set()

    def begin_try(self) -> None:
        """Begin a try."""
        self.tries += 1
        self.began = self.market.now
        self._in_a_row = self._all_effects = 0

    def fail(self, kind: str, text: str) -> None:
        """Record a violation; if the list is slower than the settle time, only loops and untrue messages count."""
        if self.market.conditions.is_slow and kind not in (LOOP, UNTRUE):
            self.counts[f"{kind} with a slow list"] += 1
        else:
            self.violations.append((kind, text))

    def own(self) -> list[Record]:
        """Return what this run of the task published."""
        return [record for record in self.market.records if record.run == self.run]

    def record_submit(self) -> Checkpoint:
        """Record a submit before it is sent, and check that it is allowed."""
        new = [name for submit in self.submits if self._is_unproven(submit) for name in submit.shown]
        if new:
            self.fail(DOUBLE, f"submitted though {new[0]} is new since a submit that was not provably refused")
        self._in_a_row += 1
        if self._in_a_row > MAX_SUBMITS:
            self.fail(LOOP, f"{self._in_a_row} submits of one try without another operation in between")
            raise EndlessLoopError
        submit = Checkpoint(self.run, self.tries, frozenset(self.ever_listed))
        self.submits.append(submit)
        self.counts["submits"] += 1
        return submit

    def record_checkpoint(self) -> None:
        """Record a checkpoint without an operation."""
        self.checkpoints.append(Checkpoint(self.run, self.tries, self.listed))

    def count_effect(self) -> None:
        """Count an effect of a flow."""
        self._effects = self._effects + 1 if self.market.now == self._last else 0
        self._last = self.market.now
        self._all_effects += 1
        if self._effects > MAX_EFFECTS or self._all_effects > MAX_EFFECTS_OF_A_TRY:
            self.fail(LOOP, f"{self._effects} effects without time passing, {self._all_effects} in this try")
            raise EndlessLoopError

    def check_time(self, timeout: float) -> None:
        """Check how long a try has lasted."""
        if self.market.now - self.began > timeout + TIMEOUT_MARGIN:
            self.fail(LOOP, f"a try lasted {self.market.now - self.began:.0f} s with a timeout of {timeout:.0f} s")
            raise EndlessLoopError

    def check_text(self, text: str, *, blames_others: bool = False) -> None:
        """Check a log line or the text of an error.

        :param blames_others: whether it attributes an operation to somebody else.
        """
        own = self.own()
        of_try = [one for one in self.submits if one.number == self.tries and self._is_unproven(one)]
        if CLAIM.search(text) and (own or self.market.pending.get(self.run)):
            self.fail(UNTRUE, f"{'accepted' if own else 'in transit'}, but the text is: {text}")
        elif CLAIM_OF_TRY.search(text) and of_try:
            self.fail(UNTRUE, f"this try submitted, with the outcome {of_try[0].outcome}, but the text is: {text}")
        elif blames_others and any(record.id in text for record in own):
            self.fail(UNTRUE, f"its own operation is attributed to somebody else: {text}")

    def check_error(self, error: Exception, *, lost_store: bool) -> None:
        """Check the error that a try ends with: only a response that proves a refusal may be called one.

        :param lost_store: whether it is the first try after a clear that emptied the store: that one submits, or names what
            is in progress.
        """
        needs_check = isinstance(error, exceptions.SubmitOutcomeUnknownError) and not error.retryable
        if lost_store and needs_check and not self.submits:
            self.fail(NEEDLESS, f"after a clear with an empty store: {error}")
        self.check_text(str(error), blames_others=isinstance(error, exceptions.OperationInProgressError))
        of_submit = isinstance(error, exceptions.RequestError) and error.request.startswith("publish ")
        is_unknown = isinstance(
            error, (exceptions.InvalidResponseError, exceptions.ServerError, exceptions.TransportError)
        )
        if of_submit and not is_unknown and self.submits and self.submits[-1].outcome == "unproven":
            self.fail(
                UNTRUE, f"a response that proves nothing is reported as a refusal: {type(error).__name__}: {error}"
            )

    def check_operation(self, operation: Any, *, returned: bool) -> None:
        """Check an operation that the task saved or returned, and record it as the run's own if it may be.

        :param returned: whether the task returned it.
        """
        job_of = getattr(self.market, "job_of", None)
        job = job_of(operation) if job_of is not None else None
        record = self.market.find(operation)
        if record is not None:
            name, problem = record.id, self._problem_of(record)
        else:
            name = operation.display_id
            may_be = job is not None and (job.run == self.run or self.market.now < job.failed_at + SETTLE)
            problem = None if may_be else "which does not exist"
        if problem is None:
            self.own_names.add(name)
        elif returned and not {name, operation.display_id} & self.own_names:  # it may be known by its job's name
            self.fail(WRONG, f"returned {name}, {problem}")
        if returned and record is not None and record.run != self.run:
            self.counts["attached to somebody else's" if record.run is None else "attached to an earlier run's"] += 1

    def _problem_of(self, record: Record) -> str | None:
        """Return why an operation may not be attributed to this run; None if it may."""
        new_since = [one.run for one in self.checkpoints if record.id in one.shown]
        # In the Product Ingestion API, a submission that goes live is in progress again.
        same = [r for r in self.market.records if r.number == record.number and (r is record or self.market.has_one_id)]
        ended = self.market.now - max(r.states[-1][0] for r in same)
        shown = any(r.id in self.shown_in_progress for r in same)
        was_in_progress = any(r.in_progress for r in same) or shown or ended < SETTLE
        if record.kind != "publish":
            return "which is not a publish"
        if record.run == self.run:
            return None
        whose = "an earlier run's" if record.run is not None else "somebody else's"
        if self.run in new_since or (was_in_progress and (record.run is not None or new_since or self.tries > 1)):
            return None
        return f"which is {whose} and {'is in progress' if record.in_progress else 'has ended'}"

    def _is_unproven(self, submit: Checkpoint) -> bool:
        """Return whether a submit may have been accepted, as far as the task can know; a job that failed was refused."""
        jobs = getattr(self.market, "jobs", {})
        job = jobs.get(submit.outcome)
        return submit.outcome != "refused" and not (job is not None and job.problem)

    def _accepted(self, record: Record) -> None:
        if record.run is None:
            self._in_a_row = 0
            return
        own = [other for other in self.market.records if other.run == record.run]
        if len(own) > 1:
            self.fail(DOUBLE, f"run {record.run} of the task published {' and '.join(other.id for other in own)}")

    def _shown(self, shown: list[Record], in_progress: list[Record]) -> None:
        self.listed = frozenset(record.id for record in shown)
        self.ever_listed |= self.listed
        self.shown_in_progress = tuple(record.id for record in in_progress)
        if any(record.run != self.run for record in in_progress):
            self._in_a_row = 0
        for one in (*self.checkpoints, *self.submits):
            one.shown |= {r.id: None for r in shown if r.kind == "publish" and r.id not in one.listed}
