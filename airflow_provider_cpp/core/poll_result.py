# SPDX-License-Identifier: Apache-2.0
"""The result of one poll."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.offer_state import IDLE
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.poll_state import failure_reason, summarize
from airflow_provider_cpp.core.wait_spec import WaitSpec


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
    message = f"offer {spec.offer}: {_describe(spec, report, result)}"
    return PollResult(report, WaitOutcome(result, message, str(spec.offer), report.raw_status, spec.operation_json))


def _describe(spec: WaitSpec, report: StatusReport, result: WaitResult) -> str:
    if spec.until == IDLE and result is WaitResult.REACHED:
        return f"no operation is in progress ({summarize(report)})"
    if result is WaitResult.REACHED:
        if spec.until == "live" or (spec.operation is None and report.status.is_success):
            return f"it is live ({summarize(report)})"
        return f"its preview is ready; not live yet ({summarize(report)})"
    verbs = {WaitResult.FAILED: "publication failed", WaitResult.CANCELED: "publication was canceled"}
    operation = f"; operation {spec.operation.operation_id or spec.operation.location}" if spec.operation else ""
    request = f"; request id {report.request_id}" if report.request_id else ""
    return f"{verbs.get(result, 'publication is blocked')}{failure_reason(report)}{operation}{request}"
