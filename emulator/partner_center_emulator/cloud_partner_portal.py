# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the CPP API, with the same checks as the real API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from partner_center_emulator.dispatch import Dispatcher, Handler, json_response, response_headers
from partner_center_emulator.identity import EntraTenant
from partner_center_emulator.offer import Offer, StaleReads
from partner_center_emulator.offer_store import OfferError, OfferStore
from partner_center_emulator.publications import Publication
from partner_center_emulator.serializers import Serializers

API_VERSIONS = ("2017-10-31", "2016-08-01-preview")
DRAFT, PREVIEW, PRODUCTION = "draft", "preview", "production"


class CloudPartnerPortalAPI:
    """The emulated CPP API.

    :param publishers: the names of the publishers that the application has access to, by ID.
    """

    def __init__(
        self, dispatcher: Dispatcher, offers: OfferStore, identity: EntraTenant, publishers: dict[str, str]
    ) -> None:
        self.dispatcher = dispatcher
        self.offers = offers
        self.serializers = Serializers(offers)
        self.identity = identity
        self.publishers = publishers

    def routes(self) -> list[Route]:
        """Return the routes, each with and without a trailing slash."""
        one = "/api/publishers/{publisher}/offers/{offer}"
        table: list[tuple[str, str, str, Handler]] = [
            ("publishers", "GET", "/api/publishers", self._publishers),
            ("offers", "GET", "/api/publishers/{publisher}/offers", self._list),
            ("offer", "GET", one, self._draft),
            ("put", "PUT", one, self._put),
            ("offer", "GET", f"{one}/versions/{{version}}", self._version),
            ("offer", "GET", f"{one}/slot/{{slot}}", self._slot),
            ("status", "GET", f"{one}/status", self._status),
            ("publish", "POST", f"{one}/publish", self._publish),
            ("golive", "POST", f"{one}/golive", self._golive),
            ("cancel", "POST", f"{one}/cancel", self._cancel),
            ("submissions", "GET", f"{one}/submissions", self._submissions),
            ("operation", "GET", f"{one}/operations/{{operation}}", self._operation),
            ("operation", "GET", "/api/operations/{place}", self._operation_by_place),
        ]
        return [
            Route(path + slash, self.dispatcher.endpoint(name, self._checked(handler)), methods=[method])
            for name, method, path, handler in table
            for slash in ("", "/")
        ]

    def submit(self, offer: Offer, kind: str, perform: Callable[[], Publication], *, lag: bool = True) -> Publication:
        """Submit a publish or go-live, and keep the old responses for the reads that remain stale.

        :param perform: performs the submit, and returns the publication.
        """
        old_status, old_list = self.serializers.status(offer), self.serializers.operations(offer)
        previous = offer.current.publish_id if offer.current else None
        old_operation = self.serializers.operation(offer, previous) if previous else None
        publication = perform()
        if kind == "publish":
            self.dispatcher.faults.add_scenario_faults(offer.scenario, offer.offer_id)
        settings = self.dispatcher.settings
        if lag:
            identifier = self._id(publication, kind)
            missing = settings.lag_operation_as == "missing"
            counts = (settings.lag_status, settings.lag_list, settings.lag_operation)
            until = time.monotonic() + settings.lag_time.total_seconds()
            offer.lag = StaleReads(*counts, old_status, old_list, None if missing else old_operation, identifier, until)
        return publication

    def _id(self, publication: Publication, kind: str) -> str:
        own = kind == "golive" and self.dispatcher.settings.golive_operation == "new"
        return publication.golive_id if own else publication.publish_id

    def _checked(self, handler: Handler) -> Handler:
        """Check the API version, the token and the access before calling the handler."""

        def handle(request: Request, body: bytes) -> Response:
            version = request.query_params.get("api-version")
            if version not in API_VERSIONS:
                text = f"The api-version '{version}' is not valid; it may be one of: {', '.join(API_VERSIONS)}."
                raise OfferError(400, "InvalidAPIVersion", text)
            self.identity.verify(request.headers.get("authorization"))
            publisher = request.path_params.get("publisher")
            if publisher is not None and publisher.lower() not in self.publishers:
                raise OfferError(403, "Forbidden", "User does not have the required permissions.")
            return handler(request, body)

        return handle

    def _offer(self, request: Request) -> Offer:
        return self.offers.find(request.path_params["publisher"], request.path_params["offer"])

    def _publishers(self, _: Request, __: bytes) -> Response:
        entries = [
            {"id": key, "version": 1, "definition": {"displayText": name, "offerTypeCategories": [], "sellerId": "1"}}
            for key, name in self.publishers.items()
        ]
        return json_response(200, entries, response_headers())

    def _list(self, request: Request, _: bytes) -> Response:
        offers = self.offers.of(request.path_params["publisher"])
        return json_response(200, [self.serializers.summary(offer) for offer in offers], response_headers())

    def _draft(self, request: Request, _: bytes) -> Response:
        return self._document(self._offer(request), None)

    def _document(self, offer: Offer, publication: Publication | None, status: int = 200) -> Response:
        document = publication.document if publication is not None else offer.document
        headers = response_headers() | ({"ETag": offer.etag} if self.dispatcher.settings.etag_on_get else {})
        page = {"pcRedirectUri": f"{self.pages or self.base}/?offer={offer.offer_id}"}
        return json_response(status, self.serializers.document(offer, document) | page, headers)

    def _put(self, request: Request, body: bytes) -> Response:
        document = _json_object(body)
        publisher, offer_id = request.path_params["publisher"], request.path_params["offer"]
        status, offer = self.offers.put(publisher, offer_id, document, request.headers.get("if-match"))
        return self._document(offer, None, status)

    def _version(self, request: Request, _: bytes) -> Response:
        offer, version = self._offer(request), request.path_params["version"]
        for publication in offer.publications:
            if str(publication.offer_version) == version:
                return self._document(offer, publication)
        raise OfferError(404, "NotFound", f"Offer '{offer.offer_id}' has no version {version}.")

    def _slot(self, request: Request, _: bytes) -> Response:
        offer, slot = self._offer(request), request.path_params["slot"].lower()
        if slot == DRAFT:
            return self._document(offer, None)
        now, settings = self.offers.clock.now(), self.dispatcher.settings
        for publication in reversed(offer.publications):
            steps = publication.state_at(settings, now).steps
            if steps[{PREVIEW: 3, PRODUCTION: 5}.get(slot, 5)].status == "complete" and slot in (PREVIEW, PRODUCTION):
                return self._document(offer, publication)
        name = "Staging" if slot == PREVIEW else slot.title()
        where = f"Offer ID '{offer.offer_id}', Publisher ID '{offer.publisher_id}'"
        raise OfferError(404, "NotFound", f"There is no {name} slot deployed for {where}")

    def _status(self, request: Request, _: bytes) -> Response:
        offer = self._offer(request)
        if offer.lag.consume("status"):
            return json_response(200, offer.lag.old_status, response_headers())
        return json_response(200, self.serializers.status(offer), response_headers())

    def _submissions(self, request: Request, _: bytes) -> Response:
        offer = self._offer(request)
        entries = offer.lag.old_list if offer.lag.consume("list") else self.serializers.operations(offer)
        state = request.query_params.get("status") or request.query_params.get("submissionState")
        if state:
            entries = [entry for entry in entries if entry["submissionState"].lower() == state.lower()]
        return json_response(200, entries, response_headers())

    def _operation(self, request: Request, _: bytes) -> Response:
        offer, identifier = self._offer(request), request.path_params["operation"]
        return self._operation_response(offer, identifier.lower(), self.serializers.operation(offer, identifier))

    def _operation_by_place(self, request: Request, _: bytes) -> Response:
        publisher, name, number, slot = [*unquote(request.path_params["place"]).split("$"), "", "", "", ""][:4]
        if publisher.lower() not in self.publishers:
            raise OfferError(403, "Forbidden", "User does not have the required permissions.")
        by_guid = next((offer for offer in self.offers.of(publisher) if offer.guid == name.lower()), None)
        offer = by_guid or self.offers.find(publisher, name)
        body = self.serializers.operation_by_place(offer, int(number) if number.isdecimal() else 0, slot)
        newest = offer.current is not None and number == str(offer.current.number)
        return self._operation_response(offer, offer.lag.operation_id if newest else "", body)

    def _operation_response(self, offer: Offer, identifier: str, body: Any) -> Response:
        if identifier and identifier == offer.lag.operation_id and offer.lag.consume("operation"):
            body = offer.lag.old_operation
        if body is None:
            raise OfferError(404, "NotFound", "The operation does not exist.")
        return json_response(200, body, response_headers())

    def _publish(self, request: Request, body: bytes) -> Response:
        offer, metadata = self._offer(request), _json_object(body).get("metadata")
        emails = metadata.get("notification-emails", "") if isinstance(metadata, dict) else ""
        publication = self.submit(offer, "publish", lambda: self.offers.publish(offer, str(emails)))
        return self._accepted(offer, publication, "publish")

    def _golive(self, request: Request, _: bytes) -> Response:
        offer = self._offer(request)
        publication = self.submit(offer, "golive", lambda: self.offers.go_live(offer))
        return self._accepted(offer, publication, "golive")

    def _cancel(self, request: Request, _: bytes) -> Response:
        offer = self._offer(request)
        self.offers.cancel(offer)
        if offer.current is None or self.dispatcher.settings.cancel_code == 200:  # noqa: PLR2004 - HTTP's OK
            return Response(b"", self.dispatcher.settings.cancel_code, response_headers())
        return self._accepted(offer, offer.current, "publish")

    def _accepted(self, offer: Offer, publication: Publication, kind: str) -> Response:
        settings = self.dispatcher.settings
        slot = PRODUCTION if kind == "golive" else PREVIEW
        version = f"api-version={API_VERSIONS[0]}"
        by_id = f"/api/publishers/{offer.publisher_id}/offers/{offer.offer_id}/operations/{self._id(publication, kind)}"
        place = f"${publication.number}${slot}?{version}"
        value = {
            "publisher": f"{by_id}?{version}",
            "dollar": f"/api/operations/{offer.publisher_id}${offer.offer_id}{place}",
            "absolute": f"{self.base}{by_id}",
            "dollar-guid": f"/api/operations/{offer.publisher_id}${offer.guid}{place}",
        }[settings.location_form]
        header = settings.location_header
        names = {"both": ["Location", "Operation-Location"], "none": []}.get(header, [header])
        return Response(b"", 202, response_headers() | dict.fromkeys(names, value))

    base = ""
    """The scheme, host and port of the emulator, set when it starts to listen."""

    pages: str | None = None
    """The address of the pages in Partner Center to which offers link; ``base`` if None."""


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError as error:
        raise OfferError(400, "BadRequest", "The body is not JSON.") from error
    if not isinstance(value, dict):
        raise OfferError(400, "BadRequest", "The body is not an object.")
    return value
