# SPDX-License-Identifier: Apache-2.0
"""The requests of the Product Ingestion API and how their responses are parsed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import GUID, JOB, FakeAPI, job, make_response, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.resources import RETIRED, schema_type, to_writable
from airflow_provider_cpp.apis.product_ingestion.submissions import (
    MAX_PAGES,
    find_product,
    list_all_pages,
    published_submissions,
)
from airflow_provider_cpp.core.effects import send
from airflow_provider_cpp.core.http import decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation

OLD = "https://product-ingestion.azureedge.net/schema/property/2022-03-01-preview3"
NEW = "https://schema.mp.microsoft.com/schema/property/2022-03-01-preview3"


def test_every_request_has_the_api_version(operation: Operation, offer: OfferRef) -> None:
    """Each request has `$version` exactly once, and none has the CPP API's parameter."""
    for request, target in [
        (endpoints.find_product(OfferRef(None, "a_b")), "/product?externalId=a_b&%24version=2022-07-01"),
        (endpoints.list_products(), "/product?%24version=2022-07-01"),
        (
            replace(endpoints.list_products(), path="/product?$version=1&continuationToken=x"),
            "/product?$version=1&continuationToken=x",
        ),
        (endpoints.get_job(operation), f"/configure/{JOB}/status?%24version=2022-07-01"),
        (endpoints.cancel_job(operation), f"/configure/{JOB}/cancel?%24version=2022-07-01"),
        (endpoints.get_tree(GUID, offer), f"/resource-tree/product/{GUID}?targetType=draft&%24version=2022-07-01"),
        (endpoints.list_submissions(GUID, offer), f"/submission/{GUID}?%24version=2022-07-01"),
    ]:
        assert request.url_path(endpoints.API_VERSION) == target


def test_submit_bodies_match_the_samples(offer: OfferRef) -> None:
    """The body of a publish has no submission; that of a go-live has the one in preview."""
    bodies = [
        json.loads(request.body or b"")
        for request in (
            endpoints.publish_product(offer, GUID),
            endpoints.go_live_submission(offer, f"submission/{GUID}/1152921515689848683"),
        )
    ]
    assert bodies == [sample("request-publish-preview"), sample("request-publish-live")]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_accepted_job(offer: OfferRef, status: int) -> None:
    """For every success status the job's id becomes its path, and its resourceUri is ignored."""
    request = endpoints.publish_product(offer, GUID)
    assert decode_response(request, make_response(job(), status)) == f"/configure/{JOB}/status"


@pytest.mark.parametrize(
    ("body", "status", "kind", "expected"),
    [
        (
            sample("error-400-schema-validation"),
            400,
            exceptions.BadRequestError,
            'Required properties ["sources"] were not present',
        ),
        (
            sample("error-400-job-not-finished"),
            400,
            exceptions.BadRequestError,
            "badRequest: The job has not completed yet.",
        ),
        (sample("error-401"), 401, exceptions.UnauthorizedError, "InvalidAuthenticationToken"),
        (sample("error-403"), 403, exceptions.PermissionDeniedError, "not authorized for this account"),
        (sample("error-404"), 404, exceptions.NotFoundError, "Resource not found."),
        (sample("error-423-locked"), 423, exceptions.LockedError, "The product is being edited by another user."),
        (sample("error-429"), 429, exceptions.RateLimitError, "Too many requests."),
        (sample("error-503"), 503, exceptions.ServerError, "Service unavailable."),
        (b"", 502, exceptions.ServerError, "HTTP 502"),
        (b"", 202, exceptions.InvalidResponseError, "the response is not JSON"),
        ({"jobStatus": "running"}, 202, exceptions.InvalidResponseError, "a job has no id"),
        (
            {
                "error": {
                    "code": "badRequest",
                    "message": "Invalid",
                    "details": [{"code": "conflict", "message": "An In Progress submission already exists"}],
                }
            },
            400,
            exceptions.ConflictError,
            "An In Progress submission",
        ),
        (
            {"error": {"code": "badRequest", "message": "cannot be pushed to live as its not the latest"}},
            400,
            exceptions.ConflictError,
            "not the latest",
        ),
    ],
)
def test_error_bodies(offer: OfferRef, body: Any, status: int, kind: type, expected: str) -> None:
    """Each sample error becomes the right exception with its code, text and request id."""
    headers = {"request-id": "00000000-1111"}
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.publish_product(offer, GUID), make_response(body, status, headers))
    assert type(caught.value) is kind
    assert caught.value.request_id == "00000000-1111"
    assert expected in str(caught.value)


HOST = "https://graph.microsoft.com"
BASE = "/rp/product-ingestion"


@pytest.mark.parametrize(
    ("link", "page"),
    [
        (sample("product-list-page")["@nextLink"], "/product?$version=2022-03-01-preview3&continuationToken=abc"),
        (f"{HOST}:443{BASE}/product?a=1", "/product?a=1"),
        (f"{BASE}/product?a=%2B%3D", "/product?a=%2B%3D"),
        (None, None),
        ("", None),
    ],
)
def test_the_next_page(link: Any, page: str | None) -> None:
    """A next page below the API's base path keeps its path and query."""
    result = decode_response(endpoints.list_products(), make_response({"value": [], "@nextLink": link}))
    assert result == ((), page)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/rp/product-ingestion/product",
        "http://graph.microsoft.com/rp/product-ingestion/product",
        "https://graph.microsoft.com:8443/rp/product-ingestion/product",
        "https://user@graph.microsoft.com/rp/product-ingestion/product",
        "https://graph.microsoft.com/v1.0/users",
        "https://graph.microsoft.com/rp/product-ingestionx/product",
        "https://graph.microsoft.com/rp/product-ingestion/../../v1.0/users",
        "https://graph.microsoft.com/rp/product-ingestion/%2e%2e/x",
        "https://product-ingestion.mp.microsoft.com/configure/1",
        "//evil.example/rp/product-ingestion/product",
        f"{HOST}{BASE}//product",
        "https://[evil",
        "https://graph.microsoft.com:x/rp/product-ingestion/product",
        7,
        {},
    ],
)
def test_a_next_page_elsewhere_is_an_error(link: Any) -> None:
    """A next page on another host or outside the API is an error, so no token goes there and no item is lost."""
    with pytest.raises(exceptions.InvalidResponseError, match="the next page is not on this host"):
        decode_response(endpoints.list_products(), make_response({"value": [], "@nextLink": link}))


@pytest.mark.parametrize(
    ("body", "expected"), [({}, "no value"), ({"value": {}}, "value is an object"), ([], "a list")]
)
def test_an_invalid_list_is_an_error(body: Any, expected: str) -> None:
    """An object in place of a list is an error, not an empty list."""
    with pytest.raises(exceptions.InvalidResponseError, match=expected):
        decode_response(endpoints.list_products(), make_response(body))


def test_pages_are_read_to_the_last(player: Player) -> None:
    """A list of three pages is read whole, each page once."""
    pages: list[Any] = [
        {"value": [{"id": f"product/{number}"}], "@nextLink": f"{BASE}/product?page={number + 1}"}
        for number in range(2)
    ]
    pages.append({"value": [{"id": "product/2"}]})
    player.respond = lambda _: make_response(pages.pop(0))
    result = player.run(list_all_pages(endpoints.list_products(), send))
    assert [product.guid for product in result] == ["0", "1", "2"]
    assert player.sent == ["GET /product", "GET /product?page=1", "GET /product?page=2"]


def test_pages_in_a_circle_are_an_error(player: Player) -> None:
    """Pages that link back to an earlier page are an error."""
    player.respond = lambda _: make_response({"value": [], "@nextLink": f"{BASE}/product?page=1"})
    with pytest.raises(exceptions.InvalidResponseError, match="its pages never end"):
        player.run(list_all_pages(endpoints.list_products(), send))


def test_pages_without_an_end_are_an_error(player: Player) -> None:
    """A list whose pages are all new is read up to a bound."""
    player.respond = lambda _: make_response(
        {"value": [], "@nextLink": f"{BASE}/product?page={min(len(player.sent), MAX_PAGES + 9)}"}
    )
    with pytest.raises(exceptions.InvalidResponseError, match="its pages never end"):
        player.run(list_all_pages(endpoints.list_products(), send))
    assert len(player.sent) == MAX_PAGES + 1


def test_a_product_is_found_by_its_external_id(player: Player, offer: OfferRef) -> None:
    """The external id is matched without regard to case, and other products in the list are ignored."""
    api = FakeAPI()
    api.products.append({"id": "product/other", "identity": {"externalId": "other"}})
    player.respond = api
    assert player.run(find_product(offer)) == GUID


def test_an_unknown_product_is_not_found(player: Player, offer: OfferRef) -> None:
    """An empty list of products is a NotFoundError that names the offer."""
    player.respond = lambda _: sample("product-by-external-id-empty")
    with pytest.raises(
        exceptions.NotFoundError, match=r"product of offer contoso-vm: the token's account has no product"
    ) as caught:
        player.run(find_product(offer))
    assert caught.value.offer == "contoso-vm"


def test_two_products_with_one_external_id_are_an_error(player: Player, offer: OfferRef) -> None:
    """Two products with the same external id are an error."""
    api = FakeAPI()
    api.products.append({"id": "product/other", "identity": {"externalId": "contoso-vm"}})
    player.respond = api
    with pytest.raises(exceptions.InvalidResponseError, match="2 products have this external id"):
        player.run(find_product(offer))


def test_submissions_are_sorted_by_creation_time(player: Player, offer: OfferRef) -> None:
    """Submissions are sorted by creation time, newest first; those without a time come last."""
    timeless = submission(9, "preview") | {"created": None}
    player.respond = FakeAPI([submission(2, "live"), timeless, submission(5, "preview"), submission(1, "live")])
    submissions = player.run(published_submissions(offer, known=f"submission/{GUID}/9"))
    assert [entry.id.rpartition("/")[2] for entry in submissions] == ["5", "2", "1", "9"]


@pytest.mark.parametrize("where", ["operation_id", "none"])
def test_an_operation_without_a_job_has_no_job_request(offer: OfferRef, start: datetime, where: str) -> None:
    """An operation that is known only by its submission has no job to request."""
    operation = Operation(offer, "publish", start, f"submission/{GUID}/7", None, PRODUCT_INGESTION)
    with pytest.raises(exceptions.ConfigurationError, match="has no job of this API"):
        endpoints.get_job(operation)


@pytest.mark.parametrize(
    "location", [f"/configure/{JOB}", f"/configure/{JOB}/cancel", "/configure/a/b/status", "/configure/../x/status"]
)
def test_only_a_job_status_path_is_requested(offer: OfferRef, start: datetime, location: str) -> None:
    """An operation whose location is no job status path is refused."""
    with pytest.raises(exceptions.ConfigurationError):
        endpoints.get_job(Operation(offer, "publish", start, None, location, PRODUCT_INGESTION))


def test_an_operation_survives_its_json(operation: Operation) -> None:
    """An operation read back from its XCom value is equal and keeps its API's name."""
    assert Operation.from_json(operation.to_json()) == operation
    assert operation.to_json()["api"] == "product_ingestion"


@pytest.mark.parametrize(
    "change",
    [
        {"location": "/api/publishers/p"},
        {"operation_id": "submission/../7"},
        {"operation_id": "submission//7"},
        {"location": f"https://graph.microsoft.com/configure/{JOB}/status"},
    ],
)
def test_an_operation_with_an_invalid_field_is_refused(operation: Operation, change: dict[str, Any]) -> None:
    """A location of the other API, or an id with an unsafe path, is refused."""
    with pytest.raises(exceptions.ConfigurationError):
        endpoints.get_job(Operation.from_json(operation.to_json() | change))


@pytest.mark.parametrize(
    ("schema", "expected_schema"),
    [
        (OLD, NEW),
        (OLD.replace("https", "http"), NEW),
        (NEW, NEW),
        ("https://else.example/schema/property/1", "https://else.example/schema/property/1"),
        ("https://product-ingestion.azureedge.net/other", "https://product-ingestion.azureedge.net/other"),
        ("https://[", "https://["),
        (7, 7),
    ],
)
def test_retired_schemas_are_rewritten(schema: Any, expected_schema: Any) -> None:
    """A schema URL on the retired host moves to the current one, at any depth; other URLs stay."""
    resource = {"$schema": schema, "nested": [{"$schema": schema}], "url": OLD}
    assert to_writable(resource) == {"$schema": expected_schema, "nested": [{"$schema": expected_schema}], "url": OLD}


def test_no_body_contains_a_retired_host(offer: OfferRef) -> None:
    """A configure body never contains the retired host."""
    tree = sample("resource-tree-small")["resources"]
    assert RETIRED in json.dumps(tree)
    assert RETIRED not in (endpoints.configure(offer, tree).body or b"").decode()


def test_resources_are_sent_back_unchanged() -> None:
    """Resources keep unknown keys and dates; only nulls that the API rejects are removed."""
    resource = sample("vm-plan-technical-configuration") | {"unknown": {"deep": [1, None, {"x": None}]}}
    resource["vmImageVersions"][0]["deprecationSchedule"] |= {"dateOffset": "P3M"}
    before = json.dumps(resource)
    assert to_writable(resource) == resource
    broken = json.loads(before)
    broken["vmProperties"]["supportsHibernation"] = None
    broken["vmImageVersions"][0]["deprecationSchedule"]["reason"] = None
    repaired = json.loads(before)
    del repaired["vmProperties"]["supportsHibernation"]
    assert to_writable(broken) == repaired


@pytest.mark.parametrize(
    "value", [None, [], {}, "x", [None], [{"deprecationSchedule": []}], [{"deprecationSchedule": {}}]]
)
def test_unexpected_resources_are_sent_back_unchanged(value: Any) -> None:
    """A resource with an unexpected structure is sent back unchanged."""
    resource = {"vmProperties": [1], "vmImageVersions": value}
    assert to_writable(resource) == resource


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ({"$schema": OLD}, "property"),
        ({"$schema": "https://schema.mp.microsoft.com/schema/Submission/2022-03-01-preview7"}, "submission"),
        ({"id": "plan/1/2"}, "plan"),
        ({"$schema": "https://[", "id": "plan/1/2"}, "plan"),
        ({}, ""),
    ],
)
def test_the_type_of_a_resource(resource: dict[str, Any], kind: str) -> None:
    """A resource's type is a segment of its schema's path, or the prefix of its id."""
    assert schema_type(resource) == kind
