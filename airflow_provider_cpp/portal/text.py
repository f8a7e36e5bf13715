# SPDX-License-Identifier: Apache-2.0
"""Text that somebody else wrote, made safe to put on one line of a log or of an error."""

from __future__ import annotations

import html
import re

LONGEST = 2000
"""Characters of one message that are kept."""

_TAG = re.compile(r"<(?:[/!?]|(?=[A-Za-z]))[^<>]*>?")
_BLANKS = re.compile(r"\s+")

SIGNATURE = re.compile(
    r"""(?:(?<![a-z])|(?<=3f))sig(?:=|%3d|%253d|\\u003d)(.+?)(?=$|[&#\s"'<>]|%26|%2526|\\u0026|%23|%20)""",
    re.IGNORECASE | re.MULTILINE,
)
"""What signs a SAS URL: a credential, which the portal may quote back in what it says of an image."""


def plain_text(markup: str, longest: int = LONGEST) -> str:
    """Turn HTML, or what claims to be plain, into one line without tags, control characters or SAS signatures.

    :param markup: the text as it came.
    :param longest: the number of characters to keep; what is cut is marked by an ellipsis.
    """
    text = markup[: longest * 10]
    for _ in range(3):  # an escaped tag is a tag one level down; real messages have one level
        text = html.unescape(text)
        while (stripped := _TAG.sub(" ", text)) != text:
            text = stripped
    text = _BLANKS.sub(" ", "".join(letter if _harmless(letter) else " " for letter in text)).strip()
    text = SIGNATURE.sub(_hidden, text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _hidden(found: re.Match[str]) -> str:
    return found[0].removesuffix(found[1]) + "***"


def _harmless(letter: str) -> bool:
    """Say whether a character moves neither the cursor nor the direction of what follows."""
    return letter.isprintable() or letter == " "
