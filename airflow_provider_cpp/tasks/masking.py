# SPDX-License-Identifier: Apache-2.0
"""Mask SAS URLs in the arguments of draft tasks: they grant access, and Airflow shows arguments and errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import unquote

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_cpp.core.redaction import find_sas_signatures

_JSON_ESCAPE = re.compile(r'\\+(?:u([0-9A-Fa-f]{4})|(["/\\]))')

MAX_LAYERS = 12
SHORTEST_SIGNATURE = 8
"""The minimum number of characters to mask; real signatures have more than 40."""


def mask_signatures(value: Any) -> None:
    """Register every SAS signature in a value with Airflow's secret masker, as written and decoded."""
    for text in _texts(value):
        for signature in find_sas_signatures(text):
            for form in _forms(signature):
                # Shorter values and templates are placeholders; masking them would hide ordinary text in logs.
                if len(form) >= SHORTEST_SIGNATURE and "{" not in form:
                    mask_secret(form)


def _forms(signature: str) -> Iterator[str]:
    """Yield a signature as written, and after decoding each layer of JSON, HTML and percent-encoding."""
    for _ in range(MAX_LAYERS):
        yield signature
        decoded = unescape(_JSON_ESCAPE.sub(lambda match: match[2] or chr(int(match[1], 16)), signature))
        if decoded == signature:
            decoded = unquote(signature)
        if decoded == signature:
            return
        signature = decoded


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple, set)):
        for item in (*value.keys(), *value.values()) if isinstance(value, Mapping) else value:
            yield from _texts(item)
