# SPDX-License-Identifier: Apache-2.0
"""CA bundles that are broken for a while, or replaced: one error says so, and the next connection looks again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from partner_center_emulator import Emulator

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.trust import ssl_context_for


def missing(path: Path, _: bytes) -> None:
    path.unlink(missing_ok=True)


def below_a_file(path: Path, _: bytes) -> None:
    path.parent.rmdir()
    path.parent.touch()


def empty(path: Path, _: bytes) -> None:
    path.touch()


def half_written(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: len(whole) // 2])


def half_of_two(path: Path, whole: bytes) -> None:
    path.write_bytes(whole + whole[: len(whole) // 2])


def not_certificates(path: Path, _: bytes) -> None:
    path.write_bytes(b"\x00<html>")


def empty_folder(path: Path, _: bytes) -> None:
    path.mkdir()


BROKEN: dict[Callable[[Path, bytes], None], str] = {
    missing: "does not exist",
    below_a_file: "does not exist",
    empty: "is empty",
    half_written: "holds no certificate that can be read",
    half_of_two: "holds no certificate that can be read",
    not_certificates: "holds no certificate that can be read",
    empty_folder: "is empty",
}


def ask(wire: str) -> Any:
    hook = CloudPartnerPortalHook()
    once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
    return hook.run(once) if wire == "requests" else asyncio.run(hook.arun(once))


@pytest.fixture(params=["verify", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def named(
    request: pytest.FixtureRequest, use: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any], Path], None]:
    """Return a function that names a bundle for a connection, in each of the places where it can be named."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    def name(connection: dict[str, Any], bundle: Path) -> None:
        if request.param == "verify":
            use(connection, extra={"verify": str(bundle)})
        else:
            use(connection, extra={"verify": None})
            monkeypatch.setenv(request.param, str(bundle))

    return name


@pytest.mark.parametrize("wire", ["requests", "aiohttp"])
@pytest.mark.parametrize("kind", ["access_token", "client_secret"])
def test_a_broken_bundle_is_one_error_and_passes(
    sign_in_by: Callable[..., Emulator],
    named: Callable[..., None],
    ways: dict[str, Any],
    tmp_path: Path,
    kind: str,
    wire: str,
) -> None:
    """It names the file and what is wrong with it, in one line; nothing was sent, and with a whole file all is well."""
    portal = sign_in_by(ways[kind])
    whole = portal.ca_file.read_bytes()
    for number, (break_it, problem) in enumerate(BROKEN.items()):
        path = tmp_path / str(number) / "ca.pem"
        path.parent.mkdir()
        break_it(path, whole)
        named(portal.connection_for(kind), path)
        with pytest.raises(exceptions.CABundleError) as caught:
            ask(wire)
        text = str(caught.value)
        assert (f"CA bundle {path} {problem}" in text, "\n" in text, "verify" in text) == (True, False, True), text
        assert (caught.value.path, caught.value.retryable, portal.requests) == (str(path), True, [])
    path = tmp_path / "0" / "ca.pem"
    named(portal.connection_for(kind), path)
    path.write_bytes(whole)
    assert ask(wire).raw_status == "neverPublished"


def test_a_replaced_bundle_counts_for_the_next_connection(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], ways: dict[str, Any], tmp_path: Path
) -> None:
    """Whoever is taken out of the bundle is not trusted any more, and whoever comes back is."""
    portal, path = sign_in_by(ways["access_token"]), tmp_path / "ca.pem"
    use(portal.connection_for("access_token"), extra={"verify": str(path)})
    for own in (True, False, True):
        other = tmp_path / "next"
        other.write_bytes(portal.ca_file.read_bytes() if own else trustme.CA().cert_pem.bytes())
        other.replace(path)
        if own:
            assert ask("requests").raw_status == "neverPublished"
        else:
            with pytest.raises(exceptions.CertificateVerifyError):
                ask("requests")


def test_a_name_that_is_not_the_certificate_s(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], ways: dict[str, Any], tmp_path: Path
) -> None:
    """A certificate of a trusted authority is no good for another host."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("else.example", common_name="127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    portal = sign_in_by(ways["access_token"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        host = f"https://127.0.0.1:{listener.getsockname()[1]}"
        use(portal.connection_for("access_token"), host=host, extra={"verify": str(tmp_path / "ca.pem")})
        with pytest.raises(exceptions.CertificateVerifyError, match="IP address mismatch"):
            ask("requests")
        thread.join(30)


def test_a_folder_of_authorities_is_trusted(
    sign_in_by: Callable[..., Emulator], use: Callable[..., Any], ways: dict[str, Any], tmp_path: Path
) -> None:
    """A folder as OpenSSL makes it serves both ways, and one without the authority does not."""
    portal = sign_in_by(ways["access_token"])
    use(portal.connection_for("access_token"), extra={"verify": str(tmp_path)})
    (tmp_path / "README").touch()
    for wire in ("requests", "aiohttp"):
        with pytest.raises(exceptions.CertificateVerifyError):
            ask(wire)
    command = ["openssl", "x509", "-subject_hash", "-noout", "-in", str(portal.ca_file)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(portal.ca_file.read_bytes())
    for wire in ("requests", "aiohttp"):
        assert ask(wire).raw_status == "neverPublished"


def test_authorities_are_read_once_for_all_connections(tmp_path: Path) -> None:
    """The context is one for all who trust the same file as it is now."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    first = ssl_context_for(str(path))
    assert ssl_context_for(str(path)) is first
    path.write_bytes(trustme.CA().cert_pem.bytes() + b"\n")
    assert ssl_context_for(str(path)) is not first
