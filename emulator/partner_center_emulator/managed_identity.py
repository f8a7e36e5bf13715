# SPDX-License-Identifier: Apache-2.0
"""The endpoints that issue tokens to managed identities on Azure hosts, over plain HTTP except for Service Fabric."""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from partner_center_emulator.errors import ManagedIdentityError
from partner_center_emulator.identity import RESOURCES, EntraTenant

IMDS = "/metadata/identity/oauth2/token"
RESOURCE_ID = (
    "/subscriptions/{}/resourceGroups/release/providers/Microsoft.ManagedIdentity/userAssignedIdentities/airflow"
)


@dataclass(frozen=True, slots=True)
class Host:
    """The token endpoint of an Azure service other than a virtual machine.

    :param path: the path of the endpoint.
    :param header: the header for the secret from the process's environment.
    :param version: the API version.
    :param client_name: the query parameter for a client ID.
    :param resource_name: the query parameter for a resource ID.
    :param variables: the environment variables for the URL and the secret.
    """

    path: str
    header: str
    version: str
    client_name: str
    resource_name: str
    variables: tuple[str, str]

    def error(self, status: int, code: str, text: str) -> ManagedIdentityError:
        """Return an error in the format of this host."""
        correlation_id = str(uuid.uuid4())
        if self is HOSTS["service-fabric"]:
            return ManagedIdentityError(
                status, {"error": {"correlationId": correlation_id, "code": code, "message": text}}
            )
        return ManagedIdentityError(status, {"statusCode": status, "message": text, "correlationId": correlation_id})


ENDPOINT, SECRET = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"), "secret"
HOSTS = {
    "app-service": Host("/msi/token", "x-identity-header", "2019-08-01", "client_id", "mi_res_id", ENDPOINT),
    "machine-learning": Host(
        "/msi/learning", SECRET, "2017-09-01", "clientid", "msi_res_id", ("MSI_ENDPOINT", "MSI_SECRET")
    ),
    "service-fabric": Host("/msi/fabric", SECRET, "2019-07-01-preview", "client_id", "mi_res_id", ENDPOINT),
}
"""App Service (and Functions, Container Apps), Machine Learning, Service Fabric; the last over TLS."""


def _new() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A managed identity.

    :param resource_id: the resource ID; None for a system-assigned identity.
    """

    client_id: str = field(default_factory=_new)
    object_id: str = field(default_factory=_new)
    resource_id: str | None = None

    def is_named(self, client_id: str | None, object_id: str | None, resource_id: str | None) -> bool:
        """Return whether all IDs that are given identify this identity."""
        ids = (client_id, self.client_id), (object_id, self.object_id), (resource_id, self.resource_id)
        return all(value is None or value.lower() == (own or "").lower() for value, own in ids)


@dataclass(slots=True)
class ManagedIdentityEndpoint:
    """A service that issues tokens to managed identities.

    :param identity: the Entra ID tenant, which signs the tokens.
    :param system: the system-assigned identity; None if there is none.
    :param user: the user-assigned identity.
    :param header: the secret in the environment of the host's processes.
    """

    identity: EntraTenant
    system: ManagedIdentity | None = field(default_factory=ManagedIdentity)
    user: ManagedIdentity = field(default_factory=lambda: ManagedIdentity(resource_id=RESOURCE_ID.format(_new())))
    header: str = field(default_factory=lambda: secrets.token_hex(16).upper(), repr=False)

    def imds(self, headers: Mapping[str, str], query: Mapping[str, str], base: str) -> dict[str, Any]:
        """Return the response of a virtual machine's instance metadata service (IMDS).

        :raises ManagedIdentityError: if the real service would reject the request.
        """
        if headers.get("metadata", "").lower() != "true":
            raise _imds_error("Required metadata header not specified")
        if "x-forwarded-for" in headers:
            raise _imds_error("Requests that were forwarded are not served")
        if query.get("api-version") not in ("2018-02-01", "2019-08-01"):
            raise _imds_error("Invalid api-version")
        if not query.get("resource"):
            raise _imds_error("Required query variable 'resource' is missing")
        identity = self._find(query, "msi_res_id")
        if identity is None:
            raise _imds_error("Identity not found")
        if query["resource"].rstrip("/") not in RESOURCES:
            text = "AADSTS500011: The resource principal was not found in the tenant."
            raise ManagedIdentityError(400, {"error": "invalid_resource", "error_description": text})
        life = str(int(self.identity.lifetime))
        times = {"expires_in": life, "ext_expires_in": life}
        return self._token_response(identity, query["resource"], base) | times

    def host(self, name: str, headers: Mapping[str, str], query: Mapping[str, str], base: str) -> dict[str, Any]:
        """Return the response of another host, one of :data:`HOSTS`.

        :raises ManagedIdentityError: if the real service would reject the request.
        """
        host = HOSTS[name]
        if not hmac.compare_digest(headers.get(host.header, ""), self.header):
            raise host.error(401, "SecretHeaderNotFound", f"Unauthorized: {host.header.upper()} is missing or wrong")
        if query.get("api-version") != host.version:
            raise host.error(400, "InvalidApiVersion", "The api-version is invalid or not supported")
        identity = self._find(query, host.resource_name, host.client_name)
        if identity is None:
            text = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId"
            raise host.error(400, "ManagedIdentityNotFound", text)
        if query.get("resource", "").rstrip("/") not in RESOURCES:
            raise host.error(500, "InternalError", "An unexpected error occurred while fetching the AAD Token")
        return self._token_response(identity, query["resource"], base)

    def _find(
        self, query: Mapping[str, str], resource_name: str, client_name: str = "client_id"
    ) -> ManagedIdentity | None:
        names = query.get(client_name), query.get("object_id"), query.get(resource_name)
        known = [one for one in (self.system, self.user) if one is not None]
        return next((one for one in known if one.is_named(*names) and (any(names) or one is self.system)), None)

    def _token_response(self, one: ManagedIdentity, resource: str, base: str) -> dict[str, Any]:
        detail = "user assigned" if one is self.user else "system assigned"
        value = self.identity.issue_token(resource, base, "managed_identity", one.client_id, detail)
        now = int(time.time())
        times = {"expires_on": str(now + int(self.identity.lifetime)), "not_before": str(now)}
        named = {"client_id": one.client_id, "resource": resource, "token_type": "Bearer"}
        return named | times | {"access_token": value}


def _imds_error(text: str) -> ManagedIdentityError:
    return ManagedIdentityError(400, {"error": "invalid_request", "error_description": text})
