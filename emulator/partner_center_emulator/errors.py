# SPDX-License-Identifier: Apache-2.0
"""Errors of sign-ins and tokens."""

from __future__ import annotations

import time
import uuid
from typing import Any


class SignInError(Exception):
    """Entra ID or a managed identity endpoint rejects a sign-in; ``body`` is the response body."""

    body: dict[str, Any]

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        self.status = status
        self.body = {
            "error": error,
            "error_description": f"AADSTS{number}: {text}",
            "error_codes": [number],
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
        }
        super().__init__(error)


class ManagedIdentityError(SignInError):
    """A managed identity endpoint rejects a request; the body has the format of that endpoint."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, "invalid_request", 0, "")
        self.body = body


class InvalidTokenError(Exception):
    """A bearer token is missing or not valid."""


def invalid_client(number: int, text: str) -> SignInError:
    """Return the error for invalid client credentials."""
    return SignInError(401, "invalid_client", number, text)
