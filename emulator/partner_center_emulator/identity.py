# SPDX-License-Identifier: Apache-2.0
"""The parts of Entra ID that applications need to sign in without a user."""

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
from partner_center_emulator.errors import InvalidTokenError, SignInError, invalid_client

RESOURCE = "https://cloudpartner.azure.com"
GRAPH = "https://graph.microsoft.com"
RESOURCES = (RESOURCE, GRAPH)
"""The audiences of the CPP API and the Product Ingestion API; a token has one of them."""
KEY_ID = "emulator"


_KEY_LOCK = threading.Lock()


def signing_key() -> rsa.RSAPrivateKey:
    """Return the key that signs tokens; all emulators in a process share it."""
    with _KEY_LOCK:
        return _make_key()


@cache
def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A successful sign-in.

    :param auth_type: the authentication method.
    :param client_id: the client ID of the application or managed identity.
    :param detail: what verified the credentials: ``x5t#S256``, ``x5c``, an issuer, or the kind of managed identity.
    """

    auth_type: str
    client_id: str
    detail: str = ""


@dataclass(slots=True)
class EntraTenant:
    """An Entra ID tenant with one application.

    :param lifetime: seconds for which a token is valid.
    :param assertions: verifies assertions, which the tenant accepts instead of the secret.
    """

    lifetime: float = 3600.0
    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    assertions: AssertionVerifier = field(default_factory=AssertionVerifier)
    sign_ins: list[SignIn] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set, repr=False)
    token_ids: set[str] = field(default_factory=set, repr=False)
    issued_tokens: list[str] = field(default_factory=list, repr=False)

    def configuration(self, tenant: str, base: str, version: str) -> dict[str, Any]:
        """Return the OpenID configuration.

        :param version: ``""`` or ``/v2.0``, as in the path.
        :raises SignInError: for another tenant.
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
        """Return the key that tokens are signed with."""
        key: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(signing_key().public_key()))
        return {"keys": [key | {"kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def token(self, tenant: str, form: dict[str, str], basic: str | None, base: str, *, v1: bool) -> dict[str, Any]:
        """Return the response to a token request.

        :param basic: the Authorization header, which may contain the ID and secret instead of the form.
        :raises SignInError: with Entra ID's error code.
        """
        self._check_tenant(tenant)
        client_id, secret = _credentials(form, basic)
        if form.get("grant_type") != "client_credentials":
            raise SignInError(400, "unsupported_grant_type", 70003, "The grant type is not supported here.")
        if client_id.lower() != self.client_id.lower():
            text = f"Application with identifier '{client_id}' was not found in the directory."
            raise SignInError(400, "unauthorized_client", 700016, text)
        auth_type, detail = self._authenticate(form, secret, f"{base}/{tenant}")
        resource = form.get("resource", "") if v1 else form.get("scope", "").removesuffix("/.default")
        if resource.rstrip("/") not in RESOURCES or (not v1 and not form.get("scope", "").endswith("/.default")):
            raise SignInError(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")
        value = self.issue_token(resource, base, auth_type, self.client_id, detail)
        if v1:  # numbers are strings in v1
            now, life = int(time.time()), str(int(self.lifetime))
            times = {"expires_in": life, "ext_expires_in": life, "expires_on": str(now + int(self.lifetime))}
            return {
                "token_type": "Bearer",
                **times,
                "not_before": str(now),
                "resource": resource,
                "access_token": value,
            }
        life_time = int(self.lifetime) if self.lifetime >= 1 else self.lifetime
        return {"token_type": "Bearer", "expires_in": life_time, "ext_expires_in": life_time, "access_token": value}

    def verify(self, header: str | None, audience: str = RESOURCE) -> None:
        """Verify the signature, audience and expiry of the token in an Authorization header.

        :param audience: the required audience.
        :raises InvalidTokenError: if it is not a valid bearer token of this tenant.
        """
        scheme, _, value = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise InvalidTokenError
        try:
            claims = jwt.decode(value, signing_key().public_key(), algorithms=["RS256"], audience=audience, leeway=0)
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError from error
        # A JWT's times are in whole seconds, but tests need shorter lifetimes.
        if claims.get("jti") in self.revoked or claims.get("tid") != self.tenant_id or time.time() > claims["ends"]:
            raise InvalidTokenError

    def revoke_tokens(self) -> None:
        """Revoke every token issued so far."""
        self.revoked |= self.token_ids

    def rotate_secret(self) -> str:
        """Replace the application's secret, and return the new one."""
        self.client_secret = secrets.token_urlsafe(24)
        return self.client_secret

    @property
    def issued(self) -> int:
        """The number of issued tokens."""
        return len(self.sign_ins)

    def issue_token(self, audience: str, base: str, auth_type: str, client_id: str, detail: str) -> str:
        """Record a sign-in, and return a signed token."""
        self.sign_ins.append(SignIn(auth_type, client_id, detail))
        now, identifier = time.time(), str(uuid.uuid4())
        self.token_ids.add(identifier)
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
        self.issued_tokens.append(value)
        return value

    def _authenticate(self, form: dict[str, str], secret: str, home: str) -> tuple[str, str]:
        if form.get("client_assertion"):
            audiences = (f"{home}/oauth2/v2.0/token", f"{home}/oauth2/token", f"{home}/v2.0")
            return self.assertions.verify(form, self.client_id, audiences)
        if not secret:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise invalid_client(7000218, text)
        if not hmac.compare_digest(secret.encode(), self.client_secret.encode()):
            raise invalid_client(7000215, "Invalid client secret provided.")
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
