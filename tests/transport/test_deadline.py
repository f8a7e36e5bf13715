# SPDX-License-Identifier: Apache-2.0
"""Servers that keep every read alive and never end the exchange: the deadline ends it."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.effects import Flow, SetDeadline, send
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.transport.auth.token_response import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken, ClientSecret, Credentials, ManagedIdentity
from airflow_provider_cpp.transport.deadline import deadline, in_time, time_left
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sync import SyncSession

READ: Request[Any] = Request("read something", "GET", "/something", lambda response: response.body)
SUBMIT: Request[Any] = Request("submit something", "POST", "/something", lambda response: response.body, body=b"{}")
SECRET = ClientSecret("app", "tenant", "secret")
SHORT = 1.0
"""Seconds for each read. An exchange has 3, and a byte every 0.05 seconds comes in time on a slow machine too."""
LATE = "no response within 3 seconds"
BOUND = 30.0
"""Seconds in which an exchange of at most 3 seconds ends on a slow machine too."""

Behavior = Callable[["Server", socket.socket], None]


class Server:
    """Accepts connections, and handles each as its behavior says.

    :ivar connections: the number of accepted connections.
    """

    def __init__(self, behavior: Behavior, context: ssl.SSLContext | None) -> None:
        self.connections = 0
        self.stopped = threading.Event()
        self._behavior, self._context = behavior, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=[connection])
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with connection, contextlib.suppress(OSError):
            if self._context is None:
                self._behavior(self, connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    self._behavior(self, secured)

    def trickle(self, connection: socket.socket, data: bytes) -> None:
        """Send the same data again and again, each time well before a read times out."""
        while not self.stopped.wait(0.05):
            connection.sendall(data)

    def close(self) -> None:
        """Stop the server and join its threads."""
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)


def after(head: bytes, again: bytes) -> Behavior:
    """Respond to each request with a head, then with the same data again and again."""

    def behave(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        server.trickle(connection, again)

    return behave


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = {
    "a header": after(OK + b"X-Endless: ", b"x"),
    "headers": after(OK, b"X: y\r\n"),
    "100 Continue": after(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": after(OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunks": after(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.fixture(autouse=True)
def _check_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    before = set(threading.enumerate())
    yield
    began = time.monotonic()
    while (remaining := set(threading.enumerate()) - before) and time.monotonic() < began + 60:
        time.sleep(0.02)
    assert not remaining


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return the authority that issues the servers' certificate."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """Return the servers' certificate."""
    return authority.issue_cert("127.0.0.1", "localhost")


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the path of a CA bundle with the servers' authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def start(_check_threads: None, certificate: trustme.LeafCert) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with a behavior."""
    started: list[Server] = []

    def start(behavior: Behavior, *, tls: bool = True) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if context is not None:
            certificate.configure_cert(context)
        started.append(Server(behavior, context))
        return started[-1]

    yield start
    gc.collect()  # until then urllib3 keeps the connections of a pool in which one failed
    for one in started:
        one.close()


@pytest.fixture
def settings(bundle: str) -> Callable[..., Settings]:
    """Return a function that makes settings for a server, with its authority and short timeouts."""

    def make(server: Server, credentials: Credentials | None = None, **changes: Any) -> Settings:
        origin = f"https://{server.address}"
        made = Settings(
            origin, credentials or AccessToken("token"), "scope/.default", "1", authority=origin, verify=bundle
        )
        return replace(made, **{"request_timeout": SHORT, "submit_timeout": SHORT} | changes)

    return make


def transport_error(session: SyncSession, request: Request[Any] = READ) -> exceptions.TransportError:
    """Send a request, and return the error that it ends with in time."""
    began = time.monotonic()
    with session, pytest.raises(exceptions.TransportError) as caught:
        session.send(request)
    assert time.monotonic() - began < BOUND
    return caught.value


def authentication_error(settings: Settings) -> exceptions.AuthenticationError:
    """Sign in, and return the error that this ends with in time."""
    began = time.monotonic()
    with pytest.raises(exceptions.AuthenticationError) as caught:
        TokenSource(settings).token()
    assert time.monotonic() - began < BOUND
    return caught.value


@pytest.mark.parametrize("what", ENDLESS)
def test_a_response_that_never_ends_is_aborted(
    start: Callable[..., Server], settings: Callable[..., Settings], what: str
) -> None:
    """An exchange ends after three read timeouts, whatever part of the response trickles, and counts as sent."""
    for request in (READ, SUBMIT):
        error = transport_error(SyncSession(settings(start(ENDLESS[what]))), request)
        assert LATE in str(error)
        assert error.sent is True
        assert error.retryable


@pytest.mark.parametrize("what", ENDLESS)
def test_a_sign_in_that_never_ends_is_aborted(
    start: Callable[..., Server], settings: Callable[..., Settings], what: str
) -> None:
    """A sign-in ends after three read timeouts, with a retryable error."""
    error = authentication_error(settings(start(ENDLESS[what]), SECRET))
    assert LATE in str(error)
    assert error.retryable
    assert error.responded is False


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("where", ["app-service", "service-fabric"])
def test_a_managed_identity_response_that_never_ends_is_aborted(
    start: Callable[..., Server],
    settings: Callable[..., Settings],
    certificate: trustme.LeafCert,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    where: str,
) -> None:
    """The same holds for plain HTTP, and for Service Fabric, where msal uses its own session."""
    is_fabric = where == "service-fabric"
    server = start(ENDLESS[what], tls=is_fabric)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{'https' if is_fabric else 'http'}://{server.address}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    if is_fabric:
        der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
        monkeypatch.setenv("IDENTITY_SERVER_THUMBPRINT", hashlib.sha1(der, usedforsecurity=False).hexdigest())
    error = authentication_error(settings(server, ManagedIdentity()))
    assert LATE in str(error)
    assert error.retryable
    assert error.responded is False


def test_a_whole_sign_in_has_one_deadline(start: Callable[..., Server], settings: Callable[..., Settings]) -> None:
    """The requests of a sign-in share one deadline: a late response leaves less time for the next request."""

    def behave(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        origin = f"https://{server.address}"
        body = f'{{"token_endpoint": "{origin}/t", "authorization_endpoint": "{origin}/a", "issuer": "{origin}/i"}}'
        server.stopped.wait(0.5)
        connection.sendall(OK + f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        connection.recv(65536)
        connection.sendall(OK + b"X-Endless: ")
        server.trickle(connection, b"x")

    began = time.monotonic()
    error = authentication_error(settings(start(behave), SECRET, request_timeout=1.0))
    assert "no response within 3 seconds" in str(error)
    assert time.monotonic() - began >= 3


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_proxy_that_never_connects_is_aborted(
    start: Callable[..., Server], settings: Callable[..., Settings], *, tls: bool
) -> None:
    """A proxy whose response to CONNECT trickles is aborted at the deadline, and no request was sent through it."""
    proxy = start(ENDLESS["a header"], tls=tls)
    proxies = (("https", f"{'https' if tls else 'http'}://{proxy.address}"),)
    error = transport_error(SyncSession(settings(proxy, proxies=proxies)))
    assert LATE in str(error)
    assert error.sent is False
    sign_in_error = authentication_error(settings(proxy, SECRET, proxies=proxies))
    assert LATE in str(sign_in_error)
    assert sign_in_error.retryable


def test_an_https_proxy_is_tunneled_through(start: Callable[..., Server], settings: Callable[..., Settings]) -> None:
    """A proxy with TLS is tunneled through, TLS in TLS, and verified against the connection's own CA bundle."""

    def respond(_: Server, connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(OK + b"Content-Length: 100000\r\n\r\n" + bytes(100_000))

    target = start(respond)

    def relay(_: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        host, _colon, port = target.address.partition(":")
        with socket.create_connection((host, int(port))) as there:
            copy_both_ways(connection, there)

    proxies = (("https", f"https://{start(relay).address}"),)
    with SyncSession(settings(target, proxies=proxies, request_timeout=20)) as session:
        assert [len(session.send(READ).body) for _ in range(2)] == [100_000, 100_000]
    untrusting = SyncSession(settings(target, proxies=proxies, request_timeout=20, verify=None))
    assert isinstance(transport_error(untrusting), exceptions.CertificateVerifyError)


def copy_both_ways(one: Any, other: socket.socket) -> None:
    """Copy bytes both ways until one side closes, in one thread because a TLS connection is not thread-safe."""
    while True:
        for ready in [one] if one.pending() else select.select([one, other], [], [])[0]:
            if not (data := ready.recv(65536)):
                return
            (other if ready is one else one).sendall(data)


def test_a_handshake_that_never_ends_is_aborted(
    start: Callable[..., Server], settings: Callable[..., Settings]
) -> None:
    """A server that never responds to the TLS handshake gets no request."""
    server = start(lambda server, _: server.stopped.wait(60), tls=False)
    assert transport_error(SyncSession(settings(server))).sent is False
    assert authentication_error(settings(server, SECRET)).retryable


def read_by(at: datetime) -> Flow[Any]:
    """Send a request with a deadline of the flow's own."""
    yield SetDeadline(at)
    return (yield from send(READ))


@pytest.mark.parametrize("credentials", [AccessToken("token"), SECRET], ids=["request", "sign-in"])
@pytest.mark.parametrize("what", ["handshake", "nothing", "name"])
def test_a_flow_has_its_own_deadline(
    start: Callable[..., Server],
    settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    credentials: Credentials,
) -> None:
    """A flow's deadline ends name resolution, handshake and response, those of the sign-in included."""
    server = start(lambda server, _: server.stopped.wait(60), tls=what != "handshake")
    released = threading.Event()
    if what == "name":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(60) and [])
    long_timeouts = settings(server, credentials, request_timeout=60, submit_timeout=60)
    began = time.monotonic()
    with (
        SyncSession(long_timeouts) as session,
        pytest.raises((exceptions.TransportError, exceptions.AuthenticationError)) as caught,
    ):
        session.run(read_by(datetime.now(timezone.utc) + timedelta(seconds=0.7)))
    released.set()
    assert time.monotonic() - began < BOUND
    assert "no response within 0." in str(caught.value)
    expected: Any = what == "nothing" if isinstance(credentials, AccessToken) else None
    assert getattr(caught.value, "sent", None) == expected
    assert caught.value.retryable


def test_a_name_resolution_that_hangs_is_aborted(
    start: Callable[..., Server], settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that hangs is aborted after the connection timeout, and nothing was sent."""
    server, released = start(ENDLESS["a body"]), threading.Event()
    session = SyncSession(settings(server))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(60) and [])
    error = transport_error(session)
    released.set()
    assert "resolving 127.0.0.1 took longer than 1 seconds" in str(error)
    assert error.sent is False


def test_after_a_flow_s_deadline_nothing_is_sent(
    start: Callable[..., Server], settings: Callable[..., Settings]
) -> None:
    """With no time left the error is immediate and says that nothing was sent; the next flow has no deadline."""
    server = start(after(OK + b"Content-Length: 2\r\n\r\n{}", b""))
    with SyncSession(settings(server, request_timeout=20)) as session:
        for ago in (0, 3600):
            with pytest.raises(exceptions.TransportError, match="nothing was sent") as caught:
                session.run(read_by(datetime.now(timezone.utc) - timedelta(seconds=ago)))
            assert caught.value.sent is False
            assert server.connections == 0
        assert session.run(send(READ)) == b"{}"


@pytest.mark.parametrize("status", [101, 102, 103, 199])
def test_an_interim_response_is_no_response(
    start: Callable[..., Server], settings: Callable[..., Settings], status: int
) -> None:
    """Only 100 is skipped; any other interim response closes the connection, so that no request gets another one's response."""

    def behave(server: Server, connection: socket.socket) -> None:
        early, late = f"HTTP/1.1 {status} Early\r\n\r\n".encode(), b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
        while connection.recv(65536):
            if server.connections == 1:
                connection.sendall(early)
                early = late
            else:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}")

    server = start(behave)
    with SyncSession(settings(server, request_timeout=20, submit_timeout=20)) as session:
        with pytest.raises(
            exceptions.TransportError, match=f"received interim response HTTP {status} instead"
        ) as caught:
            session.send(SUBMIT)
        response = session.send(READ)
    assert caught.value.sent is True
    assert response.status == 200
    assert response.body == b"{}"
    assert server.connections == 2


def test_an_interim_response_to_a_sign_in_is_retryable(
    start: Callable[..., Server], settings: Callable[..., Settings]
) -> None:
    """An interim response is not a refusal."""
    server = start(after(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""))
    error = authentication_error(settings(server, SECRET, request_timeout=20))
    assert "received interim response HTTP 103 instead" in str(error)
    assert error.retryable


def test_a_sign_in_of_another_thread_is_not_waited_for_past_the_deadline() -> None:
    """One thread signs in for all; the others wait until their own deadline, and the token is there for later ones."""
    begun, released = threading.Event(), threading.Event()

    def acquire(_: Settings, *, refused: bool) -> TokenGrant | TokenFailure:
        begun.set()
        released.wait(60)
        return TokenGrant("token", 3600)

    source = TokenSource(Settings("https://nowhere.invalid", SECRET, "scope", "1"), acquire=acquire)
    thread = threading.Thread(target=source.token)
    thread.start()
    begun.wait(60)
    for seconds in (0.2, -1):
        with (
            deadline(seconds),
            pytest.raises(exceptions.AuthenticationError, match="sign-in of another thread did not end") as caught,
        ):
            source.token()
        assert caught.value.retryable
        assert caught.value.responded is False
    released.set()
    thread.join(60)
    with deadline(60):
        assert source.token().value == "token"


def test_the_earlier_of_two_deadlines_holds() -> None:
    """A deadline inside another one shortens it, never extends it, and ends with its block."""
    with deadline(1000):
        with deadline(10):
            assert 5 < time_left() <= 10
        with deadline(5000):
            assert 900 < time_left() <= 1000
        assert in_time("asking", time_left) <= 1000
    assert time_left() == math.inf


def test_an_exception_in_the_thread_is_raised_to_the_caller() -> None:
    """The caller gets the function's own exception, even if it is a TimeoutError."""
    for error in (KeyError("x"), TimeoutError("its own")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            in_time("failing", fail)
        assert caught.value is error


@pytest.mark.parametrize(("typed", "read", "submit"), [({}, 180, 900), ({"request_timeout": 400}, 1200, 1200)])
def test_the_exchange_timeout_is_three_read_timeouts(typed: dict[str, float], read: float, submit: float) -> None:
    """A whole exchange may take three times as long as one read."""
    made = Settings("https://nowhere.invalid", SECRET, "scope", "1", **typed)
    assert made.exchange_timeout(submit=False) == read
    assert made.exchange_timeout(submit=True) == submit
