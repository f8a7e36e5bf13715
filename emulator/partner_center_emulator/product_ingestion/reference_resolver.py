# SPDX-License-Identifier: Apache-2.0
"""Resolve the references in a request's resources to a product and to durable IDs."""

from __future__ import annotations

import uuid
from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import OfferStore
from partner_center_emulator.product_ingestion.errors import ApiError, error_detail
from partner_center_emulator.product_ingestion.identifiers import (
    CORE_CONFIGURATION,
    VM_CONFIGURATION,
    kind_of,
    plan_guid,
    product_id,
)
from partner_center_emulator.product_ingestion.resources import Draft

PLAN_CONFIGURATIONS = (VM_CONFIGURATION, CORE_CONFIGURATION)
Resources = list[dict[str, Any]]


class Products:
    """The products, which are offers.

    :param publisher_id: the publisher of new products.
    """

    def __init__(self, offers: OfferStore, publisher_id: str) -> None:
        self._offers = offers
        self._publisher_id = publisher_id

    def by_guid(self, guid: str) -> Offer | None:
        """Return the product with this GUID, or None."""
        return self._offers.by_guid(guid)

    def by_external_id(self, external_id: str) -> Offer | None:
        """Return the product with this external ID, or None."""
        return next((offer for offer in self._offers.all() if offer.offer_id.lower() == external_id.lower()), None)

    def create(self, product: dict[str, Any]) -> Offer:
        """Create a product that is configured for the first time."""
        external_id = str(_mapping(product.get("identity")).get("externalId"))
        kind = {"coreVirtualMachine": "microsoft-azure-corevm"}.get(
            str(product.get("type")), "microsoft-azure-virtualmachines"
        )
        document = {"offerTypeId": kind, "publisherId": self._publisher_id, "id": external_id, "definition": {}}
        return self._offers.add(self._publisher_id, external_id, document=document)

    def named_in(self, resources: Resources) -> Offer | None:
        """Return the product of a request's resources; None if it does not exist, or if no resource identifies one."""
        for resource in resources:
            identifier = str(resource.get("id") or "").split("/")
            reference = resource.get("product")
            if kind_of(resource.get("$schema")) == "product":
                reference = resource.get("id") or resource.get("identity")
            if isinstance(reference, str):
                identifier = reference.split("/")
            elif "externalId" in _mapping(reference):
                if (offer := self.by_external_id(str(reference["externalId"]))) is not None:  # type: ignore[index]  # a dict, as checked
                    return offer
                continue
            if len(identifier) > 1 and (offer := self.by_guid(identifier[1])) is not None:
                return offer
        return None


def resolve_references(offer: Offer, resources: Resources) -> Resources:
    """Return the resources with durable IDs instead of references.

    :raises ApiError: 400, for a reference to a resource that does not exist.
    """
    draft = Draft(offer, offer.document, offer.resources)
    plans = {str(plan["planId"]).lower() for plan in draft.plans()}
    plans |= {_external_id(one).lower() for one in resources if kind_of(one["$schema"]) == "plan"} - {""}
    known = {plan_guid(offer, plan) for plan in plans}
    named = {str(one["resourceName"]): one for one in resources if "resourceName" in one}

    def plan_of(reference: Any) -> str:
        if isinstance(reference, str) and reference.rpartition("/")[2].lower() in known:
            return reference.rpartition("/")[2].lower()
        external_id = str(_mapping(reference).get("externalId") or "")
        if (name := str(_mapping(reference).get("resourceName") or "")) in named:
            external_id = _external_id(named[name])
        if external_id.lower() in plans:
            return plan_guid(offer, external_id)
        raise _not_found(f"The plan {reference!r} does not exist.")

    def identified(resource: dict[str, Any]) -> dict[str, Any]:
        kind, own = kind_of(resource["$schema"]), dict(resource)
        if kind != "product":
            own["product"] = product_id(offer)
        if kind == "plan":
            guid = str(own.get("id") or "").rpartition("/")[2].lower() or plan_guid(offer, _external_id(own))
            own["id"] = f"plan/{offer.guid}/{plan_of(f'plan/{guid}')}"
        elif own.get("plan") is not None or kind in PLAN_CONFIGURATIONS:
            guid = plan_of(own.get("plan", own.get("id")))
            own |= {"plan": f"plan/{offer.guid}/{guid}", "id": own.get("id") or f"{kind}/{offer.guid}/{guid}"}
        own["id"] = own.get("id") or _own_id(kind, offer, own)
        _check(offer, kind, str(own["id"]))
        return own

    return [identified(resource) for resource in resources]


def _own_id(kind: str, offer: Offer, resource: dict[str, Any]) -> str:
    if kind == "submission":
        return f"{kind}/{offer.guid}/0"
    if kind in ("product", "price-and-availability-offer", "commercial-marketplace-setup"):
        return f"{kind}/{offer.guid}"
    if kind in ("property", "listing"):
        place = f"{kind}/{offer.guid}/public/main"
        return place if kind == "property" else f"{place}/default/{resource.get('languageId', 'en-us')}".lower()
    return f"{kind}/{offer.guid}/{uuid.uuid5(uuid.UUID(offer.guid), kind)}"


def _check(offer: Offer, kind: str, identifier: str) -> None:
    parts = identifier.lower().split("/")
    if parts[:2] != [kind, offer.guid]:
        detail = error_detail("invalidId", f"'{identifier}' is no id of a {kind} of this product.")
        raise ApiError(400, "Invalid configuration: an id is not valid", [detail])


def _external_id(resource: dict[str, Any]) -> str:
    return str(_mapping(resource.get("identity")).get("externalId") or "")


def _not_found(text: str) -> ApiError:
    return ApiError(
        400, "Invalid configuration: a reference cannot be resolved", [error_detail("resourceNotFound", text)]
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
