# SPDX-License-Identifier: Apache-2.0
"""Text from other systems becomes one line without tags and secrets."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from airflow_provider_cpp.core.redaction import redact_sas_signatures, sanitize_line

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3gifQ.c2lnbmF0dXJlLW9mLWl0_-A"
DISK = "https://contoso.blob.core.windows.net/vhds/os.vhd?sv=2024-11-04&sr=c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{DISK}&sig=aB%2Bc%2Fd%3D&se=2027-01-01", f"{DISK}&sig=***&se=2027-01-01"),
        (f"{DISK}&sig=aB+c/d==", f"{DISK}&sig=***"),
        ("sig=aB", "sig=***"),
        ("?SIG=aB&x=1", "?sig=***&x=1"),
        ("Sig=aB#part", "sig=***#part"),
        ("a?x=1&amp;sig=aB&amp;y=2", "a?x=1&amp;sig=***&amp;y=2"),
        ("a?x=1&#38;sig&#61;aB&#x2B;c&#38;y=2", "a?x=1&#38;sig=***&#38;y=2"),
        ("x%3D1%26sig%3DaB%252Bc%26y%3D2", "x%3D1%26sig=***%26y%3D2"),
        ("x%253D1%2526SIG%253daB%25252Bc%2526y", "x%253D1%2526sig=***%2526y"),
        ("u=https%3A%2F%2Fa%3Fsig%3DaB", "u=https%3A%2F%2Fa%3Fsig=***"),
        (r'{"a": "b?x=1\u0026sig\u003daB\u002Bc\/d\u0026y=2"}', r'{"a": "b?x=1\u0026sig=***\u0026y=2"}'),
        ('{"a": "b?sig=aB", "c": 1}', '{"a": "b?sig=***", "c": 1}'),
        ("sig='aB' is wrong", "sig=***' is wrong"),
        ("sig%3D%22aB%22", "sig=***%22"),
        ("sig = aB, se = 1", "sig=*** se = 1"),
        ("one ?sig=aB, two ?sig=cD", "one ?sig=*** two ?sig=***"),
        ("<b>sig</b>=<i>aB</i>", "<b>sig=***</i>"),
        ("sig=***", "sig=***"),
        ("a%2525252525252526sig%252525252525253DaB%25252525252525252B", "a%2525252525252526sig=***"),
        (r"sig%5Cu003DaB%5Cu002Bcd", "sig=***"),
        (r"sig\u00253DaB\u00252Bcd", "sig=***"),
        (r"sig=\u0061B\u002bcd", "sig=***"),
    ],
)
def test_a_signature_is_masked(text: str, shown: str) -> None:
    """The value of `sig` is masked in every encoding, and the text around it stays."""
    assert redact_sas_signatures(text) == shown
    assert redact_sas_signatures(shown) == shown


@pytest.mark.parametrize(
    "text",
    ["design=blue", "Insig=aB", "x2sig=aB", "sign=aB", "signature=aB", "the sig is: aB", "sig&x=1", "sigsig", ""],
)
def test_words_that_resemble_a_signature_stay(text: str) -> None:
    """Words that end or continue with `sig` are not masked."""
    assert redact_sas_signatures(text) == text
    assert sanitize_line(text) == text


def html_encode(url: str) -> str:
    return html.escape(url).replace("+", "&#x2B;").replace("=", "&#x3D;")


def json_encode(url: str) -> str:
    return json.dumps(url).replace("&", r"\u0026").replace("+", r"\u002B").replace("=", r"\u003D")


QUOTERS: list[Callable[[str], str]] = [quote, lambda url: quote(url, safe="")]
WRITERS: list[Callable[[str], str]] = [
    html.escape,
    html_encode,
    json_encode,
    lambda url: url.replace("/", r"\/"),
    lambda url: f'<a href="{url}">{url}</a>',
    lambda url: f"<a href={url}>here</a>",
    lambda url: f"The disk '{url}' cannot be read.",
]


@given(
    secret=some.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode()),
    once=some.booleans(),
    rest=some.sampled_from(["", "&se=2027", " is wrong", "\n", "#x"]),
    writers=some.tuples(
        some.lists(some.sampled_from(QUOTERS), max_size=3), some.lists(some.sampled_from(WRITERS), max_size=3)
    ).map(lambda both: both[0] + both[1]),
)
@example(secret="+" * 43 + "=", once=True, rest="", writers=[QUOTERS[1], html_encode, json_encode])
def test_no_signature_is_shown_in_any_encoding(
    secret: str,
    once: bool,  # noqa: FBT001
    rest: str,
    writers: list[Callable[[str], str]],
) -> None:
    """No part of a signature is readable, however often its URL was quoted and then put into markup or JSON."""
    text = f"{DISK}&sig={quote(secret, safe='') if once else secret}{rest}"
    for write in writers:
        text = write(text)
    shown = sanitize_line(text)
    parts = [secret[index : index + 5] for index in range(len(secret) - 5)]
    assert [part for part in parts if part in shown and part.isalnum()] == [], shown


@given(some.text() | some.text(alphabet="sSiIgG=%2563dD&;amp#\\u0\"'<b> /+"))
def test_masking_is_idempotent(text: str) -> None:
    """Masking masked text changes nothing, and text without `sig` is never changed."""
    once = redact_sas_signatures(text)
    assert redact_sas_signatures(once) == once
    assert once == text or "sig=***" in once


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        (f'{{"token": "{TOKEN}", "x": 1}}', '{"token": "***", "x": 1}'),
        (f"t={TOKEN}&x=1 <b>{TOKEN}</b>", "t=***&x=1 ***"),
        (TOKEN.rpartition(".")[0], "***"),
        (TOKEN.replace(".", "&#46;<wbr>"), "***"),
        ("eyJhbGciOiJub25lIn0 alone", "eyJhbGciOiJub25lIn0 alone"),
        ("keyJ.name", "keyJ.name"),
    ],
)
def test_a_token_is_masked(text: str, shown: str) -> None:
    """A token is masked even if a gateway quotes the request's headers."""
    assert sanitize_line(text) == shown


def test_optional_line_breaks_are_removed() -> None:
    """Places where a browser may break a line are removed, so that a signature stays in one piece."""
    assert sanitize_line("a?b=1&si<wbr>g=aB<WBR/>cD&shy;eF&amp;lt;wbr&amp;gt;gH<br>next") == "a?b=1&sig=*** next"


@pytest.mark.parametrize("digits", [8, 4301, 15_000])
def test_a_huge_character_reference_is_an_unknown_character(digits: int) -> None:
    """A character reference beyond Unicode is an unknown character, whatever its number of digits."""
    assert sanitize_line(f"a&#{'9' * digits};b") == "a\ufffdb"
    assert sanitize_line(f"a&amp;#{'0' * digits}60;b") == "a\ufffdb"


@given(some.text() | some.text(alphabet="sSiIgG=%25 eyJ.a\u00ad\u00a0\n<>&amp;"), some.integers(2, 30))
def test_the_shortcut_for_plain_lines_changes_nothing(text: str, longest: int) -> None:
    """A line without markup skips the cleanup, and has the same result as with it."""
    marked = f"<i></i>{text}"  # the empty tag is removed, and turns off the shortcut
    if len(marked) <= longest * 10:  # longer text is cut
        assert sanitize_line(text, longest) == sanitize_line(marked, longest)


def test_text_is_unescaped_three_times() -> None:
    """Real messages are escaped once; text that was escaped more than three times stays partly escaped."""
    assert sanitize_line("&amp;amp;amp;amp;lt;x") == "&amp;lt;x"
