# SPDX-License-Identifier: Apache-2.0
"""Parse and validate the body of a configure request and the schemas of its resources."""

from __future__ import annotations

import json
from typing import Any

from partner_center_emulator.product_ingestion.errors import ApiError, error_detail
from partner_center_emulator.product_ingestion.identifiers import DRAFT, LIVE, PREVIEW, RETIRED_SCHEMAS, kind_of
from partner_center_emulator.product_ingestion.images import AVAILABLE
from partner_center_emulator.product_ingestion.type_checks import type_errors

MISSING_SOURCES = 'Required properties ["sources"] were not present #'


def resources_of(body: bytes) -> list[dict[str, Any]]:
    """Return the resources in a body; none if the body is invalid."""
    try:
        content = json.loads(body or b"null")
    except ValueError:
        return []
    entries = content.get("resources") if isinstance(content, dict) else None
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def target_of(resources: list[dict[str, Any]]) -> str:
    """Return the target of a request: the draft, preview or live."""
    for resource in resources:
        target = resource.get("target")
        word = str(target.get("targetType")).lower() if isinstance(target, dict) else ""
        if kind_of(resource.get("$schema")) == "submission" and word in (PREVIEW, LIVE):
            return word
    return DRAFT


def parse_request(body: bytes, *, check_hosts: bool) -> list[dict[str, Any]]:
    """Return the resources of a valid request.

    :param check_hosts: whether to reject schemas of the retired host.
    :raises ApiError: 400 if the body is invalid, 501 for features that are not emulated.
    """
    try:
        content = json.loads(body or b"null")
    except ValueError:
        content = None
    resources = content.get("resources") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(resources, list) or not resources:
        raise _invalid("the body is no configuration with at least one resource")
    urls = [content.get("$schema"), *(one.get("$schema") for one in resources if isinstance(one, dict))]
    if check_hosts and (old := [url for url in urls if str(url).lower().startswith(RETIRED_SCHEMAS)]):
        raise ApiError(400, f"Schema {old[0]} could not be accessed")
    if kind_of(urls[0]) != "configure":
        raise _invalid("'$schema' is not that of configure")
    for place, resource in enumerate(resources):
        _check(resource, place)
    if sum(kind_of(one["$schema"]) == "submission" for one in resources) > 1:
        raise _invalid("there is more than one submission")
    return resources


def _check(resource: Any, place: int) -> None:
    if not isinstance(resource, dict) or not kind_of(resource.get("$schema")):
        raise _invalid(f'#/resources/{place}: Required properties ["$schema"] were not present')
    if wrong := list(type_errors(resource, f"#/resources/{place}")):
        raise _invalid(*wrong)
    url = str(resource["$schema"])
    if kind_of(url) == "submission" and url.endswith("preview7") and "sources" not in resource:
        raise _invalid(f"Schema validation failed for schema {url}: {MISSING_SOURCES}")
    target = resource.get("target", {}).get("targetType", DRAFT)
    if kind_of(url) == "submission" and target.lower() not in (DRAFT, PREVIEW, LIVE):
        raise _invalid(f"#/resources/{place}/target/targetType: '{target}' is not valid")
    state = resource.get("lifecycleState") or AVAILABLE
    if state != AVAILABLE and kind_of(url) in ("product", "submission"):
        raise ApiError(501, f"The emulator knows no {kind_of(url)} that is {state}.")


def _invalid(*texts: str) -> ApiError:
    details = [error_detail("schemaValidationError", text) for text in texts]
    return ApiError(400, "Invalid configuration: schema validation failed", details)
