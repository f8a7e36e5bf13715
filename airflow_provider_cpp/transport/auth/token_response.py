# SPDX-License-Identifier: Apache-2.0
"""Validates the response to a sign-in, and reduces it to the fields that msal needs."""

from __future__ import annotations

from typing import Any

from airflow_provider_cpp.transport.credentials import is_token

TIMES = ("expires_in", "expires_on")
KEPT = ("access_token", *TIMES, "resource", "client_id", "object_id", "msi_res_id", "mi_res_id")
"""The fields that msal needs. It also reads others, logs them, and fails on unexpected values."""

MAX_TIME = 10**11
"""More seconds than any lifetime, and any expiry since 1970."""


def problem_in(body: dict[str, Any]) -> str | None:
    """Return what is invalid in a response with a token, without its values; None if it is valid."""
    if not is_token(body["access_token"]):
        return "the access_token in the response is not a valid token"
    invalid = (name for name in TIMES if name in body and not _is_time(body[name]))
    return next((f"the {name} in the response is not a valid time" for name in invalid), None)


def without_unknown_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a response with a token that msal needs."""
    known = {name: body[name] for name in KEPT if isinstance(body.get(name), (str, int, float))}
    return known | {"token_type": "Bearer"}


def _is_time(value: object) -> bool:
    """Return whether a value is a number of seconds; managed identities and version 1 of Entra ID send text."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < len(str(MAX_TIME))
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_TIME
