# SPDX-License-Identifier: Apache-2.0
"""How an outcome becomes a task's end: the one map from this package's errors to Airflow's.

What cannot get better by itself raises ``AirflowFailException``, which leaves the task's retries unused; what
may raises ``AirflowException``. The same, whether the wait was deferred or not.
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
"""What ``soft_fail`` skips for: the publication's own bad ends, never an error of ours or of the connection."""


RESUMED_TO_FAIL = "__fail__"
"""The method with which Airflow resumes a deferred task only to let it fail."""


TRIGGER_TIMEOUT_MARGIN = timedelta(hours=1)
"""A trigger keeps its deadline itself; Airflow's own, so much later, is for a deployment whose triggerer never comes."""


class SkippedOutcome(AirflowSkipException):
    """A skip that said its reason already."""


def raise_for_outcome(outcome: WaitOutcome, *, soft_fail: bool = False) -> WaitOutcome:
    """Return an outcome that is what was waited for, and raise for every other.

    :param outcome: how the wait ended.
    :param soft_fail: whether failed, canceled and timed out skip the task instead of failing it.
    :raises AirflowSkipException: for these three, if asked for.
    :raises AirflowSensorTimeout: if time ran out.
    :raises AirflowFailException: for all other ends, and errors that trying again does not help.
    :raises AirflowException: for errors that may pass.
    """
    if outcome.result is WaitResult.REACHED:
        log.info("%s", outcome.message)
        return outcome
    if soft_fail and outcome.result in SKIPPABLE:
        log.warning("%s; skipped, since soft_fail is set", outcome.message)
        raise SkippedOutcome(outcome.message)
    if outcome.result is WaitResult.TIMED_OUT:
        raise AirflowSensorTimeout(outcome.message)
    if outcome.retryable:
        raise AirflowException(outcome.message)
    raise AirflowFailException(outcome.message)


def as_timedelta(value: float | timedelta) -> timedelta:
    """Return a span of time that may be given in seconds."""
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
    """Finish with what the triggerer handed back.

    :raises AirflowFailException: also for an event that is None, empty, of another type or with an unknown word.
    """
    with translate_errors():
        outcome = WaitOutcome.from_payload(event)
    return raise_for_outcome(outcome, soft_fail=soft_fail)


def airflow_timeout_reason(next_method: str, next_kwargs: Mapping[str, Any] | None) -> str | None:
    """Return Airflow's word for a deferral that it ended itself because time ran out; None for every other resumption."""
    word = str((next_kwargs or {}).get("error", ""))
    return word if next_method == RESUMED_TO_FAIL and "timeout" in word.casefold() else None


def raise_airflow_timeout(
    offer: str, until: str | None, word: str, execution_timeout: timedelta | None, *, soft_fail: bool = False
) -> None:
    """End a deferred wait that Airflow ended: a triggerer would have done so an hour before.

    :param offer: the offer, as ``publisher/offer``.
    :param until: what was waited for; None if that is not known any more.
    :param word: what :func:`ended_by_airflow` returned.
    :param execution_timeout: the task's; Airflow 2 bounds the deferred time by it as well, and says so in its word.
    :param soft_fail: whether the task is skipped instead.
    :raises AirflowSkipException: if asked for.
    :raises AirflowException: if it was ``execution_timeout``, which leaves the task its retries.
    :raises AirflowSensorTimeout: otherwise.
    """
    by_execution = execution_timeout is not None and "execution" in word.casefold()
    why = (
        f"its execution_timeout of {execution_timeout} was over while it waited."
        if by_execution
        else "no triggerer ended the wait in its time, so Airflow did: does one run, and has it room for it?"
    )
    target = f" for {until}" if until else ""
    message = f"offer {offer}: gave up waiting{target}; {why} The publication itself goes on"
    if by_execution and not soft_fail:
        raise AirflowException(message)
    raise_for_outcome(WaitOutcome(WaitResult.TIMED_OUT, message, offer), soft_fail=soft_fail)
