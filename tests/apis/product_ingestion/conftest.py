# SPDX-License-Identifier: Apache-2.0
"""What is asked of the Product Ingestion API played by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from support.player import START, Player, reply
from support.product_ingestion import GUID, JOB

from airflow_provider_cpp.apis.product_ingestion.endpoints import DEFAULT_HOST
from airflow_provider_cpp.core.http import Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef(None, "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, f"submission/{GUID}/7", f"/configure/{JOB}/status", PRODUCT_INGESTION)


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture
def make_reply() -> Callable[..., Response]:
    return lambda body, status=200, headers=None: reply(body, status, headers, DEFAULT_HOST)
