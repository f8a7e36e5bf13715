# SPDX-License-Identifier: Apache-2.0
"""Client assertions that the application signs, or that an issuer signs which the application trusts."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from partner_center_emulator.certificates import thumbprints
from partner_center_emulator.errors import SignInError, invalid_client
from partner_center_emulator.workload_identity import AUDIENCE, Issuer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NAMES = ("x5t", "x5t#S256")


@dataclass(slots=True)
class AssertionVerifier:
    """A verifier of the application's client assertions.

    :param certificates: the registered certificates, identified by their thumbprints.
    :param trusted: an authority and a subject; certificates with both need no registration.
    :param issuers: the issuers of federated tokens, each trusted for one subject.
    """

    certificates: list[x509.Certificate] = field(default_factory=list)
    trusted: tuple[x509.Certificate, x509.Name] | None = None
    issuers: list[Issuer] = field(default_factory=list)
    used_ids: set[str] = field(default_factory=set, repr=False)
    received: list[str] = field(default_factory=list, repr=False)

    def verify(self, form: dict[str, str], client_id: str, audiences: Collection[str]) -> tuple[str, str]:
        """Verify the assertion in a token request.

        :param audiences: the valid audiences of an assertion that the application signs.
        :returns: the authentication method, and what identified the key.
        :raises SignInError: with Entra ID's error code.
        """
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise SignInError(400, "invalid_request", 900144, f"client_assertion_type must be '{ASSERTION_TYPE}'.")
        text = form["client_assertion"]
        self.received.append(text)
        try:
            header = jwt.get_unverified_header(text)
            claims = jwt.decode(text, options={"verify_signature": False})
            start, end = float(claims.get("nbf", 0)), float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise _malformed("JWT token is invalid or malformed.") from None
        if any(name in header for name in (*NAMES, "x5c")):
            method = "certificate", self._verify_certificate(text, header, claims, client_id, audiences)
        else:
            method = "workload_identity", self._verify_federated(text, header, claims)
        now = time.time()
        if not start <= now < end:
            text = f"Current time: {now:.0f}, assertion valid from {start:.0f}, expiry time of assertion {end:.0f}."
            raise invalid_client(700024, f"Client assertion is not within its valid time range. {text}")
        if method[0] == "certificate":
            self._ensure_not_replayed(claims)
        return method

    def _verify_certificate(
        self, text: str, header: dict[str, Any], claims: dict[str, Any], client_id: str, audiences: Collection[str]
    ) -> str:
        certificate, key_source = self._certificate(header)
        if time.time() >= certificate.not_valid_after_utc.timestamp():
            raise _invalid_signature("The key used is expired.")
        if not _is_signed_by(text, certificate.public_key()):
            raise _invalid_signature("The provided signature value did not match the expected signature value.")
        if {claims.get("iss"), claims.get("sub")} != {client_id}:
            raise invalid_client(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
        if str(claims.get("aud")).lower() not in {one.lower() for one in audiences}:
            raise invalid_client(700023, "Client assertion audience claim does not match Realm issuer.")
        return key_source

    def _certificate(self, header: dict[str, Any]) -> tuple[x509.Certificate, str]:
        if header.get("x5c") and self.trusted is not None:
            leaf, (issuer, subject) = _parse_certificates(header["x5c"])[0], self.trusted
            try:
                leaf.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                pass
            else:
                if leaf.subject == subject:
                    return leaf, "x5c"
        for name in NAMES:
            thumbprint = _base64_decode(header[name]) if name in header else b""
            for one in self.certificates:
                if thumbprints(one)[name] == thumbprint:
                    return one, name
        hex_thumbprint = _base64_decode(header.get("x5t#S256") or header.get("x5t") or "").hex().upper()
        raise _invalid_signature(f"The key was not found., Thumbprint of key used by client: '{hex_thumbprint}'")

    def _ensure_not_replayed(self, claims: dict[str, Any]) -> None:
        identifier = str(claims.get("jti") or "")
        if not identifier or identifier in self.used_ids:
            raise _malformed("JWT token is invalid or malformed: its jti is missing, or was used before.")
        self.used_ids.add(identifier)

    def _verify_federated(self, text: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        no_match = "No matching federated identity record found for presented assertion"
        issuer = next((one for one in self.issuers if one.url == claims.get("iss")), None)
        if issuer is None:
            raise invalid_client(700211, f"{no_match} issuer '{claims.get('iss')}'.")
        if claims.get("sub") != issuer.subject:
            raise invalid_client(700213, f"{no_match} subject '{claims.get('sub')}'.")
        audiences = claims.get("aud")
        if AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences]):
            raise invalid_client(700212, f"{no_match} audience '{audiences}'.")
        if header.get("kid") != issuer.key_id:
            text = "used to sign the federated credential could not be found in the metadata of identity provider"
            raise invalid_client(7000272, f"The certificate with identifier {header.get('kid')} {text} {issuer.url}.")
        if not _is_signed_by(text, issuer.key.public_key()):
            raise _invalid_signature("The provided signature value did not match the expected signature value.")
        return issuer.url


def _is_signed_by(text: str, key: Any) -> bool:
    try:
        jwt.decode(
            text,
            key,
            algorithms=["RS256", "PS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError:
        return False
    return isinstance(key, rsa.RSAPublicKey)


def _parse_certificates(values: Any) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(value)) for value in values]
    except (ValueError, TypeError, binascii.Error):
        raise _malformed("JWT token is invalid or malformed: x5c holds no certificates.") from None


def _base64_decode(value: Any) -> bytes:
    text = str(value).rstrip("=")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _invalid_signature(reason: str) -> SignInError:
    return invalid_client(700027, f"Client assertion contains an invalid signature. [Reason - {reason}]")


def _malformed(text: str) -> SignInError:
    return SignInError(400, "invalid_request", 50027, text)
