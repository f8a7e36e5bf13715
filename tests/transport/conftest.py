# SPDX-License-Identifier: Apache-2.0
"""Fixtures that sign in with each authentication method, to an emulator that checks the credentials."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from partner_center_emulator import Emulator
from support.auth_methods import AUTH_METHODS, ONE_OF_EACH, AuthMethod

from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth.token_source import TokenSource, token_source

OFFER = "contoso-vm"
VARIABLE = "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"
FOREIGN = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_", "MSAL_")


@pytest.fixture(params=AUTH_METHODS, ids=str)
def method(request: pytest.FixtureRequest) -> AuthMethod:
    """Return each authentication method."""
    each: AuthMethod = request.param
    return each


@pytest.fixture(params=ONE_OF_EACH, ids=str)
def renewable(request: pytest.FixtureRequest) -> AuthMethod:
    """Return one authentication method of each type that can renew its tokens."""
    each: AuthMethod = request.param
    return each


@pytest.fixture
def methods() -> dict[str, AuthMethod]:
    """Return the authentication methods by name."""
    return {str(method): method for method in AUTH_METHODS}


@pytest.fixture(autouse=True)
def _no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide any identity of the machine that runs the tests."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a function that makes a connection Airflow's default one, with fields changed, and returns it."""

    def set_connection(connection: dict[str, Any], **changes: Any) -> dict[str, Any]:
        extra = connection["extra"] | changes.pop("extra", {})
        changed = connection | changes | {"extra": {key: value for key, value in extra.items() if value is not None}}
        monkeypatch.setenv(VARIABLE, json.dumps(changed))
        return changed

    return set_connection


@pytest.fixture
def sign_in_by(
    serve: Callable[..., Emulator], use: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Emulator]:
    """Return a function that starts an emulator with one offer, and connects to it with an authentication method."""

    def start(method: AuthMethod, **settings: Any) -> Emulator:
        emulator = serve(**settings)
        emulator.add_offer(OFFER)
        for name, value in emulator.environment_for(method.auth_type, method.environment or method.form).items():
            monkeypatch.setenv(name, value)
        use(emulator.connection_for(method.auth_type, method.form), extra=dict(method.extra))
        return emulator

    return start


def read_sync() -> StatusReport:
    return CloudPartnerPortalHook().get_offer_status(OFFER)


def read_async() -> StatusReport:
    return asyncio.run(CloudPartnerPortalHook().aget_offer_status(OFFER))


@pytest.fixture(params=[read_sync, read_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], StatusReport]:
    """Return a function that reads an offer's status, with each HTTP client."""
    each: Callable[[], StatusReport] = request.param
    return each


@pytest.fixture
def source() -> Callable[[], TokenSource]:
    """Return a function that returns the process's token source for the current connection."""
    return lambda: token_source(CloudPartnerPortalHook().get_settings())
