# SPDX-License-Identifier: Apache-2.0
"""An answer's bytes, bounded by what they become: the portal's, and those of whoever gives tokens."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from urllib3.exceptions import ProtocolError

from airflow_provider_cpp.core.redaction import sanitize_line

CHUNK = 64 * 1024

MAX_BODY_SIZE = 32 * 1024 * 1024
"""Bytes: an offer with every region's prices has some megabytes; more than this is not an answer."""

_GZIP = 31
"""What zlib calls the format."""


class BoundedBody:
    """An answer's bytes as they come, decompressed up to the bound.

    The libraries' own decompression is left off: what it costs, and whether it ends at all with data that are
    broken, differs from one version to the next.

    :param encoding: the answer's Content-Encoding; only what was asked for is understood.
    :param fail: makes the error for an answer that cannot be taken, from its reason in words.
    :param largest: bytes that an answer may have.
    """

    def __init__(self, encoding: str | None, fail: Callable[[str], Exception], *, largest: int = MAX_BODY_SIZE) -> None:
        self.content = bytearray()
        self._fail = fail
        self._largest = largest
        self._taken = 0
        name = (encoding or "identity").strip().lower()
        self._gzip = zlib.decompressobj(_GZIP) if name == "gzip" else None
        if name not in ("gzip", "identity"):
            raise fail(f"the answer is encoded as {sanitize_line(name, 40)}, which was not asked for")

    def feed(self, chunk: bytes) -> None:
        """Take some more; what ``fail`` makes is raised if it grows too large, or cannot be decompressed."""
        self._taken += len(chunk)
        while chunk:
            if self._gzip is None:
                self.content += chunk
                chunk = b""
            else:
                chunk = self._decompress(self._gzip, chunk)
            if max(self._taken, len(self.content)) > self._largest:
                raise self._fail(f"the answer is larger than {self._largest // 1024**2} MiB")

    def _decompress(self, gzip: Any, chunk: bytes) -> bytes:
        try:
            self.content += gzip.decompress(chunk, self._largest + 1 - len(self.content))
        except zlib.error as error:
            raise self._fail(f"the answer cannot be decompressed: {error}") from error
        if gzip.eof:  # another part may follow
            self._gzip = zlib.decompressobj(_GZIP)
            return bytes(gzip.unused_data)
        return bytes(gzip.unconsumed_tail)


def drain(raw: Any, body: BoundedBody) -> None:
    """Read an answer of requests' to its end, or to the deadline: see :mod:`.deadline`.

    :param raw: the answer below requests' own, whose bytes nobody read yet.
    :param body: what takes them.
    :raises HTTPError: if the body is broken or does not end in time.
    """
    try:
        while chunk := raw.read(CHUNK, decode_content=False):
            body.feed(chunk)
    except ValueError as error:  # which http.client lets through for a chunk with a negative size
        raise ProtocolError(f"the body is broken: {error}") from error
