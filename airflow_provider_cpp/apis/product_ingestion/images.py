# SPDX-License-Identifier: Apache-2.0
"""Adding a version of a virtual machine image to a plan's technical configuration.

What is there goes back as it is: every version, the deprecated ones too, since one that is missing would count as
deleted; and the SKUs, whose ids are locked once they are published.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_cpp.apis.product_ingestion.resources import Resource, same_blob
from airflow_provider_cpp.apis.product_ingestion.schemas import schema_type
from airflow_provider_cpp.core.json_fields import as_int, as_text
from airflow_provider_cpp.core.params import ImageVersion
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import ConfigurationError

CONFIGURATIONS = (
    "virtual-machine-plan-technical-configuration",
    "core-virtual-machine-plan-technical-configuration",
)
"""The types of the resource that holds images: the usual one, and Microsoft's own publishers'."""

FIRST_CHOICE = "x64"
"""How the image types of the machines begin that a plan's image is for, where none is named."""


def with_image_version(
    image: ImageVersion, draft: Iterable[Resource], published: Iterable[Resource]
) -> Resource | None:
    """Return the technical configuration with the version in it; None if it is there already.

    :param draft: the draft's resources.
    :param published: those in preview and live, where a version may be that is not in the draft.
    :raises ConfigurationError: if there is no such plan, or another blob stands under the version.
    """
    doubled = sorted({"versionNumber", "vmImages"} & set(image.details))
    if doubled:
        problems = tuple(f"details must not hold {key}, which the other arguments are for" for key in doubled)
        raise ConfigurationError(problems, "the task's arguments")
    configuration, types = _find_sku(image, list(draft))
    elsewhere = [one for one in published if one.get("id") == configuration.get("id")]
    missing = [one for one in types if not _is_there(image, one, [configuration, *elsewhere])]
    if not missing:
        return None
    changed = copy.deepcopy(configuration)
    versions = changed.setdefault("vmImageVersions", [])
    if not isinstance(versions, list):
        raise _wrong(f"plan {image.plan_id} keeps something else than a list where its images belong", "the draft")
    version = next((one for one in _objects(versions) if one.get("versionNumber") == image.version), None)
    if version is None:
        version = {"versionNumber": image.version, "vmImages": [], "lifecycleState": "generallyAvailable"}
        version |= copy.deepcopy(dict(image.details))
        versions.append(version)
    version["vmImages"] = [*_objects(version.get("vmImages")), *(_image(image, one) for one in missing)]
    return changed


def _find_sku(image: ImageVersion, draft: list[Resource]) -> tuple[Resource, list[str]]:
    """Find the technical configuration that is meant, and for which image types: a SKU's, or a plan's first choice."""
    configurations = [one for one in draft if schema_type(one) in CONFIGURATIONS]
    params = image.plan_id.casefold()
    for configuration in configurations:
        for sku in _objects(configuration.get("skus")):
            if as_text(sku.get("skuId")).casefold() == params:
                return configuration, [as_text(sku.get("imageType"))]
    plans = {as_text(one.get("id")): _external_id(one) for one in draft if schema_type(one) == "plan"}
    for configuration in configurations:
        if plans.get(as_text(configuration.get("plan")), "").casefold() == params:
            types = [as_text(sku.get("imageType")) for sku in _objects(configuration.get("skus"))]
            chosen = [one for one in types if one.casefold().startswith(FIRST_CHOICE)] or types
            if chosen:
                return configuration, chosen
            raise _wrong(f"plan {image.plan_id} has no SKU yet, so that it is not known for which machines it is")
    skus = [as_text(sku.get("skuId")) for one in configurations for sku in _objects(one.get("skus"))]
    known = ", ".join(dict.fromkeys(sanitize_line(one, 80) for one in (*plans.values(), *skus) if one)) or "none at all"
    raise _wrong(f"the offer has no plan or SKU {sanitize_line(repr(image.plan_id), 80)}; it has: {known}")


def _is_there(image: ImageVersion, image_type: str, places: Iterable[Resource]) -> bool:
    """Say whether a version has its image for a type already, somewhere.

    :raises ConfigurationError: if it has another blob.
    """
    params = _blobs(_image(image, image_type))
    for place in places:
        for version in _objects(place.get("vmImageVersions")):
            if version.get("versionNumber") != image.version:
                continue
            for there in _objects(version.get("vmImages")):
                if as_text(there.get("imageType")).casefold() != image_type.casefold():
                    continue
                blobs = _blobs(there)
                if blobs.keys() == params.keys() and all(same_blob(blobs[key], params[key]) for key in params):
                    return True
                raise _wrong(
                    f"plan {image.plan_id} has a version {image.version} for {image_type} already, with another blob:"
                    f" {_shown(blobs)} instead of {_shown(params)}",
                    "the offer's draft",
                )
    return False


def _image(image: ImageVersion, image_type: str) -> dict[str, Any]:
    by_number = sorted((int(number), url) for number, url in image.data_disk_urls.items())
    source = {
        "sourceType": "sasUri",
        "osDisk": {"uri": image.os_disk_url},
        "dataDisks": [{"lunNumber": number, "uri": url} for number, url in by_number],
    }
    return {"imageType": image_type, "source": source}


def _blobs(image: dict[str, Any]) -> dict[str, str]:
    """Return the blobs of an image, by disk; an image of another kind of source is one blob by its own id."""
    source = image.get("source")
    source = source if isinstance(source, dict) else {}
    disk, shared = source.get("osDisk"), source.get("sharedImage")
    if isinstance(shared, dict):
        return {"shared image": as_text(shared.get("resourceId"))}
    blobs = {"os": as_text(disk.get("uri") if isinstance(disk, dict) else None)}
    for place, one in enumerate(_objects(source.get("dataDisks"))):
        number = as_int(one.get("lunNumber"))
        blobs[f"lun {place if number is None else number}"] = as_text(one.get("uri"))
    return blobs


def _shown(blobs: dict[str, str]) -> str:
    return (
        ", ".join(f"{name} {sanitize_line(url.split('?')[0], 300)}" for name, url in sorted(blobs.items()) if url)
        or "none"
    )


def _external_id(plan: Resource) -> str:
    identity = plan.get("identity")
    return as_text(identity.get("externalId")) if isinstance(identity, dict) else ""


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _wrong(problem: str, where: str = "the task's arguments") -> ConfigurationError:
    return ConfigurationError((problem,), where)
