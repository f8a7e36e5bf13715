# SPDX-License-Identifier: Apache-2.0
"""The ways to sign in, each a frozen value with what it needs; nothing here reads a file or asks anybody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Self

from airflow_provider_cpp.transport.connection_fields import ConnectionFields

TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
THUMBPRINT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LOGIN, TENANT_FIELD = "login (application id)", "tenant_id in extra"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """An application that says its secret.

    :param client_id: the application (client) id.
    :param tenant_id: the tenant in which it is registered.
    :param secret: what it says; never shown.
    """

    auth_type: ClassVar[str] = "client_secret"
    client_id: str
    tenant_id: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, form: ConnectionFields) -> Self:
        """Read the fields of this kind."""
        client_id = form.required(LOGIN, form.login)
        secret = form.required("password (client secret)", form.password)
        return cls(client_id, _tenant(form, TENANT_FIELD, form.text("tenant_id")), secret)

    @property
    def principal(self) -> str:
        """Say who signs in, for an error."""
        return f"client {self.client_id} in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """An application that signs with its certificate's key. Files are read anew for each token, so they may be rotated.

    :param client_id: the application (client) id.
    :param tenant_id: the tenant in which it is registered.
    :param path: a PEM or PFX file; the key, the certificate, or both.
    :param key_path: a PEM file with the key, where it is a file of its own.
    :param private_key: the same as text, PEM; never shown.
    :param passphrase: what opens the key; None if it lies open; never shown.
    :param thumbprint: the certificate's, in lower-case hexadecimals, SHA-1 or SHA-256; None: the certificate tells.
    :param send_x5c: whether the certificate itself goes along, for applications that trust its issuer and subject.
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
    def read(cls, form: ConnectionFields) -> Self:
        """Read the fields of this kind."""
        client_id = form.required(LOGIN, form.login)
        tenant_id = _tenant(form, TENANT_FIELD, form.text("tenant_id"))
        path, key_path, inline = form.file("certificate_path"), form.file("private_key_path"), form.text("private_key")
        if not (path or key_path or inline):
            form.missing.append("certificate_path or private_key in extra")
        thumbprint = re.sub(r"[\s:]", "", form.text("thumbprint") or "").lower() or None
        if thumbprint and not THUMBPRINT.fullmatch(thumbprint):
            form.problems.append("thumbprint in extra must be 40 or 64 hexadecimal digits")
        passphrase = form.password or None
        send_x5c = form.flag("send_x5c")
        return cls(client_id, tenant_id, path, key_path, inline, passphrase, thumbprint, send_x5c)

    @property
    def principal(self) -> str:
        """Say who signs in, for an error."""
        return f"client {self.client_id} with its certificate in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """An identity that Azure gives to the machine itself; at most one of the three names which.

    :param client_id: the client id of a user-assigned one.
    :param object_id: its object (principal) id.
    :param resource_id: its resource id, ``/subscriptions/...``.
    """

    auth_type: ClassVar[str] = "managed_identity"
    client_id: str | None = None
    object_id: str | None = None
    resource_id: str | None = None

    @classmethod
    def read(cls, form: ConnectionFields) -> Self:
        """Read the fields of this kind."""
        one = cls(form.login or None, form.text("object_id"), form.text("resource_id"))
        if sum(part is not None for part in (one.client_id, one.object_id, one.resource_id)) > 1:
            form.problems.append(
                "login, object_id and resource_id each name a managed identity: give one of them, or none for the"
                " machine's own"
            )
        return one

    @property
    def principal(self) -> str:
        """Say who signs in, for an error."""
        named = self.client_id or self.object_id or self.resource_id
        return f"managed identity {named}" if named else "this machine's own managed identity"


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """An application that trusts somebody else's token, a Kubernetes service account's for example.

    :param client_id: the application (client) id.
    :param tenant_id: the tenant in which it is registered.
    :param token_file: where that token is kept fresh; it is read anew for each of ours.
    """

    auth_type: ClassVar[str] = "workload_identity"
    client_id: str
    tenant_id: str
    token_file: str

    @classmethod
    def read(cls, form: ConnectionFields) -> Self:
        """Read the fields of this kind; what is empty may stand in the environment, where Azure's webhook puts it."""
        env = form.environ
        client_id = form.required(f"{LOGIN} or AZURE_CLIENT_ID", form.login or env.get("AZURE_CLIENT_ID"))
        name = f"{TENANT_FIELD} or AZURE_TENANT_ID"
        tenant_id = _tenant(form, name, form.text("tenant_id") or env.get("AZURE_TENANT_ID"))
        name = "token_file in extra or AZURE_FEDERATED_TOKEN_FILE"
        file = form.required(name, form.text("token_file") or env.get("AZURE_FEDERATED_TOKEN_FILE"))
        return cls(client_id, tenant_id, form.existing(name, file or None) or "")

    @property
    def principal(self) -> str:
        """Say who signs in, for an error."""
        return f"client {self.client_id} with its federated token in tenant {self.tenant_id}"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that somebody else acquired; it is used as it is, and nobody here can renew it.

    :param value: the token; never shown.
    """

    auth_type: ClassVar[str] = "access_token"
    value: str = field(repr=False)

    @classmethod
    def read(cls, form: ConnectionFields) -> Self:
        """Read the fields of this kind."""
        tokens = {form.password.strip(), form.text("access_token") or ""} - {""}
        value = form.required("password (access token) or access_token in extra", min(tokens, default=None))
        value = value.removeprefix("Bearer ").strip()
        if len(tokens) > 1:
            form.problems.append("password and access_token in extra are two tokens: give one of them")
        if value and not is_token(value):
            form.problems.append("the access token has blanks or letters in it that no token has")
        return cls(value)

    @property
    def principal(self) -> str:
        """Say who signs in, for an error."""
        return "the connection's access token"


Credentials = ClientSecret | Certificate | ManagedIdentity | WorkloadIdentity | AccessToken

AUTH_TYPES: dict[str, type[Credentials]] = {
    one.auth_type: one for one in (ClientSecret, Certificate, ManagedIdentity, WorkloadIdentity, AccessToken)
}
"""What ``auth`` in a connection's extra may be; the first is meant where it is empty."""


def _tenant(form: ConnectionFields, name: str, value: str | None) -> str:
    tenant = form.required(name, value)
    if tenant and not TENANT.fullmatch(tenant):
        form.problems.append("tenant_id must be the tenant's id or one of its domain names")
    return tenant


def is_token(value: object) -> bool:
    """Say whether it can be sent as a token: printable letters of ASCII, without a blank."""
    return isinstance(value, str) and value != "" and all("!" <= letter <= "~" for letter in value)
