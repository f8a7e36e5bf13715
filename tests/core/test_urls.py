# SPDX-License-Identifier: Apache-2.0
"""Locations lead only to the API of the host that the request went to."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as some
from yarl import URL

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.urls import MAX_LENGTH, resolve_same_origin

BASE_URL = "https://cloudpartner.azure.com"


@pytest.mark.parametrize(
    "value",
    [
        "/api/%2e%2e/secrets",
        "/api/%2E./secrets",
        "/api/%252e%252e/secrets",
        "/api/x/%2e",
        "/api/x%2f..%2fy",
        "/api/..\\secrets",
        "/api/..%5csecrets",
        f"{BASE_URL}/api/..",
        f"{BASE_URL}/api/./x",
        "/api/a..b",
        "/api/x?y=..",
        "/api/\ud800",
        "/api/" + "x" * MAX_LENGTH,
        f"https://cloudpartner.azure.com:0{'/x'}",
        "https://cloud\u2100partner/api/1",
    ],
)
def test_a_location_outside_the_api_is_rejected(value: str) -> None:
    """A location that leaves the API once it is decoded, or that cannot be sent, is ignored."""
    assert resolve_same_origin(value, BASE_URL, "/api/") is None


PATH_PIECES = ["/", "//", "\\", "..", ".", "%2e", "%252e", "%2f", "%5c", "%00", "%"]
DELIMITERS = ["?", "#", "@", ":", ":443", ":8443", ";", "[", "]", "$", "&", "=", "<b>"]
NAMES = ["api", "/api/", "https:", "http:", BASE_URL, "cloudpartner.azure.com", "evil.example", "x"]
UNUSUAL = [" ", "\t", "\n", "\x00", "\udcff", "\u2100", "\u3002", "\uff0f", "é"]
PIECES = some.sampled_from([*PATH_PIECES, *DELIMITERS, *NAMES, *UNUSUAL])


@given(some.lists(PIECES, max_size=8).map("".join) | some.text(max_size=30).map("/api/{}".format))
def test_every_location_stays_on_its_host_and_below_the_api(value: str) -> None:
    """Three URL parsers send every accepted location to the same host and path below the API."""
    location = resolve_same_origin(value, BASE_URL, "/api/")
    if location is None:
        return
    url = BASE_URL + location
    prepared = requests.Request("GET", url).prepare().url
    read = [urlsplit(url), urlsplit(prepared), urlsplit(str(URL(url)))]
    assert {(one.scheme, one.hostname, one.port, one.username) for one in read} == {
        ("https", "cloudpartner.azure.com", None, None)
    }
    assert {tuple(unquote(one.path).split("/")) for one in read} == {tuple(unquote(read[0].path).split("/"))}
    assert read[0].path.startswith("/api/")
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location


@given(some.lists(PIECES, max_size=8).map("/api/{}".format) | some.text(max_size=30).map("/api/{}".format))
def test_an_operation_with_an_accepted_location_survives_xcom(value: str) -> None:
    """An operation with an accepted location reads back equal from XCom."""
    location = resolve_same_origin(value, BASE_URL, "/api/")
    operation = Operation(OfferRef("p", "o"), "publish", datetime.now(timezone.utc), "1", location)
    assert Operation.from_json(operation.to_json()) == operation
