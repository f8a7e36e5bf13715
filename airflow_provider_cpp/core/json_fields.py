# SPDX-License-Identifier: Apache-2.0
"""Tolerant parsers of JSON fields: they accept harmless differences, and raise ``ValueError`` for anything else.

The documentation, the samples and the real responses of the APIs differ: a list instead of an object, a number as text, seven
fractional digits, no time zone. ``Any`` is limited to this module and its callers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

from airflow_provider_cpp.defaults import DraftChange

T = TypeVar("T")


def list_parser(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return a parser of lists that parses each entry with ``read``."""

    def read_all(data: Any) -> tuple[T, ...]:
        if not isinstance(data, list):
            msg = f"expected a list, not {json_type_name(data)}"
            raise ValueError(msg)
        return tuple(read(entry) for entry in data)

    return read_all


def parse_timestamp(value: object) -> datetime | None:
    """Parse an ISO 8601 time, else return None. The APIs send up to seven fractional digits; without a time zone, it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the year 1 with a time zone east of UTC overflows
        return None


def as_list(data: Any, what: str) -> list[Any]:
    """Return a list; null is an empty list.

    :raises ValueError: if it is neither.
    """
    if data is None:
        return []
    if not isinstance(data, list):
        msg = f"{what} is {json_type_name(data)}, not a list"
        raise ValueError(msg)
    return data


def objects_in(data: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; ignore any other entry, and any value that is not a list."""
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def nested(data: Any, *keys: str) -> Any:
    """Return the value at a path of keys; None if any key is missing or is not in an object."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def as_object(data: Any, what: str) -> dict[str, Any]:
    """Return a JSON object.

    :raises ValueError: if it is not one.
    """
    if not isinstance(data, dict):
        msg = f"{what} is {json_type_name(data)}, not an object"
        raise ValueError(msg)
    return data


def json_type_name(data: Any) -> str:
    """Return the name of a value's JSON type."""
    names = {list: "a list", dict: "an object", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(data), "a number")


def as_text(value: Any) -> str:
    """Return text; null is empty text, and any other value is converted."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def as_int(value: Any) -> int | None:
    """Return an integer, also from text or a float; None if it is not a number or needs more than 64 bits."""
    try:
        number = int(value) if isinstance(value, (int, str, float)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def merge_patch(patch: dict[str, Any]) -> DraftChange:
    """Return the change for a JSON merge patch (RFC 7396): null removes a key, a list replaces a list."""
    return lambda document: _merged(document, patch)


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
