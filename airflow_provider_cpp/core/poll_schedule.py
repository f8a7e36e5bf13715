# SPDX-License-Identifier: Apache-2.0
"""How many seconds a wait sleeps before its next poll: pure functions.

One rule for every step: a tenth of the time since the current step was first seen, within bounds, so that a change is reported
late by a share of what the step took, and within minutes. Failures and ``Retry-After`` make the delay longer.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec

AGE_FRACTION = 0.1
"""The next poll comes after this fraction of the current step's age."""

MIN_DELAY = 60.0
MAX_DELAY = 600.0
"""Bounds of the delay, in seconds."""

JITTER = 0.1
"""A delay is made longer by up to this fraction of it, so that waits that began together do not poll together."""

MIN_BACKOFF = 120.0
MAX_BACKOFF = 3600.0
"""Bounds of the delay after failed polls, in seconds: it is as long as polls have failed, so it doubles each time."""

MIN_POLLS_WITHIN_TOLERANCE = 3
"""How many polls fit at least into ``poll_failure_tolerance``: a wait does not fail for a single bad moment."""

RESUMED_AFTER = 60.0
"""A wait that starts this many seconds after its beginning is one that another process began."""

RESUMED_WITHIN = 60.0
"""The first polls of such waits are spread over this many seconds: a triggerer that restarts starts thousands at once."""


def step_of(report: StatusReport) -> str:
    """Return a name for where a report is; the age of a wait's current step is counted by it."""
    if report.awaits_sign_off:
        return "awaiting sign-off"
    if report.is_past_sign_off:
        return "going live"
    step = report.current_step
    if step is not None:
        return step.id or step.name
    return "" if report.steps else report.raw_status  # between two steps, none is current for a moment


def interval(age: float) -> float:
    """Return the seconds between two polls.

    :param age: seconds since the current step was first seen.
    """
    return min(max(age * AGE_FRACTION, MIN_DELAY), MAX_DELAY)


def backoff(usual: float, failing: float, tolerance: float) -> float:
    """Return the seconds between two polls that fail.

    :param usual: the seconds if they did not fail.
    :param failing: for how many seconds they have failed.
    :param tolerance: for how many seconds they may fail.
    """
    slow = max(usual, min(max(MIN_BACKOFF, failing), MAX_BACKOFF))
    return min(slow, max(tolerance / MIN_POLLS_WITHIN_TOLERANCE, MIN_BACKOFF))


def next_delay(spec: WaitSpec, state: PollState, now: datetime, poll: int) -> float:
    """Return the seconds until the next poll.

    :param poll: the number of polls so far.
    """
    if spec.poll_interval is not None:
        return max(spec.poll_interval, state.retry_after)
    seconds = interval(_seconds_since(state.step_since, now))
    if state.failing_since is not None:
        seconds = backoff(seconds, _seconds_since(state.failing_since, now), spec.poll_failure_tolerance)
    return max(seconds, state.retry_after) * (1.0 + JITTER * _random(spec.description, poll))


def first_delay(spec: WaitSpec, state: PollState, now: datetime) -> float:
    """Return the seconds until the first poll of a wait that starts: none, unless it was resumed or has just polled."""
    if spec.poll_interval is None and _seconds_since(state.step_since, now) > RESUMED_AFTER:
        return RESUMED_WITHIN * _random(spec.description, 0)
    return next_delay(spec, state, now, 0) if spec.until == IDLE else 0.0


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment is not None else 0.0


def _random(wait: str, poll: int) -> float:
    """Return a deterministic pseudo-random number in [0, 1), different for each wait and poll."""
    digest = hashlib.sha256(f"{wait} {poll}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
