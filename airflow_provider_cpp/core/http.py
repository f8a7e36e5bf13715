# SPDX-License-Identifier: Apache-2.0
"""A request and an answer as values, and the one place that turns an answer into a model or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from hashlib import sha256
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.redaction import plain_text

T = TypeVar("T")

LONGEST_RETRY_AFTER = 3600.0
"""Seconds: a longer Retry-After is cut to this, so that a mistake of a gateway cannot park a task for days."""

LONGEST_ERROR_TEXT = 600
DEEPEST_ERROR = 20
"""Levels of an error's details that are read; real ones have three."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came.

    :param status: the HTTP status.
    :param body: the bytes, already bounded in size by the transport.
    :param headers: found by lower-case name.
    :param origin: scheme, host and port that the request was sent to.
    :param received_at: when it came.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    origin: str
    received_at: datetime

    @property
    def request_id(self) -> str | None:
        """The portal's own id of the request: the handle that its support asks for."""
        names = ("x-ms-correlation-request-id", "request-id")
        return next((found for name in names if (found := plain_text(self.headers.get(name, ""), 100))), None)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request as a value.

    :param words: what is asked, for logs and errors.
    :param method: the HTTP method.
    :param path: the path below the host, every identifier quoted.
    :param read: makes the result of a good answer; raises ``ValueError`` where it cannot.
    :param body: the JSON to send, as bytes.
    :param headers: what is sent beside what every request carries.
    :param offer: which offer it is about, as ``publisher/offer``.
    :param operation: which operation of it.
    :param version: the name of the parameter that tells the API's version.
    :param refusal: knows a refusal by its code and words better than its HTTP status tells; None where it does not.
    """

    words: str
    method: str
    path: str
    read: Callable[[Reply], T]
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    offer: str | None = None
    operation: str | None = None
    version: str = "api-version"
    refusal: Callable[[str], type[exceptions.RequestError] | None] | None = None

    @property
    def is_safe(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method == "GET"

    def target(self, api_version: str) -> str:
        """Return path and query, the API's version added where it is missing."""
        if _parameter(self.version).search(self.path):
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{_quoted(self.version)}={_quoted(api_version)}"


@cache
def _quoted(text: str) -> str:
    return quote(text, safe="")


@cache
def _parameter(name: str) -> re.Pattern[str]:
    return re.compile(rf"[?&](?:{re.escape(name)}|{re.escape(_quoted(name))})=")


def mark(call: Call[Any], reply: Reply) -> bytes:
    """Return what two answers have in common only if they answer the same question with the same bytes."""
    return sha256(call.path.encode() + b"\n" + reply.body).digest()


def decode(call: Call[T], reply: Reply) -> T:
    """Turn an answer into the call's result.

    :raises RequestError: the class that the status stands for; :class:`~.errors.BadReply` for an answer
        that is good by its status and not what the API promises.
    """
    if reply.status not in (200, 201, 202):
        raise _error(call, reply)
    try:
        return call.read(reply)
    except (ValueError, RecursionError) as error:
        text = f"{plain_text(str(error), 200)}: {_body_text(reply.body, 200) or 'the body is empty'}"
        raise exceptions.BadReply(call.words, status=reply.status, text=text, request_id=reply.request_id) from error


def parse(reply: Reply) -> Any:
    """Return the JSON of an answer.

    :raises ValueError: if it is none.
    """
    try:
        return json.loads(reply.body)
    except ValueError as error:
        raise ValueError("the answer is not JSON") from error


def _error(call: Call[T], reply: Reply) -> exceptions.RequestError:
    code, text = _code_and_text(reply.body)
    if reply.status < 400:  # noqa: PLR2004 - the bound of refusals
        kind: type[exceptions.RequestError] = exceptions.BadReply
        text = "a redirect, which is not followed with a token in hand" if reply.status >= 300 else text  # noqa: PLR2004 - as above
    else:
        kind = _KINDS.get(reply.status) or (exceptions.ServerFault if reply.status >= 500 else exceptions.Refused)  # noqa: PLR2004 - a fault of the server
        if kind is exceptions.Refused and call.refusal is not None:
            kind = call.refusal(text) or kind
    return kind(
        call.words,
        status=reply.status,
        code=code,
        text=text,
        request_id=reply.request_id,
        retry_after=_retry_after(reply),
    )


_KINDS: dict[int, type[exceptions.RequestError]] = {
    401: exceptions.Unauthorized,
    403: exceptions.Forbidden,
    404: exceptions.NotFound,
    # What a proxy or a server in trouble says: it is no word of the API's on what became of the request.
    **dict.fromkeys((408, 421, 425, 499), exceptions.BadReply),
    409: exceptions.Conflict,
    412: exceptions.PreconditionFailed,
    423: exceptions.Locked,
    429: exceptions.Throttled,
}


def _code_and_text(body: bytes) -> tuple[str | None, str]:
    """Read the portal's error envelope; a body that is none is quoted as text."""
    try:
        envelope = json.loads(body)["error"]
        code, text = envelope.get("code"), "; ".join(_said(envelope))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, _body_text(body, LONGEST_ERROR_TEXT)
    return plain_text(code, 100) if isinstance(code, str) else None, plain_text(text, LONGEST_ERROR_TEXT)


def _said(node: Any, depth: int = 0) -> Iterator[str]:
    """Walk through the messages of an error and of what it comes of, to any depth that is sane."""
    if isinstance(message := node.get("message"), str):
        yield plain_text(message)
    for detail in node.get("details") or [] if depth < DEEPEST_ERROR else []:
        yield from _said(detail, depth + 1)


def _body_text(body: bytes, longest: int) -> str:
    return plain_text(body[: longest * 20].decode("utf-8", "replace"), longest)


def _retry_after(reply: Reply) -> float | None:
    """Read Retry-After, as seconds or as a date, between nothing and an hour."""
    value = reply.headers.get("retry-after", "").strip()
    try:
        return min(max(_seconds(value, reply.received_at), 0.0), LONGEST_RETRY_AFTER)
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(value: str, now: datetime) -> float:
    if value.isdecimal():
        return float(value)
    moment = parsedate_to_datetime(value)
    # The oldest form of an HTTP date names no zone, and there is but one.
    return ((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - now).total_seconds()
