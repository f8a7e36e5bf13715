# SPDX-License-Identifier: Apache-2.0
"""Proxies: what goes through them, what never does, and that their passwords are never shown."""

from __future__ import annotations

import asyncio
import base64
import logging
import select
import socket
import socketserver
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from partner_center_emulator import Emulator
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.network_errors import without_users

PASSWORD = "hunter2%2Fhunter2"
USER = f"me:{PASSWORD}"


class Proxy(socketserver.ThreadingTCPServer):
    """Connects every request to one target, and records the requests.

    :ivar target: host and port.
    :ivar requested: the requests' methods and addresses, in order.
    :ivar credentials: the user and password that it requires; None if it requires none.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: tuple[str, int], credentials: str | None = None) -> None:
        self.target, self.credentials = target, credentials
        self.requested: list[str] = []
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        method, address, _ = self.rfile.readline().decode().split(" ")
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.server.requested.append(f"{method} {address}")
        credentials = base64.b64encode((self.server.credentials or "").encode()).decode()
        if credentials and headers.get("proxy-authorization") != f"Basic {credentials}":
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        else:
            with socket.create_connection(self.server.target) as there:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _copy_both_ways(self.connection, there)


def _copy_both_ways(one: socket.socket, other: socket.socket) -> None:
    """Copy bytes both ways until one side closes."""
    ends = {one: other, other: one}
    try:
        while True:
            for ready in select.select(list(ends), [], [], 30)[0]:
                if not (data := ready.recv(65536)):
                    return
                ends[ready].sendall(data)
    except OSError:
        return


@pytest.fixture
def proxy_to() -> Iterator[Callable[..., Proxy]]:
    """Return a function that starts a proxy to an emulator."""
    started: list[Proxy] = []

    def start(emulator: Emulator, credentials: str | None = None) -> Proxy:
        one = Proxy(("127.0.0.1", int(emulator.url.rpartition(":")[2])), credentials)
        started.append(one)
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return one

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


NOWHERE = "https://localhost:1"
"""An address without a server: only the proxy, which connects elsewhere, can make a request to it succeed."""


def proxied_addresses(emulator: Emulator) -> set[str]:
    """Return the requests for a proxy: one for the sign-in, which has its own address, and one for the API."""
    return {"CONNECT localhost:1", f"CONNECT {emulator.url.removeprefix('https://')}"}


def test_everything_goes_through_the_proxy(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
) -> None:
    """The requests of sign-in and API are tunneled, with TLS from end to end, and with the proxy's user and password."""
    for name in ("client_secret", "certificate-pem", "workload_identity"):
        emulator = sign_in_by(methods[name])
        proxy = proxy_to(emulator, "me:hunter2/hunter2")
        use(
            emulator.connection_for(methods[name].auth_type),
            host=NOWHERE,
            extra={"proxies": {"https": f"http://{USER}@{proxy.address}"}},
        )
        assert read().raw_status == "neverPublished"
        assert set(proxy.requested) == proxied_addresses(emulator)
        assert len(emulator.sign_ins) == 1


def test_a_proxy_of_the_environment_is_used(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the connection has no proxy, sign-in and API use the environment's."""
    emulator = sign_in_by(methods["client_secret"])
    proxy = proxy_to(emulator)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    use(emulator.connection_for(), host=NOWHERE)
    assert read().raw_status == "neverPublished"
    assert set(proxy.requested) == proxied_addresses(emulator)


@pytest.mark.parametrize("auth_type", ["client_secret", "access_token"])
def test_the_connection_s_proxy_beats_the_environment_s(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
    auth_type: str,
) -> None:
    """If the connection has a proxy for all schemes, nothing goes through the environment's HTTPS proxy."""
    emulator = sign_in_by(methods[auth_type])
    proxy, other = proxy_to(emulator), proxy_to(emulator)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{other.address}")
    use(emulator.connection_for(auth_type), host=NOWHERE, extra={"proxies": {"all": f"http://{proxy.address}"}})
    expected = proxied_addresses(emulator) if auth_type == "client_secret" else {"CONNECT localhost:1"}
    assert read().raw_status == "neverPublished"
    assert set(proxy.requested) == expected
    assert other.requested == []


def test_a_managed_identity_request_bypasses_proxies(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A plain HTTP request for the machine's token never goes through a proxy of the connection or the environment."""
    for name in ("managed_identity", "managed_identity-app-service"):
        emulator = sign_in_by(methods[name])
        proxy = proxy_to(emulator)
        url = f"http://{proxy.address}"
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("ALL_PROXY", url)
        use(
            emulator.connection_for("managed_identity"),
            host=NOWHERE,
            extra={"proxies": {"http": url, "https": url, "all": url}},
        )
        assert read().raw_status == "neverPublished"
        assert set(proxy.requested) == {"CONNECT localhost:1"}


def everything_in(error: BaseException | None) -> str:
    text = "" if error is None else "".join(traceback.format_exception(error))
    while error is not None:
        text += f"{error}{error!r}{error.args!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


def test_user_and_password_are_removed_from_an_address() -> None:
    """User and password are removed up to the last @ of an address, and an address without them stays unchanged."""
    text = "at http://me:p@ss'word@proxy:1/x, https://host/a@b and (url=//u@h)"
    assert without_users(text) == "at http://***@proxy:1/x, https://host/a@b and (url=//***@h)"


FAILURES = {
    "another password": "managed_identity",
    "unreachable": "managed_identity",
    "from the environment": "managed_identity",
    "for the sign-in": "client_secret",
}


@pytest.mark.parametrize("http_client", ["requests", "aiohttp"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_proxy_s_password_is_never_shown(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., dict[str, Any]],
    proxy_to: Callable[..., Proxy],
    methods: dict[str, AuthMethod],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: str,
    http_client: str,
) -> None:
    """A proxy that refuses or is unreachable is an error without its password, in logs as well."""
    caplog.set_level(logging.DEBUG)
    auth_type = FAILURES[failure]
    emulator = sign_in_by(methods[auth_type])
    proxy = proxy_to(emulator, "me:another")
    url = f"http://{USER}@{'127.0.0.1:1' if failure == 'unreachable' else proxy.address}"
    proxies = None if failure == "from the environment" else {"https": url}
    monkeypatch.setenv("HTTPS_PROXY", url)
    use(emulator.connection_for(auth_type), host=NOWHERE, extra={"proxies": proxies})
    hook = CloudPartnerPortalHook()
    once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
    with pytest.raises(exceptions.MarketplaceError) as caught:
        hook.run(once) if http_client == "requests" else asyncio.run(hook.arun(once))
    assert "hunter2" not in everything_in(caught.value) + caplog.text
    expected = exceptions.AuthenticationError if auth_type == "client_secret" else exceptions.TransportError
    assert type(caught.value) is expected
    assert caught.value.retryable
