# SPDX-License-Identifier: Apache-2.0
"""The validated settings of a connection, and the headers of every request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from airflow_provider_cpp import __version__
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.transport.connection_fields import ConnectionFields
from airflow_provider_cpp.transport.credentials import AUTH_TYPES, ClientSecret, Credentials

DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
DEFAULT_REQUEST_TIMEOUT = 60.0
DEFAULT_SUBMIT_TIMEOUT = 300.0
"""Seconds to wait for the response to a submit, which can take minutes."""

CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

COMMON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": f"airflow-provider-cpp/{__version__}",
}
"""The headers of every request. The CPP API requires a content type even for reads."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a connection. Equal settings share a token.

    :param base_url: the API's scheme, host, port and base path.
    :param credentials: the credentials of the authentication method.
    :param scope: the scope of the token.
    :param api_version: the API version to request.
    :param publisher_id: the default publisher ID.
    :param authority: the URL of the token service.
    :param verify: the path of a CA bundle; None for the environment's bundle or else that of requests.
    :param proxies: the proxy URLs by scheme, ``(("https", "http://proxy:3128"),)``.
    :param request_timeout: seconds to connect, and for each wait for data; 60 by default. In a triggerer, it limits a whole
        read. In a worker, a whole exchange, from name resolution to the last byte, takes at most three times as long. A
        whole sign-in with all its requests also takes at most three times as long.
    :param submit_timeout: seconds for each wait for data in the response to a submit, if greater than ``request_timeout``; 300
        by default. A whole submit takes at most three times as long.
    :param poll_interval: seconds between two polls of tasks that name no interval; None, the default, for each task's own
        default.
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
    poll_interval: float | None = None

    def read_timeout(self, *, submit: bool) -> float:
        """Return the seconds for each wait for data."""
        return max(self.submit_timeout, self.request_timeout) if submit else self.request_timeout

    def exchange_timeout(self, *, submit: bool) -> float:
        """Return the seconds for a whole exchange or, without ``submit``, a whole sign-in."""
        return 3 * self.read_timeout(submit=submit)

    def ca_bundle(self) -> str:
        """Return the path of the CA bundle: the connection's, else the environment's, else that of requests.

        In requests, the environment overrides the session's setting; aiohttp ignores the environment. With this method, both drivers
        use the same bundle, and the connection has priority.
        """
        environment = (os.environ[name] for name in CA_BUNDLE_VARIABLES if os.environ.get(name))
        return self.verify or next(environment, DEFAULT_CA_BUNDLE_PATH)

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
        """Parse and validate the fields of a connection.

        :param endpoint: the API's default address.
        :param port: the API's port, if it is not part of ``host``.
        :param where: the connection's name in errors.
        :raises ConfigurationError: lists all missing and invalid fields.
        """
        fields = ConnectionFields(extra, login, password)
        auth_type = fields.text("auth")
        if (auth_class := AUTH_TYPES.get(auth_type or ClientSecret.auth_type)) is None:
            fields.problems.append(f"auth in extra is {auth_type!r}, not one of: {', '.join(AUTH_TYPES)}")
        values: dict[str, Any] = {
            "base_url": fields.base("host", host, endpoint.base_url, port),
            "credentials": auth_class.read(fields) if auth_class else None,
            "publisher_id": fields.text("publisher_id"),
            "authority": fields.origin("authority", fields.text("authority") or DEFAULT_AUTHORITY, DEFAULT_AUTHORITY),
            "scope": fields.text("scope") or endpoint.scope,
            "api_version": fields.text("api_version") or endpoint.version,
            "verify": fields.bundle(),
            "proxies": fields.proxies(),
            "request_timeout": fields.seconds("request_timeout", DEFAULT_REQUEST_TIMEOUT),
            "submit_timeout": fields.seconds("submit_timeout", DEFAULT_SUBMIT_TIMEOUT),
            "poll_interval": fields.seconds("poll_interval", None),
        }
        if errors := fields.errors(auth_type):
            raise ConfigurationError(errors, where)
        return cls(**values)
