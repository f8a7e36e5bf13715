# SPDX-License-Identifier: Apache-2.0
"""Where a location leads: nowhere but below the API of the host that was asked."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import unquote, urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as some
from yarl import URL

from airflow_provider_cpp.apis.cloud_partner_portal.location import resolve_same_origin
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.urls import MAX_LENGTH

HOME = "https://cloudpartner.azure.com"


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
        f"{HOME}/api/..",
        f"{HOME}/api/./x",
        "/api/a..b",
        "/api/x?y=..",
        "/api/\ud800",
        "/api/" + "x" * MAX_LENGTH,
        f"https://cloudpartner.azure.com:0{'/x'}",
        "https://cloud\u2100partner/api/1",
    ],
)
def test_what_leaves_the_api_is_no_location(value: str) -> None:
    """A location that climbs out of the API once it is decoded, or cannot be sent, is as good as none."""
    assert resolve_same_origin(value, HOME) is None


MARKS = ["/", "//", "\\", "..", ".", "%2e", "%252e", "%2f", "%5c", "%00", "%"]
SIGNS = ["?", "#", "@", ":", ":443", ":8443", ";", "[", "]", "$", "&", "=", "<b>"]
NAMES = ["api", "/api/", "https:", "http:", HOME, "cloudpartner.azure.com", "evil.example", "x"]
ODD = [" ", "\t", "\n", "\x00", "\udcff", "\u2100", "\u3002", "\uff0f", "é"]
PIECES = some.sampled_from([*MARKS, *SIGNS, *NAMES, *ODD])


@given(some.lists(PIECES, max_size=8).map("".join) | some.text(max_size=30).map("/api/{}".format))
def test_every_location_stays_on_its_host_and_below_the_api(value: str) -> None:
    """Whatever the header says, all three readers of URLs send what is left of it to one host, and the same path."""
    location = resolve_same_origin(value, HOME)
    if location is None:
        return
    url = HOME + location
    prepared = requests.Request("GET", url).prepare().url
    read = [urlsplit(url), urlsplit(prepared), urlsplit(str(URL(url)))]
    assert {(one.scheme, one.hostname, one.port, one.username) for one in read} == {
        ("https", "cloudpartner.azure.com", None, None)
    }
    assert {tuple(unquote(one.path).split("/")) for one in read} == {tuple(unquote(read[0].path).split("/"))}
    assert (read[0].path[:5], location.isascii(), location.isprintable(), " " in location) == (
        "/api/",
        True,
        True,
        False,
    )


@given(some.lists(PIECES, max_size=8).map("/api/{}".format) | some.text(max_size=30).map("/api/{}".format))
def test_what_a_task_returns_can_be_read_again(value: str) -> None:
    """An operation with a location that was let through survives the way through XCom."""
    location = resolve_same_origin(value, HOME)
    operation = Operation(OfferRef("p", "o"), "publish", datetime.now(timezone.utc), "1", location)
    assert Operation.from_json(operation.to_json()) == operation
