# SPDX-License-Identifier: Apache-2.0
"""The emulator, which serves HTTPS in its own thread."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from partner_center_emulator.admin_api import AdminAPI, identity_routes, managed_identity_routes
from partner_center_emulator.certificates import server_context
from partner_center_emulator.clock import Clock, ScaledClock
from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.credentials import CLOUD_PARTNER_PORTAL, PRODUCT_INGESTION, CredentialFactory
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
PRODUCT_INGESTION_VARIABLE = "AIRFLOW_CONN_PRODUCT_INGESTION_DEFAULT"


class Emulator(RequestLog):
    """An emulator of the CPP API, the Product Ingestion API and Entra ID; a context manager.

    :param settings: the settings; the defaults if None.
    :param clock: the clock; real time if None.
    :param host: the address to listen on, for which the certificate is issued; 127.0.0.1 by default.
    :param port: the port; 0, the default, for any free port.
    :param directory: the folder for ``ca.pem`` and ``emulator.env``; a temporary one if None.
    :param auth: the authentication method of :attr:`connection` and of the connections in ``emulator.env``.
    """

    def __init__(  # noqa: PLR0913 - all are optional, all but two by name
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
        self._cpp_api = CloudPartnerPortalAPI(self._dispatcher, self._offers, self._identity, {PUBLISHER: "Contoso"})
        self._product_ingestion_api = ProductIngestionAPI(self._cpp_api)
        self._admin_api = AdminAPI(self._cpp_api)
        self._host, self._port = host, port
        self._directory, self._own_directory = directory, directory is None
        self._credentials = CredentialFactory(self._cpp_api, host)
        self._auth = auth
        self._authority = trustme.CA()
        self._server: ServerThread | None = None
        self._dashboard: ServerThread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start to listen, and return when requests are served.

        After :meth:`stop`, you can start the emulator again: it keeps its offers, port, certificate authority and running clock.

        :raises OSError: if the port is in use.
        """
        self._server = ServerThread(self._host, self._port)
        self._port = self._server.port
        self._cpp_api.base = self.url
        self._directory = self._directory or Path(tempfile.mkdtemp(prefix="emulator-"))
        self._directory.mkdir(parents=True, exist_ok=True)
        self._credentials.directory = self._directory
        self._authority.cert_pem.write_to_path(str(self.ca_file))
        context, self._credentials.server_thumbprint = server_context(self._authority, self._host)
        environment = self._directory / "emulator.env"
        environment.touch(mode=0o600)
        environment.write_text(self.environment())
        fabric = [
            route
            for route in managed_identity_routes(self._cpp_api, self._credentials.managed_identity)
            if "fabric" in route.path
        ]
        self._product_ingestion_api.other_host = f"https://{self._other_name}:{self._port}"
        apis = [*self._cpp_api.routes(), *self._product_ingestion_api.routes()]
        routes = [*apis, *self._admin_api.routes(), *fabric, *identity_routes(self._cpp_api)]
        self._server.serve(routes, self._dispatcher, context)

    def stop(self) -> None:
        """Stop serving, and delete the temporary files."""
        self._dispatcher.faults.clear()
        self._credentials.stop()
        self._cpp_api.pages = None
        for server in (self._dashboard, self._server):
            if server is not None:
                server.stop()
        self._dashboard = None
        if self._own_directory and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def serve_dashboard(self) -> str:
        """Serve the dashboard over plain HTTP as well, because a browser does not trust the emulator's certificate.

        From then on, the links of the offers' documents lead to it.

        :returns: its address.
        """
        if self._dashboard is None:
            self._dashboard = ServerThread(self._host, 0)
            self._dashboard.serve(self._admin_api.routes(), self._dispatcher, None)
        self._cpp_api.pages = f"http://{self._host}:{self._dashboard.port}"
        return self._cpp_api.pages

    @property
    def url(self) -> str:
        """The scheme, host and port of the emulator."""
        return f"https://{self._host}:{self._port}"

    @property
    def product_ingestion_url(self) -> str:
        """The base URL of the Product Ingestion API."""
        return self.url + BASE

    @property
    def _other_name(self) -> str:
        return "127.0.0.1" if self._host == "localhost" else "localhost"

    @property
    def ca_file(self) -> Path:
        """The file with the certificate authority that clients must trust."""
        return (self._directory or Path()) / "ca.pem"

    @property
    def tenant_id(self) -> str:
        """The ID of the tenant."""
        return self._identity.tenant_id

    @property
    def client_id(self) -> str:
        """The client ID of the application."""
        return self._identity.client_id

    @property
    def client_secret(self) -> str:
        """The client secret of the application."""
        return self._identity.client_secret

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection for the CPP API, in Airflow's JSON format."""
        return self.connection_for(self._auth)

    @property
    def product_ingestion_connection(self) -> dict[str, Any]:
        """The Airflow connection for the same offers through the Product Ingestion API, in Airflow's JSON format."""
        return self.connection_for(self._auth, api=PRODUCT_INGESTION)

    def connection_for(
        self, auth_type: str = "client_secret", form: str = "", api: str = CLOUD_PARTNER_PORTAL
    ) -> dict[str, Any]:
        """Return an Airflow connection with this authentication method, and write the files that it needs.

        :param auth_type: the method, as in ``auth`` of the connection's extra.
        :param form: for a certificate, ``pem``, ``pfx`` or ``inline``. For a managed identity, ``client_id``, ``object_id`` or
            ``resource_id`` to select a user-assigned identity that way, else the system-assigned one. For a workload identity,
            ``environment`` to configure it only with environment variables.
        :param api: the connection type: ``cloud_partner_portal`` or ``product_ingestion``.
        :raises ValueError: if the method or the API does not exist.
        """
        return self._credentials.connection(auth_type, form, api)

    def environment_for(self, auth_type: str, form: str = "") -> dict[str, str]:
        """Return the environment variables that clients need for this authentication method.

        For a managed identity, this starts the endpoint that issues its tokens, over plain HTTP like in Azure.

        :param form: for a managed identity, ``imds`` for a virtual machine, ``app-service``, ``machine-learning`` or
            ``service-fabric``.
        """
        return self._credentials.environment(auth_type, form)

    @property
    def credentials(self) -> CredentialFactory:
        """The factory of certificates and federated tokens, which registers them and writes their files."""
        return self._credentials

    def environment(self) -> str:
        """Return shell commands that export addresses, IDs and the Airflow connections."""
        values = {
            "EMULATOR_URL": self.url,
            "EMULATOR_CA": str(self.ca_file.resolve()),
            "EMULATOR_TENANT": self.tenant_id,
            "EMULATOR_CLIENT_ID": self.client_id,
            "EMULATOR_CLIENT_SECRET": self.client_secret,
            **self.environment_for(self._auth),
            PRODUCT_INGESTION_VARIABLE: json.dumps(self.product_ingestion_connection),
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
        """Add an offer.

        :param scenario: one of :data:`partner_center_emulator.SCENARIOS`.
        :param history: the result of an earlier publication: ``succeeded``, ``failed``, or None for no publication.
        """
        with self._dispatcher.lock:
            self._offers.add(self.publisher_id, offer_id, scenario, history, document)

    def status(self, offer_id: str) -> dict[str, Any]:
        """Return an offer's current status, even while reads of it are stale."""
        with self._dispatcher.lock:
            return self._cpp_api.serializers.status(self._find(offer_id))

    def operations(self, offer_id: str) -> list[dict[str, Any]]:
        """Return an offer's current operations, newest first."""
        with self._dispatcher.lock:
            return self._cpp_api.serializers.operations(self._find(offer_id))

    def person(self, offer_id: str, action: str) -> None:
        """Perform an action of a person in Partner Center: ``publish``, ``sign-off``, ``cancel``, ``lock`` or ``unlock``."""
        self._admin_api.person(offer_id, action)

    def inject(self, fault: Fault) -> None:
        """Inject a fault into the next matching requests."""
        self._dispatcher.faults.add(fault)

    def gate(self, route: str, *, after: bool = False, offer: str | None = None) -> Gate:
        """Hold the requests of a route, for one offer or for all, until you open the returned gate."""
        gate = Gate(route, after=after, offer=offer)
        self._dispatcher.faults.add_gate(gate)
        return gate

    def clear_faults(self) -> None:
        """Remove all faults, and open all gates."""
        self._dispatcher.faults.clear()

    def revoke_tokens(self) -> None:
        """Revoke every token issued so far; requests with one get a 401."""
        self._identity.revoke_tokens()

    def rotate_secret(self) -> str:
        """Replace the application's secret, and return the new one."""
        return self._identity.rotate_secret()

    def _find(self, offer_id: str) -> Offer:
        return self._offers.find(self.publisher_id, offer_id)
