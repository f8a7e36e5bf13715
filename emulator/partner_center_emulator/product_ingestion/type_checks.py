# SPDX-License-Identifier: Apache-2.0
"""Of what kind the parts of a resource are that are read here; whatever else a resource has is taken as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

REFERENCE: tuple[type, ...] = (str, dict)
SHAPES: dict[str, tuple[type, ...]] = {
    "$schema": (str,),
    "id": (str, type(None)),
    "product": REFERENCE,
    "plan": REFERENCE,
    "resourceName": (str,),
    "externalId": (str,),
    "identity": (dict,),
    "alias": (str,),
    "type": (str,),
    "target": (dict,),
    "targetType": (str,),
    "lifecycleState": (str,),
    "previewAudiences": (list,),
    "vmProperties": (dict,),
    "skus": (list,),
    "skuId": (str,),
    "imageType": (str,),
    "vmImageVersions": (list,),
    "versionNumber": (str,),
    "deprecationSchedule": (dict,),
    "vmImages": (list,),
    "source": (dict,),
    "sourceType": (str,),
    "osDisk": (dict,),
    "sharedImage": (dict,),
    "uri": (str,),
    "dataDisks": (list,),
}
OF_OBJECTS = ("previewAudiences", "skus", "vmImageVersions", "vmImages", "dataDisks")
NAMES = {
    str: "string",
    dict: "object",
    list: "array",
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def wrong_in(value: Any, place: str = "#") -> Iterator[str]:
    """Say of everything that is of a wrong kind where it is, and what was expected."""
    if not isinstance(value, dict):
        yield f"{place}: Expected type object but found type {_name(value)}"
        return
    for name, part in value.items():
        at = f"{place}/{name}"
        if name in SHAPES and not isinstance(part, SHAPES[name]):
            yield f"{at}: Expected type {NAMES[SHAPES[name][0]]} but found type {_name(part)}"
        elif name in OF_OBJECTS:
            for number, entry in enumerate(part):
                yield from wrong_in(entry, f"{at}/{number}")
        elif name in SHAPES and isinstance(part, dict):
            yield from wrong_in(part, at)


def _name(value: Any) -> str:
    return NAMES.get(type(value), "unknown")
