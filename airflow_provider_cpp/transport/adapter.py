# SPDX-License-Identifier: Apache-2.0
"""A session for requests. Its adapter observes the deadline, uses the TLS contexts of :mod:`.trust`, and rejects interim responses."""

from __future__ import annotations

import math
import socket
import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.poolmanager import ProxyManager
from urllib3.response import HTTPResponse
from urllib3.util.connection import allowed_gai_family

from airflow_provider_cpp.transport.deadline import BoundedSocket, in_time
from airflow_provider_cpp.transport.trust import ssl_context_for

MIN_FINAL_STATUS = 200
"""The lowest status of a final response; interim responses have lower ones."""


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return self._open_socket()
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError:
            raise  # connect() converts it
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

    def _open_socket(self) -> BoundedSocket:
        """Resolve the host name, and connect to the first address that accepts."""
        host, family = self._dns_host, allowed_gai_family()
        addresses = in_time(
            f"resolving {host}",
            lambda: socket.getaddrinfo(host.strip("[]"), self.port, family, socket.SOCK_STREAM),
            math.inf if self.timeout is None else self.timeout,
        )
        problem: OSError = OSError(f"{host} has no address")
        for *kind, _, address in addresses:
            connection = BoundedSocket(*kind)
            try:
                for option in self.socket_options or ():
                    connection.setsockopt(*option)
                connection.settimeout(self.timeout)
                connection.connect(address)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem

    def connect(self) -> None:
        """Connect; convert a timeout to an error which proves that no request was sent."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # the same as urllib3
        """Return the final response; reject an interim one and close the connection, on which the final one would follow."""
        response = super().getresponse()
        if response.status < MIN_FINAL_STATUS:
            response.close()
            self.close()
            raise ProtocolError(f"received interim response HTTP {response.status} instead of a final response")
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    def __init__(self, *args: Any, ca_certs: str | None = None, ca_cert_dir: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bundle: Any = ca_certs or ca_cert_dir

    def connect(self) -> None:
        """Connect; verify the certificates of the server and of an https proxy."""
        self.cert_reqs, self.ssl_context = ssl.CERT_REQUIRED, ssl_context_for(self._bundle)
        if self.proxy_config is not None:
            self.proxy_config = self.proxy_config._replace(ssl_context=self.ssl_context)
        super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS = {"http": _Pool, "https": _TLSPool}


class BoundedAdapter(HTTPAdapter):
    """An adapter for sessions whose ``verify`` is always the path of a CA bundle."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Use bounded connections to servers."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Use bounded connections to proxies, except for SOCKS, which has its own connection classes."""
        manager = super().proxy_manager_for(proxy, **options)
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, *args: Any, **options: Any) -> None:
        """Do nothing, because the connections always verify certificates, with a cached TLS context."""


class BoundedSession(requests.Session):
    """A session that uses the adapter, and ignores redirects."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests passes it
        """Return None, because requests otherwise reads the body and Location of a redirect that it does not follow."""
        return None
