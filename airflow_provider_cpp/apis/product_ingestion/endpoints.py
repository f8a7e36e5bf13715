# SPDX-License-Identifier: Apache-2.0
"""One builder per endpoint of the Product Ingestion API.

What is this API's own (paths, parameters, bodies) stands here and nowhere else. A job is never asked for at its
``resourceUri``, which is on another host: a token goes to the host that it is for, and to no other.

`Product Ingestion API <https://learn.microsoft.com/azure/marketplace/product-ingestion-api>`_
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.models import (
    Job,
    Product,
    Submission,
    is_conflict_message,
    resources_of,
)
from airflow_provider_cpp.apis.product_ingestion.schemas import CONFIGURE, SUBMISSION, to_writable
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.json_fields import as_list, as_object
from airflow_provider_cpp.core.models import OfferRef, validate_identifier
from airflow_provider_cpp.core.operations import OPERATION_FORMATS, PRODUCT_INGESTION, Operation, ensure_same_api
from airflow_provider_cpp.core.urls import is_safe_api_path

T = TypeVar("T")

API_VERSION = "2022-07-01"
"""The highest version of a schema in which resources are wanted."""

DEFAULT_HOST = "https://graph.microsoft.com/rp/product-ingestion"
DEFAULT_SCOPE = "https://graph.microsoft.com/.default"

VERSION = "$version"
_LOCATION = re.compile(r"/configure/([A-Za-z0-9-]{1,100})/status")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    :param entries: what is on it.
    :param next: path and query of the next one; None on the last.
    """

    items: tuple[T, ...]
    next: str | None = None


def list_products(external_id: str | None = None, page: str | None = None) -> Request[Page[Product]]:
    """Ask for products: all, or the one that has an external id. An unknown one is an empty list, not a 404.

    :param page: the page to ask for, as the page before named it.
    """
    words = "products" if external_id is None else f"product of offer {external_id}"
    query = "" if external_id is None else f"?externalId={quote(validate_identifier('offer_id', external_id), safe='')}"
    return _request(words, _page_query(page) or f"/product{query}", _page(Product.from_json))


def list_submissions(product: str, offer: OfferRef, page: str | None = None) -> Request[Page[Submission]]:
    """Ask for the submissions of a product, the draft's entry among them.

    :param product: its bare id.
    :param page: the page to ask for, as the page before named it.
    """
    path = _page_query(page) or f"/submission/{_segment(product)}"
    return _request(f"submissions of offer {offer}", path, _page(Submission.from_json), offer)


def get_tree(product: str, offer: OfferRef, target: Target = Target.DRAFT) -> Request[tuple[dict[str, Any], ...]]:
    """Ask for a product whole: its draft, its preview, or what is live."""
    path = f"/resource-tree/product/{_segment(product)}?targetType={target.value}"
    return _request(f"{target.value} of offer {offer}", path, lambda response: resources_of(_parse(response)), offer)


def get_job(operation: Operation) -> Request[Job]:
    """Ask where a job stands.

    :raises ConfigurationError: if the operation has none: it was found by its submission alone.
    """
    ensure_same_api(PRODUCT_INGESTION, operation.api, "the operation")
    job = job_id(operation)
    if job is None:
        problem = f"operation {operation.display_id} of offer {operation.offer} names no job of this API"
        raise exceptions.ConfigurationError((problem,), "the operation")
    words = f"job {job} of offer {operation.offer}"
    return _request(words, f"/configure/{_segment(job)}/status", _job, operation.offer, operation.display_id)


def configure(offer: OfferRef, resources: Iterable[dict[str, Any]]) -> Request[Job]:
    """Order that a draft becomes what these resources say, which is a job."""
    return _configure_request(f"configure offer {offer}", offer, resources, _job)


def publish_product(offer: OfferRef, product: str, resources: Iterable[dict[str, Any]] = ()) -> Request[str | None]:
    """Order that the draft is published to preview, these resources with it; the result is the job's location."""
    submission = {"$schema": SUBMISSION, "product": f"product/{product}", "target": _target(Target.PREVIEW)}
    return _configure_request(f"publish offer {offer}", offer, [*resources, submission], _job_location)


def go_live_submission(offer: OfferRef, product: str, submission: str) -> Request[str | None]:
    """Order that the submission that is in preview goes live; the result is the job's location.

    :param submission: its durable id: without one, or with the draft's, this API does nothing.
    """
    resource = {
        "$schema": SUBMISSION,
        "id": submission,
        "product": f"product/{product}",
        "target": _target(Target.LIVE),
    }
    return _configure_request(f"go live with offer {offer}", offer, [resource], _job_location)


def cancel_job(operation: Operation) -> Request[Job]:
    """Order that a job is canceled."""
    path = get_job(operation).path.removesuffix("/status")
    return Request(
        f"cancel job {job_id(operation)} of offer {operation.offer}",
        "POST",
        f"{path}/cancel",
        _job,
        b"",
        offer=str(operation.offer),
        operation=operation.display_id,
        version=VERSION,
    )


def job_id(operation: Operation) -> str | None:
    """Return the id of an operation's job; None if it is known by its submission alone."""
    found = _LOCATION.fullmatch(operation.location or "")
    return found.group(1) if found else None


def location_of_job(job: Job) -> str:
    """Return the path under which a job reports."""
    return f"{OPERATION_FORMATS[PRODUCT_INGESTION].below}{job.id}/status"


def _request(
    words: str, path: str, read: Callable[[Response], T], offer: OfferRef | None = None, operation: str | None = None
) -> Request[T]:
    about = None if offer is None else str(offer)
    return Request(words, "GET", path, read, offer=about, operation=operation, version=VERSION)


def _configure_request(
    words: str, offer: OfferRef, resources: Iterable[dict[str, Any]], read: Callable[[Response], T]
) -> Request[T]:
    content = {"$schema": CONFIGURE, "resources": [to_writable(resource) for resource in resources]}
    body = json.dumps(content, ensure_ascii=False).encode()
    return Request(
        words, "POST", "/configure", read, body, offer=str(offer), version=VERSION, classify_error=_classify_error
    )


def _classify_error(text: str) -> type[exceptions.RequestError] | None:
    return exceptions.ConflictError if is_conflict_message(text) else None


def _target(target: Target) -> dict[str, str]:
    return {"targetType": target.value}


def _page_query(page: str | None) -> str | None:
    """Return path and query of a page, which stay below the API's address whoever reads them."""
    if page is not None and not is_safe_api_path(page, "/"):
        raise exceptions.ConfigurationError(("it is not a path of the API",), "the page")
    return page


def _segment(identifier: str) -> str:
    return quote(validate_identifier("id", identifier), safe="")


def _parse(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError as error:
        raise ValueError("the answer is not JSON") from error


def _job(response: Response) -> Job:
    return Job.from_json(_parse(response))


def _job_location(response: Response) -> str:
    return location_of_job(_job(response))


def _page(read: Callable[[Any], T]) -> Callable[[Response], Page[T]]:
    def read_page(response: Response) -> Page[T]:
        fields = as_object(_parse(response), "the answer")
        if "value" not in fields:
            msg = "the answer has no value"
            raise ValueError(msg)
        entries = tuple(read(entry) for entry in as_list(fields["value"], "value"))
        link = fields.get("@nextLink")
        return Page(entries, None if link in (None, "") else _resolve_page_link(link, response.origin))

    return read_page


def _resolve_page_link(link: Any, base: str) -> str:
    """Return path and query of a further page below the API's own address.

    :raises ValueError: if it is on another host, where a token must not go; to leave the rest away unsaid would be
        to say that it does not exist.
    """
    try:
        target, home = urlsplit(urljoin(f"{base}/", str(link))), urlsplit(base)
        same = isinstance(link, str) and (target.scheme, target.hostname, target.port or 443) == (
            home.scheme,
            home.hostname,
            home.port or 443,
        )
    except ValueError:
        same = False
    else:
        path = target.path.removeprefix(home.path)
        page = f"{path}?{target.query}" if target.query else path
        same = (
            same and target.username is None and target.path.startswith(f"{home.path}/") and is_safe_api_path(page, "/")
        )
    if not same:
        msg = "the next page is not on this host, and no token goes elsewhere"
        raise ValueError(msg)
    return page
