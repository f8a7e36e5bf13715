# SPDX-License-Identifier: Apache-2.0
"""Entra ID, as far as an application that signs in by itself sees it."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from partner_center_emulator.client_assertions import AssertionVerifier
from partner_center_emulator.errors import InvalidTokenError, SignInError, client_refused

RESOURCE = "https://cloudpartner.azure.com"
GRAPH = "https://graph.microsoft.com"
RESOURCES = (RESOURCE, GRAPH)
"""The portal's audience, and that of the Product Ingestion API; a token is for one of them."""
KEY_ID = "emulator"


_MAKING = threading.Lock()


def signing_key() -> rsa.RSAPrivateKey:
    """Return the key that signs tokens, the same one for all emulators of a process, whichever thread they run in."""
    with _MAKING:
        return _make_key()


@cache
def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in for which a token was given out.

    :param kind: how whoever signed in proved itself.
    :param client_id: as whom.
    :param how: by what the proof was found good: ``x5t#S256``, ``x5c``, an issuer, which kind of managed identity.
    """

    kind: str
    client_id: str
    how: str = ""


@dataclass(slots=True)
class EntraTenant:
    """One tenant with one application in it.

    :param lifetime: seconds for which a token is good.
    :param assertions: what it may prove itself with instead of its secret.
    """

    lifetime: float = 3600.0
    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    assertions: AssertionVerifier = field(default_factory=AssertionVerifier)
    sign_ins: list[SignIn] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set, repr=False)
    known: set[str] = field(default_factory=set, repr=False)
    granted: list[str] = field(default_factory=list, repr=False)

    def configuration(self, tenant: str, base: str, version: str) -> dict[str, Any]:
        """Answer the OpenID configuration.

        :param version: ``""`` or ``/v2.0``, as it stands in the path.
        :raises SignInRefused: for another tenant.
        """
        self._check_tenant(tenant)
        home = f"{base}/{tenant}"
        return {
            "issuer": f"{home}{version or '/'}",
            "authorization_endpoint": f"{home}/oauth2{version}/authorize",
            "token_endpoint": f"{home}/oauth2{version}/token",
            "jwks_uri": f"{base}/common/discovery{version}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        """Answer the key that tokens are signed with."""
        key: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(signing_key().public_key()))
        return {"keys": [key | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def token(self, tenant: str, form: dict[str, str], basic: str | None, base: str, *, v1: bool) -> dict[str, Any]:
        """Answer a request for a token.

        :param basic: the Authorization header, which may carry id and secret instead of the form.
        :raises SignInRefused: with the code that Entra ID would give.
        """
        self._check_tenant(tenant)
        client_id, secret = _credentials(form, basic)
        if form.get("grant_type") != "client_credentials":
            raise SignInError(400, "unsupported_grant_type", 70003, "The grant type is not supported here.")
        if client_id.lower() != self.client_id.lower():
            text = f"Application with identifier '{client_id}' was not found in the directory."
            raise SignInError(400, "unauthorized_client", 700016, text)
        kind, how = self._proof(form, secret, f"{base}/{tenant}")
        wanted = form.get("resource", "") if v1 else form.get("scope", "").removesuffix("/.default")
        if wanted.rstrip("/") not in RESOURCES or (not v1 and not form.get("scope", "").endswith("/.default")):
            raise SignInError(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")
        value = self.grant(wanted, base, kind, self.client_id, how)
        if v1:  # whose numbers are text
            now, life = int(time.time()), str(int(self.lifetime))
            times = {"expires_in": life, "ext_expires_in": life, "expires_on": str(now + int(self.lifetime))}
            return {"token_type": "Bearer", **times, "not_before": str(now), "resource": wanted, "access_token": value}
        life_time = int(self.lifetime) if self.lifetime >= 1 else self.lifetime
        return {"token_type": "Bearer", "expires_in": life_time, "ext_expires_in": life_time, "access_token": value}

    def verify(self, header: str | None, audience: str = RESOURCE) -> None:
        """Check what came as Authorization: signature, audience and expiry.

        :param audience: for whom it must be.
        :raises TokenRefused: if it is not a good bearer token of ours.
        """
        scheme, _, value = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise InvalidTokenError
        try:
            claims = jwt.decode(value, signing_key().public_key(), algorithms=["RS256"], audience=audience, leeway=0)
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError from error
        # JWT's own times are whole seconds; tests want tokens that live for less than one.
        if claims.get("jti") in self.revoked or claims.get("tid") != self.tenant_id or time.time() > claims["ends"]:
            raise InvalidTokenError

    def revoke_tokens(self) -> None:
        """Make every token issued so far worthless."""
        self.revoked |= self.known

    def rotate_secret(self) -> str:
        """Replace the application's secret; returns the new one."""
        self.client_secret = secrets.token_urlsafe(24)
        return self.client_secret

    @property
    def issued(self) -> int:
        """How many tokens were given out."""
        return len(self.sign_ins)

    def grant(self, audience: str, base: str, kind: str, client_id: str, how: str) -> str:
        """Sign a token for somebody who proved who it is."""
        self.sign_ins.append(SignIn(kind, client_id, how))
        now, identifier = time.time(), str(uuid.uuid4())
        self.known.add(identifier)
        claims = {
            "iss": f"{base}/{self.tenant_id}/v2.0",
            "aud": audience.rstrip("/"),
            "appid": client_id,
            "azp": client_id,
            "tid": self.tenant_id,
            "jti": identifier,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.lifetime) + 1,
            "ends": now + self.lifetime,
        }
        value = jwt.encode(claims, signing_key(), algorithm="RS256", headers={"kid": KEY_ID})
        self.granted.append(value)
        return value

    def _proof(self, form: dict[str, str], secret: str, home: str) -> tuple[str, str]:
        if form.get("client_assertion"):
            audiences = (f"{home}/oauth2/v2.0/token", f"{home}/oauth2/token", f"{home}/v2.0")
            return self.assertions.check(form, self.client_id, audiences)
        if not secret:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise client_refused(7000218, text)
        if not hmac.compare_digest(secret.encode(), self.client_secret.encode()):
            raise client_refused(7000215, "Invalid client secret provided.")
        return "client_secret", ""

    def _check_tenant(self, tenant: str) -> None:
        if tenant.lower() != self.tenant_id.lower():
            raise SignInError(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")


def _credentials(form: dict[str, str], basic: str | None) -> tuple[str, str]:
    scheme, _, value = (basic or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return unquote(client_id), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")
