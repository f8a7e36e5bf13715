# SPDX-License-Identifier: Apache-2.0
"""Response bodies that trickle: a byte now and then keeps each read alive and never ends it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from airflow_provider_cpp.transport.adapter import BoundedAdapter
from airflow_provider_cpp.transport.body import BoundedBody, drain
from airflow_provider_cpp.transport.deadline import deadline, overdue_text

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def trickle() -> Iterator[str]:
    """Serve one response of which a byte is sent every 20 ms."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(HEAD)
                while not stopped.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stopped.set()
        thread.join(10)


def test_a_trickling_body_ends_at_the_deadline(trickle: str) -> None:
    """The read ends at the deadline, not when a whole chunk has arrived."""
    began = time.monotonic()
    with requests.Session() as session:
        session.mount("http://", BoundedAdapter())
        with deadline(0.5), session.get(trickle, stream=True, timeout=5) as response:
            with pytest.raises(ReadTimeoutError):
                drain(response.raw, BoundedBody(None))
            assert overdue_text() == "no response within 0.5 seconds"
    assert time.monotonic() - began < 5


def test_a_chunk_with_a_negative_size_is_a_broken_body() -> None:
    """The exception of http.client, which is no connection error, becomes a ProtocolError."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            requests.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", stream=True, timeout=9) as response,
            pytest.raises(ProtocolError, match="the body is broken"),
        ):
            drain(response.raw, BoundedBody(None))
        thread.join(10)
