# SPDX-License-Identifier: Apache-2.0
"""Responses that are endless or decompress to a large size: their cost is limited."""

from __future__ import annotations

import asyncio
import functools
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.body import MAX_BODY_SIZE

READ = endpoints.get_offer_status(OfferRef("contoso", "contoso-vm"))
MIB = 1024**2
GZIP = 31


def compressed(plain: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    return compressor.compress(plain) + compressor.flush()


@functools.cache
def bomb() -> bytes:
    """Return a few hundred kilobytes that decompress to 256 MiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, GZIP)
    block = b" " * MIB
    return b"".join(compressor.compress(block) for _ in range(256)) + compressor.flush()


def run_sync() -> Any:
    return CloudPartnerPortalHook().run(effects.send(READ))


def run_async() -> Any:
    async def read() -> Any:
        try:
            return await CloudPartnerPortalHook().arun(effects.send(READ))
        finally:
            await asyncio.sleep(0.1)  # the event loop closes an aborted connection later

    return asyncio.run(read())


@pytest.fixture(params=[run_sync, run_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a function that reads an offer's status once, with either client."""
    return request.param


@pytest.fixture
def emulator(serve: Callable[..., Emulator]) -> Emulator:
    """Serve an emulator that the client is signed in to."""
    emulator = serve()
    emulator.add_offer("contoso-vm")
    run_sync()
    return emulator


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Return a function that returns the peak memory of this process from now on, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


BOMBS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "gzip": lambda: ("gzip", bomb()),
    "in parts": lambda: ("gzip", compressed(b" " * 8 * MIB) * 32),
}


@pytest.mark.parametrize("status", [200, 302, 500])
@pytest.mark.parametrize("compression", BOMBS)
def test_a_compressed_response_is_cut_off_at_the_limit(
    emulator: Emulator, read: Callable[[], Any], peak: Callable[[], int], compression: str, status: int
) -> None:
    """The limit applies to the decompressed size, and reading up to it needs little more memory than the limit."""
    encoding, body = BOMBS[compression]()
    emulator.inject(
        Fault("response", "status", status=status, headers={"Content-Encoding": encoding, "Location": "/x"}, body=body)
    )
    before = peak()
    with pytest.raises(exceptions.InvalidResponseError, match="larger than 32 MiB"):
        read()
    assert peak() - before < 3 * MAX_BODY_SIZE


def test_a_doubly_compressed_bomb_is_an_error(
    emulator: Emulator, read: Callable[[], Any], peak: Callable[[], int]
) -> None:
    """A body that was compressed twice is an error, whether the client decompresses once or twice."""
    body = compressed(bomb())
    emulator.inject(Fault("response", "status", status=200, headers={"Content-Encoding": "gzip, gzip"}, body=body))
    before = peak()
    with pytest.raises(exceptions.RequestError):
        read()
    assert peak() - before < 3 * MAX_BODY_SIZE


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", compressed(json.dumps({"status": "running"}).encode())),
        ("GZIP", compressed(b'{"status":') + compressed(b'"running"}')),
        ("identity", json.dumps({"status": "running"}).encode()),
    ],
)
def test_a_compressed_response_is_read(emulator: Emulator, read: Callable[[], Any], encoding: str, body: bytes) -> None:
    """A compressed response is read like any other."""
    emulator.inject(Fault("response", "status", status=200, headers={"Content-Encoding": encoding}, body=body))
    assert read().raw_status == "running"


@pytest.mark.parametrize("body", [b"not compressed", compressed(b"x" * MIB)[:50], b"\x1f", b""])
def test_an_invalid_compressed_body_is_an_error(emulator: Emulator, read: Callable[[], Any], body: bytes) -> None:
    """A body that cannot be decompressed is an error."""
    emulator.inject(Fault("response", "status", status=200, headers={"Content-Encoding": "gzip"}, body=body))
    with pytest.raises(exceptions.RequestError) as caught:
        read()
    assert caught.value.retryable
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("location", ["https://[", "https://\xff/", "//[/", "https://a:b/", "http://" + "a" * 300])
def test_a_redirect_to_an_invalid_address_is_a_redirect(
    emulator: Emulator, read: Callable[[], Any], location: str
) -> None:
    """The target of a redirect is not parsed, so it may be an invalid address."""
    emulator.inject(Fault("response", "status", status=302, headers={"Location": location}))
    with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
        read()


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "x"])
def test_an_unrequested_encoding_is_not_decompressed(
    emulator: Emulator, read: Callable[[], Any], encoding: str
) -> None:
    """A response in an encoding that was not requested is an error at once, every time, also if its body is broken."""
    for _ in range(25):
        emulator.inject(Fault("response", "status", status=200, headers={"Content-Encoding": encoding}, body=b"\x00"))
        began = time.monotonic()
        with pytest.raises(exceptions.InvalidResponseError, match="which was not requested"):
            read()
        assert time.monotonic() - began < 5
