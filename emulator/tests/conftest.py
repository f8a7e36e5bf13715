# SPDX-License-Identifier: Apache-2.0
"""Fixtures that start emulators and their clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from emulator_client import OFFER, Client
from partner_center_emulator import Emulator, ManualClock, Settings


@pytest.fixture
def serve() -> Iterator[Callable[..., Emulator]]:
    """Return a function that starts an emulator with these settings and a manual clock."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Emulator(Settings(**settings), ManualClock()))


@pytest.fixture
def start_client(serve: Callable[..., Emulator]) -> Callable[..., Client]:
    """Return a function that starts an emulator with one offer, and returns its client."""

    def start(scenario: str = "succeeds", history: str | None = None, **settings: Any) -> Client:
        emulator = serve(**settings)
        emulator.add_offer(OFFER, scenario, history)
        return Client(emulator)

    return start
