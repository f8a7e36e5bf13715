# SPDX-License-Identifier: Apache-2.0
"""Convert outcomes and this package's errors to Airflow's exceptions.

A permanent error raises ``AirflowFailException``, which fails the task without a retry; a temporary error raises
``AirflowException``. This applies to deferred and other waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.exceptions import MarketplaceError
from airflow_provider_cpp.tasks.runtime import Task

log = logging.getLogger(__name__)

SKIPPABLE = frozenset({WaitResult.FAILED, WaitResult.CANCELED, WaitResult.TIMED_OUT})
"""The results for which ``soft_fail`` skips the task. Errors of this package or of the connection are never skipped."""

RESUMED_TO_FAIL = "__fail__"
"""The method name with which Airflow resumes a deferred task only to fail it."""


class SkippedOutcome(AirflowSkipException):
    """A skip whose reason is already logged."""


def raise_for_outcome(outcome: WaitOutcome, *, soft_fail: bool = False) -> WaitOutcome:
    """Return an outcome that reached its target, and raise an exception for any other outcome.

    :param soft_fail: whether to skip the task instead of failing it if the publication failed, was canceled or timed out.
    :raises AirflowSkipException: for these three results with ``soft_fail``.
    :raises AirflowSensorTimeout: if the wait timed out.
    :raises AirflowFailException: for all other results, and for permanent errors.
    :raises AirflowException: for temporary errors.
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


@contextmanager
def translate_errors() -> Iterator[None]:
    """Convert this package's errors to Airflow's exceptions within a ``with`` block."""
    try:
        yield
    except MarketplaceError as error:
        kind = AirflowException if error.retryable else AirflowFailException
        raise kind(str(error)) from error


def finish_from_event(event: object, *, soft_fail: bool = False) -> WaitOutcome:
    """Return or raise the outcome in the trigger's event.

    :raises AirflowFailException: if the event is not an outcome; see also :func:`raise_for_outcome`.
    """
    with translate_errors():
        outcome = WaitOutcome.from_payload(event)
    return raise_for_outcome(outcome, soft_fail=soft_fail)


def raise_if_airflow_timed_out(
    task: Task,
    next_method: str,
    next_kwargs: Mapping[str, Any] | None,
    find_target: Callable[[], tuple[OfferRef, str | None]],
    *,
    soft_fail: bool = False,
) -> None:
    """Fail a task that Airflow resumes because one of its own timeouts ended the deferred wait.

    :param next_kwargs: contains Airflow's reason; Airflow 2 also limits the deferred time to ``execution_timeout``, and names
        it there.
    :param find_target: returns the offer and the target of the wait; the target is None if it is not known.
    :raises AirflowSkipException: with ``soft_fail``.
    :raises AirflowException: if ``execution_timeout`` passed, so that Airflow can retry the task.
    :raises AirflowSensorTimeout: otherwise.
    """
    reason = str((next_kwargs or {}).get("error", "")).casefold()
    if next_method != RESUMED_TO_FAIL or "timeout" not in reason:
        return
    offer, until = find_target()
    execution_timeout = getattr(task, "execution_timeout", None)
    by_execution = execution_timeout is not None and "execution" in reason
    why = (
        f"its execution_timeout of {execution_timeout} passed"
        if by_execution
        else "no triggerer ended the wait in time, so Airflow did: check that a triggerer runs and has capacity"
    )
    target = f" for {until}" if until else ""
    message = f"offer {offer}: gave up waiting{target}; {why}. The publication continues"
    if by_execution and not soft_fail:
        raise AirflowException(message)
    raise_for_outcome(WaitOutcome(WaitResult.TIMED_OUT, message, str(offer)), soft_fail=soft_fail)
