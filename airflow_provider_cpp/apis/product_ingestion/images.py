# SPDX-License-Identifier: Apache-2.0
"""Add a version of a virtual machine image to a plan's technical configuration.

The rest of the configuration is sent back unchanged: all versions, even deprecated ones, because the API treats a missing
version as deleted; and the SKUs, because their IDs are locked when they are published.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from airflow_provider_cpp.apis.product_ingestion.resources import Resource, schema_type
from airflow_provider_cpp.core.json_fields import as_int, as_text, nested, objects_in
from airflow_provider_cpp.core.params import ImageVersion
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.urls import blob_difference
from airflow_provider_cpp.exceptions import ConfigurationError

CONFIGURATIONS = (
    "virtual-machine-plan-technical-configuration",
    "core-virtual-machine-plan-technical-configuration",
)
"""The resource types that have images: the usual one, and the one for Microsoft's own publishers."""

DEFAULT_IMAGE_TYPES = "x64"
"""The prefix of the image types to which an image is added if only the plan is given."""


def with_image_version(
    image: ImageVersion, draft: Iterable[Resource], published: Iterable[Resource]
) -> Resource | None:
    """Return the technical configuration with the image version; None if it already has it.

    :param draft: the draft's resources.
    :param published: the resources in preview and live, which may have versions that the draft lacks.
    :raises ConfigurationError: if the plan does not exist, or has the version with another blob.
    """
    reserved = sorted({"versionNumber", "vmImages"} & set(image.details))
    if reserved:
        problems = tuple(f"details must not contain {key}, which is made from the other arguments" for key in reserved)
        raise ConfigurationError(problems, "the task's arguments")
    configuration, types = _find_sku(image, list(draft))
    same_published = [one for one in published if one.get("id") == configuration.get("id")]
    missing = [one for one in types if not _is_there(image, one, [configuration, *same_published])]
    if not missing:
        return None
    changed = copy.deepcopy(configuration)
    versions = changed.setdefault("vmImageVersions", [])
    if not isinstance(versions, list):
        raise _error(f"the images of plan {image.plan_id} are not a list", "the draft")
    version = next((one for one in objects_in(versions) if one.get("versionNumber") == image.version), None)
    if version is None:
        version = {"versionNumber": image.version, "vmImages": [], "lifecycleState": "generallyAvailable"}
        version |= copy.deepcopy(dict(image.details))
        versions.append(version)
    version["vmImages"] = [*objects_in(version.get("vmImages")), *(_image(image, one) for one in missing)]
    return changed


def _find_sku(image: ImageVersion, draft: list[Resource]) -> tuple[Resource, list[str]]:
    """Find the technical configuration and the image types: of a SKU, or the default types of a plan."""
    configurations = [one for one in draft if schema_type(one) in CONFIGURATIONS]
    plan_id = image.plan_id.casefold()
    for configuration in configurations:
        for sku in objects_in(configuration.get("skus")):
            if as_text(sku.get("skuId")).casefold() == plan_id:
                return configuration, [as_text(sku.get("imageType"))]
    plans = {
        as_text(one.get("id")): as_text(nested(one, "identity", "externalId"))
        for one in draft
        if schema_type(one) == "plan"
    }
    for configuration in configurations:
        if plans.get(as_text(configuration.get("plan")), "").casefold() == plan_id:
            types = [as_text(sku.get("imageType")) for sku in objects_in(configuration.get("skus"))]
            chosen = [one for one in types if one.casefold().startswith(DEFAULT_IMAGE_TYPES)] or types
            if chosen:
                return configuration, chosen
            raise _error(f"plan {image.plan_id} has no SKU yet, so its image types are not known")
    skus = [as_text(sku.get("skuId")) for one in configurations for sku in objects_in(one.get("skus"))]
    known = ", ".join(dict.fromkeys(sanitize_line(one, 80) for one in (*plans.values(), *skus) if one)) or "none"
    raise _error(f"the offer has no plan or SKU {sanitize_line(repr(image.plan_id), 80)}; it has: {known}")


def _is_there(image: ImageVersion, image_type: str, resources: Iterable[Resource]) -> bool:
    """Return whether a version already has its image for a type, or raise ConfigurationError if it has another blob."""
    new = _blobs(_image(image, image_type))
    for resource in resources:
        for version in objects_in(resource.get("vmImageVersions")):
            if version.get("versionNumber") != image.version:
                continue
            for existing in objects_in(version.get("vmImages")):
                if as_text(existing.get("imageType")).casefold() != image_type.casefold():
                    continue
                difference = blob_difference(_blobs(existing), new)
                if difference is None:
                    return True
                existing_image = f"plan {image.plan_id} already has version {image.version} for {image_type}"
                raise _error(f"{existing_image} with another blob: {difference}", "the offer's draft")
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
    """Return the blobs of an image by disk; the resource ID of a shared image counts as one blob."""
    source = image.get("source")
    if isinstance(nested(source, "sharedImage"), dict):
        return {"shared image": as_text(nested(source, "sharedImage", "resourceId"))}
    blobs = {"os": as_text(nested(source, "osDisk", "uri"))}
    for place, one in enumerate(objects_in(nested(source, "dataDisks"))):
        number = as_int(one.get("lunNumber"))
        blobs[f"lun {place if number is None else number}"] = as_text(one.get("uri"))
    return blobs


def _error(problem: str, where: str = "the task's arguments") -> ConfigurationError:
    return ConfigurationError((problem,), where)
