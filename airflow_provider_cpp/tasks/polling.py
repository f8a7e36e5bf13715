# SPDX-License-Identifier: Apache-2.0
"""Implementation of the sensor: polling, storing the poll state, and ending the wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import TARGETS, default_target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import poll_once, timeout_outcome
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.tasks.completion import (
    SkippedOutcome,
    finish_from_event,
    raise_for_outcome,
    raise_if_airflow_timed_out,
    translate_errors,
)
from airflow_provider_cpp.tasks.runtime import Task, TaskRuntime, as_timedelta, defer, operation_argument

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

POLL_STATE_KEY = "airflow_provider_cpp.poll_state"


def execute(sensor: Task, context: Context, super_execute: Callable[[Context], Any]) -> Any:
    """Poll once; if the wait continues, defer, sleep or reschedule.

    :param super_execute: Airflow's own loop of pokes, which sleeps or reschedules.
    """
    try:
        if not sensor.deferrable:
            return super_execute(context)
        if (spec := poll(sensor, context)) is not None:
            defer(sensor, spec, sensor.poll_state)
    except _NotSkippable as wrapper:
        raise wrapper.error from wrapper.error.__cause__
    except (AirflowSensorTimeout, AirflowSkipException) as error:
        if isinstance(error, SkippedOutcome) or error.__cause__ is not None:
            raise
        # Airflow's own timeout message names neither the offer nor its status.
        outcome = timeout_outcome(_read_wait_spec(sensor, context), _load_state(sensor, context))
        raise_for_outcome(outcome, soft_fail=isinstance(error, AirflowSkipException))


def finish_wait(sensor: Task, event: object) -> None:
    """End the wait with the trigger's event."""
    with _unskippable():
        finish_from_event(event, soft_fail=sensor.soft_fail)


def resume(
    sensor: Task,
    context: Context,
    next_method: str,
    next_kwargs: dict[str, Any] | None,
    super_resume: Callable[..., Any],
) -> Any:
    """Resume the task; ``soft_fail`` skips only if the publication failed, was canceled or timed out.

    :param super_resume: Airflow's own method to resume a task.
    """
    never_fail = getattr(sensor, "never_fail", False)

    def find_target() -> tuple[OfferRef, str]:
        spec = _read_wait_spec(sensor, context)
        return spec.offer, spec.until

    skips = sensor.soft_fail or never_fail
    raise_if_airflow_timed_out(sensor, next_method, next_kwargs, find_target, soft_fail=skips)
    try:
        return super_resume(next_method, next_kwargs, context)
    except _NotSkippable as wrapper:
        if never_fail:
            raise AirflowSkipException(str(wrapper.error)) from wrapper.error
        raise wrapper.error from wrapper.error.__cause__


def poll(sensor: Task, context: Context) -> WaitSpec | None:
    """Poll once; return None if the target is reached, else what to wait for. Each poll reads the connection again."""
    with _unskippable(), translate_errors():
        _operation(sensor)  # report an invalid argument before reading the connection
        state = _load_state(sensor, context)
        state.request = None  # the connection may have changed to another API
        with TaskRuntime(sensor, context) as runtime:
            spec = _wait_spec(sensor, runtime)
            outcome = runtime.run(poll_once(runtime.api, spec, state))
        store = _store(sensor, context)
        if store is not None:
            store.set(POLL_STATE_KEY, {"try_number": _try_number(context), "poll_state": state.to_payload()})
        if outcome is None:
            return spec
        raise_for_outcome(outcome, soft_fail=sensor.soft_fail)
    return None


def _read_wait_spec(sensor: Task, context: Context) -> WaitSpec:
    with translate_errors(), TaskRuntime(sensor, context) as runtime:
        return _wait_spec(sensor, runtime)


def _wait_spec(sensor: Task, runtime: TaskRuntime) -> WaitSpec:
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
        poll_interval=runtime.poll_interval(sensor.poll_interval),
        poll_failure_tolerance=as_timedelta(sensor.poll_failure_tolerance).total_seconds(),
        api=runtime.api.name,
    )


def _operation(sensor: Task) -> Operation | None:
    operation = operation_argument(sensor)
    if operation is None and not sensor.offer_id:
        raise ConfigurationError(("pass operation or offer_id",), "the task's arguments")
    return operation


def _load_state(sensor: Task, context: Context) -> PollState:
    """Return the poll state of earlier pokes from Airflow's task state store or, before Airflow 3.3, from this process."""
    store = _store(sensor, context)
    if store is not None:
        stored = store.get(POLL_STATE_KEY)
        is_own = isinstance(stored, dict) and stored.get("try_number") == _try_number(context)
        sensor.poll_state = PollState.from_payload(stored.get("poll_state")) if is_own else None
    state: PollState = sensor.poll_state or PollState()
    sensor.poll_state = state
    return state


def _store(sensor: Task, context: Context) -> Any:
    """Return Airflow's task state store if each poke runs in its own process; None before Airflow 3.3."""
    return context.get("task_state_store") if sensor.reschedule and not sensor.deferrable else None


def _try_number(context: Context) -> int | None:
    """Return the number of this try, because failed polls of earlier tries do not count."""
    return getattr(context["ti"], "try_number", None)


class _NotSkippable(Exception):  # noqa: N818 - it wraps an error
    """Wrap an exception so that ``soft_fail`` does not apply: Airflow would skip for every AirflowFailException."""

    def __init__(self, error: AirflowException) -> None:
        self.error = error
        super().__init__(str(error))


@contextmanager
def _unskippable() -> Iterator[None]:
    """Wrap all Airflow exceptions of a ``with`` block except skips and timeouts."""
    try:
        yield
    except (AirflowSkipException, AirflowSensorTimeout):
        raise
    except AirflowException as error:
        raise _NotSkippable(error) from error
