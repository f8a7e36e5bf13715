# SPDX-License-Identifier: Apache-2.0
"""One execution of a task: its hook, its session, and the checkpoints of its tries."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.hooks.lookup import get_hook
from airflow_provider_cpp.links import PARTNER_CENTER_URL_KEY, partner_center_url
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

Task = Any
"""An operator or sensor of this package. Its class is in a layer that imports this one, so it cannot be named here."""

TRIGGER_TIMEOUT_MARGIN = timedelta(hours=1)
"""The time from the trigger's own deadline to Airflow's timeout, which applies only if no triggerer ends the wait."""

CHECKPOINT_KEY = "airflow_provider_cpp.checkpoint"
FIRST_TRY_KEY = "airflow_provider_cpp.first_try"
"""Set by the first try of a run of the task. If it is set and there is no checkpoint, nothing was submitted."""

CHECKPOINT_RETENTION = timedelta(days=180)
"""Longer than Airflow's default, because a publication and its waits may take weeks."""


def as_timedelta(value: float | timedelta) -> timedelta:
    """Return a duration as a timedelta; numbers are seconds."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


class TaskRuntime(AbstractContextManager["TaskRuntime"]):
    """One execution of a task; a context manager that closes its session.

    :param checkpoints: stores the checkpoints of a task that submits; None to discard them.
    :ivar hook: the hook for the connection type; it has already read the connection.
    :ivar run: runs a flow in the session, and returns its result.
    :raises ConfigurationError: if the connection does not exist or cannot be used.
    """

    def __init__(self, task: Task, context: Context, checkpoints: CheckpointStore | None = None) -> None:
        self.task = task
        self.context = context
        self.hook = get_hook(task.conn_id)
        self.api = self.hook.api
        self._session = self.hook.get_conn(checkpoints.save if checkpoints is not None else None)
        self.run = self._session.run

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def poll_interval(self, seconds: float | None) -> float | None:
        """Return a task's poll interval or, if it has none, the connection's."""
        return seconds if seconds is not None else self.hook.get_settings().poll_interval

    def offer_ref(self, operation: Operation | None = None) -> OfferRef:
        """Return the offer: from the task's arguments, else from the operation, else with the connection's publisher.

        :raises ConfigurationError: if there is no offer ID or, if the API needs one, no publisher ID.
        """
        if operation is not None:
            self.hook.parse_operation(operation)  # raises an error if it belongs to another API
        given = operation.offer if operation is not None else None
        publisher_id = self.task.publisher_id or (given.publisher_id if given else None)
        return self.hook.offer_ref(self.task.offer_id or (given.offer_id if given else ""), publisher_id)

    def push_partner_center_link(self, document: OfferDocument | None) -> None:
        """Push the URL of the offer's Partner Center page to XCom, if the API returned one."""
        page = partner_center_url(document.partner_center_url if document else None, self.hook.get_settings().base_url)
        if page is not None:
            self.context["ti"].xcom_push(key=PARTNER_CENTER_URL_KEY, value=page)
            self.task.link_facts[PARTNER_CENTER_URL_KEY] = page


class CheckpointStore:
    """The checkpoint of a task's tries, in Airflow's task state store or, before Airflow 3.3, in this process.

    Create it before any step that may take time or fail. If this try is killed or its connection is missing, later tries must
    know that it could have saved a checkpoint and did not.
    """

    def __init__(self, task: Task, context: Context) -> None:
        ti, dag_run = context["ti"], context["dag_run"]
        self._store: Any = context.get("task_state_store")
        self._payload: Any = self._store.get(CHECKPOINT_KEY) if self._store is not None else None
        self._dag_run_start = dag_run.start_date
        self._counts = TryCounts(
            try_number=getattr(ti, "try_number", 1),
            max_tries=getattr(ti, "max_tries", 0) or 0,
            retries=task.retries or 0,
            clear_number=getattr(dag_run, "clear_number", 0) or 0,
        )
        self._earlier_could_checkpoint = self._counts.try_number <= 1
        if self._store is not None:
            self._earlier_could_checkpoint |= self._store.get(FIRST_TRY_KEY) is not None
            if self._counts.try_number <= 1 or self._counts.follows_clear:
                self._store.set(FIRST_TRY_KEY, True, retention=CHECKPOINT_RETENTION)

    def try_context(self, settle_time: float, *, waits_for_others: bool = False) -> TryContext:
        """Return what this try knows about earlier tries, and about its own submits.

        :param settle_time: seconds after which a submit that no operation shows was not accepted.
        :param waits_for_others: whether the task waits while another operation is in progress.
        :raises ConfigurationError: if this release cannot read the checkpoint.
        """
        return TryContext(
            settle_time=settle_time,
            counts=self._counts,
            can_checkpoint=self._store is not None,
            earlier_could_checkpoint=self._earlier_could_checkpoint,
            checkpoint=Checkpoint.from_payload(self._payload),
            dag_run_start=self._dag_run_start,
            waits_for_others=waits_for_others,
        )

    def save(self, payload: dict[str, Any] | None) -> None:
        """Save a checkpoint; None deletes the stored one."""
        if self._store is not None:
            if payload is None:
                self._store.delete(CHECKPOINT_KEY)
            else:
                self._store.set(CHECKPOINT_KEY, payload, retention=CHECKPOINT_RETENTION)
        self._payload = payload


def operation_argument(task: Task) -> Operation | None:
    """Parse the argument ``operation``, usually the upstream task's result, without reading the connection.

    :raises ConfigurationError: if the value is not an operation. None is an error too if the DAG file sets the argument: the
        upstream task was skipped, and the offer's own status may be that of the previous publication.
    """
    return None if task.operation is None and not task.operation_is_given else Operation.from_json(task.operation)


def defer(task: Task, spec: WaitSpec, state: PollState) -> None:
    """Continue a wait in the triggerer."""
    task.defer(
        trigger=OfferStatusTrigger(task.conn_id, spec.to_payload(), state.to_payload()),
        method_name="execute_complete",
        timeout=as_timedelta(task.timeout) + TRIGGER_TIMEOUT_MARGIN,
    )
