# SPDX-License-Identifier: Apache-2.0
"""What lies below an error that a library raised."""

from __future__ import annotations

import re

_USER = re.compile(r"//[^/\s]+@")


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


def network_text(error: BaseException) -> str:
    """Name a network failure by what lies at its bottom, without a library's object addresses or a proxy's password."""
    return without_users(f"{type(error).__name__}: {causes_of(error)[-1]}")


def without_users(text: str) -> str:
    """Take user and password out of the addresses in a text."""
    return _USER.sub("//***@", text)
