# SPDX-License-Identifier: Apache-2.0
"""How a sign-in and a token are refused."""

from __future__ import annotations

import time
import uuid
from typing import Any


class SignInError(Exception):
    """Entra ID, or what stands before it on a machine, says no; ``body`` is its answer."""

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
    """What gives a machine its identity says no, in its own words."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, "invalid_request", 0, "")
        self.body = body


class InvalidTokenError(Exception):
    """A bearer token is missing or not good."""


def client_refused(number: int, text: str) -> SignInError:
    """Refuse what a client proves itself with."""
    return SignInError(401, "invalid_client", number, text)
