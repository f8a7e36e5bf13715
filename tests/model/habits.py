# SPDX-License-Identifier: Apache-2.0
"""How a marketplace of the model behaves: what it responds, how late, and how busy people are around it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

LONGEST_DELAY = 350.0
"""Seconds that a submit can still be on its way after the client gave up."""
LONGEST_LAG = 350.0
"""Seconds by which list and status lag behind. With the delay this stays within the settle time."""

UNPROVEN = (100, 102, 103, 301, 302, 408, 421, 425, 499, 500, 502, 503, 504, "lost", "lost", "nameless")
"""Responses that do not tell whether the submit was accepted: statuses, no response, 202 without location."""
REFUSALS = (400, 401, 403, 404, 412, 422, 423, 429, "never sent")
"""Responses that prove that it was not; or it was never sent."""
READ_FAULTS = (500, 503, 429, 408, 103, "lost", "never sent")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a marketplace behaves, and the people around it.

    :ivar is_slow: whether the list lags behind by more than the settle time: then nothing can be promised but the truth.
    """

    unproven: float
    refuses: float
    faults: float
    lag: float
    is_replicated: bool
    is_slow: bool
    others_every: float | None
    lasts: float
    rejects_unchanged: bool
    busy_windows: bool
    parked_word: str

    @classmethod
    def draw(cls, rng: Random) -> Habits:
        """Draw them; half of the marketplaces are well behaved in most respects."""
        return cls(
            unproven=rng.choice((0.0, 0.15, 0.5)),
            refuses=rng.choice((0.0, 0.0, 0.15)),
            faults=rng.choice((0.0, 0.02, 0.1)),
            lag=rng.choice((0.0, 60.0, LONGEST_LAG)),
            is_replicated=rng.random() < 0.2,
            is_slow=rng.random() < 0.08,
            others_every=rng.choice((None, None, 300.0, 2000.0, 20000.0)),
            lasts=rng.choice((30.0, 600.0, 10000.0)),
            rejects_unchanged=rng.random() < 0.1,
            busy_windows=rng.random() < 0.15,
            parked_word=rng.choice(("running", "waitingForPublisherReview")),
        )
