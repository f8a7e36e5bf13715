# SPDX-License-Identifier: Apache-2.0
"""The emulator in a process: over real TLS, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import shutil
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_provider_cpp.emulator.clock import Clock, ScaledClock
from airflow_provider_cpp.emulator.control import Control, identity_routes
from airflow_provider_cpp.emulator.faults import Fault, Gate
from airflow_provider_cpp.emulator.identity import Identity
from airflow_provider_cpp.emulator.offers import Offer, Offers
from airflow_provider_cpp.emulator.portal import Portal
from airflow_provider_cpp.emulator.service import Served, Service
from airflow_provider_cpp.emulator.settings import Settings

PUBLISHER = "contoso"
CONNECTION_VARIABLE = "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"


class Emulator:
    """A Cloud Partner Portal and an Entra ID to try things on; a context manager.

    :param settings: how it behaves.
    :param clock: its time; the world's if None.
    :param host: the address to listen on; the certificate is for it.
    :param port: the port, 0 for any that is free.
    :param directory: where ``ca.pem`` and ``emulator.env`` are written; a temporary one if None.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        clock: Clock | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = clock or ScaledClock(1.0)
        self.publisher_id = PUBLISHER
        self._identity = Identity(self.settings.token_lifetime.total_seconds())
        self._service = Service(self.settings)
        self._offers = Offers(self.settings, self.clock)
        self._portal = Portal(self._service, self._offers, self._identity, {PUBLISHER: "Contoso"})
        self._control = Control(self._portal)
        self._host, self._port = host, port
        self._directory, self._own_directory = directory, directory is None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

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

        :raises OSError: if the port is taken.
        """
        listener = socket.create_server((self._host, self._port))
        # What is accepted inherits it; asyncio sets it itself only on sockets that name their protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = listener.getsockname()[1]
        self._portal.base = self.url
        self._directory = self._directory or Path(tempfile.mkdtemp(prefix="emulator-"))
        self._directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        environment = self._directory / "emulator.env"
        environment.touch(mode=0o600)
        environment.write_text(self.environment())
        started = threading.Event()

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            started.set()
            yield
            for transport in [*self._service.transports.values()]:
                transport.abort()
            await asyncio.sleep(0)  # so that the loop closes what was aborted before it is closed itself

        routes = [*self._portal.routes(), *self._control.routes(), *identity_routes(self._portal)]
        application = Starlette(routes=routes, lifespan=lifespan)
        config = uvicorn.Config(
            application,
            http=_protocol(self._service),
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            loop="asyncio",  # uvloop does not tell of connections that were aborted
        )
        config.load()
        config.ssl = _server_context(authority, self._host)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="emulator", daemon=True)
        self._thread.start()
        if not started.wait(30):
            msg = "the emulator did not start"
            raise RuntimeError(msg)

    def stop(self) -> None:
        """Stop serving, and leave nothing behind."""
        self._service.faults.clear()
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(30)
        if self._own_directory and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"https://{self._host}:{self._port}"

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
        return {
            "conn_type": "cloud_partner_portal",
            "host": self.url,
            "login": self.client_id,
            "password": self.client_secret,
            "extra": {
                "tenant_id": self.tenant_id,
                "publisher_id": self.publisher_id,
                "authority": self.url,
                "verify": str(self.ca_file.resolve()),
            },
        }

    def environment(self) -> str:
        """Return lines for a shell to read: addresses, ids, and the Airflow connection."""
        values = {
            "EMULATOR_URL": self.url,
            "EMULATOR_CA": str(self.ca_file.resolve()),
            "EMULATOR_TENANT": self.tenant_id,
            "EMULATOR_CLIENT_ID": self.client_id,
            "EMULATOR_CLIENT_SECRET": self.client_secret,
            CONNECTION_VARIABLE: json.dumps(self.connection),
        }
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())

    @property
    def counts(self) -> Counter[str]:
        """How many requests of each kind were served."""
        return self._service.counts()

    def counts_for(self, offer_id: str) -> Counter[str]:
        """How many requests of each kind were served for one offer."""
        return self._service.counts(offer_id)

    @property
    def requests(self) -> list[Served]:
        """Every request served, in order."""
        with self._service.lock:
            return list(self._service.served)

    @property
    def tokens_issued(self) -> int:
        """How many tokens were given out."""
        return self._identity.issued

    def add_offer(
        self,
        offer_id: str,
        scenario: str = "succeeds",
        history: str | None = None,
        document: dict[str, Any] | None = None,
    ) -> None:
        """Put an offer on the portal.

        :param scenario: one of :data:`airflow_provider_cpp.emulator.SCENARIOS`.
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
        """Do what a person does in the portal: ``publish``, ``sign-off`` or ``cancel``."""
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


def _server_context(authority: trustme.CA, host: str) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, "localhost").configure_cert(context)
    return context


def _protocol(service: Service) -> type[H11Protocol]:
    """Make a protocol that remembers its connection, so that a fault can reset it."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._peer = transport.get_extra_info("peername")[:2]
            service.transports[self._peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            service.transports.pop(self._peer, None)
            super().connection_lost(exc)

    return Protocol
