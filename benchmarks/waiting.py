# SPDX-License-Identifier: Apache-2.0
"""Wait for simulated publications with the package's own flows, on a simulated clock.

Nothing is sent and nothing sleeps; the flows decode, evaluate, log and wait as in a triggerer.
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
from benchmarks.publications import HOUR, NAMES, SIGN_OFF, START, Publication, SimulatedAPI

TIMEOUT = timedelta(days=21)
"""Longer than any of the publications."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When a wait polls.

    :param name: its name in the tables.
    :param poll_interval: the wait's argument.
    :param one_in: simulate one of so many publications: thousands of polls of each add no information.
    :param restarts_every: seconds between restarts of the triggerer, which runs its waits again from their arguments.
    """

    name: str
    poll_interval: float | None
    one_in: int = 1
    restarts_every: float | None = None


DEFAULT = PollSchedule("default", None)
EVERY_300 = PollSchedule("every 300 s", 300.0, one_in=4)
RESTARTED = PollSchedule("default, restarted every 23 h", None, restarts_every=23 * HOUR)
SCHEDULES = (DEFAULT, RESTARTED, EVERY_300, PollSchedule("every 60 s", 60.0, one_in=20))


@dataclass(slots=True)
class WaitRecord:
    """The wait for one publication with one schedule.

    :ivar polls: when it was polled, in seconds from its start.
    :ivar requests: how many requests these were: the poll at an end sends more than one.
    :ivar delays: for each step that ended, by its number, after how many seconds the wait reported its end.
    :ivar failure_delay: after how many seconds the wait reported a failure; None without a failure.
    """

    publication: Publication
    polls: list[float] = field(default_factory=list)
    requests: int = 0
    delays: dict[int, float] = field(default_factory=dict)
    failure_delay: float | None = None


class Restart(Exception):  # noqa: N818 - not an error
    """Raised when the triggerer restarts while a wait sleeps."""


class Driver:
    """Run flows against a simulated API on a simulated clock, and record what they report and when.

    :param publication: the publication to wait for.
    :param restarts_every: seconds between two restarts; None for none.
    """

    def __init__(self, publication: Publication, restarts_every: float | None = None) -> None:
        self.record = WaitRecord(publication)
        self.api = SimulatedAPI(publication)
        self.now = START + timedelta(seconds=2)
        self._every = timedelta(seconds=restarts_every) if restarts_every else TIMEOUT
        self._restarts_at = START + self._every

    @property
    def since(self) -> float:
        """Seconds since the publication started."""
        return (self.now - START).total_seconds()

    def jump(self, since: float, runs_for: float) -> None:
        """Set the clock to so many seconds after the start, and let the triggerer restart ``runs_for`` seconds later."""
        self.now = START + timedelta(seconds=since)
        self._restarts_at = self.now + timedelta(seconds=runs_for)

    def run(self, flow: Flow[Any]) -> Any:
        """Run a flow to its end.

        :raises Restart: if the triggerer restarts before that.
        """
        result: Any = None
        while True:
            try:
                effect = flow.send(result)
            except StopIteration as stop:
                return stop.value
            result = None
            match effect:
                case SendRequest(request):
                    self.record.requests += 1
                    if self.since not in self.record.polls[-1:]:  # requests at the same moment are one poll
                        self.record.polls.append(self.since)
                    result = self.api.respond(request, self.now)
                case Sleep(seconds):
                    self._sleep(seconds)
                case GetTime():
                    result = self.now
                case Log(text):
                    self._record_step(max((step for step, name in enumerate(NAMES) if f"; {name} " in text), default=0))

    def _sleep(self, seconds: float) -> None:
        wakes = self.now + timedelta(seconds=seconds)
        if wakes < self._restarts_at:
            self.now = wakes
        else:
            self.now, self._restarts_at = self._restarts_at, self._restarts_at + self._every
            raise Restart

    def _record_step(self, step: int) -> None:
        """Record that a log line names this step, which shows that the steps before it have ended."""
        for ended in range(step):
            self.record.delays.setdefault(ended, self.since - self.record.publication.ends[ended])

    def record_outcome(self, outcome: WaitOutcome, until: PublicationTarget) -> None:
        """Record how a wait ended."""
        if outcome.result is not WaitResult.REACHED:
            self.record.failure_delay = self.since - self.record.publication.ends[-1]
        elif until == "preview":
            self._record_step(SIGN_OFF)
        else:
            self._record_step(len(self.record.publication.ends))


def simulate_wait(publication: Publication, schedule: PollSchedule) -> WaitRecord:
    """Wait as the example ``publish_and_wait`` does: until the preview is ready, and then until the offer is live."""
    driver = Driver(publication, schedule.restarts_every)
    for until in TARGETS:
        outcome = wait_as_sensor(driver, schedule, until)
        driver.record_outcome(outcome, until)
        if outcome.result is not WaitResult.REACHED:
            break
    return driver.record


def wait_as_sensor(driver: Driver, schedule: PollSchedule, until: PublicationTarget) -> WaitOutcome:
    """Poll once, as the task does, and then wait as its trigger does, which starts from its arguments after each restart."""
    arguments = poll_as_sensor(driver, schedule, until)
    while not isinstance(arguments, WaitOutcome):
        try:
            return wait_as_trigger(driver, arguments)
        except Restart:
            continue
    return arguments


def poll_as_sensor(driver: Driver, schedule: PollSchedule, until: PublicationTarget) -> WaitOutcome | str:
    """Poll once, and return the outcome, or the arguments of a trigger as Airflow stores them."""
    operation, state = driver.api.operation, PollState()
    spec = WaitSpec(
        operation.offer,
        until,
        START + TIMEOUT,
        operation,
        poll_interval=schedule.poll_interval,
        api="cloud_partner_portal",
    )
    outcome: WaitOutcome | None = driver.run(poll_once(CLOUD_PARTNER_PORTAL_API, spec, state))
    driver.now += timedelta(seconds=2)  # until a triggerer starts it
    return outcome or json.dumps([spec.to_payload(), state.to_payload()])


def wait_as_trigger(driver: Driver, arguments: str) -> WaitOutcome:
    """Wait from a trigger's arguments.

    :raises Restart: if the triggerer restarts.
    """
    spec, state = json.loads(arguments)
    outcome: WaitOutcome = driver.run(
        wait(CLOUD_PARTNER_PORTAL_API, WaitSpec.from_payload(spec), PollState.from_payload(state))
    )
    return outcome
