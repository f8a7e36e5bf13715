# SPDX-License-Identifier: Apache-2.0
"""Changing a draft by resources, and adding an image's version, each as a job that is waited for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from support.product_ingestion import GUID, JOB, Market, job, sample

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.resources import same_blob
from airflow_provider_cpp.apis.product_ingestion.update import DRAFT_JOB_TIMEOUT, add_image, configure
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.params import AddImageParams, ImageVersion, UpdateParams

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
def market(player: Any) -> Market:
    """Return an API with a draft, on which a job ends at the first look."""
    player.answer = market = Market([])
    market.trees = {"draft": copy.deepcopy(TREE)}
    market.jobs = [DONE]
    return market


def with_alias(alias: str = "New") -> dict[str, Any]:
    return {**next(one for one in TREE if one["id"].startswith("product/")), "alias": alias}


def test_resources_are_configured_and_waited_for(player: Any, market: Market, offer: OfferRef) -> None:
    """The resources go out as they are, unknown keys too, and the job is asked after seconds, then once a minute."""
    market.jobs = [job(), job(), DONE]
    wanted = with_alias() | {"unknown": [None, {"deep": True}]}
    assert player.run(configure(UpdateParams(offer, resources=(wanted,)))).written is True
    assert [one["resources"] for one in market.posted] == [[wanted]]
    assert player.slept == [5.0, 60.0, 60.0]
    assert not [line for line in player.sent if "mp.microsoft.com" in line]


def test_a_draft_that_is_as_it_should_be_is_not_written(player: Any, market: Market, offer: OfferRef) -> None:
    """A retry after a lost answer does no harm: what is there is not sent again, whatever signs its URLs."""
    resources = json.loads(json.dumps(TREE[2:4]).replace("sig=REDACTED", "sig=another"))
    resources.append({"$schema": with_alias()["$schema"], "id": with_alias()["id"], "alias": "Contoso Linux"})
    assert player.run(configure(UpdateParams(offer, resources=tuple(resources)))).written is False
    assert market.posted == []


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
def test_whatever_differs_is_written(player: Any, market: Market, offer: OfferRef, change: dict[str, Any]) -> None:
    """A key that is missing, or another value of another type, is a difference."""
    assert player.run(configure(UpdateParams(offer, resources=(with_alias("Contoso Linux") | change,)))).written is True
    assert len(market.posted) == 1


@pytest.mark.parametrize(("there", "wanted"), [([1], [1, 2]), ([1], [True]), (1, [1]), ([1, 2], [2, 1])])
def test_lists_are_compared_entry_by_entry(
    player: Any, market: Market, offer: OfferRef, there: Any, wanted: Any
) -> None:
    """A list is the same only with the same entries in the same order; true is not 1."""
    market.trees["draft"].append({"$schema": "x", "id": "x/1", "list": there})
    assert (
        player.run(configure(UpdateParams(offer, resources=({"$schema": "x", "id": "x/1", "list": wanted},)))).written
        is True
    )
    assert (
        player.run(configure(UpdateParams(offer, resources=({"$schema": "x", "id": "x/1", "list": there},)))).written
        is False
    )


def test_a_job_that_fails_says_why(player: Any, market: Market, offer: OfferRef) -> None:
    """A failed job is a refusal with its whole tree of errors."""
    market.jobs = [job("completed/failed", VALIDATION)]
    with pytest.raises(
        exceptions.BadRequestError, match=r"configure offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ):
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))


def test_a_job_that_is_canceled_changed_nothing_for_sure(player: Any, market: Market, offer: OfferRef) -> None:
    """A canceled job is no success."""
    market.jobs = [job("completed/cancelled")]
    with pytest.raises(exceptions.BadRequestError, match="was canceled"):
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))


def test_a_job_that_does_not_end(player: Any, market: Market, offer: OfferRef) -> None:
    """A job that has not ended in time may yet: a later try looks at the draft first."""
    market.jobs = [job()]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="says job running/pending after 1800 s") as caught:
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))
    assert (caught.value.retryable, sum(player.slept) >= DRAFT_JOB_TIMEOUT, len(market.posted)) == (True, True, 1)


def test_a_lost_answer_is_read_from_the_draft(player: Any, market: Market, offer: OfferRef) -> None:
    """After a lost answer the draft tells: it is as wanted by and by, and nothing was sent again."""
    market.orders = [LOST]

    def take(market: Market) -> None:
        market.trees["draft"] = [with_alias()]

    market.then = take
    assert player.run(configure(UpdateParams(offer, resources=(with_alias(),)))).written is True
    assert (len(market.posted), player.slept) == (1, [5.0])


def test_a_lost_answer_of_which_nothing_shows(player: Any, market: Market, offer: OfferRef) -> None:
    """A draft that stays as it was, or cannot be read, leaves it unknown; another try may find out."""
    market.orders = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="HTTP 502") as caught:
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))
    assert (caught.value.retryable, len(market.posted)) == (True, 1)

    def lose(market: Market) -> None:
        market.trees["draft"] = exceptions.BadRequestError("draft", status=400)

    market.then = lose
    with pytest.raises(exceptions.SubmitOutcomeUnknownError):
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))
    assert any("asking again" in text for text, _ in player.told)


def test_a_refused_order_is_let_through(player: Any, market: Market, offer: OfferRef) -> None:
    """What the API refuses at once says so itself."""
    market.orders = [exceptions.LockedError("configure", status=423)]
    with pytest.raises(exceptions.LockedError):
        player.run(configure(UpdateParams(offer, resources=(with_alias(),))))


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ((), "resources is an empty list"),
        ({"a": 1}, "resources is an object"),
        (None, "resources is null"),
        ([1, {}], r"resources\[0\] is a number, not an object; resources\[1\] has no \$schema"),
        ([{"$schema": "https://schema.mp.microsoft.com/schema/submission/1"}], r"resources\[0\] is a submission"),
        ([{"id": f"submission/{GUID}/0"}], r"resources\[0\] is a submission"),
    ],
)
def test_what_cannot_be_configured(player: Any, market: Market, offer: OfferRef, resources: Any, said: str) -> None:
    """What is no list of resources is refused, and a submission among them too: to publish is another task's."""
    with pytest.raises(exceptions.ConfigurationError, match=said):
        player.run(configure(UpdateParams(offer, resources=resources)))
    assert market.posted == []


def test_a_product_is_made_where_there_is_none(player: Any, market: Market, offer: OfferRef) -> None:
    """Resources with a product among them make it; without one, an offer that is not there is an error."""
    market.products.clear()
    with pytest.raises(exceptions.NotFoundError):
        player.run(
            configure(UpdateParams(offer, resources=({"$schema": "https://schema.mp.microsoft.com/schema/plan/1"},)))
        )
    assert player.run(configure(UpdateParams(offer, resources=(with_alias(),)))).written is True


def image(plan_id: str = "contoso-9", version: str = "2026.11.3", url: str = SAS, **more: Any) -> ImageVersion:
    return ImageVersion(plan_id, version, url, **more)


def stored(market: Market) -> dict[str, Any]:
    (resource,) = market.posted[-1]["resources"]
    return dict(resource)


@pytest.mark.parametrize(
    ("plan_id", "types"),
    [("contoso-9", ["x64Gen2"]), ("Contoso-9", ["x64Gen2"]), ("contoso-9-gen1", ["x64Gen1"])],
)
def test_a_version_is_added_to_its_generation(
    player: Any, market: Market, offer: OfferRef, plan_id: str, types: list[str]
) -> None:
    """A SKU's id names the generation; all that was there goes back unchanged, the deprecated version among it."""
    assert (
        player.run(
            add_image(AddImageParams(offer, image(plan_id, data_disk_urls={1: f"{SAS}1", "0": f"{SAS}0"})))
        ).written
        is True
    )  # type: ignore[dict-item]  # JSON has text
    sent = stored(market)
    added = sent["vmImageVersions"].pop()
    assert sent == CONFIGURATION
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


def test_a_plan_of_another_name_takes_it_for_each_generation(player: Any, market: Market, offer: OfferRef) -> None:
    """Where the plan's own id is no SKU's, each x64 generation of it gets the image, and no other kind of machine."""
    configuration = next(one for one in market.trees["draft"] if "skus" in one)
    configuration["skus"] = [
        {"imageType": "x64Gen2", "skuId": "a"},
        {"imageType": "arm64Gen2", "skuId": "b"},
        {"imageType": "x64Gen1", "skuId": "c"},
    ]
    player.run(add_image(AddImageParams(offer, image())))
    assert [one["imageType"] for one in stored(market)["vmImageVersions"][-1]["vmImages"]] == ["x64Gen2", "x64Gen1"]
    configuration["skus"] = [{"imageType": "arm64Gen2", "skuId": "b"}]
    player.run(add_image(AddImageParams(offer, image())))
    assert [one["imageType"] for one in stored(market)["vmImageVersions"][-1]["vmImages"]] == ["arm64Gen2"]


def test_a_generation_is_added_to_a_version_that_is_there(player: Any, market: Market, offer: OfferRef) -> None:
    """A version that has the other generation already gets the missing one, and is not there twice."""
    player.run(add_image(AddImageParams(offer, image("contoso-9-gen1", "2024.1.15", KNOWN))))
    sent = stored(market)["vmImageVersions"]
    assert [(one["versionNumber"], len(one["vmImages"])) for one in sent] == [("2024.1.15", 2), ("2024.3.4", 2)]
    assert sent[0]["deprecationSchedule"] == CONFIGURATION["vmImageVersions"][0]["deprecationSchedule"]


@pytest.mark.parametrize("url", [KNOWN, KNOWN.replace("REDACTED", "another"), KNOWN.split("?")[0]])
def test_the_same_image_is_not_added_twice(player: Any, market: Market, offer: OfferRef, url: str) -> None:
    """The version with the same blob counts as done, whatever signs its URL."""
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=url)))).written is False
    assert market.posted == []


@pytest.mark.parametrize("target", ["preview", "live"])
def test_it_is_looked_for_in_preview_and_live_too(player: Any, market: Market, offer: OfferRef, target: str) -> None:
    """A version that was published counts as done, though somebody took it out of the draft."""
    published = copy.deepcopy(TREE)
    market.trees[target] = published
    draft = next(one for one in market.trees["draft"] if "skus" in one)
    draft["vmImageVersions"] = draft["vmImageVersions"][:1]
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN)))).written is False
    with pytest.raises(exceptions.ConfigurationError, match="with another blob"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4"))))
    market.trees[target] = exceptions.BadRequestError("tree", status=400)
    assert player.run(add_image(AddImageParams(offer, image(version="2024.3.4")))).written is True


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (image("silver"), "no plan or SKU 'silver'; it has: contoso-9, contoso-9-gen1"),
        (image(version="2024.3.4"), "has a version 2024.3.4 for x64Gen2 already, with another blob: os .*2024.3.4.vhd"),
        (image(version="2024.3.4", url=KNOWN, data_disk_urls={0: SAS}), "with another blob"),
        (image(details={"vmImages": [], "versionNumber": "1"}), "details must not hold versionNumber.*vmImages"),
    ],
)
def test_an_image_that_cannot_be_added(
    player: Any, market: Market, offer: OfferRef, wanted: ImageVersion, said: str
) -> None:
    """An unknown plan, and another blob under the version, are errors that show no signature."""
    with pytest.raises(exceptions.ConfigurationError, match=said) as caught:
        player.run(add_image(AddImageParams(offer, wanted)))
    assert ("sig=" in str(caught.value), market.posted) == (False, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"skus": []}, "it has: contoso-9"),
        ({"skus": [{"imageType": "x64Gen2", "skuId": "x"}], "plan": None}, "it has: contoso-9, x"),
        (
            {"skus": [{"imageType": "x64Gen2", "skuId": "contoso-9"}], "vmImageVersions": {}},
            "something else than a list",
        ),
    ],
)
def test_a_configuration_of_another_shape(
    player: Any, market: Market, offer: OfferRef, change: dict[str, Any], said: str
) -> None:
    """What is not as the schema has it is not written over."""
    next(one for one in market.trees["draft"] if "skus" in one).update(change)
    plan = "contoso-9" if "vmImageVersions" in change else "silver"
    with pytest.raises(exceptions.ConfigurationError, match=said):
        player.run(add_image(AddImageParams(offer, image(plan))))


def test_a_plan_without_skus_is_for_nobody_knows_whom(player: Any, market: Market, offer: OfferRef) -> None:
    """Without a SKU it is not known for which machines an image is."""
    next(one for one in market.trees["draft"] if "skus" in one)["skus"] = []
    with pytest.raises(exceptions.ConfigurationError, match="has no SKU yet"):
        player.run(add_image(AddImageParams(offer, image())))


def test_odd_neighbours_do_no_harm(player: Any, market: Market, offer: OfferRef) -> None:
    """Versions and images of odd shapes, other sources, and plans without a name are left alone."""
    configuration = next(one for one in market.trees["draft"] if "skus" in one)
    odd = [
        {"versionNumber": "2026.11.3", "vmImages": None},
        {"versionNumber": "2026.11.3", "vmImages": [{"imageType": "x64Gen1", "source": []}, None]},
    ]
    configuration["vmImageVersions"] = [*odd, None, 3]
    market.trees["draft"].append({"$schema": "https://schema.mp.microsoft.com/schema/plan/1", "id": "plan/1/2"})
    player.run(add_image(AddImageParams(offer, image(details={"label": "x"}))))
    assert stored(market)["vmImageVersions"][1:] == [odd[1], None, 3]


def test_a_shared_image_is_another_blob(player: Any, market: Market, offer: OfferRef) -> None:
    """A version whose image comes from a gallery is not taken for one of a disk."""
    configuration = next(one for one in market.trees["draft"] if "skus" in one)
    shared = {"sourceType": "sharedImageGallery", "sharedImage": {"tenantId": "t", "resourceId": "/images/1"}}
    configuration["vmImageVersions"][1]["vmImages"][0]["source"] = shared
    with pytest.raises(exceptions.ConfigurationError, match="another blob: shared image /images/1 instead of os"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN))))
    configuration["vmImageVersions"][1]["vmImages"][0]["source"] = {"osDisk": None, "dataDisks": [{"uri": "x"}]}
    with pytest.raises(exceptions.ConfigurationError, match="another blob: lun 0 x instead of os"):
        player.run(add_image(AddImageParams(offer, image(version="2024.3.4", url=KNOWN))))


def test_a_lost_answer_to_an_image(player: Any, market: Market, offer: OfferRef) -> None:
    """After a lost answer the draft is read, and the version found in it."""
    market.orders = [LOST]

    def take(market: Market) -> None:
        market.trees["draft"] = market.posted[0]["resources"]

    market.then = take
    assert player.run(add_image(AddImageParams(offer, image()))).written is True
    assert len(market.posted) == 1


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
def test_the_same_blob(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    """Two URLs name the same blob if they differ in what signs them alone; a snapshot is another one."""
    assert same_blob(one, other) is same


def test_a_timeout_is_the_tasks(player: Any, market: Market, offer: OfferRef) -> None:
    """Who waits for less time is told sooner."""
    market.jobs = [job()]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="after 30 s"):
        player.run(configure(UpdateParams(offer, resources=(with_alias(),)), timeout=30))
    assert JOB in str(player.sent)
