# SPDX-License-Identifier: Apache-2.0
"""What lies below an error that a library raised."""

from __future__ import annotations


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
