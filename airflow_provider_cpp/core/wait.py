# SPDX-License-Identifier: Apache-2.0
"""Waiting for a publication: one look, and the loop of looks, as flows."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.api import MarketplaceAPI
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, ReloadConnection, SetDeadline, Sleep
from airflow_provider_cpp.core.operations import ensure_same_api
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import PollState, log_changes
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import MarketplaceError, RequestError

LAST_POLL_TIMEOUT = timedelta(seconds=10)
"""For how long a poll may go on after the deadline: the last one, or the only one of a wait that is resumed after it."""


def poll_once(api: MarketplaceAPI, spec: WaitSpec, state: PollState) -> Flow[WaitOutcome | None]:
    """Look once, tell what changed, and tolerate what may pass.

    :param api: the API that the connection is for.
    :param state: what was told and when polls began to fail; changed in place.
    :returns: the outcome if the wait is over, for better or worse; None if it goes on.
    :raises ConfigurationError: if the wait is for another API: the connection was switched.
    """
    ensure_same_api(api.name, spec.api, f"the wait for {spec.offer}")
    try:
        seen = yield from api.poll(spec, state)
    except MarketplaceError as error:
        now: datetime = yield GetTime()
        return (yield from _handle_failure(spec, state, error, now))
    now = yield GetTime()
    state.record_success()
    state.record_step(seen.step, now)
    state.set_go_live_operation(seen.go_live_operation_id)
    if seen.report is not None:
        yield from log_changes(str(spec.offer), seen.report, state)
    state.response_digest = seen.response_digest
    return seen.outcome


def wait(api: MarketplaceAPI, spec: WaitSpec, state: PollState | None = None) -> Flow[WaitOutcome]:
    """Look again and again until the wait is over; errors of this package's tree become outcomes too.

    It ends :data:`LAST_POLL` after its deadline at the latest, whatever does not respond.

    :param api: the API that the connection is for.
    :raises ConfigurationError: if the wait is for another API: the connection was switched.
    """
    yield SetDeadline(max(spec.deadline, (yield GetTime())) + LAST_POLL_TIMEOUT)
    state = state or PollState()
    state.answered = state.answered or spec.answered
    state.reset_for_resume()
    polls = 0
    while True:
        now: datetime = yield GetTime()
        if polls and now >= spec.deadline:
            return timeout_outcome(spec, state)
        seconds = _delay(spec, state, now, polls)
        del now  # thousands of waits sleep here for days: each holds what it needs then
        if seconds is not None:
            yield Sleep(seconds)
        outcome = yield from poll_once(api, spec, state)
        if outcome is not None:
            return outcome
        polls += 1


def _delay(spec: WaitSpec, state: PollState, now: datetime, polls: int) -> float | None:
    """Say for how many seconds a wait does not look after so many looks, never beyond its deadline; None for a look at once."""
    seconds = (
        poll_schedule.next_delay(spec, state, now, polls) if polls else poll_schedule.first_delay(spec, state, now)
    )
    return min(seconds, max((spec.deadline - now).total_seconds(), 0.0)) if seconds > 0 else None


def timeout_outcome(spec: WaitSpec, state: PollState) -> WaitOutcome:
    """Make the outcome of a wait that ran out of time."""
    silence = "the portal answers, but does not show it yet" if state.answered else "the portal never answered"
    seen = f"last seen: {state.summary}" if state.summary else silence
    message = f"offer {spec.offer}: gave up waiting for {spec.until}; {seen}. The publication itself goes on"
    return WaitOutcome(WaitResult.TIMED_OUT, message, str(spec.offer), operation=spec.operation_json)


def _handle_failure(
    spec: WaitSpec, state: PollState, error: MarketplaceError, now: datetime
) -> Flow[WaitOutcome | None]:
    """Decide whether a look that failed ends the wait: a wrong answer may pass, wrong credentials at first do not."""
    if not state.answered and not error.retryable:
        return WaitOutcome.from_error(error, str(spec.offer), spec.operation_json)
    failing_for = state.record_failure(now)
    if failing_for >= spec.poll_failure_tolerance:
        text = (
            f"offer {spec.offer}: no answer from the portal for {timedelta(seconds=round(failing_for))}, last: {error}."
            " What became of the publication is not known, and nothing was done to it"
        )
        return WaitOutcome(WaitResult.ERROR, text, str(spec.offer), operation=spec.operation_json, retryable=True)
    warns = state.should_warn(now)
    if warns:
        yield Log(f"{error}; the wait goes on", logging.WARNING)
    yield from _reload_connection(error, tells=warns)
    state.retry_after = (error.retry_after or 0.0) if isinstance(error, RequestError) else 0.0
    return None


def _reload_connection(refusal: MarketplaceError, *, tells: bool) -> Flow[None]:
    """Read the connection again; one that cannot be used now may be put right while the wait goes on."""
    try:
        yield ReloadConnection()
    except MarketplaceError as error:
        if tells and str(error) != str(refusal):  # which was told already
            yield Log(f"{error}; the wait goes on with the connection as it was", logging.WARNING)
