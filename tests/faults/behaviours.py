# SPDX-License-Identifier: Apache-2.0
"""What a server does with a connection or a response, by stage.

Each behaviour replaces the response that it gets.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from faults.marketplace import OFFER, PUBLISHER, Response
from faults.server import BYTE_INTERVAL, Connection

Act = Callable[[Connection, Response], None]


@dataclass(frozen=True)
class Behaviour:
    """One behaviour of a server.

    :param acceptance: whether a submit that it affects was accepted: ``yn`` if either is possible; ``n`` for a behaviour before the
        request or a proof of refusal; ``y`` if the response confirms the submit.
    :param to_connection: whether it affects a new connection, before TLS.
    :param refuses: whether there is no listener at all.
    :param needs_sign_in: whether the client must be able to get another token.
    """

    stage: str
    name: str
    act: Act
    acceptance: str = "yn"
    to_connection: bool = False
    refuses: bool = False
    needs_sign_in: bool = False


def raw(*parts: bytes | str, then: str = "close") -> Act:
    """Send bytes in place of a response, then close, reset or hold the connection, or send the response itself (``real``)."""
    data = b"".join(part.encode("latin-1") if isinstance(part, str) else part for part in parts)

    def act(connection: Connection, response: Response) -> None:
        connection.send(data)
        if then == "real":
            connection.send(response.bytes())
        else:
            getattr(connection, then)()

    return act


def head(*headers: str, body: Callable[[bytes], bytes] = bytes, then: str = "close") -> Act:
    """Send the response with other headers and a changed body."""

    def act(connection: Connection, response: Response) -> None:
        more = "".join(f"{line}\r\n" for line in headers).encode("latin-1")
        connection.send(response.head() + more + b"\r\n" + body(response.body))
        if then:
            getattr(connection, then)()

    return act


def endless(data: bytes | str, every: float = BYTE_INTERVAL, *, after_head: bool = False, first: bytes = b"") -> Act:
    """Send data forever, after ``first``, and after the response's status line and headers if ``after_head``."""
    piece = data.encode("latin-1") if isinstance(data, str) else data

    def act(connection: Connection, response: Response) -> None:
        connection.send((response.head() if after_head else b"") + first)
        connection.trickle(piece, every)

    return act


def with_body(make: Callable[[bytes], bytes], *headers: tuple[str, str]) -> Act:
    """Send a complete response with a changed body."""

    def act(connection: Connection, response: Response) -> None:
        changed = replace(response, body=make(response.body), headers=(*response.headers, *headers))
        connection.send(changed.bytes())

    return act


def always(body: bytes) -> Callable[[bytes], bytes]:
    """Return a function that returns this body for every response."""
    return lambda _: body


def status(number: int, body: bytes = b"", *headers: tuple[str, str], keeps_content: bool = False) -> Act:
    """Send a response with this status, and with the headers and the body of the real one if ``keeps_content``."""

    def act(connection: Connection, response: Response) -> None:
        if keeps_content:
            kept = replace(response, status=number, headers=(*response.headers, *headers))
        else:
            kept = Response(number, body, headers)
        connection.send(kept.bytes() if number not in (204, 304) else kept.head() + b"\r\n")

    return act


def location(value: str) -> Act:
    """Send the response, accepted, with this Location."""
    return lambda connection, response: connection.send(replace(response, headers=(("Location", value),)).bytes())


def _connection() -> Iterator[Behaviour]:
    def stage(name: str, act: Act, **more: bool) -> Behaviour:
        return Behaviour("connection", name, act, "n", to_connection=True, **more)

    yield stage("refused", raw(), refuses=True)
    yield stage("closed at once", raw())
    yield stage("reset at once", raw(then="reset"))
    yield stage("no handshake", raw(then="hold"))
    yield stage("plain HTTP", raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    yield stage("garbage for a handshake", raw(b"\x00\xff" * 500))
    yield stage("a TLS alert", raw(b"\x15\x03\x03\x00\x02\x02\x28"))
    yield stage("a record that never ends", endless(b"\x02", first=b"\x16\x03\x03\x3f\xff"))
    yield stage("a handshake cut short", raw(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", then="reset"))
    for end in ("close", "reset", "hold"):
        yield Behaviour("connection", f"{end} after the request", raw(then=end))


def _interim() -> Iterator[Behaviour]:
    def stage(name: str, act: Act) -> Behaviour:
        return Behaviour("interim response", name, act)

    link = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-Y: z\r\n\r\n"
    for number in (100, 101, 102, 103, 110, 199):
        line = f"HTTP/1.1 {number} Interim\r\n\r\n"
        for end in ("real", "reset", "close", "hold")[: 4 if number in (101, 103) else 2]:
            yield stage(f"{number}, then {end}", raw(line, then=end))
    for end in ("real", "reset", "hold"):
        yield stage(f"103 with headers, then {end}", raw(link, then=end))
        yield stage(
            f"101 with headers, then {end}",
            raw("HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", then=end),
        )
    yield stage(
        "100 and 103 and 102, then real", raw("HTTP/1.1 100 C\r\n\r\n", link, "HTTP/1.1 102 P\r\n\r\n", then="real")
    )
    yield stage("103 a thousand times, then real", raw(link * 1000, then="real"))
    yield stage("103 with a length, then real", raw("HTTP/1.1 103 E\r\nContent-Length: 2\r\n\r\n{}", then="real"))
    for number in (100, 102, 103):
        yield stage(f"{number} forever", endless(f"HTTP/1.1 {number} Interim\r\n\r\n"))
        yield stage(f"{number} forever, fast", endless(f"HTTP/1.1 {number} Interim\r\n\r\n" * 20, 0.002))


def _head() -> Iterator[Behaviour]:
    def stage(name: str, act: Act) -> Behaviour:
        return Behaviour("status line, headers", name, act)

    for name, line in {
        "garbage": b"\x00\xff\x80\r\n\r\n",
        "no HTTP": b"220 mail.example ESMTP\r\n\r\n",
        "a page alone": b"<html>sign in to the network</html>",
        "an empty line": b"\r\n\r\n",
        "status 000": b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n",
        "status 099": b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
        "status 999": b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
        "status 2000": b"HTTP/1.1 2000 X\r\nContent-Length: 0\r\n\r\n",
        "status 20x": b"HTTP/1.1 20x X\r\nContent-Length: 0\r\n\r\n",
        "status -1": b"HTTP/1.1 -1 X\r\nContent-Length: 0\r\n\r\n",
        "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/9.9": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/2's preface": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d\x00\x04\x00\x10\x00\x00",
        "a header without a colon": b"HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 2\r\n\r\n{}",
        "a NUL in a header": b"HTTP/1.1 200 OK\r\nA: \x00\r\nContent-Length: 2\r\n\r\n{}",
        "no end of the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
        "a header folded forever": b"HTTP/1.1 200 OK\r\nA: b\r\n" + b" c\r\n" * 5000 + b"\r\n",
    }.items():
        yield stage(f"{name}, then close", raw(line))
    yield stage("reset in the headers", raw("HTTP/1.1 200 OK\r\nContent-Le", then="reset"))
    yield stage("silence in the headers", raw("HTTP/1.1 200 OK\r\nContent-Le", then="hold"))
    yield stage("a status line byte by byte", endless("H"))
    yield stage("a header byte by byte", endless("a", after_head=True))
    yield stage("headers forever", endless("X-More: 1\r\n", after_head=True))
    yield stage("headers forever, fast", endless("X-More: 1\r\n" * 50, 0.002, after_head=True))
    yield stage("a header of 1 MB", head(f"X-Long: {'x' * 1024**2}"))
    yield stage("10,000 headers", head(*(f"X-{number}: 1" for number in range(10_000))))
    yield stage("two lengths alike", head("Content-Length: 0", "Content-Length: 0", body=lambda _: b""))
    yield stage("two lengths", head("Content-Length: 0", "Content-Length: 5"))
    for end in ("close", "reset", "hold"):
        yield stage(f"a length too long, then {end}", head("Content-Length: 99999", then=end))
    yield stage("a length too short", head("Content-Length: 1", body=lambda body: body + b"xyz", then=""))
    for length in ("-1", "many", "9" * 30, "0x10", "+5", "5, 6", ""):
        yield stage(f"length {length or 'of nothing'}", head(f"Content-Length: {length}"))
    yield stage("neither a length nor an end", head(then="hold"))
    yield stage("length and chunked", head("Content-Length: 3", "Transfer-Encoding: chunked", body=_chunked))
    yield stage("an unknown transfer encoding", head("Transfer-Encoding: zip"))
    for name, body in {
        "no size": b"zz\r\n{}\r\n0\r\n\r\n",
        "a negative size": b"-5\r\n{}\r\n0\r\n\r\n",
        "a huge size": b"ffffffffffffffffff\r\n{}",
        "no last chunk": b"2\r\n{}\r\n",
        "no line after a chunk": b"2\r\n{}0\r\n\r\n",
    }.items():
        chunked = "Transfer-Encoding: chunked"
        yield stage(f"chunked with {name}, then close", head(chunked, body=always(body)))
        yield stage(f"chunked with {name}, then hold", head(chunked, body=always(body), then="hold"))
    no_body = b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    yield stage("a trailer forever", endless("X-T: 1\r\n", after_head=True, first=no_body))


def _chunked(body: bytes) -> bytes:
    return (f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b"") + b"0\r\n\r\n"


def _status() -> Iterator[Behaviour]:
    def stage(name: str, act: Act, acceptance: str, *, needs_sign_in: bool = False) -> Behaviour:
        return Behaviour("status", name, act, acceptance, needs_sign_in=needs_sign_in)

    error = b'{"error": {"code": "Odd", "message": "It is odd."}}'
    own = f"/api/publishers/{PUBLISHER}/offers/{OFFER}/operations/other"
    for number in (200, 201, 202):
        yield stage(f"{number} with Location", status(number, keeps_content=True), "y")
        yield stage(f"{number} without Location", status(number), "y")
    for name, value in {
        "elsewhere": f"https://evil.example{own}",
        "malformed": "https://[::1",
        "of another port": f"https://127.0.0.1:1{own}",
        "of no operation": "/api/publishers",
        "out of the API": "/api/../admin",
        "too long": own + "x" * 5000,
        "empty": "",
        "binary": "\xff\xfe",
    }.items():
        yield stage(f"202 with a Location {name}", location(value), "y")
    for number in (203, 204, 205, 206, 207, 226, 299):
        yield stage(f"{number}", status(number), "yn")
    for number in (300, 301, 302, 303, 304, 305, 307, 308):
        yield stage(f"{number} to itself", status(number, b"", ("Location", own)), "yn")
    yield stage("302 elsewhere", status(302, b"<html>", ("Location", "https://evil.example/")), "yn")
    yield stage("307 without Location", status(307), "yn")
    for number in (
        400,
        402,
        403,
        404,
        405,
        406,
        409,
        410,
        411,
        412,
        413,
        414,
        415,
        417,
        418,
        422,
        423,
        424,
        428,
        431,
        451,
    ):
        yield stage(f"{number}", status(number, error), "n")
    yield stage("401", status(401, error), "n", needs_sign_in=True)
    yield stage("401 with a ready-made token", status(401, error), "n")
    yield stage("407", status(407, error, ("Proxy-Authenticate", "Basic")), "n")
    for value in ("0", "2", "99999999999", "-5", "soon", "Tue, 03 Nov 2026 08:00:30 GMT"):
        yield stage(f"429, Retry-After {value}", status(429, error, ("Retry-After", value)), "n")
    for number in (408, 421, 425, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 525, 599):
        yield stage(f"{number}", status(number, error), "yn")
    yield stage("502 with a page", status(502, b"<html><h1>Bad gateway</h1>" * 2000), "yn")
    yield stage("503, Retry-After 5", status(503, error, ("Retry-After", "5")), "yn")
    yield stage("504 with deep details", status(504, b'{"error":{"details":[' * 5000), "yn")


def _body() -> Iterator[Behaviour]:
    def stage(name: str, act: Act) -> Behaviour:
        return Behaviour("body", name, act)

    for end in ("reset", "close", "hold"):
        yield stage(
            f"half of it, then {end}", head("Content-Length: 4000", body=lambda body: body[: len(body) // 2], then=end)
        )
    yield stage("a trickle with a length", endless(" ", after_head=True, first=b"Content-Length: 99999\r\n\r\n"))
    yield stage("a trickle without a length", endless(" ", after_head=True, first=b"\r\n"))
    for name, body in {
        "empty": b"",
        "a page": b"<!doctype html><html>sign in to the network</html>",
        "a list": b"[]",
        "a list of lists": b"[[1]]",
        "null": b"null",
        "a number": b"7",
        "a text": b'"running"',
        "an object of numbers": b'{"status": 7, "value": 7, "jobId": 7, "jobStatus": 7, "error": 7}',
        "an object of lists": b'{"status": [[]], "value": [[]], "jobId": [], "jobStatus": [], "error": []}',
        "an object of nothing": b"{}",
        "half of JSON": b'{"status": "succ',
        "two of JSON": b'{"status": "running"}{"status": "succeeded"}',
        "NaN": b'{"status": NaN, "value": NaN, "jobId": NaN}',
        "a number of 5,000 digits": b'{"status": ' + b"1" * 5000 + b"}",
        "deep lists": b"[" * 200_000,
        "deep objects": b'{"a":' * 100_000,
        "a byte order mark": b"\xef\xbb\xbf{}",
        "binary": bytes(range(256)) * 40,
        "a lone surrogate": b'{"status": "\\ud800", "jobId": "\\ud800", "value": []}',
    }.items():
        yield stage(name, with_body(always(body)))
    yield stage(
        "UTF-16", with_body(lambda body: body.decode().encode("utf-16"), ("Content-Type", "text/plain; charset=utf-7"))
    )
    yield stage(
        "Latin-1", with_body(lambda body: body + b"\xe4", ("Content-Type", "application/json; charset=nonsense"))
    )
    yield stage("40 MB", with_body(lambda body: body + _blanks()))


@cache
def _blanks() -> bytes:
    return b" " * (40 * 1024**2)


@cache
def _bomb() -> bytes:
    return gzip.compress(_blanks() * 5, 1)


def _encoding() -> Iterator[Behaviour]:
    def stage(name: str, encoding: str, make: Callable[[bytes], bytes]) -> Behaviour:
        return Behaviour("encoding", name, with_body(make, ("Content-Encoding", encoding)))

    yield stage("gzip", "gzip", gzip.compress)
    yield stage("gzip in two parts", "gzip", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:]))
    yield stage("gzip cut short", "gzip", lambda body: gzip.compress(body)[:-9])
    yield stage("gzip of nothing", "gzip", lambda _: b"")
    yield stage("gzip that is plain", "gzip", bytes)
    yield stage("gzip and garbage", "gzip", lambda body: gzip.compress(body) + b"garbage")
    yield stage("gzip, broken within", "gzip", lambda body: gzip.compress(body)[:12] + b"\xff" * 20)
    yield stage("gzip twice", "gzip, gzip", lambda body: gzip.compress(gzip.compress(body)))
    yield stage("a gzip bomb", "gzip", lambda _: _bomb())
    yield stage("x-gzip", "x-gzip", gzip.compress)
    yield stage("deflate", "deflate", zlib.compress)
    yield stage("br", "br", lambda _: b"\x8b\x00\x80{}\x03")
    yield stage("zstd", "zstd", lambda _: b"\x28\xb5\x2f\xfd\x04\x00")
    yield stage("an unknown encoding", "\xff" * 300, bytes)


BEHAVIOURS = (*_connection(), *_interim(), *_head(), *_status(), *_body(), *_encoding())
STAGES = tuple(dict.fromkeys(one.stage for one in BEHAVIOURS))
