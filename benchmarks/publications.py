# SPDX-License-Identifier: Apache-2.0
"""Simulated publications with the documented durations, and an API that responds for one of them, without a network.

The duration of each step is drawn at random, from a seed, within Microsoft's estimates: validation takes less than a
quarter of an hour, certification two to three days and up to five, provisioning up to a day, packaging up to an hour, going
live two to five days, or, as the Product Ingestion API's pages have it, an hour or little more. The person who signs off
takes minutes or days. The responses are the emulator's.
"""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from typing import Any
from uuid import UUID

from partner_center_emulator.offer_store import OfferStore
from partner_center_emulator.publications import STEPS
from partner_center_emulator.serializers import Serializers
from partner_center_emulator.settings import Settings

from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import DEFAULT_HOST
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation

START = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NAMES = tuple(step[1] for step in STEPS)
CERTIFICATION, PROVISIONING, SIGN_OFF, LIVE = 1, 2, 4, 5
FAILS_AT = {"blocked-then-rejected": CERTIFICATION, "failed": PROVISIONING, "fails-going-live": LIVE}


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication.

    :param number: identifies it.
    :param seconds: the duration of each of the six steps; a person decides that of the sign-off.
    :param scenario: one of the emulator's scenarios.
    :param one_operation: whether going live continues the publish operation, or is an operation of its own.
    """

    number: int
    seconds: tuple[float, ...]
    scenario: str = "succeeds"
    one_operation: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """Seconds from the start to the end of each step; a failure is the last end."""
        return tuple(accumulate(self.seconds[: FAILS_AT.get(self.scenario, LIVE) + 1]))


def as_documented(count: int, seed: int) -> list[Publication]:
    """Draw publications, some of which fail.

    :param count: how many.
    :param seed: the same seed gives the same publications.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret: repeatable on purpose
    publications = []
    for number in range(count):
        scenario = rng.choices(["succeeds", *FAILS_AT], [82, 8, 5, 5])[0]
        publications.append(Publication(number, _draw(rng), scenario, rng.random() < 0.5))  # noqa: PLR2004 - one in two
    return publications


def of_days(days: float, count: int, seed: int) -> list[Publication]:
    """Draw publications that are live after so many days, to the quarter of an hour.

    :param days: from the publish until the offer is live, including the sign-off.
    """
    rng = random.Random(seed)  # noqa: S311 - as above
    publications: list[Publication] = []
    while len(publications) < count:
        drawn = _draw(rng)
        # Not to the second, so that no poll interval fits by accident.
        whole = days * DAY + rng.uniform(-15 * MINUTE, 15 * MINUTE)
        remaining = whole - sum(drawn[index] for index in range(len(drawn)) if index not in (CERTIFICATION, LIVE))
        share = rng.uniform(0.4, 0.6)
        seconds = {CERTIFICATION: remaining * share, LIVE: remaining * (1 - share)}
        if min(seconds.values()) > DAY:
            steps = tuple(seconds.get(index, one) for index, one in enumerate(drawn))
            publications.append(Publication(len(publications), steps, one_operation=rng.random() < 0.5))  # noqa: PLR2004 - one in two
    return publications


def _draw(rng: random.Random) -> tuple[float, ...]:
    long = rng.random() < 0.2  # noqa: PLR2004 - one in five
    quick = rng.random() < 0.25  # noqa: PLR2004 - one in four
    return (
        rng.uniform(3 * MINUTE, 15 * MINUTE),
        rng.uniform(3 * DAY, 5 * DAY) if long else rng.uniform(2 * DAY, 3 * DAY),
        rng.uniform(2 * HOUR, DAY),
        rng.uniform(10 * MINUTE, HOUR),
        min(max(rng.lognormvariate(math.log(2 * HOUR), 1.5), 5 * MINUTE), 3 * DAY),
        rng.uniform(55 * MINUTE, 3 * HOUR) if quick else rng.uniform(2 * DAY, 5 * DAY),
    )


class Clock:
    """A clock that shows the time that it is set to."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """Return the time."""
        return self.at

    def display_time(self, moment: datetime) -> datetime:
        """Return the moment itself."""
        return moment


class SimulatedAPI:
    """Respond for one publication at any time; equal responses are serialized once.

    :param publication: which.
    :ivar operation: the publish operation.
    """

    def __init__(self, publication: Publication) -> None:
        spans = [timedelta(seconds=one) for one in publication.seconds]
        settings = Settings(
            golive_operation="continues" if publication.one_operation else "new",
            validation=spans[0],
            certification=spans[1],
            provisioning=spans[2],
            packaging=spans[3],
            sign_off_after=spans[4],
            going_live=spans[5],
        )
        self._clock = Clock()
        offers = OfferStore(settings, self._clock)
        ref = OfferRef("contoso", f"contoso-{publication.number}")
        self._offer = offers.add("contoso", ref.offer_id, publication.scenario)
        published = offers.publish(self._offer)
        # The same ids each time, because a wait's jitter depends on its operation.
        published.publish_id, published.golive_id = (str(UUID(int=2 * publication.number + one)) for one in (0, 1))
        self.operation = Operation(ref, "publish", START, published.publish_id)
        self._serializers = Serializers(offers)
        self._ends = list(publication.ends)
        self._seconds = publication.seconds
        self._bodies: dict[tuple[str, int, int], bytes] = {}

    def respond(self, request: Request[Any], now: datetime) -> Response:
        """Return the response to a request."""
        kind = request.path.rstrip("/").rpartition("/")[2]
        since = (now - START).total_seconds()
        step = bisect_right(self._ends, since)
        step_start = self._ends[step - 1] if step else 0.0
        # A response differs from the one before in its step and in its percentage.
        key = (kind, step, int((since - step_start) / self._seconds[step] * 100) if step < len(self._ends) else 0)
        if key not in self._bodies:
            self._clock.at = now
            self._bodies[key] = json.dumps(self._body(kind)).encode()
        return Response(200, self._bodies[key], {}, DEFAULT_HOST, now)

    def _body(self, kind: str) -> Any:
        if kind == "status":
            return self._serializers.status(self._offer)
        if kind == "submissions":
            return self._serializers.operations(self._offer)
        return self._serializers.operation(self._offer, kind)
