# SPDX-License-Identifier: Apache-2.0
"""The outcome of a wait, the only value that the triggerer passes to the worker.

If a trigger raises an exception, its text is lost, and Airflow retries the task even for a permanent error. So every way in
which a wait can end, including errors, is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from airflow_provider_cpp.core import codec
from airflow_provider_cpp.exceptions import InvalidEventError, MarketplaceError


class WaitResult(str, Enum):
    """The ways in which a wait can end."""

    REACHED = "reached"
    FAILED = "failed"
    CANCELED = "canceled"
    BLOCKED = "blocked"
    TIMED_OUT = "timed_out"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class WaitOutcome(codec.Payload):
    """The outcome of a wait.

    :param result: how the wait ended.
    :param message: one line with the offer, the step, the API's message and the request ID.
    :param offer: the offer, as ``publisher/offer``.
    :param status: the last status of the offer or operation, as the API spells it; None if there was none.
    :param operation: the operation as in XCom; None if the wait was for the offer's overall status.
    :param retryable: for an error, whether another try of the task can help.
    """

    result: WaitResult
    message: str
    offer: str
    status: str | None = field(default=None, metadata=codec.REQUIRED)
    operation: dict[str, str | None] | None = field(default=None, metadata=codec.REQUIRED)
    retryable: bool = field(default=False, metadata=codec.REQUIRED)

    @classmethod
    def from_payload(cls, payload: object) -> WaitOutcome:
        """Parse a trigger's event.

        :raises InvalidEventError: if the event is not an outcome of this release.
        """
        try:
            return codec.from_payload(cls, payload)
        except ValueError as error:
            msg = f"with an event that is not an outcome ({error})"
            raise InvalidEventError(msg) from None

    @classmethod
    def from_error(
        cls, error: MarketplaceError, offer: str, operation: dict[str, str | None] | None = None
    ) -> WaitOutcome:
        """Return the outcome for an error of this package."""
        line = str(error)
        message = line if offer in line else f"offer {offer}: {line}"
        return cls(WaitResult.ERROR, message, offer, operation=operation, retryable=error.retryable)
