# SPDX-License-Identifier: Apache-2.0
"""The emulated Product Ingestion API, which serves the same offers as the CPP API."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import requests
from emulator_client import OFFER, Client

PREVIEW_READY = {"days": 4}
LIVE_READY = {"days": 2}


def test_a_publication_from_publish_to_live(start_client: Callable[..., Client]) -> None:
    """From publish to preview to live, the job and the submissions agree."""
    client = start_client()
    api, clock = client.product_ingestion, client.emulator.clock
    product = api.product()
    assert [one["target"]["targetType"] for one in api.submissions()] == ["draft"]
    accepted = api.publish()
    job = accepted.json()
    assert accepted.status_code == 202
    assert job["jobStatus"] == "notStarted"
    assert job["jobResult"] == "pending"
    clock.advance(days=1)
    assert api.job(job["jobId"]) == ("running", "pending")
    assert api.statuses() == [("preview", "running", "pending")]
    clock.advance(days=3)
    assert api.job(job["jobId"]) == ("completed", "succeeded")
    assert api.statuses() == [("preview", "completed", "succeeded")]
    preview = api.submissions()[1]
    assert preview["product"] == product
    assert api.request("GET", preview["id"]).json() == preview
    golive = api.go_live(preview["id"]).json()["jobId"]
    clock.advance(days=1)
    assert api.job(golive) == ("running", "pending")
    assert api.statuses() == [("live", "running", "pending")]
    clock.advance(days=1)
    assert api.job(golive) == ("completed", "succeeded")
    assert api.statuses() == [("live", "completed", "succeeded")]
    assert api.submissions()[1]["id"] == preview["id"]
    assert client.status() == "succeeded"
    submits = client.emulator.submits_for(OFFER)
    assert submits["publish"] == 1
    assert submits["golive"] == 1
    assert submits["cancel"] == 0
    assert client.emulator.counts_for(OFFER)["publish"] == 0


def test_a_publication_of_the_cpp_api_goes_live_through_the_product_ingestion_api(
    start_client: Callable[..., Client],
) -> None:
    """A publication of the CPP API is a submission, and goes live with that id; the CPP API shows the new status."""
    client = start_client(history="succeeded")
    api, clock = client.product_ingestion, client.emulator.clock
    old = api.submission("live")
    client.publish()
    assert api.statuses() == [("live", "completed", "succeeded"), ("preview", "running", "pending")]
    clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    assert client.status() == "waitingForPublisherReview"
    assert preview != old
    job = api.go_live(preview).json()["jobId"]
    assert client.status() == "running"
    assert client.get(f"{OFFER}/submissions")[0]["submissionType"] == "goLive"
    clock.advance(**LIVE_READY)
    assert client.status() == "succeeded"
    assert api.job(job) == ("completed", "succeeded")
    assert api.submission("live") == preview


def test_a_publication_of_the_product_ingestion_api_goes_live_through_the_cpp_api(
    start_client: Callable[..., Client],
) -> None:
    """A publication by a job is an operation of the CPP API, whose go-live is a live submission with the same id."""
    client = start_client()
    api, clock = client.product_ingestion, client.emulator.clock
    job = api.publish().json()["jobId"]
    operation = client.get(f"{OFFER}/submissions")[0]
    assert client.status() == "running"
    assert operation["submissionState"] == "running"
    assert operation["slot"] == "staging"
    clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    assert client.request("POST", f"{OFFER}/golive").status_code == 202
    assert api.statuses() == [("live", "running", "pending")]
    assert api.job(job) == ("completed", "succeeded")
    clock.advance(**LIVE_READY)
    assert api.statuses() == [("live", "completed", "succeeded")]
    assert api.submission("live") == preview


def test_each_api_blocks_the_other(start_client: Callable[..., Client]) -> None:
    """While a publication through one API is in progress, a publish through the other is rejected."""
    client = start_client()
    client.product_ingestion.publish()
    assert client.publish().status_code == 409
    client.emulator.person(OFFER, "cancel")
    client.emulator.clock.advance(minutes=3)
    client.publish()
    refused = client.product_ingestion.publish().json()["jobId"]
    client.emulator.clock.advance(seconds=5)
    assert client.product_ingestion.job(refused) == ("completed", "failed")
    assert client.product_ingestion.errors(refused)[0]["message"] == "An In Progress submission already exists"
    assert len(client.emulator.operations(OFFER)) == 2


def test_canceling_through_either_api(start_client: Callable[..., Client]) -> None:
    """A cancel in Partner Center ends the job, a cancel of the job ends the operation, and the submission disappears."""
    client = start_client()
    api = client.product_ingestion
    job = api.publish().json()["jobId"]
    client.emulator.person(OFFER, "cancel")
    client.emulator.clock.advance(minutes=3)
    assert api.job(job) == ("completed", "cancelled")
    assert api.statuses() == []
    job = api.publish().json()["jobId"]
    assert api.request("POST", f"configure/{job}/cancel").json()["jobResult"] == "cancelled"
    states = [one["submissionState"] for one in client.get(f"{OFFER}/submissions")]
    assert client.status() == "canceled"
    assert states == ["canceled", "canceled"]
    assert api.statuses() == []


def test_each_api_rejects_the_other_s_token(start_client: Callable[..., Client]) -> None:
    """A token is for one audience, in either version of the endpoint, and the other API rejects it with 401."""
    client = start_client()
    api = client.product_ingestion
    graph = client.sign_in("oauth2/token", resource="https://graph.microsoft.com/").json()["access_token"]
    path = f"/rp/product-ingestion/product?externalId={OFFER}&$version=2022-07-01"
    responses = [client.request("GET", path), client.request("GET", f"{OFFER}/status", token=graph)]
    responses += [
        api.request("GET", "product", token="none"),
        api.request("GET", "product", headers={"Authorization": ""}),
    ]
    assert [one.status_code for one in responses] == [401, 401, 401, 401]
    assert responses[0].json()["error"]["code"] == "InvalidAuthenticationToken"
    assert client.request("GET", path, token=graph).status_code == 200
    assert client.sign_in(scope="https://graph.microsoft.com/User.Read").status_code == 400


@pytest.mark.parametrize(
    "auth_type", ["client_secret", "certificate", "workload_identity", "managed_identity", "access_token"]
)
def test_the_connection_to_the_product_ingestion_api(start_client: Callable[..., Client], auth_type: str) -> None:
    """Each authentication method has a connection to this API, with its URL and token scope and without a publisher."""
    client = start_client()
    connection = client.emulator.connection_for(auth_type, api="product_ingestion")
    assert connection["conn_type"] == "product_ingestion"
    assert connection["host"] == client.emulator.product_ingestion_url
    extra, other = connection["extra"], client.emulator.connection_for(auth_type)["extra"]
    assert extra["scope"] == "https://graph.microsoft.com/.default"
    assert set(other) ^ set(extra) == {"scope", "publisher_id"}
    if auth_type == "access_token":
        assert client.product_ingestion.request("GET", "product", token=connection["password"]).status_code == 200
    if auth_type == "client_secret":
        assert client.emulator.product_ingestion_connection == connection


def test_a_connection_to_an_unknown_api(start_client: Callable[..., Client]) -> None:
    """A connection to an unknown API is an error that names the known ones."""
    with pytest.raises(ValueError, match="cloud_partner_portal, product_ingestion"):
        start_client().emulator.connection_for(api="graph")


def test_a_managed_identity_gets_tokens_for_either_api(start_client: Callable[..., Client]) -> None:
    """A managed identity gets a token for either API, and each API accepts only its own."""
    client = start_client()
    home = client.emulator.environment_for("managed_identity", "imds")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    query = {"api-version": "2018-02-01", "resource": "https://graph.microsoft.com/"}
    path = f"{home}/metadata/identity/oauth2/token"
    token = requests.get(path, query, headers={"Metadata": "true"}, timeout=10).json()["access_token"]
    assert client.product_ingestion.request("GET", "product", token=token).status_code == 200
    assert client.request("GET", OFFER, token=token).status_code == 401


@pytest.mark.parametrize(("setting", "codes"), [("required", [400, 400, 200]), ("optional", [200, 400, 200])])
def test_the_version_can_be_required(start_client: Callable[..., Client], setting: str, codes: list[int]) -> None:
    """Without $version a request is rejected or accepted, depending on the setting; an invalid version is always rejected."""
    api = start_client(schema_version=setting).product_ingestion
    queries = [{}, {"$version": "2017"}, {"$VERSION": "2022-03-01-preview2"}]
    assert [api.request("GET", "product", params=query).status_code for query in queries] == codes


@pytest.mark.parametrize("name", ["externalId", "externalID", "externalid"])
def test_a_product_is_found_by_its_external_id(start_client: Callable[..., Client], name: str) -> None:
    """A product is found by the offer's id, in any case of the parameter's name; an unknown id finds nothing."""
    api = start_client().product_ingestion
    products = api.get("product", **{name: OFFER})["value"]
    assert [(one["identity"]["externalId"], one["type"]) for one in products] == [(OFFER, "azureVirtualMachine")]
    assert api.get("product", **{name: "nobody"}) == {"value": []}
    assert api.get(products[0]["id"]) == products[0]
    assert api.client.emulator.counts_for(OFFER) == {"products": 1, "product": 1}


@pytest.mark.parametrize("setting", ["same-host", "other-host"])
def test_products_are_paginated(start_client: Callable[..., Client], setting: str) -> None:
    """A page of a list has a link to the next page, on the same host or another one, with the same query."""
    client = start_client(page_size=2, next_link=setting)
    for number in range(4):
        client.emulator.add_offer(f"more-{number}")
    api, external_ids, links = client.product_ingestion, [], []
    page = api.get("product", type="azureVirtualMachine")
    while True:
        external_ids += [one["identity"]["externalId"] for one in page["value"]]
        if "@nextLink" not in page:
            break
        links.append(page["@nextLink"])
        page = api.request("GET", "product?" + page["@nextLink"].partition("?")[2], params=None).json()
    assert external_ids == [OFFER, "more-0", "more-1", "more-2", "more-3"]
    assert len(links) == 2
    host = (
        client.emulator.product_ingestion_url
        if setting == "same-host"
        else client.emulator.url.replace("127.0.0.1", "localhost")
    )
    assert all(link.startswith(host + "/") for link in links)
    sizes = [len(api.get("product", **{"$maxPageSize": size})["value"]) for size in ("1", "2", "50")]
    assert sizes == [1, 2, 2]
    assert api.get("product", type="softwareAsAService") == {"value": []}
    wrong = [{"continuationToken": "odd"}, {"$top": "few"}]
    assert [api.request("GET", "product", params={"$version": "2022-07-01", **one}).status_code for one in wrong] == [
        400
    ] * 2


def test_requests_to_the_other_host_are_counted(start_client: Callable[..., Client]) -> None:
    """Requests to a job's URL or to a link on the other host get 401 and are counted."""
    client = start_client(page_size=1, next_link="other-host")
    client.emulator.add_offer("second")
    job = client.product_ingestion.publish().json()
    link = client.product_ingestion.get("product")["@nextLink"]
    for url in (job["resourceUri"], link):
        assert "localhost" in url
        response = requests.get(url, verify=str(client.emulator.ca_file), timeout=10)
        assert response.status_code == 401
    assert client.emulator.counts["other_host"] == 2
    assert job["resourceUri"].endswith(f"/configure/{job['jobId']}")


def test_plans_and_their_technical_configuration(start_client: Callable[..., Client]) -> None:
    """Plans are found by product, which is required, and external id; a configuration has its plan's images."""
    api = start_client().product_ingestion
    product = api.product()
    plans = api.get("plan", product=product)["value"]
    assert [(one["identity"]["externalId"], one["alias"]) for one in plans] == [("gold", "Gold")]
    assert api.get("plan", product=product, externalID="GOLD")["value"] == plans
    assert api.get("plan", product=product, externalId="silver") == {"value": []}
    assert [
        api.request("GET", "plan").status_code,
        api.request("GET", "plan?product=product/x&$version=2022-07-01", params=None).status_code,
    ] == [400, 404]
    configuration = api.configuration()
    (version,) = configuration["vmImageVersions"]
    assert configuration["plan"] == plans[0]["id"]
    assert configuration["skus"] == [{"imageType": "x64Gen1", "skuId": "gold"}]
    assert version["versionNumber"] == "1.0.0"
    assert version["lifecycleState"] == "generallyAvailable"
    assert version["vmImages"][0]["source"]["osDisk"]["uri"].startswith("https://contosoimages.blob.core.windows.net/")


def test_paths_are_normalized_and_unknown_resources_are_404(start_client: Callable[..., Client]) -> None:
    """Superfluous slashes and capitals do not matter; unknown resources get 404, unknown methods 405, unknown targets 400."""
    api = start_client().product_ingestion
    guid = api.guid()
    none = "00000000-0000-0000-0000-000000000000"
    good = [f"/rp/product-ingestion//submission/{guid}", f"Submission/{guid.upper()}", f"resource-tree/product/{guid}/"]
    missing = [
        f"resource-tree/product/{none}",
        f"submission/{none}",
        f"submission/product/{guid}",
        f"submission/{guid}/5",
        f"product/{none}",
        f"plan/{guid}/{none}",
        f"virtual-machine-plan-technical-configuration/{guid}/{none}",
        f"resource-tree/product/{guid}?targetType=live&$version=2022-07-01",
        f"resource-tree/product/{guid}?targetType=preview&$version=2022-07-01",
        f"configure/{none}/status",
        f"configure/{none}",
        "submissions",
    ]

    def codes(paths: list[str]) -> list[int]:
        return [api.request("GET", path, **({"params": None} if "?" in path else {})).status_code for path in paths]

    assert codes(good) == [200] * 3
    assert codes(missing) == [404] * 12
    odd = f'resource-tree/product/{guid}?targetType="preview"&$version=2022-07-01'
    assert codes([odd]) == [400]
    assert api.request("DELETE", "configure").status_code == 405
    assert api.request("GET", f"submission/{none}").json()["error"]["code"] == "notFound"
    assert api.get(f"submission/{guid}/0")["target"] == {"targetType": "draft"}


def test_the_tree_of_each_target(start_client: Callable[..., Client]) -> None:
    """The tree of a target has the resources as published, with the submission; the draft's tree has the current ones."""
    client = start_client(history="succeeded")
    api = client.product_ingestion
    document = client.get(OFFER)
    document["definition"]["displayText"] = "Renamed"
    client.request("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"})
    guid, trees = api.guid(), {}
    for target in ("draft", "preview", "live"):
        tree = api.get(f"resource-tree/product/{guid}", targetType=target)
        assert tree["root"] == f"product/{guid}"
        assert tree["target"] == {"targetType": target}
        resources = {one["id"].split("/")[0]: one for one in tree["resources"]}
        assert set(resources) == {
            "product",
            "property",
            "price-and-availability-offer",
            "plan",
            "virtual-machine-plan-technical-configuration",
            "submission",
        }
        trees[target] = resources["product"]["alias"], resources["submission"]["id"] == api.submission("live")
    assert trees == {"draft": ("Renamed", False), "preview": (OFFER, True), "live": (OFFER, True)}


@pytest.mark.parametrize(
    ("setting", "minimum", "hosts"),
    [
        ({}, 2, {"schema.mp.microsoft.com", "product-ingestion.azureedge.net"}),
        ({"resource_order": "sorted", "retired_schema": "gone"}, 1, {"schema.mp.microsoft.com"}),
    ],
)
def test_resource_trees_are_shuffled_and_contain_the_retired_host(
    start_client: Callable[..., Client], setting: dict[str, str], minimum: int, hosts: set[str]
) -> None:
    """By default, each tree is in another order, and one resource has a schema of the retired host."""
    api = start_client(**setting).product_ingestion
    guid = api.guid()
    trees = [api.get(f"resource-tree/product/{guid}")["resources"] for _ in range(8)]
    orders = {tuple(one["id"] for one in tree) for tree in trees}
    assert len(orders) >= minimum
    assert (len(orders) == 1) == (minimum == 1)
    assert {one["$schema"].split("/")[2] for one in trees[0]} == hosts
    assert {len(tree) for tree in trees} == {6}


def test_a_resource_has_the_requested_schema_version(start_client: Callable[..., Client]) -> None:
    """A resource has the newest schema version up to the requested one."""
    api = start_client().product_ingestion
    path = api.configuration()["id"]
    versions = ["2022-03-01-preview2", "2022-03-01-preview3", "2022-03-01-preview5", "2022-07-01", "2021-01-01"]
    returned = [
        api.request("GET", path, params={"$version": one}).json()["$schema"].rpartition("/")[2] for one in versions
    ]
    ends = ["preview2", "preview3", "preview5", "preview5", "preview2"]
    assert returned == [f"2022-03-01-{end}" for end in ends]


LISTINGS: list[tuple[dict[str, str], list[tuple[str, ...]], list[tuple[str, ...]]]] = [
    (
        {},
        [("live", "completed", "succeeded"), ("live", "running", "pending")],
        [("live", "completed", "succeeded")],
    ),
    (
        {"going_live_listing": "one-live"},
        [("live", "running", "pending")],
        [("live", "completed", "succeeded")],
    ),
    (
        {"live_listing": "same-id"},
        [("live", "completed", "succeeded"), ("preview", "completed", "succeeded"), ("live", "running", "pending")],
        [("preview", "completed", "succeeded"), ("live", "completed", "succeeded")],
    ),
]


@pytest.mark.parametrize(("setting", "going", "gone"), LISTINGS)
def test_the_listings_of_a_preview_that_goes_live(
    start_client: Callable[..., Client],
    setting: dict[str, str],
    going: list[tuple[str, ...]],
    gone: list[tuple[str, ...]],
) -> None:
    """While a preview goes live and afterwards, the list has one of the known forms."""
    client = start_client(history="succeeded", **setting)
    api = client.product_ingestion
    old = api.submission("live")
    api.publish()
    client.emulator.clock.advance(**PREVIEW_READY)
    new = api.submission("preview")
    api.go_live(new)
    assert api.statuses() == going
    client.emulator.clock.advance(**LIVE_READY)
    assert api.statuses() == gone
    assert {one["id"] for one in api.submissions()[1:]} == {new}
    assert new != old
    assert [one["id"] for one in api.submissions(targetType="live")] == [new]


def test_the_newest_submission_has_no_fixed_position(start_client: Callable[..., Client]) -> None:
    """The list's order changes from read to read, and the creation times identify the newest submission."""
    client = start_client(history="succeeded")
    client.product_ingestion.publish()
    guid = client.product_ingestion.guid()
    lists = [client.product_ingestion.get(f"submission/{guid}")["value"] for _ in range(8)]
    assert len({tuple(one["id"] for one in entries) for entries in lists}) > 1
    newest = {max(entries, key=lambda one: one.get("created", ""))["target"]["targetType"] for entries in lists}
    assert newest == {"preview"}
    assert all("status" not in one and "created" not in one for one in lists[0] if one["id"].endswith("/0"))


@pytest.mark.parametrize(
    ("scenario", "statuses"),
    [
        ("failed", [("live", "completed", "succeeded"), ("preview", "completed", "failed")]),
        ("canceled", [("live", "completed", "succeeded")]),
        ("unknown-status", [("live", "completed", "succeeded"), ("preview", "frobnicating", "pending")]),
    ],
)
def test_the_listing_of_a_publication_that_fails(
    start_client: Callable[..., Client], scenario: str, statuses: list[tuple[str, ...]]
) -> None:
    """A failed submission is listed as failed, a canceled one is missing, and an undocumented status is kept."""
    client = start_client(scenario, history="succeeded")
    client.product_ingestion.publish()
    client.emulator.clock.advance(days=10)
    assert client.product_ingestion.statuses() == statuses


def test_a_restarted_emulator_keeps_its_state(start_client: Callable[..., Client]) -> None:
    """After a stop and a start, jobs, submissions, tokens and the draft's pending change are kept."""
    client = start_client()
    api, emulator = client.product_ingestion, client.emulator
    job = api.publish().json()["jobId"]
    emulator.clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    change = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    emulator.stop()
    emulator.clock.advance(seconds=5)
    emulator.start()
    assert api.job(job) == ("completed", "succeeded")
    assert api.job(change) == ("completed", "succeeded")
    assert api.submission("preview") == preview
    assert api.get(api.product())["alias"] == "Renamed"
    assert api.go_live(preview).status_code == 202
    assert client.status() == "running"
    assert emulator.submits_for(OFFER)["golive"] == 1
