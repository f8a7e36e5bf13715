# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API of the emulator: the same offers as the portal's, looked at in the other way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

OFFER = "contoso-vm"
PREVIEW_READY = {"days": 4}
LIVE_READY = {"days": 2}


def test_a_publication_from_order_to_market(client: Callable[..., Any]) -> None:
    """Look the product up, publish to preview, wait, go live with the preview's submission, wait."""
    mine = client()
    api, clock = mine.ingestion, mine.portal.clock
    product = api.product()
    assert [one["target"]["targetType"] for one in api.submissions()] == ["draft"]
    accepted = api.publish()
    job = accepted.json()
    assert (accepted.status_code, job["jobStatus"], job["jobResult"]) == (202, "notStarted", "pending")
    clock.advance(days=1)
    assert (api.job(job["jobId"]), api.shown()) == (("running", "pending"), [("preview", "running", "pending")])
    clock.advance(days=3)
    assert api.job(job["jobId"]) == ("completed", "succeeded")
    assert api.shown() == [("preview", "completed", "succeeded")]
    preview = api.submissions()[1]
    assert (preview["product"], api.call("GET", preview["id"]).json()) == (product, preview)
    golive = api.go_live(preview["id"]).json()["jobId"]
    clock.advance(days=1)
    assert (api.job(golive), api.shown()) == (("running", "pending"), [("live", "running", "pending")])
    clock.advance(days=1)
    assert (api.job(golive), api.shown()) == (("completed", "succeeded"), [("live", "completed", "succeeded")])
    assert (api.submissions()[1]["id"], mine.status()) == (preview["id"], "succeeded")
    orders = mine.portal.orders_for(OFFER)
    assert (orders["publish"], orders["golive"], orders["cancel"]) == (1, 1, 0)
    assert mine.portal.counts_for(OFFER)["publish"] == 0


def test_what_the_portal_published_goes_live_through_the_other_api(client: Callable[..., Any]) -> None:
    """A publish of the portal is a submission; its preview goes live with that id, and the portal's status says so."""
    mine = client(history="succeeded")
    api, clock = mine.ingestion, mine.portal.clock
    old = api.submission("live")
    mine.publish()
    assert api.shown() == [("live", "completed", "succeeded"), ("preview", "running", "pending")]
    clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    assert (mine.status(), preview == old) == ("waitingForPublisherReview", False)
    job = api.go_live(preview).json()["jobId"]
    assert mine.status() == "running"
    assert mine.get(f"{OFFER}/submissions")[0]["submissionType"] == "goLive"
    clock.advance(**LIVE_READY)
    assert (mine.status(), api.job(job), api.submission("live")) == ("succeeded", ("completed", "succeeded"), preview)


def test_what_the_other_api_published_goes_live_through_the_portal(client: Callable[..., Any]) -> None:
    """A publish by a job is an operation of the portal; the portal's go-live is a live submission of the same id."""
    mine = client()
    api, clock = mine.ingestion, mine.portal.clock
    job = api.publish().json()["jobId"]
    operation = mine.get(f"{OFFER}/submissions")[0]
    assert (mine.status(), operation["submissionState"], operation["slot"]) == ("running", "running", "staging")
    clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    assert mine.call("POST", f"{OFFER}/golive").status_code == 202
    assert (api.shown(), api.job(job)) == ([("live", "running", "pending")], ("completed", "succeeded"))
    clock.advance(**LIVE_READY)
    assert (api.shown(), api.submission("live")) == ([("live", "completed", "succeeded")], preview)


def test_each_api_stands_in_the_other_s_way(client: Callable[..., Any]) -> None:
    """While one of them publishes, a publish through the other is refused, and nothing new is ordered."""
    mine = client()
    mine.ingestion.publish()
    assert mine.publish().status_code == 409
    mine.portal.person(OFFER, "cancel")
    mine.portal.clock.advance(minutes=3)
    mine.publish()
    refused = mine.ingestion.publish().json()["jobId"]
    mine.portal.clock.advance(seconds=5)
    assert mine.ingestion.job(refused) == ("completed", "failed")
    assert mine.ingestion.errors(refused)[0]["message"] == "An In Progress submission already exists"
    assert len(mine.portal.operations(OFFER)) == 2


def test_canceling_through_either_api(client: Callable[..., Any]) -> None:
    """A cancel of the portal ends the job, a cancel of the job ends the operation; the submission is gone."""
    mine = client()
    api = mine.ingestion
    job = api.publish().json()["jobId"]
    mine.portal.person(OFFER, "cancel")
    mine.portal.clock.advance(minutes=3)
    assert (api.job(job), api.shown()) == (("completed", "cancelled"), [])
    job = api.publish().json()["jobId"]
    assert api.call("POST", f"configure/{job}/cancel").json()["jobResult"] == "cancelled"
    states = [one["submissionState"] for one in mine.get(f"{OFFER}/submissions")]
    assert (mine.status(), states, api.shown()) == ("canceled", ["canceled", "canceled"], [])


def test_each_api_refuses_the_other_s_token(client: Callable[..., Any]) -> None:
    """A token is for one audience, in either version of the endpoint; the other API answers it with 401."""
    mine = client()
    api = mine.ingestion
    graph = mine.sign_in("oauth2/token", resource="https://graph.microsoft.com/").json()["access_token"]
    path = f"/rp/product-ingestion/product?externalId={OFFER}&$version=2022-07-01"
    answers = [mine.call("GET", path), mine.call("GET", f"{OFFER}/status", token=graph)]
    answers += [api.call("GET", "product", token="none"), api.call("GET", "product", headers={"Authorization": ""})]
    assert [one.status_code for one in answers] == [401, 401, 401, 401]
    assert answers[0].json()["error"]["code"] == "InvalidAuthenticationToken"
    assert mine.call("GET", path, token=graph).status_code == 200
    assert mine.sign_in(scope="https://graph.microsoft.com/User.Read").status_code == 400


@pytest.mark.parametrize(
    "kind", ["client_secret", "certificate", "workload_identity", "managed_identity", "access_token"]
)
def test_the_connection_to_this_api(client: Callable[..., Any], kind: str) -> None:
    """Each way to sign in has a connection to this API: its address, the scope of its tokens, and no publisher."""
    mine = client()
    found = mine.portal.connection_for(kind, api="product_ingestion")
    assert (found["conn_type"], found["host"]) == ("product_ingestion", mine.portal.ingestion_url)
    extra, other = found["extra"], mine.portal.connection_for(kind)["extra"]
    assert extra["scope"] == "https://graph.microsoft.com/.default"
    assert set(other) ^ set(extra) == {"scope", "publisher_id"}
    if kind == "access_token":
        assert mine.ingestion.call("GET", "product", token=found["password"]).status_code == 200
    if kind == "client_secret":
        assert mine.portal.ingestion_connection == found


def test_an_api_that_there_is_not(client: Callable[..., Any]) -> None:
    """A connection to an API that is not served is an error that names those that are."""
    with pytest.raises(ValueError, match="cloud_partner_portal, product_ingestion"):
        client().portal.connection_for(api="graph")


def test_a_machine_has_tokens_for_this_api(client: Callable[..., Any]) -> None:
    """A managed identity is given a token for either API."""
    mine = client()
    home = mine.portal.environment_for("managed_identity", "imds")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    query = {"api-version": "2018-02-01", "resource": "https://graph.microsoft.com/"}
    path = f"{home}/metadata/identity/oauth2/token"
    token = requests.get(path, query, headers={"Metadata": "true"}, timeout=10).json()["access_token"]
    assert mine.ingestion.call("GET", "product", token=token).status_code == 200
    assert mine.call("GET", OFFER, token=token).status_code == 401


@pytest.mark.parametrize(("setting", "codes"), [("required", [400, 400, 200]), ("optional", [200, 400, 200])])
def test_the_version_is_wanted_or_not(client: Callable[..., Any], setting: str, codes: list[int]) -> None:
    """Without $version a call is refused or taken, as is set; a version that is none is always refused."""
    api = client(schema_version=setting).ingestion
    queries = [{}, {"$version": "2017"}, {"$VERSION": "2022-03-01-preview2"}]
    assert [api.call("GET", "product", params=query).status_code for query in queries] == codes


@pytest.mark.parametrize("name", ["externalId", "externalID", "externalid"])
def test_a_product_is_found_by_its_external_id(client: Callable[..., Any], name: str) -> None:
    """The offer's id finds the product, however the parameter is spelt; an id that nobody knows finds nothing."""
    api = client().ingestion
    found = api.get("product", **{name: OFFER})["value"]
    assert [(one["identity"]["externalId"], one["type"]) for one in found] == [(OFFER, "azureVirtualMachine")]
    assert api.get("product", **{name: "nobody"}) == {"value": []}
    assert api.get(found[0]["id"]) == found[0]
    assert api.client.portal.counts_for(OFFER) == {"products": 1, "product": 1}


@pytest.mark.parametrize("setting", ["same-host", "other-host"])
def test_products_come_in_pages(client: Callable[..., Any], setting: str) -> None:
    """A list has a link to its next page, on the same host or on another one, with everything that was asked for."""
    mine = client(page_size=2, next_link=setting)
    for number in range(4):
        mine.portal.add_offer(f"more-{number}")
    api, found, links = mine.ingestion, [], []
    page = api.get("product", type="azureVirtualMachine")
    while True:
        found += [one["identity"]["externalId"] for one in page["value"]]
        if "@nextLink" not in page:
            break
        links.append(page["@nextLink"])
        page = api.call("GET", "product?" + page["@nextLink"].partition("?")[2], params=None).json()
    assert (found, len(links)) == ([OFFER, "more-0", "more-1", "more-2", "more-3"], 2)
    host = mine.portal.ingestion_url if setting == "same-host" else mine.portal.url.replace("127.0.0.1", "localhost")
    assert all(link.startswith(host + "/") for link in links)
    sizes = [len(api.get("product", **{"$maxPageSize": size})["value"]) for size in ("1", "2", "50")]
    assert (sizes, api.get("product", type="softwareAsAService")) == ([1, 2, 2], {"value": []})
    wrong = [{"continuationToken": "odd"}, {"$top": "few"}]
    assert [api.call("GET", "product", params={"$version": "2022-07-01", **one}).status_code for one in wrong] == [
        400
    ] * 2


def test_a_call_to_the_other_host_is_seen(client: Callable[..., Any]) -> None:
    """Whoever follows a job's address, or a link, to another host gets nothing and is counted."""
    mine = client(page_size=1, next_link="other-host")
    mine.portal.add_offer("second")
    job = mine.ingestion.publish().json()
    link = mine.ingestion.get("product")["@nextLink"]
    for url in (job["resourceUri"], link):
        assert "localhost" in url
        answer = requests.get(url, verify=str(mine.portal.ca_file), timeout=10)
        assert answer.status_code == 401
    assert mine.portal.counts["other_host"] == 2
    assert job["resourceUri"].endswith(f"/configure/{job['jobId']}")


def test_plans_and_their_technical_configuration(client: Callable[..., Any]) -> None:
    """Plans are found by product and external id; the product must be named; a configuration has its plan's images."""
    api = client().ingestion
    product = api.product()
    plans = api.get("plan", product=product)["value"]
    assert [(one["identity"]["externalId"], one["alias"]) for one in plans] == [("gold", "Gold")]
    assert api.get("plan", product=product, externalID="GOLD")["value"] == plans
    assert api.get("plan", product=product, externalId="silver") == {"value": []}
    assert [
        api.call("GET", "plan").status_code,
        api.call("GET", "plan?product=product/x&$version=2022-07-01", params=None).status_code,
    ] == [400, 404]
    configuration = api.configuration()
    (version,) = configuration["vmImageVersions"]
    assert (configuration["plan"], configuration["skus"]) == (
        plans[0]["id"],
        [{"imageType": "x64Gen1", "skuId": "gold"}],
    )
    assert (version["versionNumber"], version["lifecycleState"]) == ("1.0.0", "generallyAvailable")
    assert version["vmImages"][0]["source"]["osDisk"]["uri"].startswith("https://contosoimages.blob.core.windows.net/")


def test_paths_are_forgiving_and_what_is_not_there_is_404(client: Callable[..., Any]) -> None:
    """Slashes that are too many and capitals do not matter; unknown things are 404, unknown methods 405, bad targets 400."""
    api = client().ingestion
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
        return [api.call("GET", path, **({"params": None} if "?" in path else {})).status_code for path in paths]

    assert (codes(good), codes(missing)) == ([200] * 3, [404] * 12)
    odd = f'resource-tree/product/{guid}?targetType="preview"&$version=2022-07-01'
    assert (codes([odd]), api.call("DELETE", "configure").status_code) == ([400], 405)
    assert api.call("GET", f"submission/{none}").json()["error"]["code"] == "notFound"
    assert api.get(f"submission/{guid}/0")["target"] == {"targetType": "draft"}


def test_the_tree_of_each_target(client: Callable[..., Any]) -> None:
    """A target's tree is what it was when it was published, with its submission; a draft's is what it is now."""
    mine = client(history="succeeded")
    api = mine.ingestion
    document = mine.get(OFFER)
    document["definition"]["displayText"] = "Renamed"
    mine.call("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"})
    guid, found = api.guid(), {}
    for target in ("draft", "preview", "live"):
        tree = api.get(f"resource-tree/product/{guid}", targetType=target)
        assert (tree["root"], tree["target"]) == (f"product/{guid}", {"targetType": target})
        resources = {one["id"].split("/")[0]: one for one in tree["resources"]}
        assert set(resources) == {
            "product",
            "property",
            "price-and-availability-offer",
            "plan",
            "virtual-machine-plan-technical-configuration",
            "submission",
        }
        found[target] = resources["product"]["alias"], resources["submission"]["id"] == api.submission("live")
    assert found == {"draft": ("Renamed", False), "preview": (OFFER, True), "live": (OFFER, True)}


@pytest.mark.parametrize(
    ("setting", "orders", "hosts"),
    [
        ({}, 2, {"schema.mp.microsoft.com", "product-ingestion.azureedge.net"}),
        ({"resource_order": "sorted", "retired_schema": "gone"}, 1, {"schema.mp.microsoft.com"}),
    ],
)
def test_trees_are_shuffled_and_name_an_old_host(
    client: Callable[..., Any], setting: dict[str, str], orders: int, hosts: set[str]
) -> None:
    """The order of a tree is another one each time, and one resource has the retired host, unless set otherwise."""
    api = client(**setting).ingestion
    guid = api.guid()
    trees = [api.get(f"resource-tree/product/{guid}")["resources"] for _ in range(8)]
    seen = {tuple(one["id"] for one in tree) for tree in trees}
    assert (len(seen) >= orders, len(seen) == 1) == (True, orders == 1)
    assert {one["$schema"].split("/")[2] for one in trees[0]} == hosts
    assert {len(tree) for tree in trees} == {6}


def test_a_resource_comes_in_the_version_that_is_asked_for(client: Callable[..., Any]) -> None:
    """The highest version that is not newer than what was asked for is given."""
    api = client().ingestion
    path = api.configuration()["id"]
    wanted = ["2022-03-01-preview2", "2022-03-01-preview3", "2022-03-01-preview5", "2022-07-01", "2021-01-01"]
    found = [api.call("GET", path, params={"$version": one}).json()["$schema"].rpartition("/")[2] for one in wanted]
    ends = ["preview2", "preview3", "preview5", "preview5", "preview2"]
    assert found == [f"2022-03-01-{end}" for end in ends]


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
    client: Callable[..., Any], setting: dict[str, str], going: list[tuple[str, ...]], gone: list[tuple[str, ...]]
) -> None:
    """While a preview goes live and afterwards, the shapes of the list that were seen in the wild."""
    mine = client(history="succeeded", **setting)
    api = mine.ingestion
    old = api.submission("live")
    api.publish()
    mine.portal.clock.advance(**PREVIEW_READY)
    new = api.submission("preview")
    api.go_live(new)
    assert api.shown() == going
    mine.portal.clock.advance(**LIVE_READY)
    assert api.shown() == gone
    assert ({one["id"] for one in api.submissions()[1:]}, new == old) == ({new}, False)
    assert [one["id"] for one in api.submissions(targetType="live")] == [new]


def test_newest_is_by_time_and_not_by_place(client: Callable[..., Any]) -> None:
    """The order of the list is another one each time; the times tell which is newest."""
    mine = client(history="succeeded")
    mine.ingestion.publish()
    guid = mine.ingestion.guid()
    lists = [mine.ingestion.get(f"submission/{guid}")["value"] for _ in range(8)]
    assert len({tuple(one["id"] for one in entries) for entries in lists}) > 1
    newest = {max(entries, key=lambda one: one.get("created", ""))["target"]["targetType"] for entries in lists}
    assert newest == {"preview"}
    assert all("status" not in one and "created" not in one for one in lists[0] if one["id"].endswith("/0"))


@pytest.mark.parametrize(
    ("scenario", "shown"),
    [
        ("failed", [("live", "completed", "succeeded"), ("preview", "completed", "failed")]),
        ("canceled", [("live", "completed", "succeeded")]),
        ("unknown-status", [("live", "completed", "succeeded"), ("preview", "frobnicating", "pending")]),
    ],
)
def test_the_listing_of_a_publication_that_ends_badly(
    client: Callable[..., Any], scenario: str, shown: list[tuple[str, ...]]
) -> None:
    """A failed submission is listed as such, a canceled one is gone, a word that nobody knows stays."""
    mine = client(scenario, history="succeeded")
    mine.ingestion.publish()
    mine.portal.clock.advance(days=10)
    assert mine.ingestion.shown() == shown


def test_a_portal_that_was_stopped_goes_on_where_it_was(client: Callable[..., Any]) -> None:
    """After a stop and another start, jobs, submissions and tokens are as they were, and so is the draft's change."""
    mine = client()
    api, portal = mine.ingestion, mine.portal
    job = api.publish().json()["jobId"]
    portal.clock.advance(**PREVIEW_READY)
    preview = api.submission("preview")
    change = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    portal.stop()
    portal.clock.advance(seconds=5)
    portal.start()
    assert (api.job(job), api.job(change)) == (("completed", "succeeded"), ("completed", "succeeded"))
    assert (api.submission("preview"), api.get(api.product())["alias"]) == (preview, "Renamed")
    assert api.go_live(preview).status_code == 202
    assert (mine.status(), portal.orders_for(OFFER)["golive"]) == ("running", 1)
