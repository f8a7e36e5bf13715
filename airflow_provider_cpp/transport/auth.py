# SPDX-License-Identifier: Apache-2.0
"""Tokens: one source for equal settings in a process, thread-safe, renewed ahead of expiry.

The protocol is msal's; what is ours is the sharing, and that no token and no secret is ever shown.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msal
import requests

from airflow_provider_cpp.portal.errors import SignInError
from airflow_provider_cpp.portal.text import plain_text
from airflow_provider_cpp.transport.causes import causes_of
from airflow_provider_cpp.transport.settings import DEFAULT_AUTHORITY, Settings

RENEW_AHEAD = 300.0
"""Seconds before its expiry at which a token is renewed; for short-lived ones, a tenth of their life."""

MOST_SOURCES = 64
"""Sources kept in a process: rotated secrets leave old ones behind."""


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token, which shows itself to nobody.

    :param value: what goes into the Authorization header.
    :param renew_at: when to acquire the next one, on the source's clock.
    """

    value: str = field(repr=False)
    renew_at: float


class TokenSource:
    """Acquires tokens for one :class:`Settings`, one at a time.

    :param settings: whose token.
    :param clock: seconds that only grow.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._application: msal.ConfidentialClientApplication | None = None

    def cached(self, rejected: Token | None = None) -> Token | None:
        """Return the token at hand without waiting for anybody; None if there is none that is good."""
        token = self._token
        return token if token is not None and token is not rejected and self._clock() < token.renew_at else None

    def token(self, rejected: Token | None = None) -> Token:
        """Return a token; blocks while one is acquired.

        :param rejected: a token that the portal refused, so that another one is wanted.
        :raises SignInError: if Entra ID gave none.
        """
        with self._lock:
            if (token := self.cached(rejected)) is not None:
                return token
            self._token = self._acquire(anew=rejected is not None)
            return self._token

    def _acquire(self, *, anew: bool) -> Token:
        settings, asked_at = self._settings, self._clock()
        client = _HttpClient(settings)
        try:
            if self._application is None:
                self._application = msal.ConfidentialClientApplication(
                    settings.client_id,
                    client_credential=settings.client_secret,
                    authority=f"{settings.authority}/{settings.tenant_id}",
                    instance_discovery=None if settings.authority == DEFAULT_AUTHORITY else False,
                    http_client=client,
                )
            if anew or self._token is not None:
                # Our own clock said that it is time: msal's cache would hand the old one out again.
                self._application.remove_tokens_for_client()
            answer = self._application.acquire_token_for_client(scopes=[settings.scope])
        except requests.RequestException as error:
            untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes_of(error))
            raise self._refused({"error_description": _network_text(error)}, transient=not untrusted) from None
        except (ValueError, RuntimeError, KeyError) as error:
            raise self._refused(client.last_error or {"error_description": str(error)}) from None
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise self._refused(answer or {}, transient=client.last_status >= 500)  # noqa: PLR2004 - a server's fault
        lifetime = float(answer.get("expires_in") or 0)
        return Token(answer["access_token"], asked_at + lifetime - min(RENEW_AHEAD, lifetime / 10))

    def _refused(self, answer: dict[str, Any], *, transient: bool = False) -> SignInError:
        settings = self._settings
        code = answer.get("error")
        said = ": ".join(str(part) for part in (code, answer.get("error_description")) if part) or "no answer"
        text = plain_text(said.replace(settings.client_secret, "***"), 600)
        whom = f"sign-in of client {settings.client_id} in tenant {settings.tenant_id} at {settings.authority}"
        return SignInError(
            f"{whom} failed: {text}",
            code=str(code) if code else None,
            transient=transient,
            correlation_id=answer.get("correlation_id"),
        )


class _HttpClient:
    """What msal sends with: verification and time limits with each request, since sessions lose them to the environment."""

    def __init__(self, settings: Settings) -> None:
        self._options: dict[str, Any] = {
            "verify": settings.bundle() or True,
            "proxies": dict(settings.proxies) or None,
            "timeout": (settings.request_timeout, settings.request_timeout),
            "allow_redirects": False,
        }
        self.last_error: dict[str, Any] | None = None
        self.last_status = 0

    def post(
        self, url: str, *, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> requests.Response:
        return self._noted(requests.post(url, params=params, data=data, headers=headers, **self._options))  # noqa: S113 - among the options

    def get(self, url: str, *, params: Any = None, headers: Any = None, **_: Any) -> requests.Response:
        return self._noted(requests.get(url, params=params, headers=headers, **self._options))  # noqa: S113 - among the options

    def close(self) -> None:
        """Do nothing: each request has a connection of its own, an hour apart."""

    def _noted(self, response: requests.Response) -> requests.Response:
        self.last_status = response.status_code
        try:
            body = json.loads(response.content)
        except ValueError:
            return response
        self.last_error = body if isinstance(body, dict) and "error" in body else None
        return response


def _network_text(error: requests.RequestException) -> str:
    """Name a network failure by what lies at its bottom, without a library's object addresses."""
    return f"{type(error).__name__}: {causes_of(error)[-1]}"


_sources: OrderedDict[Settings, TokenSource] = OrderedDict()
_sources_lock = threading.Lock()


def token_source(settings: Settings) -> TokenSource:
    """Return the process's one source for these settings."""
    with _sources_lock:
        source = _sources.setdefault(settings, TokenSource(settings))
        _sources.move_to_end(settings)
        while len(_sources) > MOST_SOURCES:
            _sources.popitem(last=False)
        return source
