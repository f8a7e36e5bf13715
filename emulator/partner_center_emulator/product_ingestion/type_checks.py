# SPDX-License-Identifier: Apache-2.0
"""The JSON types of the fields that the emulator reads; it does not check other fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

REFERENCE: tuple[type, ...] = (str, dict)
EXPECTED_TYPES: dict[str, tuple[type, ...]] = {
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
OBJECT_LISTS = ("previewAudiences", "skus", "vmImageVersions", "vmImages", "dataDisks")
TYPE_NAMES = {
    str: "string",
    dict: "object",
    list: "array",
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def type_errors(value: Any, place: str = "#") -> Iterator[str]:
    """Return a message for each field with a wrong type."""
    if not isinstance(value, dict):
        yield f"{place}: Expected type object but found type {_name(value)}"
        return
    for name, part in value.items():
        at = f"{place}/{name}"
        if name in EXPECTED_TYPES and not isinstance(part, EXPECTED_TYPES[name]):
            yield f"{at}: Expected type {TYPE_NAMES[EXPECTED_TYPES[name][0]]} but found type {_name(part)}"
        elif name in OBJECT_LISTS:
            for number, entry in enumerate(part):
                yield from type_errors(entry, f"{at}/{number}")
        elif name in EXPECTED_TYPES and isinstance(part, dict):
            yield from type_errors(part, at)


def _name(value: Any) -> str:
    return TYPE_NAMES.get(type(value), "unknown")
