# SPDX-License-Identifier: Apache-2.0
"""Find the causes of the errors that HTTP libraries raise."""

from __future__ import annotations

import re
import ssl

PROXY_HINT = "check the proxy: proxies in the connection's extra, or HTTPS_PROXY in the environment"
_USER = re.compile(r"//[^/\s]+@")


def exception_chain(error: BaseException) -> list[BaseException]:
    """List an error and its causes, the root cause last. Libraries store causes in different attributes and arguments."""
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
    """Return the root cause of a network error, without the password of a proxy."""
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
