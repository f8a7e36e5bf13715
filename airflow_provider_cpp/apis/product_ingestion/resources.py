# SPDX-License-Identifier: Apache-2.0
"""Validate and compare a draft's resources, and change or add what the API requires.

The schemas moved to another host. The API still returns resources with the old host, but rejects them in requests. It also
rejects a few other values that it returns.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_cpp.core.json_fields import as_text, json_type_name, objects_in
from airflow_provider_cpp.core.urls import same_blob
from airflow_provider_cpp.exceptions import ConfigurationError

SCHEMAS = "https://schema.mp.microsoft.com/schema"
RETIRED = "product-ingestion.azureedge.net"
"""The former host of the schemas; the API rejects requests with it."""

CONFIGURE = f"{SCHEMAS}/configure/2022-03-01-preview2"
SUBMISSION = f"{SCHEMAS}/submission/2022-03-01-preview2"
"""Later versions of a submission require sources that only Microsoft has access to."""

_SCHEMA = r"/schema/([A-Za-z0-9-]+)/([A-Za-z0-9.-]+)"
_RETIRED_SCHEMA = re.compile(rf"^https?://{re.escape(RETIRED)}(?::[0-9]+)?{_SCHEMA}/?(?:[?#].*)?$", re.IGNORECASE)

Resource = dict[str, Any]

REQUIRED_TYPES = ("product", "property")
"""The resource types that a publish of some resources requires in addition."""

_URL = re.compile(r"https?://", re.IGNORECASE)


def schema_type(resource: dict[str, Any]) -> str:
    """Return the type of a resource by its schema, on any host, or else by its ID; empty if it has neither."""
    match = re.search(_SCHEMA, as_text(resource.get("$schema")))
    return (match.group(1) if match else as_text(resource.get("id")).partition("/")[0]).casefold()


def to_writable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a resource that the API accepts; unknown keys stay unchanged."""
    writable: dict[str, Any] = _with_current_schemas(copy.deepcopy(resource))
    properties = writable.get("vmProperties")
    if isinstance(properties, dict):
        writable["vmProperties"] = {key: value for key, value in properties.items() if value is not None}
    for version in objects_in(writable.get("vmImageVersions")):
        schedule = version.get("deprecationSchedule")
        if isinstance(schedule, dict) and "reason" in schedule and schedule["reason"] is None:
            schedule["reason"] = "other"
    return writable


def _with_current_schemas(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _RETIRED_SCHEMA.sub(rf"{SCHEMAS}/\1/\2", entry)
            if key == "$schema" and isinstance(entry, str)
            else _with_current_schemas(entry)
            for key, entry in value.items()
        }
    return [_with_current_schemas(entry) for entry in value] if isinstance(value, list) else value


def validate_resources(resources: object) -> tuple[Resource, ...]:
    """Return resources that can be configured.

    :raises ConfigurationError: if they are not a list of objects, or include a submission, which only a publish or go-live task
        may send.
    """
    given = list(resources) if isinstance(resources, (list, tuple)) else None
    problems = []
    if not given:
        problems.append(
            f"resources is {'an empty list' if given == [] else json_type_name(resources)}, not a list of objects"
        )
    for number, resource in enumerate(given or ()):
        if not isinstance(resource, dict):
            problems.append(f"resources[{number}] is {json_type_name(resource)}, not an object")
        elif schema_type(resource) == "submission":
            problems.append(f"resources[{number}] is a submission: use a publish or go-live task")
        elif not as_text(resource.get("$schema")):
            problems.append(f"resources[{number}] has no $schema")
    if problems:
        raise ConfigurationError(tuple(problems), "the task's arguments")
    return tuple(given or ())


def with_required_resources(resources: Iterable[Resource], draft: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return resources with those that a publish of them requires: the product, its property and their plans.

    :param draft: the draft's resources, in any order.
    """
    given = list(resources)
    names = {as_text(resource.get("id")) for resource in given} - {""}
    types = {schema_type(resource) for resource in given}
    plans = {as_text(resource.get("plan")) for resource in given} - {""}
    required = [
        resource
        for resource in sorted(draft, key=lambda one: as_text(one.get("id")))
        if (schema_type(resource) in REQUIRED_TYPES and schema_type(resource) not in types)
        or (as_text(resource.get("id")) in plans - names)
    ]
    order = {name: number for number, name in enumerate((*REQUIRED_TYPES, "plan"))}
    return tuple(sorted([*required, *given], key=lambda one: order.get(schema_type(one), len(order))))


def draft_matches(draft: Iterable[Resource], resources: Iterable[Resource]) -> bool:
    """Return whether a draft already has these resources, by ID and with all of their keys."""
    by_id = {as_text(resource.get("id")): to_writable(resource) for resource in draft}
    return all(_covers(by_id.get(as_text(one.get("id"))), to_writable(one)) for one in resources)


def _covers(actual: Any, expected: Any) -> bool:
    """Return whether a value contains everything that is expected; ignore additional keys and SAS signatures."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and _covers(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(_covers, actual, expected))
    if isinstance(expected, str) and isinstance(actual, str) and _URL.match(expected):
        return same_blob(actual, expected)
    return type(actual) is type(expected) and bool(actual == expected)
