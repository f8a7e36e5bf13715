# SPDX-License-Identifier: Apache-2.0
"""The sensor: waits for an offer's preview, or until it is live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_cpp.completion import (
    SkippedOutcome,
    airflow_errors,
    ended_by_airflow,
    finish,
    give_up,
    resume,
)
from airflow_provider_cpp.errors import ConfigurationError
from airflow_provider_cpp.hooks.connections import DEFAULT_CONN_ID, hook_for
from airflow_provider_cpp.rules.operations import Operation
from airflow_provider_cpp.rules.outcome import Outcome
from airflow_provider_cpp.rules.progress import Memory
from airflow_provider_cpp.rules.verdict import UNTIL, Until, default_until
from airflow_provider_cpp.rules.watch import Watch
from airflow_provider_cpp.rules.watching import observe, timed_out
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

MEMORY_KEY = "airflow_provider_cpp.watch"
SLACK = timedelta(hours=1)


class OfferStatusSensor(BaseSensorOperator):
    """Waits until a publication is parked at the publisher's sign-off, or until its offer is live.

    ``failed`` and ``canceled`` end the task without a retry, and say which step and which messages. Everything
    else is waited through; a step that is blocked is told as a warning as soon as it is seen.

    With ``operation`` it is that very publication that is waited for. **Without it the offer's overall status
    decides, at once, and that may be the last publication's**: a sensor that starts right after a publish can
    find the ``succeeded`` of the month before.

    :param operation: what a publish or go-live task returned, ``publish.output``. Templated.
    :param offer_id: the offer; the operation's if None. Templated.
    :param publisher_id: its publisher; the operation's, or else the connection's, if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :param until: ``preview``, parked at the sign-off or beyond, or ``live``; if None, ``preview`` for a publish
        operation and ``live`` otherwise. Templated.
    :param fail_on_blocked: whether a blocked step fails the task; by default it is a warning.
    :param deferrable: whether the wait is the triggerer's; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two looks of a deferred wait; if None, it paces itself by the step that it
        sees.
    :param poll_failure_tolerance: for how long the portal may fail to answer; seconds or a timedelta, 6 hours by
        default.
    :param mode: as Airflow's; ``reschedule`` by default. In that mode each look is a process of its own: before
        Airflow 3.3 it remembers nothing of the one before, so credentials that are refused fail the task at
        once and any other failed look is a warning.
    :param poke_interval: seconds between two looks of a wait that is not deferred; 300 by default.
    :param timeout: after how long the wait gives up; seconds or a timedelta, 14 days by default.
    :param soft_fail: skip instead of fail, for failed, canceled and timed out only.
    :raises AirflowFailException: if the publication failed, was canceled, or is blocked and that shall fail it;
        or for an error that waiting does not help.
    :raises AirflowSensorTimeout: if time ran out.
    :raises AirflowException: for an error that may pass, once it was tolerated for long enough.

    `Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "operation", "until")
    ui_color = "#d9ead3"

    def __init__(  # noqa: PLR0913 - a sensor's arguments are its user interface, all by name
        self,
        *,
        operation: Any = None,
        offer_id: str | None = None,
        publisher_id: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        until: Until | None = None,
        fail_on_blocked: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        poll_failure_tolerance: float | timedelta = timedelta(hours=6),
        mode: str = "reschedule",
        poke_interval: float | timedelta = 300.0,
        timeout: float | timedelta = timedelta(days=14),
        **kwargs: Any,
    ) -> None:
        super().__init__(mode=mode, poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.operation = operation
        self.offer_id = offer_id
        self.publisher_id = publisher_id
        self.conn_id = conn_id
        self.until = until
        self.fail_on_blocked = fail_on_blocked
        default = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = default if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.poll_failure_tolerance = poll_failure_tolerance
        self._wants_operation = operation is not None
        self._memory = Memory()

    def execute(self, context: Context) -> Any:
        """Look; if the wait goes on, defer it, sleep or reschedule, as asked."""
        try:
            return self._defer_or_done(context) if self.deferrable else super().execute(context)
        except _NotSkippable as held:
            raise held.error from held.error.__cause__
        except (AirflowSensorTimeout, AirflowSkipException) as error:
            if isinstance(error, SkippedOutcome) or error.__cause__ is not None:
                raise
            # Airflow's own words for a timeout name neither the offer nor where it stood.
            outcome = timed_out(self._watch(), self._recall(context))
            finish(outcome, soft_fail=isinstance(error, AirflowSkipException))

    def poke(self, context: Context) -> bool:
        """Look once.

        :returns: whether what is waited for is there.
        """
        with _unskippable():
            outcome = self._look(context, self._watch())
            if outcome is None:
                return False
            finish(outcome, soft_fail=self.soft_fail)
            return True

    def execute_complete(self, context: Context, event: Any = None) -> None:  # noqa: ARG002 - Airflow passes it
        """Go on after the deferred wait.

        :param event: what the trigger ended with.
        """
        with _unskippable():
            resume(event, soft_fail=self.soft_fail)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume, keeping Airflow from skipping for errors that ``soft_fail`` is not meant for."""
        if (word := ended_by_airflow(next_method, next_kwargs)) is not None:
            watch, skips = self._watch(), self.soft_fail or getattr(self, "never_fail", False)
            give_up(str(watch.offer), watch.until, word, self.execution_timeout, soft_fail=skips)
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except _NotSkippable as held:
            if getattr(self, "never_fail", False):
                raise AirflowSkipException(str(held.error)) from held.error
            raise held.error from held.error.__cause__

    def _defer_or_done(self, context: Context) -> None:
        watch = self._watch()
        with _unskippable():
            outcome = self._look(context, watch)
            if outcome is not None:
                finish(outcome, soft_fail=self.soft_fail)
                return
        trigger = OfferStatusTrigger(self.conn_id, watch.to_payload(), self._memory.to_payload())
        # The trigger keeps the deadline itself; Airflow's own is for a deployment whose triggerer never comes.
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout) + SLACK)

    def _look(self, context: Context, watch: Watch) -> Outcome | None:
        memory = self._recall(context)
        with airflow_errors():
            hook = hook_for(self.conn_id)
            outcome = hook.run(observe(hook.api, watch, memory))
        self._remember(context, memory)
        return outcome

    def _watch(self) -> Watch:
        with airflow_errors():
            operation = self._own_operation()  # before the connection is asked for
            hook = hook_for(self.conn_id)
            if operation is not None:
                hook.operation(operation)
            publisher_id = self.publisher_id or (operation.offer.publisher_id if operation else None)
            offer_id = self.offer_id or (operation.offer.offer_id if operation else "")
            if self.until not in (None, *UNTIL):
                problem = f"until is {self.until!r}, not one of {', '.join(UNTIL)}"
                raise ConfigurationError((problem,), "the task's arguments")
            return Watch(
                offer=hook.offer(offer_id, publisher_id),
                until=self.until or default_until(operation),
                deadline=datetime.now(timezone.utc) + timedelta(seconds=self.timeout),
                operation=operation,
                fail_on_blocked=self.fail_on_blocked,
                poll_interval=self.poll_interval,
                poll_failure_tolerance=_seconds(self.poll_failure_tolerance),
                api=hook.api.name,
            )

    def _own_operation(self) -> Operation | None:
        if self.operation is not None or self._wants_operation:
            # One that came out as None is an error: the offer's overall status may be the last publication's.
            return Operation.from_json(self.operation)
        if not self.offer_id:
            raise ConfigurationError(("give operation or offer_id",), "the task's arguments")
        return None

    def _recall(self, context: Context) -> Memory:
        """Return what the pokes before this one saw, from wherever this version of Airflow can keep it."""
        store = self._store(context)
        if store is not None:
            kept = store.get(MEMORY_KEY)
            own = isinstance(kept, dict) and kept.get("try_number") == _try_number(context)
            self._memory = Memory.from_payload(kept) if own else Memory()
        return self._memory

    def _remember(self, context: Context, memory: Memory) -> None:
        store = self._store(context)
        if store is not None:
            store.set(MEMORY_KEY, memory.to_payload() | {"try_number": _try_number(context)})

    def _store(self, context: Context) -> Any:
        """Return Airflow's store of a task's state, from 3.3 on, if each look is a process of its own."""
        return context.get("task_state_store") if self.reschedule and not self.deferrable else None


class _NotSkippable(Exception):  # noqa: N818 - it is an envelope rather than an error
    """Carries an exception past Airflow's ``soft_fail``, which skips for every AirflowFailException."""

    def __init__(self, error: AirflowException) -> None:
        self.error = error
        super().__init__(str(error))


class _unskippable:  # noqa: N801 - used as a function is
    """Wraps what a look raises, all but skips and timeouts."""

    def __enter__(self) -> None:
        """Enter."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Wrap."""
        if isinstance(error, AirflowException) and not isinstance(error, (AirflowSkipException, AirflowSensorTimeout)):
            raise _NotSkippable(error) from error


def _try_number(context: Context) -> int | None:
    """Return which try this is: what an earlier try saw of failures is not held against this one."""
    return getattr(context["ti"], "try_number", None)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
