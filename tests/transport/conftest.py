# SPDX-License-Identifier: Apache-2.0
"""Ways to sign in: each with the connection and the environment that it needs, against an emulator that checks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from partner_center_emulator import Emulator

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.auth.token_source import TokenSource, token_source

OFFER = "contoso-vm"
VARIABLE = "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"
FOREIGN = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_", "MSAL_")


@dataclass(frozen=True)
class Way:
    """A way to sign in, and by what the emulator finds it good."""

    kind: str
    form: str = ""
    environment: str = ""
    how: str = ""
    extra: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        """Name it in a test's id."""
        return "-".join(part for part in (self.kind, self.form, self.environment, *dict(self.extra)) if part)


FEDERATED = "https://cluster.contoso.example/"
ONE_OF_EACH = (
    Way("client_secret"),
    Way("certificate", "pem", how="x5t#S256"),
    Way("managed_identity", how="system assigned"),
    Way("workload_identity", how=FEDERATED),
)
WAYS = (
    *ONE_OF_EACH,
    Way("certificate", "pfx", how="x5t#S256"),
    Way("certificate", "inline", how="x5t#S256"),
    Way("certificate", "pem", how="x5c", extra=(("send_x5c", True),)),
    Way("certificate", "pfx", how="x5c", extra=(("send_x5c", "true"),)),
    Way("managed_identity", "client_id", how="user assigned"),
    Way("managed_identity", "object_id", how="user assigned"),
    Way("managed_identity", "resource_id", how="user assigned"),
    Way("managed_identity", "", "app-service", how="system assigned"),
    Way("managed_identity", "client_id", "app-service", how="user assigned"),
    Way("managed_identity", "resource_id", "app-service", how="user assigned"),
    Way("managed_identity", "", "machine-learning", how="system assigned"),
    Way("managed_identity", "client_id", "machine-learning", how="user assigned"),
    Way("managed_identity", "", "service-fabric", how="system assigned"),
    Way("workload_identity", "environment", how=FEDERATED),
    Way("access_token"),
)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Return each way to sign in."""
    found: Way = request.param
    return found


@pytest.fixture(params=ONE_OF_EACH, ids=str)
def renewing(request: pytest.FixtureRequest) -> Way:
    """Return one way of each kind that can renew its tokens."""
    found: Way = request.param
    return found


@pytest.fixture
def ways() -> dict[str, Way]:
    """Return the ways by their names."""
    return {str(one): one for one in WAYS}


@pytest.fixture(autouse=True)
def _no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the machine that runs the tests may have of an identity out of them."""
    import os

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
    """Return a function that starts an emulator with one offer, and signs in to it in a way."""

    def start(way: Way, extra: dict[str, Any] | None = None, **settings: Any) -> Emulator:
        portal = serve(**settings)
        portal.add_offer(OFFER)
        for name, value in portal.environment_for(way.kind, way.environment or way.form).items():
            monkeypatch.setenv(name, value)
        use(portal.connection_for(way.kind, way.form), extra=dict(way.extra) | (extra or {}))
        return portal

    return start


def read_sync() -> Any:
    return CloudPartnerPortalHook().get_offer_status(OFFER)


def read_async() -> Any:
    return asyncio.run(CloudPartnerPortalHook().aget_offer_status(OFFER))


@pytest.fixture(params=[read_sync, read_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a read of an offer's status, over either wire."""
    found: Callable[[], Any] = request.param
    return found


@pytest.fixture
def source() -> Callable[[], TokenSource]:
    """Return a function that gives the process's source of tokens for the connection that is set."""
    return lambda: token_source(CloudPartnerPortalHook().get_settings())
