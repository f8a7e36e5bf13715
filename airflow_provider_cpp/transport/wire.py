# SPDX-License-Identifier: Apache-2.0
"""What both wires have in common: headers, bounds, and the words for what goes wrong."""

from __future__ import annotations

import ssl
import zlib
from typing import Any, Protocol

from airflow_provider_cpp import __version__
from airflow_provider_cpp.portal.calls import Call
from airflow_provider_cpp.portal.errors import BadReply, Unreachable, Untrusted
from airflow_provider_cpp.portal.text import plain_text
from airflow_provider_cpp.transport.auth import Token
from airflow_provider_cpp.transport.causes import causes_of, network_text

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes: an offer with every region's prices has some megabytes; more than this is not an answer."""

CHUNK = 64 * 1024

LONGEST_EXCHANGE = 900.0
"""Seconds from the request to the last byte of its answer, which might otherwise trickle for ever."""


class Log(Protocol):
    """What a flow's lines are told to: a logger of the standard library, or Airflow's."""

    def log(self, level: int, msg: str, /, *args: object) -> object:
        """Take a line."""


def headers(token: Token, call: Call[Any]) -> dict[str, str]:
    """Return what a request carries. The API wants a content type on reads too."""
    return {
        **call.headers,
        "Authorization": f"Bearer {token.value}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"airflow-provider-cpp/{__version__}",
    }


class Body:
    """An answer's bytes as they come, decompressed up to the bound.

    The libraries' own decompression is left off: what it costs, and whether it ends at all with data that are
    broken, differs from one version to the next.

    :param call: what is answered.
    :param encoding: the answer's Content-Encoding; only what was asked for is understood.
    """

    def __init__(self, call: Call[Any], encoding: str | None) -> None:
        self.content = bytearray()
        self._call = call
        self._taken = 0
        name = (encoding or "identity").strip().lower()
        self._gzip = zlib.decompressobj(_GZIP) if name == "gzip" else None
        if name not in ("gzip", "identity"):
            raise BadReply(call.words, text=f"the answer is encoded as {plain_text(name, 40)}, which was not asked for")

    def take(self, chunk: bytes) -> None:
        """Take some more.

        :raises BadReply: if it grows too large, or cannot be decompressed.
        """
        self._taken += len(chunk)
        while chunk:
            if self._gzip is None:
                self.content += chunk
                chunk = b""
            else:
                chunk = self._decompress(self._gzip, chunk)
            if max(self._taken, len(self.content)) > LARGEST_BODY:
                raise too_large(self._call)

    def _decompress(self, gzip: Any, chunk: bytes) -> bytes:
        try:
            self.content += gzip.decompress(chunk, LARGEST_BODY + 1 - len(self.content))
        except zlib.error as error:
            raise BadReply(self._call.words, text=f"the answer cannot be decompressed: {error}") from error
        if gzip.eof:  # another part may follow
            self._gzip = zlib.decompressobj(_GZIP)
            return bytes(gzip.unused_data)
        return bytes(gzip.unconsumed_tail)


_GZIP = 31
"""What zlib calls the format."""


def too_large(call: Call[Any]) -> BadReply:
    """Make the error for an answer that has no end."""
    return BadReply(call.words, text=f"the answer is larger than {LARGEST_BODY // 1024**2} MiB")


def unreachable(call: Call[Any], error: BaseException, *, sent: bool) -> Unreachable:
    """Make the error for a request without an answer, from whatever a library raised."""
    causes = list(causes_of(error))
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return Untrusted(call.words, text=f"TLS: {certificate.verify_message}", sent=False)
    return Unreachable(call.words, text=plain_text(network_text(error), 300), sent=sent)
