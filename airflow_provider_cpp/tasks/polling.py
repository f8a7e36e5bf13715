# SPDX-License-Identifier: Apache-2.0
"""What the sensor does when it runs: one poll, what it stores for the next one, and how the wait ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import AirflowException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_cpp.core.offer_state import TARGETS, default_target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitOutcome
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import poll_once, timeout_outcome
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.tasks.completion import (
    TRIGGER_TIMEOUT_MARGIN,
    SkippedOutcome,
    airflow_timeout_reason,
    as_timedelta,
    finish_from_event,
    raise_airflow_timeout,
    raise_for_outcome,
    translate_errors,
)
from airflow_provider_cpp.tasks.runtime import OfferTask, TaskRuntime
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

POLL_STATE_KEY = "airflow_provider_cpp.poll_state"


class SensorTask(OfferTask, Protocol):
    """The sensor, as this module reads it."""

    operation: Any
    operation_is_given: bool
    until: Any
    fail_on_blocked: bool
    deferrable: bool
    poll_interval: float | None
    poll_failure_tolerance: float | timedelta
    timeout: float
    soft_fail: bool
    poll_state: PollState | None

    @property
    def reschedule(self) -> bool:
        """Whether each poke is a process of its own."""

    @property
    def defer(self) -> Any:
        """Airflow's way to hand a wait to the triggerer."""


def execute(sensor: SensorTask, context: Context, poke_on: Callable[[Context], Any]) -> Any:
    """Look; if the wait goes on, defer it, sleep or reschedule, as asked.

    :param poke_on: how Airflow's own sensors sleep or reschedule.
    """
    try:
        return _poll_then_defer(sensor, context) if sensor.deferrable else poke_on(context)
    except _NotSkippable as held:
        raise held.error from held.error.__cause__
    except (AirflowSensorTimeout, AirflowSkipException) as error:
        if isinstance(error, SkippedOutcome) or error.__cause__ is not None:
            raise
        # Airflow's own words for a timeout name neither the offer nor where it stood.
        with translate_errors(), TaskRuntime(sensor, context) as runtime:
            spec = _wait_spec(sensor, runtime)
        outcome = timeout_outcome(spec, _load_state(sensor, context))
        raise_for_outcome(outcome, soft_fail=isinstance(error, AirflowSkipException))


def poke(sensor: SensorTask, context: Context) -> bool:
    """Look once.

    :returns: whether what is waited for is there.
    """
    with _unskippable():
        _, outcome = _poll(sensor, context)
        if outcome is None:
            return False
        raise_for_outcome(outcome, soft_fail=sensor.soft_fail)
        return True


def finish_wait(sensor: SensorTask, event: object) -> None:
    """Finish with what the trigger ended with."""
    with _unskippable():
        finish_from_event(event, soft_fail=sensor.soft_fail)


def resume(
    sensor: SensorTask,
    context: Context,
    next_method: str,
    next_kwargs: dict[str, Any] | None,
    resuming: Callable[[], Any],
) -> Any:
    """Resume, keeping Airflow from skipping for errors that ``soft_fail`` is not meant for.

    :param resuming: how Airflow resumes a task.
    """
    if (word := airflow_timeout_reason(next_method, next_kwargs)) is not None:
        with translate_errors(), TaskRuntime(sensor, context) as runtime:
            spec = _wait_spec(sensor, runtime)
        skips = sensor.soft_fail or getattr(sensor, "never_fail", False)
        raise_airflow_timeout(
            str(spec.offer), spec.until, word, getattr(sensor, "execution_timeout", None), soft_fail=skips
        )
    try:
        return resuming()
    except _NotSkippable as held:
        if getattr(sensor, "never_fail", False):
            raise AirflowSkipException(str(held.error)) from held.error
        raise held.error from held.error.__cause__


def _poll_then_defer(sensor: SensorTask, context: Context) -> None:
    with _unskippable():
        spec, outcome = _poll(sensor, context)
        if outcome is not None:
            raise_for_outcome(outcome, soft_fail=sensor.soft_fail)
            return
    state = sensor.poll_state or PollState()
    trigger = OfferStatusTrigger(sensor.conn_id, spec.to_payload(), state.to_payload())
    sensor.defer(
        trigger=trigger,
        method_name="execute_complete",
        timeout=timedelta(seconds=sensor.timeout) + TRIGGER_TIMEOUT_MARGIN,
    )


def _poll(sensor: SensorTask, context: Context) -> tuple[WaitSpec, WaitOutcome | None]:
    """Poll once, in a runtime of its own: each poke reads the connection anew."""
    with translate_errors():
        _operation(sensor)  # an argument that is wrong is reported before the connection is read
        state = _load_state(sensor, context)
        with TaskRuntime(sensor, context) as runtime:
            spec = _wait_spec(sensor, runtime)
            outcome = runtime.run(poll_once(runtime.api, spec, state))
    _save_state(sensor, context, state)
    return spec, outcome


def _wait_spec(sensor: SensorTask, runtime: TaskRuntime) -> WaitSpec:
    operation = _operation(sensor)
    if sensor.until not in (None, *TARGETS):
        problem = f"until is {sensor.until!r}, not one of {', '.join(TARGETS)}"
        raise ConfigurationError((problem,), "the task's arguments")
    return WaitSpec(
        offer=runtime.offer_ref(operation),
        until=sensor.until or default_target(operation),
        deadline=datetime.now(timezone.utc) + timedelta(seconds=sensor.timeout),
        operation=operation,
        fail_on_blocked=sensor.fail_on_blocked,
        poll_interval=sensor.poll_interval,
        poll_failure_tolerance=as_timedelta(sensor.poll_failure_tolerance).total_seconds(),
        api=runtime.api.name,
    )


def _operation(sensor: SensorTask) -> Operation | None:
    if sensor.operation is not None or sensor.operation_is_given:
        # One that came out as None is an error: the offer's overall status may be the last publication's.
        return Operation.from_json(sensor.operation)
    if not sensor.offer_id:
        raise ConfigurationError(("give operation or offer_id",), "the task's arguments")
    return None


def _load_state(sensor: SensorTask, context: Context) -> PollState:
    """Return what the pokes before this one saw, from wherever this version of Airflow can keep it."""
    store = _store(sensor, context)
    if store is not None:
        kept = store.get(POLL_STATE_KEY)
        own = isinstance(kept, dict) and kept.get("try_number") == _try_number(context)
        sensor.poll_state = PollState.from_payload(kept) if own else PollState()
    if sensor.poll_state is None:
        sensor.poll_state = PollState()
    return sensor.poll_state


def _save_state(sensor: SensorTask, context: Context, state: PollState) -> None:
    store = _store(sensor, context)
    if store is not None:
        store.set(POLL_STATE_KEY, state.to_payload() | {"try_number": _try_number(context)})


def _store(sensor: SensorTask, context: Context) -> Any:
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
