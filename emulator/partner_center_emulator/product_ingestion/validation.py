# SPDX-License-Identifier: Apache-2.0
"""Validate resources, mainly that published ones do not change."""

from __future__ import annotations

import re
from typing import Any

from partner_center_emulator.product_ingestion.errors import error_detail, invalid
from partner_center_emulator.product_ingestion.identifiers import CORE_CONFIGURATION, VM_CONFIGURATION, kind_of
from partner_center_emulator.product_ingestion.images import DELETED, GEN2
from partner_center_emulator.product_ingestion.resources import Draft

NUMBER = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
MOST_VERSIONS = 100
WRONG_ENUM = "Expected value to match one of the values specified by the enum"


def check(resources: list[dict[str, Any]], published: Draft | None, *, one_at_a_time: bool) -> None:
    """Check technical configurations and deleted plans; other resources are always valid.

    :param published: the version in preview or live; None if there is none.
    :param one_at_a_time: whether only one image version may be unpublished.
    :raises JobError: with every error of the first invalid resource.
    """
    for resource in resources:
        before = published.find(resource["id"]) if published is not None else None
        kind = kind_of(resource["$schema"])
        if kind == "plan" and before is not None and resource.get("lifecycleState") == DELETED:
            text = "A plan that was published cannot be deleted; deprecate it."
            raise invalid(resource["id"], error_detail("invalidState", text))
        if kind in (VM_CONFIGURATION, CORE_CONFIGURATION):
            wrong = [*_own(resource), *_published(resource, before or {}, one_at_a_time=one_at_a_time)]
            if wrong:
                raise invalid(resource["id"], *wrong)


def _own(resource: dict[str, Any]) -> list[dict[str, Any]]:
    wrong: list[dict[str, Any]] = []
    skus, versions = _entries(resource, "skus"), _entries(resource, "vmImageVersions")
    types = {sku.get("imageType") for sku in skus}
    for place, sku in enumerate(skus):
        if not sku.get("skuId") or not sku.get("imageType"):
            wrong.append(_schema(f'#/skus/{place}: Required properties ["imageType", "skuId"] were not present'))
        if sku.get("securityType") and sku.get("imageType") != GEN2:
            wrong.append(_business(f"A security type is only allowed for {GEN2}."))
    for place, version in enumerate(versions):
        at = f"#/vmImageVersions/{place}"
        if NUMBER.fullmatch(str(version.get("versionNumber"))) is None:
            wrong.append(_schema(f"{at}/versionNumber: Expected a string that matches ^[0-9]+\\.[0-9]+\\.[0-9]+$"))
        schedule = version.get("deprecationSchedule")
        if isinstance(schedule, dict) and schedule.get("reason", "other") is None:
            wrong.append(_schema(f"{at}/deprecationSchedule/reason: {WRONG_ENUM}"))
        odd = sorted({str(image.get("imageType")) for image in _entries(version, "vmImages")} - types)
        wrong += [_business(f"There is no SKU for the image type {name}.") for name in odd]
    for name, value in (resource.get("vmProperties") or {}).items():
        if value is None:
            wrong.append(_schema(f"#/vmProperties/{name}: Expected type boolean but found type null"))
    numbers = [str(version.get("versionNumber")) for version in versions]
    wrong += [
        _business(f"The image version {one} is there twice.") for one in sorted({*numbers}) if numbers.count(one) > 1
    ]
    if len(numbers) > MOST_VERSIONS:
        wrong.append(error_detail("collectionLimitExceeded", f"A SKU has at most {MOST_VERSIONS} image versions."))
    return wrong


def _published(resource: dict[str, Any], before: dict[str, Any], *, one_at_a_time: bool) -> list[dict[str, Any]]:
    wrong: list[dict[str, Any]] = []
    now = {(sku.get("skuId"), sku.get("imageType")) for sku in _entries(resource, "skus")}
    if not {(sku["skuId"], sku["imageType"]) for sku in _entries(before, "skus")} <= now:
        wrong.append(_business("The property 'PlanId' is locked by a previous submission."))
    versions = {str(one.get("versionNumber")): one for one in _entries(resource, "vmImageVersions")}
    old = {one["versionNumber"]: one for one in _entries(before, "vmImageVersions")}
    for number, was in old.items():
        version = versions.get(number)
        if version is None or version.get("lifecycleState") == DELETED:
            text = f"The image version {number} was published before and cannot be removed; restore or deprecate it."
            wrong.append(error_detail("invalidState", text))
            continue
        changed = _sources(version)
        if any(changed.get(kind) != source for kind, source in _sources(was).items()):
            wrong.append(_business(f"The image version {number} was published before and cannot be changed."))
        if "deprecationSchedule" in was and version.get("deprecationSchedule") != was["deprecationSchedule"]:
            text = f"The deprecation schedule for image {number} is already published and can not be changed in draft."
            wrong.append(_business(text))
    if one_at_a_time and old and len(versions.keys() - old.keys()) > 1:
        wrong.append(_business("Only one image version that is not published is allowed at a time."))
    return wrong


def _sources(version: dict[str, Any]) -> dict[str, Any]:
    sources = {}
    for image in _entries(version, "vmImages"):
        source = _mapping(image.get("source"))
        disk = _mapping(source.get("osDisk")).get("uri")
        sources[str(image.get("imageType"))] = (disk, source.get("sharedImage"), source.get("dataDisks") or [])
    return sources


def _entries(resource: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = resource.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _schema(text: str) -> dict[str, Any]:
    return error_detail("schemaValidationError", text)


def _business(text: str) -> dict[str, Any]:
    return error_detail("businessValidationError", text)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
