# SPDX-License-Identifier: Apache-2.0
"""Masking what tasks on drafts are given: SAS URLs are credentials, and Airflow shows fields and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import unquote

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_cpp.core.redaction import find_sas_signatures

SHORTEST_SIGNATURE = 8
"""Characters; real ones have more than forty."""


def mask_signatures(value: Any) -> None:
    """Tell Airflow to mask every SAS signature in a value, as it is written there and decoded."""
    for text in _texts(value):
        for signature in find_sas_signatures(text):
            if len(signature) < SHORTEST_SIGNATURE or "{" in signature:
                continue  # a template, or a placeholder: masking that would deface every log line that has it
            decoded = unescape(signature.replace("\\/", "/"))
            for form in dict.fromkeys((signature, decoded, unquote(decoded), unquote(unquote(decoded)))):
                mask_secret(form)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in (*value.keys(), *value.values()):
            yield from _texts(entry)
    elif isinstance(value, (list, tuple, set)):
        for entry in value:
            yield from _texts(entry)
