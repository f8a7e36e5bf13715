# SPDX-License-Identifier: Apache-2.0
"""A portal played by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from playing import START, Player, reply

from airflow_provider_cpp.core.http import Reply
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture(scope="session")
def make_player() -> type[Player]:
    """Return what makes a player, for tests that need one for each of many examples."""
    return Player


@pytest.fixture
def make_reply() -> Callable[..., Reply]:
    return reply


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef("contoso", "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, "new-id", None)


@pytest.fixture(scope="session")
def start() -> datetime:
    return START
