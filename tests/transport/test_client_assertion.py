# SPDX-License-Identifier: Apache-2.0
"""Certificates in every supported format, and the errors for those that cannot be used."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from partner_center_emulator.certificates import CertificateAuthority, IssuedCertificate

from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.credentials import Certificate

PASSPHRASE = "hunter2 hunter2"


@pytest.fixture(scope="module")
def issued() -> IssuedCertificate:
    """Return a certificate with its key."""
    return CertificateAuthority().issue()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Callable[[str], str]]:
    """Return a function that writes its arguments to files and loads them as a connection does."""

    def write(*, path: bytes | str | None = None, key_path: bytes | str | None = None, **fields: Any) -> Any:
        paths: dict[str, str] = {}
        for name, content in (("path", path), ("key_path", key_path)):
            if content is not None:
                file = tmp_path / name
                file.write_bytes(content.encode() if isinstance(content, str) else content)
                paths[name] = str(file)
        return client_assertion.load(Certificate("app", "tenant", **paths, **fields))

    return write


def sha256(issued: IssuedCertificate) -> str:
    return hashlib.sha256(issued.certificate.public_bytes(Encoding.DER)).hexdigest()


def sha1(issued: IssuedCertificate) -> str:
    return hashlib.sha1(issued.certificate.public_bytes(Encoding.DER)).hexdigest()  # noqa: S324


def traditional(issued: IssuedCertificate, passphrase: str | None = None) -> str:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption).decode()


FORMATS: dict[str, Callable[[IssuedCertificate], dict[str, Any]]] = {
    "PEM with chain": lambda one: {"path": one.pem()},
    "PEM, encrypted": lambda one: {"path": one.pem(PASSPHRASE), "passphrase": PASSPHRASE},
    "PEM, certificates first": lambda one: {"path": one.public_pem() + one.pem(chain=False)},
    "PEM, the issuer's certificate first": lambda one: {
        "path": one.issuer.public_bytes(Encoding.PEM) + one.pem().encode()
    },
    "PEM in the traditional format": lambda one: {"path": traditional(one) + one.public_pem()},
    "PEM in the traditional format, encrypted": lambda one: {
        "path": traditional(one, PASSPHRASE) + one.public_pem(),
        "passphrase": PASSPHRASE,
    },
    "PEM with a passphrase that it does not need": lambda one: {"path": one.pem(), "passphrase": PASSPHRASE},
    "PEM with Windows line endings": lambda one: {"path": one.pem().replace("\n", "\r\n")},
    "two files": lambda one: {"path": one.public_pem(), "key_path": one.pem(chain=False)},
    "inline": lambda one: {"private_key": one.pem()},
    "inline, on one line": lambda one: {"private_key": one.pem().replace("\n", " ")},
    "inline, with escaped line breaks": lambda one: {"private_key": one.pem().replace("\n", "\\n")},
    "inline key, certificate in a file": lambda one: {"private_key": one.pem(chain=False), "path": one.public_pem()},
    "PFX": lambda one: {"path": one.pfx(PASSPHRASE), "passphrase": PASSPHRASE},
    "PFX without passphrase": lambda one: {"path": one.pfx()},
    "key with its thumbprint": lambda one: {"path": one.pem(chain=False), "thumbprint": sha256(one)},
    "certificate and its thumbprint": lambda one: {"path": one.pem(), "thumbprint": sha256(one)},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_signs(load: Callable[..., Callable[[str], str]], issued: IssuedCertificate, name: str) -> None:
    """The client assertion verifies with the certificate's key, names it by SHA-256, and has the claims that Entra ID requires."""
    text = load(**FORMATS[name](issued))("https://login.example/token")
    header = jwt.get_unverified_header(text)
    claims = jwt.decode(text, issued.certificate.public_key(), ["PS256"], audience="https://login.example/token")
    named = base64.urlsafe_b64decode(header["x5t#S256"] + "==").hex()
    assert named == sha256(issued)
    assert header["alg"] == "PS256"
    assert "x5c" not in header
    assert claims["iss"] == "app"
    assert claims["sub"] == "app"
    assert claims["exp"] - claims["iat"] == 600


def test_each_client_assertion_has_its_own_id(
    load: Callable[..., Callable[[str], str]], issued: IssuedCertificate
) -> None:
    """No two client assertions share an ID, so that none is refused as a replay."""
    sign = load(path=issued.pem())
    texts = [sign("x") for _ in range(3)]
    assert len({jwt.decode(text, options={"verify_signature": False})["jti"] for text in texts}) == 3


@pytest.mark.parametrize("chain", [True, False])
def test_a_sha1_thumbprint_is_sent_as_sha1(
    load: Callable[..., Callable[[str], str]],
    issued: IssuedCertificate,
    chain: bool,  # noqa: FBT001
) -> None:
    """With a SHA-1 thumbprint the header has only x5t, and the signature is RS256."""
    sign = load(path=issued.pem(chain=chain), thumbprint=sha1(issued))
    header = jwt.get_unverified_header(sign("x"))
    assert base64.urlsafe_b64decode(header["x5t"] + "=").hex() == sha1(issued)
    assert header["alg"] == "RS256"


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_send_x5c_sends_the_chain(
    load: Callable[..., Callable[[str], str]], issued: IssuedCertificate, form: str
) -> None:
    """x5c contains the certificate, then its issuer's certificate."""
    content = issued.pem() if form == "pem" else issued.pfx()
    header = jwt.get_unverified_header(load(path=content, send_x5c=True)("x"))
    sent = [base64.b64decode(one) for one in header["x5c"]]
    assert sent == [one.public_bytes(Encoding.DER) for one in (issued.certificate, issued.issuer)]


def elliptic(issued: IssuedCertificate) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def without_key(issued: IssuedCertificate) -> bytes:
    return pkcs12.serialize_key_and_certificates(b"x", None, issued.certificate, None, NoEncryption())


def damaged(text: str, label: str) -> str:
    return text.replace(f"-----BEGIN {label}-----\nMII", f"-----BEGIN {label}-----\nXXX")


UNUSABLE: dict[str, tuple[Callable[[IssuedCertificate], dict[str, Any]], str]] = {
    "no passphrase": (lambda one: {"path": one.pem(PASSPHRASE)}, "but there is no passphrase (password)"),
    "wrong passphrase": (
        lambda one: {"path": one.pem(PASSPHRASE), "passphrase": "hunter3"},
        "the passphrase (password) does not open the certificate's key",
    ),
    "wrong passphrase, inline": (
        lambda one: {"private_key": one.pem(PASSPHRASE), "passphrase": "hunter3"},
        "the passphrase (password) does not open the certificate's key",
    ),
    "wrong passphrase of a PFX": (
        lambda one: {"path": one.pfx(PASSPHRASE), "passphrase": "hunter3"},
        "neither PEM nor PFX, or the passphrase (password) does not open it",
    ),
    "no passphrase for a PFX": (lambda one: {"path": one.pfx(PASSPHRASE)}, "does not open it"),
    "garbage": (lambda _: {"path": b"\x00garbage hunter2"}, "neither PEM nor PFX"),
    "empty": (lambda _: {"path": b""}, "neither PEM nor PFX"),
    "no key": (lambda one: {"path": one.public_pem()}, "there are no private keys"),
    "no key in a PFX": (lambda one: {"path": without_key(one)}, "there is no private key in certificate_path"),
    "two keys": (lambda one: {"path": one.pem() + one.pem()}, "there are 2 private keys"),
    "no certificate": (lambda one: {"path": one.pem(chain=False)}, "add the certificate, or set its thumbprint"),
    "another certificate": (
        lambda one: {"path": one.pem(chain=False), "private_key": None, "key_path": None, "other": True},
        "the certificate does not belong to the key",
    ),
    "another thumbprint": (
        lambda one: {"path": one.pem(), "thumbprint": "ab" * 32},
        "thumbprint is not that of the certificate",
    ),
    "nothing to send": (
        lambda one: {"path": one.pem(chain=False), "thumbprint": "ab" * 32, "send_x5c": True},
        "there is no certificate to send",
    ),
    "a damaged key": (lambda one: {"path": damaged(one.pem(), "PRIVATE KEY")}, "the certificate's key is damaged"),
    "a damaged certificate": (
        lambda one: {"path": damaged(one.pem(), "CERTIFICATE")},
        "the certificate is damaged",
    ),
    "an elliptic key": (lambda one: {"path": elliptic(one), "thumbprint": "ab" * 32}, "is not an RSA key"),
    "a key file that is no PEM": (lambda one: {"path": one.public_pem(), "key_path": b"\x30\x82"}, "is not a PEM file"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_certificate_is_a_configuration_error(
    load: Callable[..., Callable[[str], str]], issued: IssuedCertificate, case: str
) -> None:
    """Each is one configuration error that says what is wrong and repeats no secret."""
    make, expected = UNUSABLE[case]
    fields = make(issued)
    if fields.pop("other", False):
        fields["path"] += CertificateAuthority().issue("another").public_pem()
    with pytest.raises(ConfigurationError) as caught:
        load(**fields)
    text = str(caught.value)
    assert expected in text
    assert "\n" not in text
    assert "hunter" not in text
    assert "MII" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_missing_file_is_named_by_its_field(
    load: Callable[..., Callable[[str], str]], issued: IssuedCertificate, tmp_path: Path
) -> None:
    """A file that cannot be read at sign-in is named by the field of the connection."""
    with pytest.raises(ConfigurationError, match="certificate_path cannot be read: No such file") as caught:
        client_assertion.load(Certificate("app", "tenant", str(tmp_path / "gone")))
    assert caught.value.__context__ is None


def test_a_pfx_of_an_older_windows_is_read(
    load: Callable[..., Callable[[str], str]], issued: IssuedCertificate
) -> None:
    """A PFX with the encryption of twenty years ago, which some tools still export, is read."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .build(PASSPHRASE.encode())
    )
    old = pkcs12.serialize_key_and_certificates(b"x", issued.key, issued.certificate, None, encryption)
    assert "x5t#S256" in jwt.get_unverified_header(load(path=old, passphrase=PASSPHRASE)("x"))
