# SPDX-License-Identifier: Apache-2.0
"""Changing a draft by resources and adding an image version, each as a job that is waited for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import GUID, FakeAPI, job, sample

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.update import DRAFT_JOB_TIMEOUT, add_image, update
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.params import AddImageParams, ConfigureParams, ImageVersion
from airflow_provider_cpp.core.urls import same_blob

TREE = sample("resource-tree-small")["resources"]
CONFIGURATION = sample("vm-plan-technical-configuration")
VALIDATION = sample("configure-status-failed-validation")["errors"]
LOST = exceptions.ServerError("configure", status=502)
DONE = job("completed/succeeded")
BLOB = "https://contosoimages.blob.core.windows.net/vhds/contoso-2026.11.3.vhd"
SAS = f"{BLOB}?sv=2024-11-04&sr=c&sp=rl&st=2026-11-01T00%3A00%3A00Z&se=2026-12-01T00%3A00%3A00Z&sig=c2lnbmF0dXJl"
OTHER_SAS = SAS.replace("c2lnbmF0dXJl", "YW5vdGhlcg%3D%3D").replace("2026-12-01", "2027-01-01")
KNOWN = CONFIGURATION["vmImageVersions"][1]["vmImages"][0]["source"]["osDisk"]["uri"]


@pytest.fixture
def api(player: Player) -> FakeAPI:
    """Return an API with a draft, whose jobs end at the first poll."""
    player.respond = api = FakeAPI([])
    api.trees = {"draft": copy.deepcopy(TREE)}
    api.jobs = [DONE]
    return api


def with_alias(alias: str = "New") -> dict[str, Any]:
    return {**next(one for one in TREE if one["id"].startswith("product/")), "alias": alias}


def test_resources_are_configured_and_waited_for(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """Resources are sent unchanged, with unknown keys, and the job is polled after seconds, then once a minute."""
    api.jobs = [job(), job(), DONE]
    new = with_alias() | {"unknown": [None, {"deep": True}]}
    assert player.run(update(ConfigureParams(offer, (new,)))).written is True
    assert [one["resources"] for one in api.posted] == [[new]]
    assert player.slept == [5.0, 60.0, 60.0]
    assert not [line for line in player.sent if "mp.microsoft.com" in line]


def test_an_unchanged_draft_is_not_written(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """Resources that the draft has already are not sent again, whatever signs their URLs."""
    resources = json.loads(json.dumps(TREE[2:4]).replace("sig=REDACTED", "sig=another"))
    resources.append({"$schema": with_alias()["$schema"], "id": with_alias()["id"], "alias": "Contoso Linux"})
    assert player.run(update(ConfigureParams(offer, tuple(resources)))).written is False
    assert api.posted == []


@pytest.mark.parametrize(
    "change",
    [
        {"alias": "other"},
        {"alias": None},
        {"alias": ["Contoso Linux"]},
        {"identity": {"externalId": "contoso-linux", "more": 1}},
        {"identity": "contoso-linux"},
        {"type": ["azureVirtualMachine"]},
        {"new": 1},
        {"id": "product/other"},
    ],
)
def test_any_difference_is_written(player: Player, api: FakeAPI, offer: OfferRef, change: dict[str, Any]) -> None:
    """A missing key, or a value of another type, is a difference."""
    assert player.run(update(ConfigureParams(offer, (with_alias("Contoso Linux") | change,)))).written is True
    assert len(api.posted) == 1


@pytest.mark.parametrize(("current", "new"), [([1], [1, 2]), ([1], [True]), (1, [1]), ([1, 2], [2, 1])])
def test_lists_are_compared_item_by_item(player: Player, api: FakeAPI, offer: OfferRef, current: Any, new: Any) -> None:
    """Lists are equal only with the same items in the same order; true is not 1."""
    api.trees["draft"].append({"$schema": "x", "id": "x/1", "list": current})
    assert player.run(update(ConfigureParams(offer, ({"$schema": "x", "id": "x/1", "list": new},)))).written is True
    assert (
        player.run(update(ConfigureParams(offer, ({"$schema": "x", "id": "x/1", "list": current},)))).written is False
    )


def test_a_failed_job_is_an_error(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """The error of a failed job has the whole tree of the job's errors."""
    api.jobs = [job("completed/failed", VALIDATION)]
    with pytest.raises(
        exceptions.BadRequestError, match=r"configure offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ):
        player.run(update(ConfigureParams(offer, (with_alias(),))))


def test_a_canceled_job_is_an_error(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A canceled job is an error."""
    api.jobs = [job("completed/cancelled")]
    with pytest.raises(exceptions.BadRequestError, match="was canceled"):
        player.run(update(ConfigureParams(offer, (with_alias(),))))


def test_a_job_that_times_out(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A job still in progress at the timeout is a retryable error, since a later try checks the draft first."""
    api.jobs = [job()]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="job running/pending after 1800 s") as caught:
        player.run(update(ConfigureParams(offer, (with_alias(),))))
    assert caught.value.retryable is True
    assert sum(player.slept) >= DRAFT_JOB_TIMEOUT
    assert len(api.posted) == 1


def test_a_lost_response_is_found_in_the_draft(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """After a lost response the draft is polled for the change, and nothing is sent again."""
    api.post_responses = [LOST]

    def apply_change(api: FakeAPI) -> None:
        api.trees["draft"] = [with_alias()]

    api.after_post = apply_change
    assert player.run(update(ConfigureParams(offer, (with_alias(),)))).written is True
    assert len(api.posted) == 1
    assert player.slept == [5.0]


def test_a_lost_response_with_an_unknown_outcome(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A draft that does not change, or cannot be read, leaves the outcome unknown, retryable."""
    api.post_responses = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="HTTP 502") as caught:
        player.run(update(ConfigureParams(offer, (with_alias(),))))
    assert caught.value.retryable is True
    assert len(api.posted) == 1

    def fail_reads(api: FakeAPI) -> None:
        api.trees["draft"] = exceptions.BadRequestError("draft", status=400)

    api.after_post = fail_reads
    with pytest.raises(exceptions.SubmitOutcomeUnknownError):
        player.run(update(ConfigureParams(offer, (with_alias(),))))
    assert any("polling again" in text for text, _ in player.logged)


def test_a_refused_update_is_an_error(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A refusal is raised unchanged."""
    api.post_responses = [exceptions.LockedError("configure", status=423)]
    with pytest.raises(exceptions.LockedError):
        player.run(update(ConfigureParams(offer, (with_alias(),))))


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ((), "resources is an empty list"),
        ({"a": 1}, "resources is an object"),
        (None, "resources is null"),
        ([1, {}], r"resources\[0\] is a number, not an object; resources\[1\] has no \$schema"),
        ([{"$schema": "https://schema.mp.microsoft.com/schema/submission/1"}], r"resources\[0\] is a submission"),
        ([{"id": f"submission/{GUID}/0"}], r"resources\[0\] is a submission"),
    ],
)
def test_invalid_resources_are_refused(
    player: Player, api: FakeAPI, offer: OfferRef, resources: Any, expected: str
) -> None:
    """Anything but a list of resources is refused, and so is a submission among them."""
    with pytest.raises(exceptions.ConfigurationError, match=expected):
        player.run(update(ConfigureParams(offer, resources)))
    assert api.posted == []


def test_a_missing_product_is_created(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """Resources with a product create a missing one; without it the missing offer is an error."""
    api.products.clear()
    with pytest.raises(exceptions.NotFoundError):
        player.run(update(ConfigureParams(offer, ({"$schema": "https://schema.mp.microsoft.com/schema/plan/1"},))))
    assert player.run(update(ConfigureParams(offer, (with_alias(),)))).written is True


def image(plan_id: str = "contoso-9", version: str = "2026.11.3", url: str = SAS, **more: Any) -> ImageVersion:
    return ImageVersion(plan_id, version, url, **more)


def stored(api: FakeAPI) -> dict[str, Any]:
    (resource,) = api.posted[-1]["resources"]
    return dict(resource)


@pytest.mark.parametrize(
    ("plan_id", "types"),
    [("contoso-9", ["x64Gen2"]), ("Contoso-9", ["x64Gen2"]), ("contoso-9-gen1", ["x64Gen1"])],
)
def test_a_version_is_added_to_its_generation(
    player: Player, api: FakeAPI, offer: OfferRef, plan_id: str, types: list[str]
) -> None:
    """The SKU's id selects the generation, and everything else is sent back unchanged, deprecated versions too."""
    assert (
        player.run(
            add_image(AddImageParams(offer, image(plan_id, data_disk_urls={1: f"{SAS}1", "0": f"{SAS}0"})))
        ).written
        is True
    )  # type: ignore[dict-item]  # JSON has text
    body = stored(api)
    added = body["vmImageVersions"].pop()
    assert body == CONFIGURATION
    source = {
        "sourceType": "sasUri",
        "osDisk": {"uri": SAS},
        "dataDisks": [{"lunNumber": 0, "uri": f"{SAS}0"}, {"lunNumber": 1, "uri": f"{SAS}1"}],
    }
    assert added == {
        "versionNumber": "2026.11.3",
        "vmImages": [{"imageType": name, "source": source} for name in types],
        "lifecycleState": "generallyAvailable",
    }


def test_a_plan_id_adds_the_version_to_each_generation(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """Where the plan's id is no SKU's, each x64 generation gets the image, and no other architecture."""
    configuration = next(one for one in api.trees["draft"] if "skus" in one)
    configuration["skus"] = [
        {"imageType": "x64Gen2", "skuId": "a"},
        {"imageType": "arm64Gen2", "skuId": "b"},
        {"imageType": "x64Gen1", "skuId": "c"},
    ]
    player.run(add_image(AddImageParams(offer, image())))
    assert [one["imageType"] for one in stored(api)["vmImageVersions"][-1]["vmImages"]] == ["x64Gen2", "x64Gen1"]
    configuration["skus"] = [{"imageType": "arm64Gen2", "skuId": "b"}]
    player.run(add_image(AddImageParams(offer, image())))
    assert [one["imageType"] for one in stored(api)["vmImageVersions"][-1]["vmImages"]] == ["arm64Gen2"]


def test_a_generation_is_added_to_an_existing_version(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A version that has only the other generation gets the missing one and is not duplicated."""
    player.run(add_image(AddImageParams(offer, image("contoso-9-gen1", "2024.1.15", KNOWN))))
    body = stored(api)["vmImageVersions"]
    assert [(one["versionNumber"], len(one["vmImages"])) for one in body] == [("2024.1.15", 2), ("2024.3.4", 2)]
    assert body[0]["deprecationSchedule"] == CONFIGURATION["vmImageVersions"][0]["deprecationSchedule"]


@pytest.mark.parametrize("url", [KNOWN, KNOWN.replace("REDACTED", "another"), KNOWN.split("?")[0]])
def test_the_same_image_is_not_added_twice(player: Player, api: FakeAPI, offer: OfferRef, url: str) -> None:
    """A version with the same blob is left unchanged, whatever signs its URL."""
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=url)))).written is False
    assert api.posted == []


@pytest.mark.parametrize("target", ["preview", "live"])
def test_preview_and_live_are_checked_too(player: Player, api: FakeAPI, offer: OfferRef, target: str) -> None:
    """A published version counts although it is missing from the draft."""
    published = copy.deepcopy(TREE)
    api.trees[target] = published
    draft = next(one for one in api.trees["draft"] if "skus" in one)
    draft["vmImageVersions"] = draft["vmImageVersions"][:1]
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN)))).written is False
    with pytest.raises(exceptions.ConfigurationError, match="with another blob"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4"))))
    api.trees[target] = exceptions.BadRequestError("tree", status=400)
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4")))).written is True


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (image("silver"), "no plan or SKU 'silver'; it has: contoso-9, contoso-9-gen1"),
        (image(version="2024.3.4"), "already has version 2024.3.4 for x64Gen2 with another blob: os .*2024.3.4.vhd"),
        (image(version="2024.3.4", url=KNOWN, data_disk_urls={0: SAS}), "with another blob"),
        (image(details={"vmImages": [], "versionNumber": "1"}), "details must not contain versionNumber.*vmImages"),
    ],
)
def test_an_image_that_cannot_be_added(
    player: Player, api: FakeAPI, offer: OfferRef, new: ImageVersion, expected: str
) -> None:
    """An unknown plan, or another blob for the same version, is an error that shows no signature."""
    with pytest.raises(exceptions.ConfigurationError, match=expected) as caught:
        player.run(add_image(AddImageParams(offer, new)))
    assert "sig=" not in str(caught.value)
    assert api.posted == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"skus": []}, "it has: contoso-9"),
        ({"skus": [{"imageType": "x64Gen2", "skuId": "x"}], "plan": None}, "it has: contoso-9, x"),
        (
            {"skus": [{"imageType": "x64Gen2", "skuId": "contoso-9"}], "vmImageVersions": {}},
            "are not a list",
        ),
    ],
)
def test_an_unexpected_configuration_is_not_overwritten(
    player: Player, api: FakeAPI, offer: OfferRef, change: dict[str, Any], expected: str
) -> None:
    """A configuration that does not match the schema is an error and stays."""
    next(one for one in api.trees["draft"] if "skus" in one).update(change)
    plan = "contoso-9" if "vmImageVersions" in change else "silver"
    with pytest.raises(exceptions.ConfigurationError, match=expected):
        player.run(add_image(AddImageParams(offer, image(plan))))


def test_a_plan_without_skus_is_an_error(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A plan without SKUs is an error, since the image's architecture is unknown."""
    next(one for one in api.trees["draft"] if "skus" in one)["skus"] = []
    with pytest.raises(exceptions.ConfigurationError, match="has no SKU yet"):
        player.run(add_image(AddImageParams(offer, image())))


def test_unexpected_neighbors_are_kept(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """Versions and images of odd structure, and plans without a name, are left unchanged."""
    configuration = next(one for one in api.trees["draft"] if "skus" in one)
    odd = [
        {"versionNumber": "2026.11.3", "vmImages": None},
        {"versionNumber": "2026.11.3", "vmImages": [{"imageType": "x64Gen1", "source": []}, None]},
    ]
    configuration["vmImageVersions"] = [*odd, None, 3]
    api.trees["draft"].append({"$schema": "https://schema.mp.microsoft.com/schema/plan/1", "id": "plan/1/2"})
    player.run(add_image(AddImageParams(offer, image(details={"label": "x"}))))
    assert stored(api)["vmImageVersions"][1:] == [odd[1], None, 3]


def test_a_shared_image_is_another_blob(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """A version whose image comes from a gallery is not the same as one from a disk."""
    configuration = next(one for one in api.trees["draft"] if "skus" in one)
    shared = {"sourceType": "sharedImageGallery", "sharedImage": {"tenantId": "t", "resourceId": "/images/1"}}
    configuration["vmImageVersions"][1]["vmImages"][0]["source"] = shared
    with pytest.raises(exceptions.ConfigurationError, match="another blob: shared image /images/1 instead of os"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN))))
    configuration["vmImageVersions"][1]["vmImages"][0]["source"] = {"osDisk": None, "dataDisks": [{"uri": "x"}]}
    with pytest.raises(exceptions.ConfigurationError, match="another blob: lun 0 x instead of os"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN))))


def test_a_lost_response_to_an_image(player: Player, api: FakeAPI, offer: OfferRef) -> None:
    """After a lost response the version is found in the draft."""
    api.post_responses = [LOST]

    def apply_change(api: FakeAPI) -> None:
        api.trees["draft"] = api.posted[0]["resources"]

    api.after_post = apply_change
    assert player.run(add_image(AddImageParams(offer, image()))).written is True
    assert len(api.posted) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (SAS, OTHER_SAS, True),
        (SAS, BLOB, True),
        (SAS, SAS.replace("contosoimages.blob", "CONTOSOIMAGES.blob"), True),
        (SAS, SAS.replace("vhds", "VHDS"), False),
        (SAS, f"{SAS}&snapshot=1", False),
        (SAS, SAS.replace("https", "http"), False),
        ("https://[", "https://[", True),
    ],
)
def test_the_same_blob(one: str, other: str, *, same: bool) -> None:
    """Two URLs are the same blob if only their signatures differ; a snapshot is another blob."""
    assert same_blob(one, other) is same
