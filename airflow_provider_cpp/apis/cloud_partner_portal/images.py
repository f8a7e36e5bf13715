# SPDX-License-Identifier: Apache-2.0
"""Add a version of a virtual machine image to a plan of an offer's document.

A plan, or one of its disk generations, contains its images by version, each with the SAS URL of its disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_cpp.core.json_fields import as_int, as_text, json_type_name, nested, objects_in
from airflow_provider_cpp.core.params import ImageVersion
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.urls import blob_difference
from airflow_provider_cpp.exceptions import ConfigurationError

IMAGE_KEYS = ("microsoft-azure-virtualmachines.vmImages", "microsoft-azure-corevm.vmImagesPublicAzure")
"""The key of a plan's images, by offer type."""


def add_image_version(image: ImageVersion, document: dict[str, Any]) -> dict[str, Any]:
    """Add an image version to its plan in place; do nothing if the plan has the version with the same blobs.

    :raises ConfigurationError: if the plan does not exist, or has the version with another blob.
    """
    plan = _plan(image, document)
    key = _images_key(document, plan)
    images = plan.get(key)
    if images is None:
        images = plan[key] = {}
    if not isinstance(images, dict):
        problem = f"plan {image.plan_id} has {json_type_name(images)} instead of images under {key}"
        raise ConfigurationError((problem,), "the offer's draft")
    existing = images.get(image.version)
    if existing is None:
        images[image.version] = _version_entry(image)
        return document
    if difference := blob_difference(_blobs(existing), _blobs(_version_entry(image))):
        problem = f"plan {image.plan_id} already has version {image.version} with another blob: {difference}"
        raise ConfigurationError((problem,), "the offer's draft")
    return document


def _version_entry(image: ImageVersion) -> dict[str, Any]:
    by_number = sorted((int(number), url) for number, url in image.data_disk_urls.items())
    disks = [{"lun": number, "vhdUrl": url} for number, url in by_number]
    return {"osVhdUrl": image.os_disk_url, **image.details, "lunVhdDetails": disks}


def _plan(image: ImageVersion, document: dict[str, Any]) -> dict[str, Any]:
    plans = list(_plans(document))
    for identifier, plan in plans:
        if identifier and identifier.casefold() == image.plan_id.casefold():
            return plan
    known = ", ".join(sanitize_line(identifier, 80) for identifier, _ in plans if identifier) or "none"
    problem = f"the offer has no plan {sanitize_line(repr(image.plan_id), 80)}; its plans are: {known}"
    raise ConfigurationError((problem,), "the task's arguments")


def _plans(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for plan in objects_in(nested(document, "definition", "plans")):
        for one in (plan, *objects_in(plan.get("diskGenerations"))):
            yield as_text(one.get("planId")), one


def _images_key(document: dict[str, Any], plan: dict[str, Any]) -> str:
    """Return the key of the plan's images, from this plan, another plan or the offer type."""
    for holder in (plan, *(other for _, other in _plans(document))):
        for key in IMAGE_KEYS:
            if key in holder:
                return key
    return next((key for key in IMAGE_KEYS if key.split(".")[0] == document.get("offerTypeId")), IMAGE_KEYS[0])


def _blobs(entry: Any) -> dict[str, str]:
    blobs = {"os": nested(entry, "osVhdUrl")}
    for disk in objects_in(nested(entry, "lunVhdDetails")):
        number = as_int(disk.get("lun"))
        url = next((value for key, value in disk.items() if key.lower().endswith("url")), None)
        blobs[f"lun {len(blobs) - 1 if number is None else number}"] = url
    return {name: str(url) for name, url in blobs.items() if url}
