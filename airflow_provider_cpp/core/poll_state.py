# SPDX-License-Identifier: Apache-2.0
"""What is said while waiting: a line when something changed, and none while nothing does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.models import Message, StatusReport
from airflow_provider_cpp.core.status import Status

if TYPE_CHECKING:
    from airflow_provider_cpp.core.effects import Flow

WARNING_INTERVAL = timedelta(hours=1)
MAX_LOGGED_MESSAGES = 100
MAX_QUOTED_MESSAGES = 5


@dataclass(slots=True)
class PollState:
    """What a wait has told and seen; it outlives a process where Airflow has a place to keep it.

    :ivar answered: whether the portal has ever answered.
    :ivar summary: the last line told.
    :ivar messages: the messages told, so that none is told twice.
    :ivar failing_since: when the polls began to fail; None while they succeed.
    :ivar warned_at: when the last failure was told.
    :ivar pause: seconds that the portal asked to wait at the last failure.
    :ivar going_live: the id of the operation that is going live, where that is not the one that is watched; None if it
        cannot be asked for by its id. The next process finds it again.
    :ivar step: the step that was seen last; the next process does not know it.
    :ivar since: since when that step is known to run; for the first step that a process sees, when the wait began.
    :ivar seen: the mark of the answer that was read last, if it alone said that the wait goes on, and all of it was told:
        while the same one comes, there is nothing to read. The next process does not know it.
    """

    answered: bool = False
    summary: str = ""
    messages: list[str] = field(default_factory=list)
    failing_since: datetime | None = None
    warned_at: datetime | None = None
    retry_after: float = 0.0
    go_live_operation_id: str | None = ""
    step: str = ""
    step_since: datetime | None = None
    response_digest: bytes = field(default=b"", compare=False)

    def reset_for_resume(self) -> None:
        """Begin patience anew, in a wait that is begun from its arguments, days after they were written perhaps."""
        self.failing_since = self.warned_at = None
        self.retry_after, self.step, self.go_live_operation_id, self.response_digest = 0.0, "", "", b""

    def record_success(self) -> None:
        """Note an answer: what failed before is forgiven."""
        self.answered = True
        self.failing_since = self.warned_at = None
        self.retry_after = 0.0

    def record_step(self, step: str, now: datetime) -> None:
        """Note a step; none is shown for a moment between two, and tells nothing."""
        if self.step_since is None or (self.step and step and step != self.step):
            self.step_since = now
        self.step = step or self.step

    def set_go_live_operation(self, going_live: str | None) -> None:
        """Note the operation that is going live; what could not be asked for once is not asked for again."""
        self.go_live_operation_id = None if self.go_live_operation_id is None else going_live

    def record_failure(self, now: datetime) -> float:
        """Note a failed look; returns for how many seconds looks have failed."""
        self.failing_since = self.failing_since or now
        self.step_since = self.step_since or now
        return (now - self.failing_since).total_seconds()

    def should_warn(self, now: datetime) -> bool:
        """Say whether a failure is told: the first one, then one an hour."""
        if self.warned_at is not None and now - self.warned_at < WARNING_INTERVAL:
            return False
        self.warned_at = now
        return True

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        values = asdict(self)
        del values["response_digest"]
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}

    @classmethod
    def from_payload(cls, payload: object) -> PollState:
        """Read it back; what cannot be read is forgotten, since nothing but politeness hangs on it."""
        state = cls()
        if not isinstance(payload, dict):
            return state
        state.answered = payload.get("answered") is True
        state.summary = str(payload.get("summary") or "")
        messages = payload.get("messages")
        state.messages = [str(text) for text in messages] if isinstance(messages, list) else []
        state.failing_since = parse_timestamp(payload.get("failing_since"))
        state.warned_at = parse_timestamp(payload.get("warned_at"))
        state.step_since = parse_timestamp(payload.get("step_since"))
        return state


def log_changes(offer: str, report: StatusReport, state: PollState) -> Flow[None]:
    """Tell what is new in a report, and remember it."""
    from airflow_provider_cpp.core.effects import Log

    line = summarize(report)
    if line != state.summary:
        level = logging.WARNING if report.blocked_step is not None else logging.INFO
        yield Log(f"offer {offer}: {line}", level)
        state.summary = line
    for place, message in _messages(report):
        text = f"{place}: {message.text}"
        if text in state.messages:
            continue
        level = logging.WARNING if message.is_error or message.level == "warning" else logging.INFO
        yield Log(f"offer {offer}: {text}", level)
        state.messages = [*state.messages, text][-MAX_LOGGED_MESSAGES:]


def summarize(report: StatusReport) -> str:
    """Say in a few words where a report stands: ``running; Certification inProgress 40 %``."""
    word = (
        report.raw_status
        if report.status is not Status.UNKNOWN
        else f"{report.raw_status} (a status this release does not know)"
    )
    step = report.current_step
    if step is None or report.status.is_terminal:
        return word
    percentage = f" {step.percentage} %" if step.percentage is not None else ""
    return f"{word}; {step.name} {step.raw_status}{percentage}"


def failure_reason(report: StatusReport) -> str:
    """Say why, in the portal's own words: the step that went wrong and its messages, errors first."""
    step = next((step for step in report.steps if step.status.is_failure), None) or report.current_step
    own = [*(step.messages if step else ()), *report.messages]
    chosen = [message for message in own if message.is_error] or own
    quoted = "; ".join(dict.fromkeys(message.text for message in chosen[:MAX_QUOTED_MESSAGES]))
    more = f" (and {len(chosen) - MAX_QUOTED_MESSAGES} more messages)" if len(chosen) > MAX_QUOTED_MESSAGES else ""
    place = f" at step {step.name}" if step else ""
    return f"{place}: {quoted}{more}" if quoted else f"{place}, and the portal gave no message"


def _messages(report: StatusReport) -> Iterator[tuple[str, Message]]:
    for message in report.messages:
        yield "portal", message
    for step in report.steps:
        for message in step.messages:
            yield step.name, message
