# SPDX-License-Identifier: Apache-2.0
"""Load a certificate with its key, and sign client assertions."""

from __future__ import annotations

import base64
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.transport.credentials import Certificate

LIFETIME = 600
"""Seconds until an assertion expires; each is used once, immediately."""

SHA1_DIGITS = 40
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.+?)-----END \1-----", re.DOTALL)


def load(credentials: Certificate) -> Callable[[str], str]:
    """Load the key and the certificate, and return a function that signs a client assertion for one sign-in.

    The function's argument is the audience: the token endpoint.

    :raises ConfigurationError: describes the problem, without any content of the files.
    """
    key, certificates = _parse(credentials)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable("the certificate's key is not an RSA key; Entra ID accepts no other")
    leaf = next((one for one in certificates if _belongs(one, key)), None)
    if certificates and leaf is None:
        raise _unusable("the certificate does not belong to the key")
    header: dict[str, Any] = {"typ": "JWT", **_thumbprint(credentials.thumbprint, leaf)}
    if credentials.send_x5c:
        if leaf is None:
            raise _unusable("send_x5c is set, but there is no certificate to send")
        chain = [leaf, *(one for one in certificates if one != leaf)]
        header["x5c"] = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    # Servers that need SHA-1 thumbprints do not support PSS.
    algorithm = "PS256" if "x5t#S256" in header else "RS256"

    def sign(audience: str) -> str:
        now, client_id = int(time.time()), credentials.client_id
        claims = {"aud": audience, "iss": client_id, "sub": client_id, "jti": str(uuid.uuid4())}
        return jwt.encode(claims | {"iat": now, "exp": now + LIFETIME}, key, algorithm=algorithm, headers=header)

    return sign


def _belongs(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):  # an issuer certificate with an unsupported key type
        return False


def _thumbprint(given: str | None, leaf: x509.Certificate | None) -> dict[str, str]:
    sha1 = given is not None and len(given) == SHA1_DIGITS
    if leaf is not None:
        actual = leaf.fingerprint(SHA1() if sha1 else SHA256()).hex()  # noqa: S303 - a thumbprint needs no protection
        if given not in (None, actual):
            raise _unusable("thumbprint is not that of the certificate")
        given = actual
    if given is None:
        raise _unusable("there is a key but no certificate: add the certificate, or set its thumbprint")
    return {"x5t" if sha1 else "x5t#S256": base64.urlsafe_b64encode(bytes.fromhex(given)).rstrip(b"=").decode()}


def _parse(credentials: Certificate) -> tuple[Any, list[x509.Certificate]]:
    texts: list[str] = [] if credentials.private_key is None else [credentials.private_key]
    for name, path in (("certificate_path", credentials.path), ("private_key_path", credentials.key_path)):
        if path is None:
            continue
        data = _read(name, path)
        if b"-----BEGIN " in data:
            texts.append(data.decode("utf-8", "replace"))
        elif name == "certificate_path" and len(texts) == 0 and credentials.key_path is None:
            return _parse_pfx(data, credentials.passphrase)
        else:
            raise _unusable(f"{name} is not a PEM file")
    return _parse_pem("\n".join(texts), credentials.passphrase)


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror or type(error).__name__}"
    raise _unusable(problem)


def _parse_pfx(data: bytes, passphrase: str | None) -> tuple[Any, list[x509.Certificate]]:
    problem = "certificate_path is neither PEM nor PFX, or the passphrase (password) does not open it"
    try:
        store = load_pkcs12(data, passphrase.encode() if passphrase else None)
    except UnsupportedAlgorithm:
        problem = "certificate_path has an unsupported encryption: export it again with AES"
    except (ValueError, TypeError):
        pass
    else:
        if store.key is None:
            raise _unusable("there is no private key in certificate_path")
        return store.key, [one.certificate for one in (store.cert, *store.additional_certs) if one is not None]
    raise _unusable(problem)


def _parse_pem(text: str, passphrase: str | None) -> tuple[Any, list[x509.Certificate]]:
    # One-line form fields convert line breaks to spaces, and some shells write them as \n.
    blocks = BLOCK.findall(text.replace("\\n", "\n"))
    keys = [_block(label, body) for label, body in blocks if label.endswith("PRIVATE KEY")]
    if len(keys) != 1:
        raise _unusable(f"there are {len(keys) or 'no'} private keys for the certificate; exactly one is needed")
    try:
        certificates = [x509.load_pem_x509_certificate(_block(*one)) for one in blocks if one[0] == "CERTIFICATE"]
    except ValueError:
        certificates = None
    if certificates is None:
        raise _unusable("the certificate is damaged")
    return _load_key(keys[0], passphrase), certificates


def _load_key(block: bytes, passphrase: str | None) -> Any:
    """Load a PEM key; ignore the passphrase if the key is not encrypted."""
    encrypted = b"ENCRYPTED" in block
    if encrypted and not passphrase:
        raise _unusable("the certificate's key is encrypted, but there is no passphrase (password)")
    problem = "the certificate's key is damaged"
    try:
        return load_pem_private_key(block, passphrase.encode() if passphrase and encrypted else None)
    except UnsupportedAlgorithm:
        problem = "the certificate's key has an unsupported type"
    except (ValueError, TypeError):
        if encrypted:
            problem = "the passphrase (password) does not open the certificate's key"
    raise _unusable(problem)


def _block(label: str, body: str) -> bytes:
    lines = body.strip()
    if "\n" not in lines:
        lines = lines.replace(" ", "\n")
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _unusable(problem: str) -> ConfigurationError:
    return ConfigurationError((problem,))
