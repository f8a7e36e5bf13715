# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the CPP API: one function for each, and the only code with its paths, parameters, headers and bodies.

`Cloud Partner Portal API reference
<https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-overview>`_
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from airflow_provider_cpp.apis.cloud_partner_portal.models import (
    OfferSummary,
    PublisherSummary,
    parse_operation_summary,
    parse_status_report,
)
from airflow_provider_cpp.core.http import Request, Response, parse_json
from airflow_provider_cpp.core.json_fields import as_object, list_parser
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport, validate_identifier
from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation, OperationSummary, ensure_same_api
from airflow_provider_cpp.core.urls import is_safe_api_path, resolve_same_origin
from airflow_provider_cpp.exceptions import ConfigurationError

T = TypeVar("T")

API_VERSION = "2017-10-31"
API_PATH = "/api/"
DEFAULT_HOST = "https://cloudpartner.azure.com"
DEFAULT_SCOPE = f"{DEFAULT_HOST}/.default"


def get_offer_status(offer: OfferRef) -> Request[StatusReport]:
    """Read the status of an offer."""
    return _offer_request(offer, "status of", "GET", "/status", _report)


def list_operations(offer: OfferRef) -> Request[tuple[OperationSummary, ...]]:
    """List an offer's operations. No filter is sent, because the documentation and known clients disagree on its name."""
    return _offer_request(offer, "operations of", "GET", "/submissions/", _json(list_parser(parse_operation_summary)))


def get_operation(operation: Operation) -> Request[StatusReport]:
    """Read the status of an operation at its location or, without one, by its ID.

    :raises ConfigurationError: if the operation has neither, or belongs to another API.
    """
    ensure_same_api(CLOUD_PARTNER_PORTAL, operation.api, "the operation")
    description = f"operation {operation.display_id} of offer {operation.offer}"
    path = operation.location
    if path is not None and not is_safe_api_path(path, API_PATH):
        raise ConfigurationError(("its location is not a path of the CPP API",), "the operation")
    if path is None:
        identifier = validate_identifier("operation_id", operation.operation_id)
        path = f"{_offer(operation.offer)}/operations/{quote(identifier, safe='')}"
    return Request(description, "GET", path, _report, offer=str(operation.offer), operation=operation.display_id)


def list_offers(publisher_id: str) -> Request[tuple[OfferSummary, ...]]:
    """List a publisher's offers."""
    read = _json(list_parser(OfferSummary.from_json))
    return Request(f"offers of publisher {publisher_id}", "GET", _offers(publisher_id), read)


def list_publishers() -> Request[tuple[PublisherSummary, ...]]:
    """List the publishers that the application has access to."""
    return Request("publishers", "GET", "/api/publishers", _json(list_parser(PublisherSummary.from_json)))


def get_offer(offer: OfferRef, version: int | None = None, slot: str | None = None) -> Request[OfferDocument]:
    """Read an offer's document: the draft, a version, or the document in a slot.

    :param version: the version to read.
    :param slot: ``Draft``, ``Preview`` or ``Production``.
    """
    if version is not None:
        description, place = f"version {version} of", f"/versions/{version:d}"
    elif slot is not None:
        description, place = f"slot {slot} of", f"/slot/{quote(validate_identifier('slot', slot), safe='')}"
    else:
        description, place = "draft of", ""
    return _offer_request(offer, description, "GET", place, _document)


def put_offer(offer: OfferRef, content: dict[str, Any], if_match: str | None) -> Request[OfferDocument]:
    """Store a whole draft. Keys that are missing from the document are deleted.

    :param if_match: the ETag of the draft to replace, ``*`` for any, None to create an offer.
    """
    headers = {} if if_match is None else {"If-Match": if_match}
    # Escape only what JSON requires: the API does not decode an escaped ampersand in an image's URL.
    body = json.dumps(content, ensure_ascii=False).encode()
    return _offer_request(offer, "store the draft of", "PUT", "", _document, body=body, headers=headers)


def publish_offer(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Request[str | None]:
    """Publish the draft; return the operation's location, or None if the response has none."""
    return _offer_request(offer, "publish", "POST", "/publish", _location, body=_metadata(notification_emails))


def go_live_offer(offer: OfferRef) -> Request[str | None]:
    """Go live with the preview; return the operation's location, or None if the response has none."""
    return _offer_request(offer, "go live with", "POST", "/golive", _location)


def cancel_operation(offer: OfferRef, notification_emails: tuple[str, ...] = ()) -> Request[str | None]:
    """Cancel the operation in progress; the API accepts the request even if there is none."""
    return _offer_request(offer, "cancel", "POST", "/cancel", _location, body=_metadata(notification_emails))


def _offer_request(
    offer: OfferRef, verb: str, method: str, place: str, read: Callable[[Response], T], **values: Any
) -> Request[T]:
    return Request(f"{verb} offer {offer}", method, f"{_offer(offer)}{place}", read, offer=str(offer), **values)


def _metadata(emails: tuple[str, ...]) -> bytes:
    return json.dumps({"metadata": {"notification-emails": ",".join(emails)} if emails else {}}).encode()


def _document(response: Response) -> OfferDocument:
    return OfferDocument(as_object(parse_json(response), "the response"), response.headers.get("etag") or None)


def _offer(offer: OfferRef) -> str:
    return f"{_offers(offer.publisher_id)}/{quote(offer.offer_id, safe='')}"


def _offers(publisher_id: str | None) -> str:
    return f"/api/publishers/{quote(validate_identifier('publisher_id', publisher_id), safe='')}/offers"


def _json(read: Callable[[Any], T]) -> Callable[[Response], T]:
    return lambda response: read(parse_json(response))


def _report(response: Response) -> StatusReport:
    return replace(parse_status_report(parse_json(response)), request_id=response.request_id)


def _location(response: Response) -> str | None:
    value = response.headers.get("location") or response.headers.get("operation-location")
    return resolve_same_origin(value, response.base_url, API_PATH)


_PUBLICATION_NUMBER = re.compile(r"/operations/[^/?]+[$]([0-9]+)[$][^/?]+/?(?:[?]|$)")
_OPERATION_ID = re.compile(r"/operations/([^/?$]+)/?(?:[?]|$)")


def operation_id_from_location(location: str | None) -> str | None:
    """Return the operation ID in a location, or None if there is none or it is not safe in a path."""
    match = _OPERATION_ID.search(unquote(location or ""))
    try:
        return validate_identifier("operation_id", match.group(1)) if match else None
    except ConfigurationError:
        return None


def publication_number(operation: Operation) -> int | None:
    """Return the number of an operation's publication if its location has that instead of an ID."""
    match = _PUBLICATION_NUMBER.search(unquote(operation.location or ""))
    return int(match.group(1)) if match else None
