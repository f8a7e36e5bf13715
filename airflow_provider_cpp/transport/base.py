# SPDX-License-Identifier: Apache-2.0
"""Headers and errors that both drivers use."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_provider_cpp import __version__
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CertificateVerifyError, TransportError
from airflow_provider_cpp.transport.deadline import overdue_text
from airflow_provider_cpp.transport.network_errors import exception_chain, network_text, untrusted_text


class Logger(Protocol):
    """A standard library logger, or Airflow's."""

    def log(self, level: int, msg: str, /, *args: object) -> object:
        """Log a line."""


COMMON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-cpp/{__version__}",
}
"""The headers of every request. The CPP API requires a content type even for reads."""


def transport_error(
    request: Request[Any], address: str, error: BaseException, never_sent: tuple[type[BaseException], ...]
) -> TransportError:
    """Return the error for a request without a response, from the exception of an HTTP library.

    :param address: the API's scheme, host and port.
    :param never_sent: the causes which prove that the API has not received the request.
    """
    prefix = f"no response from {address}"
    if (untrusted := untrusted_text(error)) is not None:
        text = f"{prefix}: {sanitize_line(untrusted, 300)}"
        return request.error(CertificateVerifyError, text=text, sent=False)
    text = f"{prefix}: {overdue_text() or sanitize_line(network_text(error), 300)}"
    sent = not any(isinstance(cause, never_sent) for cause in exception_chain(error))
    return request.error(TransportError, text=text, sent=sent)
