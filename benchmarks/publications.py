# SPDX-License-Identifier: Apache-2.0
"""Made-up publications on the portal's documented timings, and a portal that answers for one, without a wire.

How long each step takes is drawn at random, from a seed, within what the portal's pages estimate for it: validation
below a quarter of an hour, certification two to three days and up to five, provisioning up to a day, packaging up to an
hour, going live two to five days; or, as the successor's pages have it, an hour or little more. Who signs off takes
minutes or days. The answers are the emulator's.
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
    """One publication, as it will have been.

    :param number: tells it from the others.
    :param seconds: how long each of the six steps takes; that of the sign-off is a person's.
    :param scenario: one of the emulator's.
    :param one_operation: whether going live continues the publish operation, or is one of its own.
    """

    number: int
    seconds: tuple[float, ...]
    scenario: str = "succeeds"
    one_operation: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """Seconds from its beginning to the end of each step; a failure ends all."""
        return tuple(accumulate(self.seconds[: FAILS_AT.get(self.scenario, LIVE) + 1]))


def as_documented(count: int, seed: int) -> list[Publication]:
    """Draw publications, some of which fail.

    :param count: how many.
    :param seed: the same seed draws the same ones.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret: the same publications are wanted each time
    found = []
    for number in range(count):
        scenario = chance.choices(["succeeds", *FAILS_AT], [82, 8, 5, 5])[0]
        found.append(Publication(number, _draw(chance), scenario, chance.random() < 0.5))  # noqa: PLR2004 - one in two
    return found


def of_days(days: float, count: int, seed: int) -> list[Publication]:
    """Draw publications that are live after so many days, to the quarter of an hour.

    :param days: from the publish to the market, the person who signs off included.
    """
    chance = random.Random(seed)  # noqa: S311 - as above
    found: list[Publication] = []
    while len(found) < count:
        drawn = _draw(chance)
        # Not to the second: no interval shall happen to fit.
        whole = days * DAY + chance.uniform(-15 * MINUTE, 15 * MINUTE)
        left = whole - sum(drawn[index] for index in range(len(drawn)) if index not in (CERTIFICATION, LIVE))
        share = chance.uniform(0.4, 0.6)
        seconds = {CERTIFICATION: left * share, LIVE: left * (1 - share)}
        if min(seconds.values()) > DAY:
            steps = tuple(seconds.get(index, one) for index, one in enumerate(drawn))
            found.append(Publication(len(found), steps, one_operation=chance.random() < 0.5))  # noqa: PLR2004 - one in two
    return found


def _draw(chance: random.Random) -> tuple[float, ...]:
    long = chance.random() < 0.2  # noqa: PLR2004 - one in five
    quick = chance.random() < 0.25  # noqa: PLR2004 - one in four
    return (
        chance.uniform(3 * MINUTE, 15 * MINUTE),
        chance.uniform(3 * DAY, 5 * DAY) if long else chance.uniform(2 * DAY, 3 * DAY),
        chance.uniform(2 * HOUR, DAY),
        chance.uniform(10 * MINUTE, HOUR),
        min(max(chance.lognormvariate(math.log(2 * HOUR), 1.5), 5 * MINUTE), 3 * DAY),
        chance.uniform(55 * MINUTE, 3 * HOUR) if quick else chance.uniform(2 * DAY, 5 * DAY),
    )


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        """Return the time."""
        return self.at

    def shown(self, moment: datetime) -> datetime:
        """Return the moment itself."""
        return moment


class Portal:
    """Answers for one publication at any time; what it would answer again, it need not write again.

    :param publication: which.
    :ivar operation: what publishing it returned.
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
        # The same each time, since a wait's pauses follow from what it waits for.
        published.publish_id, published.golive_id = (str(UUID(int=2 * publication.number + one)) for one in (0, 1))
        self.operation = Operation(ref, "publish", START, published.publish_id)
        self._views = Serializers(offers)
        self._ends = list(publication.ends)
        self._seconds = publication.seconds
        self._written: dict[tuple[str, int, int], bytes] = {}

    def answer(self, call: Request[Any], now: datetime) -> Response:
        """Answer a call."""
        kind = call.path.rstrip("/").rpartition("/")[2]
        since = (now - START).total_seconds()
        step = bisect_right(self._ends, since)
        began = self._ends[step - 1] if step else 0.0
        # An answer differs from the one before in its step and in its percentage.
        place = (kind, step, int((since - began) / self._seconds[step] * 100) if step < len(self._ends) else 0)
        if place not in self._written:
            self._clock.at = now
            self._written[place] = json.dumps(self._body(kind)).encode()
        return Response(200, self._written[place], {}, DEFAULT_HOST, now)

    def _body(self, kind: str) -> Any:
        if kind == "status":
            return self._views.status(self._offer)
        if kind == "submissions":
            return self._views.operations(self._offer)
        return self._views.operation(self._offer, kind)
