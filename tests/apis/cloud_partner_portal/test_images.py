# SPDX-License-Identifier: Apache-2.0
"""Adding an image version: its place in the draft, when it is unchanged, and that no signature is shown."""

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


def error_of(of: ImageVersion, now: datetime, **more: Any) -> str:
    """Return the validation error of an image, in one line without a signature."""
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
    """Three integers separated by dots are a version, and leading zeros stay."""
    image(version=version).validate(start)
    document = offer_of({"planId": "gold"})
    assert list(add_image_version(image(version=version), document)["definition"]["plans"][0][VM]) == [version]


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", " 1.0.0", "1.0.0\n", "1..0", "٣.0.0", "1.0.-1", "None", None, 1.0],
)
def test_invalid_versions_are_error_of(start: datetime, version: Any) -> None:
    """Anything else than three integers is refused, and the error shows it."""
    line = error_of(image(version=version), start)
    assert "but must be three integers with dots between, like 2026.11.3" in line
    assert line.startswith("the task's arguments cannot be used: version is ")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (sas(expiry="2026-11-03T08%3A59%3A00Z"), "expired on 2026-11-03 08:59 UTC"),
        (sas(expiry="2026-11-03T10:00:00%2B02:00"), "expired on 2026-11-03 08:00 UTC"),
        (sas(expiry="2026-11-03"), "expired on 2026-11-03 00:00 UTC"),
        (sas(expiry="2026-11-13"), "expires on 2026-11-13 00:00 UTC, but Partner Center reads it for up to 11 days"),
        (sas(expiry="2026-11-14T08%3A59%3A59Z"), "expires on 2026-11-14 08:59 UTC"),
        (sas(expiry="2026-11-14T09%3A00%3A00Z"), None),
        (sas(expiry="soon"), None),
        (BLOB, None),
        (f"{BLOB}?sig={SIGNATURE}", None),
        (f"http://images/x?se=2027-01-01&sig={SIGNATURE}", "must be an https URL"),
        (f"/vhds/os.vhd?sig={SIGNATURE}", "must be an https URL"),
        (f"https:///os.vhd?sig={SIGNATURE}", "must be an https URL"),
        (f"https://[x/os.vhd?sig={SIGNATURE}", "is not a URL"),
        ("", "must be an https URL"),
    ],
)
def test_urls(start: datetime, url: str, expected: str | None) -> None:
    """A URL must use https and, where it shows its expiry, be valid for as long as publishing may take."""
    if expected is None:
        image(url=url).validate(start)
        image(data_disk_urls={0: url}).validate(start)
    else:
        assert f"os_disk_url {expected}" in error_of(image(url=url), start)
        assert f"data_disk_urls[0] {expected}" in error_of(image(data_disk_urls={0: url}), start)


@pytest.mark.parametrize("url", [7, {}, []])
def test_a_value_that_is_no_string_is_no_url(start: datetime, url: Any) -> None:
    """A value that is not a string is refused as a URL."""
    assert "os_disk_url is not a URL" in error_of(ImageVersion("gold", "1.0.0", url), start)


def test_the_required_validity_of_a_url_can_be_set(start: datetime) -> None:
    """The required validity can differ from the documented default."""
    url = sas(expiry=f"{start + timedelta(days=20):%Y-%m-%dT%H:%M:%SZ}")
    image(url=url).validate(start)
    assert "reads it for up to 21.5 days" in error_of(image(url=url), start, valid_for=timedelta(days=21, hours=12))
    assert timedelta(days=11) == MAX_PUBLISH_DURATION


def test_one_error_names_every_problem(start: datetime) -> None:
    """One error names every problem of an image."""
    disks: Any = {0: sas(), "x": "ftp://y", -1: sas()}
    details = {"osVhdUrl": sas(), "lunVhdDetails": [], "label": "x"}
    line = error_of(image(version="1", url="ftp://x", data_disk_urls=disks, details=details), start)
    for expected in (
        "version is '1'",
        "os_disk_url must be an https URL",
        "data_disk_urls[x] must be an https URL",
        "data_disk_urls has 'x' as a logical unit number",
        "data_disk_urls has -1 as a logical unit number",
        "details must not contain lunVhdDetails",
        "details must not contain osVhdUrl",
    ):
        assert expected in line


def test_a_signature_in_the_wrong_place_is_not_shown(start: datetime) -> None:
    """No signature appears for a URL that was passed as version or plan, nor in a repr."""
    error_of(image(version=f"x?sig={SIGNATURE}"), start)
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
    """Images go under the key that the plan uses, else other plans, else the offer's type."""
    document = offer_of({"planId": "gold", **plan}, *others, kind=kind)
    add_image_version(image(details={"label": "L"}), document)
    expected = {"osVhdUrl": sas(), "label": "L", "lunVhdDetails": []}
    assert document["definition"]["plans"][0][key] == {"2026.11.3": expected}
    assert document["definition"]["plans"][1:] == others


def test_other_versions_stay() -> None:
    """Adding a version keeps the existing ones."""
    document = offer_of({"planId": "gold", VM: {"1.0.0": {"osVhdUrl": "x"}}})
    assert add_image_version(image(), document) is document
    assert list(document["definition"]["plans"][0][VM]) == ["1.0.0", "2026.11.3"]


@pytest.mark.parametrize("plan", ["gen2", "GEN2"])
def test_a_disk_generation_is_found_by_its_id(plan: str) -> None:
    """A disk generation has its own images, and its id is matched without regard to case."""
    document = offer_of({"planId": "gold", CORE: {}, "diskGenerations": [7, {}, {"planId": "gen2", CORE: {}}]})
    add_image_version(image(plan=plan), document)
    first = document["definition"]["plans"][0]
    assert first[CORE] == {}
    assert list(first["diskGenerations"][2][CORE]) == ["2026.11.3"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            offer_of({"planId": "silver"}, {"planId": "gen", "diskGenerations": [{"planId": "gen2"}]}),
            "silver, gen, gen2",
        ),
        (offer_of({"planId": "a\nb"}), "a b"),
        (offer_of({}, 7, None, {"planId": None}, {"diskGenerations": "x"}), "none"),
        ({"definition": {"plans": {}}}, "none"),
        ({"definition": None}, "none"),
        ({}, "none"),
    ],
)
@pytest.mark.parametrize("plan", ["gold", "None", ""])
def test_an_unknown_plan_is_an_error_that_lists_the_plans(document: dict[str, Any], expected: str, plan: str) -> None:
    """An unknown plan is an error that lists the offer's plans, and nothing is changed."""
    before = copy.deepcopy(document)
    with pytest.raises(ConfigurationError) as caught:
        add_image_version(image(plan=plan), document)
    assert line_of(caught.value).endswith(f"the offer has no plan {plan!r}; its plans are: {expected}")
    assert document == before


@pytest.mark.parametrize("images", [[], [1], "text", 7, False])
def test_images_that_are_no_object_are_not_replaced(images: Any) -> None:
    """A value that is not an object under the images' key is an error and stays."""
    with pytest.raises(ConfigurationError, match=f"instead of images under {VM}"):
        add_image_version(image(), offer_of({"planId": "gold", VM: images}))


TWO_DISKS = {"data_disk_urls": {0: "https://a/0", 1: "https://a/1"}}


@pytest.mark.parametrize(
    ("disks", "arguments"),
    [
        (None, {}),
        ([None, 7, {}], {}),
        ([{"lun": 1, "vhdUrl": sas("https://a/1", signature="z")}], {"data_disk_urls": {1: sas("https://a/1")}}),
        ([{"lun": "1", "uRL": "https://a/1"}, {"lun": 0, "vhdUrl": "https://a/0"}], TWO_DISKS),
        ([{"vhdUrl": "https://a/0"}, {"vhdUrl": "https://a/1"}], TWO_DISKS),
    ],
)
@pytest.mark.parametrize("current", [{"osVhdUrl": sas(signature="other")}, {"osVhdUrl": BLOB, "label": "theirs"}])
def test_a_version_with_the_same_blobs_is_unchanged(
    current: dict[str, Any], disks: Any, arguments: dict[str, Any]
) -> None:
    """A version that has the same blobs is left unchanged, whatever their signatures and the order of its disks."""
    document = offer_of({"planId": "gold", VM: {"2026.11.3": current | {"lunVhdDetails": disks}}})
    before = copy.deepcopy(document)
    add_image_version(image(details={"label": "ours"}, **arguments), document)
    assert document == before


LONG = "https://a/" + "x" * 400


@pytest.mark.parametrize(
    ("current", "arguments", "expected"),
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
def test_another_blob_is_an_error(current: Any, arguments: dict[str, Any], expected: str) -> None:
    """A version that has another blob on any disk is not overwritten, and the error shows no signature."""
    document = offer_of({"planId": "gold", VM: {"2026.11.3": current}})
    before = copy.deepcopy(document)
    with pytest.raises(ConfigurationError, match=r"plan gold already has version 2026\.11\.3") as caught:
        add_image_version(image(**arguments), document)
    assert expected in line_of(caught.value)
    assert document == before


def test_data_disks_are_ordered_by_number() -> None:
    """Data disks are sorted by number, also where a template made their numbers strings."""
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
def test_signatures_are_found_and_redacted(text: str, signatures: list[str]) -> None:
    """The signature of a URL is found in every notation and redacted in text from the API."""
    assert find_sas_signatures(text) == signatures
    shown = sanitize_line(text)
    assert all(signature not in shown for signature in signatures)
    assert shown.count("sig=***") >= len(signatures)
