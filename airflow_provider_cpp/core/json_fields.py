# SPDX-License-Identifier: Apache-2.0
"""How JSON is read: what is harmless is understood, what is not raises ``ValueError``.

The portal's documents, samples and live answers disagree in places: a list where an object belongs, a
number as text, a fraction of seven digits, a missing zone. ``Any`` enters the package here and ends here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

from airflow_provider_cpp.defaults import DraftChange

T = TypeVar("T")


def list_parser(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Make a reader of lists from a reader of one entry."""

    def read_all(data: Any) -> tuple[T, ...]:
        if not isinstance(data, list):
            msg = f"a list was expected, not {json_type_name(data)}"
            raise ValueError(msg)
        return tuple(read(entry) for entry in data)

    return read_all


def offer_document(data: Any) -> dict[str, Any]:
    """Read an offer document: the raw JSON object, so that no key that nobody modelled is ever lost.

    :raises ValueError: if it is not an object.
    """
    return as_object(data, "the answer")


def parse_timestamp(value: object) -> datetime | None:
    """Read a time of the portal: up to seven digits of fraction, sometimes no zone, which means UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):  # a year of 1 with a zone to the east of Greenwich overflows
        return None


def as_list(data: Any, what: str) -> list[Any]:
    """Return a list; null counts as an empty one."""
    if data is None:
        return []
    if not isinstance(data, list):
        msg = f"{what} is {json_type_name(data)} where a list belongs"
        raise ValueError(msg)
    return data


def as_object(data: Any, what: str) -> dict[str, Any]:
    """Return an object, or raise ``ValueError`` that says what is there instead."""
    if not isinstance(data, dict):
        msg = f"{what} is {json_type_name(data)} where an object belongs"
        raise ValueError(msg)
    return data


def json_type_name(data: Any) -> str:
    """Name the JSON type of a value."""
    names = {list: "a list", dict: "an object", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(data), "a number")


def as_text(value: Any) -> str:
    """Return text; null is empty, anything else is written out."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def as_int(value: Any) -> int | None:
    """Read an integer that may be written as text or with a fraction, without passing 18 digits through a float.

    What does not fit into 64 bits is no number of anything, and would fill a line of the log with its digits.
    """
    try:
        number = int(value) if isinstance(value, (int, str, float)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def merge_patch(patch: dict[str, Any]) -> DraftChange:
    """Make a change of a JSON merge patch (RFC 7396): null takes a key out, a list replaces a list."""
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
