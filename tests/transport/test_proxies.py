# SPDX-License-Identifier: Apache-2.0
"""Proxies: what goes through them, what never does, and that their passwords are seen by nobody."""

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

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.network_errors import without_users

PASSWORD = "hunter2%2Fhunter2"
USER = f"me:{PASSWORD}"


class Proxy(socketserver.ThreadingTCPServer):
    """Connects to where it is told to, whatever address is asked for, and remembers what was.

    :ivar target: host and port.
    :ivar asked: the addresses that were asked for, in order.
    :ivar credentials: user and password that must be given; None for anybody.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: tuple[str, int], credentials: str | None = None) -> None:
        self.target, self.credentials = target, credentials
        self.asked: list[str] = []
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
        self.server.asked.append(f"{method} {address}")
        wanted = self.server.credentials
        if wanted and headers.get("proxy-authorization") != f"Basic {base64.b64encode(wanted.encode()).decode()}":
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
        else:
            with socket.create_connection(self.server.target) as there:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _pump(self.connection, there)


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side has had enough."""
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

    def start(portal: Emulator, credentials: str | None = None) -> Proxy:
        one = Proxy(("127.0.0.1", int(portal.url.rpartition(":")[2])), credentials)
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
"""An address at which there is nothing: what is said there was said through the proxy, which leads elsewhere."""


def both(portal: Emulator) -> set[str]:
    """Return what the proxy is asked for: the way to the sign-in, which names its own address, and to the portal."""
    return {"CONNECT localhost:1", f"CONNECT {portal.url.removeprefix('https://')}"}


def test_everything_goes_through_the_proxy(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], Any],
    ways: dict[str, Any],
) -> None:
    """The sign-in's requests and the portal's are tunnelled, TLS from end to end, with the proxy's user and password."""
    for name in ("client_secret", "certificate-pem", "workload_identity"):
        portal = sign_in_by(ways[name])
        proxy = proxy_to(portal, "me:hunter2/hunter2")
        use(
            portal.connection_for(ways[name].kind),
            host=NOWHERE,
            extra={"proxies": {"https": f"http://{USER}@{proxy.address}"}},
        )
        assert read().raw_status == "neverPublished"
        assert (set(proxy.asked), len(portal.sign_ins)) == (both(portal), 1)


def test_a_proxy_of_the_environment_is_used(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the connection names no proxy, the environment's is used, for the sign-in and for the portal."""
    portal = sign_in_by(ways["client_secret"])
    proxy = proxy_to(portal)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    use(portal.connection_for(), host=NOWHERE)
    assert (read().raw_status, set(proxy.asked)) == ("neverPublished", both(portal))


@pytest.mark.parametrize("kind", ["client_secret", "access_token"])
def test_a_proxy_of_the_connection_beats_the_environment_s(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """Where the connection names a proxy for all, nothing goes through the environment's, which is for https alone."""
    portal = sign_in_by(ways[kind])
    proxy, other = proxy_to(portal), proxy_to(portal)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{other.address}")
    use(portal.connection_for(kind), host=NOWHERE, extra={"proxies": {"all": f"http://{proxy.address}"}})
    wanted = both(portal) if kind == "client_secret" else {"CONNECT localhost:1"}
    assert (read().raw_status, set(proxy.asked), other.asked) == ("neverPublished", wanted, [])


def test_a_managed_identity_s_token_is_seen_by_no_proxy(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    proxy_to: Callable[..., Proxy],
    read: Callable[[], Any],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a machine is given in plain HTTP never leaves it, whatever proxies connection and environment name."""
    for name in ("managed_identity", "managed_identity-app-service"):
        portal = sign_in_by(ways[name])
        proxy = proxy_to(portal)
        url = f"http://{proxy.address}"
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("ALL_PROXY", url)
        use(
            portal.connection_for("managed_identity"),
            host=NOWHERE,
            extra={"proxies": {"http": url, "https": url, "all": url}},
        )
        assert (read().raw_status, set(proxy.asked)) == ("neverPublished", {"CONNECT localhost:1"})


def all_of(error: BaseException | None) -> str:
    text = "" if error is None else "".join(traceback.format_exception(error))
    while error is not None:
        text += f"{error}{error!r}{error.args!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


def test_an_address_loses_its_user_whatever_stands_in_it() -> None:
    """User and password go to the last @ of an address, and an address without them stays as it is."""
    text = "at http://me:p@ss'word@proxy:1/x, https://host/a@b and (url=//u@h)"
    assert without_users(text) == "at http://***@proxy:1/x, https://host/a@b and (url=//***@h)"


WRONG = {
    "another password": "managed_identity",
    "nobody there": "managed_identity",
    "from the environment": "managed_identity",
    "for the sign-in": "client_secret",
}


@pytest.mark.parametrize("wire", ["requests", "aiohttp"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_proxy_s_password_is_seen_by_nobody(
    sign_in_by: Callable[..., Emulator],
    use: Callable[..., Any],
    proxy_to: Callable[..., Proxy],
    ways: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wrong: str,
    wire: str,
) -> None:
    """A proxy that refuses, or is not there, is an error that says so without its password, in logs as well."""
    caplog.set_level(logging.DEBUG)
    kind = WRONG[wrong]
    portal = sign_in_by(ways[kind])
    proxy = proxy_to(portal, "me:another")
    url = f"http://{USER}@{'127.0.0.1:1' if wrong == 'nobody there' else proxy.address}"
    proxies = None if wrong == "from the environment" else {"https": url}
    monkeypatch.setenv("HTTPS_PROXY", url)
    use(portal.connection_for(kind), host=NOWHERE, extra={"proxies": proxies})
    hook = CloudPartnerPortalHook()
    once = effects.send(endpoints.get_offer_status(hook.offer_ref("contoso-vm")))
    with pytest.raises(exceptions.MarketplaceError) as caught:
        hook.run(once) if wire == "requests" else asyncio.run(hook.arun(once))
    assert "hunter2" not in all_of(caught.value) + caplog.text
    expected = exceptions.AuthenticationError if kind == "client_secret" else exceptions.TransportError
    assert (type(caught.value), caught.value.retryable) == (expected, True)
