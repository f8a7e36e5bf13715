# SPDX-License-Identifier: Apache-2.0
"""A client of the portal that shares nothing with this package's own: requests, and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from partner_center_emulator import Emulator, ManualClock, Settings

OFFER = "contoso-vm"
VERSION = {"api-version": "2017-10-31"}


SCHEMAS = "https://schema.mp.microsoft.com/schema"
GRAPH = "https://graph.microsoft.com/.default"


class Ingestion:
    """Calls the Product Ingestion API, as somebody's script would."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._token = ""

    def call(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Send a call; a path that begins with a slash is taken as it is."""
        self._token = self._token or self.client.sign_in(scope=GRAPH).json()["access_token"]
        url = path if path.startswith("/") else f"/rp/product-ingestion/{path}"
        options = {"params": {"$version": "2022-07-01"}, **options}
        return self.client.call(method, url, token=token or self._token, **options)

    def get(self, path: str, **query: str) -> Any:
        """Return the JSON of an answer."""
        return self.call("GET", path, params={"$version": "2022-07-01", **query}).json()

    def product(self, offer: str = OFFER) -> str:
        """Return a product's durable id."""
        return str(self.get("product", externalId=offer)["value"][0]["id"])

    def guid(self, offer: str = OFFER) -> str:
        """Return a product's GUID."""
        return self.product(offer).removeprefix("product/")

    def submissions(self, offer: str = OFFER, **query: str) -> list[dict[str, Any]]:
        """Return a product's submissions, the draft first and then by when they were made."""
        found: list[dict[str, Any]] = self.get(f"submission/{self.guid(offer)}", **query)["value"]
        return sorted(found, key=lambda one: (one.get("created", ""), one["target"]["targetType"] == "live"))

    def shown(self, offer: str = OFFER) -> list[tuple[str, ...]]:
        """Return target, status and result of each submission but the draft."""
        entries = self.submissions(offer)[1:]
        return [(one["target"]["targetType"], one["status"], one["result"]) for one in entries]

    def submission(self, target: str) -> str:
        """Return the id of the newest submission to a target."""
        return str([one["id"] for one in self.submissions() if one["target"]["targetType"] == target][-1])

    def configure(self, *resources: dict[str, Any], **options: Any) -> requests.Response:
        """Order a job."""
        body = {"$schema": f"{SCHEMAS}/configure/2022-03-01-preview2", "resources": list(resources)}
        return self.call("POST", "configure", data=json.dumps(body), **options)

    def publish(self, *resources: dict[str, Any], offer: str = OFFER, **changes: Any) -> requests.Response:
        """Order a publish to preview."""
        return self.configure(*resources, self.order("preview", offer) | changes)

    def go_live(self, submission: str | None = None, offer: str = OFFER) -> requests.Response:
        """Order to go live."""
        named = {"id": submission} if submission is not None else {}
        return self.configure(self.order("live", offer) | named)

    def order(self, target: str, offer: str = OFFER) -> dict[str, Any]:
        """Return a submission."""
        url = f"{SCHEMAS}/submission/2022-03-01-preview2"
        return {"$schema": url, "product": self.product(offer), "target": {"targetType": target}}

    def job(self, job: str) -> tuple[str, str]:
        """Return a job's two words."""
        body = self.get(f"configure/{job}/status")
        return body["jobStatus"], body["jobResult"]

    def errors(self, job: str) -> Any:
        """Return a job's errors."""
        return self.get(f"configure/{job}/status")["errors"]

    def configuration(self, offer: str = OFFER, plan: str = "gold") -> dict[str, Any]:
        """Return a plan's technical configuration."""
        found = self.get("plan", product=self.product(offer), externalId=plan)["value"][0]["id"]
        return dict(self.get(found.replace("plan/", "virtual-machine-plan-technical-configuration/", 1)))


class Client:
    """Signs in and calls, as somebody's script would."""

    def __init__(self, portal: Emulator) -> None:
        self.portal = portal
        self._token = ""
        self.ingestion = Ingestion(self)

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
def serve() -> Iterator[Callable[..., Emulator]]:
    """Return a function that starts an emulator with these settings and a clock that stands still."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Emulator(Settings(**settings), ManualClock()))


@pytest.fixture
def client(serve: Callable[..., Emulator]) -> Callable[..., Client]:
    """Return a function that starts an emulator with one offer and returns a client of it."""

    def start(scenario: str = "succeeds", history: str | None = None, **settings: Any) -> Client:
        portal = serve(**settings)
        portal.add_offer(OFFER, scenario, history)
        return Client(portal)

    return start
