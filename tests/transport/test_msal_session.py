# SPDX-License-Identifier: Apache-2.0
"""What Entra ID, a machine, or whoever stands in their place, may answer to a sign-in."""

from __future__ import annotations

import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.transport.auth.token_source import TokenSource

MIB = 1024**2
WAYS = ("client_secret", "managed_identity", "managed_identity-service-fabric")


def route_of(name: str) -> str:
    return "managed-identity" if name.startswith("managed") else "token"


@pytest.fixture
def refusal(source: Callable[[], Any]) -> Callable[[], exceptions.AuthenticationError]:
    """Return a function that signs in anew, and returns the error that this ends with."""

    def fail() -> exceptions.AuthenticationError:
        with pytest.raises(exceptions.AuthenticationError, match=r"^sign-in of .* failed: .") as caught:
            TokenSource(source()._settings).token()
        assert "\n" not in str(caught.value)
        return caught.value

    return fail


def test_answers_to_a_sign_in_are_bounded(
    sign_in_by: Callable[..., Emulator],
    refusal: Callable[[], exceptions.AuthenticationError],
    ways: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of 256 MiB in gzip a megabyte is read, whatever the status and the way; and none of it is logged."""
    caplog.set_level(logging.DEBUG)
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(b"[" * MIB) for _ in range(256)) + compressor.flush()
    headers, found = {"Content-Encoding": "gzip", "Location": "/x"}, {}
    portal = sign_in_by(ways["client_secret"])
    portal.inject(Fault("answer", "token", status=400))
    refusal()  # what is imported on first use takes more memory than any answer
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
    refusal: Callable[[], exceptions.AuthenticationError],
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
    sign_in_by: Callable[..., Emulator],
    refusal: Callable[[], exceptions.AuthenticationError],
    ways: dict[str, Any],
    name: str,
) -> None:
    """Where a sign-in is redirected to is not even read; that it was is said, and not in Python's own words."""
    portal = sign_in_by(ways[name])
    for location in ("https://[", "https://\xff/", "https://evil.example:x/", f"{portal.url}/x", "//"):
        for status in (301, 302, 303, 307, 308):
            portal.inject(Fault("answer", route_of(name), status=status, headers={"Location": location}))
            assert str(refusal()).endswith(f"failed: HTTP {status}: a redirect, which is not followed")


ODD_GRANTS: dict[str, tuple[dict[str, Any], str]] = {
    "a line break": ({"access_token": "hunter2\ntoken"}, "token"),
    "a header more": ({"access_token": "hunter2\r\nX: y"}, "token"),
    "a blank": ({"access_token": "hunter2 token"}, "token"),
    "a tab": ({"access_token": "hunter2\t"}, "token"),
    "a letter of another alphabet": ({"access_token": "hunt\u0119r2-hunter2"}, "token"),
    "half a letter": ({"access_token": "\ud800hunter2"}, "token"),
    "nothing": ({"access_token": ""}, "token"),
    "a list": ({"access_token": ["hunter2"]}, "token"),
    "an object": ({"access_token": {"hunter2": 1}}, "token"),
    "a number": ({"access_token": 7}, "token"),
    "soon": ({"expires_in": "soon"}, "time"),
    "times in a list": ({"expires_in": []}, "time"),
    "no time": ({"expires_in": None}, "time"),
    "before": ({"expires_in": -5}, "time"),
    "before, as text": ({"expires_in": "-5"}, "time"),
    "infinite": ({"expires_in": 1e400}, "time"),
    "no number": ({"expires_in": float("nan")}, "time"),
    "ages": ({"expires_in": 10**30}, "time"),
    "true": ({"expires_in": True}, "time"),
    "a half, as text": ({"expires_in": "0.5"}, "time"),
    "an end that is none": ({"expires_on": "tomorrow"}, "time"),
    "an end in a list": ({"expires_on": [1]}, "time"),
}


@pytest.mark.parametrize("name", WAYS)
def test_an_odd_token_is_an_error_that_does_not_show_it(
    sign_in_by: Callable[..., Emulator],
    refusal: Callable[[], exceptions.AuthenticationError],
    ways: dict[str, Any],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token that no header can carry, or a time that is none, ends the sign-in with a line that says which."""
    caplog.set_level(logging.DEBUG)
    portal, found = sign_in_by(ways[name]), {}
    for case, (changes, _) in ODD_GRANTS.items():
        answer = {"token_type": "Bearer", "expires_in": 3600, "expires_on": 2e9, "access_token": "hunter2"} | changes
        portal.inject(Fault("answer", route_of(name), status=200, body=json.dumps(answer)))
        error = refusal()
        told = {
            "token": "access_token in the answer is no token",
            "time": f"{next(iter(changes))} in the answer is no time",
        }
        found[case] = next((kind for kind, text in told.items() if text in str(error)), str(error))
        assert (error.retryable, "hunt" in str(error)) == (False, False)
    assert found == {case: kind for case, (_, kind) in ODD_GRANTS.items()}
    assert "hunter2" not in caplog.text


def test_what_else_comes_with_a_token_does_no_harm(
    sign_in_by: Callable[..., Emulator], source: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """Fields beside token and time are not msal's to trip over: whatever they hold, the token is taken."""
    odd = {"token_type": [], "scope": 7, "id_token": "x", "client_info": [], "refresh_in": "soon", "error": [], "x": {}}
    for name in WAYS:
        portal = sign_in_by(ways[name])
        answer = odd | {"access_token": "good", "expires_in": "3600", "expires_on": "2000000000"}
        portal.inject(Fault("answer", route_of(name), status=200, body=json.dumps(answer)))
        assert TokenSource(source()._settings).token().value == "good"


def test_a_ready_made_token_that_cannot_be_sent(
    use: Callable[..., Any], sign_in_by: Callable[..., Emulator], read: Callable[[], Any], ways: dict[str, Any]
) -> None:
    """A token that was pasted with what no header can carry is a mistake in the connection, which does not show it."""
    portal = sign_in_by(ways["access_token"])
    for token in ("hunter2\ntoken", "hunter2 token", "hunter2\x00", "hunt\u0119r2", "hunt\u2028er2"):
        use(portal.connection_for("access_token"), password=token)
        with pytest.raises(exceptions.ConfigurationError, match="blanks or letters in it that no token has") as caught:
            read()
        assert "hunt" not in str(caught.value)
    assert portal.requests == []
