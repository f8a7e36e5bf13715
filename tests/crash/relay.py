# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy that sends an interim response before the response, as some proxies do to announce resources of a page."""

from __future__ import annotations

import ssl
from contextlib import suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import trustme

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


class Relay:
    """Forward requests over TLS, with ``103 Early Hints`` before the response to each POST; a context manager.

    :param target: scheme, host and port of the server.
    :param trusted: the CA file that verifies the server.
    :param bundle: the CA file to write, which verifies both.
    """

    def __init__(self, target: str, trusted: Path, bundle: Path) -> None:
        server, context = urlsplit(target), ssl.create_default_context(cafile=str(trusted))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                connection = HTTPSConnection(str(server.hostname), server.port, context=context)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                content = response.read()
                connection.close()
                with suppress(OSError):  # a client that takes the interim response for the final one hangs up
                    if self.command == "POST":
                        self.wfile.write(INTERIM)
                    self.send_response_only(response.status)
                    for name, value in response.getheaders():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = forward  # noqa: N815 - the names that http.server expects

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        authority = trustme.CA()
        bundle.write_bytes(authority.cert_pem.bytes() + trusted.read_bytes())
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(served)
        # The handshake runs in the thread of each connection, so that no connection waits for another one.
        self._server.socket = served.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        Thread(target=self._server.serve_forever, name="relay", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
