# SPDX-License-Identifier: Apache-2.0
"""Lists that come in pages: the next one is behind a link that means nothing to whoever follows it."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from partner_center_emulator.product_ingestion.errors import ApiError
from partner_center_emulator.product_ingestion.requests import MANY, ApiRequest


def page_of(entries: list[dict[str, Any]], call: ApiRequest, most: int, address: str) -> dict[str, Any]:
    """Write a page of a list.

    :param most: how many entries a page has at most, whatever is asked for.
    :param address: where the next page is, but for its query.
    :raises ApiError: 400, for a size or token that is none.
    """
    size = min(call.number(lambda query: query.get("$maxpagesize", query.get("$top")), MANY), most) or most
    start = _start(call)
    body: dict[str, Any] = {"value": entries[start : start + size]}
    if start + size < len(entries):
        rest = {name: value for name, value in call.query.items() if name not in ("continuationtoken", "$skip")}
        token = base64.urlsafe_b64encode(f"after:{start + size}".encode()).decode()
        body["@nextLink"] = f"{address}?{urlencode(rest | {'continuationToken': token}, safe='$')}"
    return body


def _start(call: ApiRequest) -> int:
    token = call.query.get("continuationtoken")
    if token is None:
        return call.number(lambda query: query.get("$skip"), 0)
    try:
        name, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, number = "", ""
    if name != "after" or not number.isdecimal():
        raise ApiError(400, "The continuation token is not valid.")
    return int(number)
