# SPDX-License-Identifier: Apache-2.0
"""What a run of the model is judged by: a record of what the marketplace accepted, showed, and was sent.

The rules are those of the design, section "At most one publish"; none of the package's own judgement is used.
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
FAULTS = (DOUBLE, LOOP, UNTRUE, WRONG, NEEDLESS)

MOST_SUBMITS = 3
"""How many submits of one try may follow each other without somebody else's operation in between."""
MOST_EFFECTS = 200
"""How many effects may follow each other without time passing."""
MOST_EFFECTS_OF_A_TRY = 60_000
SLACK = 4 * SETTLE + 3600.0
"""Seconds by which a try may end after its timeout: the settle times that it waits out, polls that fail."""

CLAIM = re.compile(
    r"nothing (?:was|has been) (?:ordered|submitted|accepted|sent|published|taken)"
    r"|no (?:publish|submit|order|request) (?:was|has been) \w+"
    r"|(?:was|has|did) not (?:been )?(?:accept|take|publish)\w*",
    re.IGNORECASE,
)
"""What says that no submit of this run of the task was accepted."""
CLAIM_OF_TRY = re.compile(r"this try (?:has )?(?:started|published|submitted) nothing", re.IGNORECASE)
"""What says so of the try alone."""


class Endless(BaseException):
    """A try does not come to an end."""


@dataclass
class Checkpoint:
    """A checkpoint of the task without an operation, or one of its submits.

    :ivar run: of which run of the task it is.
    :ivar number: of which of its tries.
    :ivar seen: the ids of the operations that its try had seen before.
    :ivar outcome: of a submit: ``accepted``, ``refused``, ``unproven``, or the id of a job.
    :ivar shown: the publishes that the task was shown since, and had not seen before.
    """

    run: int
    number: int
    seen: frozenset[str]
    outcome: str = "unproven"
    shown: dict[str, None] = field(default_factory=dict)


@dataclass
class Ledger:
    """Judges a run of the model while it goes on.

    :ivar run: which run of the task it is; a clear begins another one.
    :ivar faults: what is wrong, as kind and text.
    :ivar counts: what happened, for the summary.
    :ivar seen: the ids that the last read of the list showed; ``seen_ever``, those that any read did.
    """

    market: Marketplace
    run: int = 0
    tries: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    submits: list[Checkpoint] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    its_own: set[str] = field(default_factory=set)
    seen: frozenset[str] = frozenset()
    seen_ever: set[str] = field(default_factory=set)
    shown_in_progress: tuple[str, ...] = ()
    began: float = 0.0
    _in_a_row: int = 0
    _effects: int = 0
    _all_effects: int = 0
    _last: float = -1.0

    def __post_init__(self) -> None:
        """Listen to the marketplace."""
        self.market.on_accept = self._accepted
        self.market.on_shown = self._shown

    def begin_run(self) -> None:
        """Begin another run of the task, after a clear."""
        self.run += 1
        self.tries = 0
        self.submits = []
        self.its_own = set()

    def begin_try(self) -> None:
        """Begin a try."""
        self.tries += 1
        self.began = self.market.now
        self._in_a_row = self._all_effects = 0

    def fail(self, kind: str, text: str) -> None:
        """Record what is wrong; where the list is slower than the settle time, only what is said and its end count."""
        if self.market.habits.is_slow and kind not in (LOOP, UNTRUE):
            self.counts[f"{kind}, the list being too slow"] += 1
        else:
            self.faults.append((kind, text))

    def own(self) -> list[Record]:
        """Return what this run of the task published."""
        return [record for record in self.market.records if record.run == self.run]

    def submitting(self) -> Checkpoint:
        """Record a submit before it is sent, and judge whether it may be."""
        over = [name for submit in self.submits if self._is_unproven(submit) for name in submit.shown]
        if over:
            self.fail(DOUBLE, f"submitted though {over[0]} is new since a submit that was not provably refused")
        self._in_a_row += 1
        if self._in_a_row > MOST_SUBMITS:
            self.fail(LOOP, f"{self._in_a_row} submits of one try with nothing of others in between")
            raise Endless
        submit = Checkpoint(self.run, self.tries, frozenset(self.seen_ever))
        self.submits.append(submit)
        self.counts["submits"] += 1
        return submit

    def saving(self) -> None:
        """Record a checkpoint that holds no operation yet."""
        self.checkpoints.append(Checkpoint(self.run, self.tries, self.seen))

    def effect(self) -> None:
        """Count an effect of a flow."""
        self._effects = self._effects + 1 if self.market.now == self._last else 0
        self._last = self.market.now
        self._all_effects += 1
        if self._effects > MOST_EFFECTS or self._all_effects > MOST_EFFECTS_OF_A_TRY:
            self.fail(LOOP, f"{self._effects} effects without time, {self._all_effects} of this try")
            raise Endless

    def check_time(self, timeout: float) -> None:
        """Judge how long a try has gone on."""
        if self.market.now - self.began > timeout + SLACK:
            self.fail(LOOP, f"a try went on for {self.market.now - self.began:.0f} s with a timeout of {timeout:.0f} s")
            raise Endless

    def told(self, text: str, *, blames_others: bool = False) -> None:
        """Judge a line of the log, or the text of an error.

        :param blames_others: whether it names an operation as somebody else's.
        """
        own = self.own()
        of_try = [one for one in self.submits if one.number == self.tries and self._is_unproven(one)]
        if CLAIM.search(text) and (own or self.market.pending.get(self.run)):
            self.fail(UNTRUE, f"{'accepted' if own else 'on its way'}, and yet: {text}")
        elif CLAIM_OF_TRY.search(text) and of_try:
            self.fail(UNTRUE, f"this try submitted, with the outcome {of_try[0].outcome}, and yet: {text}")
        elif blames_others and any(record.id in text for record in own):
            self.fail(UNTRUE, f"its own operation is called somebody else's: {text}")

    def ended(self, error: Exception, *, lost_store: bool) -> None:
        """Judge the error that a try ends with: only a response that proves a refusal is called one.

        :param lost_store: whether it is the first try after a clear that emptied the store: that one submits, or names
            what is in progress.
        """
        asks = isinstance(error, exceptions.SubmitOutcomeUnknownError) and not error.retryable
        if lost_store and asks and not self.submits:
            self.fail(NEEDLESS, f"after a clear with an empty store: {error}")
        self.told(str(error), blames_others=isinstance(error, exceptions.OperationInProgressError))
        of_submit = isinstance(error, exceptions.RequestError) and error.call.startswith("publish ")
        is_unknown = isinstance(
            error, (exceptions.InvalidResponseError, exceptions.ServerError, exceptions.TransportError)
        )
        if of_submit and not is_unknown and self.submits and self.submits[-1].outcome == "unproven":
            self.fail(UNTRUE, f"the response proves nothing, and is called a refusal: {type(error).__name__}: {error}")

    def adopted(self, operation: Any, *, returned: bool) -> None:
        """Judge an operation that the task returned; one that it saves is its own from then on, if it may be.

        :param returned: whether the task returned it.
        """
        job_of = getattr(self.market, "job_of", None)
        job = job_of(operation) if job_of is not None else None
        record = self.market.find(operation)
        if record is not None:
            name, fault = record.id, self._fault_of(record)
        else:
            name = operation.display_id
            may_be = job is not None and (job.run == self.run or self.market.now < job.failed_at + SETTLE)
            fault = None if may_be else "which does not exist"
        if fault is None:
            self.its_own.add(name)
        elif returned and not {name, operation.display_id} & self.its_own:  # it may have been its own by its job's name
            self.fail(WRONG, f"returned {name}, {fault}")
        if returned and record is not None and record.run != self.run:
            self.counts["attached to somebody else's" if record.run is None else "attached to an earlier run's"] += 1

    def _fault_of(self, record: Record) -> str | None:
        """Say why an operation is not this run's, and may not be taken for it; None if it may."""
        new_since = [one.run for one in self.checkpoints if record.id in one.shown]
        # By the Product Ingestion API, a submission that goes live is in progress once more.
        same = [r for r in self.market.records if r.number == record.number and (r is record or self.market.has_one_id)]
        ended = self.market.now - max(r.states[-1][0] for r in same)
        shown = any(r.id in self.shown_in_progress for r in same)
        was_in_progress = any(r.in_progress for r in same) or shown or ended < SETTLE
        if record.kind != "publish":
            return "which is no publish"
        if record.run == self.run:
            return None
        whose = "an earlier run's" if record.run is not None else "somebody else's"
        if self.run in new_since or (was_in_progress and (record.run is not None or new_since or self.tries > 1)):
            return None
        return f"which is {whose}, and {'is in progress' if record.in_progress else 'has ended'}"

    def _is_unproven(self, submit: Checkpoint) -> bool:
        """Say whether a submit may have been accepted, as far as anybody can know; a job that failed was refused."""
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
        self.seen = frozenset(record.id for record in shown)
        self.seen_ever |= self.seen
        self.shown_in_progress = tuple(record.id for record in in_progress)
        if any(record.run != self.run for record in in_progress):
            self._in_a_row = 0
        for one in (*self.checkpoints, *self.submits):
            one.shown |= {r.id: None for r in shown if r.kind == "publish" and r.id not in one.seen}
