# SPDX-License-Identifier: Apache-2.0
"""What newcomers are told to type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from partner_center_emulator import SCENARIOS, Settings

DOCS = Path(__file__).parents[2] / "docs"
OPTIONS = sorted(
    {
        found
        for page in DOCS.rglob("*.md")
        for found in re.findall(r"`--(offer|set) ([\w-]+)=([\w.-]+)`", page.read_text())
    }
)


def test_options_are_found() -> None:
    """The pages tell of options of both kinds."""
    assert {kind for kind, _, _ in OPTIONS} == {"offer", "set"}


@pytest.mark.parametrize(("kind", "name", "value"), OPTIONS)
def test_the_options_of_the_emulator_are_options(kind: str, name: str, value: str) -> None:
    """Each scenario is one, and each setting can be set to what the page sets it to."""
    if kind == "offer":
        assert value in SCENARIOS
    else:
        assert getattr(Settings().with_text(name, value), name) is not None
