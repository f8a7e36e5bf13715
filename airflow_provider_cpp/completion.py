# SPDX-License-Identifier: Apache-2.0
"""How an outcome becomes a task's end: the one map from this package's errors to Airflow's.

What cannot get better by itself raises ``AirflowFailException``, which leaves the task's retries unused; what
may raises ``AirflowException``. The same, whether the wait was deferred or not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_cpp.portal.errors import PortalError
from airflow_provider_cpp.portal.outcome import Outcome, Result

log = logging.getLogger(__name__)

SKIPPABLE = frozenset({Result.FAILED, Result.CANCELED, Result.TIMED_OUT})
"""What ``soft_fail`` skips for: the publication's own bad ends, never an error of ours or of the connection."""


class SkippedOutcome(AirflowSkipException):
    """A skip that said its reason already."""


def finish(outcome: Outcome, *, soft_fail: bool = False) -> Outcome:
    """Return an outcome that is what was waited for, and raise for every other.

    :param outcome: how the wait ended.
    :param soft_fail: whether failed, canceled and timed out skip the task instead of failing it.
    :raises AirflowSkipException: for these three, if asked for.
    :raises AirflowSensorTimeout: if time ran out.
    :raises AirflowFailException: for all other ends, and errors that trying again does not help.
    :raises AirflowException: for errors that may pass.
    """
    if outcome.result is Result.REACHED:
        log.info("%s", outcome.message)
        return outcome
    if soft_fail and outcome.result in SKIPPABLE:
        log.warning("%s; skipped, since soft_fail is set", outcome.message)
        raise SkippedOutcome(outcome.message)
    if outcome.result is Result.TIMED_OUT:
        raise AirflowSensorTimeout(outcome.message)
    if outcome.retryable:
        raise AirflowException(outcome.message)
    raise AirflowFailException(outcome.message)


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Turn this package's errors into Airflow's within a ``with`` block."""
    try:
        yield
    except PortalError as error:
        kind = AirflowException if error.retryable else AirflowFailException
        raise kind(str(error)) from error


def resume(event: object, *, soft_fail: bool = False) -> Outcome:
    """Finish with what the triggerer handed back.

    :raises AirflowFailException: also for an event that is None, empty, of another type or with an unknown word.
    """
    with airflow_errors():
        outcome = Outcome.from_payload(event)
    return finish(outcome, soft_fail=soft_fail)
