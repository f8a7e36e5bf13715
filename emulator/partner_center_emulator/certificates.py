# SPDX-License-Identifier: Apache-2.0
"""Certificates of applications, and the certificate authority that issues them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

SUBJECT = "release.contoso.example"
ISSUER = "Contoso Issuing CA"


@cache
def new_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key with this name. Keys are cached in the process, because generating one takes a tenth of a second."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate with its key and its issuer.

    :param key: the private key.
    :param certificate: the certificate.
    :param issuer: the certificate of the issuing authority.
    """

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    issuer: x509.Certificate

    def pem(self, passphrase: str | None = None, *, chain: bool = True) -> str:
        """Return the key, the certificate and the issuer's certificate as PEM.

        :param passphrase: the passphrase to encrypt the key; None for no encryption.
        :param chain: whether to include the certificates; True by default.
        """
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
        return key.decode() + (self.public_pem() if chain else "")

    def public_pem(self) -> str:
        """Return the certificate and the issuer's certificate as PEM."""
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in (self.certificate, self.issuer))

    def pfx(self, passphrase: str | None = None) -> bytes:
        """Return the key, the certificate and the issuer's certificate as PFX (PKCS#12)."""
        return serialize_key_and_certificates(
            SUBJECT.encode(), self.key, self.certificate, [self.issuer], _encryption(passphrase)
        )


class CertificateAuthority:
    """A certificate authority that issues certificates to applications."""

    def __init__(self) -> None:
        self._key = new_key("authority")
        self.certificate = self._sign(ISSUER, self._key, -3650, 3650)

    def issue(self, key: str = "application", subject: str = SUBJECT, *, days: int = 365) -> IssuedCertificate:
        """Issue a certificate.

        :param key: the name of its key; each name has its own key.
        :param subject: the common name.
        :param days: days until it expires; negative for a certificate that has already expired.
        """
        own = new_key(key)
        return IssuedCertificate(own, self._sign(subject, own, min(days, 0) - 1, days), self.certificate)

    def _sign(self, subject: str, key: rsa.RSAPrivateKey, start: int, end: int) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        is_authority = subject == ISSUER
        return (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named(ISSUER))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=start))
            .not_valid_after(now + timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, SHA256())
        )


def thumbprints(certificate: x509.Certificate) -> dict[str, bytes]:
    """Return a certificate's thumbprints by the name of the JWT header for each."""
    hashes: dict[str, HashAlgorithm] = {"x5t": SHA1(), "x5t#S256": SHA256()}  # noqa: S303 - the older of the two headers
    return {name: certificate.fingerprint(one) for name, one in hashes.items()}


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def server_context(authority: trustme.CA, host: str) -> tuple[ssl.SSLContext, str]:
    """Return a TLS context with a new server certificate, and its thumbprint, which clients in Service Fabric check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue_cert(host, "localhost", "127.0.0.1")
    issued.configure_cert(context)
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    return context, thumbprints(certificate)["x5t"].hex().upper()
