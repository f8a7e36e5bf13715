# SPDX-License-Identifier: Apache-2.0
"""Which addresses that the portal tells become links."""

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
    ],
)
def test_pages_of_the_portal_and_its_successor(address: str, base_url: str) -> None:
    """An https page of the connection's own portal, or of Microsoft's, is a link as it came."""
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
    assert partner_center_url(address, OWN) is None


@given(some.text(alphabet="htps:/\\@.?#[]evilpartnmcof%\t ", max_size=60))
def test_no_address_is_an_error(address: str) -> None:
    """Whatever the portal tells, there is a link or none, and never an error."""
    assert partner_center_url(address, HOME) in (address, None)
    assert partner_center_url(f"https://{address}", HOME) in (f"https://{address}", None)


def test_a_task_that_just_ran_knows_its_links() -> None:
    """Airflow 3 asks the operator that ran: its offer's page on the market, and the one that the portal told."""
    facts = {"return_value": {"publisher_id": "contoso", "offer_id": "contoso-vm"}, "portal_page": "https://p/x"}
    operator = SimpleNamespace(link_facts=facts)
    shown = [link().get_link(operator, ti_key=None) for link in (MarketplaceLink, PartnerCenterLink)]
    assert shown == ["https://azuremarketplace.microsoft.com/marketplace/apps/contoso.contoso-vm", "https://p/x"]


@pytest.mark.parametrize("link", [MarketplaceLink, PartnerCenterLink])
@pytest.mark.parametrize(
    "operator",
    [
        SimpleNamespace(),
        SimpleNamespace(link_facts={}),
        SimpleNamespace(link_facts={"return_value": None, "portal_page": None}),
        SimpleNamespace(link_facts={"return_value": {"offer_id": 7}, "portal_page": 7}),
        SimpleNamespace(link_facts={"return_value": ["contoso"], "portal_page": []}),
    ],
)
def test_what_is_missing_makes_no_link(airflow_home: Path, link: type[MarketplaceLink], operator: Any) -> None:
    """Without an XCom, a database or a proper value there is no link, and never an error."""
    assert link().get_link(operator, ti_key=None) == ""
