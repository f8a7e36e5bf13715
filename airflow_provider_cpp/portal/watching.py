# SPDX-License-Identifier: Apache-2.0
"""Waiting for a publication: one look, and the loop of looks, as flows."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_cpp.portal import calls
from airflow_provider_cpp.portal.errors import (
    SAME_RELEASE,
    ConfigurationError,
    NotFound,
    PortalError,
    RequestError,
    SignInError,
    Unauthorized,
)
from airflow_provider_cpp.portal.flows import Flow, Now, Reconnect, Sleep, Tell, ask
from airflow_provider_cpp.portal.models import OfferRef, Report
from airflow_provider_cpp.portal.operations import GRACE, Operation, Submission
from airflow_provider_cpp.portal.outcome import Outcome, Result
from airflow_provider_cpp.portal.progress import Memory, news, reasons, summary
from airflow_provider_cpp.portal.reading import parse_timestamp
from airflow_provider_cpp.portal.settling import situation
from airflow_provider_cpp.portal.text import plain_text
from airflow_provider_cpp.portal.verdict import (
    IDLE,
    UNTIL,
    Target,
    confirms,
    ended_badly,
    find_entry,
    going_live,
    judge_offer,
    judge_operation,
)

VERSION = 1


@dataclass(frozen=True, slots=True)
class Watch:
    """What is waited for, and how patiently: one value, serialized into the trigger as it is.

    :param offer: the offer.
    :param until: ``preview`` or ``live``; ``idle`` for no operation running any more.
    :param deadline: when the wait gives up; an absolute time, so that a restart does not begin it anew.
    :param operation: the operation to watch; None for the offer's overall status.
    :param fail_on_blocked: whether a blocked step ends the wait.
    :param poll_interval: seconds between two looks.
    :param poll_failure_tolerance: seconds without a single answer after which the wait fails.
    :param answered: whether the portal has answered a look of this wait before: until then, credentials that
        are refused fail at once, afterwards they fall under the tolerance.
    """

    offer: OfferRef
    until: Target
    deadline: datetime
    operation: Operation | None = None
    fail_on_blocked: bool = False
    poll_interval: float = 300.0
    poll_failure_tolerance: float = 6 * 3600.0
    answered: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be waited for."""
        problems = []
        if self.until not in (*UNTIL, IDLE):
            problems.append(f"until is {plain_text(repr(self.until), 60)}, not one of {', '.join(UNTIL)}")
        if not 0 < self.poll_interval < math.inf:
            problems.append("poll_interval must be more than 0 seconds")
        if not self.poll_failure_tolerance >= 0:
            problems.append("poll_failure_tolerance must not be negative")
        if self.operation is not None and self.operation.kind == "cancel":
            problems.append("operation is a cancel, which leads neither to a preview nor to the market")
        if self.operation is not None and self.until == IDLE:
            problems.append("until is idle, which is no end of an operation")
        if self.operation is not None and self.operation.offer != self.offer:
            problems.append(f"operation belongs to offer {self.operation.offer}, not to {self.offer}")
        if problems:
            raise ConfigurationError(tuple(problems), "the task's arguments")

    @property
    def operation_json(self) -> dict[str, str | None] | None:
        """The operation as it stands in XCom."""
        return self.operation.to_json() if self.operation else None

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        values = asdict(self) | {"deadline": self.deadline.isoformat(), "operation": self.operation_json}
        return {"version": VERSION, **values}

    @classmethod
    def from_payload(cls, payload: object) -> Watch:
        """Read it back.

        :raises ConfigurationError: if it is not a watch, or of a version that this release does not know.
        """
        values = dict(payload) if isinstance(payload, dict) else {}
        version, deadline = values.pop("version", None), parse_timestamp(values.pop("deadline", None))
        offer, operation = values.pop("offer", None), values.pop("operation", ...)
        # Without its operation a watch would take the last publication's end for this one's.
        readable = operation is not ... and version == VERSION and isinstance(offer, dict) and _are_well_typed(values)
        if deadline is None or isinstance(version, bool) or not readable:
            problem = f"it was written by another release of this package; {SAME_RELEASE}"
            raise ConfigurationError((problem,), "the trigger's watch")
        return cls(
            offer=OfferRef(offer.get("publisher_id", ""), offer.get("offer_id", "")),
            operation=None if operation is None else Operation.from_json(operation),
            deadline=deadline,
            **values,
        )


def _are_well_typed(values: dict[str, Any]) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "until": (str,),
        "fail_on_blocked": (bool,),
        "poll_interval": (int, float),
        "poll_failure_tolerance": (int, float),
        "answered": (bool,),
    }
    return "until" in values and all(
        isinstance(value, kinds.get(key, ())) and (not isinstance(value, bool) or kinds[key] == (bool,))
        for key, value in values.items()
    )


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look saw: a report, and the outcome if it ends the wait."""

    report: Report | None
    outcome: Outcome | None = None


def look(watch: Watch) -> Flow[Sighting]:
    """Look once; what fails raises.

    :raises PortalError: if the portal did not answer, or not as it promises.
    """
    if watch.operation is not None:
        return (yield from _look_at_operation(watch, watch.operation))
    if watch.until == "idle":
        now_there = yield from situation(watch.offer)
        is_idle = now_there.running is None and not now_there.hides_work
        return _sighting(watch, now_there.report, Result.REACHED if is_idle else None)
    report = yield from ask(calls.get_offer_status(watch.offer))
    return _sighting(watch, report, judge_offer(report, watch.until))


def observe(watch: Watch, memory: Memory) -> Flow[Outcome | None]:
    """Look once, tell what changed, and tolerate what may pass.

    :param memory: what was told and when polls began to fail; changed in place.
    :returns: the outcome if the wait is over, for better or worse; None if it goes on.
    """
    try:
        sighting = yield from look(watch)
    except PortalError as error:
        now: datetime = yield Now()
        return (yield from _tolerate(watch, memory, error, now))
    now = yield Now()
    memory.answered_at(now)
    if sighting.report is not None:
        yield from news(str(watch.offer), sighting.report, memory, now)
    return sighting.outcome


def wait(watch: Watch, memory: Memory | None = None) -> Flow[Outcome]:
    """Look again and again until the wait is over; errors of this package's tree become outcomes too."""
    memory = memory or Memory()
    memory.answered = memory.answered or watch.answered
    # A wait that begins again from its arguments, days later perhaps, begins its patience again.
    memory.failing_since = memory.warned_at = None
    if watch.until == IDLE:
        began: datetime = yield Now()
        # It was looked at just now, and the portal said that something runs.
        yield Sleep(min(watch.poll_interval, max((watch.deadline - began).total_seconds(), 0.0)))
    while True:
        outcome = yield from observe(watch, memory)
        if outcome is not None:
            return outcome
        now: datetime = yield Now()
        left = (watch.deadline - now).total_seconds()
        if left <= 0:
            return timed_out(watch, memory)
        yield Sleep(min(max(watch.poll_interval, memory.pause), left))


def timed_out(watch: Watch, memory: Memory) -> Outcome:
    """Make the outcome of a wait that ran out of time."""
    silence = "the portal answers, but does not show it yet" if memory.answered else "the portal never answered"
    seen = f"last seen: {memory.summary}" if memory.summary else silence
    message = f"offer {watch.offer}: gave up waiting for {watch.until}; {seen}. The publication itself goes on"
    return Outcome(Result.TIMED_OUT, message, str(watch.offer), operation=watch.operation_json)


def _look_at_operation(watch: Watch, operation: Operation) -> Flow[Sighting]:
    try:
        report = yield from ask(calls.get_operation(operation))
    except NotFound:
        return (yield from _not_there_yet(operation))
    result = judge_operation(operation, report, watch.until)
    if result is None:
        return _sighting(watch, report, None)
    entries = yield from ask(calls.list_submissions(watch.offer))
    if not confirms(find_entry(operation, entries), report, result):
        return Sighting(None)  # perhaps the publication before this one: neither believed nor told
    if result is Result.REACHED and watch.until == "live":
        return (yield from _look_at_offer_too(watch, operation, report, entries))
    return _sighting(watch, report, result)


def _look_at_offer_too(
    watch: Watch, operation: Operation, report: Report, entries: tuple[Submission, ...]
) -> Flow[Sighting]:
    """Ask the second witness: the operation is done, and the offer is live only if it says so itself."""
    offer_report = yield from ask(calls.get_offer_status(watch.offer))
    successor = going_live(operation, entries)
    if successor is not None and not successor.status.is_success:
        return _sighting(watch, offer_report, ended_badly(successor.status))
    if offer_report.status.is_success:
        return _sighting(watch, report if report.status.is_success else offer_report, Result.REACHED)
    return Sighting(offer_report if not offer_report.status.is_terminal else None)


def _not_there_yet(operation: Operation) -> Flow[Sighting]:
    """Let some minutes pass for an operation that was just accepted; after them, its absence is an error."""
    now: datetime = yield Now()
    if operation.may_be_unknown(now):
        return Sighting(None)
    name = operation.operation_id or operation.location
    text = f"the portal does not know it, {GRACE.total_seconds() / 60:g} minutes after its order"
    raise NotFound(f"operation {name} of offer {operation.offer}", status=404, text=text)


def _sighting(watch: Watch, report: Report, result: Result | None) -> Sighting:
    if result is None and watch.fail_on_blocked and report.blocked_step is not None:
        result = Result.BLOCKED
    if result is None:
        return Sighting(report)
    message = f"offer {watch.offer}: {_words(watch, report, result)}"
    return Sighting(report, Outcome(result, message, str(watch.offer), report.word, watch.operation_json))


def _words(watch: Watch, report: Report, result: Result) -> str:
    if watch.until == IDLE and result is Result.REACHED:
        return f"no operation runs any more ({summary(report)})"
    if result is Result.REACHED:
        if watch.until == "live" or (watch.operation is None and report.status.is_success):
            return f"it is live ({summary(report)})"
        return f"its preview is ready; not live yet ({summary(report)})"
    verbs = {Result.FAILED: "publication failed", Result.CANCELED: "publication was canceled"}
    name = f"; operation {watch.operation.operation_id or watch.operation.location}" if watch.operation else ""
    request = f"; request id {report.request_id}" if report.request_id else ""
    return f"{verbs.get(result, 'publication is blocked')}{reasons(report)}{name}{request}"


def _tolerate(watch: Watch, memory: Memory, error: PortalError, now: datetime) -> Flow[Outcome | None]:
    """Decide whether a look that failed ends the wait: a wrong answer may pass, wrong credentials at first do not."""
    if not memory.answered and not error.retryable:
        return Outcome.of_error(error, str(watch.offer), watch.operation_json)
    failing_for = memory.failed_at(now)
    if failing_for >= watch.poll_failure_tolerance:
        text = (
            f"offer {watch.offer}: no answer from the portal for {timedelta(seconds=round(failing_for))}, last: {error}."
            " What became of the publication is not known, and nothing was done to it"
        )
        return Outcome(Result.ERROR, text, str(watch.offer), operation=watch.operation_json, retryable=True)
    warns = memory.may_warn(now)
    if warns:
        yield Tell(f"{error}; the wait goes on", logging.WARNING)
    if isinstance(error, (SignInError, Unauthorized, ConfigurationError)):
        yield from _reconnect(error, tells=warns)
    memory.pause = (error.retry_after or 0.0) if isinstance(error, RequestError) else 0.0
    return None


def _reconnect(refusal: PortalError, *, tells: bool) -> Flow[None]:
    """Read the connection again; one that cannot be used now may be put right while the wait goes on."""
    try:
        yield Reconnect()
    except PortalError as error:
        if tells and str(error) != str(refusal):  # which was told already
            yield Tell(f"{error}; the wait goes on with the connection as it was", logging.WARNING)
