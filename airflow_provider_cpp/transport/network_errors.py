# SPDX-License-Identifier: Apache-2.0
"""What lies below an error that a library raised."""

from __future__ import annotations

import re
import ssl

PROXY_HINT = "the proxy is named in the connection's extra, as proxies, or by HTTPS_PROXY of the environment"
_USER = re.compile(r"//[^/\s]+@")


def exception_chain(error: BaseException) -> list[BaseException]:
    """List an error and what lies below it, the deepest last; libraries hide it in causes, reasons and arguments."""
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
    """Name a network failure by what lies at its bottom, without a library's object addresses or a proxy's password."""
    causes = exception_chain(error)
    # Both libraries name an error on the way to a proxy so.
    hint = f"; {PROXY_HINT}" if any("Proxy" in type(cause).__name__ for cause in causes) else ""
    return without_users(f"{type(error).__name__}: {causes[-1]}{hint}")


def untrusted_text(error: BaseException) -> str | None:
    """Say why the other side's certificate is not trusted, if that is what an error is about."""
    found = [cause for cause in exception_chain(error) if isinstance(cause, ssl.SSLCertVerificationError)]
    # aiohttp's own class is one of these too, and has nothing of what they have.
    return f"TLS: {getattr(found[-1], 'verify_message', None) or found[-1]}" if found else None


def without_users(text: str) -> str:
    """Take user and password out of the addresses in a text."""
    return _USER.sub("//***@", text)
