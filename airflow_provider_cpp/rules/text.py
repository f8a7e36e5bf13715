# SPDX-License-Identifier: Apache-2.0
"""Text that somebody else wrote, made safe to put on one line of a log or of an error."""

from __future__ import annotations

import html
import re

LONGEST = 2000
"""Characters of one message that are kept."""

_TAG = re.compile(r"<(?:[/!?]|(?=[A-Za-z]))[^<>]*>?")
_BLANKS = re.compile(r"\s+")
_WORD_BREAK = re.compile(r"<wbr\s*/?>|\u00ad", re.IGNORECASE)
"""Where a browser may break a long URL; it is one word all the same."""
_ENDLESS_REFERENCE = re.compile(r"&#[0-9]{8,};?")
_SIGNATURE = re.compile(
    r"""
    ( %(?:25){0,5}[0-9a-f]{2} | \\u[0-9a-f]{4} | (?<![a-z0-9]) )  # begins a name: "%26sig" does, "Insig" does not
    sig (?: \s | <[^<>]*> )*
    (?: = | %(?:25){0,5}3d | \\+u003d | (?:&|\\+u0026) (?:amp;)* (?:\#61|\#x3d|equals); )
    (?: \s | \\*["'] | %(?:25){0,5}2[27] | <[^<>]*> )*
    (?:
        [^\s&\#"'<>\\%]
      | % (?! (?:25){0,5}2[236] )  # up to a quote, a number sign or an ampersand
      | \\+ (?: / | u00(?:2b|2f|3d) )  # as JSON may write "/", "+" and "="
      | (?:&|\\+u0026) (?:amp;)* (?: \#(?:43|47|61|x2b|x2f|x3d) | plus | sol | equals );  # and as HTML may
    )*
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", re.ASCII)


def without_signatures(text: str) -> str:
    """Mask the signature of every shared access URL in a text: ``sig=***``.

    Whoever has such a URL reads what it points to, so it is a secret, and the portal quotes the URLs of disks.
    Signatures are found raw, percent-encoded any number of times, and escaped for HTML or JSON; rather too much
    is masked than too little.

    :param text: anything, of one line or of many.
    """
    return _SIGNATURE.sub(r"\1sig=***", text)


def plain_text(markup: str, longest: int = LONGEST) -> str:
    """Turn HTML, or what claims to be plain, into one line without tags, control characters, signatures or tokens.

    :param markup: the text as it came.
    :param longest: the number of characters to keep; what is cut is marked by an ellipsis.
    """
    text = markup[: longest * 10]
    for _ in range(3):  # an escaped tag is a tag one level down; real messages have one level
        # html.unescape raises for a number of thousands of digits.
        text = html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", text))
        text = _TOKEN.sub("***", without_signatures(_WORD_BREAK.sub("", text)))
        while (stripped := _TAG.sub(" ", text)) != text:
            text = stripped
    text = _BLANKS.sub(" ", "".join(letter if _harmless(letter) else " " for letter in text)).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _harmless(letter: str) -> bool:
    """Say whether a character moves neither the cursor nor the direction of what follows."""
    return letter.isprintable() or letter == " "
