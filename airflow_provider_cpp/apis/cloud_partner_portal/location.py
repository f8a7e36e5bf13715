# SPDX-License-Identifier: Apache-2.0
"""Where the portal says that an operation is to be found, as far as a token may go there."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

from airflow_provider_cpp.core.models import validate_identifier
from airflow_provider_cpp.core.urls import MAX_LENGTH, is_safe_api_path
from airflow_provider_cpp.exceptions import ConfigurationError

_BY_ID = re.compile(r"/operations/([^/?$]+)/?(?:[?]|$)")


def resolve_same_origin(value: str | None, origin: str) -> str | None:
    """Return path and query of a location, or None if it is not on the host that was asked, or not of the API.

    A location is followed with a token in hand, so another scheme, host or port is as good as none.

    :param value: the header as it came; absolute, relative or missing.
    :param origin: scheme, host and port that the request was sent to.
    """
    if not value or len(value) > MAX_LENGTH:
        return None
    try:
        target, home = urlsplit(urljoin(f"{origin}/", value.strip())), urlsplit(origin)
        same = (target.scheme, target.hostname, target.port or 443) == (home.scheme, home.hostname, home.port or 443)
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None
    location = f"{target.path}?{target.query}" if target.query else target.path
    return location if same and target.username is None and is_safe_api_path(location) else None


def operation_id_from_location(location: str | None) -> str | None:
    """Find the operation's id in the path that the portal named, where it has one."""
    found = _BY_ID.search(unquote(location or ""))
    try:
        return validate_identifier("operation_id", found.group(1)) if found else None
    except ConfigurationError:  # an id that could not be asked for is as good as none
        return None
