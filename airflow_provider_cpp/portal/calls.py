# SPDX-License-Identifier: Apache-2.0
"""One builder per endpoint, and the one place that turns an answer into a model or an error.

What is this API's own (paths, parameters, headers, bodies) stands here and nowhere else.

`Cloud Partner Portal API reference
<https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-overview>`_
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from airflow_provider_cpp.portal import errors
from airflow_provider_cpp.portal.location import local_location
from airflow_provider_cpp.portal.models import (
    OfferDocument,
    OfferRef,
    OfferSummary,
    PublisherSummary,
    Report,
    check_identifier,
)
from airflow_provider_cpp.portal.operations import Operation, Submission
from airflow_provider_cpp.portal.reading import document, list_of
from airflow_provider_cpp.portal.text import plain_text

T = TypeVar("T")

API_VERSION = "2017-10-31"
DEFAULT_HOST = "https://cloudpartner.azure.com"
DEFAULT_SCOPE = f"{DEFAULT_HOST}/.default"
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
    :param headers: by lower-case name.
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
    refusal: Callable[[str], type[errors.RequestError] | None] | None = None

    @property
    def is_safe(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method == "GET"

    def target(self, api_version: str) -> str:
        """Return path and query, the API's version added where it is missing."""
        name = quote(self.version, safe="")
        if re.search(rf"[?&](?:{re.escape(self.version)}|{re.escape(name)})=", self.path):
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{name}={quote(api_version, safe='')}"


def get_offer_status(offer: OfferRef) -> Call[Report]:
    """Ask where an offer stands."""
    return _about(offer, Call(f"status of offer {offer}", "GET", f"{_offer(offer)}/status", _report))


def list_submissions(offer: OfferRef) -> Call[tuple[Submission, ...]]:
    """Ask for an offer's operations; the filter's name is disputed, so none is sent and callers filter."""
    read = _json(list_of(Submission.from_json))
    return _about(offer, Call(f"operations of offer {offer}", "GET", f"{_offer(offer)}/submissions/", read))


def get_operation(operation: Operation) -> Call[Report]:
    """Ask where an operation stands, at the location that the portal named or else by its id.

    :raises ConfigurationError: if the operation has neither.
    """
    words = f"operation {operation.name} of offer {operation.offer}"
    path = operation.location
    if path is None:
        identifier = check_identifier("operation_id", operation.operation_id)
        path = f"{_offer(operation.offer)}/operations/{quote(identifier, safe='')}"
    return _about(operation.offer, Call(words, "GET", path, _report), operation.name)


def list_offers(publisher_id: str) -> Call[tuple[OfferSummary, ...]]:
    """Ask for a publisher's offers."""
    publisher = quote(check_identifier("publisher_id", publisher_id), safe="")
    words = f"offers of publisher {publisher_id}"
    return Call(words, "GET", f"/api/publishers/{publisher}/offers", _json(list_of(OfferSummary.from_json)))


def list_publishers() -> Call[tuple[PublisherSummary, ...]]:
    """Ask for the publishers that the application may act for."""
    return Call("publishers", "GET", "/api/publishers", _json(list_of(PublisherSummary.from_json)))


def get_offer(offer: OfferRef, version: int | None = None, slot: str | None = None) -> Call[OfferDocument]:
    """Ask for an offer whole: its draft, one of its versions, or what stands in a slot.

    :param slot: ``Draft``, ``Preview`` or ``Production``.
    """
    if version is not None:
        words, place = f"version {version}", f"/versions/{version:d}"
    elif slot is not None:
        words, place = f"slot {slot}", f"/slot/{quote(check_identifier('slot', slot), safe='')}"
    else:
        words, place = "draft", ""
    return _about(offer, Call(f"{words} of offer {offer}", "GET", f"{_offer(offer)}{place}", _document))


def put_offer(offer: OfferRef, content: dict[str, Any], if_match: str | None) -> Call[OfferDocument]:
    """Store a draft, whole: a key that is missing from the document is lost.

    :param if_match: the ETag of the draft that this one replaces, ``*`` for whichever, None to create an offer.
    """
    headers = {} if if_match is None else {"If-Match": if_match}
    # Not escaped beyond JSON: the portal takes an escaped ampersand in an image's URL literally.
    body = json.dumps(content, ensure_ascii=False).encode()
    return _about(offer, Call(f"store the draft of offer {offer}", "PUT", _offer(offer), _document, body, headers))


def publish_offer(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Call[str | None]:
    """Order a publication of the draft; the result is the operation's location, None where none was named."""
    return _about(
        offer,
        Call(f"publish offer {offer}", "POST", f"{_offer(offer)}/publish", _location, _metadata(notification_emails)),
    )


def go_live(offer: OfferRef) -> Call[str | None]:
    """Order that what is parked goes live; the result is the operation's location, None where none was named."""
    return _about(offer, Call(f"go live with offer {offer}", "POST", f"{_offer(offer)}/golive", _location))


def cancel(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Call[str | None]:
    """Order that whatever runs is canceled; the answer is a yes whether or not anything ran."""
    return _about(
        offer,
        Call(f"cancel offer {offer}", "POST", f"{_offer(offer)}/cancel", _location, _metadata(notification_emails)),
    )


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
        raise errors.BadReply(call.words, status=reply.status, text=text, request_id=reply.request_id) from error


def _about(offer: OfferRef, call: Call[T], operation: str | None = None) -> Call[T]:
    return replace(call, offer=str(offer), operation=operation)


def _metadata(emails: tuple[str, ...]) -> bytes:
    return json.dumps({"metadata": {"notification-emails": ",".join(emails)} if emails else {}}).encode()


def _document(reply: Reply) -> OfferDocument:
    return OfferDocument(document(_parse(reply)), reply.headers.get("etag") or None)


def _offer(offer: OfferRef) -> str:
    publisher = quote(check_identifier("publisher_id", offer.publisher_id), safe="")
    return f"/api/publishers/{publisher}/offers/{quote(offer.offer_id, safe='')}"


def _parse(reply: Reply) -> Any:
    try:
        return json.loads(reply.body)
    except ValueError as error:
        raise ValueError("the answer is not JSON") from error


def _json(read: Callable[[Any], T]) -> Callable[[Reply], T]:
    return lambda reply: read(_parse(reply))


def _report(reply: Reply) -> Report:
    return replace(Report.from_json(_parse(reply)), request_id=reply.request_id)


def _location(reply: Reply) -> str | None:
    value = reply.headers.get("location") or reply.headers.get("operation-location")
    return local_location(value, reply.origin)


def _error(call: Call[T], reply: Reply) -> errors.RequestError:
    code, text = _code_and_text(reply.body)
    if 200 <= reply.status < 400:  # noqa: PLR2004 - the bounds of good answers and redirects
        kind: type[errors.RequestError] = errors.BadReply
        text = "a redirect, which is not followed with a token in hand" if reply.status >= 300 else text  # noqa: PLR2004 - as above
    else:
        kind = _KINDS.get(reply.status) or (errors.ServerFault if reply.status >= 500 else errors.Refused)  # noqa: PLR2004 - a fault of the server
        if kind is errors.Refused and call.refusal is not None:
            kind = call.refusal(text) or kind
    return kind(
        call.words,
        status=reply.status,
        code=code,
        text=text,
        request_id=reply.request_id,
        retry_after=_retry_after(reply),
    )


_KINDS: dict[int, type[errors.RequestError]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.PreconditionFailed,
    423: errors.Locked,
    429: errors.Throttled,
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
