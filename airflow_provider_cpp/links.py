# SPDX-License-Identifier: Apache-2.0
"""Links from a task to its offer on the Azure Marketplace and in Partner Center.

Airflow 3 requests the links at the end of a try, in the task's process; Airflow 2 requests them in the web server. If a
value is missing, there is no link and no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

MARKETPLACE_URL = "https://azuremarketplace.microsoft.com/marketplace/apps"
PARTNER_CENTER_URL_KEY = "partner_center_url"
"""The XCom key of the URL of the offer's Partner Center page."""

PARTNER_CENTER_HOSTS = frozenset({"partner.microsoft.com", "cloudpartner.azure.com"})
"""The allowed hosts of that page, in addition to the connection's own host."""

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""If the connection is to such a host, as with an emulator, the page may be on any port of it, and without TLS."""


class MarketplaceLink(BaseOperatorLink):
    """A link to the offer's public page on the Azure Marketplace, which exists once the offer is live."""

    name = "Azure Marketplace"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL; empty if the task has not returned an operation."""
        match _link_fact(operator, ti_key, XCOM_RETURN_KEY):
            case {"publisher_id": str(publisher_id), "offer_id": str(offer_id)}:
                return f"{MARKETPLACE_URL}/{quote(publisher_id, safe='')}.{quote(offer_id, safe='')}"
        return ""


class PartnerCenterLink(BaseOperatorLink):
    """A link to the offer's page in Partner Center, for the publisher."""

    name = "Partner Center"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL; empty if the API returned none."""
        address = _link_fact(operator, ti_key, PARTNER_CENTER_URL_KEY)
        return address if isinstance(address, str) else ""


def partner_center_url(address: str | None, base_url: str) -> str | None:
    """Return a URL from the API if it is on Partner Center or on the connection's own host, else None.

    :param base_url: the connection's base URL of the API.
    """
    if not address or not address.isascii() or not address.isprintable():
        return None
    try:
        parts, base = urlsplit(address), urlsplit(base_url)
        own = (parts.hostname, parts.port) == (base.hostname, base.port)
        known = parts.hostname in PARTNER_CENTER_HOSTS and parts.port in (None, 443)
    except ValueError:
        return None
    local = parts.scheme in ("http", "https") and parts.hostname == base.hostname and base.hostname in LOOPBACK_HOSTS
    is_allowed = local or (parts.scheme == "https" and (own or known))
    return address if is_allowed and parts.username is None else None


def _link_fact(operator: BaseOperator, ti_key: TaskInstanceKey, key: str) -> Any:
    """Return a value of the task: from the operator if it ran in this process, else from XCom."""
    facts = getattr(operator, "link_facts", None)
    if isinstance(facts, dict):
        return facts.get(key)  # do not read XCom: Airflow logs an error for a missing one
    try:
        return XCom.get_value(key=key, ti_key=ti_key)
    except Exception:  # noqa: BLE001 - without a database or the XCom, the page has no link
        return None
