# SPDX-License-Identifier: Apache-2.0
"""What clients need for each way to sign in: files, environment variables, Airflow connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partner_center_emulator.admin_api import machine_routes
from partner_center_emulator.certificates import CertificateAuthority, Issued
from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.identity import GRAPH, RESOURCE
from partner_center_emulator.managed_identity import HOSTS, ManagedIdentityEndpoint
from partner_center_emulator.product_ingestion.identifiers import BASE
from partner_center_emulator.server_thread import ServerThread
from partner_center_emulator.workload_identity import Issuer

AUTH_TYPES = ("client_secret", "certificate", "managed_identity", "workload_identity", "access_token")
PORTAL, INGESTION = APIS = ("cloud_partner_portal", "product_ingestion")
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - of a file that is thrown away with the emulator


class CredentialFactory:
    """Registers, issues and writes what is asked for, when it is asked for.

    :param portal: whose Entra ID it is.
    :param host: where the machine's own addresses are served, once they are wanted.
    """

    def __init__(self, portal: CloudPartnerPortalAPI, host: str) -> None:
        self.portal = portal
        self.directory = Path()
        self.server_thumbprint = ""
        self.machine = ManagedIdentityEndpoint(portal.identity)
        self.issuer = Issuer()
        portal.identity.assertions.issuers.append(self.issuer)
        self._host = host
        self._authority: CertificateAuthority | None = None
        self._issued: Issued | None = None
        self._plain: ServerThread | None = None

    def stop(self) -> None:
        """Stop what was started."""
        if self._plain is not None:
            self._plain.stop()
            self._plain = None

    @property
    def authority(self) -> CertificateAuthority:
        """Who issues certificates to the application."""
        self._authority = self._authority or CertificateAuthority()
        return self._authority

    @property
    def certificate(self) -> Issued:
        """The application's certificate, registered and good."""
        return self._issued or self.rotate_certificate(register=True)

    def rotate_certificate(self, *, register: bool, days: int = 365) -> Issued:
        """Give the application another key and certificate, and write those files anew that were written.

        :param register: whether it is registered instead of those before; else only its issuer and subject count.
        :param days: for how long it is good; below 0, it expired that long ago.
        """
        assertions = self.portal.identity.assertions
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
        """Write the certificate with its key: ``pem`` lies open, ``pfx`` is closed by :data:`PASSPHRASE`."""
        own = self.certificate
        return self._write(f"certificate.{form}", own.pem().encode() if form == "pem" else own.pfx(PASSPHRASE))

    def federated_token(self, lifetime: float = 3600.0, **claims: Any) -> Path:
        """Write a token of the workload's, or write it anew, as a cluster does."""
        return self._write("federated-token", self.issuer.token(lifetime, **claims).encode())

    def connection(self, kind: str, form: str, api: str = PORTAL) -> dict[str, Any]:
        """Return an Airflow connection that signs in this way.

        :param api: the connection's type, which says to which API: one of :data:`APIS`.
        """
        if api not in APIS:
            msg = f"there is no API that is called {api!r}; there are: {', '.join(APIS)}"
            raise ValueError(msg)
        connection = self._signed_in(kind, form, RESOURCE if api == PORTAL else GRAPH)
        if api == INGESTION:
            del connection["extra"]["publisher_id"]
            connection["extra"]["scope"] = f"{GRAPH}/.default"
            connection |= {"conn_type": INGESTION, "host": self.portal.base + BASE}
        return connection

    def _signed_in(self, kind: str, form: str, audience: str) -> dict[str, Any]:
        identity, machine = self.portal.identity, self.machine
        application = {"login": identity.client_id, "tenant_id": identity.tenant_id}
        if kind == "client_secret":
            return self._filled(application, password=identity.client_secret)
        if kind == "certificate":
            return self._filled(application, auth=kind, **self._certificate_fields(form))
        if kind == "workload_identity":
            named = {} if form == "environment" else application | {"token_file": str(self.federated_token())}
            return self._filled(named, auth=kind)
        if kind == "managed_identity":
            user = machine.user
            names: dict[str, dict[str, Any]] = {
                "client_id": {"login": user.client_id},
                "object_id": {"object_id": user.object_id},
            }
            names["resource_id"] = {"resource_id": user.resource_id}
            return self._filled(names.get(form, {}), auth=kind)
        if kind == "access_token":
            token = identity.grant(audience, self.portal.base, kind, identity.client_id, "")
            return self._filled({}, auth=kind, password=token)
        msg = f"there is no way to sign in that is called {kind!r}; there are: {', '.join(AUTH_TYPES)}"
        raise ValueError(msg)

    def environment(self, kind: str, form: str) -> dict[str, str]:
        """Return the variables that Azure would put into a process's environment for this way to sign in."""
        identity = self.portal.identity
        if kind == "workload_identity":
            file = str(self.federated_token())
            ids = {"AZURE_CLIENT_ID": identity.client_id, "AZURE_TENANT_ID": identity.tenant_id}
            return ids | {"AZURE_FEDERATED_TOKEN_FILE": file}
        if kind == "managed_identity":
            return self._machine_environment(form)
        return {}

    def _certificate_fields(self, form: str) -> dict[str, str]:
        if form == "inline":
            return {"private_key": self.certificate.pem()}
        if form == "pfx":
            return {"certificate_path": str(self.certificate_file("pfx")), "password": PASSPHRASE}
        return {"certificate_path": str(self.certificate_file())}

    def _machine_environment(self, form: str) -> dict[str, str]:
        if (host := HOSTS.get(form)) is None:
            return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self._machine_url()}
        is_fabric = form == "service-fabric"
        base = self.portal.base if is_fabric else self._machine_url()
        pinned = {"IDENTITY_SERVER_THUMBPRINT": self.server_thumbprint} if is_fabric else {}
        return dict(zip(host.variables, (base + host.path, self.machine.header), strict=True)) | pinned

    def _filled(self, named: dict[str, Any], **fields: Any) -> dict[str, Any]:
        values = named | fields
        base = self.portal.base
        common = {"authority": base, "verify": str((self.directory / "ca.pem").resolve())}
        outer: dict[str, Any] = {name: values.pop(name) for name in ("login", "password") if name in values}
        extra = values | {"publisher_id": next(iter(self.portal.publishers))} | common
        return {"conn_type": PORTAL, "host": base, **outer, "extra": extra}

    def _machine_url(self) -> str:
        if self._plain is None:
            self._plain = ServerThread(self._host, 0)
            self._plain.serve(machine_routes(self.portal, self.machine), self.portal.service, None)
        return f"http://{self._host}:{self._plain.port}"

    def _write(self, name: str, content: bytes) -> Path:
        """Put a file in its place whole, as whoever rotates it should."""
        path = (self.directory / name).resolve()
        new = path.with_suffix(f"{path.suffix}.new")
        new.touch(mode=0o600)
        new.write_bytes(content)
        return new.replace(path)
