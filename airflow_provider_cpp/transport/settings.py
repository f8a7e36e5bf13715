# SPDX-License-Identifier: Apache-2.0
"""A connection's plain fields, checked once and made a frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.transport.connection_fields import ConnectionFields
from airflow_provider_cpp.transport.credentials import AUTH_TYPES, ClientSecret, Credentials

DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
DEFAULT_REQUEST_TIMEOUT = 60.0
DEFAULT_SUBMIT_TIMEOUT = 300.0
"""Seconds to wait for the answer to an order: the portal has been seen to take minutes."""

CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the wire needs to know of a connection. Equal settings share a token.

    :param base_url: scheme, host and port of the API, and the path that it is below.
    :param credentials: who signs in, and how.
    :param scope: what the token is for.
    :param api_version: the API's version.
    :param publisher_id: the publisher that is meant where a task names none.
    :param authority: where tokens come from.
    :param verify: the path of a CA bundle; None for the environment's, or else the list that comes with requests.
    :param proxies: proxy URL by scheme, ``(("https", "http://proxy:3128"),)``.
    :param request_timeout: seconds for connecting, and for each wait for data; in a triggerer, where responses are small, for
        one poll's whole exchange. A whole exchange, from the name's resolution to the last byte, takes at most three times as
        long, and so does a whole sign-in, with all of its requests.
    :param submit_timeout: seconds for each wait for data of the response to a submit, if that is more. A whole submit takes at
        most three times as long.
    """

    base_url: str
    credentials: Credentials
    scope: str
    api_version: str
    publisher_id: str | None = None
    authority: str = DEFAULT_AUTHORITY
    verify: str | None = None
    proxies: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    request_timeout: float = DEFAULT_REQUEST_TIMEOUT
    submit_timeout: float = DEFAULT_SUBMIT_TIMEOUT

    def read_timeout(self, *, submit: bool) -> float:
        """Return for how many seconds an answer is awaited."""
        return max(self.submit_timeout, self.request_timeout) if submit else self.request_timeout

    def exchange_timeout(self, *, submit: bool) -> float:
        """Return the seconds that a whole exchange may take, and without ``submit`` a whole sign-in."""
        return 3 * self.read_timeout(submit=submit)

    def ca_bundle(self, environ: Mapping[str, str] = os.environ) -> str | None:
        """Return the path of the CA bundle: the connection's, else the one that requests would take, else None.

        requests lets REQUESTS_CA_BUNDLE beat a session's own setting, and aiohttp does not know it; deciding here
        makes both wires trust the same authorities, and the connection's wish come first.
        """
        return self.verify or next((environ[name] for name in CA_BUNDLE_VARIABLES if environ.get(name)), None)

    @classmethod
    def from_fields(  # noqa: PLR0913 - a connection has this many fields, all by name
        cls,
        endpoint: Endpoint,
        *,
        host: str | None,
        login: str | None,
        password: str | None,
        extra: Mapping[str, Any],
        port: int | None = None,
        where: str = "the connection",
    ) -> Settings:
        """Make settings of a connection's fields.

        :param endpoint: the API that it is for: where that is, unless the connection says otherwise.
        :param port: the API's, where it is not part of ``host``.
        :param where: what to call the connection in an error.
        :raises ConfigurationError: naming all that is missing or wrong at once.
        """
        form = ConnectionFields(extra, login, password)
        kind = form.text("auth")
        if (known := AUTH_TYPES.get(kind or ClientSecret.auth_type)) is None:
            form.problems.append(f"auth in extra is {kind!r}, not one of: {', '.join(AUTH_TYPES)}")
        values: dict[str, Any] = {
            "base_url": form.base("host", host, endpoint.base_url, port),
            "credentials": known.read(form) if known else None,
            "publisher_id": form.text("publisher_id"),
            "authority": form.origin("authority", form.text("authority") or DEFAULT_AUTHORITY, DEFAULT_AUTHORITY),
            "scope": form.text("scope") or endpoint.scope,
            "api_version": form.text("api_version") or endpoint.version,
            "verify": form.bundle(),
            "proxies": form.proxies(),
            "request_timeout": form.seconds("request_timeout", DEFAULT_REQUEST_TIMEOUT),
            "submit_timeout": form.seconds("submit_timeout", DEFAULT_SUBMIT_TIMEOUT),
        }
        if complaints := form.errors(kind):
            raise ConfigurationError(complaints, where)
        return cls(**values)
