# SPDX-License-Identifier: Apache-2.0
"""Waiting for a publication: one look, and the loop of looks, as flows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.effects import Flow, Now, Reconnect, SetDeadline, Sleep, Tell
from airflow_provider_cpp.core.models import Report
from airflow_provider_cpp.core.operations import check_api
from airflow_provider_cpp.core.outcome import Outcome, Result
from airflow_provider_cpp.core.poll_state import Memory, news, reasons, summary
from airflow_provider_cpp.core.verdict import IDLE
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import PortalError, RequestError

if TYPE_CHECKING:
    from airflow_provider_cpp.core.api import Api

LAST_POLL = timedelta(seconds=10)
"""For how long a poll may go on after the deadline: the last one, or the only one of a wait that is resumed after it."""

__all__ = ["Sighting", "Watch", "observe", "sighting", "timed_out", "wait"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look saw: a report, and the outcome if it ends the wait.

    :param is_ending: whether it saw an end that nothing else confirms yet, which is a matter of minutes.
    :param going_live: the id of the operation that is going live, where that is not the one that is watched.
    :param mark: the mark of the answer, if it alone said that the wait goes on, whatever the time; else empty.
    """

    report: Report | None
    outcome: Outcome | None = None
    is_ending: bool = False
    going_live: str = ""
    mark: bytes = b""

    @property
    def step(self) -> str:
        """The step that it saw, by which the next pause is chosen; empty for none."""
        if self.is_ending:
            return poll_schedule.ENDING
        return poll_schedule.step_of(self.report) if self.report is not None else ""


def observe(api: Api, watch: Watch, memory: Memory) -> Flow[Outcome | None]:
    """Look once, tell what changed, and tolerate what may pass.

    :param api: the API that the connection is for.
    :param memory: what was told and when polls began to fail; changed in place.
    :returns: the outcome if the wait is over, for better or worse; None if it goes on.
    :raises ConfigurationError: if the wait is for another API: the connection was switched.
    """
    operation = watch.operation
    check_api(api.name, watch.api or (operation.api if operation is not None else None), f"the wait for {watch.offer}")
    try:
        seen = yield from api.look(watch, memory)
    except PortalError as error:
        now: datetime = yield Now()
        return (yield from _tolerate(watch, memory, error, now))
    now = yield Now()
    memory.forgive()
    memory.stands_at(seen.step, now)
    memory.follow(seen.going_live)
    if seen.report is not None:
        yield from news(str(watch.offer), seen.report, memory)
    memory.seen = seen.mark
    return seen.outcome


def wait(api: Api, watch: Watch, memory: Memory | None = None) -> Flow[Outcome]:
    """Look again and again until the wait is over; errors of this package's tree become outcomes too.

    It ends :data:`LAST_POLL` after its deadline at the latest, whatever does not respond.

    :param api: the API that the connection is for.
    :raises ConfigurationError: if the wait is for another API: the connection was switched.
    """
    yield SetDeadline(max(watch.deadline, (yield Now())) + LAST_POLL)
    memory = memory or Memory()
    memory.answered = memory.answered or watch.answered
    memory.begin_again()
    looks = 0
    while True:
        now: datetime = yield Now()
        if looks and now >= watch.deadline:
            return timed_out(watch, memory)
        seconds = _rest(watch, memory, now, looks)
        del now  # thousands of waits sleep here for days: each holds what it needs then
        if seconds is not None:
            yield Sleep(seconds)
        outcome = yield from observe(api, watch, memory)
        if outcome is not None:
            return outcome
        looks += 1


def _rest(watch: Watch, memory: Memory, now: datetime, looks: int) -> float | None:
    """Say for how many seconds a wait does not look after so many looks, never beyond its deadline; None for a look at once."""
    seconds = (
        poll_schedule.pause(watch, memory, now, looks) if looks else poll_schedule.before_first_look(watch, memory, now)
    )
    return min(seconds, max((watch.deadline - now).total_seconds(), 0.0)) if seconds > 0 else None


def timed_out(watch: Watch, memory: Memory) -> Outcome:
    """Make the outcome of a wait that ran out of time."""
    silence = "the portal answers, but does not show it yet" if memory.answered else "the portal never answered"
    seen = f"last seen: {memory.summary}" if memory.summary else silence
    message = f"offer {watch.offer}: gave up waiting for {watch.until}; {seen}. The publication itself goes on"
    return Outcome(Result.TIMED_OUT, message, str(watch.offer), operation=watch.operation_json)


def sighting(watch: Watch, report: Report, result: Result | None, mark: bytes = b"") -> Sighting:
    """Make what one look saw, with the outcome that its result is, in words.

    :param mark: the answer's, if nothing else was looked at.
    """
    if result is None and watch.fail_on_blocked and report.blocked_step is not None:
        result = Result.BLOCKED
    if result is None:
        return Sighting(report, mark=mark)
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
