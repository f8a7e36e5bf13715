# SPDX-License-Identifier: Apache-2.0
"""Which addresses that the portal tells become links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airflow_provider_cpp.links import page_of

HOME = "https://cloudpartner.azure.com"
OWN = "https://portal.example:8443"


@pytest.mark.parametrize(
    ("address", "base_url"),
    [
        ("https://partner.microsoft.com/dashboard/offers/1?x=y#z", HOME),
        ("https://PARTNER.microsoft.com/x", HOME),
        ("https://partner.microsoft.com:443/x", OWN),
        ("https://cloudpartner.azure.com/#publisher/contoso", OWN),
        ("https://portal.example:8443/offers/1", OWN),
    ],
)
def test_pages_of_the_portal_and_its_successor(address: str, base_url: str) -> None:
    """An https page of the connection's own portal, or of Microsoft's, is a link as it came."""
    assert page_of(address, base_url) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "x",
        "/offers/1",
        "//partner.microsoft.com/x",
        "http://partner.microsoft.com/x",
        "javascript:alert(1)",
        "javascript://partner.microsoft.com/%0aalert(1)",
        "data:text/html,x",
        "https://evil.example/partner.microsoft.com",
        "https://partner.microsoft.com.evil.example/x",
        "https://evil.example\\@partner.microsoft.com/x",
        "https://partner.microsoft.com\\.evil.example/x",
        "https://somebody@partner.microsoft.com/x",
        "https://:x@partner.microsoft.com/x",
        "https://partner.microsoft.com:8443/x",
        "https://partner.microsoft.com:x/x",
        "https://portal.example/x",
        "https://portal.example:8444/x",
        "https://[partner.microsoft.com/x",
        "https:///x",
        "https://partner.microsoft.com/\u202ex",
        "https://p\u0430rtner.microsoft.com/x",
        "https://partner.microsoft.com/\nx",
        "https://partner.microsoft.com/\x00x",
    ],
)
def test_what_leads_elsewhere_is_no_link(address: str | None) -> None:
    """Another scheme, host or port, a user's name, or what a browser might read otherwise is no link."""
    assert page_of(address, OWN) is None


@given(some.text(alphabet="htps:/\\@.?#[]evilpartnmcof%\t ", max_size=60))
def test_no_address_is_an_error(address: str) -> None:
    """Whatever the portal tells, there is a link or none, and never an error."""
    assert page_of(address, HOME) in (address, None)
    assert page_of(f"https://{address}", HOME) in (f"https://{address}", None)
