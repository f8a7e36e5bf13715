# SPDX-License-Identifier: Apache-2.0
"""The emulator in a process: over real TLS, in a thread of its own."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from partner_center_emulator.admin_api import AdminAPI, identity_routes, machine_routes
from partner_center_emulator.certificates import server_context
from partner_center_emulator.clock import Clock, ScaledClock
from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.credentials import INGESTION, PORTAL, CredentialFactory
from partner_center_emulator.dispatch import Dispatcher
from partner_center_emulator.faults import Fault, Gate
from partner_center_emulator.identity import EntraTenant
from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import OfferStore
from partner_center_emulator.product_ingestion.api import ProductIngestionAPI
from partner_center_emulator.product_ingestion.identifiers import BASE
from partner_center_emulator.request_log import RequestLog
from partner_center_emulator.server_thread import ServerThread
from partner_center_emulator.settings import Settings

PUBLISHER = "contoso"
CONNECTION_VARIABLE = "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"
INGESTION_VARIABLE = "AIRFLOW_CONN_PRODUCT_INGESTION_DEFAULT"


class Emulator(RequestLog):
    """A Cloud Partner Portal and an Entra ID to try things on; a context manager.

    :param settings: how it behaves.
    :param clock: its time; the world's if None.
    :param host: the address to listen on; the certificate is for it.
    :param port: the port, 0 for any that is free.
    :param directory: where ``ca.pem`` and ``emulator.env`` are written; a temporary one if None.
    :param auth: how the connection signs in that ``emulator.env`` and :attr:`connection` hold.
    """

    def __init__(  # noqa: PLR0913 - all are optional, and all but two by name
        self,
        settings: Settings | None = None,
        clock: Clock | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
        auth: str = "client_secret",
    ) -> None:
        self.settings = settings or Settings()
        self.clock = clock or ScaledClock(1.0)
        self.publisher_id = PUBLISHER
        super().__init__(Dispatcher(self.settings), EntraTenant(self.settings.token_lifetime.total_seconds()))
        self._offers = OfferStore(self.settings, self.clock)
        self._portal = CloudPartnerPortalAPI(self._service, self._offers, self._identity, {PUBLISHER: "Contoso"})
        self._ingestion = ProductIngestionAPI(self._portal)
        self._control = AdminAPI(self._portal)
        self._host, self._port = host, port
        self._directory, self._own_directory = directory, directory is None
        self._kit = CredentialFactory(self._portal, host)
        self._auth = auth
        self._authority = trustme.CA()
        self._listener: ServerThread | None = None

    def __enter__(self) -> Self:
        """Start to serve."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Listen, and return once requests are served.

        After :meth:`stop` it goes on where it was: with its offers, at its port, trusted as before. On its clock, the
        time in between has passed.

        :raises OSError: if the port is taken.
        """
        self._listener = ServerThread(self._host, self._port)
        self._port = self._listener.port
        self._portal.base = self.url
        self._directory = self._directory or Path(tempfile.mkdtemp(prefix="emulator-"))
        self._directory.mkdir(parents=True, exist_ok=True)
        self._kit.directory = self._directory
        self._authority.cert_pem.write_to_path(str(self.ca_file))
        context, self._kit.server_thumbprint = server_context(self._authority, self._host)
        environment = self._directory / "emulator.env"
        environment.touch(mode=0o600)
        environment.write_text(self.environment())
        fabric = [route for route in machine_routes(self._portal, self._kit.machine) if "fabric" in route.path]
        self._ingestion.elsewhere = f"https://{self._other_name}:{self._port}"
        apis = [*self._portal.routes(), *self._ingestion.routes()]
        routes = [*apis, *self._control.routes(), *fabric, *identity_routes(self._portal)]
        self._listener.serve(routes, self._service, context)

    def stop(self) -> None:
        """Stop serving, and leave nothing behind."""
        self._service.faults.clear()
        self._kit.stop()
        if self._listener is not None:
            self._listener.stop()
        if self._own_directory and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"https://{self._host}:{self._port}"

    @property
    def ingestion_url(self) -> str:
        """Where the Product Ingestion API is served."""
        return self.url + BASE

    @property
    def _other_name(self) -> str:
        """Another name under which the same machine answers."""
        return "127.0.0.1" if self._host == "localhost" else "localhost"

    @property
    def ca_file(self) -> Path:
        """The certificate authority that clients are to trust."""
        return (self._directory or Path()) / "ca.pem"

    @property
    def tenant_id(self) -> str:
        """The tenant."""
        return self._identity.tenant_id

    @property
    def client_id(self) -> str:
        """The application's id."""
        return self._identity.client_id

    @property
    def client_secret(self) -> str:
        """The application's secret."""
        return self._identity.client_secret

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection, as its JSON form."""
        return self.connection_for(self._auth)

    @property
    def ingestion_connection(self) -> dict[str, Any]:
        """The Airflow connection to the same offers through the Product Ingestion API, as its JSON form."""
        return self.connection_for(self._auth, api=INGESTION)

    def connection_for(self, kind: str = "client_secret", form: str = "", api: str = PORTAL) -> dict[str, Any]:
        """Return an Airflow connection that signs in this way; the files that it names are written.

        :param kind: as ``auth`` in the connection's extra.
        :param form: of a certificate ``pem``, ``pfx`` or ``inline``; of a managed identity ``client_id``,
            ``object_id`` or ``resource_id`` for one that was assigned to the machine, else its own; of a workload
            identity ``environment`` where nothing but the environment names it.
        :param api: the connection's type: ``cloud_partner_portal`` or ``product_ingestion``.
        :raises ValueError: if there is no such kind, or no such type.
        """
        return self._kit.connection(kind, form, api)

    def environment_for(self, kind: str, form: str = "") -> dict[str, str]:
        """Return the variables that this way to sign in needs in the client's environment.

        For a managed identity this begins to serve the machine's own addresses, over plain HTTP as in Azure.

        :param form: of a managed identity ``imds``, as on a virtual machine, ``app-service``,
            ``machine-learning`` or ``service-fabric``.
        """
        return self._kit.environment(kind, form)

    @property
    def credentials(self) -> CredentialFactory:
        """What issues certificates and federated tokens, registers them and writes their files."""
        return self._kit

    def environment(self) -> str:
        """Return lines for a shell to read: addresses, ids, and the Airflow connection."""
        values = {
            "EMULATOR_URL": self.url,
            "EMULATOR_CA": str(self.ca_file.resolve()),
            "EMULATOR_TENANT": self.tenant_id,
            "EMULATOR_CLIENT_ID": self.client_id,
            "EMULATOR_CLIENT_SECRET": self.client_secret,
            **self.environment_for(self._auth),
            INGESTION_VARIABLE: json.dumps(self.ingestion_connection),
            CONNECTION_VARIABLE: json.dumps(self.connection),
        }
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())

    def add_offer(
        self,
        offer_id: str,
        scenario: str = "succeeds",
        history: str | None = None,
        document: dict[str, Any] | None = None,
    ) -> None:
        """Put an offer on the portal.

        :param scenario: one of :data:`partner_center_emulator.SCENARIOS`.
        :param history: how a publication before ended: ``succeeded``, ``failed``, or None.
        """
        with self._service.lock:
            self._offers.add(self.publisher_id, offer_id, scenario, history, document)

    def status(self, offer_id: str) -> dict[str, Any]:
        """Return what the portal would answer of an offer's status by now, whatever it still answers for a while."""
        with self._service.lock:
            return self._portal.views.status(self._find(offer_id))

    def operations(self, offer_id: str) -> list[dict[str, Any]]:
        """Return an offer's operations by now, the newest first."""
        with self._service.lock:
            return self._portal.views.operations(self._find(offer_id))

    def person(self, offer_id: str, act: str) -> None:
        """Do what a person does in the portal: ``publish``, ``sign-off``, ``cancel``, ``lock`` or ``unlock``."""
        self._control.person(offer_id, act)

    def inject(self, fault: Fault) -> None:
        """Make something go wrong with the next requests that match."""
        self._service.faults.add(fault)

    def gate(self, route: str, *, after: bool = False, offer: str | None = None) -> Gate:
        """Hold the requests of a kind until the gate is opened; only those for an offer if one is named."""
        gate = Gate(route, after=after, offer=offer)
        self._service.faults.add_gate(gate)
        return gate

    def clear_faults(self) -> None:
        """Forget the faults that have not struck, and open all gates."""
        self._service.faults.clear()

    def revoke_tokens(self) -> None:
        """Answer 401 to every token issued so far."""
        self._identity.revoke_tokens()

    def rotate_secret(self) -> str:
        """Replace the application's secret; returns the new one."""
        return self._identity.rotate_secret()

    def _find(self, offer_id: str) -> Offer:
        return self._offers.find(self.publisher_id, offer_id)
