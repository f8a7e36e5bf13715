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
from partner_center_emulator.dispatch import answer
from partner_center_emulator.errors import InvalidTokenError
from partner_center_emulator.identity import GRAPH
from partner_center_emulator.offer import Offer
from partner_center_emulator.product_ingestion.configure import ConfigureJobs
from partner_center_emulator.product_ingestion.errors import ApiError
from partner_center_emulator.product_ingestion.identifiers import BASE, DRAFT, LIVE, PREVIEW, product_id, schema
from partner_center_emulator.product_ingestion.jobs import Job, JobViews, State, detail
from partner_center_emulator.product_ingestion.pagination import page_of
from partner_center_emulator.product_ingestion.reference_resolver import Products
from partner_center_emulator.product_ingestion.request_body import resources_of, target_of
from partner_center_emulator.product_ingestion.requests import ApiRequest
from partner_center_emulator.product_ingestion.resources import Draft, shown, with_nulls
from partner_center_emulator.product_ingestion.submissions import Submissions

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
ORDERS = {DRAFT: "configure_draft", PREVIEW: "configure_publish", LIVE: "configure_golive"}
NOT_FOUND = "Resource not found."


class ProductIngestionAPI:
    """Answers the Product Ingestion API's calls, from the portal's offers.

    :param portal: the portal beside which it stands.
    """

    def __init__(self, portal: CloudPartnerPortalAPI) -> None:
        self.portal = portal
        self.settings = portal.service.settings
        self.products = Products(portal.offers, next(iter(portal.publishers)))
        self.submissions = Submissions(portal.offers, portal.views)
        self.configure = ConfigureJobs(portal, self.submissions, self.products)
        self.jobs = JobViews(portal.views, self.settings)
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
        self._shuffle = random.Random(1)  # noqa: S311 - an order that nobody should rely on, the same in each run

    elsewhere = ""
    """Scheme, host and port of another name of the emulator, which a client has no business to call."""

    def routes(self) -> list[Route]:
        """Return the API's route, and those that nobody should call."""
        serve = self.portal.service.endpoint
        return [
            Route(BASE + "/{rest:path}", serve(self._sort, self._answer), methods=METHODS),
            Route("/configure/{job}", serve("other_host", self._not_here), methods=METHODS),
            Route("/other-host/{rest:path}", serve("other_host", self._not_here), methods=METHODS),
        ]

    def _sort(self, request: Request, body: bytes) -> tuple[str, str | None]:
        """Say which call it is and for which offer, before anything is checked."""
        call = ApiRequest.of(request, body)
        name, offer = call.name, None
        if "job" in call.names:
            job = self.configure.peek(call.names["job"])
            offer = job.offer if job is not None else None
        elif "product" in call.names:
            offer = self.products.by_guid(call.names["product"])
        elif call.name == "configure":
            resources = resources_of(body)
            name, offer = ORDERS[target_of(resources)], self.products.named_in(resources)
        elif call.name == "products":
            offer = self.products.by_external_id(call.query.get("externalid", ""))
        elif call.name == "plans":
            offer = self.products.by_guid(call.query.get("product", "").rpartition("/")[2])
        return name, offer.offer_id if offer is not None else None

    def _answer(self, request: Request, body: bytes) -> Response:
        call = ApiRequest.of(request, body)
        try:
            self.portal.identity.verify(request.headers.get("authorization"), GRAPH)
            call.check_version(required=self.settings.schema_version == "required")
            status, found = self._handlers[call.name](call)
            return answer(status, found, headers())
        except InvalidTokenError:
            return self._refused(401, _unauthorized())
        except ApiError as refusal:
            return self._refused(refusal.status, refusal.body)

    def _refused(self, status: int, body: dict[str, Any]) -> Response:
        if self.settings.error_body == "json":
            return answer(status, body, headers())
        said = body["error"]
        page = f"<html><body><h1>{status} {said['code']}</h1><p>{said['message']}</p></body></html>"
        content = b"" if self.settings.error_body == "empty" else page.encode()
        return Response(content, status, headers(), media_type="text/html" if content else None)

    def _not_here(self, _: Request, __: bytes) -> Response:
        return self._refused(401, _unauthorized())

    def _unknown(self, _: ApiRequest) -> tuple[int, Any]:
        raise ApiError(404, NOT_FOUND)

    def _method(self, _: ApiRequest) -> tuple[int, Any]:
        raise ApiError(405, "The method is not allowed.")

    def _products(self, call: ApiRequest) -> tuple[int, Any]:
        external_id, kind = call.query.get("externalid"), call.query.get("type")
        offers = self.portal.offers.all()
        if external_id is not None:
            offers = [offer for offer in offers if offer.offer_id.lower() == external_id.lower()]
        found = [self._draft(offer).product() for offer in offers]
        if kind is not None:
            found = [one for one in found if str(one["type"]).lower() == kind.lower()]
        other = self.settings.next_link == "other-host"
        address = f"{self.elsewhere}/other-host/product" if other else f"{self.portal.base}{BASE}/product"
        return 200, page_of([self._shown(one, call) for one in found], call, self.settings.page_size, address)

    def _resource(self, call: ApiRequest) -> tuple[int, Any]:
        found = self._draft(self._offer(call)).find(call.path)
        if found is None:
            raise ApiError(404, NOT_FOUND)
        return 200, self._shown(found, call)

    def _plans(self, call: ApiRequest) -> tuple[int, Any]:
        wanted = call.query.get("product")
        if wanted is None:
            raise ApiError(400, "The query parameter 'product' is required.")
        offer = self.products.by_guid(wanted.rpartition("/")[2])
        if offer is None or not wanted.lower().startswith("product/"):
            raise ApiError(404, NOT_FOUND)
        plans = [one for one in self._draft(offer).resources() if one["id"].startswith("plan/")]
        external_id = call.query.get("externalid")
        if external_id is not None:
            plans = [one for one in plans if one["identity"]["externalId"].lower() == external_id.lower()]
        return 200, {"value": [self._shown(one, call) for one in plans]}

    def _resource_tree(self, call: ApiRequest) -> tuple[int, Any]:
        offer, target = self._offer(call), call.target(DRAFT)
        if target == DRAFT:
            draft, submission = self._draft(offer), self.submissions.entries(offer)[0]
        else:
            publication = self.configure.published(offer, only_live=target == LIVE)
            if publication is None:
                raise ApiError(404, NOT_FOUND)
            draft = Draft(offer, publication.document, publication.resources)
            submission = self.submissions.arrived(offer, str(target), publication)
        resources = self._ordered([*(self._shown(one, call) for one in draft.resources()), submission])
        kind = schema("resource-tree", call.version)
        return 200, {
            "$schema": kind,
            "root": product_id(offer),
            "target": {"targetType": target},
            "resources": resources,
        }

    def _submission_list(self, call: ApiRequest) -> tuple[int, Any]:
        offer, target = self._offer(call), call.target(None)
        entries = self.submissions.entries(offer)
        if offer.lag.old_submissions is not None and offer.lag.takes("list"):
            entries = offer.lag.old_submissions
        found = [one for one in entries if target in (None, one["target"]["targetType"])]
        return 200, {"value": self._ordered(found)}

    def _submission(self, call: ApiRequest) -> tuple[int, Any]:
        for entry in reversed(self.submissions.entries(self._offer(call))):
            if entry["id"].rpartition("/")[2] == call.names["submission"]:
                return 200, entry
        raise ApiError(404, NOT_FOUND)

    def _configure(self, call: ApiRequest) -> tuple[int, Any]:
        job = self.configure.order(call.body)
        return self.settings.configure_code, self._job(job, State(self.settings.first_job_status))

    def _configure_status(self, call: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(call.names["job"])
        if job.lag is not None and job.lag.takes("operation"):
            if self.settings.lag_operation_as == "missing":
                raise ApiError(404, NOT_FOUND)
            return 200, self._job(job, State("notStarted"))
        return 200, self._job(job, self.configure.state(job))

    def _configure_detail(self, call: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(call.names["job"])
        state = self.configure.state(job)
        if state.status != "completed":
            raise ApiError(400, "The job has not completed yet.")
        return 200, detail(job, state)

    def _configure_cancel(self, call: ApiRequest) -> tuple[int, Any]:
        job = self.configure.find(call.names["job"])
        self.configure.cancel(job)
        return 200, self._job(job, self.configure.state(job))

    def _job(self, job: Job, state: State) -> dict[str, Any]:
        return self.jobs.status(job, state, self.elsewhere)

    def _offer(self, call: ApiRequest) -> Offer:
        offer = self.products.by_guid(call.names["product"])
        if offer is None:
            raise ApiError(404, NOT_FOUND)
        return offer

    def _draft(self, offer: Offer) -> Draft:
        return Draft(offer, offer.document, offer.resources)

    def _shown(self, resource: dict[str, Any], call: ApiRequest) -> dict[str, Any]:
        found = with_nulls(resource) if self.settings.null_values == "given" else resource
        return shown(found, call.version, retired=self.settings.retired_schema == "given")

    def _ordered(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.settings.resource_order == "shuffled":
            return self._shuffle.sample(entries, len(entries))
        return sorted(entries, key=lambda one: str(one["id"]))


def headers() -> dict[str, str]:
    """Return what is on every answer: the id of the request, new each time, among it."""
    identifier = str(uuid.uuid4())
    return {"Cache-Control": "no-cache", "request-id": identifier, "client-request-id": identifier}


def _unauthorized() -> dict[str, Any]:
    said = "Access token is missing, has expired, or is for another audience."
    inner = {"request-id": str(uuid.uuid4())}
    return {"error": {"code": "InvalidAuthenticationToken", "message": said, "innerError": inner}}
