# SPDX-License-Identifier: Apache-2.0
"""Adding a version of an image: where it goes, what counts as done, and that no signature is ever shown."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cpp.apis.cloud_partner_portal.images import IMAGE_KEYS, add_image_version
from airflow_provider_cpp.core.params import ImageVersion
from airflow_provider_cpp.core.redaction import find_sas_signatures, sanitize_line
from airflow_provider_cpp.defaults import MAX_PUBLISH_DURATION
from airflow_provider_cpp.exceptions import ConfigurationError, MarketplaceError

VM, CORE = IMAGE_KEYS
BLOB = "https://images.blob.core.windows.net/vhds/os.vhd"
SIGNATURE = "c2VjcmV0K3NlY3JldA%3D%3D"


def sas(blob: str = BLOB, expiry: str = "2027-01-01T00%3A00%3A00Z", signature: str = SIGNATURE) -> str:
    return f"{blob}?sv=2018-03-28&sr=c&se={expiry}&sp=rl&sig={signature}"


def image(plan: str = "gold", version: str = "2026.11.3", url: str | None = None, **more: Any) -> ImageVersion:
    return ImageVersion(plan, version, sas() if url is None else url, **more)


def offer_of(*plans: Any, kind: str = "microsoft-azure-virtualmachines") -> dict[str, Any]:
    return {"offerTypeId": kind, "definition": {"plans": list(plans)}}


def refused(of: ImageVersion, now: datetime, **more: Any) -> str:
    """Return what is wrong with it, in one line without a signature."""
    with pytest.raises(ConfigurationError) as caught:
        of.validate(now, **more)
    return line_of(caught.value)


def line_of(error: MarketplaceError) -> str:
    line = str(error)
    assert "c2Vj" not in line
    assert "\n" not in line
    return line


@pytest.mark.parametrize("version", ["1.0.1", "2026.11.3", "2024.03.04", "0.0.0", "999999999.1.1"])
def test_versions_are_kept_as_written(start: datetime, version: str) -> None:
    """Three whole numbers with dots between are a version, leading zeros and all."""
    image(version=version).validate(start)
    document = offer_of({"planId": "gold"})
    assert list(add_image_version(image(version=version), document)["definition"]["plans"][0][VM]) == [version]


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", " 1.0.0", "1.0.0\n", "1..0", "٣.0.0", "1.0.-1", "None", None, 1.0],
)
def test_what_is_no_version(start: datetime, version: Any) -> None:
    """Anything else is refused, and shown."""
    line = refused(image(version=version), start)
    assert "but must be three whole numbers with dots between, like 2026.11.3" in line
    assert line.startswith("the task's arguments cannot be used: version is ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (sas(expiry="2026-11-03T08%3A59%3A00Z"), "expired on 2026-11-03 08:59 UTC"),
        (sas(expiry="2026-11-03T10:00:00%2B02:00"), "expired on 2026-11-03 08:00 UTC"),
        (sas(expiry="2026-11-03"), "expired on 2026-11-03 00:00 UTC"),
        (sas(expiry="2026-11-13"), "expires on 2026-11-13 00:00 UTC, but publishing reads it for up to 11 days"),
        (sas(expiry="2026-11-14T08%3A59%3A59Z"), "expires on 2026-11-14 08:59 UTC"),
        (sas(expiry="2026-11-14T09%3A00%3A00Z"), None),
        (sas(expiry="soon"), None),
        (BLOB, None),
        (f"{BLOB}?sig={SIGNATURE}", None),
        (f"http://images/x?se=2027-01-01&sig={SIGNATURE}", "must be an https URL"),
        (f"/vhds/os.vhd?sig={SIGNATURE}", "must be an https URL"),
        (f"https:///os.vhd?sig={SIGNATURE}", "must be an https URL"),
        (f"https://[x/os.vhd?sig={SIGNATURE}", "is no URL"),
        ("", "must be an https URL"),
    ],
)
def test_urls(start: datetime, url: str, said: str | None) -> None:
    """A URL must be https, and good for as long as publishing may take, where it says how long it is."""
    if said is None:
        image(url=url).validate(start)
        image(data_disk_urls={0: url}).validate(start)
    else:
        assert f"os_disk_url {said}" in refused(image(url=url), start)
        assert f"data_disk_urls[0] {said}" in refused(image(data_disk_urls={0: url}), start)


@pytest.mark.parametrize("url", [7, {}, []])
def test_what_is_no_text_is_no_url(start: datetime, url: Any) -> None:
    """A value that is no text at all is refused as no URL."""
    assert "os_disk_url is no URL" in refused(ImageVersion("gold", "1.0.0", url), start)


def test_how_long_a_url_must_be_good_is_ours_to_say(start: datetime) -> None:
    """The span may be another one than what the documents add up to."""
    url = sas(expiry=f"{start + timedelta(days=20):%Y-%m-%dT%H:%M:%SZ}")
    image(url=url).validate(start)
    assert "reads it for up to 21.5 days" in refused(image(url=url), start, valid_for=timedelta(days=21, hours=12))
    assert timedelta(days=11) == MAX_PUBLISH_DURATION


def test_all_that_is_wrong_is_said_at_once(start: datetime) -> None:
    """One error names every problem."""
    disks: Any = {0: sas(), "x": "ftp://y", -1: sas()}
    details = {"osVhdUrl": sas(), "lunVhdDetails": [], "label": "x"}
    line = refused(image(version="1", url="ftp://x", data_disk_urls=disks, details=details), start)
    for said in (
        "version is '1'",
        "os_disk_url must be an https URL",
        "data_disk_urls[x] must be an https URL",
        "data_disk_urls has 'x' for a logical unit number",
        "data_disk_urls has -1 for a logical unit number",
        "details must not hold lunVhdDetails",
        "details must not hold osVhdUrl",
    ):
        assert said in line


def test_a_signature_in_the_wrong_place_is_not_shown(start: datetime) -> None:
    """A URL that was given as the version or the plan shows no signature either, and no repr shows one."""
    refused(image(version=f"x?sig={SIGNATURE}"), start)
    with pytest.raises(ConfigurationError, match="has no plan") as caught:
        add_image_version(image(plan=f"x?sig={SIGNATURE}"), offer_of())
    line_of(caught.value)
    assert "c2Vj" not in repr(image(data_disk_urls={0: sas()}))


@pytest.mark.parametrize(
    ("plan", "others", "kind", "key"),
    [
        ({VM: {}}, [], "microsoft-azure-corevm", VM),
        ({CORE: {}}, [], "microsoft-azure-virtualmachines", CORE),
        ({CORE: None}, [], "microsoft-azure-virtualmachines", CORE),
        ({}, [{"planId": "other", CORE: {}}], "microsoft-azure-virtualmachines", CORE),
        ({}, [{"planId": "other", "diskGenerations": [{"planId": "gen2", CORE: {}}]}], "", CORE),
        ({}, [], "microsoft-azure-corevm", CORE),
        ({}, [], "microsoft-azure-virtualmachines", VM),
        ({}, [], "frobnicated", VM),
    ],
)
def test_the_key_follows_the_document(plan: dict[str, Any], others: list[Any], kind: str, key: str) -> None:
    """Images go under the key that the plan has, or its neighbours, or the offer's type."""
    document = offer_of({"planId": "gold", **plan}, *others, kind=kind)
    add_image_version(image(details={"label": "L"}), document)
    expected = {"osVhdUrl": sas(), "label": "L", "lunVhdDetails": []}
    assert document["definition"]["plans"][0][key] == {"2026.11.3": expected}
    assert document["definition"]["plans"][1:] == others


def test_other_versions_stay() -> None:
    """A version joins those that are there."""
    document = offer_of({"planId": "gold", VM: {"1.0.0": {"osVhdUrl": "x"}}})
    assert add_image_version(image(), document) is document
    assert list(document["definition"]["plans"][0][VM]) == ["1.0.0", "2026.11.3"]


@pytest.mark.parametrize("plan", ["gen2", "GEN2"])
def test_a_disk_generation_is_found_by_its_id(plan: str) -> None:
    """The second generation of a plan's disks keeps its own images, and is found whatever the case."""
    document = offer_of({"planId": "gold", CORE: {}, "diskGenerations": [7, {}, {"planId": "gen2", CORE: {}}]})
    add_image_version(image(plan=plan), document)
    first = document["definition"]["plans"][0]
    assert (first[CORE], list(first["diskGenerations"][2][CORE])) == ({}, ["2026.11.3"])


@pytest.mark.parametrize(
    ("document", "known"),
    [
        (
            offer_of({"planId": "silver"}, {"planId": "gen", "diskGenerations": [{"planId": "gen2"}]}),
            "silver, gen, gen2",
        ),
        (offer_of({"planId": "a\nb"}), "a b"),
        (offer_of({}, 7, None, {"planId": None}, {"diskGenerations": "x"}), "none at all"),
        ({"definition": {"plans": {}}}, "none at all"),
        ({"definition": None}, "none at all"),
        ({}, "none at all"),
    ],
)
@pytest.mark.parametrize("plan", ["gold", "None", ""])
def test_an_unknown_plan_lists_those_that_are_there(document: dict[str, Any], known: str, plan: str) -> None:
    """A plan that is not there is an error that names the plans, and nothing is changed."""
    before = copy.deepcopy(document)
    with pytest.raises(ConfigurationError) as caught:
        add_image_version(image(plan=plan), document)
    assert line_of(caught.value).endswith(f"the offer has no plan {plan!r}; its plans are: {known}")
    assert document == before


@pytest.mark.parametrize("images", [[], [1], "text", 7, False])
def test_images_that_are_no_object_are_not_replaced(images: Any) -> None:
    """Where something else stands in the place of a plan's images, it is not thrown away."""
    with pytest.raises(ConfigurationError, match=f"where its images belong, under {VM}"):
        add_image_version(image(), offer_of({"planId": "gold", VM: images}))


TWO_DISKS = {"data_disk_urls": {0: "https://a/0", 1: "https://a/1"}}


@pytest.mark.parametrize(
    ("disks", "wanted"),
    [
        (None, {}),
        ([None, 7, {}], {}),
        ([{"lun": 1, "vhdUrl": sas("https://a/1", signature="z")}], {"data_disk_urls": {1: sas("https://a/1")}}),
        ([{"lun": "1", "uRL": "https://a/1"}, {"lun": 0, "vhdUrl": "https://a/0"}], TWO_DISKS),
        ([{"vhdUrl": "https://a/0"}, {"vhdUrl": "https://a/1"}], TWO_DISKS),
    ],
)
@pytest.mark.parametrize("there", [{"osVhdUrl": sas(signature="other")}, {"osVhdUrl": BLOB, "label": "theirs"}])
def test_the_same_blobs_are_done(there: dict[str, Any], disks: Any, wanted: dict[str, Any]) -> None:
    """The version with the same blobs counts as done, whatever signs them and however its disks are listed."""
    document = offer_of({"planId": "gold", VM: {"2026.11.3": there | {"lunVhdDetails": disks}}})
    before = copy.deepcopy(document)
    add_image_version(image(details={"label": "ours"}, **wanted), document)
    assert document == before


LONG = "https://a/" + "x" * 400


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        ({"osVhdUrl": sas("https://a/other")}, {}, f"os https://a/other instead of os {BLOB}"),
        ({"osVhdUrl": sas(f"{LONG}1")}, {"url": sas(f"{LONG}2")}, "os https://a/xxx"),
        ({}, {}, "none instead of"),
        ("text", {}, "none instead of"),
        ({"osVhdUrl": sas()}, {"data_disk_urls": {0: sas("https://a/0")}}, "instead of lun 0 https://a/0, os https"),
        ({"osVhdUrl": sas(), "lunVhdDetails": [{"lun": 0, "vhdUrl": sas("https://a/0")}]}, {}, ": lun 0 https://a/0,"),
        (
            {
                "osVhdUrl": sas(),
                "lunVhdDetails": [{"lun": 1, "vhdUrl": "https://a/0"}, {"lun": 0, "vhdUrl": "https://a/1"}],
            },
            TWO_DISKS,
            "lun 0 https://a/1, lun 1 https://a/0",
        ),
    ],
)
def test_another_blob_is_an_error(there: Any, wanted: dict[str, Any], said: str) -> None:
    """A version that has another blob, on any of its disks, is not overwritten, and no signature is told."""
    document = offer_of({"planId": "gold", VM: {"2026.11.3": there}})
    before = copy.deepcopy(document)
    with pytest.raises(ConfigurationError, match=r"plan gold has a version 2026\.11\.3 already") as caught:
        add_image_version(image(**wanted), document)
    assert said in line_of(caught.value)
    assert document == before


def test_data_disks_are_ordered_by_number() -> None:
    """Data disks stand in the order of their numbers, also where those came as text through a template."""
    disks: Any = {"10": "https://a/10", "2": "https://a/2", 0: "https://a/0"}
    document = add_image_version(image(data_disk_urls=disks), offer_of({"planId": "gold"}))
    added = document["definition"]["plans"][0][VM]["2026.11.3"]["lunVhdDetails"]
    assert added == [{"lun": number, "vhdUrl": f"https://a/{number}"} for number in (0, 2, 10)]


@pytest.mark.parametrize(
    ("text", "signatures"),
    [
        (sas(), [SIGNATURE]),
        (f"{sas()}&x=1 and {BLOB}?SIG=abc/+=", [SIGNATURE, "abc/+="]),
        ('{"osVhdUrl": "https://a/b?sig=abc%2B"}', ["abc%2B"]),
        ("https%3A%2F%2Fa%3Fsig%3Dabc%26se%3D1", ["abc"]),
        ('{"u": "https://a?x=1\\u0026sig\\u003dabc\\u0026y=2"}', ["abc"]),
        ("https://a/?design=5&sig=", []),
        ("", []),
    ],
)
def test_signatures_are_found_and_hidden(text: str, signatures: list[str]) -> None:
    """What signs a URL is found however it is written, and never shown in what the portal says."""
    assert find_sas_signatures(text) == signatures
    shown = sanitize_line(text)
    assert all(signature not in shown for signature in signatures)
    assert shown.count("sig=***") >= len(signatures)
