# SPDX-License-Identifier: Apache-2.0
"""Integers in responses, in every notation."""

from __future__ import annotations

import pytest

from airflow_provider_cpp.core.json_fields import as_int


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (131_000_000_000_000_000, 131_000_000_000_000_000),
        ("131000000000000001", 131_000_000_000_000_001),
        (40.0, 40),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-(2**63) - 1, None),
        ("9" * 30, None),
        ("9" * 5000, None),
        (1e300, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ([1], None),
        (None, None),
    ],
)
def test_as_int(value: object, number: int | None) -> None:
    """Numbers up to 64 bits are read exactly; anything else is None."""
    assert as_int(value) == number
