# SPDX-License-Identifier: Apache-2.0
"""What is said while waiting: a line when something changed, and none while nothing does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.models import Message, Report
from airflow_provider_cpp.core.redaction import shared
from airflow_provider_cpp.core.status import Status

if TYPE_CHECKING:
    from airflow_provider_cpp.core.effects import Flow

AT_LEAST_EVERY = timedelta(hours=1)
REMEMBERED_MESSAGES = 100
QUOTED_MESSAGES = 5


@dataclass(slots=True)
class Memory:
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
    pause: float = 0.0
    going_live: str | None = ""
    step: str = ""
    since: datetime | None = None
    seen: bytes = field(default=b"", compare=False)

    def begin_again(self) -> None:
        """Begin patience anew, in a wait that is begun from its arguments, days after they were written perhaps."""
        self.failing_since = self.warned_at = None
        self.pause, self.step, self.going_live, self.seen = 0.0, "", "", b""

    def forgive(self) -> None:
        """Note an answer: what failed before is forgiven."""
        self.answered = True
        self.failing_since = self.warned_at = None
        self.pause = 0.0

    def stands_at(self, step: str, now: datetime) -> None:
        """Note a step; none is shown for a moment between two, and tells nothing."""
        if self.since is None or (self.step and step and step != self.step):
            self.since = now
        self.step = step or self.step

    def follow(self, going_live: str | None) -> None:
        """Note the operation that is going live; what could not be asked for once is not asked for again."""
        self.going_live = None if self.going_live is None else going_live

    def failed_at(self, now: datetime) -> float:
        """Note a failed look; returns for how many seconds looks have failed."""
        self.failing_since = self.failing_since or now
        self.since = self.since or now
        return (now - self.failing_since).total_seconds()

    def may_warn(self, now: datetime) -> bool:
        """Say whether a failure is told: the first one, then one an hour."""
        if self.warned_at is not None and now - self.warned_at < AT_LEAST_EVERY:
            return False
        self.warned_at = now
        return True

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        values = asdict(self)
        del values["seen"]
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}

    @classmethod
    def from_payload(cls, payload: object) -> Memory:
        """Read it back; what cannot be read is forgotten, since nothing but politeness hangs on it."""
        memory = cls()
        if not isinstance(payload, dict):
            return memory
        memory.answered = payload.get("answered") is True
        memory.summary = str(payload.get("summary") or "")
        messages = payload.get("messages")
        memory.messages = [str(text) for text in messages] if isinstance(messages, list) else []
        memory.failing_since = parse_timestamp(payload.get("failing_since"))
        memory.warned_at = parse_timestamp(payload.get("warned_at"))
        memory.since = parse_timestamp(payload.get("since"))
        return memory


def news(offer: str, report: Report, memory: Memory) -> Flow[None]:
    """Tell what is new in a report, and remember it."""
    from airflow_provider_cpp.core.effects import Tell

    line = shared(summary(report))
    if line != memory.summary:
        level = logging.WARNING if report.blocked_step is not None else logging.INFO
        yield Tell(f"offer {offer}: {line}", level)
        memory.summary = line
    for place, message in _messages(report):
        text = shared(f"{place}: {message.text}")
        if text in memory.messages:
            continue
        level = logging.WARNING if message.is_error or message.level == "warning" else logging.INFO
        yield Tell(f"offer {offer}: {text}", level)
        memory.messages = [*memory.messages, text][-REMEMBERED_MESSAGES:]


def summary(report: Report) -> str:
    """Say in a few words where a report stands: ``running; Certification inProgress 40 %``."""
    word = (
        report.word if report.status is not Status.UNKNOWN else f"{report.word} (a status this release does not know)"
    )
    step = report.current_step
    if step is None or report.status.is_terminal:
        return word
    percentage = f" {step.percentage} %" if step.percentage is not None else ""
    return f"{word}; {step.name} {step.word}{percentage}"


def reasons(report: Report) -> str:
    """Say why, in the portal's own words: the step that went wrong and its messages, errors first."""
    step = next((step for step in report.steps if step.status.is_failure), None) or report.current_step
    own = [*(step.messages if step else ()), *report.messages]
    chosen = [message for message in own if message.is_error] or own
    quoted = "; ".join(dict.fromkeys(message.text for message in chosen[:QUOTED_MESSAGES]))
    more = f" (and {len(chosen) - QUOTED_MESSAGES} more messages)" if len(chosen) > QUOTED_MESSAGES else ""
    place = f" at step {step.name}" if step else ""
    return f"{place}: {quoted}{more}" if quoted else f"{place}, and the portal gave no message"


def _messages(report: Report) -> Iterator[tuple[str, Message]]:
    for message in report.messages:
        yield "portal", message
    for step in report.steps:
        for message in step.messages:
            yield step.name, message
