# SPDX-License-Identifier: Apache-2.0
"""Parse the fields of a connection, and collect all errors, so that the user can correct them at once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

HTTPS = 443
_PATH = re.compile(r"(?<![:/])(?:/[A-Za-z0-9_~-]+)+$")
"""A path at the end of a URL, without dots, because ``..`` could leave it."""

T = TypeVar("T", float, None)

TRUE, FALSE = (True, "true", "True", "1"), (False, None, "", "false", "False", "0")


class ConnectionFields:
    """The raw fields of a connection. Errors name a field but do not show its value, which may be a secret."""

    def __init__(self, extra: Mapping[str, Any], login: str | None, password: str | None) -> None:
        self.extra = extra
        self.login = (login or "").strip()
        self.password = password or ""
        self.missing: list[str] = []
        self.problems: list[str] = []

    def errors(self, auth_type: str | None) -> tuple[str, ...]:
        """Return an error for all missing fields, and one for each invalid field."""
        lacks = "it lacks" if auth_type is None else f"for auth {auth_type} it lacks"
        return (*([f"{lacks} {', '.join(self.missing)}"] if self.missing else []), *self.problems)

    def required(self, name: str, value: str | None) -> str:
        """Return a stripped value, or record that it is missing."""
        if not (value or "").strip():
            self.missing.append(name)
        return (value or "").strip()

    def text(self, key: str) -> str | None:
        """Parse text; None if it is empty."""
        value = self.extra.get(key)
        if value is not None and not isinstance(value, str):
            self.problems.append(f"{key} in extra must be text")
            return None
        return (value or "").strip() or None

    def flag(self, key: str) -> bool:
        """Parse a boolean, which older forms store as text; an empty value is false."""
        value = self.extra.get(key)
        if value not in TRUE and value not in FALSE:
            self.problems.append(f"{key} in extra must be true or false")
        return value in TRUE

    def file(self, key: str) -> str | None:
        """Parse the path of an existing file; None if it is empty."""
        return self.existing(f"{key} in extra", self.text(key))

    def existing(self, name: str, path: str | None) -> str | None:
        """Return a path, or record an error if the file does not exist."""
        if path is not None and not os.path.isfile(path):  # noqa: PTH113 - Path.is_file fails for an inaccessible folder
            self.problems.append(f"{name} must be the path of an existing file")
        return path

    def seconds(self, key: str, default: T) -> float | T:
        """Parse a number of seconds, greater than 0 and less than a day."""
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

    def origin(self, key: str, value: str, example: str, port: int | None = None) -> str:
        """Parse an https URL without a path.

        :param port: the value of the port field, if the URL has one.
        """
        address = value.strip().rstrip("/")
        address = address if "://" in address else f"https://{address}"
        parts = _split(address, "https")
        if parts is None or parts.path or parts.query or parts.fragment or parts.username is not None:
            self.problems.append(f"{key} must be an https URL without path and user, like {example}")
        elif port and parts.port not in (None, port):
            self.problems.append(f"{key} has port {parts.port}, but the port field has {port}")
        elif port and parts.port is None and port != HTTPS:
            return f"{address}:{port}"
        return address

    def base(self, key: str, value: str | None, default: str, port: int | None = None) -> str:
        """Parse the base URL of an API like :meth:`origin`, with its path if the API has one.

        :param value: the URL; without a path, the default's path is used.
        :param default: the API's default URL.
        """
        path = urlsplit(default).path
        address = (value or "").strip().rstrip("/") or default
        match = _PATH.search(address) if path else None
        origin = self.origin(key, address[: match.start()] if match else address, default.removesuffix(path), port)
        return f"{origin}{match.group() if match else path}"

    def bundle(self) -> str | None:
        """Parse ``verify``; None for the environment's CA bundle. The file is checked when it is used."""
        value = self.extra.get("verify")
        if value in (None, "", True, "true", "True"):
            return None
        if not isinstance(value, str) or value in FALSE:
            self.problems.append("verify in extra must be the path of a CA bundle")
            return None
        return value

    def proxies(self) -> tuple[tuple[str, str], ...]:
        """Parse ``proxies`` as URLs that both drivers support."""
        value = self.extra.get("proxies")
        if isinstance(value, str):
            try:
                value = json.loads(value.strip() or "{}")
            except ValueError:
                value = ()
        if value in (None, "", {}):
            return ()
        if not isinstance(value, dict) or not all(isinstance(proxy, str) for proxy in value.values()):
            self.problems.append('proxies in extra must be an object like {"https": "http://proxy:3128"}')
            return ()
        return tuple(sorted((str(scheme), self._proxy(str(scheme), proxy.strip())) for scheme, proxy in value.items()))

    def _proxy(self, scheme: str, proxy: str) -> str:
        address = proxy if "://" in proxy else f"http://{proxy}"
        if _split(address, "http", "https") is None or any(blank in address for blank in " \t\r\n"):
            self.problems.append(f"the proxy for {scheme} must be an http or https URL like http://proxy:3128")
        return address


def _split(address: str, *schemes: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        is_valid = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_valid else None
