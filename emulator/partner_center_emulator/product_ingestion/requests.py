# SPDX-License-Identifier: Apache-2.0
"""Parse a request: its endpoint, the IDs in its path, and its query."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from partner_center_emulator.product_ingestion.errors import ApiError
from partner_center_emulator.product_ingestion.identifiers import (
    CORE_CONFIGURATION,
    DRAFT,
    LIVE,
    PREVIEW,
    VERSION,
    VM_CONFIGURATION,
)

GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PRODUCT, JOB = f"(?P<product>{GUID})", "(?P<job>[^/]+)"
ENDPOINTS = [
    ("GET", "product", "products"),
    ("GET", f"product/{PRODUCT}", "product"),
    ("GET", "plan", "plans"),
    ("GET", f"resource-tree/product/{PRODUCT}", "resource_tree"),
    ("GET", f"submission/{PRODUCT}", "submission_list"),
    ("GET", f"submission/{PRODUCT}/(?P<submission>[0-9]+)", "submission"),
    ("GET", f"(?:{VM_CONFIGURATION}|{CORE_CONFIGURATION})/{PRODUCT}/[^/]+", "technical_configuration"),
    ("POST", "configure", "configure"),
    ("GET", f"configure/{JOB}/status", "configure_status"),
    ("GET", f"configure/{JOB}", "configure_detail"),
    ("POST", f"configure/{JOB}/cancel", "configure_cancel"),
    ("GET", f"[a-z][a-z0-9-]*/{PRODUCT}(?:/.+)?", "resource"),
]
"""Every endpoint: its method, the path below the base URL in any case, and its name."""

MANY = 100
"""Default size of a page of products."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request.

    :param name: the name of the endpoint; ``unknown`` for an unknown path, ``method`` for an unsupported method.
    :param path: the path below the base URL, without superfluous slashes.
    :param names: the IDs in the path.
    :param query: the query parameters by lowercase name.
    """

    name: str
    path: str
    names: dict[str, str]
    query: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, request: Request, body: bytes) -> ApiRequest:
        """Parse a request."""
        path = "/".join(part for part in request.path_params["rest"].split("/") if part)
        query = {name.lower(): value for name, value in request.query_params.items()}
        name = "unknown"
        for method, pattern, known in ENDPOINTS:
            if (match := re.fullmatch(pattern, path, re.IGNORECASE)) is not None:
                if method == request.method:
                    return cls(
                        known, path, {key: value.lower() for key, value in match.groupdict().items()}, query, body
                    )
                name = "method"
        return cls(name, path, {}, query, body)

    @property
    def version(self) -> str | None:
        """The highest schema version that the client accepts."""
        return self.query.get("$version")

    def check_version(self, *, required: bool) -> None:
        """Validate the query parameter ``$version``.

        :raises ApiError: 400.
        """
        if self.version is None and required:
            raise ApiError(400, "The query parameter '$version' is required.")
        if self.version is not None and VERSION.fullmatch(self.version) is None:
            raise ApiError(400, f"'{self.version}' is no schema version.")

    def target(self, default: str | None) -> str | None:
        """Return the target in the query.

        :raises ApiError: 400, for an unknown target.
        """
        target = self.query.get("targettype", default)
        if target is None or target.lower() in (DRAFT, PREVIEW, LIVE):
            return target.lower() if target is not None else None
        raise ApiError(400, f"The target type '{target}' is not valid.")

    def number(self, read: Callable[[dict[str, str]], str | None], default: int) -> int:
        """Return a number in the query.

        :raises ApiError: 400, if it is not a number.
        """
        text = read(self.query)
        if text is None:
            return default
        if not text.isdecimal():
            raise ApiError(400, f"'{text}' is no number.")
        return int(text)
