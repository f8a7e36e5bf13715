# SPDX-License-Identifier: Apache-2.0
"""The specification of a wait, which is stored with the trigger."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_cpp.core import codec
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import IDLE, TARGETS, Target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import SAME_RELEASE, ConfigurationError


@dataclass(frozen=True, slots=True)
class WaitSpec(codec.Payload):
    """The target of a wait, its deadline, and how it polls.

    :param offer: the offer.
    :param until: ``preview``, ``live``, or ``idle`` for no operation in progress.
    :param deadline: when the wait ends; an absolute time, so that a restart does not extend the wait.
    :param api: the name of the API to poll.
    :param operation: the operation to wait for; None for the offer's overall status.
    :param fail_on_blocked: whether a blocked step ends the wait; False by default.
    :param poll_interval: seconds between two polls; None to use :mod:`.poll_schedule`.
    :param poll_failure_tolerance: seconds without a successful poll after which the wait fails; 6 hours by default.
    :param responded: whether a poll of this wait has succeeded before. Until then, a permanent error ends the wait at once;
        after that, the tolerance applies.
    """

    offer: OfferRef
    until: Target
    deadline: datetime
    api: str = field(kw_only=True)
    # Required, because without its operation, a wait could end with the status of the previous publication.
    operation: Operation | None = field(default=None, metadata=codec.REQUIRED)
    fail_on_blocked: bool = False
    poll_interval: float | None = None
    poll_failure_tolerance: float = 6 * 3600.0
    responded: bool = False

    def __post_init__(self) -> None:
        problems = []
        if self.until not in (*TARGETS, IDLE):
            problems.append(f"until is {sanitize_line(repr(self.until), 60)}, not one of {', '.join(TARGETS)}")
        if self.poll_interval is not None and not 0 < self.poll_interval < math.inf:
            problems.append("poll_interval must be more than 0 seconds")
        if not self.poll_failure_tolerance >= 0:
            problems.append("poll_failure_tolerance must not be negative")
        if self.operation is not None:
            if self.operation.kind == "cancel":
                problems.append("operation is a cancel, which reaches neither a preview nor the market")
            if self.until == IDLE:
                problems.append("until is idle, which no operation reaches")
            if self.operation.offer != self.offer:
                problems.append(f"operation belongs to offer {self.operation.offer}, not to {self.offer}")
        if problems:
            raise ConfigurationError(tuple(problems), "the task's arguments")

    @property
    def description(self) -> str:
        """A text that differs for each wait."""
        return f"{self.offer} {self.operation.display_id if self.operation else ''} {self.until}"

    @property
    def operation_json(self) -> dict[str, str | None] | None:
        """The operation as in XCom."""
        return self.operation.to_json() if self.operation else None

    @classmethod
    def from_payload(cls, payload: object) -> WaitSpec:
        """Parse a stored specification.

        :raises ConfigurationError: if it is not a specification of this release.
        """
        try:
            return codec.from_payload(cls, payload)
        except ValueError as error:
            problem = f"it was written by another release of this package; {SAME_RELEASE}"
            raise ConfigurationError((problem,), "the trigger's wait spec") from error
