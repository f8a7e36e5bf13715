# SPDX-License-Identifier: Apache-2.0
"""Durable IDs, schemas and versions of the Product Ingestion API."""

from __future__ import annotations

import re
import uuid
from typing import Any

from partner_center_emulator.offer import Offer

BASE = "/rp/product-ingestion"
SCHEMAS = "https://schema.mp.microsoft.com/schema"
RETIRED_SCHEMAS = "https://product-ingestion.azureedge.net/schema"
VM_CONFIGURATION = "virtual-machine-plan-technical-configuration"
CORE_CONFIGURATION = f"core-{VM_CONFIGURATION}"
DRAFT, PREVIEW, LIVE = "draft", "preview", "live"

OLDEST = "2022-03-01-preview2"
VERSIONS = {
    "product": "2022-03-01-preview3",
    "plan": "2022-03-01-preview3",
    "property": "2022-03-01-preview3",
    "price-and-availability-offer": "2022-03-01-preview3",
    "resource-tree": "2022-03-01-preview5",
    VM_CONFIGURATION: "2022-03-01-preview5",
    CORE_CONFIGURATION: "2022-03-01-preview5",
}
"""The newest version of each type; other types have only the oldest one."""

VERSION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:-preview([0-9]+))?")


def schema(kind: str, highest: str | None = None) -> str:
    """Return the schema of a type in its newest version up to ``highest``, or else in the oldest version."""
    newest = VERSIONS.get(kind, OLDEST)
    version = newest if highest is None or _rank(highest) >= _rank(newest) else max(highest, OLDEST, key=_rank)
    return f"{SCHEMAS}/{kind}/{version}"


def kind_of(url: Any) -> str:
    """Return the type in the URL of a schema, on any host; empty if there is none."""
    parts = str(url).rstrip("/").split("/")
    return parts[-2].lower() if len(parts) > 2 else ""  # noqa: PLR2004 - at least a host, a type and a version


def product_id(offer: Offer) -> str:
    """Return the durable ID of an offer's product."""
    return f"product/{offer.guid}"


def plan_guid(offer: Offer, plan_id: str) -> str:
    """Return the GUID of a plan, which is the same in both APIs."""
    return str(uuid.uuid5(uuid.UUID(offer.guid), plan_id.lower()))


def configuration_kind(document: dict[str, Any]) -> str | None:
    """Return the type of a plan's technical configuration for an offer type; None if its plans have no images."""
    kinds = {"microsoft-azure-virtualmachines": VM_CONFIGURATION, "microsoft-azure-corevm": CORE_CONFIGURATION}
    return kinds.get(str(document.get("offerTypeId")))


def _rank(version: str) -> tuple[str, float]:
    day, _, preview = version.partition("-preview")
    return day, float(preview or "inf")
