# SPDX-License-Identifier: Apache-2.0
"""The conditions of one run of the model: what the marketplace responds, how late, and how active other people are."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

MAX_DELAY = 350.0
"""Seconds that a submit can stay in transit after the client gives up."""
MAX_LAG = 350.0
"""Seconds by which the list and the status lag. Together with the delay, this is within the settle time."""

UNPROVEN = (100, 102, 103, 301, 302, 408, 421, 425, 499, 500, 502, 503, 504, "lost", "lost", "no location")
"""Responses that do not prove whether the submit was accepted: statuses, no response, 202 without a location."""
REFUSALS = (400, 401, 403, 404, 412, 422, 423, 429, "never sent")
"""Responses that prove that the submit was not accepted, or was never sent."""
READ_FAULTS = (500, 503, 429, 408, 103, "lost", "never sent")


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a marketplace and the people around it behave; rates are probabilities.

    :ivar is_slow: whether the list lags by more than the settle time. Then only truthful messages can be promised.
    """

    unproven_rate: float
    refusal_rate: float
    read_fault_rate: float
    max_lag: float
    is_replicated: bool
    is_slow: bool
    others_interval: float | None
    mean_duration: float
    rejects_unchanged: bool
    has_busy_periods: bool
    sign_off_status: str

    @classmethod
    def draw(cls, rng: Random) -> Conditions:
        """Draw conditions; about half of the marketplaces behave well in most respects."""
        return cls(
            unproven_rate=rng.choice((0.0, 0.15, 0.5)),
            refusal_rate=rng.choice((0.0, 0.0, 0.15)),
            read_fault_rate=rng.choice((0.0, 0.02, 0.1)),
            max_lag=rng.choice((0.0, 60.0, MAX_LAG)),
            is_replicated=rng.random() < 0.2,
            is_slow=rng.random() < 0.08,
            others_interval=rng.choice((None, None, 300.0, 2000.0, 20000.0)),
            mean_duration=rng.choice((30.0, 600.0, 10000.0)),
            rejects_unchanged=rng.random() < 0.1,
            has_busy_periods=rng.random() < 0.15,
            sign_off_status=rng.choice(("running", "waitingForPublisherReview")),
        )
