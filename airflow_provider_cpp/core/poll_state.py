# SPDX-License-Identifier: Apache-2.0
"""The state that a wait keeps between polls, the log lines for changes, and the result of a poll."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, fields
from datetime import datetime

from airflow_provider_cpp.core import codec
from airflow_provider_cpp.core.effects import Flow, Log
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.wait_spec import WaitSpec

MAX_LOGGED_MESSAGES = 100
MAX_QUOTED_MESSAGES = 5


@dataclass(slots=True)
class PollState(codec.Payload):
    """The state that a wait keeps between polls. The sensor stores it if Airflow can, so that it outlives the process.

    :ivar responded: whether any poll has succeeded.
    :ivar summary: the last status line that was logged.
    :ivar messages: the logged messages, so that none is logged twice.
    :ivar failing_since: when polls began to fail; None while they succeed.
    :ivar warned_at: when the last failure was logged.
    :ivar step_since: when the current step was first seen; for the first step in a process, when the wait began.
    :ivar step: the current step. This field and the following ones are not stored.
    :ivar retry_after: the Retry-After of the last failure, in seconds.
    :ivar go_live_operation_id: the ID of the go-live operation that follows the publish operation; empty while there is none,
        None if it cannot be polled by its ID.
    :ivar request: the request whose response alone can show that the wait continues; None until it is built.
    :ivar response_digest: the digest of the last response that showed that; an identical response needs no evaluation.
    """

    responded: bool = False
    summary: str = ""
    messages: list[str] = field(default_factory=list)
    failing_since: datetime | None = None
    warned_at: datetime | None = None
    step_since: datetime | None = None
    step: str = field(default="", metadata=codec.VOLATILE)
    retry_after: float = field(default=0.0, metadata=codec.VOLATILE)
    go_live_operation_id: str | None = field(default="", metadata=codec.VOLATILE)
    request: Request[StatusReport] | None = field(default=None, compare=False, metadata=codec.VOLATILE)
    response_digest: bytes = field(default=b"", compare=False, metadata=codec.VOLATILE)

    def record_success(self) -> None:
        """Record a successful poll; reset failures."""
        self.responded = True
        self.failing_since = self.warned_at = None
        self.retry_after = 0.0

    def record_step(self, step: str, now: datetime) -> None:
        """Record the current step; ignore an empty one, which the API may show between two steps."""
        if self.step_since is None or (self.step and step and step != self.step):
            self.step_since = now
        self.step = step or self.step

    def set_go_live_operation(self, operation_id: str | None) -> None:
        """Record the go-live operation, unless an earlier one could not be polled."""
        if self.go_live_operation_id not in (None, operation_id):
            self.go_live_operation_id, self.request, self.response_digest = operation_id, None, b""

    @classmethod
    def from_payload(cls, payload: object) -> PollState:
        """Parse a stored state; return an initial state if it is invalid, which logs lines again and resets failures."""
        known = {"version", *(field.name for field in fields(cls))}
        if isinstance(payload, dict):  # ignore fields of later releases
            payload = {key: value for key, value in payload.items() if key in known}
        try:
            return codec.from_payload(cls, payload)
        except ValueError:
            return cls()


def log_changes(offer: str, report: StatusReport, state: PollState) -> Flow[None]:
    """Log the parts of a report that changed."""
    line = summarize(report)
    if line != state.summary:
        level = logging.WARNING if report.blocked_step is not None else logging.INFO
        yield Log(f"offer {offer}: {line}", level)
        state.summary = line
    for source, messages in (
        ("Partner Center", report.messages),
        *((step.name, step.messages) for step in report.steps),
    ):
        for message in messages:
            text = f"{source}: {message.text}"
            if text in state.messages:
                continue
            level = logging.WARNING if message.is_error or message.level == "warning" else logging.INFO
            yield Log(f"offer {offer}: {text}", level)
            state.messages = [*state.messages, text][-MAX_LOGGED_MESSAGES:]


def summarize(report: StatusReport) -> str:
    """Return a short status line: ``running; Certification inProgress 40 %``."""
    unknown = " (a status that this release does not know)" if report.status is Status.UNKNOWN else ""
    step = report.current_step
    if step is None or report.status.is_terminal:
        return f"{report.raw_status}{unknown}"
    percentage = f" {step.percentage} %" if step.percentage is not None else ""
    return f"{report.raw_status}{unknown}; {step.name} {step.raw_status}{percentage}"


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of one poll.

    :param report: the status to log; None if the response may be about the previous publication.
    :param outcome: the outcome of the wait; None if it continues.
    :param is_ending: whether the poll showed an end that the API has not confirmed yet, which takes some minutes.
    :param go_live_operation_id: the ID of the go-live operation to poll from now on; empty for none.
    :param is_final: whether the response to :meth:`~.api.MarketplaceAPI.poll_request` alone showed that the wait continues, so
        that an identical response needs no evaluation.
    """

    report: StatusReport | None
    outcome: WaitOutcome | None = None
    is_ending: bool = False
    go_live_operation_id: str = ""
    is_final: bool = False


def poll_result(
    spec: WaitSpec, report: StatusReport, result: WaitResult | None, *, is_final: bool = False
) -> PollResult:
    """Return a poll's result, with the outcome's message if the wait ends."""
    if result is None and spec.fail_on_blocked and report.blocked_step is not None:
        result = WaitResult.BLOCKED
    if result is None:
        return PollResult(report, is_final=is_final)
    if result is not WaitResult.REACHED:
        verbs = {WaitResult.FAILED: "publication failed", WaitResult.CANCELED: "publication was canceled"}
        operation = f"; operation {spec.operation.operation_id or spec.operation.location}" if spec.operation else ""
        request = f"; request id {report.request_id}" if report.request_id else ""
        text = f"{verbs.get(result, 'publication is blocked')}{_failure_reason(report)}{operation}{request}"
    elif spec.until == IDLE:
        text = f"no operation is in progress ({summarize(report)})"
    elif spec.until == "live" or (spec.operation is None and report.status.is_success):
        text = f"it is live ({summarize(report)})"
    else:
        text = f"its preview is ready; not live yet ({summarize(report)})"
    offer = str(spec.offer)
    outcome = WaitOutcome(result, f"offer {offer}: {text}", offer, report.raw_status, spec.operation_json)
    return PollResult(report, outcome)


def _failure_reason(report: StatusReport) -> str:
    """Return the failed step and its messages as the API sent them, errors first."""
    step = next((step for step in report.steps if step.status.is_failure), None) or report.current_step
    messages = [*(step.messages if step else ()), *report.messages]
    chosen = [message for message in messages if message.is_error] or messages
    quoted = "; ".join(dict.fromkeys(message.text for message in chosen[:MAX_QUOTED_MESSAGES]))
    more = f" (and {len(chosen) - MAX_QUOTED_MESSAGES} more messages)" if len(chosen) > MAX_QUOTED_MESSAGES else ""
    at_step = f" at step {step.name}" if step else ""
    return f"{at_step}: {quoted}{more}" if quoted else f"{at_step}; the API returned no message"
