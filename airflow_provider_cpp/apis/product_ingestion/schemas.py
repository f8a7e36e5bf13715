# SPDX-License-Identifier: Apache-2.0
"""The schemas that resources name, and what a resource needs before it is sent back.

The address of the schemas has moved once, and the API still hands out resources that name the old one, which it does
not take back. A few other values that it hands out it does not take back either.
"""

from __future__ import annotations

import copy
import re
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cpp.core.json_fields import as_text

SCHEMAS = "https://schema.mp.microsoft.com/schema"
RETIRED = frozenset({"product-ingestion.azureedge.net"})
"""Hosts on which the schemas were once: a request that names one is refused."""

CONFIGURE = f"{SCHEMAS}/configure/2022-03-01-preview2"
SUBMISSION = f"{SCHEMAS}/submission/2022-03-01-preview2"
"""Later versions of a submission want sources that nobody outside of Microsoft has."""

_PLACE = re.compile(r"/schema/([A-Za-z0-9-]+)/([A-Za-z0-9.-]+)/?")


def schema_type(resource: dict[str, Any]) -> str:
    """Return the type of a resource: by its schema, whatever the host, or else by its id; empty if neither tells."""
    found = _PLACE.search(urlsplit_path(as_text(resource.get("$schema"))))
    return (found.group(1) if found else as_text(resource.get("id")).partition("/")[0]).casefold()


def to_writable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a resource that the API takes back; every key that nobody here knows stays as it is."""
    ready: dict[str, Any] = _with_current_schemas(copy.deepcopy(resource))
    properties = ready.get("vmProperties")
    if isinstance(properties, dict):
        ready["vmProperties"] = {key: value for key, value in properties.items() if value is not None}
    versions = ready.get("vmImageVersions")
    for version in versions if isinstance(versions, list) else []:
        schedule = version.get("deprecationSchedule") if isinstance(version, dict) else None
        if isinstance(schedule, dict) and "reason" in schedule and schedule["reason"] is None:
            schedule["reason"] = "other"
    return ready


def urlsplit_path(address: str) -> str:
    """Return the path of an address; empty if it is none."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _with_current_schemas(value: Any) -> Any:
    """Name today's host in every schema that names a retired one, at any depth."""
    if isinstance(value, dict):
        return {
            key: _current_schema(entry) if key == "$schema" and isinstance(entry, str) else _with_current_schemas(entry)
            for key, entry in value.items()
        }
    return [_with_current_schemas(entry) for entry in value] if isinstance(value, list) else value


def _current_schema(schema: str) -> str:
    try:
        parts = urlsplit(schema)
    except ValueError:
        return schema
    found = _PLACE.fullmatch(parts.path)
    if parts.hostname not in RETIRED or found is None:
        return schema
    return f"{SCHEMAS}/{found.group(1)}/{found.group(2)}"
