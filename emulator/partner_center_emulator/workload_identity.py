# SPDX-License-Identifier: Apache-2.0
"""An issuer of federated tokens that an application trusts, such as a Kubernetes cluster."""

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
    """A cluster with the service account that the application trusts.

    :param url: the issuer URL.
    :param subject: the service account.
    :param key_id: the ID of the signing key.
    """

    url: str = "https://cluster.contoso.example/"
    subject: str = "system:serviceaccount:airflow:airflow-worker"
    key_id: str = "cluster-key-1"

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The signing key."""
        return new_key(self.key_id)

    def token(self, lifetime: float = 3600.0, *, signed_with: str | None = None, **claims: Any) -> str:
        """Issue a token to the service account.

        :param lifetime: seconds until it expires; negative for a token that has already expired.
        :param signed_with: the name of another key, to forge a token.
        :param claims: claims that replace the correct ones.
        """
        now = time.time()
        own: dict[str, Any] = {"iss": self.url, "sub": self.subject, "aud": [AUDIENCE], "jti": str(uuid.uuid4())}
        times = {"iat": now - 1, "nbf": now + min(lifetime, 0) - 1, "exp": now + lifetime}
        key = new_key(signed_with or self.key_id)
        return jwt.encode(own | times | claims, key, algorithm="RS256", headers={"kid": self.key_id})
