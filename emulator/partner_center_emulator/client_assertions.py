# SPDX-License-Identifier: Apache-2.0
"""What an application proves itself with instead of a secret: a statement of its own, or somebody else's token."""

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
from partner_center_emulator.errors import SignInError, client_refused
from partner_center_emulator.workload_identity import AUDIENCE, Issuer

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NAMES = ("x5t", "x5t#S256")


@dataclass(slots=True)
class AssertionVerifier:
    """Whom the application trusts to speak for it.

    :param certificates: certificates that are registered, found by their thumbprints.
    :param trusted: an authority and a subject: what it issued to that subject needs no registration.
    :param issuers: whose tokens are taken, each for one subject.
    """

    certificates: list[x509.Certificate] = field(default_factory=list)
    trusted: tuple[x509.Certificate, x509.Name] | None = None
    issuers: list[Issuer] = field(default_factory=list)
    used: set[str] = field(default_factory=set, repr=False)
    seen: list[str] = field(default_factory=list, repr=False)

    def check(self, form: dict[str, str], client_id: str, audiences: Collection[str]) -> tuple[str, str]:
        """Check the assertion in a request for a token.

        :param audiences: what a statement of the application's own may be for.
        :return: the kind of sign-in, and by what the key was found.
        :raises SignInRefused: with the code that Entra ID would give.
        """
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise SignInError(400, "invalid_request", 900144, f"client_assertion_type must be '{ASSERTION_TYPE}'.")
        text = form["client_assertion"]
        self.seen.append(text)
        try:
            header = jwt.get_unverified_header(text)
            claims = jwt.decode(text, options={"verify_signature": False})
            start, end = float(claims.get("nbf", 0)), float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            raise _malformed("JWT token is invalid or malformed.") from None
        if any(name in header for name in (*NAMES, "x5c")):
            found = "certificate", self._own(text, header, claims, client_id, audiences)
        else:
            found = "workload_identity", self._federated(text, header, claims)
        now = time.time()
        if not start <= now < end:
            text = f"Current time: {now:.0f}, assertion valid from {start:.0f}, expiry time of assertion {end:.0f}."
            raise client_refused(700024, f"Client assertion is not within its valid time range. {text}")
        if found[0] == "certificate":
            self._once(claims)
        return found

    def _own(
        self, text: str, header: dict[str, Any], claims: dict[str, Any], client_id: str, audiences: Collection[str]
    ) -> str:
        certificate, how = self._certificate(header)
        if time.time() >= certificate.not_valid_after_utc.timestamp():
            raise _signature("The key used is expired.")
        if not _verifies(text, certificate.public_key()):
            raise _signature("The provided signature value did not match the expected signature value.")
        if {claims.get("iss"), claims.get("sub")} != {client_id}:
            raise client_refused(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
        if str(claims.get("aud")).lower() not in {one.lower() for one in audiences}:
            raise client_refused(700023, "Client assertion audience claim does not match Realm issuer.")
        return how

    def _certificate(self, header: dict[str, Any]) -> tuple[x509.Certificate, str]:
        if header.get("x5c") and self.trusted is not None:
            leaf, (issuer, subject) = _chain(header["x5c"])[0], self.trusted
            try:
                leaf.verify_directly_issued_by(issuer)
            except (ValueError, TypeError, InvalidSignature):
                pass
            else:
                if leaf.subject == subject:
                    return leaf, "x5c"
        for name in NAMES:
            wanted = _decoded(header[name]) if name in header else b""
            for one in self.certificates:
                if thumbprints(one)[name] == wanted:
                    return one, name
        shown = _decoded(header.get("x5t#S256") or header.get("x5t") or "").hex().upper()
        raise _signature(f"The key was not found., Thumbprint of key used by client: '{shown}'")

    def _once(self, claims: dict[str, Any]) -> None:
        identifier = str(claims.get("jti") or "")
        if not identifier or identifier in self.used:
            raise _malformed("JWT token is invalid or malformed: its jti is missing, or was used before.")
        self.used.add(identifier)

    def _federated(self, text: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        no_match = "No matching federated identity record found for presented assertion"
        issuer = next((one for one in self.issuers if one.url == claims.get("iss")), None)
        if issuer is None:
            raise client_refused(700211, f"{no_match} issuer '{claims.get('iss')}'.")
        if claims.get("sub") != issuer.subject:
            raise client_refused(700213, f"{no_match} subject '{claims.get('sub')}'.")
        audiences = claims.get("aud")
        if AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences]):
            raise client_refused(700212, f"{no_match} audience '{audiences}'.")
        if header.get("kid") != issuer.key_id:
            text = "used to sign the federated credential could not be found in the metadata of identity provider"
            raise client_refused(7000272, f"The certificate with identifier {header.get('kid')} {text} {issuer.url}.")
        if not _verifies(text, issuer.key.public_key()):
            raise _signature("The provided signature value did not match the expected signature value.")
        return issuer.url


def _verifies(text: str, key: Any) -> bool:
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


def _chain(values: Any) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(value)) for value in values]
    except (ValueError, TypeError, binascii.Error):
        raise _malformed("JWT token is invalid or malformed: x5c holds no certificates.") from None


def _decoded(value: Any) -> bytes:
    text = str(value).rstrip("=")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _signature(reason: str) -> SignInError:
    return client_refused(700027, f"Client assertion contains an invalid signature. [Reason - {reason}]")


def _malformed(text: str) -> SignInError:
    return SignInError(400, "invalid_request", 50027, text)
