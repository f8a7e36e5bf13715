# SPDX-License-Identifier: Apache-2.0
"""HTTP requests and responses as values, and the only code that converts a response to a model or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core.redaction import sanitize_line


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The default address of an API; a connection can override it.

    :param base_url: the scheme, the host and, if the API has one, the base path.
    :param scope: the OAuth scope of its tokens.
    :param version: the API version to request.
    """

    base_url: str
    scope: str
    version: str


T = TypeVar("T")
E = TypeVar("E", bound=exceptions.RequestError)

MAX_RETRY_AFTER = 3600.0
"""The maximum Retry-After in seconds, so that a faulty gateway cannot delay a task for days."""

MAX_ERROR_TEXT = 600
MAX_ERROR_DEPTH = 20
"""The maximum depth of an error's details; real errors have three levels."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    :param status: the HTTP status.
    :param body: the body; the transport limits its size.
    :param headers: the headers by lowercase name.
    :param base_url: the base URL of the request.
    :param received_at: when the response was received.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    base_url: str
    received_at: datetime

    @property
    def request_id(self) -> str | None:
        """The API's ID of the request, which Microsoft support asks for."""
        names = ("x-ms-correlation-request-id", "request-id")
        return next((value for name in names if (value := sanitize_line(self.headers.get(name, ""), 100))), None)


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """An HTTP request.

    :param description: the purpose, for logs and errors: ``publish offer contoso/contoso-vm``.
    :param method: the HTTP method.
    :param path: the path below the base URL, with quoted identifiers.
    :param parse: parses a successful response; raises ``ValueError`` if it cannot.
    :param body: the JSON to send, as bytes.
    :param headers: headers in addition to those of every request.
    :param offer: the offer of the request, as ``publisher/offer``.
    :param operation: the operation of the request.
    :param version: the name of the query parameter for the API version.
    :param classify_error: returns the class of a 4xx error by its text; None to use the HTTP status.
    """

    description: str
    method: str
    path: str
    parse: Callable[[Response], T]
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    offer: str | None = None
    operation: str | None = None
    version: str = "api-version"
    classify_error: Callable[[str], type[exceptions.RequestError] | None] | None = None

    @property
    def is_safe(self) -> bool:
        """Whether the request may be sent twice."""
        return self.method == "GET"

    def url_path(self, api_version: str) -> str:
        """Return the path and query; add the API version if it is missing."""
        name = quote(self.version, safe="")
        if re.search(rf"[?&](?:{re.escape(self.version)}|{re.escape(name)})=", self.path):
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{name}={quote(api_version, safe='')}"

    def error(self, kind: type[E], **values: Any) -> E:
        """Return an error with this request's description, offer and operation."""
        return kind(self.description, offer=self.offer, operation=self.operation, **values)


def decode_response(request: Request[T], response: Response) -> T:
    """Return the result of a request from its response.

    :raises RequestError: of the class for the HTTP status; :class:`~.exceptions.InvalidResponseError` for a successful status with
        content that the API does not document.
    """
    if response.status not in (200, 201, 202):
        raise _error(request, response)
    try:
        return request.parse(response)
    except (ValueError, RecursionError) as error:
        text = f"{sanitize_line(str(error), 200)}: {_body_text(response.body, 200) or 'the body is empty'}"
        kind = exceptions.InvalidResponseError
        raise request.error(kind, status=response.status, text=text, request_id=response.request_id) from error


def parse_json(response: Response) -> Any:
    """Parse the JSON body of a response.

    :raises ValueError: if the body is not JSON.
    """
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise ValueError("the response is not JSON") from error


def _error(request: Request[T], response: Response) -> exceptions.RequestError:
    code, text = _code_and_text(response.body)
    kind: type[exceptions.RequestError] = exceptions.InvalidResponseError
    if response.status >= 500:  # noqa: PLR2004 - a class of statuses
        kind = exceptions.ServerError
    elif response.status >= 400:  # noqa: PLR2004 - as above
        kind = _ERROR_CLASSES.get(response.status, exceptions.BadRequestError)
        if kind is exceptions.BadRequestError and request.classify_error is not None:
            kind = request.classify_error(text) or kind
    elif response.status >= 300:  # noqa: PLR2004 - as above
        text = "a redirect, which is not followed with a token in hand"
    return request.error(
        kind,
        status=response.status,
        code=code,
        text=text,
        request_id=response.request_id,
        retry_after=_retry_after(response),
    )


_ERROR_CLASSES: dict[int, type[exceptions.RequestError]] = {
    401: exceptions.UnauthorizedError,
    403: exceptions.PermissionDeniedError,
    404: exceptions.NotFoundError,
    # Proxies and overloaded servers send these, so the API may have processed the request.
    **dict.fromkeys((408, 421, 425, 499), exceptions.InvalidResponseError),
    409: exceptions.ConflictError,
    412: exceptions.PreconditionFailedError,
    423: exceptions.LockedError,
    429: exceptions.RateLimitError,
}


def _code_and_text(body: bytes) -> tuple[str | None, str]:
    """Parse the API's error envelope; return any other body as text."""
    try:
        envelope = json.loads(body)["error"]
        code, text = envelope.get("code"), "; ".join(_error_fields(envelope))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None, _body_text(body, MAX_ERROR_TEXT)
    return sanitize_line(code, 100) if isinstance(code, str) else None, sanitize_line(text, MAX_ERROR_TEXT)


def _error_fields(node: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(message := node.get("message"), str):
        yield sanitize_line(message)
    for detail in node.get("details") or [] if depth < MAX_ERROR_DEPTH else []:
        yield from _error_fields(detail, depth + 1)


def _body_text(body: bytes, longest: int) -> str:
    return sanitize_line(body[: longest * 20].decode("utf-8", "replace"), longest)


def _retry_after(response: Response) -> float | None:
    """Parse Retry-After, as seconds or as a date; limit it to the range from 0 to an hour."""
    value = response.headers.get("retry-after", "").strip()
    try:
        if value.isdecimal():
            seconds = float(value)
        else:
            moment = parsedate_to_datetime(value)
            # The oldest format of an HTTP date has no time zone; it is UTC.
            moment = moment.replace(tzinfo=moment.tzinfo or timezone.utc)
            seconds = (moment - response.received_at).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
