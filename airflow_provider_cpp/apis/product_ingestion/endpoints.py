# SPDX-License-Identifier: Apache-2.0
"""The endpoints of the Product Ingestion API: one function for each, and the only code with its paths, parameters and bodies.

A job's ``resourceUri`` is never used, because it is on another host, and a token must be sent only to its own host.

`Product Ingestion API <https://learn.microsoft.com/azure/marketplace/product-ingestion-api>`_
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.models import (
    Job,
    Product,
    Submission,
    is_conflict_message,
    resources_of,
)
from airflow_provider_cpp.apis.product_ingestion.resources import CONFIGURE, SUBMISSION, to_writable
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.http import Request, Response, parse_json
from airflow_provider_cpp.core.json_fields import as_list, as_object
from airflow_provider_cpp.core.models import OfferRef, validate_identifier
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation, ensure_same_api
from airflow_provider_cpp.core.urls import resolve_same_origin

T = TypeVar("T")

API_VERSION = "2022-07-01"
"""The highest schema version in which the API returns resources."""

DEFAULT_HOST = "https://graph.microsoft.com/rp/product-ingestion"
DEFAULT_SCOPE = "https://graph.microsoft.com/.default"

VERSION = "$version"
_LOCATION = re.compile(r"/configure/([A-Za-z0-9-]{1,100})/status")


Page = tuple[tuple[T, ...], str | None]
"""The items of one page of a list, and the path and query of the next page; None on the last page."""


def list_products() -> Request[Page[Product]]:
    """List the first page of products."""
    return _request("products", "/product", _page(Product.from_json))


def find_product(offer: OfferRef) -> Request[Page[Product]]:
    """List the product of an offer, by its external ID. For an unknown ID, the API returns an empty list."""
    path = f"/product?externalId={quote(offer.offer_id, safe='')}"
    return _request(f"product of offer {offer.offer_id}", path, _page(Product.from_json), offer)


def list_submissions(product: str, offer: OfferRef) -> Request[Page[Submission]]:
    """List the first page of a product's submissions, including the entry for the draft.

    :param product: the product's GUID.
    """
    path = f"/submission/{_segment(product)}"
    return _request(f"submissions of offer {offer}", path, _page(Submission.from_json), offer)


def get_tree(product: str, offer: OfferRef, target: Target = Target.DRAFT) -> Request[tuple[dict[str, Any], ...]]:
    """Read all resources of a product's draft, preview or live version."""
    path = f"/resource-tree/product/{_segment(product)}?targetType={target.value}"
    return _request(
        f"{target.value} of offer {offer}", path, lambda response: resources_of(parse_json(response)), offer
    )


def get_job(operation: Operation) -> Request[Job]:
    """Read the status of an operation's job.

    :raises ConfigurationError: if the operation has no job, because it was found by its submission.
    """
    ensure_same_api(PRODUCT_INGESTION, operation.api, "the operation")
    job = job_id(operation)
    if job is None:
        problem = f"operation {operation.display_id} of offer {operation.offer} has no job of this API"
        raise exceptions.ConfigurationError((problem,), "the operation")
    description = f"job {job} of offer {operation.offer}"
    request = _request(description, f"/configure/{_segment(job)}/status", _job, operation.offer)
    return replace(request, operation=operation.display_id)


def configure(offer: OfferRef, resources: Iterable[dict[str, Any]]) -> Request[Job]:
    """Configure resources of a draft, which starts a job."""
    return _configure_request(f"configure offer {offer}", offer, resources, _job)


def publish_product(offer: OfferRef, product: str, resources: Iterable[dict[str, Any]] = ()) -> Request[str | None]:
    """Publish the draft to preview with these resources; return the job's location."""
    submission = {"$schema": SUBMISSION, "product": f"product/{product}", "target": {"targetType": Target.PREVIEW}}
    return _configure_request(f"publish offer {offer}", offer, [*resources, submission], _job_location)


def go_live_submission(offer: OfferRef, submission: str) -> Request[str | None]:
    """Go live with the submission in preview; return the job's location.

    :param submission: its durable ID; without it, or with the draft's, the API does nothing.
    """
    product = submission.rpartition("/")[0].replace("submission/", "product/")
    resource = {"$schema": SUBMISSION, "id": submission, "product": product, "target": {"targetType": Target.LIVE}}
    return _configure_request(f"go live with offer {offer}", offer, [resource], _job_location)


def cancel_job(operation: Operation) -> Request[Job]:
    """Cancel an operation's job."""
    job = get_job(operation)
    path = f"{job.path.removesuffix('/status')}/cancel"
    return replace(job, description=f"cancel {job.description}", method="POST", path=path, body=b"")


def job_id(operation: Operation) -> str | None:
    """Return the ID of an operation's job; None if only its submission is known.

    :raises ConfigurationError: if its location is not that of a job.
    """
    match = _LOCATION.fullmatch(operation.location or "")
    if match is None and operation.location is not None:
        problem = "its location is not a job of the Product Ingestion API"
        raise exceptions.ConfigurationError((problem,), "the operation")
    return match.group(1) if match else None


def location_of_job(job: Job) -> str:
    """Return the path of a job's status."""
    return f"/configure/{job.id}/status"


def _request(description: str, path: str, read: Callable[[Response], T], offer: OfferRef | None = None) -> Request[T]:
    return Request(description, "GET", path, read, offer=None if offer is None else str(offer), version=VERSION)


def _configure_request(
    description: str, offer: OfferRef, resources: Iterable[dict[str, Any]], read: Callable[[Response], T]
) -> Request[T]:
    content = {"$schema": CONFIGURE, "resources": [to_writable(resource) for resource in resources]}
    body = json.dumps(content, ensure_ascii=False).encode()
    request = _request(description, "/configure", read, offer)
    return replace(request, method="POST", body=body, classify_error=_classify_error)


def _classify_error(text: str) -> type[exceptions.RequestError] | None:
    return exceptions.ConflictError if is_conflict_message(text) else None


def _segment(identifier: str) -> str:
    return quote(validate_identifier("id", identifier), safe="")


def _job(response: Response) -> Job:
    return Job.from_json(parse_json(response))


def _job_location(response: Response) -> str:
    return location_of_job(_job(response))


def _page(read: Callable[[Any], T]) -> Callable[[Response], Page[T]]:
    def read_page(response: Response) -> Page[T]:
        fields = as_object(parse_json(response), "the response")
        if "value" not in fields:
            raise ValueError("the response has no value")
        entries = tuple(read(entry) for entry in as_list(fields["value"], "value"))
        link = fields.get("@nextLink")
        if link in (None, ""):
            return entries, None
        page = resolve_same_origin(link, response.base_url)
        if page is None:  # raise an error: the list would be incomplete
            raise ValueError("the next page is not on this host, and no token is sent elsewhere")
        return entries, page

    return read_page
