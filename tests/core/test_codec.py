# SPDX-License-Identifier: Apache-2.0
"""The codec: exact round trips, and an error for everything else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Literal

import pytest

from airflow_provider_cpp.core import codec


class Color(Enum):
    """An enumeration."""

    RED = "red"


@dataclass(frozen=True)
class Inner:
    """A nested value."""

    name: str


@dataclass(frozen=True)
class Outer(codec.Payload):
    """A value with a field of each supported type."""

    text: str
    number: float
    count: int
    flag: bool
    moment: datetime
    color: Color
    choice: Literal["a", "b"]
    inner: Inner
    names: tuple[str, ...]
    lines: list[str]
    raw: dict[str, Any]
    marked: int | None = field(default=None, metadata=codec.REQUIRED)
    maybe: int | None = None
    local: str = field(default="", metadata=codec.VOLATILE)


VALUE = Outer(
    text="t",
    number=1.5,
    count=2,
    flag=True,
    moment=datetime(2026, 11, 3, tzinfo=timezone.utc),
    color=Color.RED,
    choice="b",
    inner=Inner("i"),
    names=("x", "y"),
    lines=["l"],
    raw={"k": [1]},
    local="stays here",
)


def test_a_value_survives_json() -> None:
    """A value is the same after JSON, but for the fields that stay in their process."""
    payload = json.loads(json.dumps(VALUE.to_payload()))
    assert "local" not in payload
    assert codec.from_payload(Outer, payload) == Outer(**{**VALUE.__dict__, "local": ""})


def test_an_integer_is_a_number() -> None:
    """JSON may write a float without a fraction."""
    assert codec.from_payload(Outer, VALUE.to_payload() | {"number": 2}).number == 2.0


@pytest.mark.parametrize(
    "change",
    [
        {"text": None},
        {"text": 1},
        {"number": "1.5"},
        {"number": True},
        {"number": 10**400},
        {"count": 2.5},
        {"count": True},
        {"flag": 1},
        {"moment": "yesterday"},
        {"moment": 0},
        {"color": "blue"},
        {"color": 1},
        {"choice": "c"},
        {"inner": None},
        {"inner": {}},
        {"inner": {"name": "i", "more": 1}},
        {"inner": {"name": 1}},
        {"names": "xy"},
        {"names": ["x", 1]},
        {"lines": {"l": 1}},
        {"raw": []},
        {"maybe": "1"},
        {"local": "x"},
        {"unknown": 1},
        {"version": 2},
        {"version": True},
        {"version": "1"},
        {"version": None},
    ],
    ids=str,
)
def test_another_payload_is_rejected(change: dict[str, Any]) -> None:
    """A value of another type, an unknown key or another version is an error."""
    with pytest.raises(ValueError, match=r"^\S.{5,200}$"):
        codec.from_payload(Outer, VALUE.to_payload() | change)


def test_a_key_with_a_default_may_be_missing() -> None:
    """A payload of an earlier release lacks the fields that were added since."""
    payload = VALUE.to_payload()
    del payload["maybe"]
    assert codec.from_payload(Outer, payload).maybe is None


@pytest.mark.parametrize("key", sorted({*VALUE.to_payload()} - {"maybe"}))
def test_other_keys_are_required(key: str) -> None:
    """A missing key is an error if the field has no default, or is marked as required."""
    payload = VALUE.to_payload()
    del payload[key]
    with pytest.raises(ValueError, match=key):
        codec.from_payload(Outer, payload)


@pytest.mark.parametrize("payload", [None, [], "text", 1, {}], ids=str)
def test_another_type_is_rejected(payload: object) -> None:
    """Anything but an object with a version is an error."""
    with pytest.raises(ValueError, match=r"it is|version"):
        codec.from_payload(Outer, payload)
