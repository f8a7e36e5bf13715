# SPDX-License-Identifier: Apache-2.0
"""Find the causes of the errors that HTTP libraries raise, and convert the errors to those of this package."""

from __future__ import annotations

import re
import ssl
from typing import Any

from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CertificateVerifyError, TransportError
from airflow_provider_cpp.transport.deadline import overdue_text

PROXY_HINT = "check the proxy: proxies in the connection's extra, or HTTPS_PROXY in the environment"
_USER = re.compile(r"//[^/\s]+@")


def exception_chain(error: BaseException) -> list[BaseException]:
    """List an error and its causes, the root cause last. Libraries store causes in different attributes and arguments."""
    chain: list[BaseException] = []
    current: object = error
    while isinstance(current, BaseException) and current not in chain:
        chain.append(current)
        attributes = (getattr(current, name, None) for name in ("reason", "certificate_error", "os_error"))
        causes = (*attributes, *current.args, current.__cause__)
        current = next((cause for cause in causes if isinstance(cause, BaseException)), None)
    return chain


def network_text(error: BaseException) -> str:
    """Return the root cause of a network error, without the password of a proxy, or that the deadline has passed."""
    if (overdue := overdue_text()) is not None:
        return overdue
    chain = exception_chain(error)
    # In both libraries, the names of errors in connecting to a proxy contain "Proxy".
    hint = f"; {PROXY_HINT}" if any("Proxy" in type(cause).__name__ for cause in chain) else ""
    return without_users(f"{type(error).__name__}: {chain[-1]}{hint}")


def untrusted_text(error: BaseException) -> str | None:
    """Return why a server's certificate is not trusted; None for any other error."""
    causes = [cause for cause in exception_chain(error) if isinstance(cause, ssl.SSLCertVerificationError)]
    # aiohttp's subclass has no verify_message.
    return f"TLS: {getattr(causes[-1], 'verify_message', None) or causes[-1]}" if causes else None


def without_users(text: str) -> str:
    """Mask user names and passwords in the URLs of a text."""
    return _USER.sub("//***@", text)


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
    text = f"{prefix}: {sanitize_line(network_text(error), 300)}"
    sent = not any(isinstance(cause, never_sent) for cause in exception_chain(error))
    return request.error(TransportError, text=text, sent=sent)
