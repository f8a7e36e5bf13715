# SPDX-License-Identifier: Apache-2.0
"""Text that somebody else wrote, made safe to put on one line of a log or of an error."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

MAX_LENGTH = 2000
"""Characters of one message that are kept."""

SHORT = 100
"""Characters of a text that is remembered together with what became of it."""

_TAG = re.compile(r"<(?:[/!?]|(?=[A-Za-z]))[^<>]*>?")
_PLAIN = re.compile(r"[!-%'-;=-~]+(?: [!-%'-;=-~]+)*")
"""A line that has nothing in it to be taken out: ASCII without markup and references, its words one blank apart."""
_WORD_BREAK = re.compile(r"<wbr\s*/?>|\u00ad", re.IGNORECASE)
"""Where a browser may break a long URL; it is one word all the same."""
_ENDLESS_REFERENCE = re.compile(r"&#[0-9]{8,};?")
_SAS_SIGNATURE = re.compile(
    r"""
    ( %(?:25){0,5}[0-9a-f]{2} | \\u[0-9a-f]{4} | (?<![a-z0-9]) )  # begins a name: "%26sig" does, "Insig" does not
    sig (?: \s | <[^<>]*> )*
    (?: = | %(?:25){0,5}3d | \\+u003d | (?:&|\\+u0026) (?:amp;)* (?:\#61|\#x3d|equals); )
    (?: \s | \\*["'] | %(?:25){0,5}2[27] | <[^<>]*> )*
    ((?:
        [^\s&\#"'<>\\%]
      | % (?! (?:25){0,5}2[236] )  # up to a quote, a number sign or an ampersand
      | \\+ (?: / | u00(?:2b|2f|3d) )  # as JSON may write "/", "+" and "="
      | (?:&|\\+u0026) (?:amp;)* (?: \#(?:43|47|61|x2b|x2f|x3d) | plus | sol | equals );  # and as HTML may
    )*)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", re.ASCII)


def find_sas_signatures(text: str) -> list[str]:
    """Return the signatures of the SAS URLs in a text, as they are written there; empty ones are left out."""
    return [value for match in _SAS_SIGNATURE.finditer(text) if (value := match.group(2).rstrip(",;.)"))]


def redact_sas_signatures(text: str) -> str:
    """Mask the signature of every shared access URL in a text: ``sig=***``.

    Whoever has such a URL reads what it points to, so it is a secret, and the portal quotes the URLs of disks.
    Signatures are found raw, percent-encoded any number of times, and escaped for HTML or JSON; rather too much
    is masked than too little.

    :param text: anything, of one line or of many.
    """
    # Most texts have no such letters, and are looked through much faster for them.
    return _SAS_SIGNATURE.sub(r"\1sig=***", text) if "sig" in text.lower() else text


def sanitize_line(markup: str, longest: int = MAX_LENGTH) -> str:
    """Turn HTML, or what claims to be plain, into one line without tags, control characters, signatures or tokens.

    :param markup: the text as it came.
    :param longest: the number of characters to keep; what is cut is marked by an ellipsis.
    """
    # The portal says the same few things of every offer.
    return _short(markup, longest) if len(markup) <= SHORT else _sanitize_line(markup, longest)


def _sanitize_line(markup: str, longest: int) -> str:
    text = markup[: longest * 10]
    if _PLAIN.fullmatch(text) and "eyJ" not in text and "sig" not in text.lower():
        return _truncate(text, longest)
    for _ in range(3):  # an escaped tag is a tag one level down; real messages have one level
        before = text
        if "&" in text:
            # html.unescape raises for a number of thousands of digits.
            text = html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", text))
        if "<" in text or "\u00ad" in text:
            text = _WORD_BREAK.sub("", text)
        text = redact_sas_signatures(text)
        if "eyJ" in text:
            text = _TOKEN.sub("***", text)
        while "<" in text and (stripped := _TAG.sub(" ", text)) != text:
            text = stripped
        if text == before:
            break
    if not text.isprintable():
        text = "".join(letter if _harmless(letter) else " " for letter in text)
    return _truncate(" ".join(text.split()), longest)


_short = lru_cache(maxsize=1024)(_sanitize_line)


def _truncate(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _harmless(letter: str) -> bool:
    """Say whether a character moves neither the cursor nor the direction of what follows."""
    return letter.isprintable() or letter == " "
