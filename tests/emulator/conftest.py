# SPDX-License-Identifier: Apache-2.0
"""A client of the portal that shares nothing with this package's own: requests, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_cpp.emulator import Emulator

OFFER = "contoso-vm"
VERSION = {"api-version": "2017-10-31"}


class Client:
    """Signs in and calls, as somebody's script would."""

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self._token = ""

    def sign_in(self, path: str = "oauth2/v2.0/token", tenant: str | None = None, **changes: str) -> requests.Response:
        """Ask for a token."""
        form = {"grant_type": "client_credentials", "client_id": self.portal.client_id}
        form |= {"client_secret": self.portal.client_secret, "scope": "https://cloudpartner.azure.com/.default"}
        url = f"{self.portal.url}/{tenant or self.portal.tenant_id}/{path}"
        return requests.post(url, data=form | changes, verify=str(self.portal.ca_file), timeout=10)

    def token(self) -> str:
        """Return a token."""
        self._token = self._token or self.sign_in().json()["access_token"]
        return self._token

    def call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Send a call; a path that begins with a slash is taken as it is."""
        url = path if path.startswith("/") else f"/api/publishers/contoso/offers/{path}"
        headers = {"Authorization": f"Bearer {token or self.token()}", **options.pop("headers", {})}
        options = {"params": None if "?" in url else VERSION, **options}
        send = requests.request
        return send(
            method,
            self.portal.url + url,
            headers=headers,
            verify=str(self.portal.ca_file),
            timeout=10,
            allow_redirects=False,
            **options,
        )

    def get(self, path: str, **options: Any) -> Any:
        """Return the JSON of an answer."""
        return self.call("GET", path, **options).json()

    def publish(self, offer: str = OFFER, **options: Any) -> requests.Response:
        """Order a publish."""
        return self.call("POST", f"{offer}/publish", data=json.dumps({"metadata": {}}), **options)

    def status(self, offer: str = OFFER) -> str:
        """Return an offer's status word."""
        return str(self.get(f"{offer}/status")["status"])


@pytest.fixture
def client(serve: Callable[..., Emulator]) -> Callable[..., Client]:
    """Return a function that starts an emulator with one offer and returns a client of it."""

    def start(scenario: str = "succeeds", history: str | None = None, **settings: Any) -> Client:
        portal = serve(**settings)
        portal.add_offer(OFFER, scenario, history)
        return Client(portal)

    return start
