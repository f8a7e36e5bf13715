# SPDX-License-Identifier: Apache-2.0
"""Which paths a token may go to, of those that an API names."""

from __future__ import annotations

import re
from urllib.parse import unquote

MAX_LENGTH = 2000
"""Characters of a location that are followed; those of the portal have some 150."""

_LETTER = r"(?:[A-Za-z0-9/$_.~:@!&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_PATH = re.compile(rf"/{_LETTER}*(?:\?{_LETTER}*)?")
"""What every reader of URLs reads alike."""


def is_safe_api_path(location: str, below: str = "/api/") -> bool:
    """Say whether a text is path and query of something below the API, whoever reads it.

    :param below: the path that all of the API's locations begin with.

    urllib3 and yarl decode dot segments and follow them, so these would lead out of the API, however written.
    """
    if (
        not location.startswith(below)
        or len(location) > MAX_LENGTH
        or ".." in location
        or not _PATH.fullmatch(location)
    ):
        return False
    path = location.partition("?")[0]
    while (plain := unquote(path)) != path:
        path = plain
    return {".", ".."}.isdisjoint(path.replace("\\", "/").split("/"))
