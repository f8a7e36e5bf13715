# SPDX-License-Identifier: Apache-2.0
"""The resources of a draft: reading them, comparing them, and what has to go along to preview."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.schemas import schema_type, to_writable
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.effects import Flow, send_with_retry
from airflow_provider_cpp.core.json_fields import as_text, json_type_name
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.exceptions import ConfigurationError

Resource = dict[str, Any]

REQUIRED_TYPES = ("product", "property")
"""What the API wants beside the changed resources where not everything is published."""

_SIGNED = frozenset({"sv", "st", "se", "sr", "sp", "sig", "spr", "si", "skoid", "sktid", "skt", "ske", "sks", "skv"})
"""The parameters of a shared access signature: two URLs that differ in these alone name the same blob."""

_URL = re.compile(r"https?://", re.IGNORECASE)


def get_resources(offer: OfferRef, product: str, target: Target = Target.DRAFT) -> Flow[tuple[Resource, ...]]:
    """Read a product whole, as it stands for a target."""
    return (yield from send_with_retry(endpoints.get_tree(product, offer, target)))


def validate_resources(resources: object) -> tuple[Resource, ...]:
    """Return resources that can be configured.

    :raises ConfigurationError: if it is not a list of objects, or there is a submission among them: to publish is
        the publish task's, and that at most once.
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
            problems.append(f"resources[{number}] is a submission: publishing and going live are other tasks'")
        elif not as_text(resource.get("$schema")):
            problems.append(f"resources[{number}] has no $schema")
    if problems:
        raise ConfigurationError(tuple(problems), "the task's arguments")
    return tuple(given or ())


def with_required_resources(params: Iterable[Resource], draft: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return what goes to preview with some resources: the product, its property and their plans, if not given.

    :param draft: the draft, in whichever order.
    """
    given = list(params)
    names = {as_text(resource.get("id")) for resource in given} - {""}
    types = {schema_type(resource) for resource in given}
    plans = {as_text(resource.get("plan")) for resource in given} - {""}
    along = [
        resource
        for resource in sorted(draft, key=lambda one: as_text(one.get("id")))
        if (schema_type(resource) in REQUIRED_TYPES and schema_type(resource) not in types)
        or (as_text(resource.get("id")) in plans - names)
    ]
    order = {name: number for number, name in enumerate((*REQUIRED_TYPES, "plan"))}
    return tuple(sorted([*along, *given], key=lambda one: order.get(schema_type(one), len(order))))


def draft_matches(draft: Iterable[Resource], params: Iterable[Resource]) -> bool:
    """Say whether a draft is already as some resources want it: each is there by its id, and has all of its keys."""
    by_id = {as_text(resource.get("id")): to_writable(resource) for resource in draft}
    return all(_covers(by_id.get(as_text(one.get("id"))), to_writable(one)) for one in params)


def same_blob(one: str, other: str) -> bool:
    """Say whether two URLs name the same blob, whatever signs them."""
    return _unsigned(one) == _unsigned(other)


def _covers(there: Any, params: Any) -> bool:
    """Say whether a value has all that is wanted; what the API adds does not count, and no signature of a URL does."""
    if isinstance(params, dict):
        return isinstance(there, dict) and all(
            key in there and _covers(there[key], value) for key, value in params.items()
        )
    if isinstance(params, list):
        return isinstance(there, list) and len(there) == len(params) and all(map(_covers, there, params))
    if isinstance(params, str) and isinstance(there, str) and _URL.match(params):
        return same_blob(there, params)
    return type(there) is type(params) and bool(there == params)


def _unsigned(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, ()
    query = (pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0].casefold() not in _SIGNED)
    return f"{parts.scheme}://{parts.netloc.casefold()}{parts.path}", tuple(sorted(query))
