# SPDX-License-Identifier: Apache-2.0
"""Convert frozen dataclasses to JSON and back, for payloads that other processes and later releases read.

Parsing is strict: a payload must have this release's version, no unknown keys, and values of the declared types. A key may be
missing only if its field has a default and is not ``REQUIRED``, so that a later release can add a field. ``VOLATILE`` fields
are not in the payload.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from airflow_provider_cpp.core.json_fields import json_type_name, parse_timestamp
from airflow_provider_cpp.core.redaction import sanitize_line

T = TypeVar("T")
MAX_INTEGER = 2**63

VERSION = 1
VOLATILE = {"volatile": True}
REQUIRED = {"required": True}


class Payload:
    """The base of the dataclasses that are stored as JSON."""

    __slots__ = ()

    def to_payload(self) -> dict[str, Any]:
        """Return the value as JSON."""
        return {"version": VERSION, **_encode(self)}


def from_payload(cls: type[T], payload: object) -> T:
    """Return the dataclass instance in a payload.

    :raises ValueError: if the payload is not valid for this release.
    """
    if not isinstance(payload, dict):
        raise _error("it", "an object", payload)
    values = dict(payload)
    version = values.pop("version", None)
    if version != VERSION or isinstance(version, bool):
        raise ValueError(sanitize_line(f"its version is {version!r}, not {VERSION}", 200))
    value: T = _decode_object(cls, values, "")
    return value


def _encode(value: Any) -> Any:
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: _encode(getattr(value, field.name)) for field in _fields(value.__class__)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return [_encode(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _decode_object(cls: Any, values: Any, name: str) -> Any:
    if not isinstance(values, dict):
        raise _error(name, "an object", values)
    known = {field.name for field in _fields(cls)}
    required = {
        field.name
        for field in _fields(cls)
        if field.metadata.get("required") or (field.default is MISSING and field.default_factory is MISSING)
    }
    if differences := (set(values) - known) | (required - set(values)):
        raise ValueError(
            sanitize_line(f"{name or 'it'} has missing or unknown keys: {sorted(map(str, differences))}", 200)
        )
    hints = _hints(cls)
    return cls(**{key: _decode(hints[key], value, f"{name}.{key}".lstrip(".")) for key, value in values.items()})


def _decode(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (kind,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _decode(kind, value, name)
    if origin in (list, tuple) and isinstance(value, list):
        return origin(_decode(arguments[0], entry, name) for entry in value)
    if is_dataclass(kind):
        return kind.from_json(value) if hasattr(kind, "from_json") else _decode_object(kind, value, name)
    decoded = _decode_scalar(kind, value)
    if decoded is None:
        raise _error(name, getattr(kind, "__name__", str(kind)), value)
    return decoded


def _decode_scalar(kind: Any, value: Any) -> Any:
    """Return a value of a declared type; None if it has another type."""
    if kind is datetime:
        return parse_timestamp(value)
    if get_origin(kind) is Literal:
        return value if value in get_args(kind) else None
    if kind is float and type(value) is int:
        return float(value) if abs(value) < MAX_INTEGER else None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((member for member in kind if member.value == value), None)
    return value if type(value) is (get_origin(kind) or kind) else None


def _error(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"{name} is {json_type_name(value)}, not {expected}")


_hints = cache(get_type_hints)  # a triggerer that restarts reads thousands of payloads


def _fields(cls: Any) -> list[Field[Any]]:
    return [field for field in fields(cls) if not field.metadata.get("volatile")]
