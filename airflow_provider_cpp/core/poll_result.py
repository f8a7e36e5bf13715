# SPDX-License-Identifier: Apache-2.0
"""The result of one poll."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cpp.core import poll_schedule
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import failure_reason, summarize
from airflow_provider_cpp.core.wait_spec import WaitSpec


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one look saw: a report, and the outcome if it ends the wait.

    :param is_ending: whether it saw an end that nothing else confirms yet, which is a matter of minutes.
    :param going_live: the id of the operation that is going live, where that is not the one that is watched.
    :param mark: the mark of the answer, if it alone said that the wait goes on, whatever the time; else empty.
    """

    report: StatusReport | None
    outcome: WaitOutcome | None = None
    is_ending: bool = False
    go_live_operation_id: str = ""
    response_digest: bytes = b""

    @property
    def step(self) -> str:
        """The step that it saw, by which the next pause is chosen; empty for none."""
        if self.is_ending:
            return poll_schedule.ENDING
        return poll_schedule.step_of(self.report) if self.report is not None else ""


def poll_result(spec: WaitSpec, report: StatusReport, result: WaitResult | None, mark: bytes = b"") -> PollResult:
    """Make what one look saw, with the outcome that its result is, in words.

    :param mark: the answer's, if nothing else was looked at.
    """
    if result is None and spec.fail_on_blocked and report.blocked_step is not None:
        result = WaitResult.BLOCKED
    if result is None:
        return PollResult(report, response_digest=mark)
    message = f"offer {spec.offer}: {_describe(spec, report, result)}"
    return PollResult(report, WaitOutcome(result, message, str(spec.offer), report.raw_status, spec.operation_json))


def _describe(spec: WaitSpec, report: StatusReport, result: WaitResult) -> str:
    if spec.until == IDLE and result is WaitResult.REACHED:
        return f"no operation runs any more ({summarize(report)})"
    if result is WaitResult.REACHED:
        if spec.until == "live" or (spec.operation is None and report.status.is_success):
            return f"it is live ({summarize(report)})"
        return f"its preview is ready; not live yet ({summarize(report)})"
    verbs = {WaitResult.FAILED: "publication failed", WaitResult.CANCELED: "publication was canceled"}
    name = f"; operation {spec.operation.operation_id or spec.operation.location}" if spec.operation else ""
    request = f"; request id {report.request_id}" if report.request_id else ""
    return f"{verbs.get(result, 'publication is blocked')}{failure_reason(report)}{name}{request}"
