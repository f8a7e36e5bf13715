# SPDX-License-Identifier: Apache-2.0
"""Servers that keep every wait for data alive, and end no exchange: the deadline does."""

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
from airflow_provider_cpp.transport.auth.acquire import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.auth.token_source import TokenSource
from airflow_provider_cpp.transport.credentials import AccessToken, ClientSecret, Credentials, ManagedIdentity
from airflow_provider_cpp.transport.deadline import deadline, in_time, time_left
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sync import SyncSession

READ: Request[Any] = Request("read something", "GET", "/something", lambda reply: reply.body)
SUBMIT: Request[Any] = Request("submit something", "POST", "/something", lambda reply: reply.body, body=b"{}")
SECRET = ClientSecret("app", "tenant", "secret")
SHORT = 1.0
"""Seconds for each wait, so that an exchange has 3, and a byte that is 0.05 seconds away comes in time on a slow machine too."""
LATE = "no response within 3 seconds"
BOUND = 30.0
"""Seconds, of a machine that is slow, in which something of at most 3 has ended; much less than for ever."""

Behavior = Callable[["Server", socket.socket], None]


class Server:
    """Accepts connections, and does with each what it is told.

    :ivar connections: how many there were.
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
        """Send the same again and again, each time long before anybody's patience ends."""
        while not self.stopped.wait(0.05):
            connection.sendall(data)

    def close(self) -> None:
        """End all that was begun."""
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(60)


def after(head: bytes, again: bytes) -> Behavior:
    """Answer each request with a head, and something again and again."""

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
def _no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    before = set(threading.enumerate())
    yield
    began = time.monotonic()
    while (left := set(threading.enumerate()) - before) and time.monotonic() < began + 60:
        time.sleep(0.02)
    assert not left


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return whoever gives the servers their certificates."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """Return the servers' certificate."""
    return authority.issue_cert("127.0.0.1", "localhost")


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the path of a bundle with the servers' authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def start(_no_thread_is_left: None, certificate: trustme.LeafCert) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server which does something with each connection."""
    started: list[Server] = []

    def start(behavior: Behavior, *, tls: bool = True) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if context is not None:
            certificate.configure_cert(context)
        started.append(Server(behavior, context))
        return started[-1]

    yield start
    gc.collect()  # urllib3 keeps the connections of a pool in which one failed until then
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


def failed(session: SyncSession, call: Request[Any] = READ) -> exceptions.TransportError:
    """Return the error that a call ends with, in time."""
    began = time.monotonic()
    with session, pytest.raises(exceptions.TransportError) as caught:
        session.send(call)
    assert time.monotonic() - began < BOUND
    return caught.value


def refused(settings: Settings) -> exceptions.AuthenticationError:
    """Return the error that a sign-in ends with, in time."""
    began = time.monotonic()
    with pytest.raises(exceptions.AuthenticationError) as caught:
        TokenSource(settings).token()
    assert time.monotonic() - began < BOUND
    return caught.value


@pytest.mark.parametrize("what", ENDLESS)
def test_a_response_that_never_ends(start: Any, settings: Any, what: str) -> None:
    """An exchange ends after three times the wait for data, whatever of the response trickles, and counts as sent."""
    for call in (READ, SUBMIT):
        error = failed(SyncSession(settings(start(ENDLESS[what]))), call)
        assert (LATE in str(error), error.sent, error.retryable) == (True, True, True), error


@pytest.mark.parametrize("what", ENDLESS)
def test_a_sign_in_that_never_ends(start: Any, settings: Any, what: str) -> None:
    """A sign-in ends after three times the wait for data, as one that may succeed later."""
    error = refused(settings(start(ENDLESS[what]), SECRET))
    assert (LATE in str(error), error.retryable, error.answered) == (True, True, False), error


@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("where", ["app-service", "service-fabric"])
def test_a_machine_s_identity_that_never_comes(
    start: Any, settings: Any, certificate: Any, monkeypatch: pytest.MonkeyPatch, what: str, where: str
) -> None:
    """It is the same in plain HTTP, and in Service Fabric, where msal sends with a session of its own."""
    is_fabric = where == "service-fabric"
    server = start(ENDLESS[what], tls=is_fabric)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{'https' if is_fabric else 'http'}://{server.address}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")
    if is_fabric:
        der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
        monkeypatch.setenv("IDENTITY_SERVER_THUMBPRINT", hashlib.sha1(der, usedforsecurity=False).hexdigest())
    error = refused(settings(server, ManagedIdentity()))
    assert (LATE in str(error), error.retryable, error.answered) == (True, True, False), error


def test_a_whole_sign_in_has_one_deadline(start: Any, settings: Any) -> None:
    """The requests of a sign-in share its time: one that is answered late leaves less for the next one."""

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
    error = refused(settings(start(behave), SECRET, request_timeout=1.0))
    assert ("no response within 3 seconds" in str(error), time.monotonic() - began >= 3) == (True, True), error


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_proxy_that_never_connects(start: Any, settings: Any, tls: Any) -> None:
    """A proxy whose response to CONNECT trickles is given up at the deadline, and nothing was sent through it."""
    proxy = start(ENDLESS["a header"], tls=tls)
    proxies = (("https", f"{'https' if tls else 'http'}://{proxy.address}"),)
    error = failed(SyncSession(settings(proxy, proxies=proxies)))
    assert (LATE in str(error), error.sent) == (True, False), error
    refusal = refused(settings(proxy, SECRET, proxies=proxies))
    assert (LATE in str(refusal), refusal.retryable) == (True, True), refusal


def test_an_https_proxy(start: Any, settings: Any) -> None:
    """A proxy with TLS is tunneled through, TLS in TLS, and trusted as the server is: by the connection's own bundle."""

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
    stranger = SyncSession(settings(target, proxies=proxies, request_timeout=20, verify=None))
    assert isinstance(failed(stranger), exceptions.CertificateVerifyError)


def copy_both_ways(one: Any, other: socket.socket) -> None:
    """Carry bytes until one side has no more; in one thread, since a TLS connection is not for two at a time."""
    while True:
        for ready in [one] if one.pending() else select.select([one, other], [], [])[0]:
            if not (data := ready.recv(65536)):
                return
            (other if ready is one else one).sendall(data)


def test_a_handshake_that_never_ends(start: Any, settings: Any) -> None:
    """A server that says nothing of TLS is given up, and nothing was sent to it."""
    server = start(lambda server, _: server.stopped.wait(60), tls=False)
    assert failed(SyncSession(settings(server))).sent is False
    assert refused(settings(server, SECRET)).retryable


def read_by(at: datetime) -> Flow[Any]:
    """Read something by a time of the flow's own."""
    yield SetDeadline(at)
    return (yield from send(READ))


@pytest.mark.parametrize("credentials", [AccessToken("token"), SECRET], ids=["request", "sign-in"])
@pytest.mark.parametrize("what", ["handshake", "nothing", "name"])
def test_a_flow_s_own_deadline(
    start: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, what: str, credentials: Any
) -> None:
    """A flow's deadline ends what it waits for, be it the name, the handshake or the response, of the sign-in as well."""
    server = start(lambda server, _: server.stopped.wait(60), tls=what != "handshake")
    released = threading.Event()
    if what == "name":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(60) and [])
    patient = settings(server, credentials, request_timeout=60, submit_timeout=60)
    began = time.monotonic()
    with (
        SyncSession(patient) as session,
        pytest.raises((exceptions.TransportError, exceptions.AuthenticationError)) as caught,
    ):
        session.run(read_by(datetime.now(timezone.utc) + timedelta(seconds=0.7)))
    released.set()
    assert (time.monotonic() - began < BOUND, "no response within 0." in str(caught.value)) == (True, True)
    expected: Any = what == "nothing" if isinstance(credentials, AccessToken) else None
    assert (getattr(caught.value, "sent", None), caught.value.retryable) == (expected, True)


def test_a_name_that_is_not_resolved(start: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs is waited for as long as a connection, and nothing was sent."""
    server, released = start(ENDLESS["a body"]), threading.Event()
    session = SyncSession(settings(server))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: released.wait(60) and [])
    error = failed(session)
    released.set()
    assert ("resolving 127.0.0.1 took longer than 1 seconds" in str(error), error.sent) == (True, False), error


def test_after_a_flow_s_deadline_nothing_is_sent(start: Any, settings: Any) -> None:
    """Where no time is left the error comes at once, and says that nothing was sent; the next flow has no deadline."""
    server = start(after(OK + b"Content-Length: 2\r\n\r\n{}", b""))
    with SyncSession(settings(server, request_timeout=20)) as session:
        for ago in (0, 3600):
            with pytest.raises(exceptions.TransportError, match="nothing was sent") as caught:
                session.run(read_by(datetime.now(timezone.utc) - timedelta(seconds=ago)))
            assert (caught.value.sent, server.connections) == (False, 0)
        assert session.run(send(READ)) == b"{}"


@pytest.mark.parametrize("status", [101, 102, 103, 199])
def test_an_interim_response_is_no_response(start: Any, settings: Any, status: int) -> None:
    """Only 100 is waited past; after another one the connection is closed, so that no request gets another one's response."""

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
        with pytest.raises(exceptions.TransportError, match=f"HTTP {status} came instead of a response") as caught:
            session.send(SUBMIT)
        reply = session.send(READ)
    assert (caught.value.sent, reply.status, reply.body, server.connections) == (True, 200, b"{}", 2)


def test_an_interim_response_to_a_sign_in(start: Any, settings: Any) -> None:
    """It is no refusal: it may succeed later."""
    server = start(after(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""))
    error = refused(settings(server, SECRET, request_timeout=20))
    assert ("HTTP 103 came instead of a response" in str(error), error.retryable) == (True, True), error


def test_a_sign_in_of_another_thread_is_not_waited_for_past_the_deadline() -> None:
    """One thread signs in for all; the others wait for as long as they have, and the token is there for whoever comes then."""
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
            pytest.raises(exceptions.AuthenticationError, match="another thread's did not end") as caught,
        ):
            source.token()
        assert (caught.value.retryable, caught.value.answered) == (True, False)
    released.set()
    thread.join(60)
    with deadline(60):
        assert source.token().value == "token"


def test_the_earlier_of_two_deadlines_holds() -> None:
    """A deadline inside another one makes it shorter, never longer, and ends with its block."""
    with deadline(1000):
        with deadline(10):
            assert 5 < time_left() <= 10
        with deadline(5000):
            assert 900 < time_left() <= 1000
        assert in_time("asking", time_left) <= 1000
    assert time_left() == math.inf


def test_what_a_call_in_a_thread_raises() -> None:
    """It is raised where the result is waited for, also if it is a timeout."""
    for error in (KeyError("x"), TimeoutError("its own")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            in_time("failing", fail)
        assert caught.value is error


@pytest.mark.parametrize(("typed", "read", "submit"), [({}, 180, 900), ({"request_timeout": 400}, 1200, 1200)])
def test_how_long_a_whole_exchange_may_take(typed: dict[str, float], read: float, submit: float) -> None:
    """It is three times the wait for data."""
    made = Settings("https://nowhere.invalid", SECRET, "scope", "1", **typed)
    assert (made.exchange_timeout(submit=False), made.exchange_timeout(submit=True)) == (read, submit)
