# SPDX-License-Identifier: Apache-2.0
"""Odd responses to a sign-in, from Entra ID, a machine, or a server in their place."""

from __future__ import annotations

import json
import logging
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault
from support.auth_methods import AuthMethod

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.transport.auth.token_source import TokenSource

MIB = 1024**2
METHODS = ("client_secret", "managed_identity", "managed_identity-service-fabric")


@pytest.fixture
def sign_in_error(source: Callable[[], TokenSource]) -> Callable[[], exceptions.AuthenticationError]:
    """Return a function that signs in again, and returns the error."""

    def fail() -> exceptions.AuthenticationError:
        with pytest.raises(exceptions.AuthenticationError, match=r"^sign-in of .* failed: .") as caught:
            TokenSource(source()._settings).token()
        assert "\n" not in str(caught.value)
        return caught.value

    return fail


def test_responses_to_a_sign_in_are_bounded(
    sign_in_by: Callable[..., Emulator],
    sign_in_error: Callable[[], exceptions.AuthenticationError],
    methods: dict[str, AuthMethod],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At most one megabyte of a 256 MiB gzip body is read, whatever the status and the method, and none of it is logged."""
    caplog.set_level(logging.DEBUG)
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(b"[" * MIB) for _ in range(256)) + compressor.flush()
    headers, errors = {"Content-Encoding": "gzip", "Location": "/x"}, {}
    emulator = sign_in_by(methods["client_secret"])
    emulator.inject(Fault("response", "token", status=400))
    sign_in_error()  # imports on first use take more memory than any response
    for name in METHODS:
        emulator = sign_in_by(methods[name])
        for route in {methods[name].route, "discovery" if name == "client_secret" else methods[name].route}:
            for status in (200, 302, 400, 401, 500):
                emulator.inject(Fault("response", route, status=status, headers=headers, body=bomb))
                tracemalloc.start()
                errors[name, route, status] = str(sign_in_error())
                assert tracemalloc.get_traced_memory()[1] < 10 * MIB
                tracemalloc.stop()
    assert {case for case, text in errors.items() if "larger than 1 MiB" in text} >= {
        case for case in errors if case[2] == 200
    }
    assert "[[[[" not in caplog.text + "".join(errors.values())


@pytest.mark.parametrize("name", METHODS)
def test_a_body_that_is_no_json_object_is_not_logged(
    sign_in_by: Callable[..., Emulator],
    sign_in_error: Callable[[], exceptions.AuthenticationError],
    methods: dict[str, AuthMethod],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A body that msal could not parse, and would log, never reaches msal."""
    caplog.set_level(logging.DEBUG)
    emulator = sign_in_by(methods[name])
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
        emulator.inject(Fault("response", methods[name].route, status=200, headers=headers, body=body))
        error = sign_in_error()
        assert "the response " in str(error)
        assert "hunter2" not in str(error)
        assert error.retryable
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("name", METHODS)
def test_a_redirect_with_an_invalid_location_is_a_redirect(
    sign_in_by: Callable[..., Emulator],
    sign_in_error: Callable[[], exceptions.AuthenticationError],
    methods: dict[str, AuthMethod],
    name: str,
) -> None:
    """A sign-in that is redirected fails with that message, and its Location is not even parsed."""
    emulator = sign_in_by(methods[name])
    for location in ("https://[", "https://\xff/", "https://evil.example:x/", f"{emulator.url}/x", "//"):
        for status in (301, 302, 303, 307, 308):
            emulator.inject(Fault("response", methods[name].route, status=status, headers={"Location": location}))
            assert str(sign_in_error()).endswith(f"failed: HTTP {status}: a redirect, which is not followed")


INVALID_GRANTS: dict[str, tuple[dict[str, Any], str]] = {
    "a line break": ({"access_token": "hunter2\ntoken"}, "token"),
    "another header": ({"access_token": "hunter2\r\nX: y"}, "token"),
    "a space": ({"access_token": "hunter2 token"}, "token"),
    "a tab": ({"access_token": "hunter2\t"}, "token"),
    "a letter of another alphabet": ({"access_token": "hunt\u0119r2-hunter2"}, "token"),
    "half a surrogate pair": ({"access_token": "\ud800hunter2"}, "token"),
    "nothing": ({"access_token": ""}, "token"),
    "a list": ({"access_token": ["hunter2"]}, "token"),
    "an object": ({"access_token": {"hunter2": 1}}, "token"),
    "a number": ({"access_token": 7}, "token"),
    "soon": ({"expires_in": "soon"}, "time"),
    "a lifetime in a list": ({"expires_in": []}, "time"),
    "no lifetime": ({"expires_in": None}, "time"),
    "negative": ({"expires_in": -5}, "time"),
    "negative, as text": ({"expires_in": "-5"}, "time"),
    "infinite": ({"expires_in": 1e400}, "time"),
    "no number": ({"expires_in": float("nan")}, "time"),
    "too large": ({"expires_in": 10**30}, "time"),
    "true": ({"expires_in": True}, "time"),
    "a half, as text": ({"expires_in": "0.5"}, "time"),
    "an invalid end": ({"expires_on": "tomorrow"}, "time"),
    "an end in a list": ({"expires_on": [1]}, "time"),
}


@pytest.mark.parametrize("name", METHODS)
def test_an_invalid_token_is_an_error_that_does_not_show_it(
    sign_in_by: Callable[..., Emulator],
    sign_in_error: Callable[[], exceptions.AuthenticationError],
    methods: dict[str, AuthMethod],
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token that no header can carry, or an invalid lifetime, ends the sign-in with one line that says which."""
    caplog.set_level(logging.DEBUG)
    emulator, results = sign_in_by(methods[name]), {}
    for case, (changes, _) in INVALID_GRANTS.items():
        body = {"token_type": "Bearer", "expires_in": 3600, "expires_on": 2e9, "access_token": "hunter2"} | changes
        emulator.inject(Fault("response", methods[name].route, status=200, body=json.dumps(body)))
        error = sign_in_error()
        messages = {
            "token": "access_token in the response is not a valid token",
            "time": f"{next(iter(changes))} in the response is not a valid time",
        }
        results[case] = next((kind for kind, text in messages.items() if text in str(error)), str(error))
        assert error.retryable is False
        assert "hunt" not in str(error)
    assert results == {case: kind for case, (_, kind) in INVALID_GRANTS.items()}
    assert "hunter2" not in caplog.text


def test_other_fields_beside_the_token_are_ignored(
    sign_in_by: Callable[..., Emulator], source: Callable[[], TokenSource], methods: dict[str, AuthMethod]
) -> None:
    """A valid token is accepted, whatever the other fields of the response contain."""
    odd = {"token_type": [], "scope": 7, "id_token": "x", "client_info": [], "refresh_in": "soon", "error": [], "x": {}}
    for name in METHODS:
        emulator = sign_in_by(methods[name])
        body = odd | {"access_token": "good", "expires_in": "3600", "expires_on": "2000000000"}
        emulator.inject(Fault("response", methods[name].route, status=200, body=json.dumps(body)))
        assert TokenSource(source()._settings).token().value == "good"


def test_a_ready_made_token_that_cannot_be_sent(
    use: Callable[..., dict[str, Any]],
    sign_in_by: Callable[..., Emulator],
    read: Callable[[], StatusReport],
    methods: dict[str, AuthMethod],
) -> None:
    """A pasted token that no header can carry is a configuration error that does not show it."""
    emulator = sign_in_by(methods["access_token"])
    for token in ("hunter2\ntoken", "hunter2 token", "hunter2\x00", "hunt\u0119r2", "hunt\u2028er2"):
        use(emulator.connection_for("access_token"), password=token)
        with pytest.raises(
            exceptions.ConfigurationError, match="contains blanks or other invalid characters"
        ) as caught:
            read()
        assert "hunt" not in str(caught.value)
    assert emulator.requests == []
