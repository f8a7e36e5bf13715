# SPDX-License-Identifier: Apache-2.0
"""How a wait ended: the only thing that crosses from the triggerer to the worker.

A trigger that raises loses its text on the way and is retried even where that is useless, so every way of
ending, the bad ones too, is a value. Reading one fails closed: what is not exactly an outcome raises.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import InvalidEventError, MarketplaceError

VERSION = 1


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

    :param result: which way.
    :param message: one line for a person: the offer, the step, the portal's words, its request id.
    :param offer: the offer, as ``publisher/offer``.
    :param status: the offer's or the operation's status as last seen, in the portal's word; None if never.
    :param operation: the operation that was waited for, as it stands in XCom; None for the offer as a whole.
    :param retryable: for an error, whether trying the task again can help.
    """

    result: WaitResult
    message: str
    offer: str
    status: str | None = None
    operation: dict[str, str | None] | None = None
    retryable: bool = False

    def to_payload(self) -> dict[str, Any]:
        """Write it as JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"version": VERSION, **values, "result": self.result.value}

    @classmethod
    def from_payload(cls, payload: object) -> WaitOutcome:
        """Read it back.

        :raises InvalidEventError: if it is None, empty, of another type, or differs from an outcome in any key,
            type or word.
        """
        if not isinstance(payload, dict):
            msg = f"with {type(payload).__name__} instead of an outcome"
            raise InvalidEventError(msg)
        values = dict(payload)
        version = values.pop("version", None)
        wrong = sorted(map(str, set(values) ^ {field.name for field in fields(cls)}))
        if version != VERSION or isinstance(version, bool) or wrong:
            msg = f"with something other than an outcome, version {version!r}, keys at odds: {wrong}"
            raise InvalidEventError(sanitize_line(msg))
        _check_types(values)
        try:
            return cls(**{**values, "result": WaitResult(values["result"])})
        except ValueError:
            msg = f"in a way that nobody knows, {values['result']!r}"
            raise InvalidEventError(sanitize_line(msg)) from None

    @classmethod
    def from_error(
        cls, error: MarketplaceError, offer: str, operation: dict[str, str | None] | None = None
    ) -> WaitOutcome:
        """Make an outcome of an error of this package's own tree."""
        line = str(error)
        message = line if offer in line else f"offer {offer}: {line}"
        return cls(WaitResult.ERROR, message, offer, operation=operation, retryable=error.retryable)


def _check_types(values: dict[str, Any]) -> None:
    expected: dict[str, tuple[type, ...]] = {
        "result": (str,),
        "message": (str,),
        "offer": (str,),
        "status": (str, type(None)),
        "operation": (dict, type(None)),
        "retryable": (bool,),
    }
    for key, types in expected.items():
        if not isinstance(values[key], types):
            msg = f"with an outcome that has a {type(values[key]).__name__} for {key}"
            raise InvalidEventError(msg)
