# SPDX-License-Identifier: Apache-2.0
"""All functions that build a request, discovered from the modules, so that new ones are tested too."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from airflow_provider_cpp.apis import cloud_partner_portal, product_ingestion
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.exceptions import ConfigurationError

OFFER = OfferRef("contoso", "contoso-vm")
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=timezone.utc)
OPERATIONS = (
    Operation(OFFER, "publish", NOW, "1"),
    Operation(OFFER, "publish", NOW, "1", "/api/publishers/contoso/offers/contoso-vm/operations/1"),
    Operation(OFFER, "publish", NOW, None, "/api/operations/contoso$contoso-vm$2$preview?api-version=2017-10-31"),
)
SUBMISSION = "submission/12345678-1234-4321-8765-123456789012/7"
OPERATIONS += (
    Operation(OFFER, "publish", NOW, SUBMISSION, "/configure/d4261631-c583/status", PRODUCT_INGESTION),
    Operation(OFFER, "golive", NOW, None, "/configure/d4261631-c583/status", PRODUCT_INGESTION),
)
SAMPLES: Mapping[object, tuple[Any, ...]] = {
    OfferRef: (OFFER,),
    Operation: OPERATIONS,
    str: ("contoso", "preview", "1", '"etag"', "a@b"),
    int: (1,),
    bool: (False, True),
    NoneType: (None,),
    tuple[str, ...]: ((), ("a@b",)),
    tuple: ((), ("a@b",)),
    Target: tuple(Target),
    Iterable: ((), ({"$schema": "x"},)),
    dict: ({"id": "contoso-vm", "definition": {}},),
}


@dataclass
class Builder:
    """A function that builds a request.

    :ivar result: the type of a parsed response.
    :ivar arguments: the sample arguments that it accepts.
    :ivar requests: the requests that it builds from them.
    """

    name: str
    build: Callable[..., Request[Any]]
    result: Any
    arguments: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request[Any]] = field(default_factory=list)


def samples(annotation: Any) -> tuple[Any, ...]:
    """Return values for an argument of this type."""
    if annotation in SAMPLES:
        return SAMPLES[annotation]
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Literal:
        return inner
    if kind in (Union, UnionType):
        return tuple(value for one in inner for value in samples(one))
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return SAMPLES[dict]
    return SAMPLES.get(kind, ())


def functions(package: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Return every public function of an API's package."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, function in vars(importlib.import_module(module.name)).items():
            if inspect.isfunction(function) and function.__module__ == module.name and not name.startswith("_"):
                yield name, function


@pytest.fixture(
    scope="session",
    params=[cloud_partner_portal, product_ingestion],
    ids=lambda package: package.__name__.rpartition(".")[2],
)
def builders(request: pytest.FixtureRequest) -> list[Builder]:
    """Return every function of an API that builds a request, with the requests that it builds from sample arguments."""
    builders = []
    for name, function in functions(request.param):
        returned = str(function.__annotations__.get("return"))
        if not (returned.startswith("Request[") and returned.endswith("]")):
            continue
        hints = get_type_hints(function)
        builder = Builder(name, function, get_args(hints.pop("return"))[0])
        for values in itertools.product(*(samples(hints[one]) for one in inspect.signature(function).parameters)):
            arguments = dict(zip(inspect.signature(function).parameters, values, strict=True))
            try:
                builder.requests.append(function(**arguments))
                builder.arguments.append(arguments)
            except ConfigurationError:  # not every string is a valid slot
                continue
        assert builder.requests, f"no sample arguments build a request with {name}{inspect.signature(function)}"
        builders.append(builder)
    return builders
