# SPDX-License-Identifier: Apache-2.0
"""The SAS signatures that Airflow is told to mask: as written, and with every layer of encoding decoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_cpp.tasks.masking import mask_signatures

SIGNATURE = "c2lnbmVk+LWJ5/LW5vYm9keQ=="


def percent(text: str) -> str:
    return quote(text, safe="")


def as_json(text: str) -> str:
    return text.replace("+", r"\u002B").replace("/", r"\/").replace("=", r"\u003d")


def as_html(text: str) -> str:
    return text.replace("+", "&#43;").replace("=", "&#x3D;")


def combinations() -> Iterator[str]:
    for count in range(4):
        for encoders in product((percent, as_json, as_html), repeat=count):
            text = SIGNATURE
            for encode in encoders:
                text = encode(text)
            yield text


@pytest.mark.parametrize("written", sorted(set(combinations())))
def test_the_decoded_signature_is_masked_too(written: str) -> None:
    """Whatever encodings a signature was written in, its decoded form does not show either."""
    mask_signatures({"url": f"https://a.blob.core.windows.net/b?sig={written}&se=2027-01-01"})
    assert SIGNATURE not in str(redact(f"decoded: {SIGNATURE}"))
    assert written not in str(redact(f"written: {written}"))
