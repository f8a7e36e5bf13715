# SPDX-License-Identifier: Apache-2.0
"""URLs: where a token may be sent, and whether two URLs identify the same blob."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from airflow_provider_cpp.core.redaction import sanitize_line

MAX_LENGTH = 2000
"""The maximum number of characters of a link; real links have about 150."""

_LETTER = r"(?:[A-Za-z0-9/$_.~:@!&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"/{_LETTER}*(?:\?{_LETTER}*)?")
"""A path and query that every URL parser interprets in the same way."""

_SAS_PARAMETERS = frozenset(
    (
        *("sv", "ss", "srt", "sr", "sp", "st", "se", "ses", "sip", "spr", "si", "sig", "sdd"),
        *("tn", "spk", "srk", "epk", "erk", "skoid", "sktid", "skt", "ske", "sks", "skv"),
        *("saoid", "suoid", "scid", "rscc", "rscd", "rsce", "rscl", "rsct"),
    )
)
"""The query parameters of account, service and user delegation SAS."""


def is_safe_api_path(location: str, below: str) -> bool:
    """Return whether text is a path and query of the API for every URL parser.

    Dot segments are rejected in any encoding: urllib3 and yarl decode and resolve them, so that they could leave the API.

    :param below: the path that all of the API's locations begin with.
    """
    if (
        not location.startswith(below)
        or location.startswith("//")
        or len(location) > MAX_LENGTH
        or ".." in location
        or not _PATH.fullmatch(location)
    ):
        return False
    path = location.partition("?")[0]
    while (decoded := unquote(path)) != path:
        path = decoded
    return {".", ".."}.isdisjoint(path.replace("\\", "/").split("/"))


def resolve_same_origin(link: object, base_url: str, below: str = "/") -> str | None:
    """Return the path and query of a link below the API's base URL, or None for any other link.

    A link is requested with a token, so its scheme, host, port and base path must be those of the API.

    :param link: the link as received, absolute or relative.
    :param base_url: the base URL of the request.
    :param below: the path below the base URL that the link must begin with.
    """
    if not isinstance(link, str) or not 0 < len(link) <= MAX_LENGTH:
        return None
    try:
        target, base = urlsplit(urljoin(f"{base_url}/", link.strip())), urlsplit(base_url)
        same = (target.scheme, target.hostname, target.port or 443) == (base.scheme, base.hostname, base.port or 443)
    except ValueError:  # for example, a port that is not a number
        return None
    if not same or target.username is not None or not target.path.startswith(f"{base.path}/"):
        return None
    path = target.path.removeprefix(base.path)
    location = f"{path}?{target.query}" if target.query else path
    return location if is_safe_api_path(location, below) else None


def same_blob(one: str, other: str) -> bool:
    """Return whether two URLs identify the same blob, ignoring their SAS parameters."""
    return _without_sas(one) == _without_sas(other)


def blob_difference(existing: dict[str, str], new: dict[str, str]) -> str | None:
    """Describe how the blobs of an image differ from new ones, each by disk; None if they are the same."""
    if existing.keys() == new.keys() and all(same_blob(existing[disk], new[disk]) for disk in new):
        return None
    return f"{_blob_names(existing)} instead of {_blob_names(new)}"


def _blob_names(blobs: dict[str, str]) -> str:
    urls = sorted((disk, sanitize_line(url.split("?")[0], 300)) for disk, url in blobs.items() if url)
    return ", ".join(f"{disk} {url}" for disk, url in urls) or "none"


def _without_sas(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, ()
    query = (
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0].casefold() not in _SAS_PARAMETERS
    )
    return f"{parts.scheme}://{parts.netloc.casefold()}{parts.path}", tuple(sorted(query))
