# SPDX-License-Identifier: Apache-2.0
"""Certificates in the forms that they come in, and what is said of those that cannot be used."""

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
from partner_center_emulator.certificates import CertificateAuthority, Issued

from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.transport.auth import client_assertion
from airflow_provider_cpp.transport.credentials import Certificate

PASSPHRASE = "hunter2 hunter2"


@pytest.fixture(scope="module")
def issued() -> Issued:
    """Return a certificate with its key."""
    return CertificateAuthority().issue()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., client_assertion.Signer]:
    """Return a function that writes what is given to files and loads it as a connection would."""

    def write(*, path: bytes | str | None = None, key_path: bytes | str | None = None, **fields: Any) -> Any:
        paths: dict[str, str] = {}
        for name, content in (("path", path), ("key_path", key_path)):
            if content is not None:
                file = tmp_path / name
                file.write_bytes(content.encode() if isinstance(content, str) else content)
                paths[name] = str(file)
        return client_assertion.load(Certificate("app", "tenant", **paths, **fields))

    return write


def sha256(issued: Issued) -> str:
    return hashlib.sha256(issued.certificate.public_bytes(Encoding.DER)).hexdigest()


def sha1(issued: Issued) -> str:
    return hashlib.sha1(issued.certificate.public_bytes(Encoding.DER)).hexdigest()  # noqa: S324


def traditional(issued: Issued, passphrase: str | None = None) -> str:
    how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, how).decode()


FORMS: dict[str, Callable[[Issued], dict[str, Any]]] = {
    "PEM with chain": lambda one: {"path": one.pem()},
    "PEM, encrypted": lambda one: {"path": one.pem(PASSPHRASE), "passphrase": PASSPHRASE},
    "PEM, certificates first": lambda one: {"path": one.public_pem() + one.pem(chain=False)},
    "PEM, the issuer's certificate first": lambda one: {
        "path": one.issuer.public_bytes(Encoding.PEM) + one.pem().encode()
    },
    "PEM in the traditional form": lambda one: {"path": traditional(one) + one.public_pem()},
    "PEM in the traditional form, encrypted": lambda one: {
        "path": traditional(one, PASSPHRASE) + one.public_pem(),
        "passphrase": PASSPHRASE,
    },
    "PEM with a passphrase that it does not need": lambda one: {"path": one.pem(), "passphrase": PASSPHRASE},
    "PEM with Windows' ends of lines": lambda one: {"path": one.pem().replace("\n", "\r\n")},
    "two files": lambda one: {"path": one.public_pem(), "key_path": one.pem(chain=False)},
    "inline": lambda one: {"private_key": one.pem()},
    "inline, on one line": lambda one: {"private_key": one.pem().replace("\n", " ")},
    "inline, with the ends of lines spelt out": lambda one: {"private_key": one.pem().replace("\n", "\\n")},
    "inline key, certificate in a file": lambda one: {"private_key": one.pem(chain=False), "path": one.public_pem()},
    "PFX": lambda one: {"path": one.pfx(PASSPHRASE), "passphrase": PASSPHRASE},
    "PFX without passphrase": lambda one: {"path": one.pfx()},
    "key with its thumbprint": lambda one: {"path": one.pem(chain=False), "thumbprint": sha256(one)},
    "certificate and its thumbprint": lambda one: {"path": one.pem(), "thumbprint": sha256(one)},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_signs(load: Callable[..., client_assertion.Signer], issued: Issued, form: str) -> None:
    """The statement verifies with the certificate's key, names it by SHA-256, and says what Entra ID wants to hear."""
    text = load(**FORMS[form](issued)).sign("app", "https://login.example/token")
    header = jwt.get_unverified_header(text)
    claims = jwt.decode(text, issued.certificate.public_key(), ["PS256"], audience="https://login.example/token")
    named = base64.urlsafe_b64decode(header["x5t#S256"] + "==").hex()
    assert (named, header["alg"], "x5c" in header) == (sha256(issued), "PS256", False)
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("app", "app", 600)


def test_each_statement_is_another(load: Callable[..., client_assertion.Signer], issued: Issued) -> None:
    """No two statements share an identifier, so that none can be taken for a replay."""
    signer = load(path=issued.pem())
    texts = [signer.sign("app", "x") for _ in range(3)]
    assert len({jwt.decode(text, options={"verify_signature": False})["jti"] for text in texts}) == 3


@pytest.mark.parametrize("chain", [True, False])
def test_a_sha1_thumbprint_is_used_as_it_is_given(
    load: Callable[..., client_assertion.Signer],
    issued: Issued,
    chain: bool,  # noqa: FBT001
) -> None:
    """A server that knows certificates by SHA-1 only gets that, with the signature that it knows."""
    signer = load(path=issued.pem(chain=chain), thumbprint=sha1(issued))
    header = jwt.get_unverified_header(signer.sign("app", "x"))
    assert (base64.urlsafe_b64decode(header["x5t"] + "=").hex(), header["alg"]) == (sha1(issued), "RS256")


@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_the_chain_goes_along_where_it_is_asked_for(
    load: Callable[..., client_assertion.Signer], issued: Issued, form: str
) -> None:
    """x5c holds the certificate itself first, then its issuer's."""
    content = issued.pem() if form == "pem" else issued.pfx()
    header = jwt.get_unverified_header(load(path=content, send_x5c=True).sign("app", "x"))
    sent = [base64.b64decode(one) for one in header["x5c"]]
    assert sent == [one.public_bytes(Encoding.DER) for one in (issued.certificate, issued.issuer)]


def elliptic(issued: Issued) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def without_key(issued: Issued) -> bytes:
    return pkcs12.serialize_key_and_certificates(b"x", None, issued.certificate, None, NoEncryption())


def damaged(text: str, label: str) -> str:
    return text.replace(f"-----BEGIN {label}-----\nMII", f"-----BEGIN {label}-----\nXXX")


FAULTS: dict[str, tuple[Callable[[Issued], dict[str, Any]], str]] = {
    "no passphrase": (lambda one: {"path": one.pem(PASSPHRASE)}, "there is no passphrase (password)"),
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
    "no certificate": (lambda one: {"path": one.pem(chain=False)}, "add it, or give its thumbprint"),
    "another's certificate": (
        lambda one: {"path": one.pem(chain=False), "private_key": None, "key_path": None, "other": True},
        "the certificate does not belong to the key",
    ),
    "another's thumbprint": (
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
    "an elliptic key": (lambda one: {"path": elliptic(one), "thumbprint": "ab" * 32}, "is not RSA"),
    "a key file that is no PEM": (lambda one: {"path": one.public_pem(), "key_path": b"\x30\x82"}, "is no PEM file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_used_is_said(load: Callable[..., client_assertion.Signer], issued: Issued, fault: str) -> None:
    """Each is one error of the connection that says what is the matter, and nothing of what stands in it."""
    make, said = FAULTS[fault]
    fields = make(issued)
    if fields.pop("other", False):
        fields["path"] += CertificateAuthority().issue("another").public_pem()
    with pytest.raises(ConfigurationError) as caught:
        load(**fields)
    text = str(caught.value)
    assert (said in text, "\n" in text, "hunter" in text, "MII" in text) == (True, False, False, False)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_file_that_is_gone(load: Callable[..., client_assertion.Signer], issued: Issued, tmp_path: Path) -> None:
    """A file that cannot be read by the time of the sign-in is said by the field's name."""
    with pytest.raises(ConfigurationError, match="certificate_path cannot be read: No such file") as caught:
        client_assertion.load(Certificate("app", "tenant", str(tmp_path / "gone")))
    assert caught.value.__context__ is None


def test_a_pfx_of_an_older_windows(load: Callable[..., client_assertion.Signer], issued: Issued) -> None:
    """A PFX in the encryption of twenty years ago, which is still what some exports give, is read."""
    how = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .build(PASSPHRASE.encode())
    )
    old = pkcs12.serialize_key_and_certificates(b"x", issued.key, issued.certificate, None, how)
    assert "x5t#S256" in load(path=old, passphrase=PASSPHRASE).header
