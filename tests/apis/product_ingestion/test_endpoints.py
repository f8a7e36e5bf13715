# SPDX-License-Identifier: Apache-2.0
"""The requests of the Product Ingestion API, and what comes of their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.product_ingestion import GUID, JOB, Market, job, sample, submission

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.schemas import RETIRED, schema_type, to_writable
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product, list_all_pages, published_submissions
from airflow_provider_cpp.core.effects import send
from airflow_provider_cpp.core.http import decode_response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation

OLD = "https://product-ingestion.azureedge.net/schema/property/2022-03-01-preview3"
NEW = "https://schema.mp.microsoft.com/schema/property/2022-03-01-preview3"


def test_every_call_names_the_version(operation: Operation, offer: OfferRef) -> None:
    """Each call has `$version`, once, and no call has the portal's parameter."""
    for call, target in [
        (endpoints.list_products("a_b"), "/product?externalId=a_b&%24version=2022-07-01"),
        (endpoints.list_products(), "/product?%24version=2022-07-01"),
        (
            endpoints.list_products("a", "/product?$version=1&continuationToken=x"),
            "/product?$version=1&continuationToken=x",
        ),
        (endpoints.get_job(operation), f"/configure/{JOB}/status?%24version=2022-07-01"),
        (endpoints.cancel_job(operation), f"/configure/{JOB}/cancel?%24version=2022-07-01"),
        (endpoints.get_tree(GUID, offer), f"/resource-tree/product/{GUID}?targetType=draft&%24version=2022-07-01"),
        (endpoints.list_submissions(GUID, offer), f"/submission/{GUID}?%24version=2022-07-01"),
    ]:
        assert call.url_path(endpoints.API_VERSION) == target


def test_the_orders_are_those_that_were_seen(offer: OfferRef) -> None:
    """Publishing names no submission, going live names the one in preview."""
    bodies = [
        json.loads(call.body or b"")
        for call in (
            endpoints.publish_product(offer, GUID),
            endpoints.go_live_submission(offer, GUID, f"submission/{GUID}/1152921515689848683"),
        )
    ]
    assert bodies == [sample("request-publish-preview"), sample("request-publish-live")]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_job_that_was_taken(offer: OfferRef, make_reply: Any, status: int) -> None:
    """Whatever the status of a good answer, the job's id becomes its path here; its resourceUri is nobody's business."""
    call = endpoints.publish_product(offer, GUID)
    assert decode_response(call, make_reply(job(), status)) == f"/configure/{JOB}/status"


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
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
        (b"", 202, exceptions.InvalidResponseError, "the answer is not JSON"),
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
def test_error_bodies(offer: OfferRef, make_reply: Any, body: Any, status: int, kind: type, said: str) -> None:
    """Each error that was seen becomes one of ours, with its code, all its words and its request id."""
    headers = {"request-id": "00000000-1111"}
    with pytest.raises(exceptions.RequestError) as caught:
        decode_response(endpoints.publish_product(offer, GUID), make_reply(body, status, headers))
    assert (type(caught.value), caught.value.request_id) == (kind, "00000000-1111")
    assert said in str(caught.value)


HOST = "https://graph.microsoft.com"
BASE = "/rp/product-ingestion"


@pytest.mark.parametrize(
    ("link", "page"),
    [
        (sample("product-list-page")["@nextLink"], "/product?$version=2022-03-01-preview3&continuationToken=abc"),
        (f"{HOST}:443{BASE}/product?a=1", "/product?a=1"),
        (f"{BASE}/product?a=%2B%3D", "/product?a=%2B%3D"),
        (f"{HOST}{BASE}//product", "//product"),
        (None, None),
        ("", None),
    ],
)
def test_the_next_page(make_reply: Any, link: Any, page: str | None) -> None:
    """A next page below the API's address is followed by path and query."""
    found = decode_response(endpoints.list_products(), make_reply({"value": [], "@nextLink": link}))
    assert found.next == page


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
        "https://[evil",
        "https://graph.microsoft.com:x/rp/product-ingestion/product",
        7,
        {},
    ],
)
def test_a_next_page_elsewhere_is_no_page(make_reply: Any, link: Any) -> None:
    """A next page on another host, or outside of the API, is an error: no token goes there, and no rest is dropped."""
    with pytest.raises(exceptions.InvalidResponseError, match="the next page is not on this host"):
        decode_response(endpoints.list_products(), make_reply({"value": [], "@nextLink": link}))


@pytest.mark.parametrize(("body", "said"), [({}, "no value"), ({"value": {}}, "value is an object"), ([], "a list")])
def test_a_list_that_is_none(make_reply: Any, body: Any, said: str) -> None:
    """An object where a list belongs is not an empty list: to say that nothing is there would be a guess."""
    with pytest.raises(exceptions.InvalidResponseError, match=said):
        decode_response(endpoints.list_products(), make_reply(body))


def test_pages_are_read_to_the_last(player: Any) -> None:
    """A list of three pages is read whole, each page once."""
    pages: list[Any] = [
        {"value": [{"id": f"product/{number}"}], "@nextLink": f"{BASE}/product?page={number + 1}"}
        for number in range(2)
    ]
    pages.append({"value": [{"id": "product/2"}]})
    player.answer = lambda _: player_reply(pages.pop(0))
    found = player.run(list_all_pages(lambda page: endpoints.list_products(None, page), send))
    assert [product.guid for product in found] == ["0", "1", "2"]
    assert player.sent == ["GET /product", "GET /product?page=1", "GET /product?page=2"]


def player_reply(body: Any) -> Any:
    from support.player import reply

    return reply(body, 200, {}, endpoints.DEFAULT_HOST)


def test_pages_in_a_circle_are_an_error(player: Any) -> None:
    """Pages that lead back to one that was read have no end, and are not read for ever."""
    player.answer = lambda _: player_reply({"value": [], "@nextLink": f"{BASE}/product?page=1"})
    with pytest.raises(exceptions.InvalidResponseError, match="its pages have no end"):
        player.run(list_all_pages(lambda page: endpoints.list_products(None, page), send))


def test_a_product_is_found_by_its_external_id(player: Any, offer: OfferRef) -> None:
    """Case does not matter, and products that the API adds unasked do not either."""
    market = Market()
    market.products.append({"id": "product/other", "identity": {"externalId": "other"}})
    player.answer = market
    assert player.run(find_product(offer)).guid == GUID


def test_an_unknown_product_is_not_there(player: Any, offer: OfferRef) -> None:
    """An empty list is an offer that is not there, and the error names it."""
    player.answer = lambda _: sample("product-by-external-id-empty")
    with pytest.raises(
        exceptions.NotFoundError, match=r"product of offer contoso-vm: the account .* has no product"
    ) as caught:
        player.run(find_product(offer))
    assert caught.value.offer == "contoso-vm"


def test_a_product_that_is_there_twice_is_not_guessed(player: Any, offer: OfferRef) -> None:
    """Two products with one external id are no product."""
    market = Market()
    market.products.append({"id": "product/other", "identity": {"externalId": "contoso-vm"}})
    player.answer = market
    with pytest.raises(exceptions.InvalidResponseError, match="2 products have this external id"):
        player.run(find_product(offer))


def test_the_newest_submission_is_the_last_made(player: Any, offer: OfferRef) -> None:
    """The time at which it was made decides, not the place in the list; what has no time comes last."""
    timeless = submission(9, "preview") | {"created": None}
    player.answer = Market([submission(2, "live"), timeless, submission(5, "preview"), submission(1, "live")])
    entries = player.run(published_submissions(GUID, offer))
    assert [entry.id.rpartition("/")[2] for entry in entries] == ["5", "2", "1", "9"]


@pytest.mark.parametrize("where", ["operation_id", "none"])
def test_an_operation_without_a_job_cannot_be_asked(offer: OfferRef, start: Any, where: str) -> None:
    """What is known by its submission alone has no job to ask for."""
    operation = Operation(offer, "publish", start, f"submission/{GUID}/7", None, PRODUCT_INGESTION)
    with pytest.raises(exceptions.ConfigurationError, match="names no job of this API"):
        endpoints.get_job(operation)


@pytest.mark.parametrize(
    "location", [f"/configure/{JOB}", f"/configure/{JOB}/cancel", "/configure/a/b/status", "/configure/../x/status"]
)
def test_only_a_jobs_own_path_is_asked(offer: OfferRef, start: Any, location: str) -> None:
    """What somebody wrote into an operation leads nowhere but to a job's status."""
    with pytest.raises(exceptions.ConfigurationError):
        endpoints.get_job(Operation(offer, "publish", start, None, location, PRODUCT_INGESTION))


def test_an_operation_survives_its_json(operation: Operation) -> None:
    """What crosses as XCom is read back equal, with its API's name."""
    assert Operation.from_json(operation.to_json()) == operation
    assert operation.to_json()["api"] == "product_ingestion"


@pytest.mark.parametrize(
    "change",
    [
        {"location": "/api/publishers/p"},
        {"operation_id": "submission/../7"},
        {"operation_id": "submission//7"},
        {"api": "cloud_partner_portal"},
        {"location": f"https://graph.microsoft.com/configure/{JOB}/status"},
    ],
)
def test_an_operation_that_is_none(operation: Operation, change: dict[str, Any]) -> None:
    """A location of the other API, or an id that would leave its place, is refused."""
    with pytest.raises(exceptions.ConfigurationError):
        Operation.from_json(operation.to_json() | change)


@pytest.mark.parametrize(
    ("schema", "after"),
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
def test_retired_schemas_are_rewritten(schema: Any, after: Any) -> None:
    """A schema on the host that is no longer taken is named on today's, at any depth; every other one is left alone."""
    resource = {"$schema": schema, "nested": [{"$schema": schema}], "url": OLD}
    assert to_writable(resource) == {"$schema": after, "nested": [{"$schema": after}], "url": OLD}


def test_what_goes_out_names_no_retired_host(offer: OfferRef) -> None:
    """No order has the retired host in it, whatever it was given."""
    tree = sample("resource-tree-small")["resources"]
    assert any(host in json.dumps(tree) for host in RETIRED)
    assert not any(host in (endpoints.configure(offer, tree).body or b"").decode() for host in RETIRED)


def test_what_is_sent_back_is_what_came() -> None:
    """Nothing is lost or changed on the way back but what the API does not take: unknown keys and dates stay."""
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
    "odd", [None, [], {}, "x", [None], [{"deprecationSchedule": []}], [{"deprecationSchedule": {}}]]
)
def test_odd_resources_are_sent_back_as_they_are(odd: Any) -> None:
    """Where the shape is another one than the known one, nothing is touched."""
    resource = {"vmProperties": [1], "vmImageVersions": odd}
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
    """A type is a segment of the schema's path, whatever the host, or else the beginning of the id."""
    assert schema_type(resource) == kind


@pytest.mark.parametrize("page", ["product", "@evil.example/x", ":8443/x", "https://evil.example/x", "/../x", ""])
def test_a_page_is_a_path(page: str) -> None:
    """What is no path below the API's address is asked for as no page."""
    with pytest.raises(exceptions.ConfigurationError, match="not a path of the API"):
        endpoints.list_products(None, page)
