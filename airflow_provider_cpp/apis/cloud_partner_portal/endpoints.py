# SPDX-License-Identifier: Apache-2.0
"""One builder per endpoint of the Cloud Partner Portal.

What is this API's own (paths, parameters, headers, bodies) stands here and nowhere else.

`Cloud Partner Portal API reference
<https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-overview>`_
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_cpp.apis.cloud_partner_portal.location import local_location
from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    PublisherSummary,
    read_report,
    read_submission,
)
from airflow_provider_cpp.core.http import Call, Reply, parse
from airflow_provider_cpp.core.json_fields import document, list_of
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, Report, check_identifier
from airflow_provider_cpp.core.operations import API, Operation, Submission, check_api

T = TypeVar("T")

API_VERSION = "2017-10-31"
DEFAULT_HOST = "https://cloudpartner.azure.com"
DEFAULT_SCOPE = f"{DEFAULT_HOST}/.default"


def get_offer_status(offer: OfferRef) -> Call[Report]:
    """Ask where an offer stands."""
    name = str(offer)
    return Call(f"status of offer {name}", "GET", f"{_offer(offer)}/status", _report, offer=name)


def list_submissions(offer: OfferRef) -> Call[tuple[Submission, ...]]:
    """Ask for an offer's operations; the filter's name is disputed, so none is sent and callers filter."""
    read = _json(list_of(read_submission))
    return _about(offer, Call(f"operations of offer {offer}", "GET", f"{_offer(offer)}/submissions/", read))


def get_operation(operation: Operation) -> Call[Report]:
    """Ask where an operation stands, at the location that the portal named or else by its id.

    :raises ConfigurationError: if the operation has neither, or is another API's.
    """
    check_api(API, operation.api, "the operation")
    words = f"operation {operation.name} of offer {operation.offer}"
    path = operation.location
    if path is None:
        identifier = check_identifier("operation_id", operation.operation_id)
        path = f"{_offer(operation.offer)}/operations/{quote(identifier, safe='')}"
    return Call(words, "GET", path, _report, offer=str(operation.offer), operation=operation.name)


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


def _about(offer: OfferRef, call: Call[T]) -> Call[T]:
    return replace(call, offer=str(offer))


def _metadata(emails: tuple[str, ...]) -> bytes:
    return json.dumps({"metadata": {"notification-emails": ",".join(emails)} if emails else {}}).encode()


def _document(reply: Reply) -> OfferDocument:
    return OfferDocument(document(parse(reply)), reply.headers.get("etag") or None)


def _offer(offer: OfferRef) -> str:
    publisher = quote(check_identifier("publisher_id", offer.publisher_id), safe="")
    return f"/api/publishers/{publisher}/offers/{quote(offer.offer_id, safe='')}"


def _json(read: Callable[[Any], T]) -> Callable[[Reply], T]:
    return lambda reply: read(parse(reply))


def _report(reply: Reply) -> Report:
    return replace(read_report(parse(reply)), request_id=reply.request_id)


def _location(reply: Reply) -> str | None:
    value = reply.headers.get("location") or reply.headers.get("operation-location")
    return local_location(value, reply.origin)
