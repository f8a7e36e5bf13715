# SPDX-License-Identifier: Apache-2.0
"""The emulator's clocks: days pass in seconds, or only when a test advances the clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """The emulator's time, and the times in its responses."""

    def now(self) -> datetime:
        """Return the emulator's time."""

    def display_time(self, moment: datetime) -> datetime:
        """Return the time that responses contain for a moment on the emulator's clock."""


class ScaledClock:
    """A clock that runs ``speed`` times as fast as real time; responses contain real times.

    A :meth:`jump` takes no real time.

    :param speed: seconds on the emulator's clock per real second; 1 by default.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            msg = "speed must be more than 0"
            raise ValueError(msg)
        self.speed = speed
        self._start = datetime.now(timezone.utc)
        self._jumps: list[tuple[datetime, timedelta]] = []  # the emulator's time before each jump, and its length

    def now(self) -> datetime:
        """Return the emulator's time."""
        steady = self._start + (datetime.now(timezone.utc) - self._start) * self.speed
        return steady + sum((span for _, span in self._jumps), timedelta(0))

    def display_time(self, moment: datetime) -> datetime:
        """Return the real time of the moment."""
        skipped = timedelta(0)
        for before, span in self._jumps:
            if moment > before:
                skipped += min(span, moment - before)
        return self._start + (moment - skipped - self._start) / self.speed

    def jump(self, **spans: float) -> None:
        """Advance the clock immediately: ``clock.jump(days=10)``."""
        self._jumps.append((self.now(), timedelta(**spans)))


class ManualClock:
    """A clock that changes only with :meth:`advance`.

    :param start: the initial time; the real time if None.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(timezone.utc)

    def now(self) -> datetime:
        """Return the emulator's time."""
        return self._now

    def display_time(self, moment: datetime) -> datetime:
        """Return the moment unchanged."""
        return moment

    def advance(self, **spans: float) -> None:
        """Advance the clock: ``clock.advance(days=2, hours=3)``."""
        self._now += timedelta(**spans)
