# SPDX-License-Identifier: Apache-2.0
"""What both wires have in common: headers, bounds, and the words for what goes wrong."""

from __future__ import annotations

import ssl
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
        return Untrusted(call.words, text=f"TLS: {certificate.verify_message}", sent=False)
    return Unreachable(call.words, text=plain_text(network_text(error), 300), sent=sent)
