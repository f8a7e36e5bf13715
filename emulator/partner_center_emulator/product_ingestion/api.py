# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the Product Ingestion API."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from partner_center_emulator.cloud_partner_portal import CloudPartnerPortalAPI
from partner_center_emulator.dispatch import json_response
from partner_center_emulator.errors import InvalidTokenError
from partner_center_emulator.identity import GRAPH
from partner_center_emulator.offer import Offer
from partner_center_emulator.product_ingestion.configure import ConfigureJobs
from partner_center_emulator.product_ingestion.errors import ApiError
from partner_center_emulator.product_ingestion.identifiers import BASE, DRAFT, LIVE, PREVIEW, product_id, schema
from partner_center_emulator.product_ingestion.jobs import Job, JobSerializer, JobState, detail
from partner_center_emulator.product_ingestion.pagination import page_of
from partner_center_emulator.product_ingestion.reference_resolver import Products
from partner_center_emulator.product_ingestion.request_body import resources_of, target_of
from partner_center_emulator.product_ingestion.requests import ApiRequest
from partner_center_emulator.product_ingestion.resources import Draft, with_nulls, with_version
from partner_center_emulator.product_ingestion.submissions import Submissions

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CONFIGURE_ROUTES = {DRAFT: "configure_draft", PREVIEW: "configure_publish", LIVE: "configure_golive"}
NOT_FOUND = "Resource not found."


class ProductIngestionAPI:
    """The emulated Product Ingestion API.

    :param cpp_api: the CPP API, which has the offers.
    """

    def __init__(self, cpp_api: CloudPartnerPortalAPI) -> None:
        self.cpp_api = cpp_api
        self.settings = cpp_api.dispatcher.settings
        self.products = Products(cpp_api.offers, next(iter(cpp_api.publishers)))
        self.submissions = Submissions(cpp_api.offers, cpp_api.serializers)
        self.configure = ConfigureJobs(cpp_api, self.submissions, self.products)
        self.jobs = JobSerializer(cpp_api.serializers, self.settings)
        self._handlers: dict[str, Callable[[ApiRequest], tuple[int, Any]]] = {
            "unknown": self._unknown,
            "method": self._method,
            "products": self._products,
            "product": self._resource,
            "plans": self._plans,
            "resource": self._resource,
            "resource_tree": self._resource_tree,
            "technical_configuration": self._resource,
            "submission_list": self._submission_list,
            "submission": self._submission,
            "configure": self._configure,
            "configure_status": self._configure_status,
            "configure_detail": self._configure_detail,
            "configure_cancel": self._configure_cancel,
        }
        self._shuffle = random.Random(1)  # noqa: S311 - an arbitrary order, the same in each run

    other_host = ""
    """Another address of the emulator, as scheme, host and port; clients must not send requests to it."""

    def routes(self) -> list[Route]:
        """Return the routes of the API and of the other host."""
        serve = self.cpp_api.dispatcher.endpoint
        return [
            Route(BASE + "/{rest:path}", serve(self._classify, self._respond), methods=METHODS),
            Route("/configure/{job}", serve("other_host", self._respond_on_other_host), methods=METHODS),
            Route("/other-host/{rest:path}", serve("other_host", self._respond_on_other_host), methods=METHODS),
        ]

    def _classify(self, request: Request, body: bytes) -> tuple[str, str | None]:
        """Return a request's route and offer, before the request is validated."""
        api_request = ApiRequest.of(request, body)
        name, offer = api_request.name, None
        if "job" in api_request.names:
            job = self.configure.peek(api_request.names["job"])
            offer = job.offer if job is not None else None
        elif "product" in api_request.names:
            offer = self.products.by_guid(api_request.names["product"])
        elif api_request.name == "configure":
            resources = resources_of(body)
            name, offer = CONFIGURE_ROUTES[target_of(resources)], self.products.named_in(resources)
        elif api_request.name == "products":
            offer = self.products.by_external_id(api_request.query.get("externalid", ""))
        elif api_request.name == "plans":
            offer = self.products.by_guid(api_request.query.get("product", "").rpartition("/")[2])
        return name, offer.offer_id if offer is not None else None

    def _respond(self, request: Request, body: bytes) -> Response:
        api_request = ApiRequest.of(request, body)
        try:
            self.cpp_api.identity.verify(request.headers.get("authorization"), GRAPH)
            api_request.check_version(required=self.settings.schema_version == "required")
            status, content = self._handlers[api_request.name](api_request)
            return json_response(status, content, headers())
        except InvalidTokenError:
            return self._error_response(401, _unauthorized())
        except ApiError as error:
            return self._error_response(error.status, error.body)

    def _error_response(self, status: int, body: dict[str, Any]) -> Response:
        if self.settings.error_body == "json":
            return json_response(status, body, headers())
        error = body["error"]
        page = f"<html><body><h1>{status} {error['code']}</h1><p>{error['message']}</p></body></html>"
        content = b"" if self.settings.error_body == "empty" else page.encode()
        return Response(content, status, headers(), media_type="text/html" if content else None)

    def _respond_on_other_host(self, _: Request, __: bytes) -> Response:
        return self._error_response(401, _unauthorized())

    def _unknown(self, _: ApiRequest) -> tuple[int, Any]:
        raise ApiError(404, NOT_FOUND)

    def _method(self, _: ApiRequest) -> tuple[int, Any]:
        raise ApiError(405, "The method is not allowed.")

    def _products(self, request: ApiRequest) -> tuple[int, Any]:
        external_id, kind = request.query.get("externalid"), request.query.get("type")
        offers = self.cpp_api.offers.all()
        if external_id is not None:
            offers = [offer for offer in offers if offer.offer_id.lower() == external_id.lower()]
        products = [self._draft(offer).product() for offer in offers]
        if kind is not None:
            products = [one for one in products if str(one["type"]).lower() == kind.lower()]
        other = self.settings.next_link == "other-host"
        address = f"{self.other_host}/other-host/product" if other else f"{self.cpp_api.base}{BASE}/product"
        return 200, page_of(
            [self._serialize(one, request) for one in products], request, self.settings.page_size, address
        )

    def _resource(self, request: ApiRequest) -> tuple[int, Any]:
        resource = self._draft(self._offer(request)).find(request.path)
        if resource is None:
            raise ApiError(404, NOT_FOUND)
        return 200, self._serialize(resource, request)

    def _plans(self, request: ApiRequest) -> tuple[int, Any]:
        product = request.query.get("product")
        if product is None:
            raise ApiError(400, "The query parameter 'product' is required.")
        offer = self.products.by_guid(product.rpartition("/")[2])
        if offer is None or not product.lower().startswith("product/"):
            raise ApiError(404, NOT_FOUND)
        plans = [one for one in self._draft(offer).resources() if one["id"].startswith("plan/")]
        external_id = request.query.get("externalid")
        if external_id is not None:
            plans = [one for one in plans if one["identity"]["externalId"].lower() == external_id.lower()]
        return 200, {"value": [self._serialize(one, request) for one in plans]}

    def _resource_tree(self, request: ApiRequest) -> tuple[int, Any]:
        offer, target = self._offer(request), request.target(DRAFT)
        if target == DRAFT:
            draft, submission = self._draft(offer), self.submissions.entries(offer)[0]
        else:
            publication = self.configure.published(offer, only_live=target == LIVE)
            if publication is None:
                raise ApiError(404, NOT_FOUND)
            draft = Draft(offer, publication.document, publication.resources)
            submission = self.submissions.arrived(offer, str(target), publication)
        resources = self._in_list_order([*(self._serialize(one, request) for one in draft.resources()), submission])
        kind = schema("resource-tree", request.version)
        return 200, {
            "$schema": kind,
            "root": product_id(offer),
            "target": {"targetType": target},
            "resources": resources,
        }

    def _submission_list(self, request: ApiRequest) -> tuple[int, Any]:
        offer, target = self._offer(request), request.target(None)
        entries = self.submissions.entries(offer)
        if offer.lag.old_submissions is not None and offer.lag.consume("list"):
            entries = offer.lag.old_submissions
        entries = [one for one in entries if target in (None, one["target"]["targetType"])]
        return 200, {"value": self._in_list_order(entries)}

    def _submission(self, request: ApiRequest) -> tuple[int, Any]:
        for entry in reversed(self.submissions.entries(self._offer(request))):
            if entry["id"].rpartition("/")[2] == request.names["submission"]:
                return 200, entry
        raise ApiError(404, NOT_FOUND)

    def _configure(self, request: ApiRequest) -> tuple[int, Any]:
        job = self.configure.submit(request.body)
        return self.settings.configure_code, self._job(job, JobState(self.settings.first_job_status))

    def _configure_status(self, request: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(request.names["job"])
        if job.lag is not None and job.lag.consume("operation"):
            if self.settings.lag_operation_as == "missing":
                raise ApiError(404, NOT_FOUND)
            return 200, self._job(job, JobState("notStarted"))
        return 200, self._job(job, self.configure.state(job))

    def _configure_detail(self, request: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(request.names["job"])
        state = self.configure.state(job)
        if state.status != "completed":
            raise ApiError(400, "The job has not completed yet.")
        return 200, detail(job, state)

    def _configure_cancel(self, request: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(request.names["job"])
        self.configure.cancel(job)
        return 200, self._job(job, self.configure.state(job))

    def _job(self, job: Job, state: JobState) -> dict[str, Any]:
        return self.jobs.status(job, state, self.other_host)

    def _offer(self, request: ApiRequest) -> Offer:
        offer = self.products.by_guid(request.names["product"])
        if offer is None:
            raise ApiError(404, NOT_FOUND)
        return offer

    def _draft(self, offer: Offer) -> Draft:
        return Draft(offer, offer.document, offer.resources)

    def _serialize(self, resource: dict[str, Any], request: ApiRequest) -> dict[str, Any]:
        content = with_nulls(resource) if self.settings.null_values == "given" else resource
        return with_version(content, request.version, retired=self.settings.retired_schema == "given")

    def _in_list_order(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.settings.resource_order == "shuffled":
            return self._shuffle.sample(entries, len(entries))
        return sorted(entries, key=lambda one: str(one["id"]))


def headers() -> dict[str, str]:
    """Return the headers of every response, with a new request ID."""
    identifier = str(uuid.uuid4())
    return {"Cache-Control": "no-cache", "request-id": identifier, "client-request-id": identifier}


def _unauthorized() -> dict[str, Any]:
    message = "Access token is missing, has expired, or is for another audience."
    inner = {"request-id": str(uuid.uuid4())}
    return {"error": {"code": "InvalidAuthenticationToken", "message": message, "innerError": inner}}
