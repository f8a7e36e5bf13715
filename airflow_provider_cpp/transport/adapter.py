# SPDX-License-Identifier: Apache-2.0
"""How requests sends here: within the deadline, trusting what :mod:`.trust` says, and taking no interim response for the response."""

from __future__ import annotations

import math
import socket
import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.poolmanager import ProxyManager
from urllib3.response import HTTPResponse
from urllib3.util.connection import allowed_gai_family

from airflow_provider_cpp.transport.deadline import BoundedSocket, in_time
from airflow_provider_cpp.transport.trust import ssl_context_for

FIRST_RESPONSE = 200
"""The lowest status of a response: what is below is an interim response."""


def open_socket(host: str, port: int, timeout: float | None, options: Any = ()) -> BoundedSocket:
    """Resolve a name, and connect to the first of its addresses that can be connected to.

    :param timeout: seconds for resolving, and for each address, where the deadline is later.
    :param options: options to set on the socket.
    :raises OSError: if there is no connection.
    """
    family = allowed_gai_family()
    addresses = in_time(
        f"resolving {host}",
        lambda: socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_STREAM),
        math.inf if timeout is None else timeout,
    )
    problem: OSError = OSError(f"{host} has no address")
    for *kind, _, address in addresses:
        found = BoundedSocket(*kind)
        try:
            for option in options or ():
                found.setsockopt(*option)
            found.settimeout(timeout)
            found.connect(address)
        except OSError as error:
            found.close()
            problem = error
        else:
            return found
    raise problem


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(self._dns_host, self.port, self.timeout, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError:
            raise  # connect() makes an error of it
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error

    def connect(self) -> None:
        """Connect; an error here proves that no request was sent, and a timeout says so too."""
        try:
            super().connect()
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"Connection to {self.host} timed out") from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        """Return the response, and never an interim one, which http.client takes for the response unless it is 100.

        The connection is closed then: the response would be taken for that of the next request.
        """
        response = super().getresponse()
        if response.status < FIRST_RESPONSE:
            response.close()
            self.close()
            raise ProtocolError(f"HTTP {response.status} came instead of a response")
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    def __init__(self, *args: Any, ca_certs: str | None = None, ca_cert_dir: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bundle = ca_certs or ca_cert_dir

    def connect(self) -> None:
        """Connect, and check the certificates of the server and of an https proxy.

        :raises CABundleError: if the CA bundle cannot be used now.
        """
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
    """Sends for a session of requests; its ``verify`` must be the path of a CA bundle."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the connections to servers bounded ones."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the connections to proxies bounded ones, but for SOCKS, which has connections of its own."""
        manager = super().proxy_manager_for(proxy, **options)
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, *args: Any, **options: Any) -> None:
        """Leave it to the connection, which verifies always, and loads nothing each time."""
