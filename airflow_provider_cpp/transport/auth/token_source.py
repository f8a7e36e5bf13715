# SPDX-License-Identifier: Apache-2.0
"""A cache of tokens: one thread-safe source per process for equal settings, which renews tokens before they expire.

Concurrent callers share the result of one sign-in with :mod:`airflow_provider_cpp.transport.auth.acquire`, even if it fails.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from airflow_provider_cpp.exceptions import AuthenticationError
from airflow_provider_cpp.transport.auth.acquire import acquire_token
from airflow_provider_cpp.transport.auth.token_response import TokenFailure, TokenGrant
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.deadline import time_left
from airflow_provider_cpp.transport.settings import Settings

RENEWAL_MARGIN = 300.0
"""Seconds before expiry at which a token is renewed; at most a tenth of its lifetime."""

FAILURE_CACHE_TIME = 1.0
"""Seconds between a failed sign-in and the next one; until then, all callers get the same error."""

MAX_RETRY_AFTER = 3600.0
"""The maximum Retry-After in seconds."""

UNCHANGED_HINT = ". The connection was read again since then, and its token is still the same"

MAX_SOURCES = 64
"""The maximum number of sources in a process, because each rotated secret leaves an unused one."""


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token.

    :param renew_at: when to renew it, on the source's clock.
    :param expires_at: when it expires, on the same clock.
    """

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


class TokenSource:
    """A source of tokens for one :class:`Settings`; it runs one sign-in at a time.

    :param clock: a monotonic clock.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        acquire: Callable[..., TokenGrant | TokenFailure] = acquire_token,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._acquire = acquire
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: TokenFailure | None = None
        self._retry_at = 0.0
        self._has_failed = self._reloaded_since = False

    def cached(self, rejected: Token | None = None) -> Token | None:
        """Return the cached token without blocking; None if it is missing or must be renewed.

        :param rejected: a token that the API rejected, which is not returned.
        """
        token = self._token
        if token is None or self._clock() >= token.renew_at:
            return None
        return None if rejected is not None and rejected.value == token.value else token

    def token(self, rejected: Token | None = None) -> Token:
        """Return a token; block while this or another thread acquires one, but not past the deadline.

        :param rejected: a token that the API rejected; the returned token is a different one.
        :raises AuthenticationError: if there is no token, or none in time.
        :raises ConfigurationError: if a certificate or the CA bundle cannot be used.
        """
        seconds = time_left()
        if not self._lock.acquire(timeout=-1 if seconds == math.inf else max(seconds, 0)):
            text = f"sign-in of {self._settings.credentials}: the sign-in of another thread did not end before the deadline"
            raise AuthenticationError(text, transient=True, responded=False)
        try:
            if (token := self.cached(rejected)) is not None:
                return token
            if rejected is not None:
                self._token = None
            if self._failure is not None and self._clock() < self._retry_at:
                raise self._failure.error()
            return self._renew(refused=rejected is not None)
        finally:
            self._lock.release()

    def connection_was_reloaded(self) -> None:
        """Record that the connection was read again without a change; the error of a failed sign-in mentions this."""
        self._reloaded_since = self._has_failed

    def _renew(self, *, refused: bool) -> Token:
        started_at = self._clock()
        outcome = self._acquire(self._settings, refused=refused)
        if isinstance(outcome, TokenGrant):
            margin = min(RENEWAL_MARGIN, outcome.lifetime / 10)
            expires_at = started_at + outcome.lifetime
            self._failure, self._token = None, Token(outcome.value, expires_at - margin, expires_at)
            return self._token
        if self._reloaded_since and isinstance(self._settings.credentials, AccessToken):
            outcome = replace(outcome, message=outcome.message + UNCHANGED_HINT)
        delay = min(max(FAILURE_CACHE_TIME, outcome.retry_after), MAX_RETRY_AFTER)
        old, now = self._token, self._clock()
        if outcome.transient and old is not None and now < old.expires_at:
            # Keep the old token: tokens are renewed early, so that a short outage of the service has no effect.
            self._token = replace(old, renew_at=min(now + max(delay, RENEWAL_MARGIN / 10), old.expires_at))
            return self._token
        self._failure, self._retry_at, self._has_failed = outcome, now + delay, True
        raise outcome.error()


_sources_lock = threading.Lock()
_cached_source = lru_cache(MAX_SOURCES)(TokenSource)


def token_source(settings: Settings) -> TokenSource:
    """Return the source for these settings; there is one per process."""
    with _sources_lock:  # without it, two threads could create a source each
        return _cached_source(settings)
