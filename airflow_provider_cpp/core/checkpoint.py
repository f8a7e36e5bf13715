# SPDX-License-Identifier: Apache-2.0
"""What a try of a task knows of the tries before it: the note that they left, or, without one, when the run began.

A *run of the task* goes from its first schedule, or a clear, to the next clear; its tries belong to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import KINDS, Kind, Operation
from airflow_provider_cpp.exceptions import ConfigurationError

VERSION = 1

CLOCK_MARGIN = timedelta(minutes=5)
"""How far the portal's clock and Airflow's may be apart."""


class TaskRun(Enum):
    """To which run of the task a try belongs, compared with the try that saved a checkpoint."""

    SAME = "same"
    CLEARED = "cleared"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class TryCounts:
    """What Airflow counts of a task's tries: all there is to tell a retry from a clear.

    A clear sets ``max_tries`` to ``try_number + retries``, and a retry leaves it as it is. That is not always enough: a
    clear with fewer ``retries`` than before can leave it unchanged, and so does the clear of a task that is running.

    :param try_number: which try this is, from 1 on.
    :param max_tries: the last try's number but one, raised by each clear.
    :param retries: the task's ``retries``, which a new version of the DAG may change.
    :param clear_number: how often tasks of the DAG run were cleared.
    """

    try_number: int = 1
    max_tries: int = 0
    retries: int = 0
    clear_number: int = 0

    @property
    def was_cleared(self) -> bool:
        """Whether the task may have been cleared before this try, or another task of its DAG run was."""
        return self.max_tries > self.retries or self.clear_number > 0

    @property
    def follows_clear(self) -> bool:
        """Whether this is the first try after a clear."""
        return self.clear_number > 0 and 1 <= self.max_tries - self.retries == self.try_number - 1

    def task_run_since(self, then: TryCounts) -> TaskRun:
        """Tell a retry from the first try after a clear: the first rule that holds decides.

        :param then: what Airflow counted when an earlier try saved its checkpoint.
        """
        # With either number of retries, between then and now a clear would have left max_tries as it is.
        hidden = any(
            then.try_number <= self.max_tries - retries < self.try_number for retries in {then.retries, self.retries}
        )
        rules = (
            (self.try_number == then.try_number, TaskRun.SAME),  # a deferred try resumed; a clear begins another one
            (self.try_number < then.try_number, TaskRun.CLEARED),
            (self.max_tries != then.max_tries, TaskRun.CLEARED),
            (self.try_number > self.max_tries + 1, TaskRun.CLEARED),  # cleared while it ran, with no retry left
            (hidden or self.clear_number != then.clear_number, TaskRun.UNDECIDED),
        )
        return next((task_run for holds, task_run in rules if holds), TaskRun.SAME)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a try writes down before it orders: with it, whoever comes after can tell what became of the order.

    :param offer: for which offer.
    :param kind: which order.
    :param created_at: when.
    :param counts: what Airflow counted of the task's tries then.
    :param known_ids: the ids of the operations that were there before the order.
    :param draft_version: the version of the draft that was ordered; None where the portal did not tell.
    :param operation: the operation that the order began; None while that is not known.
    """

    offer: OfferRef
    kind: Kind
    created_at: datetime
    counts: TryCounts
    known_ids: tuple[str, ...] = ()
    draft_version: int | None = None
    operation: Operation | None = None

    def ensure_matches(self, offer: OfferRef, kind: Kind) -> None:
        """Refuse a note that was made for something else: a mapped task's index may have shifted.

        :raises ConfigurationError: if it is for another offer or order.
        """
        if self.offer != offer or self.kind != kind:
            problem = (
                f"an earlier try of this task noted a {self.kind} of offer {self.offer}, and this one is to {kind}"
                f" offer {offer}: the order of a mapped task's offers has changed, perhaps. Begin a new DAG run"
            )
            raise ConfigurationError((problem,), "the task's arguments")

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        return {
            "version": VERSION,
            "publisher_id": self.offer.publisher_id,
            "offer_id": self.offer.offer_id,
            "kind": self.kind,
            "created_at": self.created_at.isoformat(),
            "counts": asdict(self.counts),
            "known_ids": list(self.known_ids),
            "draft_version": self.draft_version,
            "operation": self.operation.to_json() if self.operation else None,
        }

    @classmethod
    def from_payload(cls, payload: Any) -> Checkpoint | None:
        """Read it back; None for no note.

        :raises ConfigurationError: if there is something that this release cannot read: to take it for no note
            could order twice.
        """
        if payload is None:
            return None
        try:
            checkpoint = cls._read(payload) if payload["version"] == VERSION else None
        except (ConfigurationError, KeyError, TypeError, ValueError):
            checkpoint = None
        if checkpoint is None:
            problem = "an earlier try of this task left a note that this release cannot read; begin a new DAG run"
            raise ConfigurationError((problem,), "the task's state")
        return checkpoint

    @classmethod
    def _read(cls, payload: dict[str, Any]) -> Checkpoint | None:
        moment, kind, operation = parse_timestamp(payload["created_at"]), payload["kind"], payload["operation"]
        if moment is None or kind not in KINDS or not isinstance(payload["known_ids"], list):
            return None
        return cls(
            offer=OfferRef(payload["publisher_id"], payload["offer_id"]),
            kind=kind,
            created_at=moment,
            counts=TryCounts(**{field.name: int(payload["counts"][field.name]) for field in fields(TryCounts)}),
            known_ids=tuple(map(str, payload["known_ids"])),
            draft_version=payload.get("draft_version"),
            operation=None if operation is None else Operation.from_json(operation),
        )


@dataclass(frozen=True, slots=True)
class TryContext:
    """Which try this is, and what it can know of those before.

    :param settle_time: seconds after which an order that shows nowhere was not taken.
    :param counts: what Airflow counts of the task's tries.
    :param can_checkpoint: whether there is a place that outlives the try, as there is from Airflow 3.3 on.
    :param earlier_could_checkpoint: whether the tries before had that place too, so that without a note they did not order.
    :param checkpoint: the note found there.
    :param dag_run_start: when the DAG run began.
    :param waits_for_others: whether the task waits where somebody else's operation runs.
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
        """Whether no try was before it, in this run of the task or another."""
        return self.counts.try_number <= 1

    @property
    def task_run(self) -> TaskRun:
        """To which run of the task the note belongs, compared with this try."""
        return self.counts.task_run_since(self.checkpoint.counts) if self.checkpoint is not None else TaskRun.SAME

    @property
    def own_checkpoint(self) -> Checkpoint | None:
        """The note of an earlier try of this very run of the task."""
        return self.checkpoint if self.task_run is TaskRun.SAME else None

    @property
    def history_is_known(self) -> bool:
        """Whether what the tries before did is known: where all of them could leave a note, none means no order."""
        return self.can_checkpoint and self.earlier_could_checkpoint

    @property
    def store_was_emptied(self) -> bool:
        """Whether Airflow emptied the place for notes when it cleared the task."""
        return self.can_checkpoint and not self.earlier_could_checkpoint and self.counts.follows_clear

    @property
    def lacks_history(self) -> bool:
        """Whether earlier tries of this run may have submitted without leaving a note."""
        return self.checkpoint is None and not (self.is_first or self.history_is_known or self.store_was_emptied)

    def changed_in_dag_run(self, changed_at: datetime | None) -> bool:
        """Say whether an operation may have changed since the DAG run began; without times, it may."""
        return changed_at is None or self.dag_run_start is None or changed_at >= self.dag_run_start - CLOCK_MARGIN
