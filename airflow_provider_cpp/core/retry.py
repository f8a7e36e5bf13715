# SPDX-License-Identifier: Apache-2.0
"""Whether to ask again, and after how long: a decision, made without a clock and without waiting."""

from __future__ import annotations

from airflow_provider_cpp.exceptions import PortalError, RequestError

TRIES = 4
"""How often a read is asked in all before its error is let through."""

LONGEST_PAUSE = 60.0
"""Seconds: a portal that wants a longer pause than this is not waited for inside one call."""


def pause_before_retry(error: PortalError, tries: int, *, is_safe: bool) -> float | None:
    """Say how many seconds to wait before asking again, or None to give up.

    :param error: what the last try ended with.
    :param tries: how many there were.
    :param is_safe: whether the request may be sent twice; an order never may.
    """
    if not is_safe or not error.retryable or tries >= TRIES:
        return None
    asked_for = error.retry_after if isinstance(error, RequestError) else None
    pause = float(2 ** (tries - 1)) if asked_for is None else asked_for
    return pause if pause <= LONGEST_PAUSE else None
