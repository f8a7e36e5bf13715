# SPDX-License-Identifier: Apache-2.0
"""Redact and sanitize text from outside the package, for logs and errors."""

from __future__ import annotations

import html
import re

MAX_LENGTH = 2000
"""The maximum number of characters of a message."""

_TAG = re.compile(r"<(?:[/!?]|(?=[A-Za-z]))[^<>]*>?")
_PLAIN = re.compile(r"[!-%'-;=-~]+(?: [!-%'-;=-~]+)*")
"""A line that needs no change: ASCII words separated by single spaces, without markup. Each poll reads dozens of them."""
_WORD_BREAK = re.compile(r"<wbr\s*/?>|\u00ad", re.IGNORECASE)
"""A place where a browser may break a long word, such as a URL."""
_ENDLESS_REFERENCE = re.compile(r"&#[0-9]{8,};?")
_PERCENT = r"(?:%|\\u0025)(?:25)*"
"""A percent sign, percent-encoded any number of times, possibly escaped for JSON."""
_BACKSLASH = rf"(?:\\|{_PERCENT}5c)+"
_SAS_SIGNATURE = re.compile(
    rf"""
    ( {_PERCENT}[0-9a-f]{{2}} | \\u[0-9a-f]{{4}} | (?<![a-z0-9]) )  # begins a name: "%26sig" does, "Insig" does not
    sig (?: \s | <[^<>]*> )*
    (?: = | {_PERCENT}3d | {_BACKSLASH}u003d | (?:&|\\+u0026) (?:amp;)* (?:\#61|\#x3d|equals); )
    (?: \s | \\*["'] | {_PERCENT}2[27] | <[^<>]*> )*
    ((?:
        [^\s&\#"'<>\\%]
      | (?! {_PERCENT}2[236] ) (?: % | \\u0025 )  # up to a quote, a number sign or an ampersand
      | {_BACKSLASH} (?: / | u00 (?! 2[02367] | 3[ce] ) [2-7][0-9a-f] )  # as JSON may escape "/", "+", "=" and letters
      | (?:&|\\+u0026) (?:amp;)* (?: \#(?:43|47|61|x2b|x2f|x3d) | plus | sol | equals );  # and as HTML may escape them
    )*)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", re.ASCII)


def find_sas_signatures(text: str) -> list[str]:
    """Return the non-empty signatures of the SAS URLs in a text, as written there."""
    return [value for match in _SAS_SIGNATURE.finditer(text) if (value := match.group(2).rstrip(",;.)"))]


def redact_sas_signatures(text: str) -> str:
    """Mask the signature of every SAS URL in a text: ``sig=***``.

    A SAS URL grants access, and the APIs quote the URLs of disks. This function finds signatures that are plain, percent-encoded
    any number of times, or escaped for HTML or JSON. If in doubt, it masks too much rather than too little.

    :param text: text of one or more lines.
    """
    # Searching for these letters first is much faster, and most texts do not have them.
    return _SAS_SIGNATURE.sub(r"\1sig=***", text) if "sig" in text.lower() else text


def sanitize_line(markup: str, longest: int = MAX_LENGTH) -> str:
    """Return HTML or plain text as one line, without tags, control characters, signatures and tokens.

    :param markup: the text.
    :param longest: the maximum number of characters, including an ellipsis that marks the cut; 2,000 by default.
    """
    text = markup[: longest * 10]
    if _PLAIN.fullmatch(text) and "eyJ" not in text and "sig" not in text.lower():
        return text if len(text) <= longest else text[: longest - 1] + "…"
    for _ in range(3):  # unescaping may reveal another tag; real messages have one level
        before = text
        # html.unescape raises an error for a number of thousands of digits.
        text = html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", text))
        text = _WORD_BREAK.sub("", text)
        text = redact_sas_signatures(text)
        text = _TOKEN.sub("***", text)
        while (stripped := _TAG.sub(" ", text)) != text:
            text = stripped
        if text == before:
            break
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
