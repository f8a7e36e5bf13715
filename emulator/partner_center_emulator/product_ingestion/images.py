# SPDX-License-Identifier: Apache-2.0
"""Convert a plan's images between the two APIs: a map of versions for each generation, and a list of versions."""

from __future__ import annotations

import copy
from typing import Any

IMAGE_KEYS = {
    "microsoft-azure-virtualmachines": "microsoft-azure-virtualmachines.vmImages",
    "microsoft-azure-corevm": "microsoft-azure-corevm.vmImagesPublicAzure",
}
GEN1, GEN2, ARM = "x64Gen1", "x64Gen2", "arm64Gen2"
AVAILABLE, DEPRECATED, DELETED = "generallyAvailable", "deprecated", "deleted"


def images_of(plan: dict[str, Any], key: str, kept: dict[str, Any]) -> dict[str, Any]:
    """Convert the images of a plan in the offer's document to the format of the Product Ingestion API.

    :param key: the key of the images in the document.
    :param kept: the stored resource, which has data that the document lacks.
    :returns: ``skus`` and ``vmImageVersions`` of a technical configuration.
    """
    generations = _generations(plan, kept)
    before = {one["versionNumber"]: one for one in _entries(kept.get("vmImageVersions"), "versionNumber")}
    versions: dict[str, dict[str, Any]] = {}
    for sku, holder in generations:
        for number, fields in _mapping(holder.get(key)).items():
            old = before.get(number, {})
            version = versions.setdefault(number, {**old, "versionNumber": number, "vmImages": []})
            images = {one["imageType"]: one for one in _entries(old.get("vmImages"), "imageType")}
            image = {**images.get(sku["imageType"], {}), "imageType": sku["imageType"]}
            image["source"] = _source(_mapping(fields), _mapping(image.get("source")))
            version["vmImages"].append(image)
            version["lifecycleState"] = _state(version.get("lifecycleState"), _mapping(fields).get("showInGui"))
    ordered = sorted(versions.values(), key=lambda one: _version_key(one["versionNumber"]))
    return {"skus": [sku for sku, _ in generations], "vmImageVersions": copy.deepcopy(ordered)}


def store_images(plan: dict[str, Any], key: str, configuration: dict[str, Any]) -> None:
    """Write the images of a technical configuration to a plan of the offer's document; keep unknown fields."""
    skus = _entries(configuration.get("skus"), "skuId")
    if not skus:
        return
    own = next((sku for sku in skus if sku["skuId"] == plan.get("planId")), skus[0])
    others = {sku["skuId"]: sku for sku in skus if sku is not own}
    disks = [one for one in _disks(plan) if one["planId"] in others]
    known = {one["planId"] for one in disks}
    disks += [{"planId": sku_id} for sku_id in others if sku_id not in known]
    if disks or "diskGenerations" in plan:
        plan["diskGenerations"] = disks
    versions = _entries(configuration.get("vmImageVersions"), "versionNumber")
    for sku, holder in ((own, plan), *((others[one["planId"]], one) for one in disks)):
        before, after = _mapping(holder.get(key)), {}
        for version in versions:
            for image in _entries(version.get("vmImages"), "imageType"):
                if image["imageType"] == sku.get("imageType") and version.get("lifecycleState") != DELETED:
                    number = version["versionNumber"]
                    after[number] = _fields(image, version.get("lifecycleState"), _mapping(before.get(number)))
        holder[key] = after


def _generations(plan: dict[str, Any], kept: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each generation's SKU with the part of the document that contains its images."""
    known = {sku["skuId"]: sku for sku in _entries(kept.get("skus"), "skuId")}
    disks = _disks(plan)
    plan_id = str(plan["planId"])
    own = known.get(plan_id) or next(
        (sku for key, sku in known.items() if key not in {one["planId"] for one in disks}), None
    )
    first = own or {"imageType": _image_type(plan, plan_id, other=_hint(disks)), "skuId": plan_id}
    generations = [(first, plan)]
    for disk in disks:
        sku_id = disk["planId"]
        guessed = {"imageType": _image_type(disk, sku_id, other=first["imageType"]), "skuId": sku_id}
        generations.append((known.get(sku_id, guessed), disk))
    return [(copy.deepcopy(sku), holder) for sku, holder in generations]


def _hint(disks: list[dict[str, Any]]) -> str:
    return _image_type(disks[0], str(disks[0]["planId"]), other=GEN1) if disks else GEN2


def _image_type(holder: dict[str, Any], sku_id: str, *, other: str) -> str:
    """Infer the image type of a generation from its fields, else from its ID, else as the opposite of the other generation."""
    fields = {name.rpartition(".")[2]: value for name, value in holder.items()}
    if str(fields.get("vmImagesArchitecture")).lower() == "arm64" or sku_id.endswith("-arm64"):
        return ARM
    for image_type, number in ((GEN1, "1"), (GEN2, "2")):
        if str(fields.get("generation")) == number or sku_id.endswith(f"gen{number}"):
            return image_type
    return GEN2 if other == GEN1 else GEN1


def _state(before: Any, shown: Any) -> Any:
    if shown is False:
        return DEPRECATED
    return AVAILABLE if before is None or (before == DEPRECATED and shown is True) else before


def _source(fields: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    if "sharedImage" in fields:
        return {**before, "sourceType": "sharedImageGallery", "sharedImage": fields["sharedImage"]}
    disks = [one for one in _list(fields.get("lunVhdDetails")) if isinstance(one, dict)]
    if before.get("sourceType") != "sasUri":
        before = {}
    data = [{"lunNumber": one.get("lun"), "uri": one.get("vhdUrl")} for one in disks]
    disk = {**_mapping(before.get("osDisk")), "uri": fields.get("osVhdUrl", "")}
    return {**before, "sourceType": "sasUri", "osDisk": disk, "dataDisks": data}


def _fields(image: dict[str, Any], state: Any, before: dict[str, Any]) -> dict[str, Any]:
    source = _mapping(image.get("source"))
    if source.get("sourceType") == "sharedImageGallery":
        fields = {**before, "osVhdUrl": "", "lunVhdDetails": [], "sharedImage": source.get("sharedImage")}
    else:
        disks = [{"lun": one.get("lunNumber"), "vhdUrl": one.get("uri")} for one in _list(source.get("dataDisks"))]
        fields = {**before, "osVhdUrl": _mapping(source.get("osDisk")).get("uri", ""), "lunVhdDetails": disks}
        fields.pop("sharedImage", None)
    if state == DEPRECATED or "showInGui" in before:
        fields["showInGui"] = state != DEPRECATED
    return fields


def _entries(value: Any, key: str) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict) and one.get(key)]


def _disks(plan: dict[str, Any]) -> list[dict[str, Any]]:
    disks = _list(plan.get("diskGenerations"))
    return [one for one in disks if isinstance(one, dict) and isinstance(one.get("planId"), str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _version_key(number: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in number.split(".")]
