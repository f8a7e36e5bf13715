# SPDX-License-Identifier: Apache-2.0
"""Wait for a publication: a single poll, and the loop of polls."""

from __future__ import annotations

import logging
from datetime import timedelta
from hashlib import sha256

from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.api import MarketplaceAPI
from airflow_provider_cpp.core.effects import (
    Flow,
    Log,
    ReloadConnection,
    SetDeadline,
    Sleep,
    get_response,
    get_time,
)
from airflow_provider_cpp.core.offer_state import Target
from airflow_provider_cpp.core.operations import Operation, ensure_same_api
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import PollResult, PollState, log_changes
from airflow_provider_cpp.core.wait_spec import WaitSpec
from airflow_provider_cpp.exceptions import MarketplaceError, RequestError

LAST_POLL_TIMEOUT = timedelta(seconds=10)
"""The timeout of a poll after the deadline: the last poll, or the only one of a wait that is resumed after the deadline."""

WARNING_INTERVAL = timedelta(hours=1)


def wait(api: MarketplaceAPI, spec: WaitSpec, state: PollState | None = None) -> Flow[WaitOutcome]:
    """Poll until the wait ends; errors of this package become outcomes too.

    The wait ends at most :data:`LAST_POLL_TIMEOUT` after its deadline, even if the API does not respond.

    :param api: the connection's API.
    :raises ConfigurationError: if the wait is for another API, because the connection type was changed.
    """
    now = yield from get_time()
    yield SetDeadline(max(spec.deadline, now) + LAST_POLL_TIMEOUT)
    state = state or PollState()
    state.responded = state.responded or spec.responded
    # These belong to another process: a trigger's arguments may be days old.
    state.failing_since = state.warned_at = state.request = None
    state.retry_after, state.step, state.go_live_operation_id, state.response_digest = 0.0, "", "", b""
    polls = 0
    delay = poll_schedule.first_delay(spec, state, now)
    while True:
        delay = min(delay, (spec.deadline - now).total_seconds())
        if delay > 0:
            yield Sleep(delay)
        outcome = yield from poll_once(api, spec, state)
        if outcome is not None:
            return outcome
        polls += 1
        now = yield from get_time()
        if now >= spec.deadline:
            return timeout_outcome(spec, state)
        delay = poll_schedule.next_delay(spec, state, now, polls)


def poll_once(api: MarketplaceAPI, spec: WaitSpec, state: PollState) -> Flow[WaitOutcome | None]:
    """Poll once, log changes, and tolerate temporary failures.

    A response that is identical to the previous one is not parsed.

    :param api: the connection's API.
    :param state: the state that earlier polls of the wait recorded; changed in place.
    :returns: the outcome if the wait ends; None if it continues.
    :raises ConfigurationError: if the wait is for another API, because the connection type was changed.
    """
    if state.request is None:
        ensure_same_api(api.name, spec.api, f"the wait for {spec.offer}")
        state.request = api.poll_request(spec, state)
    response, digest = None, b""
    try:
        if state.request is not None:
            response = yield from get_response(state.request)
            digest = sha256(f"{response.status} {state.request.path}\n".encode() + response.body).digest()
            if digest == state.response_digest:
                state.record_success()
                return None
        result = yield from api.poll(spec, state, response)
    except MarketplaceError as error:
        return (yield from _handle_failure(spec, state, error))
    state.record_success()
    step = "ending" if result.is_ending else poll_schedule.step_of(result.report) if result.report is not None else ""
    now = yield from get_time()
    state.record_step(step, now)
    state.response_digest = digest if result.is_final else b""
    state.set_go_live_operation(result.go_live_operation_id)
    if result.report is not None:
        yield from log_changes(str(spec.offer), result.report, state)
    return result.outcome


def is_signed_off(api: MarketplaceAPI, operation: Operation) -> Flow[bool]:
    """Return whether a publication is past its sign-off: it goes live, or is live.

    :param operation: the publish operation.
    :raises MarketplaceError: if a request failed.
    """
    preview = yield from _poll_new(api, operation, "preview")
    if preview.outcome is None or preview.outcome.result is not WaitResult.REACHED:
        return False
    report = preview.report
    if report is not None and report.status.is_in_progress and report.is_past_sign_off:
        return True
    live = yield from _poll_new(api, operation, "live")
    if live.outcome is None:
        return bool(live.go_live_operation_id)
    return live.outcome.result is WaitResult.REACHED


def _poll_new(api: MarketplaceAPI, operation: Operation, until: Target) -> Flow[PollResult]:
    now = yield from get_time()
    spec, state = WaitSpec(operation.offer, until, now, api=api.name, operation=operation), PollState()
    request = state.request = api.poll_request(spec, state)
    response = None if request is None else (yield from get_response(request))
    return (yield from api.poll(spec, state, response))


def timeout_outcome(spec: WaitSpec, state: PollState) -> WaitOutcome:
    """Return the outcome of a wait that reached its deadline."""
    never = "the API responds, but does not show it yet" if state.responded else "the API never responded"
    last = f"last status: {state.summary}" if state.summary else never
    message = f"offer {spec.offer}: gave up waiting for {spec.until}; {last}. The publication itself goes on"
    return WaitOutcome(WaitResult.TIMED_OUT, message, str(spec.offer), operation=spec.operation_json)


def _handle_failure(spec: WaitSpec, state: PollState, error: MarketplaceError) -> Flow[WaitOutcome | None]:
    """End the wait after a permanent error before the first success, or after the tolerance; else log a warning."""
    if not state.responded and not error.retryable:
        return WaitOutcome.from_error(error, str(spec.offer), spec.operation_json)
    now = yield from get_time()
    state.failing_since = state.failing_since or now
    state.step_since = state.step_since or now
    failing_for = (now - state.failing_since).total_seconds()
    if failing_for >= spec.poll_failure_tolerance:
        text = (
            f"offer {spec.offer}: every poll failed for {timedelta(seconds=round(failing_for))}, last: {error}."
            " The state of the publication is not known; this task did not change it"
        )
        return WaitOutcome(WaitResult.ERROR, text, str(spec.offer), operation=spec.operation_json, retryable=True)
    warns = state.warned_at is None or now - state.warned_at >= WARNING_INTERVAL
    if warns:
        state.warned_at = now
        yield Log(f"{error}; the wait goes on", logging.WARNING)
    try:
        yield ReloadConnection()
    except MarketplaceError as unusable:  # it may be corrected while the wait continues
        if warns and str(unusable) != str(error):
            yield Log(f"{unusable}; the wait goes on with the connection as it was", logging.WARNING)
    state.retry_after = (error.retry_after or 0.0) if isinstance(error, RequestError) else 0.0
    return None
