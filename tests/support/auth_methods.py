# SPDX-License-Identifier: Apache-2.0
"""Authentication methods, each with the connection and the environment that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AuthMethod:
    """An authentication method.

    :ivar auth_type: as ``auth`` in the connection's extra.
    :ivar form: as in ``Emulator.connection_for``.
    :ivar environment: as in ``Emulator.environment_for``.
    :ivar detail: what the emulator records when it accepts the sign-in.
    :ivar extra: further fields of the connection's extra.
    """

    auth_type: str
    form: str = ""
    environment: str = ""
    detail: str = ""
    extra: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """Return the method's name in a test id."""
        return "-".join(part for part in (self.auth_type, self.form, self.environment, *dict(self.extra)) if part)

    @property
    def route(self) -> str:
        """The emulator's route that returns a token."""
        return "managed-identity" if self.auth_type == "managed_identity" else "token"


FEDERATED = "https://cluster.contoso.example/"
ONE_OF_EACH = (
    AuthMethod("client_secret"),
    AuthMethod("certificate", "pem", detail="x5t#S256"),
    AuthMethod("managed_identity", detail="system assigned"),
    AuthMethod("workload_identity", detail=FEDERATED),
)
AUTH_METHODS = (
    *ONE_OF_EACH,
    AuthMethod("certificate", "pfx", detail="x5t#S256"),
    AuthMethod("certificate", "inline", detail="x5t#S256"),
    AuthMethod("certificate", "pem", detail="x5c", extra=(("send_x5c", True),)),
    AuthMethod("certificate", "pfx", detail="x5c", extra=(("send_x5c", "true"),)),
    AuthMethod("managed_identity", "client_id", detail="user assigned"),
    AuthMethod("managed_identity", "object_id", detail="user assigned"),
    AuthMethod("managed_identity", "resource_id", detail="user assigned"),
    AuthMethod("managed_identity", "", "app-service", detail="system assigned"),
    AuthMethod("managed_identity", "client_id", "app-service", detail="user assigned"),
    AuthMethod("managed_identity", "resource_id", "app-service", detail="user assigned"),
    AuthMethod("managed_identity", "", "machine-learning", detail="system assigned"),
    AuthMethod("managed_identity", "client_id", "machine-learning", detail="user assigned"),
    AuthMethod("managed_identity", "", "service-fabric", detail="system assigned"),
    AuthMethod("workload_identity", "environment", detail=FEDERATED),
    AuthMethod("access_token"),
)
