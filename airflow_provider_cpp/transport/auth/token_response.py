# SPDX-License-Identifier: Apache-2.0
"""What a token looks like, and what of an answer with a token in it is worth keeping."""

from __future__ import annotations

from typing import Any

from airflow_provider_cpp.transport.credentials import is_token

TIMES = ("expires_in", "expires_on")
KEPT = ("access_token", *TIMES, "resource", "client_id", "object_id", "msi_res_id", "mi_res_id")
"""The fields that msal needs; it would read others too, log them, and raise whatever comes of one that is odd."""

MAX_TIME = 10**11
"""Above every number of seconds that a token lasts, and every moment, in seconds since 1970, at which one ends."""


def problem_in(body: dict[str, Any]) -> str | None:
    """Say what is wrong with an answer that has a token in it, without showing it; None if nothing is."""
    if not is_token(body["access_token"]):
        return "the access_token in the answer is no token"
    return next(
        (f"the {name} in the answer is no time" for name in TIMES if name in body and not _is_time(body[name])), None
    )


def without_unknown_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return of an answer with a token in it what msal needs."""
    found = {name: body[name] for name in KEPT if isinstance(body.get(name), (str, int, float))}
    return found | {"token_type": "Bearer"}


def _is_time(value: object) -> bool:
    """Say whether it is a number of seconds; machines and Entra's first version write it as text."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) < len(str(MAX_TIME))
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_TIME
