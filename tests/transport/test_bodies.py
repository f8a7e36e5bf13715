# SPDX-License-Identifier: Apache-2.0
"""Answers that trickle: a byte now and then keeps every read alive, and ends none."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from airflow_provider_cpp.transport.bodies import Body, drain

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def trickle() -> Iterator[str]:
    """Serve one answer of which a byte comes every 20 ms."""
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


def test_an_answer_that_trickles_has_an_end(trickle: str) -> None:
    """It is given up when its time is over, and not when a chunk's worth of it has come."""
    began = time.monotonic()
    with requests.Session() as session, session.get(trickle, stream=True, timeout=5) as response:
        body = Body(None, ValueError)
        with pytest.raises(TimeoutError, match="does not end"):
            drain(response.raw, body, began + 0.3)
    assert (1 <= len(body.content) < 100, time.monotonic() - began < 3) == (True, True)
