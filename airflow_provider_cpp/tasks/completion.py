# SPDX-License-Identifier: Apache-2.0
"""How an outcome ends a task: the only mapping from this package's errors to Airflow's.

A permanent error raises ``AirflowFailException``, which uses none of the task's retries; an error that may be temporary
raises ``AirflowException``. That is the same for a deferred wait and for any other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.exceptions import MarketplaceError

log = logging.getLogger(__name__)

SKIPPABLE = frozenset({WaitResult.FAILED, WaitResult.CANCELED, WaitResult.TIMED_OUT})
"""The results for which ``soft_fail`` skips: a failed publication, never an error of ours or of the connection."""

RESUMED_TO_FAIL = "__fail__"
"""The method with which Airflow resumes a deferred task only to let it fail."""

TRIGGER_TIMEOUT_MARGIN = timedelta(hours=1)
"""A trigger ends at its own deadline; Airflow's timeout, this much later, is for a deployment without a triggerer."""


class SkippedOutcome(AirflowSkipException):
    """A skip whose reason is logged already."""


def raise_for_outcome(outcome: WaitOutcome, *, soft_fail: bool = False) -> WaitOutcome:
    """Return an outcome that reached its target, and raise for every other.

    :param soft_fail: whether failed, canceled and timed out skip the task instead of failing it.
    :raises AirflowSkipException: for these three, with ``soft_fail``.
    :raises AirflowSensorTimeout: if the wait timed out.
    :raises AirflowFailException: for all other ends, and permanent errors.
    :raises AirflowException: for errors that may be temporary.
    """
    if outcome.result is WaitResult.REACHED:
        log.info("%s", outcome.message)
        return outcome
    if soft_fail and outcome.result in SKIPPABLE:
        log.warning("%s; skipping the task because of soft_fail", outcome.message)
        raise SkippedOutcome(outcome.message)
    if outcome.result is WaitResult.TIMED_OUT:
        raise AirflowSensorTimeout(outcome.message)
    if outcome.retryable:
        raise AirflowException(outcome.message)
    raise AirflowFailException(outcome.message)


def as_timedelta(value: float | timedelta) -> timedelta:
    """Return a duration that may be given in seconds."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn this package's errors into Airflow's within a ``with`` block."""
    try:
        yield
    except MarketplaceError as error:
        kind = AirflowException if error.retryable else AirflowFailException
        raise kind(str(error)) from error


def finish_from_event(event: object, *, soft_fail: bool = False) -> WaitOutcome:
    """Finish with the trigger's event.

    :raises AirflowFailException: also for an event that is no outcome.
    """
    with translate_errors():
        outcome = WaitOutcome.from_payload(event)
    return raise_for_outcome(outcome, soft_fail=soft_fail)


def airflow_timeout_reason(next_method: str, next_kwargs: Mapping[str, Any] | None) -> str | None:
    """Return Airflow's reason if it ended a deferral itself because of a timeout; None for every other resumption."""
    reason = str((next_kwargs or {}).get("error", ""))
    return reason if next_method == RESUMED_TO_FAIL and "timeout" in reason.casefold() else None


def raise_airflow_timeout(
    offer: str, until: str | None, reason: str, execution_timeout: timedelta | None, *, soft_fail: bool = False
) -> None:
    """End a deferred wait that Airflow ended: a triggerer would have done so an hour before.

    :param until: the target; None if it is not known any more.
    :param reason: Airflow's; Airflow 2 also bounds the deferred time by the task's ``execution_timeout``, which it names there.
    :raises AirflowSkipException: with ``soft_fail``.
    :raises AirflowException: if ``execution_timeout`` passed, so that the task has its retries.
    :raises AirflowSensorTimeout: otherwise.
    """
    by_execution = execution_timeout is not None and "execution" in reason.casefold()
    why = (
        f"its execution_timeout of {execution_timeout} passed"
        if by_execution
        else "no triggerer ended the wait in time, so Airflow did: check that a triggerer runs and has capacity"
    )
    target = f" for {until}" if until else ""
    message = f"offer {offer}: gave up waiting{target}; {why}. The publication continues"
    if by_execution and not soft_fail:
        raise AirflowException(message)
    raise_for_outcome(WaitOutcome(WaitResult.TIMED_OUT, message, offer), soft_fail=soft_fail)
