# SPDX-License-Identifier: Apache-2.0
"""Reads a connection's fields one by one and gathers all complaints, so that one round of correction is enough."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HTTPS = 443
_PATH = re.compile(r"(?<![:/])(?:/[A-Za-z0-9_~-]+)+$")
"""A path at the end of an address, without dots, which could lead out of it."""

TRUE, FALSE = (True, "true", "True", "1"), (False, None, "", "false", "False", "0")


class ConnectionFields:
    """A connection as it was typed. What is missing or wrong is noted, never shown: a field may hold a secret.

    :param extra: the connection's extra, as an object.
    :param login: its login.
    :param password: its password.
    :param environ: what some kinds of sign-in fall back to.
    """

    def __init__(
        self,
        extra: Mapping[str, Any],
        login: str | None = None,
        password: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.extra = extra
        self.login = (login or "").strip()
        self.password = password or ""
        self.environ = environ
        self.missing: list[str] = []
        self.problems: list[str] = []

    def errors(self, kind: str | None) -> tuple[str, ...]:
        """Return all that is missing or wrong.

        :param kind: how the connection signs in, where it says so.
        """
        lacks = "it lacks" if kind is None else f"for auth {kind} it lacks"
        return tuple([f"{lacks} {', '.join(self.missing)}"] if self.missing else []) + tuple(self.problems)

    def required(self, name: str, value: str | None) -> str:
        """Return a value without blanks around it; there must be one."""
        if not (value or "").strip():
            self.missing.append(name)
        return (value or "").strip()

    def text(self, key: str) -> str | None:
        """Read a text; None if it is empty."""
        value = self.extra.get(key)
        if value is not None and not isinstance(value, str):
            self.problems.append(f"{key} in extra must be text")
            return None
        return (value or "").strip() or None

    def flag(self, key: str) -> bool:
        """Read true or false, which older forms write as text; empty is false."""
        value = self.extra.get(key)
        if value not in TRUE and value not in FALSE:
            self.problems.append(f"{key} in extra must be true or false")
        return value in TRUE

    def file(self, key: str) -> str | None:
        """Read the path of a file, which must be there; None if it is empty."""
        return self.existing(f"{key} in extra", self.text(key))

    def existing(self, name: str, path: str | None) -> str | None:
        """Return the path of a file, which must be there."""
        if path is not None and not _is(Path.is_file, path):
            self.problems.append(f"{name} must be the path of a file that exists here")
        return path

    def seconds(self, key: str, default: float) -> float:
        """Read a number of seconds above 0, and below a day."""
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
        """Read scheme, host and port; a path there would be a guess at what is meant.

        :param port: the port, where it stands in a field of its own; 443 is what https means anyway.
        """
        address = value.strip().rstrip("/")
        address = address if "://" in address else f"https://{address}"
        try:
            parts = urlsplit(address)
            good = parts.scheme == "https" and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or parts.path or parts.query or parts.fragment or parts.username is not None:
            self.problems.append(f"{key} must be an https address with neither path nor user, like {example}")
        elif port and parts.port not in (None, port):
            self.problems.append(f"{key} names port {parts.port}, and port says {port}")
        elif port and parts.port is None and port != HTTPS:
            return f"{address}:{port}"
        return address

    def base(self, key: str, value: str | None, default: str, port: int | None = None) -> str:
        """Read where an API is: as :meth:`origin`, with the path that it is below, where it has one.

        :param value: the address as it was typed; without a path, the default's is meant.
        :param default: the address of the API itself.
        :param port: as of :meth:`origin`.
        """
        path = urlsplit(default).path
        address = (value or "").strip().rstrip("/") or default
        found = _PATH.search(address) if path else None
        origin = self.origin(key, address[: found.start()] if found else address, default.removesuffix(path), port)
        return f"{origin}{found.group() if found else path}"

    def bundle(self) -> str | None:
        """Read ``verify``; None where the environment decides. The file itself is looked at when it is used."""
        value = self.extra.get("verify")
        if value in (None, "", True, "true", "True"):
            return None
        if not isinstance(value, str) or value in FALSE:
            self.problems.append("verify in extra must be the path of a CA bundle")
            return None
        return value

    def proxies(self) -> tuple[tuple[str, str], ...]:
        """Read ``proxies``; each is made a URL that both wires read alike."""
        value = self.extra.get("proxies")
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError:
                value = ()
        if value in (None, "", {}) or (isinstance(value, str) and not value.strip()):
            return ()
        if not isinstance(value, dict) or not all(isinstance(proxy, str) for proxy in value.values()):
            self.problems.append('proxies in extra must be an object like {"https": "http://proxy:3128"}')
            return ()
        return tuple(sorted((str(scheme), self._proxy(str(scheme), proxy.strip())) for scheme, proxy in value.items()))

    def _proxy(self, scheme: str, proxy: str) -> str:
        address = proxy if "://" in proxy else f"http://{proxy}"
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good or any(blank in address for blank in " \t\r\n"):
            # It is not shown: there may be a password in it.
            self.problems.append(f"the proxy for {scheme} must be an address like http://proxy:3128, http or https")
        return address


def _is(what: Callable[[Path], bool], path: str) -> bool:
    """Ask the file system; a path that it cannot even look for, behind a closed folder for example, is not there."""
    try:
        return what(Path(path))
    except OSError:
        return False
