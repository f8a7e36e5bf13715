# SPDX-License-Identifier: Apache-2.0
"""The inputs: each behaviour of a server at each kind of request, in each of its variants."""

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

EACH_TIME = 12
"""The number of requests that a repeated behaviour affects: more than there are tries, but finite."""


@dataclass(frozen=True)
class Variant:
    """The circumstances of the behaviour.

    :param name: the variant's name.
    :param accepts: whether an affected submit is accepted.
    :param times: the number of affected requests.
    :param lag: seconds until the list shows what was accepted.
    :param outage: whether all later reads fail in the try of the affected submit.
    :param if_running: the task's argument.
    :param delay: seconds between two tries: decides whether an accepted operation is still in progress.
    """

    name: str
    accepts: bool = False
    times: int = 1
    lag: float = 0.0
    outage: bool = False
    if_running: Literal["fail", "wait"] = "fail"
    delay: float = 300.0


PUBLISH = (
    Variant("not accepted"),
    Variant("not accepted, each time, waits for others", times=EACH_TIME, if_running="wait"),
    Variant("accepted", accepts=True, delay=10.0),
    Variant("accepted, each time, waits for others", accepts=True, times=EACH_TIME, if_running="wait"),
    Variant("accepted, shows late, waits for others", accepts=True, lag=LAG, if_running="wait"),
    Variant("accepted, then an outage", accepts=True, lag=LAG, outage=True),
)
GO_LIVE = (
    Variant("not accepted"),
    Variant("accepted, shows late, each time", accepts=True, lag=LAG, times=EACH_TIME, delay=10.0),
    Variant("accepted, then an outage", accepts=True, lag=LAG, outage=True),
)
POLL = Variant("the offer, once")
MORE_POLLS = (Variant("the operation, once"), Variant("the offer, each time", times=EACH_TIME))
"""Each behaviour has one of these for each driver and API."""
SIGN_IN = (Variant("discovery"), Variant("token"))


@dataclass(frozen=True)
class Case:
    """One input: what the client does, through which API and driver, and how the server behaves."""

    kind: str
    api: str
    driver: str
    behaviour: Behaviour
    variant: Variant

    @property
    def name(self) -> str:
        parts = (self.kind, self.api, self.driver, self.behaviour.stage, self.behaviour.name, self.variant.name)
        return " / ".join(parts)


def all_cases() -> Iterator[Case]:
    """Yield every input, always in the same order."""
    for behaviour in BEHAVIOURS:
        for index, api in enumerate(APIS):
            yield from _submit_cases(behaviour, api)
            for number, driver in enumerate(DRIVERS):
                for variant in (POLL, MORE_POLLS[(number + index) % 2]):
                    yield Case("poll", api, driver, behaviour, variant)
        for number, driver in enumerate(DRIVERS):
            for index, variant in enumerate(SIGN_IN):
                if not (behaviour.to_connection and variant.name == "token"):
                    yield Case("sign-in", APIS[(number + index) % 2], driver, behaviour, variant)


def _submit_cases(behaviour: Behaviour, api: str) -> Iterator[Case]:
    for kind, variants in (("publish", PUBLISH), ("go-live", GO_LIVE)):
        for variant in variants:
            if ("y" if variant.accepts else "n") in behaviour.acceptance:
                yield Case(kind, api, "requests", behaviour, variant)


def choose(only: str = "", sample: int = 1) -> list[Case]:
    """Return every n-th input of those whose name contains a text."""
    return [case for case in all_cases() if only in case.name][::sample]
