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

from airflow_provider_cpp.core.models import Report
from airflow_provider_cpp.core.status import LIVE_STEP, SIGN_OFF_STEP
from airflow_provider_cpp.core.verdict import IDLE

if TYPE_CHECKING:
    from airflow_provider_cpp.core.poll_state import Memory
    from airflow_provider_cpp.core.wait_spec import Watch


@dataclass(frozen=True, slots=True)
class Pace:
    """How closely a step is watched.

    :param step: its id in the portal's answers.
    :param name: its name in the portal's documents; either may stand for it.
    :param shortest: seconds between two looks while it is new.
    :param longest: seconds between two looks, however long it runs.
    """

    step: str
    name: str
    shortest: float
    longest: float


TABLE = (
    Pace("displaydummycertify", "Validate Pre-Requisites", 60.0, 300.0),
    Pace("displaycertify", "Certification", 2700.0, 7200.0),
    # Packaging follows, takes an hour at most, and ends in the preview: it must not be slept through.
    Pace("displayprovision", "Provisioning", 1200.0, 2400.0),
    Pace("displaypackage", "Packaging and Lead Generation Registration", 120.0, 300.0),
    Pace(SIGN_OFF_STEP, "Publisher signoff", 120.0, 5400.0),
    Pace(LIVE_STEP, "Live", 300.0, 5400.0),
)
"""The steps of a virtual machine offer. Other kinds of offers have others, and operations may show none."""

OTHERWISE = Pace("", "", 120.0, 3600.0)
"""A step that is not in the table, or that the portal does not show."""

ENDING = "ending"
"""What is not a step: an end that was seen and is not confirmed yet. It is watched as what is new and in no table."""

SHARE = 0.2
"""The next look comes after this share of the time for which the step was seen to run."""

SPREAD = 0.25
"""A pause is made longer by up to this share of it, so that waits which began together do not look together."""

SHORTEST_AFTER_FAILURE = 120.0
LONGEST_AFTER_FAILURE = 3600.0
"""Seconds, for pauses after looks that failed: as long again as looks have failed for, and so twice as long each time."""

LOOKS_WITHIN_TOLERANCE = 3
"""How many pauses fit at least into the time for which looks may fail: a wait does not end for one bad moment."""

RESUMED_AFTER = 60.0
"""Seconds since its beginning after which a wait that starts is one that goes on elsewhere."""

RESUMED_WITHIN = 60.0
"""Seconds over which the first looks of such waits are spread: a triggerer that restarts starts thousands at once."""

_PACES = {key.casefold(): pace for pace in TABLE for key in (pace.step, pace.name)}


def step_of(report: Report) -> str:
    """Name the step that a report is at, for :func:`interval`; empty where it shows none."""
    if report.is_parked:
        return SIGN_OFF_STEP
    if report.is_beyond_sign_off:
        return LIVE_STEP
    step = report.current_step
    if step is None:
        return ""
    known = _PACES.get(step.id.casefold()) or _PACES.get(step.name.casefold())
    return known.step if known else step.id or step.name


def interval(step: str, running: float) -> float:
    """Say how many seconds lie between two looks at a step.

    :param step: as :func:`step_of` names it.
    :param running: for how many seconds it was seen to run.
    """
    pace = _PACES.get(step, OTHERWISE)
    return min(max(pace.shortest, running * SHARE), pace.longest)


def interval_after_failure(usual: float, failing: float, tolerance: float) -> float:
    """Say how many seconds lie between two looks while they fail: never less than usual, but for a short tolerance.

    :param usual: the seconds if they did not fail.
    :param failing: for how many seconds they have failed.
    :param tolerance: for how many seconds they may fail.
    """
    slow = max(usual, min(max(SHORTEST_AFTER_FAILURE, failing), LONGEST_AFTER_FAILURE))
    return min(slow, max(tolerance / LOOKS_WITHIN_TOLERANCE, SHORTEST_AFTER_FAILURE))


def spread(seconds: float, who: str, look: int) -> float:
    """Make a pause longer by up to :data:`SPREAD` of it, differently for each wait and look.

    :param who: what is waited for.
    :param look: the number of the look before the pause.
    """
    return seconds * (1.0 + SPREAD * _share(who, look))


def pause(watch: Watch, memory: Memory, now: datetime, look: int) -> float:
    """Say for how many seconds a wait does not look again.

    :param memory: what it saw.
    :param look: the number of the look before the pause; 0 before the first.
    """
    if watch.poll_interval is not None:
        return max(watch.poll_interval, memory.pause)
    seconds = interval(memory.step, _seconds_since(memory.since, now))
    if memory.failing_since is not None:
        failing = _seconds_since(memory.failing_since, now)
        seconds = interval_after_failure(seconds, failing, watch.poll_failure_tolerance)
    return spread(max(seconds, memory.pause), watch.name, look)


def before_first_look(watch: Watch, memory: Memory, now: datetime) -> float:
    """Say for how many seconds a wait that starts does not look: none if it is new, but for one that has just looked.

    :param memory: what it was begun with.
    """
    if watch.poll_interval is None and _seconds_since(memory.since, now) > RESUMED_AFTER:
        return RESUMED_WITHIN * _share(watch.name, 0)
    return pause(watch, memory, now, 0) if watch.until == IDLE else 0.0


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment is not None else 0.0


def _share(who: str, look: int) -> float:
    """Return a number from 0 up to 1 that looks like chance, and is the same each time it is asked for."""
    digest = hashlib.sha256(f"{who} {look}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
