# SPDX-License-Identifier: Apache-2.0
"""A connection's plain fields, checked once and made a frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_cpp.portal.calls import API_VERSION, DEFAULT_HOST, DEFAULT_SCOPE
from airflow_provider_cpp.portal.errors import ConfigurationError

DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
DEFAULT_REQUEST_TIMEOUT = 60.0
ORDER_TIMEOUT = 300.0
"""Seconds to wait for the answer to an order: the portal has been seen to take minutes."""

AUTH_KINDS = ("client_secret",)
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the wire needs to know of a connection. Equal settings share a token.

    :param base_url: scheme, host and port of the portal.
    :param client_id: the application (client) id.
    :param client_secret: its secret; never shown.
    :param tenant_id: the Entra ID tenant.
    :param publisher_id: the publisher that is meant where a task names none.
    :param authority: where tokens come from.
    :param scope: what the token is for.
    :param api_version: the portal's API version.
    :param verify: the path of a CA bundle; None for the machine's own.
    :param proxies: proxy URL by scheme, ``(("https", "http://proxy:3128"),)``.
    :param request_timeout: seconds for connecting, and for waiting on an answer.
    """

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: str
    publisher_id: str | None = None
    authority: str = DEFAULT_AUTHORITY
    scope: str = DEFAULT_SCOPE
    api_version: str = API_VERSION
    verify: str | None = None
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    request_timeout: float = DEFAULT_REQUEST_TIMEOUT

    def read_timeout(self, *, order: bool) -> float:
        """Return for how many seconds an answer is awaited."""
        return max(ORDER_TIMEOUT, self.request_timeout) if order else self.request_timeout

    def bundle(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """Return the path of the CA bundle: the connection's, else the one that requests would take, else None.

        requests lets REQUESTS_CA_BUNDLE beat a session's own setting, and aiohttp does not know it; deciding here
        makes both wires trust the same authorities, and the connection's wish come first.
        """
        return self.verify or next((environ[name] for name in BUNDLES if environ.get(name)), None)

    @classmethod
    def from_fields(
        cls,
        *,
        host: str | None,
        login: str | None,
        password: str | None,
        extra: Mapping[str, Any],
        where: str = "the connection",
    ) -> Settings:
        """Make settings of a connection's fields.

        :param where: what to call the connection in an error.
        :raises ConfigurationError: naming all that is missing or wrong at once.
        """
        form = _Form(extra)
        values: dict[str, Any] = {
            "base_url": form.origin("host", host or DEFAULT_HOST),
            "client_id": form.required("login (application id)", login),
            "client_secret": form.required("password (client secret)", password),
            "tenant_id": form.required("tenant_id in extra", form.text("tenant_id")),
            "publisher_id": form.text("publisher_id"),
            "authority": form.origin("authority", form.text("authority") or DEFAULT_AUTHORITY),
            "scope": form.text("scope") or DEFAULT_SCOPE,
            "api_version": form.text("api_version") or API_VERSION,
            "verify": form.bundle(),
            "proxies": form.proxies(),
            "request_timeout": form.seconds("request_timeout", DEFAULT_REQUEST_TIMEOUT),
        }
        if (auth := form.text("auth") or AUTH_KINDS[0]) not in AUTH_KINDS:
            form.problems.append(f"auth in extra is {auth!r}, not one of: {', '.join(AUTH_KINDS)}")
        if form.missing:
            form.problems.insert(0, f"it lacks {', '.join(form.missing)}")
        if form.problems:
            raise ConfigurationError(tuple(form.problems), where)
        return cls(**values)


class _Form:
    """Reads fields one by one and gathers all complaints, so that one round of correction is enough."""

    def __init__(self, extra: Mapping[str, Any]) -> None:
        self.extra = extra
        self.missing: list[str] = []
        self.problems: list[str] = []

    def required(self, name: str, value: str | None) -> str:
        if not (value or "").strip():
            self.missing.append(name)
        return (value or "").strip()

    def text(self, key: str) -> str | None:
        value = self.extra.get(key)
        if value is not None and not isinstance(value, str):
            self.problems.append(f"{key} in extra must be text")
            return None
        return (value or "").strip() or None

    def seconds(self, key: str, default: float) -> float:
        value = self.extra.get(key)
        if value in (None, ""):
            return default
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds < 24 * 3600:
            self.problems.append(f"{key} in extra must be a number of seconds above 0")
        return seconds

    def origin(self, key: str, value: str) -> str:
        """Read scheme, host and port; a path there would be a guess at what is meant."""
        address = value.strip().rstrip("/")
        address = address if "://" in address else f"https://{address}"
        try:
            parts = urlsplit(address)
            good = parts.scheme == "https" and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.path or parts.query or parts.fragment or parts.username is not None:
            self.problems.append(f"{key} must be an https address with neither path nor user, like {DEFAULT_HOST}")
        return address

    def bundle(self) -> str | None:
        value = self.extra.get("verify")
        if value in (None, "", True, "true", "True"):
            return None
        if not isinstance(value, str) or not os.path.exists(value):  # noqa: PTH110 - a str is what both wires want
            self.problems.append("verify in extra must be the path of a CA bundle that exists here")
            return None
        return value

    def proxies(self) -> tuple[tuple[str, str], ...]:
        value = self.extra.get("proxies")
        if value in (None, "", {}):
            return ()
        if isinstance(value, dict) and all(isinstance(proxy, str) for proxy in value.values()):
            return tuple(sorted((str(scheme), proxy) for scheme, proxy in value.items()))
        self.problems.append('proxies in extra must be an object like {"https": "http://proxy:3128"}')
        return ()
