# SPDX-License-Identifier: Apache-2.0
"""Waits for made-up publications, by the provider's own flows, on a clock that is moved by hand.

Nothing is sent and nobody sleeps; what is decoded, judged, told and waited for is what a triggerer would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, SendRequest, Sleep
from airflow_provider_cpp.core.offer_state import TARGETS
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import poll_once, wait
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.defaults import PublicationTarget
from benchmarks.publications import HOUR, NAMES, SIGN_OFF, START, Portal, Publication

TIMEOUT = timedelta(days=21)
"""Longer than any of the publications takes."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to wait.

    :param name: what the tables call it.
    :param poll_interval: the wait's argument.
    :param one_in: of so many publications one is followed in this way: thousands of looks at each tell no more.
    :param restarts_every: seconds after which the triggerer restarts, and runs its waits again from their arguments.
    """

    name: str
    poll_interval: float | None
    one_in: int = 1
    restarts_every: float | None = None


PACED = Way("paced", None)
EVERY_300 = Way("every 300 s", 300.0, one_in=4)
RESTARTED = Way("paced, restarted each 23 h", None, restarts_every=23 * HOUR)
WAYS = (PACED, RESTARTED, EVERY_300, Way("every 60 s", 60.0, one_in=20))


@dataclass(slots=True)
class Course:
    """What came of one publication, waited for in one way.

    :ivar looks: when it was looked at, in seconds from its beginning.
    :ivar requests: how many requests these were: a look at an end asks for more than one thing.
    :ivar delays: for each step that ended, by its number, how many seconds later that was told.
    :ivar failed: how many seconds later a failure was told; None where there was none.
    """

    publication: Publication
    looks: list[float] = field(default_factory=list)
    requests: int = 0
    delays: dict[int, float] = field(default_factory=dict)
    failed: float | None = None


class Restart(Exception):  # noqa: N818 - it is no error
    """The triggerer restarts while a wait sleeps."""


class Player:
    """Runs flows against a portal, on a clock of its own, and notes what they told and when.

    :param publication: what is waited for.
    :param restarts_every: seconds between two restarts; None for none.
    """

    def __init__(self, publication: Publication, restarts_every: float | None = None) -> None:
        self.course = Course(publication)
        self.portal = Portal(publication)
        self.now = START + timedelta(seconds=2)
        self._every = timedelta(seconds=restarts_every) if restarts_every else TIMEOUT
        self._restarts_at = START + self._every

    @property
    def since(self) -> float:
        """Seconds since the publication began."""
        return (self.now - START).total_seconds()

    def jump(self, since: float, runs_for: float) -> None:
        """Go to a moment, so many seconds from the beginning, and let the triggerer restart so many after it."""
        self.now = START + timedelta(seconds=since)
        self._restarts_at = self.now + timedelta(seconds=runs_for)

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow to its end.

        :raises Restart: if the triggerer restarts before that.
        """
        answer: Any = None
        while True:
            try:
                request = flow.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = None
            match request:
                case SendRequest(call):
                    self.course.requests += 1
                    if self.since not in self.course.looks[-1:]:  # what is asked at the same moment is one look
                        self.course.looks.append(self.since)
                    answer = self.portal.answer(call, self.now)
                case Sleep(seconds):
                    self._sleep(seconds)
                case GetTime():
                    answer = self.now
                case Log(text):
                    self._is_told(max((step for step, name in enumerate(NAMES) if f"; {name} " in text), default=0))

    def _sleep(self, seconds: float) -> None:
        wakes = self.now + timedelta(seconds=seconds)
        if wakes < self._restarts_at:
            self.now = wakes
        else:
            self.now, self._restarts_at = self._restarts_at, self._restarts_at + self._every
            raise Restart

    def _is_told(self, step: int) -> None:
        """Note that a line tells of this step, so that those before it are known to have ended."""
        for ended in range(step):
            self.course.delays.setdefault(ended, self.since - self.course.publication.ends[ended])

    def ends(self, outcome: WaitOutcome, until: PublicationTarget) -> None:
        """Note how a wait ended."""
        if outcome.result is not WaitResult.REACHED:
            self.course.failed = self.since - self.course.publication.ends[-1]
        elif until == "preview":
            self._is_told(SIGN_OFF)
        else:
            self._is_told(len(self.course.publication.ends))


def follow(publication: Publication, way: Way) -> Course:
    """Wait as the example ``publish_and_wait`` does: until the preview is ready, and then until the offer is live."""
    player = Player(publication, way.restarts_every)
    for until in TARGETS:
        outcome = wait_as_sensor(player, way, until)
        player.ends(outcome, until)
        if outcome.result is not WaitResult.REACHED:
            break
    return player.course


def wait_as_sensor(player: Player, way: Way, until: PublicationTarget) -> WaitOutcome:
    """Look once, as the task does, and then wait as its trigger does, begun from its arguments at each restart."""
    arguments = look_as_sensor(player, way, until)
    while not isinstance(arguments, WaitOutcome):
        try:
            return wait_as_trigger(player, arguments)
        except Restart:
            continue
    return arguments


def look_as_sensor(player: Player, way: Way, until: PublicationTarget) -> WaitOutcome | str:
    """Look once; returns the outcome, or the arguments of a trigger as Airflow stores them."""
    operation, memory = player.portal.operation, PollState()
    watch = WaitSpec(
        operation.offer, until, START + TIMEOUT, operation, poll_interval=way.poll_interval, api="cloud_partner_portal"
    )
    outcome: WaitOutcome | None = player.run(poll_once(CLOUD_PARTNER_PORTAL_API, watch, memory))
    player.now += timedelta(seconds=2)  # until a triggerer takes it up
    return outcome or json.dumps([watch.to_payload(), memory.to_payload()])


def wait_as_trigger(player: Player, arguments: str) -> WaitOutcome:
    """Wait from a trigger's arguments.

    :raises Restart: if the triggerer restarts.
    """
    watch, memory = json.loads(arguments)
    outcome: WaitOutcome = player.run(
        wait(CLOUD_PARTNER_PORTAL_API, WaitSpec.from_payload(watch), PollState.from_payload(memory))
    )
    return outcome
