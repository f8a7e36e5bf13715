# SPDX-License-Identifier: Apache-2.0
"""What a try knows about earlier tries: from their checkpoint or, without one, from the start of the DAG run.

A *run of the task* starts when the task is scheduled or cleared, and ends at the next clear. It consists of one or more tries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from airflow_provider_cpp.core import codec
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Kind, Operation
from airflow_provider_cpp.exceptions import ConfigurationError

CLOCK_MARGIN = timedelta(minutes=5)
"""The largest difference between the clocks of the API and Airflow that is tolerated."""


class TaskRun(Enum):
    """Whether a try belongs to the same run of the task as the try that saved a checkpoint."""

    SAME = "same"
    CLEARED = "cleared"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class TryCounts:
    """Airflow's counters of a task's tries, the only means to distinguish a retry from a clear.

    A clear sets ``max_tries`` to ``try_number + retries``; a retry does not change it. There are exceptions: a clear can leave
    ``max_tries`` unchanged if ``retries`` was lowered before, or if the task is running.

    :param try_number: the number of this try, starting at 1.
    :param max_tries: the number of the last try minus 1; each clear raises it.
    :param retries: the task's ``retries``, which a new DAG version may change.
    :param clear_number: how often tasks of the DAG run were cleared.
    """

    try_number: int = field(default=1, metadata=codec.REQUIRED)
    max_tries: int = field(default=0, metadata=codec.REQUIRED)
    retries: int = field(default=0, metadata=codec.REQUIRED)
    clear_number: int = field(default=0, metadata=codec.REQUIRED)

    @property
    def was_cleared(self) -> bool:
        """Whether this task, or another task of the DAG run, may have been cleared before this try."""
        return self.max_tries > self.retries or self.clear_number > 0

    @property
    def follows_clear(self) -> bool:
        """Whether this is the first try after a clear."""
        return self.clear_number > 0 and 1 <= self.max_tries - self.retries == self.try_number - 1

    def task_run_since(self, then: TryCounts) -> TaskRun:
        """Return whether this try is a retry or follows a clear; the first matching rule decides.

        :param then: the counters when an earlier try saved its checkpoint.
        """
        # With either value of retries, a clear between the two tries may have left max_tries unchanged.
        hidden = any(
            then.try_number <= self.max_tries - retries < self.try_number for retries in {then.retries, self.retries}
        )
        rules = (
            (self.try_number == then.try_number, TaskRun.SAME),  # the same try, resumed after a deferral
            (self.try_number < then.try_number, TaskRun.CLEARED),
            (self.max_tries != then.max_tries, TaskRun.CLEARED),
            (self.try_number > self.max_tries + 1, TaskRun.CLEARED),  # cleared while it was running, with no retry left
            (hidden or self.clear_number != then.clear_number, TaskRun.UNDECIDED),
        )
        return next((task_run for holds, task_run in rules if holds), TaskRun.SAME)


@dataclass(frozen=True, slots=True)
class Checkpoint(codec.Payload):
    """The data that a try stores before it submits, so that a later try can find out what happened.

    :param offer: the offer.
    :param kind: the kind of submit.
    :param created_at: when the checkpoint was created.
    :param counts: Airflow's counters of the task's tries at that time.
    :param known_ids: the IDs of the operations that existed before the submit.
    :param draft_version: the version of the submitted draft; None if unknown.
    :param operation: the operation that the submit started; None until it is known.
    """

    offer: OfferRef
    kind: Kind
    created_at: datetime
    counts: TryCounts
    known_ids: tuple[str, ...] = field(default=(), metadata=codec.REQUIRED)
    draft_version: int | None = None
    operation: Operation | None = field(default=None, metadata=codec.REQUIRED)

    def ensure_matches(self, offer: OfferRef, kind: Kind) -> None:
        """Reject a checkpoint for another offer or kind, for example because a mapped task's index has shifted.

        :raises ConfigurationError: if it does not match.
        """
        if self.offer != offer or self.kind != kind:
            verbs = {"golive": "go live with"}
            problem = (
                f"an earlier try of this task saved a checkpoint to {verbs.get(self.kind, self.kind)} offer {self.offer}, but"
                f" this try would {verbs.get(kind, kind)} offer {offer}: the order of a mapped task's offers may have changed. Start a new DAG run"
            )
            raise ConfigurationError((problem,), "the task's arguments")

    @classmethod
    def from_payload(cls, payload: Any) -> Checkpoint | None:
        """Parse a stored checkpoint; None if there is none.

        :raises ConfigurationError: if this release cannot read it, because to ignore it could cause a second submit.
        """
        if payload is None:
            return None
        try:
            return codec.from_payload(cls, payload)
        except (ConfigurationError, ValueError):
            problem = "this release cannot read the checkpoint of an earlier try; start a new DAG run"
            raise ConfigurationError((problem,), "the task's state") from None


@dataclass(frozen=True, slots=True)
class TryContext:
    """The number of this try, and what it can know about earlier tries.

    :param settle_time: seconds after which a submit that no operation shows was not accepted.
    :param counts: Airflow's counters of the task's tries.
    :param can_checkpoint: whether Airflow can store checkpoints, as Airflow 3.3 and later can.
    :param earlier_could_checkpoint: whether it could for all earlier tries; if so, no checkpoint means no submit.
    :param checkpoint: the stored checkpoint.
    :param dag_run_start: when the DAG run began.
    :param waits_for_others: whether the task waits while another operation is in progress.
    """

    settle_time: float
    counts: TryCounts = TryCounts()
    can_checkpoint: bool = False
    earlier_could_checkpoint: bool = True
    checkpoint: Checkpoint | None = None
    dag_run_start: datetime | None = None
    waits_for_others: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the first try of the first run of the task."""
        return self.counts.try_number <= 1

    @property
    def task_run(self) -> TaskRun:
        """Whether this try belongs to the same run of the task as the checkpoint."""
        return self.counts.task_run_since(self.checkpoint.counts) if self.checkpoint is not None else TaskRun.SAME

    @property
    def own_checkpoint(self) -> Checkpoint | None:
        """The checkpoint if an earlier try of this run of the task saved it."""
        return self.checkpoint if self.task_run is TaskRun.SAME else None

    @property
    def history_is_known(self) -> bool:
        """Whether all earlier tries could save a checkpoint, so that no checkpoint means no submit."""
        return self.can_checkpoint and self.earlier_could_checkpoint

    @property
    def store_was_emptied(self) -> bool:
        """Whether Airflow deleted the checkpoint when the task was cleared."""
        return self.can_checkpoint and not self.earlier_could_checkpoint and self.counts.follows_clear

    @property
    def lacks_history(self) -> bool:
        """Whether earlier tries of this run of the task may have submitted without a checkpoint."""
        return self.checkpoint is None and not (self.is_first or self.history_is_known or self.store_was_emptied)

    def changed_in_dag_run(self, changed_at: datetime | None) -> bool:
        """Return whether an operation may have changed after the DAG run began; True if either time is unknown."""
        return changed_at is None or self.dag_run_start is None or changed_at >= self.dag_run_start - CLOCK_MARGIN
