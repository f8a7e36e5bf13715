# SPDX-License-Identifier: Apache-2.0
"""Read, validate and compare a draft's resources, and add those that a publish requires."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.schemas import schema_type, to_writable
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.effects import Flow, send_with_retry
from airflow_provider_cpp.core.json_fields import as_text, json_type_name
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.urls import same_blob
from airflow_provider_cpp.exceptions import ConfigurationError

Resource = dict[str, Any]

REQUIRED_TYPES = ("product", "property")
"""The resource types that a publish of some resources requires in addition."""

_URL = re.compile(r"https?://", re.IGNORECASE)


def get_resources(offer: OfferRef, product: str, target: Target = Target.DRAFT) -> Flow[tuple[Resource, ...]]:
    """Read all resources of a product for a target."""
    return (yield from send_with_retry(endpoints.get_tree(product, offer, target)))


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
