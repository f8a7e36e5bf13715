# SPDX-License-Identifier: Apache-2.0
"""Answers that have no end, or only look small: what they may cost."""

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
    """Return a few hundred kilobytes that become 256 MiB."""
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
            await asyncio.sleep(0.1)  # a connection that was broken off is closed in the loop's own time

    return asyncio.run(read())


@pytest.fixture(params=[run_sync, run_async], ids=["requests", "aiohttp"])
def read(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a read of an offer's status that is tried once, over either wire."""
    found: Callable[[], Any] = request.param
    return found


@pytest.fixture
def portal(serve: Callable[..., Emulator]) -> Emulator:
    """Serve the portal, signed in to."""
    emulator = serve()
    emulator.add_offer("contoso-vm")
    run_sync()
    return emulator


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Return a function that says how many bytes this process had allocated at most, from now on."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


BOMBS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "gzip": lambda: ("gzip", bomb()),
    "in parts": lambda: ("gzip", compressed(b" " * 8 * MIB) * 32),
}


@pytest.mark.parametrize("status", [200, 302, 500])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_compressed_answer_is_cut_where_it_grows_too_large(
    portal: Emulator, read: Callable[[], Any], peak: Callable[[], int], kind: str, status: int
) -> None:
    """An answer is as large as what it becomes: it is refused at the bound, and little more than the bound is used."""
    encoding, body = BOMBS[kind]()
    portal.inject(
        Fault("answer", "status", status=status, headers={"Content-Encoding": encoding, "Location": "/x"}, body=body)
    )
    before = peak()
    with pytest.raises(exceptions.InvalidResponseError, match="larger than 32 MiB"):
        read()
    assert peak() - before < 3 * MAX_BODY_SIZE


def test_a_bomb_in_a_bomb_does_not_go_off(portal: Emulator, read: Callable[[], Any], peak: Callable[[], int]) -> None:
    """What was compressed twice ends in an error, whether a wire takes one wrapping off or both."""
    body = compressed(bomb())
    portal.inject(Fault("answer", "status", status=200, headers={"Content-Encoding": "gzip, gzip"}, body=body))
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
def test_a_compressed_answer_is_read(portal: Emulator, read: Callable[[], Any], encoding: str, body: bytes) -> None:
    """An answer that was compressed on its way is read as any other."""
    portal.inject(Fault("answer", "status", status=200, headers={"Content-Encoding": encoding}, body=body))
    assert read().raw_status == "running"


@pytest.mark.parametrize("body", [b"not compressed", compressed(b"x" * MIB)[:50], b"\x1f", b""])
def test_what_cannot_be_decompressed_is_an_error(portal: Emulator, read: Callable[[], Any], body: bytes) -> None:
    """An answer that is broken, cut off, or not compressed at all is an error of this package, worth another try."""
    portal.inject(Fault("answer", "status", status=200, headers={"Content-Encoding": "gzip"}, body=body))
    with pytest.raises(exceptions.RequestError) as caught:
        read()
    assert caught.value.retryable
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("location", ["https://[", "https://\xff/", "//[/", "https://a:b/", "http://" + "a" * 300])
def test_a_redirect_to_nowhere_is_a_redirect(portal: Emulator, read: Callable[[], Any], location: str) -> None:
    """Nobody reads where a redirect leads, so that it may lead to what is no address."""
    portal.inject(Fault("answer", "status", status=302, headers={"Location": location}))
    with pytest.raises(exceptions.InvalidResponseError, match="a redirect, which is not followed"):
        read()


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "x"])
def test_what_was_not_asked_for_is_not_unpacked(portal: Emulator, read: Callable[[], Any], encoding: str) -> None:
    """An answer in an encoding that was not asked for is an error at once, every time, however broken it is."""
    for _ in range(25):
        portal.inject(Fault("answer", "status", status=200, headers={"Content-Encoding": encoding}, body=b"\x00"))
        began = time.monotonic()
        with pytest.raises(exceptions.InvalidResponseError, match="which was not asked for"):
            read()
        assert time.monotonic() - began < 5
