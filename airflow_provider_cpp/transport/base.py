# SPDX-License-Identifier: Apache-2.0
"""What both wires have in common: headers, bounds, and the words for what goes wrong."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_provider_cpp import __version__
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CertificateVerifyError, InvalidResponseError, TransportError
from airflow_provider_cpp.transport.auth.token_source import Token
from airflow_provider_cpp.transport.body import BoundedBody
from airflow_provider_cpp.transport.deadline import overdue_text
from airflow_provider_cpp.transport.network_errors import network_text, untrusted_text


class Logger(Protocol):
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


def request_headers(token: Token, request: Request[Any]) -> dict[str, str]:
    """Return what a request carries beside :data:`COMMON_HEADERS`."""
    return {**request.headers, "Authorization": f"Bearer {token.value}"}


def response_body(request: Request[Any], encoding: str | None) -> BoundedBody:
    """Return what takes a call's answer; what cannot be taken is a :class:`InvalidResponseError`.

    :param encoding: the answer's Content-Encoding.
    """
    return BoundedBody(encoding, lambda text: InvalidResponseError(request.description, text=text))


def transport_error(request: Request[Any], address: str, error: BaseException, *, sent: bool) -> TransportError:
    """Make the error for a request without an answer, from whatever a library raised.

    :param address: where the portal should be: scheme, host and port.
    :param sent: whether the request may have arrived.
    """
    silence = f"no answer from {address}"
    if (untrusted := untrusted_text(error)) is not None:
        return CertificateVerifyError(
            request.description, text=f"{silence}: {sanitize_line(untrusted, 300)}", sent=False
        )
    return TransportError(
        request.description, text=f"{silence}: {overdue_text() or sanitize_line(network_text(error), 300)}", sent=sent
    )
