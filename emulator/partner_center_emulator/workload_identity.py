# SPDX-License-Identifier: Apache-2.0
"""Somebody else who gives tokens to workloads, as a Kubernetes cluster does, and whom an application trusts."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from partner_center_emulator.certificates import new_key

AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, slots=True)
class Issuer:
    """A cluster, and the service account in it that the application trusts.

    :param url: who it says it is.
    :param subject: the service account.
    :param key_id: names its key.
    """

    url: str = "https://cluster.contoso.example/"
    subject: str = "system:serviceaccount:airflow:airflow-worker"
    key_id: str = "cluster-key-1"

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """What it signs with."""
        return new_key(self.key_id)

    def token(self, lifetime: float = 3600.0, *, signed_with: str | None = None, **claims: Any) -> str:
        """Give the service account a token.

        :param lifetime: seconds for which it is good; below 0, it expired that long ago.
        :param signed_with: the name of another key, for a forged one.
        :param claims: what it says otherwise than it should.
        """
        now = time.time()
        own: dict[str, Any] = {"iss": self.url, "sub": self.subject, "aud": [AUDIENCE], "jti": str(uuid.uuid4())}
        times = {"iat": now - 1, "nbf": now + min(lifetime, 0) - 1, "exp": now + lifetime}
        key = new_key(signed_with or self.key_id)
        return jwt.encode(own | times | claims, key, algorithm="RS256", headers={"kid": self.key_id})
