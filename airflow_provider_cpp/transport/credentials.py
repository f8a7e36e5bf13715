# SPDX-License-Identifier: Apache-2.0
"""The credentials of each authentication method, as frozen dataclasses. This module reads no file and sends no request.

As text, credentials are the identity, for errors.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import ClassVar, Self

from airflow_provider_cpp.transport.connection_fields import ConnectionFields

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
THUMBPRINT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LOGIN, TENANT_FIELD = "login (application id)", "tenant_id in extra"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The credentials of an application with a client secret."""

    auth_type: ClassVar[str] = "client_secret"
    client_id: str
    tenant_id: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, fields: ConnectionFields) -> Self:
        """Parse the connection fields."""
        client_id = fields.required(LOGIN, fields.login)
        secret = fields.required("password (client secret)", fields.password)
        return cls(client_id, _tenant(fields, TENANT_FIELD, fields.text("tenant_id")), secret)

    def __str__(self) -> str:
        return f"client {self.client_id} in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The credentials of an application with a certificate. The files are read for each token, so they may be rotated.

    :param path: a PEM or PFX file with the key, the certificate, or both.
    :param key_path: a PEM file with the key, if it is in a separate file.
    :param private_key: the key as PEM text.
    :param passphrase: the passphrase of the key; None if it is not encrypted.
    :param thumbprint: SHA-1 or SHA-256 in lowercase hexadecimal digits; None to compute it from the certificate.
    :param send_x5c: whether to send the certificate, for applications that trust its issuer and subject; False by default.
    """

    auth_type: ClassVar[str] = "certificate"
    client_id: str
    tenant_id: str
    path: str | None = None
    key_path: str | None = None
    private_key: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)
    thumbprint: str | None = None
    send_x5c: bool = False

    @classmethod
    def read(cls, fields: ConnectionFields) -> Self:
        """Parse the connection fields."""
        client_id = fields.required(LOGIN, fields.login)
        tenant_id = _tenant(fields, TENANT_FIELD, fields.text("tenant_id"))
        path, key_path = fields.file("certificate_path"), fields.file("private_key_path")
        inline = fields.text("private_key")
        if not (path or key_path or inline):
            fields.missing.append("certificate_path or private_key in extra")
        thumbprint = re.sub(r"[\s:]", "", fields.text("thumbprint") or "").lower() or None
        if thumbprint and not THUMBPRINT.fullmatch(thumbprint):
            fields.problems.append("thumbprint in extra must be 40 or 64 hexadecimal digits")
        passphrase = fields.password or None
        return cls(client_id, tenant_id, path, key_path, inline, passphrase, thumbprint, fields.flag("send_x5c"))

    def __str__(self) -> str:
        return f"client {self.client_id} with its certificate in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """A managed identity of this machine: system-assigned, unless one of the three fields is set.

    :param client_id: the client ID.
    :param object_id: the object (principal) ID.
    :param resource_id: the resource ID, ``/subscriptions/...``.
    """

    auth_type: ClassVar[str] = "managed_identity"
    client_id: str | None = None
    object_id: str | None = None
    resource_id: str | None = None

    @classmethod
    def read(cls, fields: ConnectionFields) -> Self:
        """Parse the connection fields."""
        ids = fields.login or None, fields.text("object_id"), fields.text("resource_id")
        if sum(one is not None for one in ids) > 1:
            fields.problems.append(
                "login, object_id and resource_id each select a managed identity: set only one of them, or none for the"
                " system-assigned identity"
            )
        return cls(*ids)

    def __str__(self) -> str:
        selected = self.client_id or self.object_id or self.resource_id
        return f"managed identity {selected}" if selected else "this machine's system-assigned managed identity"


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """An application that trusts a federated token, for example of a Kubernetes service account.

    :param token_file: the file with the federated token; it is read for each access token.
    """

    auth_type: ClassVar[str] = "workload_identity"
    client_id: str
    tenant_id: str
    token_file: str

    @classmethod
    def read(cls, fields: ConnectionFields) -> Self:
        """Parse the connection fields; empty ones default to the environment variables of Azure's workload identity webhook."""
        client_id = fields.required(f"{LOGIN} or AZURE_CLIENT_ID", fields.login or os.environ.get("AZURE_CLIENT_ID"))
        name = f"{TENANT_FIELD} or AZURE_TENANT_ID"
        tenant_id = _tenant(fields, name, fields.text("tenant_id") or os.environ.get("AZURE_TENANT_ID"))
        name = "token_file in extra or AZURE_FEDERATED_TOKEN_FILE"
        file = fields.required(name, fields.text("token_file") or os.environ.get("AZURE_FEDERATED_TOKEN_FILE"))
        return cls(client_id, tenant_id, fields.existing(name, file or None) or "")

    def __str__(self) -> str:
        return f"client {self.client_id} with its federated token in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that was acquired elsewhere and cannot be renewed."""

    auth_type: ClassVar[str] = "access_token"
    value: str = field(repr=False)

    @classmethod
    def read(cls, fields: ConnectionFields) -> Self:
        """Parse the connection fields."""
        tokens = {fields.password.strip(), fields.text("access_token") or ""} - {""}
        value = fields.required("password (access token) or access_token in extra", min(tokens, default=None))
        value = value.removeprefix("Bearer ").strip()
        if len(tokens) > 1:
            fields.problems.append("password and access_token in extra hold two tokens: set only one of them")
        if value and not is_token(value):
            fields.problems.append("the access token contains blanks or other invalid characters")
        return cls(value)

    def __str__(self) -> str:
        return "the connection's access token"


Credentials = ClientSecret | Certificate | ManagedIdentity | WorkloadIdentity | AccessToken

AUTH_TYPES: dict[str, type[Credentials]] = {
    one.auth_type: one for one in (ClientSecret, Certificate, ManagedIdentity, WorkloadIdentity, AccessToken)
}
"""The values of ``auth`` in a connection's extra; the first one is the default."""


def _tenant(fields: ConnectionFields, name: str, value: str | None) -> str:
    tenant = fields.required(name, value)
    if tenant and not TENANT.fullmatch(tenant):
        fields.problems.append("tenant_id must be the tenant's id or one of its domain names")
    return tenant


def is_token(value: object) -> bool:
    """Return whether a value can be sent as a token: printable ASCII without spaces."""
    return isinstance(value, str) and value != "" and all("!" <= letter <= "~" for letter in value)
