# SPDX-License-Identifier: Apache-2.0
"""A machine in Azure that has identities: what gives it tokens, over plain HTTP, to whoever runs on it."""

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
    """How a place in Azure that is no virtual machine gives tokens to what runs in it.

    :param path: where.
    :param header: the header with the secret that it put into the environment.
    :param version: its API's version.
    :param client_name: how a client id is named in the query.
    :param resource_name: the same for a resource id.
    :param variables: the environment variables for address and secret.
    """

    path: str
    header: str
    version: str
    client_name: str
    resource_name: str
    variables: tuple[str, str]

    def refused(self, status: int, code: str, text: str) -> ManagedIdentityError:
        """Refuse in this host's form."""
        support = str(uuid.uuid4())
        if self is HOSTS["service-fabric"]:
            return ManagedIdentityError(status, {"error": {"correlationId": support, "code": code, "message": text}})
        return ManagedIdentityError(status, {"statusCode": status, "message": text, "correlationId": support})


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
    """An identity that a machine may have.

    :param resource_id: its resource id; the machine's own has none.
    """

    client_id: str = field(default_factory=_new)
    object_id: str = field(default_factory=_new)
    resource_id: str | None = None

    def is_named(self, client_id: str | None, object_id: str | None, resource_id: str | None) -> bool:
        """Say whether it is this one that is asked for."""
        asked = (client_id, self.client_id), (object_id, self.object_id), (resource_id, self.resource_id)
        return all(value is None or value.lower() == (own or "").lower() for value, own in asked)


@dataclass(slots=True)
class ManagedIdentityEndpoint:
    """What answers at the machine's own addresses.

    :param identity: signs the tokens.
    :param system: the machine's own identity; None if it has none.
    :param user: one that was assigned to it.
    :param header: the secret that such a host puts into a process's environment.
    """

    identity: EntraTenant
    system: ManagedIdentity | None = field(default_factory=ManagedIdentity)
    user: ManagedIdentity = field(default_factory=lambda: ManagedIdentity(resource_id=RESOURCE_ID.format(_new())))
    header: str = field(default_factory=lambda: secrets.token_hex(16).upper(), repr=False)

    def imds(self, headers: Mapping[str, str], query: Mapping[str, str], base: str) -> dict[str, Any]:
        """Answer as a virtual machine's metadata service.

        :raises MachineRefused: as it would.
        """
        if headers.get("metadata", "").lower() != "true":
            raise _imds("Required metadata header not specified")
        if "x-forwarded-for" in headers:
            raise _imds("Requests that were forwarded are not served")
        if query.get("api-version") not in ("2018-02-01", "2019-08-01"):
            raise _imds("Invalid api-version")
        if not query.get("resource"):
            raise _imds("Required query variable 'resource' is missing")
        one = self._find(query, "msi_res_id")
        if one is None:
            raise _imds("Identity not found")
        if query["resource"].rstrip("/") not in RESOURCES:
            text = "AADSTS500011: The resource principal was not found in the tenant."
            raise ManagedIdentityError(400, {"error": "invalid_resource", "error_description": text})
        life = str(int(self.identity.lifetime))
        times = {"expires_in": life, "ext_expires_in": life}
        return self._granted(one, query["resource"], base) | times

    def host(self, kind: str, headers: Mapping[str, str], query: Mapping[str, str], base: str) -> dict[str, Any]:
        """Answer as another host than a virtual machine does, one of :data:`HOSTS`.

        :raises MachineRefused: as it would.
        """
        one = HOSTS[kind]
        if not hmac.compare_digest(headers.get(one.header, ""), self.header):
            raise one.refused(401, "SecretHeaderNotFound", f"Unauthorized: {one.header.upper()} is missing or wrong")
        if query.get("api-version") != one.version:
            raise one.refused(400, "InvalidApiVersion", "The api-version is invalid or not supported")
        found = self._find(query, one.resource_name, one.client_name)
        if found is None:
            text = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId"
            raise one.refused(400, "ManagedIdentityNotFound", text)
        if query.get("resource", "").rstrip("/") not in RESOURCES:
            raise one.refused(500, "InternalError", "An unexpected error occurred while fetching the AAD Token")
        return self._granted(found, query["resource"], base)

    def _find(
        self, query: Mapping[str, str], resource_name: str, client_name: str = "client_id"
    ) -> ManagedIdentity | None:
        names = query.get(client_name), query.get("object_id"), query.get(resource_name)
        known = [one for one in (self.system, self.user) if one is not None]
        return next((one for one in known if one.is_named(*names) and (any(names) or one is self.system)), None)

    def _granted(self, one: ManagedIdentity, resource: str, base: str) -> dict[str, Any]:
        how = "user assigned" if one is self.user else "system assigned"
        value = self.identity.grant(resource, base, "managed_identity", one.client_id, how)
        now = int(time.time())
        times = {"expires_on": str(now + int(self.identity.lifetime)), "not_before": str(now)}
        named = {"client_id": one.client_id, "resource": resource, "token_type": "Bearer"}
        return named | times | {"access_token": value}


def _imds(text: str) -> ManagedIdentityError:
    return ManagedIdentityError(400, {"error": "invalid_request", "error_description": text})
