# SPDX-License-Identifier: Apache-2.0
"""How long a wait pauses before it looks again: a table and a few rules, made without a clock.

A publication goes through steps, some of minutes and some of days. A wait that is given no interval of its own looks
closely where minutes matter and seldom where days pass: after a fifth of the time for which it has seen the step run,
within the step's own bounds. What is seen late is so seen late by a share of what it took, whatever it took.

The time that each step takes is what the portal's documents estimate:
`Retrieve offer status <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-offer-status>`_
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.status import LIVE_STEP, SIGN_OFF_STEP

if TYPE_CHECKING:
    from airflow_provider_cpp.core.poll_state import PollState
    from airflow_provider_cpp.core.wait_spec import WaitSpec


@dataclass(frozen=True, slots=True)
class StepSchedule:
    """How closely a step is watched.

    :param step: its id in the portal's answers.
    :param name: its name in the portal's documents; either may stand for it.
    :param shortest: seconds between two looks while it is new.
    :param longest: seconds between two looks, however long it runs.
    """

    step: str
    name: str
    min_delay: float
    max_delay: float


TABLE = (
    StepSchedule("displaydummycertify", "Validate Pre-Requisites", 60.0, 300.0),
    StepSchedule("displaycertify", "Certification", 2700.0, 7200.0),
    # Packaging follows, takes an hour at most, and ends in the preview: it must not be slept through.
    StepSchedule("displayprovision", "Provisioning", 1200.0, 2400.0),
    StepSchedule("displaypackage", "Packaging and Lead Generation Registration", 120.0, 300.0),
    StepSchedule(SIGN_OFF_STEP, "Publisher signoff", 120.0, 5400.0),
    StepSchedule(LIVE_STEP, "Live", 300.0, 5400.0),
)
"""The steps of a virtual machine offer. Other kinds of offers have others, and operations may show none."""

OTHERWISE = StepSchedule("", "", 120.0, 3600.0)
"""A step that is not in the table, or that the portal does not show."""

ENDING = "ending"
"""What is not a step: an end that was seen and is not confirmed yet. It is watched as what is new and in no table."""

AGE_FRACTION = 0.2
"""The next look comes after this share of the time for which the step was seen to run."""

JITTER = 0.25
"""A pause is made longer by up to this share of it, so that waits which began together do not look together."""

MIN_BACKOFF = 120.0
MAX_BACKOFF = 3600.0
"""Seconds, for pauses after looks that failed: as long again as looks have failed for, and so twice as long each time."""

MIN_POLLS_WITHIN_TOLERANCE = 3
"""How many pauses fit at least into the time for which looks may fail: a wait does not end for one bad moment."""

RESUMED_AFTER = 60.0
"""Seconds since its beginning after which a wait that starts is one that goes on elsewhere."""

RESUMED_WITHIN = 60.0
"""Seconds over which the first looks of such waits are spread: a triggerer that restarts starts thousands at once."""

_BY_STEP = {key.casefold(): pace for pace in TABLE for key in (pace.step, pace.name)}


def step_of(report: StatusReport) -> str:
    """Name the step that a report is at, for :func:`interval`; empty where it shows none."""
    if report.awaits_sign_off:
        return SIGN_OFF_STEP
    if report.is_past_sign_off:
        return LIVE_STEP
    step = report.current_step
    if step is None:
        return ""
    known = _BY_STEP.get(step.id.casefold()) or _BY_STEP.get(step.name.casefold())
    return known.step if known else step.id or step.name


def interval(step: str, running: float) -> float:
    """Say how many seconds lie between two looks at a step.

    :param step: as :func:`step_of` names it.
    :param running: for how many seconds it was seen to run.
    """
    pace = _BY_STEP.get(step, OTHERWISE)
    return min(max(pace.min_delay, running * AGE_FRACTION), pace.max_delay)


def backoff(usual: float, failing: float, tolerance: float) -> float:
    """Say how many seconds lie between two looks while they fail: never less than usual, but for a short tolerance.

    :param usual: the seconds if they did not fail.
    :param failing: for how many seconds they have failed.
    :param tolerance: for how many seconds they may fail.
    """
    slow = max(usual, min(max(MIN_BACKOFF, failing), MAX_BACKOFF))
    return min(slow, max(tolerance / MIN_POLLS_WITHIN_TOLERANCE, MIN_BACKOFF))


def with_jitter(seconds: float, who: str, poll: int) -> float:
    """Make a pause longer by up to :data:`SPREAD` of it, differently for each wait and look.

    :param who: what is waited for.
    :param poll: the number of the look before the pause.
    """
    return seconds * (1.0 + JITTER * _jitter(who, poll))


def next_delay(spec: WaitSpec, state: PollState, now: datetime, poll: int) -> float:
    """Say for how many seconds a wait does not look again.

    :param state: what it saw.
    :param poll: the number of the look before the pause; 0 before the first.
    """
    if spec.poll_interval is not None:
        return max(spec.poll_interval, state.retry_after)
    seconds = interval(state.step, _seconds_since(state.step_since, now))
    if state.failing_since is not None:
        failing = _seconds_since(state.failing_since, now)
        seconds = backoff(seconds, failing, spec.poll_failure_tolerance)
    return with_jitter(max(seconds, state.retry_after), spec.description, poll)


def first_delay(spec: WaitSpec, state: PollState, now: datetime) -> float:
    """Say for how many seconds a wait that starts does not look: none if it is new, but for one that has just looked.

    :param state: what it was begun with.
    """
    if spec.poll_interval is None and _seconds_since(state.step_since, now) > RESUMED_AFTER:
        return RESUMED_WITHIN * _jitter(spec.description, 0)
    return next_delay(spec, state, now, 0) if spec.until == IDLE else 0.0


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment is not None else 0.0


def _jitter(who: str, poll: int) -> float:
    """Return a number from 0 up to 1 that looks like chance, and is the same each time it is asked for."""
    digest = hashlib.sha256(f"{who} {poll}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
