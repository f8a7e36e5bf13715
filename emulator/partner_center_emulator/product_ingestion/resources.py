# SPDX-License-Identifier: Apache-2.0
"""A product's resources, from the offer's document and from the data that only the Product Ingestion API stores."""

from __future__ import annotations

import copy
from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.product_ingestion.identifiers import (
    CORE_CONFIGURATION,
    RETIRED_SCHEMAS,
    SCHEMAS,
    VM_CONFIGURATION,
    configuration_kind,
    kind_of,
    plan_guid,
    product_id,
    schema,
)
from partner_center_emulator.product_ingestion.images import DELETED, IMAGE_KEYS, images_of, store_images

TYPES = {"microsoft-azure-virtualmachines": "azureVirtualMachine", "microsoft-azure-corevm": "coreVirtualMachine"}
Kept = dict[str, dict[str, Any]]


class Draft:
    """An offer's document with its configured resources, from the draft or from a publication.

    :param kept: the configured resources by durable ID.
    """

    def __init__(self, offer: Offer, document: dict[str, Any], kept: Kept) -> None:
        self.offer = offer
        self.document = document
        self.kept = kept

    def resources(self) -> list[dict[str, Any]]:
        """Return every resource except the submission."""
        resources = [self.product(), self._property(), self._audience()]
        for plan in self.plans():
            resources.append(self._plan(plan))
            if (kind := configuration_kind(self.document)) is not None:
                resources.append(self._configuration(kind, plan))
        known = {resource["id"] for resource in resources}
        others = [one for one in self.kept.values() if one["id"] not in known and self._has_plan_of(one["id"])]
        return copy.deepcopy([*resources, *others])

    def find(self, identifier: str) -> dict[str, Any] | None:
        """Return the resource with this ID; None if there is none."""
        return next((one for one in self.resources() if one["id"].lower() == identifier.lower()), None)

    def plans(self) -> list[dict[str, Any]]:
        """Return the document's plans that have an ID."""
        plans = _mapping(self.document.get("definition")).get("plans")
        plans = [plan for plan in plans if isinstance(plan, dict)] if isinstance(plans, list) else []
        return [plan for plan in plans if plan.get("planId") and isinstance(plan["planId"], str)]

    def plan_of(self, guid: str) -> dict[str, Any] | None:
        """Return the document's plan with this GUID; None if there is none."""
        return next((plan for plan in self.plans() if plan_guid(self.offer, plan["planId"]) == guid.lower()), None)

    def apply(self, resources: list[dict[str, Any]]) -> None:
        """Apply resources with durable IDs to the draft."""
        for resource in resources:
            own = {name: value for name, value in resource.items() if name != "resourceName"}
            self.kept[own["id"]] = copy.deepcopy(own)
            kind = kind_of(own.get("$schema"))
            if kind == "product":
                self._store_product(own)
            elif kind == "plan":
                self._store_plan(own)
            elif kind == "price-and-availability-offer":
                self._store_audience(own)
            elif kind == configuration_kind(self.document):
                plan = self.plan_of(own["id"].rpartition("/")[2])
                if plan is not None:
                    store_images(plan, self._image_key(), own)

    def _store_product(self, product: dict[str, Any]) -> None:
        if isinstance(product.get("alias"), str):
            self._definition()["displayText"] = product["alias"]

    def _store_plan(self, resource: dict[str, Any]) -> None:
        plan = self.plan_of(resource["id"].rpartition("/")[2])
        if resource.get("lifecycleState") == DELETED:
            if plan is not None:
                self._definition()["plans"].remove(plan)
            return
        if plan is None:
            plan = {"planId": resource["identity"]["externalId"]}
            definition = self._definition()
            known = definition.get("plans")
            definition["plans"] = [*(known if isinstance(known, list) else []), plan]
        if isinstance(resource.get("alias"), str):
            plan[self._title_key()] = resource["alias"]

    def _store_audience(self, resource: dict[str, Any]) -> None:
        name = self._audience_key()
        people = resource.get("previewAudiences") or []
        ids = [one["id"] for one in people if one.get("type") == "subscription" and "id" in one]
        texts = _mapping(self._definition().get("offer"))
        if ids or name in texts:
            self._definition()["offer"] = texts | {name: ids}

    def product(self) -> dict[str, Any]:
        """Return the product resource."""
        alias = _mapping(self.document.get("definition")).get("displayText") or self.offer.offer_id
        kind = str(self.document.get("offerTypeId"))
        own = {"identity": {"externalId": self.offer.offer_id}, "type": TYPES.get(kind, kind), "alias": alias}
        return self._resource("product", product_id(self.offer), own)

    def _property(self) -> dict[str, Any]:
        own = self._resource("property", f"property/{self.offer.guid}/public/main", self._product_reference())
        return {"kind": "azureVM", "termsConditions": "custom", **own}

    def _audience(self) -> dict[str, Any]:
        identifier = f"price-and-availability-offer/{self.offer.guid}"
        subscriptions = _mapping(_mapping(self.document.get("definition")).get("offer")).get(self._audience_key())
        ids = subscriptions if isinstance(subscriptions, list) else []
        before = self.kept.get(identifier, {}).get("previewAudiences") or []
        people = [one for one in before if one.get("type") != "subscription" or one.get("id") in ids]
        known = {one.get("id") for one in people}
        people += [{"type": "subscription", "id": one, "label": ""} for one in ids if one not in known]
        return self._resource(
            "price-and-availability-offer", identifier, self._product_reference() | {"previewAudiences": people}
        )

    def _plan(self, plan: dict[str, Any]) -> dict[str, Any]:
        own = {"identity": {"externalId": plan["planId"]}, "alias": plan.get(self._title_key(), plan["planId"])}
        return {"azureRegions": ["azureGlobal"]} | self._resource(
            "plan", self._plan_id(plan), self._product_reference() | own
        )

    def _configuration(self, kind: str, plan: dict[str, Any]) -> dict[str, Any]:
        identifier = self._plan_id(plan).replace("plan/", f"{kind}/", 1)
        own = images_of(plan, self._image_key(), self.kept.get(identifier, {}))
        system = {"family": "linux", "friendlyName": plan["planId"], "type": "other"}
        defaults: dict[str, Any] = {"operatingSystem": system, "recommendedVmSizes": [], "openPorts": []}
        return defaults | self._resource(
            kind, identifier, self._product_reference() | {"plan": self._plan_id(plan)} | own
        )

    def _definition(self) -> dict[str, Any]:
        self.document["definition"] = _mapping(self.document.get("definition"))
        return self.document["definition"]  # type: ignore[no-any-return]  # a dict, as assigned above

    def _resource(self, kind: str, identifier: str, own: dict[str, Any]) -> dict[str, Any]:
        return self.kept.get(identifier, {}) | {"$schema": schema(kind), "id": identifier} | own

    def _product_reference(self) -> dict[str, Any]:
        return {"product": product_id(self.offer)}

    def _plan_id(self, plan: dict[str, Any]) -> str:
        return f"plan/{self.offer.guid}/{plan_guid(self.offer, plan['planId'])}"

    def _has_plan_of(self, identifier: str) -> bool:
        parts = identifier.split("/")
        return parts[0] not in ("plan", configuration_kind(self.document)) or self.plan_of(parts[-1]) is not None

    def _image_key(self) -> str:
        return IMAGE_KEYS[str(self.document.get("offerTypeId"))]

    def _title_key(self) -> str:
        return f"{self.document.get('offerTypeId')}.skuTitle"

    def _audience_key(self) -> str:
        core = str(self.document.get("offerTypeId")) == "microsoft-azure-corevm"
        return f"{'microsoft-azure-corevm' if core else 'microsoft-azure-marketplace'}.allowedSubscriptions"


def with_version(resource: dict[str, Any], highest: str | None, *, retired: bool) -> dict[str, Any]:
    """Return a resource with the schema of the requested version.

    :param highest: the highest version that the client accepts.
    :param retired: whether some types still have a schema of the retired host.
    """
    kind = kind_of(resource.get("$schema"))
    url = schema(kind, highest)
    if retired and kind == "property":
        url = url.replace(SCHEMAS, RETIRED_SCHEMAS)
    return resource | {"$schema": url}


def with_nulls(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource with the nulls that the API returns but rejects in requests."""
    if kind_of(resource.get("$schema")) not in (VM_CONFIGURATION, CORE_CONFIGURATION):
        return resource
    content = copy.deepcopy(resource)
    content["vmProperties"] = {"supportsHibernation": None, **content.get("vmProperties", {})}
    for version in content["vmImageVersions"]:
        if version.get("deprecationSchedule", {}).get("reason") == "other":
            version["deprecationSchedule"]["reason"] = None
    return content


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
