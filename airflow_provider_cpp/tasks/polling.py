# SPDX-License-Identifier: Apache-2.0
"""What the sensor does when it runs: one look, what it keeps for the next, and how the wait ends.

The sensor hands itself over here, and only then is loaded what a DAG file has no use for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import Outcome
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.verdict import UNTIL, default_until
from airflow_provider_cpp.core.wait import observe, timed_out
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.hooks.lookup import hook_for
from airflow_provider_cpp.tasks.completion import (
    SLACK,
    SkippedOutcome,
    airflow_errors,
    as_timedelta,
    ended_by_airflow,
    finish,
    give_up,
    resume,
)
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor

MEMORY_KEY = "airflow_provider_cpp.watch"


def run(sensor: OfferStatusSensor, context: Context, poke_on: Callable[[Context], Any]) -> Any:
    """Look; if the wait goes on, defer it, sleep or reschedule, as asked.

    :param poke_on: how Airflow's own sensors sleep or reschedule.
    """
    try:
        return _defer_or_done(sensor, context) if sensor.deferrable else poke_on(context)
    except _NotSkippable as held:
        raise held.error from held.error.__cause__
    except (AirflowSensorTimeout, AirflowSkipException) as error:
        if isinstance(error, SkippedOutcome) or error.__cause__ is not None:
            raise
        # Airflow's own words for a timeout name neither the offer nor where it stood.
        outcome = timed_out(_watch(sensor), _recall(sensor, context))
        finish(outcome, soft_fail=isinstance(error, AirflowSkipException))


def poke(sensor: OfferStatusSensor, context: Context) -> bool:
    """Look once.

    :returns: whether what is waited for is there.
    """
    with _unskippable():
        outcome = _look(sensor, context, _watch(sensor))
        if outcome is None:
            return False
        finish(outcome, soft_fail=sensor.soft_fail)
        return True


def waited(sensor: OfferStatusSensor, event: object) -> None:
    """Finish with what the trigger ended with."""
    with _unskippable():
        resume(event, soft_fail=sensor.soft_fail)


def go_on(
    sensor: OfferStatusSensor, next_method: str, next_kwargs: dict[str, Any] | None, resuming: Callable[[], Any]
) -> Any:
    """Resume, keeping Airflow from skipping for errors that ``soft_fail`` is not meant for.

    :param resuming: how Airflow resumes a task.
    """
    if (word := ended_by_airflow(next_method, next_kwargs)) is not None:
        watch, skips = _watch(sensor), sensor.soft_fail or getattr(sensor, "never_fail", False)
        give_up(str(watch.offer), watch.until, word, sensor.execution_timeout, soft_fail=skips)
    try:
        return resuming()
    except _NotSkippable as held:
        if getattr(sensor, "never_fail", False):
            raise AirflowSkipException(str(held.error)) from held.error
        raise held.error from held.error.__cause__


def _defer_or_done(sensor: OfferStatusSensor, context: Context) -> None:
    watch = _watch(sensor)
    with _unskippable():
        outcome = _look(sensor, context, watch)
        if outcome is not None:
            finish(outcome, soft_fail=sensor.soft_fail)
            return
    memory = sensor.memory or Memory()
    trigger = OfferStatusTrigger(sensor.conn_id, watch.to_payload(), memory.to_payload())
    sensor.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=sensor.timeout) + SLACK)


def _look(sensor: OfferStatusSensor, context: Context, watch: Watch) -> Outcome | None:
    memory = _recall(sensor, context)
    with airflow_errors():
        hook = hook_for(sensor.conn_id)
        outcome = hook.run(observe(hook.api, watch, memory))
    _remember(sensor, context, memory)
    return outcome


def _watch(sensor: OfferStatusSensor) -> Watch:
    with airflow_errors():
        operation = _own_operation(sensor)  # before the connection is asked for
        hook = hook_for(sensor.conn_id)
        if operation is not None:
            hook.operation(operation)
        publisher_id = sensor.publisher_id or (operation.offer.publisher_id if operation else None)
        offer_id = sensor.offer_id or (operation.offer.offer_id if operation else "")
        if sensor.until not in (None, *UNTIL):
            problem = f"until is {sensor.until!r}, not one of {', '.join(UNTIL)}"
            raise ConfigurationError((problem,), "the task's arguments")
        return Watch(
            offer=hook.offer(offer_id, publisher_id),
            until=sensor.until or default_until(operation),
            deadline=datetime.now(timezone.utc) + timedelta(seconds=sensor.timeout),
            operation=operation,
            fail_on_blocked=sensor.fail_on_blocked,
            poll_interval=sensor.poll_interval,
            poll_failure_tolerance=as_timedelta(sensor.poll_failure_tolerance).total_seconds(),
            api=hook.api.name,
        )


def _own_operation(sensor: OfferStatusSensor) -> Operation | None:
    if sensor.operation is not None or sensor.wants_operation:
        # One that came out as None is an error: the offer's overall status may be the last publication's.
        return Operation.from_json(sensor.operation)
    if not sensor.offer_id:
        raise ConfigurationError(("give operation or offer_id",), "the task's arguments")
    return None


def _recall(sensor: OfferStatusSensor, context: Context) -> Memory:
    """Return what the pokes before this one saw, from wherever this version of Airflow can keep it."""
    store = _store(sensor, context)
    if store is not None:
        kept = store.get(MEMORY_KEY)
        own = isinstance(kept, dict) and kept.get("try_number") == _try_number(context)
        sensor.memory = Memory.from_payload(kept) if own else Memory()
    if sensor.memory is None:
        sensor.memory = Memory()
    return sensor.memory


def _remember(sensor: OfferStatusSensor, context: Context, memory: Memory) -> None:
    store = _store(sensor, context)
    if store is not None:
        store.set(MEMORY_KEY, memory.to_payload() | {"try_number": _try_number(context)})


def _store(sensor: OfferStatusSensor, context: Context) -> Any:
    """Return Airflow's store of a task's state, from 3.3 on, if each look is a process of its own."""
    return context.get("task_state_store") if sensor.reschedule and not sensor.deferrable else None


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
