# SPDX-License-Identifier: Apache-2.0
"""The result of a sign-in. Validate a response, and remove all fields that msal does not need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cpp.exceptions import AuthenticationError, ConfigurationError
from airflow_provider_cpp.transport.credentials import is_token

TIMES = ("expires_in", "expires_on")
KEPT = ("access_token", *TIMES, "resource", "client_id", "object_id", "msi_res_id", "mi_res_id")
"""The fields that msal needs. If there are others, msal reads and logs them, and fails on unexpected values."""

MAX_TIME = 10**11
"""The upper limit in seconds, greater than any lifetime or Unix time."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A new token.

    :param lifetime: seconds until it expires.
    """

    value: str = field(repr=False)
    lifetime: float


@dataclass(frozen=True, slots=True)
class TokenFailure:
    """A failed sign-in. It is a value, so that each waiting caller can raise its own exception.

    :param message: the error text.
    :param code: Entra ID's error code.
    :param transient: whether a later sign-in may succeed.
    :param correlation_id: the ID that Microsoft support asks for.
    :param retry_after: seconds to wait before the next sign-in.
    :param problems: the problems of the connection; empty if the service rejected the sign-in.
    :param responded: False if there was no response, or none from a trusted server.
    """

    message: str
    code: str | None = None
    transient: bool = False
    correlation_id: str | None = None
    retry_after: float = 0.0
    problems: tuple[str, ...] = ()
    responded: bool = True

    def error(self) -> AuthenticationError | ConfigurationError:
        """Return a new exception."""
        if self.problems:
            return ConfigurationError(self.problems)
        return AuthenticationError(
            self.message,
            code=self.code,
            transient=self.transient,
            correlation_id=self.correlation_id,
            responded=self.responded,
        )


def problem_in(body: dict[str, Any]) -> str | None:
    """Return the problem of a response with a token, without showing values; None if it is valid."""
    if not is_token(body["access_token"]):
        return "the access_token in the response is not a valid token"
    invalid = (name for name in TIMES if name in body and not _is_time(body[name]))
    return next((f"the {name} in the response is not a valid time" for name in invalid), None)


def without_unknown_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return only the fields that msal needs from a response with a token."""
    known = {name: body[name] for name in KEPT if isinstance(body.get(name), (str, int, float))}
    return known | {"token_type": "Bearer"}


def _is_time(value: object) -> bool:
    """Return whether a value is a number of seconds; managed identities and Entra ID version 1 send text."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < len(str(MAX_TIME))
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_TIME
