# SPDX-License-Identifier: Apache-2.0
"""Links from a task to its offer: on the Azure Marketplace, and in Partner Center.

Airflow 3 requests them when a try ends, in its process; Airflow 2 when it renders a page, in another one. If a value is
missing, there is no link, and never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

MARKETPLACE_URL = "https://azuremarketplace.microsoft.com/marketplace/apps"
PARTNER_CENTER_URL_KEY = "partner_center_url"
"""The XCom with the address of the offer's page in Partner Center."""

PARTNER_CENTER_HOSTS = frozenset({"partner.microsoft.com", "cloudpartner.azure.com"})
"""The hosts that this page may be on, besides the connection's own."""


class MarketplaceLink(BaseOperatorLink):
    """The offer's page on the Azure Marketplace, for its customers, once it is live."""

    name = "Azure Marketplace"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address; empty if the task has not returned an operation."""
        operation = _link_fact(operator, ti_key, XCOM_RETURN_KEY)
        if not isinstance(operation, dict):
            return ""
        publisher_id, offer_id = operation.get("publisher_id"), operation.get("offer_id")
        if not isinstance(publisher_id, str) or not isinstance(offer_id, str):
            return ""
        return f"{MARKETPLACE_URL}/{quote(publisher_id, safe='')}.{quote(offer_id, safe='')}"


class PartnerCenterLink(BaseOperatorLink):
    """The offer's page in Partner Center, for its publisher."""

    name = "Partner Center"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address; empty if the API did not return it."""
        address = _link_fact(operator, ti_key, PARTNER_CENTER_URL_KEY)
        return address if isinstance(address, str) else ""


def partner_center_url(address: str | None, base_url: str) -> str | None:
    """Return an address from the API if it is a page of Partner Center or of the connection's own host, else None.

    :param base_url: the connection's address of the API.
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


def _link_fact(operator: BaseOperator, ti_key: TaskInstanceKey, key: str) -> Any:
    """Return a value of the task: from the operator if it just ran in this process, else from its XComs."""
    facts = getattr(operator, "link_facts", None)
    if isinstance(facts, dict):
        return facts.get(key)  # Airflow logs an error for an XCom that does not exist
    try:
        return XCom.get_value(key=key, ti_key=ti_key)
    except Exception:  # noqa: BLE001 - without a database or such an XCom, the page is rendered without the link
        return None
