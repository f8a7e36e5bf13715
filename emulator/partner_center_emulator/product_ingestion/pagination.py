# SPDX-License-Identifier: Apache-2.0
"""Paginated lists with an opaque link to the next page."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from partner_center_emulator.product_ingestion.errors import ApiError
from partner_center_emulator.product_ingestion.requests import MANY, ApiRequest


def page_of(entries: list[dict[str, Any]], request: ApiRequest, most: int, address: str) -> dict[str, Any]:
    """Return a page of a list.

    :param most: the maximum number of entries, even if the request asks for more.
    :param address: the URL of the next page without its query.
    :raises ApiError: 400, for an invalid size or token.
    """
    size = min(request.number(lambda query: query.get("$maxpagesize", query.get("$top")), MANY), most) or most
    start = _start(request)
    body: dict[str, Any] = {"value": entries[start : start + size]}
    if start + size < len(entries):
        rest = {name: value for name, value in request.query.items() if name not in ("continuationtoken", "$skip")}
        token = base64.urlsafe_b64encode(f"after:{start + size}".encode()).decode()
        body["@nextLink"] = f"{address}?{urlencode(rest | {'continuationToken': token}, safe='$')}"
    return body


def _start(request: ApiRequest) -> int:
    token = request.query.get("continuationtoken")
    if token is None:
        return request.number(lambda query: query.get("$skip"), 0)
    try:
        name, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, number = "", ""
    if name != "after" or not number.isdecimal():
        raise ApiError(400, "The continuation token is not valid.")
    return int(number)
