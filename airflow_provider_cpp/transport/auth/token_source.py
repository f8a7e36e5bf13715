# SPDX-License-Identifier: Apache-2.0
"""Tokens: one source for equal settings in a process, thread-safe, renewed ahead of expiry.

How one is acquired is :mod:`airflow_provider_cpp.transport.auth.acquire`'s; what is here is that they are shared, that a
service in trouble is not asked by everybody at once, and that no token is ever shown.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from airflow_provider_cpp.exceptions import AuthenticationError
from airflow_provider_cpp.transport.auth.acquire import TokenFailure, TokenGrant, acquire_token
from airflow_provider_cpp.transport.credentials import AccessToken
from airflow_provider_cpp.transport.deadline import time_left
from airflow_provider_cpp.transport.settings import Settings

RENEWAL_MARGIN = 300.0
"""Seconds before its expiry at which a token is renewed; for short-lived ones, a tenth of their life."""

FAILURE_CACHE_TIME = 1.0
"""Seconds for which nobody is asked again after a refusal: those who waited for the answer share it."""

MAX_RETRY_AFTER = 3600.0
"""Seconds: the same where the service itself says how long."""

UNCHANGED_HINT = ". The connection was read again since, and the token in it is still the same one"

MAX_SOURCES = 64
"""Sources kept in a process: rotated secrets leave old ones behind."""


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token, which shows itself to nobody.

    :param value: what goes into the Authorization header.
    :param renew_at: when to acquire the next one, on the source's clock.
    :param expires_at: when it is worth nothing any more, on the same clock.
    """

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


class TokenSource:
    """Acquires tokens for one :class:`Settings`, one at a time.

    :param settings: whose token.
    :param clock: seconds that only grow.
    :param acquire: asks for a token.
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
        self._refusal: TokenFailure | None = None
        self._ask_again_at = 0.0
        self._was_refused = self._found_again = False

    def cached(self, rejected: Token | None = None) -> Token | None:
        """Return the token at hand without waiting for anybody; None if there is none that is good."""
        token = self._token
        if token is None or self._clock() >= token.renew_at:
            return None
        return None if rejected is not None and rejected.value == token.value else token

    def token(self, rejected: Token | None = None) -> Token:
        """Return a token; blocks while one is acquired, by one thread for all, but not past the deadline.

        :param rejected: a token that the portal refused, so that another one is wanted.
        :raises AuthenticationError: if there is none to be had, or not in time.
        :raises ConfigurationError: if a certificate or the CA bundle cannot be used.
        """
        left = time_left()
        if not self._lock.acquire(timeout=-1 if left == math.inf else max(left, 0)):
            text = (
                f"sign-in of {self._settings.credentials.principal}: another thread's did not end before the deadline"
            )
            raise AuthenticationError(text, transient=True, answered=False)
        try:
            if (token := self.cached(rejected)) is not None:
                return token
            if rejected is not None:
                self._token = None
            if self._refusal is not None and self._clock() < self._ask_again_at:
                raise self._refusal.error()
            return self._renew(refused=rejected is not None)
        finally:
            self._lock.release()

    def connection_was_reloaded(self) -> None:
        """Note that the connection was read again, and holds what this source is for; of interest after a refusal only."""
        self._found_again = self._was_refused

    def _renew(self, *, refused: bool) -> Token:
        asked_at = self._clock()
        outcome = self._acquire(self._settings, refused=refused)
        if isinstance(outcome, TokenGrant):
            ahead = min(RENEWAL_MARGIN, outcome.lifetime / 10)
            expires_at = asked_at + outcome.lifetime
            self._refusal, self._token = None, Token(outcome.value, expires_at - ahead, expires_at)
            return self._token
        if self._found_again and isinstance(self._settings.credentials, AccessToken):
            outcome = replace(outcome, message=outcome.message + UNCHANGED_HINT)
        pause = min(max(FAILURE_CACHE_TIME, outcome.retry_after), MAX_RETRY_AFTER)
        old, now = self._token, self._clock()
        if outcome.transient and old is not None and now < old.expires_at:
            # It is renewed ahead of time so that a service in trouble does no harm until the old one's real end.
            self._token = replace(old, renew_at=min(now + max(pause, RENEWAL_MARGIN / 10), old.expires_at))
            return self._token
        self._refusal, self._ask_again_at, self._was_refused = outcome, now + pause, True
        raise outcome.error()


_sources: OrderedDict[Settings, TokenSource] = OrderedDict()
_sources_lock = threading.Lock()


def token_source(settings: Settings) -> TokenSource:
    """Return the process's one source for these settings."""
    with _sources_lock:
        source = _sources.setdefault(settings, TokenSource(settings))
        _sources.move_to_end(settings)
        while len(_sources) > MAX_SOURCES:
            _sources.popitem(last=False)
        return source
