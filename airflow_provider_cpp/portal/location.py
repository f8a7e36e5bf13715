# SPDX-License-Identifier: Apache-2.0
"""Where the portal says that an operation is to be found, as far as a token may go there."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

LONGEST = 2000
"""Characters of a location that are followed; those of the portal have some 150."""

_LETTER = r"(?:[A-Za-z0-9/$_.~:@!&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"/{_LETTER}*(?:\?{_LETTER}*)?")
"""What every reader of URLs reads alike."""


def local_location(value: str | None, origin: str) -> str | None:
    """Return path and query of a location, or None if it is not on the host that was asked, or not of the API.

    A location is followed with a token in hand, so another scheme, host or port is as good as none.

    :param value: the header as it came; absolute, relative or missing.
    :param origin: scheme, host and port that the request was sent to.
    """
    if not value or len(value) > LONGEST:
        return None
    try:
        target, home = urlsplit(urljoin(f"{origin}/", value.strip())), urlsplit(origin)
        same = (target.scheme, target.hostname, target.port or 443) == (home.scheme, home.hostname, home.port or 443)
    except ValueError:  # a port that is no number, a bracket that is not closed
        return None
    location = f"{target.path}?{target.query}" if target.query else target.path
    return location if same and target.username is None and is_ours(location) else None


def is_ours(location: str, below: str = "/api/") -> bool:
    """Say whether a text is path and query of something below the API, whoever reads it.

    :param below: the path that all of the API's locations begin with.

    urllib3 and yarl decode dot segments and follow them, so these would lead out of the API, however written.
    """
    if not location.startswith(below) or len(location) > LONGEST or ".." in location or not _PATH.fullmatch(location):
        return False
    path = location.partition("?")[0]
    while (plain := unquote(path)) != path:
        path = plain
    return {".", ".."}.isdisjoint(path.replace("\\", "/").split("/"))
