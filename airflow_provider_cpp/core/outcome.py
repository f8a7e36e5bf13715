# SPDX-License-Identifier: Apache-2.0
"""How a wait ended: the only value that crosses from the triggerer to the worker.

If a trigger raises, the error's text is lost and the task is retried even if that cannot help. So every way in which a wait can
end, errors included, is a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

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
class WaitOutcome:
    """How a wait ended.

    :param result: in which way.
    :param message: one line for people: offer, step, the API's words, request id.
    :param offer: the offer, as ``publisher/offer``.
    :param status: the last status of the offer or operation, as the API spells it; None if there was none.
    :param operation: the operation that was waited for, as in XCom; None for the offer as a whole.
    :param retryable: for an error, whether another try of the task can help.
    """

    result: WaitResult
    message: str
    offer: str
    status: str | None = field(default=None, metadata=codec.REQUIRED)
    operation: dict[str, str | None] | None = field(default=None, metadata=codec.REQUIRED)
    retryable: bool = field(default=False, metadata=codec.REQUIRED)

    def to_payload(self) -> dict[str, Any]:
        """Return it as JSON."""
        return codec.to_payload(self)

    @classmethod
    def from_payload(cls, payload: object) -> WaitOutcome:
        """Read it from a trigger's event.

        :raises InvalidEventError: if the event is anything but an outcome of this release.
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
        """Make the outcome for an error of this package."""
        line = str(error)
        message = line if offer in line else f"offer {offer}: {line}"
        return cls(WaitResult.ERROR, message, offer, operation=operation, retryable=error.retryable)
