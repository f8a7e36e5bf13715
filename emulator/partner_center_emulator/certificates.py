# SPDX-License-Identifier: Apache-2.0
"""The certificates of applications: an authority of one's own, and what it issues."""

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
    """Make a key, once per process and name: they take a tenth of a second each."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, and who issued it.

    :param key: its private key; never shown.
    :param certificate: the certificate.
    :param issuer: the authority's own certificate.
    """

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    issuer: x509.Certificate

    def pem(self, passphrase: str | None = None, *, chain: bool = True) -> str:
        """Write key, certificate and the issuer's as PEM.

        :param passphrase: what the key is encrypted with; it lies open if None.
        :param chain: whether the certificates follow the key.
        """
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
        return key.decode() + (self.public_pem() if chain else "")

    def public_pem(self) -> str:
        """Write certificate and issuer's as PEM."""
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in (self.certificate, self.issuer))

    def pfx(self, passphrase: str | None = None) -> bytes:
        """Write key, certificate and the issuer's as PFX (PKCS#12)."""
        return serialize_key_and_certificates(
            SUBJECT.encode(), self.key, self.certificate, [self.issuer], _encryption(passphrase)
        )


class CertificateAuthority:
    """Issues certificates to applications."""

    def __init__(self) -> None:
        self._key = new_key("authority")
        self.certificate = self._sign(ISSUER, self._key, -3650, 3650)

    def issue(self, key: str = "application", subject: str = SUBJECT, *, days: int = 365) -> Issued:
        """Issue a certificate.

        :param key: the name of its key; another name is another key.
        :param subject: its common name.
        :param days: for how long it is good; below 0, it expired that long ago.
        """
        own = new_key(key)
        return Issued(own, self._sign(subject, own, min(days, 0) - 1, days), self.certificate)

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
    """Return what names a certificate in an assertion's header."""
    hashes: dict[str, HashAlgorithm] = {"x5t": SHA1(), "x5t#S256": SHA256()}  # noqa: S303 - the older of two names
    return {name: certificate.fingerprint(one) for name, one in hashes.items()}


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _encryption(passphrase: str | None) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()


def server_context(authority: trustme.CA, host: str) -> tuple[ssl.SSLContext, str]:
    """Make the server's certificate; returns its thumbprint too, by which some clients know it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = authority.issue_cert(host, "localhost", "127.0.0.1")
    issued.configure_cert(context)
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    return context, thumbprints(certificate)["x5t"].hex().upper()
