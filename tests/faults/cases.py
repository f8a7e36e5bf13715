# SPDX-License-Identifier: Apache-2.0
"""The inputs: each behaviour of a server, at each kind of request, in each of its variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from faults.behaviours import BEHAVIOURS, Behaviour

APIS = ("cloud_partner_portal", "product_ingestion")
DRIVERS = ("requests", "aiohttp")
TRIES = 4
SETTLE_TIME = 2.0
LAG = 1.0
"""Seconds until the list shows what was accepted: less than the settle time."""


EACH = 12
"""To how many requests a behaviour happens that happens each time: more than tries there are, and then there is an end."""


@dataclass(frozen=True)
class Variant:
    """What happens around the behaviour.

    :param words: what it is called.
    :param accepts: whether a submit to which it happens was accepted.
    :param times: to how many requests it happens.
    :param lag: seconds until the list shows what was accepted.
    :param outage: whether nothing more can be read in the try whose submit it happened to.
    :param if_running: the argument of the task.
    :param delay: seconds from one try to the next: whether what was accepted is still in progress then.
    """

    words: str
    accepts: bool = False
    times: int = 1
    lag: float = 0.0
    outage: bool = False
    if_running: Literal["fail", "wait"] = "fail"
    delay: float = 300.0


PUBLISH = (
    Variant("not accepted"),
    Variant("not accepted, each time, waits for others", times=EACH, if_running="wait"),
    Variant("accepted", accepts=True, delay=10.0),
    Variant("accepted, each time, waits for others", accepts=True, times=EACH, if_running="wait"),
    Variant("accepted, shows late, waits for others", accepts=True, lag=LAG, if_running="wait"),
    Variant("accepted, then an outage", accepts=True, lag=LAG, outage=True),
)
GO_LIVE = (
    Variant("not accepted"),
    Variant("accepted, shows late, each time", accepts=True, lag=LAG, times=EACH, delay=10.0),
    Variant("accepted, then an outage", accepts=True, lag=LAG, outage=True),
)
POLL = Variant("the offer, once")
POLL_TOO = (Variant("the operation, once"), Variant("the offer, each time", times=EACH))
"""Of these, a behaviour has one through each driver and API."""
SIGN_IN = (Variant("discovery"), Variant("token"))


@dataclass(frozen=True)
class Case:
    """One input: what is done, through which API and driver, and what the server does to it."""

    kind: str
    api: str
    driver: str
    behaviour: Behaviour
    variant: Variant

    @property
    def name(self) -> str:
        parts = (self.kind, self.api, self.driver, self.behaviour.stage, self.behaviour.name, self.variant.words)
        return " / ".join(parts)


def all_cases() -> Iterator[Case]:
    """Yield every input, in an order that is the same each time."""
    for behaviour in BEHAVIOURS:
        for place, api in enumerate(APIS):
            yield from _submits(behaviour, api)
            for number, driver in enumerate(DRIVERS):
                for variant in (POLL, POLL_TOO[(number + place) % 2]):
                    yield Case("poll", api, driver, behaviour, variant)
        for number, driver in enumerate(DRIVERS):
            for place, variant in enumerate(SIGN_IN):
                if not (behaviour.to_connection and variant.words == "token"):
                    yield Case("sign-in", APIS[(number + place) % 2], driver, behaviour, variant)


def _submits(behaviour: Behaviour, api: str) -> Iterator[Case]:
    for kind, variants in (("publish", PUBLISH), ("go-live", GO_LIVE)):
        for variant in variants:
            if ("y" if variant.accepts else "n") in behaviour.truths:
                yield Case(kind, api, "requests", behaviour, variant)


def choose(only: str = "", sample: int = 1) -> list[Case]:
    """Return the inputs whose name has a text in it; every so many of them."""
    return [case for case in all_cases() if only in case.name][::sample]
