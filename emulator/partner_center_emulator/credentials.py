# SPDX-License-Identifier: Apache-2.0
"""The files, environment variables and Airflow connections for each authentication method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partner_center_emulator.admin_api import managed_identity_routes
from partner_center_emulator.certificates import CertificateAuthority, IssuedCertificate
from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.identity import GRAPH, RESOURCE
from partner_center_emulator.managed_identity import HOSTS, ManagedIdentityEndpoint
from partner_center_emulator.product_ingestion.identifiers import BASE
from partner_center_emulator.server_thread import ServerThread
from partner_center_emulator.workload_identity import Issuer

AUTH_TYPES = ("client_secret", "certificate", "managed_identity", "workload_identity", "access_token")
CLOUD_PARTNER_PORTAL, PRODUCT_INGESTION = APIS = ("cloud_partner_portal", "product_ingestion")
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - for a temporary file of the emulator


POLL_INTERVAL = 1.0
"""Seconds between two polls that the connections set: a day takes seconds, so tasks must not poll once in a minute."""


class CredentialFactory:
    """A factory that issues and registers credentials, and writes their files on demand.

    :param cpp_api: the API whose Entra ID tenant accepts the credentials.
    :param host: the address of the managed identity endpoint, which starts on demand.
    """

    def __init__(self, cpp_api: CloudPartnerPortalAPI, host: str) -> None:
        self.cpp_api = cpp_api
        self.directory = Path()
        self.server_thumbprint = ""
        self.managed_identity = ManagedIdentityEndpoint(cpp_api.identity)
        self.issuer = Issuer()
        cpp_api.identity.assertions.issuers.append(self.issuer)
        self._host = host
        self._authority: CertificateAuthority | None = None
        self._issued: IssuedCertificate | None = None
        self._plain_http: ServerThread | None = None

    def stop(self) -> None:
        """Stop the managed identity endpoint."""
        if self._plain_http is not None:
            self._plain_http.stop()
            self._plain_http = None

    @property
    def authority(self) -> CertificateAuthority:
        """The authority that issues the application's certificates."""
        self._authority = self._authority or CertificateAuthority()
        return self._authority

    @property
    def certificate(self) -> IssuedCertificate:
        """The application's valid, registered certificate."""
        return self._issued or self.rotate_certificate(register=True)

    def rotate_certificate(self, *, register: bool, days: int = 365) -> IssuedCertificate:
        """Issue a new key and certificate to the application, and rewrite the existing files.

        :param register: whether it replaces the registered certificates; if False, only its issuer and subject are trusted.
        :param days: days until it expires; negative for a certificate that has already expired.
        """
        assertions = self.cpp_api.identity.assertions
        self._issued = self.authority.issue(
            "application" if self._issued is None else "application, rotated", days=days
        )
        if register:
            assertions.certificates = [self._issued.certificate]
        assertions.trusted = self.authority.certificate, self._issued.certificate.subject
        for name in ("certificate.pem", "certificate.pfx"):
            if (self.directory / name).exists():
                self.certificate_file(name.rpartition(".")[2])
        return self._issued

    def certificate_file(self, form: str = "pem") -> Path:
        """Write the certificate with its key: ``pem`` is not encrypted, ``pfx`` is encrypted with :data:`PASSPHRASE`."""
        own = self.certificate
        return self._write(f"certificate.{form}", own.pem().encode() if form == "pem" else own.pfx(PASSPHRASE))

    def federated_token(self, lifetime: float = 3600.0, **claims: Any) -> Path:
        """Write a new federated token of the workload, as a cluster does.

        :param lifetime: seconds until it expires; 3600 by default.
        :param claims: claims that replace the correct ones.
        """
        return self._write("federated-token", self.issuer.token(lifetime, **claims).encode())

    def connection(self, auth_type: str, form: str, api: str = CLOUD_PARTNER_PORTAL) -> dict[str, Any]:
        """Return an Airflow connection with this authentication method.

        :param api: the connection type, which selects the API: one of :data:`APIS`.
        """
        if api not in APIS:
            msg = f"api is {api!r}, not one of {', '.join(APIS)}"
            raise ValueError(msg)
        connection = self._authenticated_connection(auth_type, form, RESOURCE if api == CLOUD_PARTNER_PORTAL else GRAPH)
        if api == PRODUCT_INGESTION:
            del connection["extra"]["publisher_id"]
            connection["extra"]["scope"] = f"{GRAPH}/.default"
            connection |= {"conn_type": PRODUCT_INGESTION, "host": self.cpp_api.base + BASE}
        return connection

    def _authenticated_connection(self, auth_type: str, form: str, audience: str) -> dict[str, Any]:
        identity, managed_identity = self.cpp_api.identity, self.managed_identity
        application = {"login": identity.client_id, "tenant_id": identity.tenant_id}
        if auth_type == "client_secret":
            return self._connection(application, password=identity.client_secret)
        if auth_type == "certificate":
            return self._connection(application, auth=auth_type, **self._certificate_fields(form))
        if auth_type == "workload_identity":
            named = {} if form == "environment" else application | {"token_file": str(self.federated_token())}
            return self._connection(named, auth=auth_type)
        if auth_type == "managed_identity":
            user = managed_identity.user
            names: dict[str, dict[str, Any]] = {
                "client_id": {"login": user.client_id},
                "object_id": {"object_id": user.object_id},
            }
            names["resource_id"] = {"resource_id": user.resource_id}
            return self._connection(names.get(form, {}), auth=auth_type)
        if auth_type == "access_token":
            token = identity.issue_token(audience, self.cpp_api.base, auth_type, identity.client_id, "")
            return self._connection({}, auth=auth_type, password=token)
        msg = f"auth_type is {auth_type!r}, not one of {', '.join(AUTH_TYPES)}"
        raise ValueError(msg)

    def environment(self, auth_type: str, form: str) -> dict[str, str]:
        """Return the environment variables that Azure sets for this authentication method."""
        identity = self.cpp_api.identity
        if auth_type == "workload_identity":
            file = str(self.federated_token())
            ids = {"AZURE_CLIENT_ID": identity.client_id, "AZURE_TENANT_ID": identity.tenant_id}
            return ids | {"AZURE_FEDERATED_TOKEN_FILE": file}
        if auth_type == "managed_identity":
            return self._managed_identity_environment(form)
        return {}

    def _certificate_fields(self, form: str) -> dict[str, str]:
        if form == "inline":
            return {"private_key": self.certificate.pem()}
        if form == "pfx":
            return {"certificate_path": str(self.certificate_file("pfx")), "password": PASSPHRASE}
        return {"certificate_path": str(self.certificate_file())}

    def _managed_identity_environment(self, form: str) -> dict[str, str]:
        if (host := HOSTS.get(form)) is None:
            return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self._managed_identity_url()}
        is_fabric = form == "service-fabric"
        base = self.cpp_api.base if is_fabric else self._managed_identity_url()
        pinned = {"IDENTITY_SERVER_THUMBPRINT": self.server_thumbprint} if is_fabric else {}
        return dict(zip(host.variables, (base + host.path, self.managed_identity.header), strict=True)) | pinned

    def _connection(self, named: dict[str, Any], **fields: Any) -> dict[str, Any]:
        values = named | fields
        base = self.cpp_api.base
        common = {
            "authority": base,
            "verify": str((self.directory / "ca.pem").resolve()),
            "poll_interval": POLL_INTERVAL,
        }
        outer: dict[str, Any] = {name: values.pop(name) for name in ("login", "password") if name in values}
        extra = values | {"publisher_id": next(iter(self.cpp_api.publishers))} | common
        return {"conn_type": CLOUD_PARTNER_PORTAL, "host": base, **outer, "extra": extra}

    def _managed_identity_url(self) -> str:
        if self._plain_http is None:
            self._plain_http = ServerThread(self._host, 0)
            self._plain_http.serve(
                managed_identity_routes(self.cpp_api, self.managed_identity), self.cpp_api.dispatcher, None
            )
        return f"http://{self._host}:{self._plain_http.port}"

    def _write(self, name: str, content: bytes) -> Path:
        """Replace a file atomically."""
        path = (self.directory / name).resolve()
        new = path.with_suffix(f"{path.suffix}.new")
        new.touch(mode=0o600)
        new.write_bytes(content)
        return new.replace(path)
