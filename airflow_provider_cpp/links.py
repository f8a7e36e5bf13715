# SPDX-License-Identifier: Apache-2.0
"""Links from a task to its offer: on the marketplace, and in the publisher's portal.

Airflow 3 asks for them when a try ends, in its process; Airflow 2 while it draws a page, in another. Whatever is
missing makes no link, and never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

MARKETPLACE_URL = "https://azuremarketplace.microsoft.com/marketplace/apps"
PARTNER_CENTER_URL_KEY = "portal_page"
"""The XCom in which a task leaves the address of the offer's page for its publisher."""

PARTNER_CENTER_HOSTS = frozenset({"partner.microsoft.com", "cloudpartner.azure.com"})
"""Hosts that such a page may be on, beside the connection's own."""


class MarketplaceLink(BaseOperatorLink):
    """The offer's page on the Azure Marketplace, where customers find it once it is live."""

    name = "Azure Marketplace"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address; nothing if the task has not returned an operation."""
        operation = _fact(operator, ti_key, XCOM_RETURN_KEY)
        if not isinstance(operation, dict):
            return ""
        publisher_id, offer_id = operation.get("publisher_id"), operation.get("offer_id")
        if not isinstance(publisher_id, str) or not isinstance(offer_id, str):
            return ""
        return f"{MARKETPLACE_URL}/{quote(publisher_id, safe='')}.{quote(offer_id, safe='')}"


class PartnerCenterLink(BaseOperatorLink):
    """The offer's page in the publisher's portal, where the portal told its address."""

    name = "Publisher's portal"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address; nothing if the portal told none."""
        address = _fact(operator, ti_key, PARTNER_CENTER_URL_KEY)
        return address if isinstance(address, str) else ""


def partner_center_url(address: str | None, base_url: str) -> str | None:
    """Return an address that the portal told, if it is a page of the portal's own or of its successor.

    :param base_url: the connection's portal. What somebody else could have written leads nowhere.
    """
    if not address or not address.isascii() or not address.isprintable():
        return None
    try:
        parts = urlsplit(address)
        own = (parts.hostname, parts.port) == (urlsplit(base_url).hostname, urlsplit(base_url).port)
        known = parts.hostname in PARTNER_CENTER_HOSTS and parts.port in (None, 443)
    except ValueError:
        return None
    return address if parts.scheme == "https" and parts.username is None and (own or known) else None


def _fact(operator: BaseOperator, ti_key: TaskInstanceKey, key: str) -> Any:
    """Return what the task found out: from itself where it just ran, else from its XComs."""
    facts = getattr(operator, "link_facts", None)
    if isinstance(facts, dict):
        return facts.get(key)  # an XCom that is not there would be an error in Airflow's log
    try:
        return XCom.get_value(key=key, ti_key=ti_key)
    except Exception:  # noqa: BLE001 - no database, no such XCom: a page is drawn all the same
        return None
