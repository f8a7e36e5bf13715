# SPDX-License-Identifier: Apache-2.0
"""Response bodies with a limit on their decompressed size, for the APIs and for sign-in."""

from __future__ import annotations

import zlib
from typing import Any

from urllib3.exceptions import ProtocolError

from airflow_provider_cpp.core.redaction import sanitize_line

CHUNK = 64 * 1024

MAX_BODY_SIZE = 32 * 1024 * 1024
"""The limit in bytes; an offer with prices for every region has a few megabytes."""

_GZIP = 31
"""The ``wbits`` value for gzip in zlib."""


class InvalidBodyError(Exception):
    """The body is too large, or cannot be decompressed."""


class BoundedBody:
    """A response body that is decompressed in chunks, up to a limit.

    The decompression of the HTTP libraries is disabled, because its cost and its errors for broken data differ between versions.

    :param encoding: the response's Content-Encoding; only gzip and identity are supported.
    :param max_size: the limit in bytes; 32 MiB by default.
    :raises InvalidBodyError: if the encoding is not supported.
    """

    def __init__(self, encoding: str | None, *, max_size: int = MAX_BODY_SIZE) -> None:
        self.content = bytearray()
        self._max_size = max_size
        self._received = 0
        name = (encoding or "identity").strip().lower()
        self._gzip = zlib.decompressobj(_GZIP) if name == "gzip" else None
        if name not in ("gzip", "identity"):
            text = f"the response has Content-Encoding {sanitize_line(name, 40)}, which was not requested"
            raise InvalidBodyError(text)

    def feed(self, chunk: bytes) -> None:
        """Add a chunk; raise :class:`InvalidBodyError` if the body is too large or cannot be decompressed."""
        self._received += len(chunk)
        while chunk:
            if self._gzip is None:
                self.content += chunk
                chunk = b""
            else:
                chunk = self._decompress(self._gzip, chunk)
            if max(self._received, len(self.content)) > self._max_size:
                raise InvalidBodyError(f"the response is larger than {self._max_size // 1024**2} MiB")

    def _decompress(self, gzip: Any, chunk: bytes) -> bytes:
        try:
            self.content += gzip.decompress(chunk, self._max_size + 1 - len(self.content))
        except zlib.error as error:
            raise InvalidBodyError(f"the response cannot be decompressed: {error}") from error
        if gzip.eof:  # another gzip member may follow
            self._gzip = zlib.decompressobj(_GZIP)
            return bytes(gzip.unused_data)
        return bytes(gzip.unconsumed_tail)


def drain(raw: Any, body: BoundedBody) -> None:
    """Read a response of requests completely, before the deadline; see :mod:`.deadline`.

    :param raw: the unread urllib3 response.
    :param body: receives the bytes.
    :raises HTTPError: if the body is broken or does not end in time.
    :raises InvalidBodyError: see :meth:`BoundedBody.feed`.
    """
    try:
        while chunk := raw.read(CHUNK, decode_content=False):
            body.feed(chunk)
    except ValueError as error:  # http.client raises it for a chunk with a negative size
        raise ProtocolError(f"the body is broken: {error}") from error
