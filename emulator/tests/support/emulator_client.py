# SPDX-License-Identifier: Apache-2.0
"""Clients of the two APIs that share no code with the provider; they use only requests."""

from __future__ import annotations

import json
from typing import Any

import requests
from partner_center_emulator import Emulator

OFFER = "contoso-vm"
VERSION = {"api-version": "2017-10-31"}
SCHEMAS = "https://schema.mp.microsoft.com/schema"
GRAPH = "https://graph.microsoft.com/.default"


class ProductIngestionClient:
    """Sends requests to the Product Ingestion API, as a user's script does."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._token = ""

    def request(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Send a request; a path without a leading slash is below the API's base URL."""
        self._token = self._token or self.client.sign_in(scope=GRAPH).json()["access_token"]
        url = path if path.startswith("/") else f"/rp/product-ingestion/{path}"
        options = {"params": {"$version": "2022-07-01"}, **options}
        return self.client.request(method, url, token=token or self._token, **options)

    def get(self, path: str, **query: str) -> Any:
        """Send a GET, and return the JSON of the response."""
        return self.request("GET", path, params={"$version": "2022-07-01", **query}).json()

    def product(self, offer: str = OFFER) -> str:
        """Return a product's durable id."""
        return str(self.get("product", externalId=offer)["value"][0]["id"])

    def guid(self, offer: str = OFFER) -> str:
        """Return a product's GUID."""
        return self.product(offer).removeprefix("product/")

    def submissions(self, offer: str = OFFER, **query: str) -> list[dict[str, Any]]:
        """Return a product's submissions, the draft first, then by creation time."""
        submissions: list[dict[str, Any]] = self.get(f"submission/{self.guid(offer)}", **query)["value"]
        return sorted(submissions, key=lambda one: (one.get("created", ""), one["target"]["targetType"] == "live"))

    def statuses(self, offer: str = OFFER) -> list[tuple[str, ...]]:
        """Return target, status and result of each submission except the draft."""
        entries = self.submissions(offer)[1:]
        return [(one["target"]["targetType"], one["status"], one["result"]) for one in entries]

    def submission(self, target: str) -> str:
        """Return the id of the newest submission to a target."""
        return str([one["id"] for one in self.submissions() if one["target"]["targetType"] == target][-1])

    def configure(self, *resources: dict[str, Any], **options: Any) -> requests.Response:
        """Submit a configure request."""
        body = {"$schema": f"{SCHEMAS}/configure/2022-03-01-preview2", "resources": list(resources)}
        return self.request("POST", "configure", data=json.dumps(body), **options)

    def publish(self, *resources: dict[str, Any], offer: str = OFFER, **changes: Any) -> requests.Response:
        """Submit a publish to preview."""
        return self.configure(*resources, self.new_submission("preview", offer) | changes)

    def go_live(self, submission: str | None = None, offer: str = OFFER) -> requests.Response:
        """Submit a go-live."""
        named = {"id": submission} if submission is not None else {}
        return self.configure(self.new_submission("live", offer) | named)

    def new_submission(self, target: str, offer: str = OFFER) -> dict[str, Any]:
        """Return a submission resource for a configure request."""
        url = f"{SCHEMAS}/submission/2022-03-01-preview2"
        return {"$schema": url, "product": self.product(offer), "target": {"targetType": target}}

    def job(self, job: str) -> tuple[str, str]:
        """Return a job's status and result."""
        body = self.get(f"configure/{job}/status")
        return body["jobStatus"], body["jobResult"]

    def errors(self, job: str) -> Any:
        """Return a job's errors."""
        return self.get(f"configure/{job}/status")["errors"]

    def configuration(self, offer: str = OFFER, plan: str = "gold") -> dict[str, Any]:
        """Return a plan's technical configuration."""
        plan_id = self.get("plan", product=self.product(offer), externalId=plan)["value"][0]["id"]
        return dict(self.get(plan_id.replace("plan/", "virtual-machine-plan-technical-configuration/", 1)))


class Client:
    """Signs in and sends requests to the CPP API, as a user's script does."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._token = ""
        self.product_ingestion = ProductIngestionClient(self)

    def sign_in(self, path: str = "oauth2/v2.0/token", tenant: str | None = None, **changes: str) -> requests.Response:
        """Request a token."""
        form = {"grant_type": "client_credentials", "client_id": self.emulator.client_id}
        form |= {"client_secret": self.emulator.client_secret, "scope": "https://cloudpartner.azure.com/.default"}
        url = f"{self.emulator.url}/{tenant or self.emulator.tenant_id}/{path}"
        return requests.post(url, data=form | changes, verify=str(self.emulator.ca_file), timeout=10)

    def token(self) -> str:
        """Return a token."""
        self._token = self._token or self.sign_in().json()["access_token"]
        return self._token

    def request(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Send a request; a path without a leading slash is below the publisher's offers."""
        url = path if path.startswith("/") else f"/api/publishers/contoso/offers/{path}"
        headers = {"Authorization": f"Bearer {token or self.token()}", **options.pop("headers", {})}
        options = {"params": None if "?" in url else VERSION, **options}
        return requests.request(
            method,
            self.emulator.url + url,
            headers=headers,
            verify=str(self.emulator.ca_file),
            timeout=10,
            allow_redirects=False,
            **options,
        )

    def get(self, path: str, **options: Any) -> Any:
        """Send a GET, and return the JSON of the response."""
        return self.request("GET", path, **options).json()

    def publish(self, offer: str = OFFER, **options: Any) -> requests.Response:
        """Submit a publish."""
        return self.request("POST", f"{offer}/publish", data=json.dumps({"metadata": {}}), **options)

    def status(self, offer: str = OFFER) -> str:
        """Return an offer's status word."""
        return str(self.get(f"{offer}/status")["status"])
