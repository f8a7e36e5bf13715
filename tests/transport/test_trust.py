# SPDX-License-Identifier: Apache-2.0
"""CA bundles that are broken for a while, or replaced: a clear error, and the next connection reads the bundle again."""

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
from support.auth_methods import AuthMethod

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


PROBLEMS: dict[Callable[[Path, bytes], None], str] = {
    missing: "does not exist",
    below_a_file: "does not exist",
    empty: "is empty",
    half_written: "contains no readable certificate",
    half_of_two: "contains no readable certificate",
    not_certificates: "contains no readable certificate",
    empty_folder: "is empty",
}


def read_status(http_client: str) -> Any:
    hook = CloudPartnerPortalHook()
    once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
    return hook.run(once) if http_client == "requests" else asyncio.run(hook.arun(once))


@pytest.fixture(params=["verify", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def named(
    request: pytest.FixtureRequest, use: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any], Path], None]:
    """Return a function that configures a connection's CA bundle, in each of the places for it."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    def name(connection: dict[str, Any], bundle: Path) -> None:
        if request.param == "verify":
            use(connection, extra={"verify": str(bundle)})
        else:
            use(connection, extra={"verify": None})
            monkeypatch.setenv(request.param, str(bundle))

    return name


@pytest.mark.parametrize("http_client", ["requests", "aiohttp"])
@pytest.mark.parametrize("auth_type", ["access_token", "client_secret"])
def test_a_broken_ca_bundle_is_a_retryable_error(
    sign_in_by: Callable[..., Emulator],
    named: Callable[..., None],
    methods: dict[str, AuthMethod],
    tmp_path: Path,
    auth_type: str,
    http_client: str,
) -> None:
    """The error names the file and the problem in one line, nothing was sent, and the repaired file works."""
    emulator = sign_in_by(methods[auth_type])
    whole = emulator.ca_file.read_bytes()
    for number, (break_it, problem) in enumerate(PROBLEMS.items()):
        path = tmp_path / str(number) / "ca.pem"
        path.parent.mkdir()
        break_it(path, whole)
        named(emulator.connection_for(auth_type), path)
        with pytest.raises(exceptions.CABundleError) as caught:
            read_status(http_client)
        text = str(caught.value)
        assert f"CA bundle {path} {problem}" in text
        assert "\n" not in text
        assert "verify" in text
        assert caught.value.path == str(path)
        assert caught.value.retryable
        assert emulator.requests == []
    path = tmp_path / "0" / "ca.pem"
    named(emulator.connection_for(auth_type), path)
    path.write_bytes(whole)
    assert read_status(http_client).raw_status == "neverPublished"


def test_a_replaced_ca_bundle_is_used_for_the_next_connection(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    methods: dict[str, AuthMethod],
    tmp_path: Path,
) -> None:
    """An authority that is removed from the bundle is not trusted anymore, and is trusted again once it is back."""
    emulator, path = sign_in_by(methods["access_token"]), tmp_path / "ca.pem"
    use(emulator.connection_for("access_token"), extra={"verify": str(path)})
    for own in (True, False, True):
        other = tmp_path / "next"
        other.write_bytes(emulator.ca_file.read_bytes() if own else trustme.CA().cert_pem.bytes())
        other.replace(path)
        if own:
            assert read_status("requests").raw_status == "neverPublished"
        else:
            with pytest.raises(exceptions.CertificateVerifyError):
                read_status("requests")


def test_a_certificate_for_another_host_is_not_trusted(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    methods: dict[str, AuthMethod],
    tmp_path: Path,
) -> None:
    """A certificate of a trusted authority is not valid for another host."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("else.example", common_name="127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    emulator = sign_in_by(methods["access_token"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        host = f"https://127.0.0.1:{listener.getsockname()[1]}"
        use(emulator.connection_for("access_token"), host=host, extra={"verify": str(tmp_path / "ca.pem")})
        with pytest.raises(exceptions.CertificateVerifyError, match="IP address mismatch"):
            read_status("requests")
        thread.join(30)


def test_a_folder_of_authorities_is_trusted(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    methods: dict[str, AuthMethod],
    tmp_path: Path,
) -> None:
    """Both HTTP clients trust the authorities in a folder that OpenSSL prepared, and no others."""
    emulator = sign_in_by(methods["access_token"])
    use(emulator.connection_for("access_token"), extra={"verify": str(tmp_path)})
    (tmp_path / "README").touch()
    for http_client in ("requests", "aiohttp"):
        with pytest.raises(exceptions.CertificateVerifyError):
            read_status(http_client)
    command = ["openssl", "x509", "-subject_hash", "-noout", "-in", str(emulator.ca_file)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(emulator.ca_file.read_bytes())
    for http_client in ("requests", "aiohttp"):
        assert read_status(http_client).raw_status == "neverPublished"


def test_a_ca_bundle_is_read_once_for_all_connections(tmp_path: Path) -> None:
    """All connections with the same unchanged file share one SSL context."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    first = ssl_context_for(str(path))
    assert ssl_context_for(str(path)) is first
    path.write_bytes(trustme.CA().cert_pem.bytes() + b"\n")
    assert ssl_context_for(str(path)) is not first
