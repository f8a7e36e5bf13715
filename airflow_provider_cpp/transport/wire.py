# SPDX-License-Identifier: Apache-2.0
"""What both wires have in common: headers, bounds, and the words for what goes wrong."""

from __future__ import annotations

import ssl
from typing import Any, Protocol

from airflow_provider_cpp import __version__
from airflow_provider_cpp.portal.calls import Call
from airflow_provider_cpp.portal.errors import BadReply, Unreachable
from airflow_provider_cpp.portal.text import plain_text
from airflow_provider_cpp.transport.auth import Token

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes: an offer with every region's prices has some megabytes; more than this is not an answer."""

CHUNK = 64 * 1024


class Log(Protocol):
    """What a flow's lines are told to: a logger of the standard library, or Airflow's."""

    def log(self, level: int, msg: str, /, *args: object) -> object:
        """Take a line."""


def headers(token: Token) -> dict[str, str]:
    """Return what every request carries. The API wants a content type on reads too."""
    return {
        "Authorization": f"Bearer {token.value}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"airflow-provider-cpp/{__version__}",
    }


def too_large(call: Call[Any]) -> BadReply:
    """Make the error for an answer that has no end."""
    return BadReply(call.words, text=f"the answer is larger than {LARGEST_BODY // 1024**2} MiB")


def unreachable(call: Call[Any], error: BaseException, *, sent: bool) -> Unreachable:
    """Make the error for a request without an answer, from whatever a library raised."""
    causes = list(causes_of(error))
    certificate = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        text = f"TLS: {certificate.verify_message}; a CA of your own goes into the connection's extra as verify"
    else:
        text = f"{type(error).__name__}: {causes[-1]}"
    return Unreachable(call.words, text=plain_text(text, 300), sent=sent)


def causes_of(error: BaseException) -> list[BaseException]:
    """List an error and what lies below it, the deepest last; libraries hide it in causes, reasons and arguments."""
    chain: list[BaseException] = []
    current: object = error
    while isinstance(current, BaseException) and current not in chain:
        chain.append(current)
        inner = getattr(current, "reason", None) or getattr(current, "certificate_error", None)
        inner = inner or getattr(current, "os_error", None) or (current.args[0] if current.args else None)
        current = inner if isinstance(inner, BaseException) else current.__cause__
    return chain
