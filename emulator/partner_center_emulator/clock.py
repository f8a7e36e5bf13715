# SPDX-License-Identifier: Apache-2.0
"""Clocks: a portal on which days pass in seconds, or only when a test says so."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """Tells the portal's time, and what a person's watch showed at a moment of it."""

    def now(self) -> datetime:
        """Return the portal's time."""

    def shown(self, moment: datetime) -> datetime:
        """Return the time that is written into answers for a moment of the portal's time."""


class ScaledClock:
    """Runs ``speed`` times as fast as the world; what it writes into answers are the world's times.

    What passes at once, by :meth:`jump`, passes in no time for the world.

    :param speed: seconds of the portal in a second of the world; 1 is real time.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            msg = "speed must be more than 0"
            raise ValueError(msg)
        self.speed = speed
        self._start = datetime.now(timezone.utc)
        self._jumps: list[tuple[datetime, timedelta]] = []  # the portal's time just before each, and how far

    def now(self) -> datetime:
        """Return the portal's time."""
        steady = self._start + (datetime.now(timezone.utc) - self._start) * self.speed
        return steady + sum((span for _, span in self._jumps), timedelta(0))

    def shown(self, moment: datetime) -> datetime:
        """Return when in the world that moment was."""
        jumped = timedelta(0)
        for before, span in self._jumps:
            if moment > before:
                jumped += min(span, moment - before)
        return self._start + (moment - jumped - self._start) / self.speed

    def jump(self, **spans: float) -> None:
        """Let time pass at once: ``clock.jump(days=10)``."""
        self._jumps.append((self.now(), timedelta(**spans)))


class ManualClock:
    """Stands still until it is advanced.

    :param start: the time at first; the world's if None.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(timezone.utc)

    def now(self) -> datetime:
        """Return the portal's time."""
        return self._now

    def shown(self, moment: datetime) -> datetime:
        """Return the moment itself."""
        return moment

    def advance(self, **spans: float) -> None:
        """Let time pass: ``clock.advance(days=2, hours=3)``."""
        self._now += timedelta(**spans)
