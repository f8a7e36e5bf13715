# SPDX-License-Identifier: Apache-2.0
"""Links from a task: which addresses from the API become links."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airflow_provider_cpp.links import MarketplaceLink, PartnerCenterLink, partner_center_url

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
        ("http://127.0.0.1:40001/?offer=contoso-vm", "https://127.0.0.1:8443"),
        ("https://localhost:40001/", "https://localhost"),
    ],
)
def test_pages_of_the_api_s_host_and_of_microsoft(address: str, base_url: str) -> None:
    """An https page on the connection's own host, or on Microsoft's, or any of a local emulator, is a link, unchanged."""
    assert partner_center_url(address, base_url) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "x",
        "/offers/1",
        "//partner.microsoft.com/x",
        "http://partner.microsoft.com/x",
        "http://portal.example:8443/offers/1",
        "http://127.0.0.1:40001/",
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
def test_other_addresses_are_no_links(address: str | None) -> None:
    """An address with another scheme, host or port, a user, or characters that browsers may read differently is no link."""
    assert partner_center_url(address, OWN) is None


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "javascript://127.0.0.1/%0aalert(1)", "http://me@127.0.0.1/"])
def test_no_link_to_an_emulator_but_over_http(address: str) -> None:
    """Also for a connection to the own machine, only http and https addresses without a user are links."""
    assert partner_center_url(address, "https://127.0.0.1:8443") is None


@given(some.text(alphabet="htps:/\\@.?#[]evilpartnmcof%\t ", max_size=60))
def test_any_address_is_a_link_or_none(address: str) -> None:
    """Whatever the API returns, there is a link or none, and never an exception."""
    assert partner_center_url(address, HOME) in (address, None)
    assert partner_center_url(f"https://{address}", HOME) in (f"https://{address}", None)


def test_a_task_that_just_ran_has_its_links() -> None:
    """Airflow 3 gets the links from the operator that ran: the marketplace page, and the address from the API."""
    facts = {"return_value": {"publisher_id": "contoso", "offer_id": "contoso-vm"}, "partner_center_url": "https://p/x"}
    operator = SimpleNamespace(link_facts=facts)
    links = [link().get_link(operator, ti_key=None) for link in (MarketplaceLink, PartnerCenterLink)]
    assert links == ["https://azuremarketplace.microsoft.com/marketplace/apps/contoso.contoso-vm", "https://p/x"]


@pytest.mark.parametrize("link", [MarketplaceLink, PartnerCenterLink])
@pytest.mark.parametrize(
    "operator",
    [
        SimpleNamespace(),
        SimpleNamespace(link_facts={}),
        SimpleNamespace(link_facts={"return_value": None, "partner_center_url": None}),
        SimpleNamespace(link_facts={"return_value": {"offer_id": 7}, "partner_center_url": 7}),
        SimpleNamespace(link_facts={"return_value": ["contoso"], "partner_center_url": []}),
    ],
)
def test_missing_data_is_no_link(airflow_home: Path, link: type[MarketplaceLink], operator: Any) -> None:
    """Without an XCom, a database or a valid value there is no link, and never an exception."""
    assert link().get_link(operator, ti_key=None) == ""
