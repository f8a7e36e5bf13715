# SPDX-License-Identifier: Apache-2.0
"""The schemas of resources, and the changes without which the API rejects resources that it returned.

The schemas moved to another host. The API still returns resources with the old host, but rejects them in requests. It also
rejects a few other values that it returns.
"""

from __future__ import annotations

import copy
import re
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cpp.core.json_fields import as_text

SCHEMAS = "https://schema.mp.microsoft.com/schema"
RETIRED = frozenset({"product-ingestion.azureedge.net"})
"""Former hosts of the schemas; the API rejects requests with them."""

CONFIGURE = f"{SCHEMAS}/configure/2022-03-01-preview2"
SUBMISSION = f"{SCHEMAS}/submission/2022-03-01-preview2"
"""Later versions of a submission require sources that only Microsoft has access to."""

_SCHEMA_PATH = re.compile(r"/schema/([A-Za-z0-9-]+)/([A-Za-z0-9.-]+)/?")


def schema_type(resource: dict[str, Any]) -> str:
    """Return the type of a resource by its schema, on any host, or else by its ID; empty if it has neither."""
    match = _SCHEMA_PATH.search(urlsplit_path(as_text(resource.get("$schema"))))
    return (match.group(1) if match else as_text(resource.get("id")).partition("/")[0]).casefold()


def to_writable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a resource that the API accepts; unknown keys stay unchanged."""
    writable: dict[str, Any] = _with_current_schemas(copy.deepcopy(resource))
    properties = writable.get("vmProperties")
    if isinstance(properties, dict):
        writable["vmProperties"] = {key: value for key, value in properties.items() if value is not None}
    versions = writable.get("vmImageVersions")
    for version in versions if isinstance(versions, list) else []:
        schedule = version.get("deprecationSchedule") if isinstance(version, dict) else None
        if isinstance(schedule, dict) and "reason" in schedule and schedule["reason"] is None:
            schedule["reason"] = "other"
    return writable


def urlsplit_path(address: str) -> str:
    """Return the path of a URL; empty if it is not a URL."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _with_current_schemas(value: Any) -> Any:
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
    match = _SCHEMA_PATH.fullmatch(parts.path)
    if parts.hostname not in RETIRED or match is None:
        return schema
    return f"{SCHEMAS}/{match.group(1)}/{match.group(2)}"
