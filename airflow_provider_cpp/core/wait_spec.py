# SPDX-License-Identifier: Apache-2.0
"""What is waited for, and how patiently: a value that is stored with the trigger, and outlives releases of this package."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import IDLE, TARGETS, Target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import SAME_RELEASE, ConfigurationError

VERSION = 1


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """What is waited for, and how patiently: one value, serialized into the trigger as it is.

    :param offer: the offer.
    :param until: ``preview`` or ``live``; ``idle`` for no operation running any more.
    :param deadline: when the wait gives up; an absolute time, so that a restart does not begin it anew.
    :param operation: the operation to watch; None for the offer's overall status.
    :param fail_on_blocked: whether a blocked step ends the wait.
    :param poll_interval: seconds between two looks; None for as many as each step is worth: :mod:`.poll_schedule`.
    :param poll_failure_tolerance: seconds without a single answer after which the wait fails.
    :param answered: whether the portal has answered a look of this wait before: until then, credentials that
        are refused fail at once, afterwards they fall under the tolerance.
    :param api: the API to poll, as operations name it.
    """

    offer: OfferRef
    until: Target
    deadline: datetime
    api: str = field(kw_only=True)
    operation: Operation | None = None
    fail_on_blocked: bool = False
    poll_interval: float | None = None
    poll_failure_tolerance: float = 6 * 3600.0
    answered: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be waited for."""
        problems = []
        if self.until not in (*TARGETS, IDLE):
            problems.append(f"until is {sanitize_line(repr(self.until), 60)}, not one of {', '.join(TARGETS)}")
        if self.poll_interval is not None and not 0 < self.poll_interval < math.inf:
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
    def description(self) -> str:
        """What is waited for, in a few words that no other wait has."""
        return f"{self.offer} {self.operation.display_id if self.operation else ''} {self.until}"

    @property
    def operation_json(self) -> dict[str, str | None] | None:
        """The operation as it stands in XCom."""
        return self.operation.to_json() if self.operation else None

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        values = asdict(self) | {"deadline": self.deadline.isoformat(), "operation": self.operation_json}
        return {"version": VERSION, **values}

    @classmethod
    def from_payload(cls, payload: object) -> WaitSpec:
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
        named = OfferRef(offer.get("publisher_id", ""), offer.get("offer_id", ""))
        begun = None if operation is None else Operation.from_json(operation)
        return cls(
            offer=named,
            operation=begun,
            deadline=deadline,
            **values,
        )


def _are_well_typed(values: dict[str, Any]) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "until": (str,),
        "fail_on_blocked": (bool,),
        "poll_interval": (int, float, type(None)),
        "poll_failure_tolerance": (int, float),
        "answered": (bool,),
        "api": (str,),
    }
    return {"until", "api"} <= set(values) and all(
        isinstance(value, kinds.get(key, ())) and (not isinstance(value, bool) or kinds[key] == (bool,))
        for key, value in values.items()
    )
