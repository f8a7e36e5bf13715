# SPDX-License-Identifier: Apache-2.0
"""What both wires have in common: headers, bounds, and the words for what goes wrong."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_provider_cpp import __version__
from airflow_provider_cpp.core.http import Call
from airflow_provider_cpp.core.redaction import plain_text
from airflow_provider_cpp.exceptions import BadReply, Unreachable, Untrusted
from airflow_provider_cpp.transport.auth.token_source import Token
from airflow_provider_cpp.transport.body import Body
from airflow_provider_cpp.transport.deadline import overdue
from airflow_provider_cpp.transport.network_errors import network_text, untrusted_text


class Log(Protocol):
    """What a flow's lines are told to: a logger of the standard library, or Airflow's."""

    def log(self, level: int, msg: str, /, *args: object) -> object:
        """Take a line."""


COMMON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-cpp/{__version__}",
}
"""What every request carries. The API wants a content type on reads too."""


def headers(token: Token, call: Call[Any]) -> dict[str, str]:
    """Return what a request carries beside :data:`COMMON_HEADERS`."""
    return {**call.headers, "Authorization": f"Bearer {token.value}"}


def body_of(call: Call[Any], encoding: str | None) -> Body:
    """Return what takes a call's answer; what cannot be taken is a :class:`BadReply`.

    :param encoding: the answer's Content-Encoding.
    """
    return Body(encoding, lambda text: BadReply(call.words, text=text))


def unreachable(call: Call[Any], address: str, error: BaseException, *, sent: bool) -> Unreachable:
    """Make the error for a request without an answer, from whatever a library raised.

    :param address: where the portal should be: scheme, host and port.
    :param sent: whether the request may have arrived.
    """
    silence = f"no answer from {address}"
    if (untrusted := untrusted_text(error)) is not None:
        return Untrusted(call.words, text=f"{silence}: {plain_text(untrusted, 300)}", sent=False)
    return Unreachable(call.words, text=f"{silence}: {overdue() or plain_text(network_text(error), 300)}", sent=sent)
