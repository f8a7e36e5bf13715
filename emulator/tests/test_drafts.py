# SPDX-License-Identifier: Apache-2.0
"""Drafts that both APIs change: each reads what the other writes, and fields of only one API are kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from emulator_client import OFFER, Client, ProductIngestionClient

SCHEMA = "https://schema.mp.microsoft.com/schema"
VHD = "https://contosoimages.blob.core.windows.net/vhds/"
MAIN, CORE = "microsoft-azure-virtualmachines", "microsoft-azure-corevm"
DONE, FAILED = ("completed", "succeeded"), ("completed", "failed")


def image(kind: str, name: str, *disks: str) -> dict[str, Any]:
    """Return an image of the Product Ingestion API."""
    data = [{"lunNumber": number, "uri": VHD + disk} for number, disk in enumerate(disks)]
    source = {"sourceType": "sasUri", "osDisk": {"uri": VHD + name}, "dataDisks": data}
    return {"imageType": kind, "source": source}


def change(
    api: ProductIngestionClient, *resources: dict[str, Any], **options: Any
) -> tuple[tuple[str, str], list[str]]:
    """Configure resources and let the job end; return its status, its result and the messages of its errors."""
    job = api.configure(*resources, **options).json()["jobId"]
    api.client.emulator.clock.advance(seconds=5)
    errors = api.errors(job)
    return api.job(job), [one["message"] for error in errors for one in error["details"]]


def core_document() -> dict[str, Any]:
    """Return the document of an offer with two generations and fields that only the CPP API has."""
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


def configuration_of(api: ProductIngestionClient, offer: str, plan: str) -> dict[str, Any]:
    """Return a first-party plan's technical configuration."""
    guid = api.get("plan", product=api.product(offer), externalId=plan)["value"][0]["id"].removeprefix("plan/")
    return dict(api.get(f"core-virtual-machine-plan-technical-configuration/{guid}"))


def test_a_draft_job_takes_effect_at_its_end(start_client: Callable[..., Client]) -> None:
    """A draft job changes the draft of both APIs, and its ETag, when the job ends and not before."""
    client = start_client()
    api = client.product_ingestion
    before = client.request("GET", OFFER)
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    client.emulator.clock.advance(seconds=4)
    assert api.job(job) == ("running", "pending")
    assert api.get(api.product())["alias"] == OFFER
    assert client.request("GET", OFFER).headers["ETag"] == before.headers["ETag"]
    client.emulator.clock.advance(seconds=1)
    after = client.request("GET", OFFER)
    assert api.job(job) == DONE
    assert api.get(api.product())["alias"] == "Renamed"
    assert after.json()["definition"]["displayText"] == "Renamed"
    assert after.headers["ETag"] != before.headers["ETag"]
    stale = client.request("PUT", OFFER, data="{}", headers={"If-Match": before.headers["ETag"]})
    assert stale.status_code == 412
    assert client.emulator.submits_for(OFFER)["publish"] == 0


def test_the_duration_of_a_draft_job_is_a_setting(start_client: Callable[..., Client]) -> None:
    """With a duration of zero, a draft job has ended at the first poll."""
    api = start_client(draft_job=timedelta(0)).product_ingestion
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    assert api.job(job) == DONE
    assert api.get(api.product())["alias"] == "Renamed"


@pytest.mark.parametrize("setting", ["at-once", "later"])
def test_a_draft_job_is_canceled(start_client: Callable[..., Client], setting: str) -> None:
    """A draft job that is canceled before its end changes nothing, and is canceled at once."""
    client = start_client(cancel_job=setting)
    api = client.product_ingestion
    job = api.configure(api.get(api.product()) | {"alias": "Renamed"}).json()["jobId"]
    assert api.request("POST", f"configure/{job}/cancel").json()["jobResult"] == "cancelled"
    client.emulator.clock.advance(minutes=1)
    assert api.job(job) == ("completed", "cancelled")
    assert api.get(api.product())["alias"] == OFFER
    assert api.get(f"configure/{job}")["resources"] == []


def test_a_configured_image_version_is_in_the_document(start_client: Callable[..., Client]) -> None:
    """A new version is an entry of the document's map, and the existing entries stay unchanged."""
    client = start_client()
    api = client.product_ingestion
    configuration = api.configuration()
    configuration["vmImageVersions"].append(
        {
            "versionNumber": "1.10.0",
            "lifecycleState": "generallyAvailable",
            "vmImages": [image("x64Gen1", "new", "data")],
        }
    )
    before = client.get(OFFER)["definition"]["plans"][0][f"{MAIN}.vmImages"]
    assert change(api, configuration) == (DONE, [])
    images = client.get(OFFER)["definition"]["plans"][0][f"{MAIN}.vmImages"]
    new = {"osVhdUrl": f"{VHD}new", "lunVhdDetails": [{"lun": 0, "vhdUrl": f"{VHD}data"}]}
    assert images == {**before, "1.10.0": new}
    numbers = [one["versionNumber"] for one in api.configuration()["vmImageVersions"]]
    assert numbers == ["1.0.0", "1.10.0"]
    assert api.configuration() == configuration


def test_an_image_version_of_the_document_is_in_the_configuration(start_client: Callable[..., Client]) -> None:
    """A PUT through the CPP API adds a version; a hidden one is deprecated, a shown one is not."""
    client = start_client()
    api = client.product_ingestion
    for show_in_gui, state in ((False, "deprecated"), (True, "generallyAvailable")):
        document = client.get(OFFER)
        images = document["definition"]["plans"][0][f"{MAIN}.vmImages"]
        images["2.0.0"] = {"osVhdUrl": f"{VHD}two", "lunVhdDetails": [], "showInGui": show_in_gui}
        assert client.request("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"}).status_code == 200
        version = api.configuration()["vmImageVersions"][1]
        assert version["versionNumber"] == "2.0.0"
        assert version["lifecycleState"] == state
        assert version["vmImages"] == [image("x64Gen1", "two")]


def test_two_generations_are_converted_both_ways(start_client: Callable[..., Client]) -> None:
    """Disk generations become SKUs of other image types, and fields of only the CPP API survive a configure job."""
    client = start_client()
    client.emulator.add_offer("contoso-core", document=core_document())
    api = client.product_ingestion
    configuration = configuration_of(api, "contoso-core", "gen1")
    assert configuration["skus"] == [
        {"imageType": "x64Gen1", "skuId": "gen1"},
        {"imageType": "x64Gen2", "skuId": "gen2"},
    ]
    versions = [
        (one["versionNumber"], one["lifecycleState"], len(one["vmImages"])) for one in configuration["vmImageVersions"]
    ]
    assert versions == [("2024.01.15", "deprecated", 1), ("2024.03.04", "generallyAvailable", 2)]
    assert configuration["vmImageVersions"][1]["vmImages"][0]["source"]["dataDisks"] == [
        {"lunNumber": 3, "uri": f"{VHD}d"}
    ]
    product = api.get(api.product("contoso-core"))
    assert product["type"] == "coreVirtualMachine"
    assert product["alias"] == "Contoso Linux"
    before = client.get("contoso-core")["definition"]
    configuration["vmImageVersions"].append(
        {"versionNumber": "2024.5.6", "vmImages": [image("x64Gen2", "g2"), image("x64Gen1", "g1")]}
    )
    assert change(api, configuration) == (DONE, [])
    after, key = client.get("contoso-core")["definition"], f"{CORE}.vmImagesPublicAzure"
    plan = before["plans"][0]
    plan[key]["2024.5.6"] = {"osVhdUrl": f"{VHD}g1", "lunVhdDetails": []}
    plan["diskGenerations"][0][key]["2024.5.6"] = {"osVhdUrl": f"{VHD}g2", "lunVhdDetails": []}
    assert after == before


def test_fields_of_only_one_api_are_kept(start_client: Callable[..., Client]) -> None:
    """Fields that only one API has survive writes through the other one."""
    client = start_client()
    api = client.product_ingestion
    configuration = api.configuration() | {"softwareType": "appliance", "openPorts": [{"port": 22}]}
    configuration["skus"] = [{"imageType": "x64Gen2", "skuId": "gold", "securityType": ["trusted"]}]
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"date": "2030-01-01", "reason": "other"}}
    version["vmImages"][0] |= {"imageType": "x64Gen2", "note": "kept"}
    listing = {"$schema": f"{SCHEMA}/listing/2022-03-01-preview3", "product": api.product(), "title": "Contoso"}
    assert change(api, configuration, listing) == (DONE, [])
    document = client.get(OFFER)
    document["definition"]["offer"]["own"] = "kept"
    document["definition"]["plans"][0] |= {"own": "kept"}
    client.request("PUT", OFFER, data=json.dumps(document), headers={"If-Match": "*"})
    assert api.configuration() == configuration
    assert api.get(f"listing/{api.guid()}/public/main/default/en-us")["title"] == "Contoso"
    assert change(api, api.configuration()) == (DONE, [])
    kept = client.get(OFFER)["definition"]
    assert kept["offer"]["own"] == "kept"
    assert kept["plans"][0]["own"] == "kept"


def test_audiences_and_plans_are_converted_both_ways(start_client: Callable[..., Client]) -> None:
    """The preview audience, titles and new plans are converted between the two APIs."""
    client = start_client()
    api = client.product_ingestion
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
    definition = client.get(OFFER)["definition"]
    assert definition["offer"]["microsoft-azure-marketplace.allowedSubscriptions"] == ["a"]
    assert [(plan["planId"], plan[f"{MAIN}.skuTitle"]) for plan in definition["plans"]] == [
        ("gold", "Gold"),
        ("silver", "Silver"),
    ]
    assert definition["plans"][1][f"{MAIN}.vmImages"]["1.0.0"]["osVhdUrl"] == f"{VHD}silver"
    assert api.get(f"price-and-availability-offer/{guid}")["previewAudiences"] == people
    configuration = api.configuration(plan="silver")
    assert "resourceName" not in api.get(configuration["plan"])
    deleted = api.get(configuration["plan"]) | {"lifecycleState": "deleted"}
    assert change(api, deleted) == (DONE, [])
    assert [one["identity"]["externalId"] for one in api.get("plan", product=api.product())["value"]] == ["gold"]


def test_a_product_is_created(start_client: Callable[..., Client]) -> None:
    """A product that is configured for the first time becomes an offer; without an external id it is rejected."""
    client = start_client()
    api = client.product_ingestion
    new = {"$schema": f"{SCHEMA}/product/2022-03-01-preview3", "type": "azureVirtualMachine", "alias": "New"}
    assert api.configure(new).status_code == 400
    assert change(api, new | {"identity": {"externalId": "new-one"}}) == (DONE, [])
    assert client.get("new-one")["definition"]["displayText"] == "New"
    assert api.get(api.product("new-one"))["type"] == "azureVirtualMachine"


def test_a_modular_publish_also_changes_the_draft(start_client: Callable[..., Client]) -> None:
    """A publish of some resources changes the draft and publishes it in one job, and requires the property resource."""
    client = start_client()
    api = client.product_ingestion
    product = api.get(api.product()) | {"alias": "Renamed"}
    job = api.publish(product).json()["jobId"]
    client.emulator.clock.advance(seconds=5)
    assert api.job(job) == FAILED
    assert api.errors(job)[0]["details"][0]["code"] == "businessValidationError"
    assert api.statuses() == []
    assert api.get(api.product())["alias"] == OFFER
    own = api.get(f"property/{api.guid()}/public/main")
    assert own["$schema"].startswith("https://product-ingestion.azureedge.net/")
    assert api.publish(product, own).status_code == 400
    own["$schema"] = f"{SCHEMA}/property/2022-03-01-preview3"
    job = api.publish(product, own).json()["jobId"]
    client.emulator.clock.advance(days=4)
    tree = api.get(f"resource-tree/product/{api.guid()}", targetType="preview")["resources"]
    assert api.job(job) == DONE
    assert [one["alias"] for one in tree if one["id"] == api.product()] == ["Renamed"]
    assert len(api.get(f"configure/{job}")["resources"]) == 3
    live = api.new_submission("live") | {"id": api.submission("preview")}
    assert api.configure(product, live).status_code == 400


def test_a_modular_publish_can_omit_the_property(start_client: Callable[..., Client]) -> None:
    """Without the rule, some resources are published without the property resource."""
    api = start_client(modular_needs="nothing").product_ingestion
    api.publish(api.get(api.product()) | {"alias": "Renamed"})
    assert api.statuses() == [("preview", "running", "pending")]


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
def test_an_invalid_configuration_fails_the_job(
    start_client: Callable[..., Client],
    spoil: Callable[[dict[str, Any]], None],
    only_published: bool,  # noqa: FBT001 - a parameter of the table
    text: str,
) -> None:
    """Each violated rule fails the job with its text and changes nothing; some rules apply only after a publication."""
    client = start_client(history="succeeded" if only_published else None)
    api = client.product_ingestion
    configuration = api.configuration()
    changed = copy.deepcopy(configuration)
    spoil(changed)
    words, messages = change(api, changed)
    assert words == FAILED
    assert [message[: len(text)] for message in messages] == [text]
    assert api.configuration() == configuration
    if only_published:
        client.emulator.add_offer("second")
        other = api.configuration("second")
        spoil(other)
        assert change(api, other) == (DONE, [])


def test_a_published_deprecation_schedule_cannot_change(start_client: Callable[..., Client]) -> None:
    """A published version can be deprecated, but its published deprecation schedule cannot change."""
    client = start_client(history="succeeded")
    api = client.product_ingestion
    configuration = api.configuration()
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"dateOffset": "P90D", "reason": "other"}}
    assert change(api, configuration) == (DONE, [])
    api.publish()
    client.emulator.clock.advance(days=4)
    configuration = api.configuration()
    del configuration["vmImageVersions"][0]["deprecationSchedule"]["dateOffset"]
    text = "The deprecation schedule for image 1.0.0 is already published and can not be changed in draft."
    assert change(api, configuration) == (FAILED, [text])


def test_nulls_are_returned_but_not_accepted(start_client: Callable[..., Client]) -> None:
    """With the setting, a configuration has nulls in two places, and each is rejected when it is sent back."""
    api = start_client(null_values="given", draft_job=timedelta(0)).product_ingestion
    configuration = api.configuration()
    assert configuration["vmProperties"] == {"supportsHibernation": None}
    version = configuration["vmImageVersions"][0]
    version |= {"lifecycleState": "deprecated", "deprecationSchedule": {"date": "2030-01-01", "reason": "other"}}
    assert change(api, configuration)[0] == FAILED
    configuration["vmProperties"] = {"supportsBackup": False}
    assert change(api, configuration)[0] == DONE
    returned = api.configuration()
    assert returned["vmProperties"] == {"supportsHibernation": None, "supportsBackup": False}
    assert returned["vmImageVersions"][0]["deprecationSchedule"] == {"date": "2030-01-01", "reason": None}
    del returned["vmProperties"]
    assert change(api, returned)[0] == FAILED


def test_only_one_image_version_can_be_unpublished(start_client: Callable[..., Client]) -> None:
    """With the setting, a published plan accepts one new version but not two."""
    client = start_client(history="succeeded", new_versions="one")
    api = client.product_ingestion
    configuration = api.configuration()
    for number, words in (("2.0.0", DONE), ("3.0.0", FAILED)):
        configuration["vmImageVersions"].append({"versionNumber": number, "vmImages": [image("x64Gen1", number)]})
        assert change(api, configuration)[0] == words


def test_a_published_plan_cannot_be_deleted(start_client: Callable[..., Client]) -> None:
    """Only a plan that was never published can be deleted."""
    api = start_client(history="succeeded").product_ingestion
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
def test_an_invalid_reference_is_rejected(
    start_client: Callable[..., Client], resource: dict[str, Any], text: str
) -> None:
    """A reference to an unknown plan, or an id of another resource, is rejected at once."""
    api = start_client().product_ingestion
    own = {
        name: value.replace("{guid}", api.guid()) if isinstance(value, str) else value
        for name, value in resource.items()
    }
    response = api.configure(own | {"product": api.product()})
    assert response.status_code == 400
    assert text in response.json()["error"]["details"][0]["message"]


def test_skus_have_their_own_ids(start_client: Callable[..., Client]) -> None:
    """A plan whose SKUs have other ids than the plan is returned as it was configured, also with ARM."""
    api = start_client().product_ingestion
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
    start_client: Callable[..., Client], fields: dict[str, Any], plan: str, skus: list[str]
) -> None:
    """A generation is inferred from the plan's fields, else from its id, else as the opposite of the other one."""
    client = start_client()
    definition = {"plans": [{"planId": plan, **fields}]}
    client.emulator.add_offer(OFFER, document={"offerTypeId": MAIN, "id": OFFER, "definition": definition})
    assert [one["imageType"] for one in client.product_ingestion.configuration(plan=plan)["skus"]] == skus


def test_a_shared_image_is_converted_both_ways(start_client: Callable[..., Client]) -> None:
    """A shared gallery image, which the CPP API does not document, is kept in its document."""
    api = start_client().product_ingestion
    configuration = api.configuration()
    shared = {"sourceType": "sharedImageGallery", "sharedImage": {"tenantId": "t", "resourceId": "/subscriptions/s"}}
    version = {"versionNumber": "2.0.0", "vmImages": [{"imageType": "x64Gen1", "source": shared}]}
    configuration["vmImageVersions"].append(version | {"lifecycleState": "generallyAvailable"})
    assert change(api, configuration) == (DONE, [])
    assert api.configuration() == configuration


def spoiled(value: Any, junk: Any) -> Iterator[Any]:
    """Return the body once for each of its values, with that value replaced."""
    yield junk
    if isinstance(value, dict):
        for name, part in value.items():
            yield from ({**value, name: other} for other in spoiled(part, junk))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from ([*value[:number], other, *value[number + 1 :]] for other in spoiled(part, junk))


@pytest.mark.parametrize("junk", [None, ["x"], {"x": 1}])
def test_every_malformed_body_gets_a_response(start_client: Callable[..., Client], junk: Any) -> None:
    """A body with any single value replaced is accepted or rejected, and the product stays readable and publishable."""
    client = start_client(draft_job=timedelta(0))
    api = client.product_ingestion
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
        codes.append(api.request("POST", "configure", data=json.dumps(other)).status_code)
        if codes[-1] == 202:
            assert len(api.get(f"resource-tree/product/{guid}")["resources"]) >= 6
    assert set(codes) == {202, 400}
    assert len(codes) > 50
    assert api.publish().status_code == 202
