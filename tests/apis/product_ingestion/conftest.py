# SPDX-License-Identifier: Apache-2.0
"""An offer and an operation of the Product Ingestion API."""

from __future__ import annotations

import pytest
from support.player import START
from support.product_ingestion import GUID, JOB

from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation


@pytest.fixture
def offer() -> OfferRef:
    return OfferRef(None, "contoso-vm")


@pytest.fixture
def operation(offer: OfferRef) -> Operation:
    return Operation(offer, "publish", START, f"submission/{GUID}/7", f"/configure/{JOB}/status", PRODUCT_INGESTION)
