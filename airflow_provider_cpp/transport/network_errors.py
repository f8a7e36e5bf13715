# SPDX-License-Identifier: Apache-2.0
"""Causes of the errors that HTTP libraries raise, as text."""

from __future__ import annotations

import re
import ssl

PROXY_HINT = "check the proxy: proxies in the connection's extra, or HTTPS_PROXY in the environment"
_USER = re.compile(r"//[^/\s]+@")


def exception_chain(error: BaseException) -> list[BaseException]:
    """List an error and its causes, the root cause last; libraries hide them in causes, reasons and arguments."""
    chain: list[BaseException] = []
    current: object = error
    while isinstance(current, BaseException) and current not in chain:
        chain.append(current)
        inner = getattr(current, "reason", None) or getattr(current, "certificate_error", None)
        inner = inner or getattr(current, "os_error", None)
        if not isinstance(inner, BaseException):
            inner = next((part for part in current.args if isinstance(part, BaseException)), None)
        current = inner or current.__cause__
    return chain


def network_text(error: BaseException) -> str:
    """Return the root cause of a network failure, without object addresses and without a proxy's password."""
    chain = exception_chain(error)
    # Both libraries have "Proxy" in the name of an error that occurs on the way to a proxy.
    hint = f"; {PROXY_HINT}" if any("Proxy" in type(cause).__name__ for cause in chain) else ""
    return without_users(f"{type(error).__name__}: {chain[-1]}{hint}")


def untrusted_text(error: BaseException) -> str | None:
    """Return why a server's certificate is not trusted; None for another error."""
    causes = [cause for cause in exception_chain(error) if isinstance(cause, ssl.SSLCertVerificationError)]
    # aiohttp's own class is a subclass without verify_message.
    return f"TLS: {getattr(causes[-1], 'verify_message', None) or causes[-1]}" if causes else None


def without_users(text: str) -> str:
    """Mask user and password in the URLs of a text."""
    return _USER.sub("//***@", text)
