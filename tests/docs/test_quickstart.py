# SPDX-License-Identifier: Apache-2.0
"""The emulator's options in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from partner_center_emulator import SCENARIOS, Settings

DOCS = Path(__file__).parents[2] / "docs"
OPTIONS = sorted(
    {
        option
        for page in DOCS.rglob("*.md")
        for option in re.findall(r"`--(offer|set) ([\w-]+)=([\w.-]+)`", page.read_text())
    }
)


def test_options_are_found() -> None:
    """The pages have options of both kinds."""
    assert {kind for kind, _, _ in OPTIONS} == {"offer", "set"}


@pytest.mark.parametrize(("kind", "name", "value"), OPTIONS)
def test_the_documented_options_of_the_emulator_exist(kind: str, name: str, value: str) -> None:
    """Each scenario exists, and each setting accepts the value on the page."""
    if kind == "offer":
        assert value in SCENARIOS
    else:
        assert getattr(Settings().with_text(name, value), name) is not None
