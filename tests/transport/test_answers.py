# SPDX-License-Identifier: Apache-2.0
"""What Entra ID, a machine, or whoever stands in their place, may answer to a sign-in."""

from __future__ import annotations

import logging
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cpp.emulator import Emulator, Fault
from airflow_provider_cpp.portal import errors
from airflow_provider_cpp.transport.auth import TokenSource

MIB = 1024**2
WAYS = ("client_secret", "managed_identity", "managed_identity-service-fabric")


def route_of(name: str) -> str:
    return "managed-identity" if name.startswith("managed") else "token"


@pytest.fixture
def refusal(source: Callable[[], Any]) -> Callable[[], errors.SignInError]:
    """Return a function that signs in anew, and returns the error that this ends with."""

    def fail() -> errors.SignInError:
        with pytest.raises(errors.SignInError, match=r"^sign-in of .* failed: .") as caught:
            TokenSource(source()._settings).token()
        assert "\n" not in str(caught.value)
        return caught.value

    return fail


def test_answers_to_a_sign_in_are_bounded(
    sign_in_by: Callable[..., Emulator],
    refusal: Callable[[], errors.SignInError],
    ways: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 256 MiB in gzip a megabyte is read, whatever the status and the way; and none of it is logged."""
    caplog.set_level(logging.DEBUG)
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(b"[" * MIB) for _ in range(256)) + compressor.flush()
    headers, found = {"Content-Encoding": "gzip", "Location": "/x"}, {}
    for name in WAYS:
        portal = sign_in_by(ways[name])
        for route in {route_of(name), "discovery" if name == "client_secret" else route_of(name)}:
            for status in (200, 302, 400, 401, 500):
                portal.inject(Fault("answer", route, status=status, headers=headers, body=bomb))
                tracemalloc.start()
                found[name, route, status] = str(refusal())
                assert tracemalloc.get_traced_memory()[1] < 10 * MIB
                tracemalloc.stop()
    assert {case for case, text in found.items() if "larger than 1 MiB" in text} >= {
        case for case in found if case[2] == 200
    }
    assert "[[[[" not in caplog.text + "".join(found.values())


@pytest.mark.parametrize("name", WAYS)
def test_a_page_that_is_no_json_reaches_no_log(
    sign_in_by: Callable[..., Emulator],
    refusal: Callable[[], errors.SignInError],
    ways: dict[str, Any],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What msal cannot read it would log: it sees objects only, one too deep or in an odd encoding is none."""
    caplog.set_level(logging.DEBUG)
    portal = sign_in_by(ways[name])
    odd: list[tuple[dict[str, str], bytes]] = [
        ({}, b"<html>hunter2"),
        ({}, b'["hunter2"]'),
        ({}, b'{"access_token": "hunter2"'),
        ({}, b'{"hunter2": ' * 60_000),
        ({}, b'{"expires_in": ' + b"9" * 5000 + b', "access_token": "hunter2"}'),
        ({}, b"\xff\xfehunter2"),
        ({"Content-Encoding": "br"}, b"hunter2"),
        ({"Content-Encoding": "gzip"}, b"hunter2"),
    ]
    for headers, body in odd:
        portal.inject(Fault("answer", route_of(name), status=200, headers=headers, body=body))
        error = refusal()
        assert ("the answer " in str(error), "hunter2" in str(error), error.retryable) == (True, False, True), error
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("name", WAYS)
def test_a_redirect_to_nowhere_is_a_redirect(
    sign_in_by: Callable[..., Emulator], refusal: Callable[[], errors.SignInError], ways: dict[str, Any], name: str
) -> None:
    """Where a sign-in is redirected to is not even read; that it was is said, and not in Python's own words."""
    portal = sign_in_by(ways[name])
    for location in ("https://[", "https://\xff/", "https://evil.example:x/", f"{portal.url}/x", "//"):
        for status in (301, 302, 303, 307, 308):
            portal.inject(Fault("answer", route_of(name), status=status, headers={"Location": location}))
            assert str(refusal()).endswith(f"failed: HTTP {status}: a redirect, which is not followed")
