# SPDX-License-Identifier: Apache-2.0
"""What signs a SAS URL: the part of it that is a credential."""

from __future__ import annotations

import re

_SIGNATURE = re.compile(
    r"""(?:(?<![a-z])|(?<=3f))sig(?:=|%3d|%253d|\\u003d)(.+?)(?=$|[&#\s"'<>]|%26|%2526|\\u0026|%23|%20)""",
    re.IGNORECASE | re.MULTILINE,
)


def signatures_in(text: str) -> list[str]:
    """Find what signs the SAS URLs in a text, as it is written there, percent-encoded or not."""
    return _SIGNATURE.findall(text)
