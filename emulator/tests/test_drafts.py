# SPDX-License-Identifier: Apache-2.0
"""Drafts that two APIs change: what one writes the other reads, and nothing that only one of them knows is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

OFFER = "contoso-vm"
SCHEMA = "https://schema.mp.microsoft.com/schema"
VHD = "https://contosoimages.blob.core.windows.net/vhds/"
MAIN, CORE = "microsoft-azure-virtualmachines", "microsoft-azure-corevm"
DONE, FAILED = ("completed", "succeeded"), ("completed", "failed")


def image(kind: str, name: str, *disks: str) -> dict[str, Any]:
    """Return an image of this API."""
    data = [{"lunNumber": number, "uri": VHD + disk} for number, disk in enumerate(disks)]
    source = {"sourceType": "sasUri", "osDisk": {"uri": VHD + name}, "dataDisks": data}
    return {"imageType": kind, "source": source}


def change(api: Any, *resources: dict[str, Any], **options: Any) -> tuple[tuple[str, str], list[str]]:
    """Configure resources and let the job end; returns its words and the messages of its errors."""
    job = api.configure(*resources, **options).json()["jobId"]
    api.client.portal.clock.advance(seconds=5)
    errors = api.errors(job)
    return api.job(job), [one["message"] for error in errors for one in error["details"]]


def core_document() -> dict[str, Any]:
    """Return the document of an offer with two generations and what only the portal knows."""
    key = f"{CORE}.vmImagesPublicAzure"
    details = {"label": "Contoso Linux", "mediaName": "contoso-1", "publishedDate": "03/04/2024"}
    old = {"osVhdUrl": f"{VHD}old.vhd", **details, "showInGui": False, "lunVhdDetails": []}
    new = {
        "osVhdUrl": f"{VHD}new.vhd",
        **details,
        "showInGui": True,
        "lunVhdDetails": [{"lun": 3, "vhdUrl": f"{VHD}d"}],
    }
    second = {
        "planId": "gen2",
        f"{CORE}.generation": "2",
        key: {"2024.03.04": {**new, "osVhdUrl": f"{VHD}new-gen2.vhd"}},
    }
    plan = {
        "planId": "gen1",
        f"{CORE}.generation": "1",
        f"{CORE}.skuTitle": "Contoso Linux 9",
        f"{CORE}.hardened": False,
    }
    plan |= {key: {"2024.01.15": old, "2024.03.04": new}, "diskGenerations": [second]}
    texts = {f"{CORE}.allowedSubscriptions": ["59160c40-2e25-4dcf-a2fd-6514cb08bf08"], f"{CORE}.title": "Contoso Linux"}
    definition = {"displayText": "Contoso Linux", "offer": texts, "plans": [plan]}
    return {"offerTypeId": CORE, "publisherId": "contoso", "id": "contoso-core", "definition": definition}


def configuration_of(api: Any, offer: str, plan: str) -> dict[str, Any]:
    """Return a first-party plan's technical configuration."""
    guid = api.get("plan", product=api.product(offer), externalId=plan)["value"][0]["id"].removeprefix("plan/")
    return dict(api.get(f"core-virtual-machine-plan-technical-configuration/{guid}"))


def test_a_draft_job_takes_effect_with_its_end(client: Callable[..., Any]) -> None:
    """The draft is the old one until the job has ended; then it is the new one, for the portal too, with another ETag."""
    mine = client()
    api = mine.ingestion
    before = mine.call("GET", OFFER)
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    mine.portal.clock.advance(seconds=4)
    assert (api.job(job), api.get(api.product())["alias"]) == (("running", "pending"), OFFER)
    assert mine.call("GET", OFFER).headers["ETag"] == before.headers["ETag"]
    mine.portal.clock.advance(seconds=1)
    after = mine.call("GET", OFFER)
    assert (api.job(job), api.get(api.product())["alias"]) == (DONE, "Renamed")
    assert (after.json()["definition"]["displayText"], after.headers["ETag"] == before.headers["ETag"]) == (
        "Renamed",
        False,
    )
    stale = mine.call("PUT", OFFER, data="{}", headers={"If-Match": before.headers["ETag"]})
    assert (stale.status_code, mine.portal.orders_for(OFFER)["publish"]) == (412, 0)


def test_a_draft_job_takes_as_long_as_is_set(client: Callable[..., Any]) -> None:
    """A job that takes no time has ended when it is first looked at."""
    api = client(draft_job=timedelta(0)).ingestion
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    assert (api.job(job), api.get(api.product())["alias"]) == (DONE, "Renamed")


@pytest.mark.parametrize("setting", ["at-once", "later"])
def test_a_draft_job_is_canceled(client: Callable[..., Any], setting: str) -> None:
    """A draft job that is canceled before its end changes nothing, and says so at once."""
    mine = client(cancel_job=setting)
    api = mine.ingestion
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    assert api.call("POST", f"configure/{job}/cancel").json()["jobResult"] == "cancelled"
    mine.portal.clock.advance(minutes=1)
    assert (api.job(job), api.get(api.product())["alias"]) == (("completed", "cancelled"), OFFER)
    assert api.get(f"configure/{job}")["resources"] == []


def test_an_image_version_that_is_configured_is_in_the_portal_s_document(client: Callable[..., Any]) -> None:
    """A new version is an entry of the portal's map; what is there already stays to the letter, deprecated ones too."""
    mine = client()
    api = mine.ingestion
    configuration = api.configuration()
    configuration["vmImageVersions"].append(
        {
            "versionNumber": "1.10.0",
            "lifecycleState": "generallyAvailable",
            "vmImages": [image("x64Gen1", "new", "data")],
        }
    )
    before = mine.get(OFFER)["definition"]["plans"][0][f"{MAIN}.vmImages"]
    assert change(api, configuration) == (DONE, [])
    images = mine.get(OFFER)["definition"]["plans"][0][f"{MAIN}.vmImages"]
    new = {"osVhdUrl": f"{VHD}new", "lunVhdDetails": [{"lun": 0, "vhdUrl": f"{VHD}data"}]}
    assert images == {**before, "1.10.0": new}
    numbers = [one["versionNumber"] for one in api.configuration()["vmImageVersions"]]
    assert (numbers, api.configuration()) == (["1.0.0", "1.10.0"], configuration)


def test_an_image_version_that_the_portal_stores_is_in_the_configuration(client: Callable[..., Any]) -> None:
    """A PUT of the portal adds a version, a hidden one is deprecated, and one that is shown again is not."""
    mine = client()
    api = mine.ingestion
    for shown, state in ((False, "deprecated"), (True, "generallyAvailable")):
        document = mine.get(OFFER)
        images = document["definition"]["plans"][0][f"{MAIN}.vmImages"]
        images["2.0.0"] = {"osVhdUrl": f"{VHD}two", "lunVhdDetails": [], "showInGui": shown}
        assert mine.call("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"}).status_code == 200
        version = api.configuration()["vmImageVersions"][1]
        assert (version["versionNumber"], version["lifecycleState"]) == ("2.0.0", state)
        assert version["vmImages"] == [image("x64Gen1", "two")]


def test_two_generations_go_both_ways(client: Callable[..., Any]) -> None:
    """Disk generations are SKUs of other image types; what only the portal knows survives a configure job."""
    mine = client()
    mine.portal.add_offer("contoso-core", document=core_document())
    api = mine.ingestion
    found = configuration_of(api, "contoso-core", "gen1")
    assert found["skus"] == [{"imageType": "x64Gen1", "skuId": "gen1"}, {"imageType": "x64Gen2", "skuId": "gen2"}]
    shown = [(one["versionNumber"], one["lifecycleState"], len(one["vmImages"])) for one in found["vmImageVersions"]]
    assert shown == [("2024.01.15", "deprecated", 1), ("2024.03.04", "generallyAvailable", 2)]
    assert found["vmImageVersions"][1]["vmImages"][0]["source"]["dataDisks"] == [{"lunNumber": 3, "uri": f"{VHD}d"}]
    product = api.get(api.product("contoso-core"))
    assert (product["type"], product["alias"]) == ("coreVirtualMachine", "Contoso Linux")
    before = mine.get("contoso-core")["definition"]
    found["vmImageVersions"].append(
        {"versionNumber": "2024.5.6", "vmImages": [image("x64Gen2", "g2"), image("x64Gen1", "g1")]}
    )
    assert change(api, found) == (DONE, [])
    after, key = mine.get("contoso-core")["definition"], f"{CORE}.vmImagesPublicAzure"
    plan = before["plans"][0]
    plan[key]["2024.5.6"] = {"osVhdUrl": f"{VHD}g1", "lunVhdDetails": []}
    plan["diskGenerations"][0][key]["2024.5.6"] = {"osVhdUrl": f"{VHD}g2", "lunVhdDetails": []}
    assert after == before


def test_fields_that_only_one_api_knows_are_kept(client: Callable[..., Any]) -> None:
    """What a resource says that the document has no place for comes back, after a PUT too, and the other way round."""
    mine = client()
    api = mine.ingestion
    configuration = api.configuration() | {"softwareType": "appliance", "openPorts": [{"port": 22}]}
    configuration["skus"] = [{"imageType": "x64Gen2", "skuId": "gold", "securityType": ["trusted"]}]
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"date": "2030-01-01", "reason": "other"}}
    version["vmImages"][0] |= {"imageType": "x64Gen2", "note": "kept"}
    listing = {"$schema": f"{SCHEMA}/listing/2022-03-01-preview3", "product": api.product(), "title": "Contoso"}
    assert change(api, configuration, listing) == (DONE, [])
    document = mine.get(OFFER)
    document["definition"]["offer"]["own"] = "kept"
    document["definition"]["plans"][0] |= {"own": "kept"}
    mine.call("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"})
    assert api.configuration() == configuration
    assert api.get(f"listing/{api.guid()}/public/main/default/en-us")["title"] == "Contoso"
    assert change(api, api.configuration()) == (DONE, [])
    kept = mine.get(OFFER)["definition"]
    assert (kept["offer"]["own"], kept["plans"][0]["own"]) == ("kept", "kept")


def test_people_and_plans_go_both_ways(client: Callable[..., Any]) -> None:
    """The preview's audience, titles and new plans are one thing with two spellings."""
    mine = client()
    api = mine.ingestion
    guid = api.guid()
    audience = api.get(f"price-and-availability-offer/{guid}")
    people = [{"type": "subscription", "id": "a", "label": "one"}, {"type": "tenant", "id": "b", "label": ""}]
    silver = {"$schema": f"{SCHEMA}/plan/2022-03-01-preview2", "identity": {"externalId": "silver"}, "alias": "Silver"}
    images = {"$schema": f"{SCHEMA}/virtual-machine-plan-technical-configuration/2022-03-01-preview5"}
    images |= {"plan": {"resourceName": "new"}, "skus": [{"imageType": "x64Gen2", "skuId": "silver"}]}
    images["vmImageVersions"] = [{"versionNumber": "1.0.0", "vmImages": [image("x64Gen2", "silver")]}]
    product = {"product": {"externalId": OFFER}}
    resources = [audience | {"previewAudiences": people}, silver | product | {"resourceName": "new"}, images | product]
    assert change(api, *resources) == (DONE, [])
    definition = mine.get(OFFER)["definition"]
    assert definition["offer"]["microsoft-azure-marketplace.allowedSubscriptions"] == ["a"]
    assert [(plan["planId"], plan[f"{MAIN}.skuTitle"]) for plan in definition["plans"]] == [
        ("gold", "Gold"),
        ("silver", "Silver"),
    ]
    assert definition["plans"][1][f"{MAIN}.vmImages"]["1.0.0"]["osVhdUrl"] == f"{VHD}silver"
    assert api.get(f"price-and-availability-offer/{guid}")["previewAudiences"] == people
    found = api.configuration(plan="silver")
    assert "resourceName" not in api.get(found["plan"])
    deleted = api.get(found["plan"]) | {"lifecycleState": "deleted"}
    assert change(api, deleted) == (DONE, [])
    assert [one["identity"]["externalId"] for one in api.get("plan", product=api.product())["value"]] == ["gold"]


def test_a_product_is_made(client: Callable[..., Any]) -> None:
    """A product that is configured for the first time is an offer of the portal; without a name it is refused."""
    mine = client()
    api = mine.ingestion
    new = {"$schema": f"{SCHEMA}/product/2022-03-01-preview3", "type": "azureVirtualMachine", "alias": "New"}
    assert api.configure(new).status_code == 400
    assert change(api, new | {"identity": {"externalId": "new-one"}}) == (DONE, [])
    assert mine.get("new-one")["definition"]["displayText"] == "New"
    assert api.get(api.product("new-one"))["type"] == "azureVirtualMachine"


def test_some_resources_are_published_with_their_change(client: Callable[..., Any]) -> None:
    """A publish of some resources changes the draft and publishes it in one job; it needs the property resource."""
    mine = client()
    api = mine.ingestion
    product = api.get(api.product()) | {"alias": "Renamed"}
    job = api.publish(product).json()["jobId"]
    mine.portal.clock.advance(seconds=5)
    assert (api.job(job), api.errors(job)[0]["details"][0]["code"]) == (FAILED, "businessValidationError")
    assert (api.shown(), api.get(api.product())["alias"]) == ([], OFFER)
    own = api.get(f"property/{api.guid()}/public/main")
    assert own["$schema"].startswith("https://product-ingestion.azureedge.net/")
    assert api.publish(product, own).status_code == 400
    own["$schema"] = f"{SCHEMA}/property/2022-03-01-preview3"
    job = api.publish(product, own).json()["jobId"]
    mine.portal.clock.advance(days=4)
    tree = api.get(f"resource-tree/product/{api.guid()}", targetType="preview")["resources"]
    assert (api.job(job), [one["alias"] for one in tree if one["id"] == api.product()]) == (DONE, ["Renamed"])
    assert len(api.get(f"configure/{job}")["resources"]) == 3
    live = api.order("live") | {"id": api.submission("preview")}
    assert api.configure(product, live).status_code == 400


def test_the_property_may_be_left_out(client: Callable[..., Any]) -> None:
    """Without that rule some resources are published by themselves."""
    api = client(modular_needs="nothing").ingestion
    api.publish(api.get(api.product()) | {"alias": "Renamed"})
    assert api.shown() == [("preview", "running", "pending")]


def wrong_number(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"].append({"versionNumber": "2", "vmImages": []})


def twice(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"].append(copy.deepcopy(configuration["vmImageVersions"][0]))


def no_sku(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"].append({"versionNumber": "2.0.0", "vmImages": [image("arm64Gen2", "x")]})


def security(configuration: dict[str, Any]) -> None:
    configuration["skus"][0]["securityType"] = ["trusted"]


def nameless(configuration: dict[str, Any]) -> None:
    configuration["skus"].append({"imageType": "x64Gen2"})


def no_reason(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"][0]["deprecationSchedule"] = {"date": "2030-01-01", "reason": None}


def null(configuration: dict[str, Any]) -> None:
    configuration["vmProperties"] = {"supportsBackup": None}


def too_many(configuration: dict[str, Any]) -> None:
    more = [{"versionNumber": f"2.0.{number}", "vmImages": [image("x64Gen1", "x")]} for number in range(100)]
    configuration["vmImageVersions"] += more


def drop(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"] = []


def delete(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"][0]["lifecycleState"] = "deleted"


def other_image(configuration: dict[str, Any]) -> None:
    configuration["vmImageVersions"][0]["vmImages"] = [image("x64Gen1", "other")]


def rename(configuration: dict[str, Any]) -> None:
    configuration["skus"][0]["skuId"] = "golden"


RULES: list[tuple[Callable[[dict[str, Any]], None], bool, str]] = [
    (wrong_number, False, "#/vmImageVersions/1/versionNumber: Expected a string that matches"),
    (twice, False, "The image version 1.0.0 is there twice."),
    (no_sku, False, "There is no SKU for the image type arm64Gen2."),
    (security, False, "A security type is only allowed for x64Gen2."),
    (nameless, False, '#/skus/1: Required properties ["imageType", "skuId"]'),
    (no_reason, False, "#/vmImageVersions/0/deprecationSchedule/reason: Expected value to match one of"),
    (null, False, "#/vmProperties/supportsBackup: Expected type boolean"),
    (too_many, False, "A SKU has at most 100 image versions."),
    (drop, True, "The image version 1.0.0 was published before and cannot be removed; restore"),
    (delete, True, "The image version 1.0.0 was published before and cannot be removed; restore"),
    (other_image, True, "The image version 1.0.0 was published before and cannot be changed."),
    (rename, True, "The property 'PlanId' is locked by a previous submission."),
]


@pytest.mark.parametrize(("spoil", "only_published", "text"), RULES)
def test_what_a_configuration_must_be(
    client: Callable[..., Any],
    spoil: Callable[[dict[str, Any]], None],
    only_published: bool,  # noqa: FBT001 - a parameter of the table
    text: str,
) -> None:
    """Each rule fails the job with its text and leaves the draft alone; some hold for what was published only."""
    mine = client(history="succeeded" if only_published else None)
    api = mine.ingestion
    configuration = api.configuration()
    changed = copy.deepcopy(configuration)
    spoil(changed)
    words, messages = change(api, changed)
    assert (words, [message[: len(text)] for message in messages]) == (FAILED, [text])
    assert api.configuration() == configuration
    if only_published:
        mine.portal.add_offer("second")
        other = api.configuration("second")
        spoil(other)
        assert change(api, other) == (DONE, [])


def test_a_schedule_that_was_published_stays(client: Callable[..., Any]) -> None:
    """A version may be deprecated after it was published, but the schedule that was published is not changed."""
    mine = client(history="succeeded")
    api = mine.ingestion
    configuration = api.configuration()
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"dateOffset": "P90D", "reason": "other"}}
    assert change(api, configuration) == (DONE, [])
    api.publish()
    mine.portal.clock.advance(days=4)
    configuration = api.configuration()
    del configuration["vmImageVersions"][0]["deprecationSchedule"]["dateOffset"]
    text = "The deprecation schedule for image 1.0.0 is already published and can not be changed in draft."
    assert change(api, configuration) == (FAILED, [text])


def test_nulls_are_given_and_not_taken(client: Callable[..., Any]) -> None:
    """If that is set, a configuration has nulls in two places that were seen, each of which is refused when sent back."""
    api = client(null_values="given", draft_job=timedelta(0)).ingestion
    configuration = api.configuration()
    assert configuration["vmProperties"] == {"supportsHibernation": None}
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"date": "2030-01-01", "reason": "other"}}
    assert change(api, configuration)[0] == FAILED
    configuration["vmProperties"] = {"supportsBackup": False}
    assert change(api, configuration)[0] == DONE
    found = api.configuration()
    assert found["vmProperties"] == {"supportsHibernation": None, "supportsBackup": False}
    assert found["vmImageVersions"][0]["deprecationSchedule"] == {"date": "2030-01-01", "reason": None}
    del found["vmProperties"]
    assert change(api, found)[0] == FAILED


def test_one_version_at_a_time(client: Callable[..., Any]) -> None:
    """If that is set, a plan that was published takes one new version, and no two."""
    mine = client(history="succeeded", new_versions="one")
    api = mine.ingestion
    configuration = api.configuration()
    for number, words in (("2.0.0", DONE), ("3.0.0", FAILED)):
        configuration["vmImageVersions"].append({"versionNumber": number, "vmImages": [image("x64Gen1", number)]})
        assert change(api, configuration)[0] == words


def test_a_plan_that_was_published_is_not_deleted(client: Callable[..., Any]) -> None:
    """Deleting a plan is for drafts that were never published."""
    api = client(history="succeeded").ingestion
    plan = api.get(api.configuration()["plan"]) | {"lifecycleState": "deleted"}
    assert change(api, plan)[0] == FAILED


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (
            {"$schema": f"{SCHEMA}/virtual-machine-plan-technical-configuration/1", "plan": {"externalId": "x"}},
            "does not exist",
        ),
        ({"$schema": f"{SCHEMA}/virtual-machine-plan-technical-configuration/1"}, "does not exist"),
        ({"$schema": f"{SCHEMA}/listing/1", "id": "listing/00000000-0000-0000-0000-000000000000/x"}, "is no id"),
        ({"$schema": f"{SCHEMA}/listing/1", "id": "property/{guid}/x"}, "is no id"),
    ],
)
def test_a_reference_that_leads_nowhere(client: Callable[..., Any], resource: dict[str, Any], text: str) -> None:
    """A plan that does not exist and an id of something else are refused at once."""
    api = client().ingestion
    own = {
        name: value.replace("{guid}", api.guid()) if isinstance(value, str) else value
        for name, value in resource.items()
    }
    answer = api.configure(own | {"product": api.product()})
    assert (answer.status_code, text in answer.json()["error"]["details"][0]["message"]) == (400, True)


def test_a_plan_s_skus_have_ids_of_their_own(client: Callable[..., Any]) -> None:
    """A plan whose SKUs are named otherwise than the plan itself comes back as it was configured, with ARM too."""
    api = client().ingestion
    configuration = api.configuration()
    kinds = {"gold-gen2": "x64Gen2", "gold-gen1": "x64Gen1", "gold-arm64": "arm64Gen2"}
    configuration["skus"] = [{"imageType": kind, "skuId": name} for name, kind in kinds.items()]
    images = [image(kind, name) for name, kind in kinds.items()]
    configuration["vmImageVersions"] = [
        {"versionNumber": "3.0.0", "lifecycleState": "generallyAvailable", "vmImages": images}
    ]
    assert change(api, configuration) == (DONE, [])
    assert api.configuration() == configuration
    configuration["skus"] = configuration["skus"][:1]
    configuration["vmImageVersions"][0]["vmImages"] = images[:1]
    assert change(api, configuration) == (DONE, [])
    assert api.configuration() == configuration
    del configuration["skus"], configuration["vmImageVersions"]
    assert change(api, configuration | {"openPorts": []}) == (DONE, [])
    assert api.configuration()["vmImageVersions"] != []


@pytest.mark.parametrize(
    ("fields", "plan", "skus"),
    [
        ({}, "gold", ["x64Gen1"]),
        ({"diskGenerations": [{"planId": "gold-gen1"}]}, "gold", ["x64Gen2", "x64Gen1"]),
        ({"diskGenerations": [{"planId": "other"}]}, "gold", ["x64Gen1", "x64Gen2"]),
        ({f"{MAIN}.vmImagesArchitecture": "Arm64"}, "gold", ["arm64Gen2"]),
        ({"diskGenerations": [{"planId": "gold-arm64"}]}, "gold-gen2", ["x64Gen2", "arm64Gen2"]),
    ],
)
def test_the_generations_of_a_document(
    client: Callable[..., Any], fields: dict[str, Any], plan: str, skus: list[str]
) -> None:
    """A generation is told by what the plan says of it, else by its id, else as what the other one is not."""
    mine = client()
    definition = {"plans": [{"planId": plan, **fields}]}
    mine.portal.add_offer(OFFER, document={"offerTypeId": MAIN, "id": OFFER, "definition": definition})
    assert [one["imageType"] for one in mine.ingestion.configuration(plan=plan)["skus"]] == skus


def test_a_shared_image_goes_both_ways(client: Callable[..., Any]) -> None:
    """An image of a gallery has no place in the portal's document as it is documented, and is kept there all the same."""
    api = client().ingestion
    configuration = api.configuration()
    shared = {"sourceType": "sharedImageGallery", "sharedImage": {"tenantId": "t", "resourceId": "/subscriptions/s"}}
    version = {"versionNumber": "2.0.0", "vmImages": [{"imageType": "x64Gen1", "source": shared}]}
    configuration["vmImageVersions"].append(version | {"lifecycleState": "generallyAvailable"})
    assert change(api, configuration) == (DONE, [])
    assert api.configuration() == configuration


def spoiled(value: Any, junk: Any) -> Iterator[Any]:
    """Return a body once for each of its places, with something else in that place."""
    yield junk
    if isinstance(value, dict):
        for name, part in value.items():
            yield from ({**value, name: other} for other in spoiled(part, junk))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from ([*value[:number], other, *value[number + 1 :]] for other in spoiled(part, junk))


@pytest.mark.parametrize("junk", [None, ["x"], {"x": 1}])
def test_whatever_is_sent_is_answered(client: Callable[..., Any], junk: Any) -> None:
    """A body that is wrong in any one place is taken or refused, and the product can still be read and published."""
    mine = client(draft_job=timedelta(0))
    api = mine.ingestion
    guid, configuration = api.guid(), api.configuration()
    configuration["skus"][0]["securityType"] = []
    version = configuration["vmImageVersions"][0]
    version["deprecationSchedule"] = {"date": "2030-01-01", "reason": "other"}
    version["vmImages"][0]["source"]["dataDisks"] = [{"lunNumber": 0, "uri": VHD}]
    audience = api.get(f"price-and-availability-offer/{guid}") | {
        "previewAudiences": [{"type": "subscription", "id": "a"}]
    }
    listing = {"$schema": f"{SCHEMA}/listing/1", "product": {"externalId": OFFER}, "languageId": "en-us"}
    resources = [api.get(api.product()), api.get(configuration["plan"]), configuration, audience, listing]
    body = {"$schema": f"{SCHEMA}/configure/2022-03-01-preview2", "resources": resources}
    codes = []
    for other in spoiled(body, junk):
        codes.append(api.call("POST", "configure", data=json.dumps(other)).status_code)
        if codes[-1] == 202:
            assert len(api.get(f"resource-tree/product/{guid}")["resources"]) >= 6
    assert (set(codes), len(codes) > 50) == ({202, 400}, True)
    assert api.publish().status_code == 202
