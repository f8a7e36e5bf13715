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

from airflow_provider_cpp.apis.cloud_partner_portal.location import resolve_same_origin
from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    PublisherSummary,
    parse_operation_summary,
    parse_status_report,
)
from airflow_provider_cpp.core.http import Request, Response, parse_json
from airflow_provider_cpp.core.json_fields import list_parser, offer_document
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport, validate_identifier
from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation, OperationSummary, ensure_same_api

T = TypeVar("T")

API_VERSION = "2017-10-31"
DEFAULT_HOST = "https://cloudpartner.azure.com"
DEFAULT_SCOPE = f"{DEFAULT_HOST}/.default"


def get_offer_status(offer: OfferRef) -> Request[StatusReport]:
    """Ask where an offer stands."""
    name = str(offer)
    return Request(f"status of offer {name}", "GET", f"{_offer(offer)}/status", _report, offer=name)


def list_operations(offer: OfferRef) -> Request[tuple[OperationSummary, ...]]:
    """Ask for an offer's operations; the filter's name is disputed, so none is sent and callers filter."""
    read = _json(list_parser(parse_operation_summary))
    return _for_offer(offer, Request(f"operations of offer {offer}", "GET", f"{_offer(offer)}/submissions/", read))


def get_operation(operation: Operation) -> Request[StatusReport]:
    """Ask where an operation stands, at the location that the portal named or else by its id.

    :raises ConfigurationError: if the operation has neither, or is another API's.
    """
    ensure_same_api(CLOUD_PARTNER_PORTAL, operation.api, "the operation")
    words = f"operation {operation.display_id} of offer {operation.offer}"
    path = operation.location
    if path is None:
        identifier = validate_identifier("operation_id", operation.operation_id)
        path = f"{_offer(operation.offer)}/operations/{quote(identifier, safe='')}"
    return Request(words, "GET", path, _report, offer=str(operation.offer), operation=operation.display_id)


def list_offers(publisher_id: str) -> Request[tuple[OfferSummary, ...]]:
    """Ask for a publisher's offers."""
    publisher = quote(validate_identifier("publisher_id", publisher_id), safe="")
    words = f"offers of publisher {publisher_id}"
    return Request(words, "GET", f"/api/publishers/{publisher}/offers", _json(list_parser(OfferSummary.from_json)))


def list_publishers() -> Request[tuple[PublisherSummary, ...]]:
    """Ask for the publishers that the application may act for."""
    return Request("publishers", "GET", "/api/publishers", _json(list_parser(PublisherSummary.from_json)))


def get_offer(offer: OfferRef, version: int | None = None, slot: str | None = None) -> Request[OfferDocument]:
    """Ask for an offer whole: its draft, one of its versions, or what stands in a slot.

    :param slot: ``Draft``, ``Preview`` or ``Production``.
    """
    if version is not None:
        words, place = f"version {version}", f"/versions/{version:d}"
    elif slot is not None:
        words, place = f"slot {slot}", f"/slot/{quote(validate_identifier('slot', slot), safe='')}"
    else:
        words, place = "draft", ""
    return _for_offer(offer, Request(f"{words} of offer {offer}", "GET", f"{_offer(offer)}{place}", _document))


def put_offer(offer: OfferRef, content: dict[str, Any], if_match: str | None) -> Request[OfferDocument]:
    """Store a draft, whole: a key that is missing from the document is lost.

    :param if_match: the ETag of the draft that this one replaces, ``*`` for whichever, None to create an offer.
    """
    headers = {} if if_match is None else {"If-Match": if_match}
    # Not escaped beyond JSON: the portal takes an escaped ampersand in an image's URL literally.
    body = json.dumps(content, ensure_ascii=False).encode()
    return _for_offer(
        offer, Request(f"store the draft of offer {offer}", "PUT", _offer(offer), _document, body, headers)
    )


def publish_offer(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Request[str | None]:
    """Order a publication of the draft; the result is the operation's location, None where none was named."""
    return _for_offer(
        offer,
        Request(
            f"publish offer {offer}", "POST", f"{_offer(offer)}/publish", _location, _metadata(notification_emails)
        ),
    )


def go_live_offer(offer: OfferRef) -> Request[str | None]:
    """Order that what is parked goes live; the result is the operation's location, None where none was named."""
    return _for_offer(offer, Request(f"go live with offer {offer}", "POST", f"{_offer(offer)}/golive", _location))


def cancel_operation(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Request[str | None]:
    """Order that whatever runs is canceled; the answer is a yes whether or not anything ran."""
    return _for_offer(
        offer,
        Request(f"cancel offer {offer}", "POST", f"{_offer(offer)}/cancel", _location, _metadata(notification_emails)),
    )


def _for_offer(offer: OfferRef, request: Request[T]) -> Request[T]:
    return replace(request, offer=str(offer))


def _metadata(emails: tuple[str, ...]) -> bytes:
    return json.dumps({"metadata": {"notification-emails": ",".join(emails)} if emails else {}}).encode()


def _document(response: Response) -> OfferDocument:
    return OfferDocument(offer_document(parse_json(response)), response.headers.get("etag") or None)


def _offer(offer: OfferRef) -> str:
    publisher = quote(validate_identifier("publisher_id", offer.publisher_id), safe="")
    return f"/api/publishers/{publisher}/offers/{quote(offer.offer_id, safe='')}"


def _json(read: Callable[[Any], T]) -> Callable[[Response], T]:
    return lambda response: read(parse_json(response))


def _report(response: Response) -> StatusReport:
    return replace(parse_status_report(parse_json(response)), request_id=response.request_id)


def _location(response: Response) -> str | None:
    value = response.headers.get("location") or response.headers.get("operation-location")
    return resolve_same_origin(value, response.origin)
