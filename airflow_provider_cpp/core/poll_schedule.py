# SPDX-License-Identifier: Apache-2.0
"""Pure functions that compute the delay until the next poll.

The delay is a tenth of the current step's age, within limits, so that a change is reported late by only a fraction of the
step's duration, and by minutes at most. Failures and ``Retry-After`` make the delay longer.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec

AGE_FRACTION = 0.1
"""The delay as a fraction of the current step's age."""

MIN_DELAY = 60.0
MAX_DELAY = 600.0
"""Limits of the delay, in seconds."""

JITTER = 0.1
"""The maximum fraction by which a delay is extended, so that waits that began together do not poll together."""

MIN_BACKOFF = 120.0
MAX_BACKOFF = 3600.0
"""Limits of the delay after failed polls, in seconds. The delay is the time for which polls have failed, so it doubles."""

MIN_POLLS_WITHIN_TOLERANCE = 3
"""The minimum number of polls within ``poll_failure_tolerance``, so that a wait does not fail after a single failed poll."""

RESUMED_AFTER = 60.0
"""A wait is resumed if it starts this many seconds after another process began it."""

RESUMED_WITHIN = 60.0
"""Seconds over which the first polls of resumed waits are spread, because a restarted triggerer resumes thousands at once."""


def step_of(report: StatusReport) -> str:
    """Return a name for a report's current step, by which the step's age is measured."""
    if report.awaits_sign_off:
        return "awaiting sign-off"
    if report.is_past_sign_off:
        return "going live"
    step = report.current_step
    if step is not None:
        return step.id or step.name
    return "" if report.steps else report.raw_status  # empty between two steps


def interval(age: float) -> float:
    """Return the seconds between two polls.

    :param age: seconds for which the current step has been seen.
    """
    return min(max(age * AGE_FRACTION, MIN_DELAY), MAX_DELAY)


def next_delay(spec: WaitSpec, state: PollState, now: datetime, poll: int) -> float:
    """Return the seconds until the next poll.

    :param poll: the number of polls so far.
    """
    if spec.poll_interval is not None:
        return max(spec.poll_interval, state.retry_after)
    seconds = interval(_seconds_since(state.step_since, now))
    if state.failing_since is not None:
        failing = _seconds_since(state.failing_since, now)
        seconds = max(seconds, min(max(MIN_BACKOFF, failing), MAX_BACKOFF))
        seconds = min(seconds, max(spec.poll_failure_tolerance / MIN_POLLS_WITHIN_TOLERANCE, MIN_BACKOFF))
    return max(seconds, state.retry_after) * (1.0 + JITTER * _random(spec.description, poll))


def first_delay(spec: WaitSpec, state: PollState, now: datetime) -> float:
    """Return the seconds until the first poll: 0, unless the wait is resumed or the offer was polled just before."""
    if spec.poll_interval is None and _seconds_since(state.step_since, now) > RESUMED_AFTER:
        return RESUMED_WITHIN * _random(spec.description, 0)
    return next_delay(spec, state, now, 0) if spec.until == IDLE else 0.0


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment is not None else 0.0


def _random(wait: str, poll: int) -> float:
    """Return a deterministic pseudo-random number in [0, 1), different for each wait and poll."""
    digest = hashlib.sha256(f"{wait} {poll}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
