# SPDX-License-Identifier: Apache-2.0
"""Changing a draft: without losing a key or somebody else's change, and without showing a signature."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, redact
from partner_center_emulator import Emulator, Fault

from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator

OFFER = "contoso-vm"
IMAGES = "microsoft-azure-virtualmachines.vmImages"
TITLE = {"definition": {"offer": {"microsoft-azure-marketplace.title": "New"}}}


def sas(blob: str = "2.vhd", signature: str = "c2VjcmV0c2lnbmF0dXJl%3D", days: float = 30) -> str:
    expiry = quote(f"{datetime.now(timezone.utc) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}")
    return (
        f"https://contosoimages.blob.core.windows.net/vhds/{blob}?sv=2018-03-28&sr=c&se={expiry}&sp=rl&sig={signature}"
    )


def image(**arguments: Any) -> AddImageVersionOperator:
    options = {"task_id": "add", "offer_id": OFFER, "plan_id": "gold", "version": "1.0.1", "os_disk_url": sas()}
    return AddImageVersionOperator(**{**options, **arguments})


def test_a_patch_keeps_every_other_key(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A merge patch changes only what it names, and the task returns nothing of the document."""
    emulator = serve()
    emulator.add_offer(OFFER)
    before = CloudPartnerPortalHook().get_offer(OFFER)
    value = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch=TITLE).execute(context)
    after = CloudPartnerPortalHook().get_offer(OFFER)
    before["definition"]["offer"]["microsoft-azure-marketplace.title"] = "New"
    assert {key: after[key] for key in after if key != "changedTime"} == {
        key: before[key] for key in before if key != "changedTime"
    }
    assert value == {"publisher_id": "contoso", "offer_id": OFFER, "version": 0, "written": True}


def test_an_unchanged_draft_is_not_written(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A draft that already has the change is not written again."""
    emulator = serve()
    emulator.add_offer(OFFER)
    task = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch=TITLE)
    written = [task.execute(context)["written"] for _ in range(2)]
    assert written == [True, False]
    assert emulator.counts["put"] == 1


def test_somebody_else_s_change_is_kept(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A draft that was written between read and write is read again, and both changes are kept."""
    emulator = serve()
    emulator.add_offer(OFFER)
    theirs = {"definition": {"displayText": "theirs"}}
    attempts: list[int] = []

    def change(document: dict[str, Any]) -> None:
        if not attempts:
            UpdateOfferOperator(task_id="theirs", offer_id=OFFER, patch=theirs).execute(context)
        attempts.append(1)
        document["definition"]["offer"]["ours"] = True

    UpdateOfferOperator(task_id="ours", offer_id=OFFER, change=change).execute(context)
    definition = CloudPartnerPortalHook().get_offer(OFFER)["definition"]
    assert definition["displayText"] == "theirs"
    assert definition["offer"]["ours"] is True
    assert len(attempts) == 2


def test_a_lost_response_is_no_second_change(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """After a lost response the draft is read again, and not written if it has the change."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("drop", "put", after=True))
    value = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch=TITLE).execute(context)
    assert value["written"] is False
    assert emulator.counts["put"] == 1


@pytest.mark.parametrize("overwrite", [True, False])
def test_without_an_etag(serve: Callable[..., Emulator], context: dict[str, Any], *, overwrite: bool) -> None:
    """A draft without an ETag is written only with `overwrite`."""
    emulator = serve(etag_on_get=False)
    emulator.add_offer(OFFER)
    task = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch=TITLE, overwrite=overwrite)
    if overwrite:
        assert task.execute(context)["written"]
    else:
        with pytest.raises(AirflowFailException, match="overwrite=True accepts that"):
            task.execute(context)


@pytest.mark.parametrize("code", [200, 201])
@pytest.mark.parametrize("create", [True, False])
def test_an_offer_is_created_on_request_only(
    serve: Callable[..., Emulator], context: dict[str, Any], code: int, *, create: bool
) -> None:
    """A missing offer is created only with `create`, with either success status of the API."""
    emulator = serve(create_code=code)
    document = {"offerTypeId": "microsoft-azure-virtualmachines", "definition": {"displayText": "new", "plans": []}}
    task = UpdateOfferOperator(task_id="update", offer_id="new", patch=document, create=create)
    if create:
        assert task.execute(context)["written"]
        assert emulator.status("new")["status"] == "neverPublished"
    else:
        with pytest.raises(AirflowFailException, match="HTTP 404"):
            task.execute(context)


def test_endless_conflicts_are_retryable(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """If every write meets a newer draft, the task fails after a few attempts and may be retried."""
    emulator = serve()
    emulator.add_offer(OFFER)
    emulator.inject(Fault("response", "put", times=99, status=412))
    with pytest.raises(AirflowException, match="HTTP 412") as caught:
        UpdateOfferOperator(task_id="update", offer_id=OFFER, patch=TITLE).execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert emulator.counts["put"] == 5


def test_exactly_one_kind_of_change_is_required() -> None:
    """Exactly one of the three arguments for a change must be set."""
    for arguments in ({}, {"patch": {}, "change": dict}, {"patch": {}, "product_resources": []}):
        with pytest.raises(ValueError, match="pass exactly one of patch, change and product_resources"):
            UpdateOfferOperator(task_id="update", offer_id=OFFER, **arguments)


def test_an_image_is_added_once(serve: Callable[..., Emulator], context: dict[str, Any]) -> None:
    """A version is added to its plan once; with another signature it counts as present."""
    emulator = serve()
    emulator.add_offer(OFFER)
    first = image().execute(context)
    again = image(os_disk_url=sas(signature="YW5vdGhlcg%3D%3D")).execute(context)
    plan = CloudPartnerPortalHook().get_offer(OFFER)["definition"]["plans"][0]
    assert first["written"] is True
    assert again["written"] is False
    assert sorted(plan[IMAGES]) == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"os_disk_url": sas("other.vhd"), "version": "1.0.0"}, "already has version 1.0.0 with another blob"),
        ({"plan_id": "silver"}, "no plan 'silver'; its plans are: gold"),
        ({"version": "1.0"}, "three integers with dots between"),
        ({"os_disk_url": sas(days=2)}, "Partner Center reads it for up to 11 days"),
        ({"os_disk_url": sas(days=-1)}, "expired on"),
    ],
)
def test_what_certification_would_refuse_is_refused_at_once(
    serve: Callable[..., Emulator], context: dict[str, Any], arguments: dict[str, Any], expected: str
) -> None:
    """Another blob, an unknown plan, a bad version and a URL that expires too soon fail without a retry or a signature."""
    emulator = serve()
    emulator.add_offer(OFFER)
    with pytest.raises(AirflowFailException, match=expected) as caught:
        image(**arguments).execute(context)
    assert "c2VjcmV0" not in str(caught.value)
    assert emulator.counts["put"] == 0


def test_signatures_are_masked_in_every_argument() -> None:
    """Every signature in an argument is masked, as it is written and decoded."""
    image(os_disk_url=sas(signature="bWFza2VkLW9uZQ%3D%3D"), data_disk_urls={0: sas(signature="bWFza2VkLXR3bw%2B")})
    UpdateOfferOperator(task_id="u", offer_id=OFFER, patch={"a": [{"b": sas(signature="bWFza2VkLXRocmVl")}]})
    shown = redact("bWFza2VkLW9uZQ%3D%3D bWFza2VkLW9uZQ== bWFza2VkLXR3bw%2B bWFza2VkLXR3bw+ bWFza2VkLXRocmVl")
    assert shown == "*** *** *** *** ***"


@pytest.mark.parametrize("signature", ["{{ var.value.signature }}", "{{x}}", "x", "***"])
def test_a_template_is_not_taken_for_a_signature(signature: str) -> None:
    """A value that is no signature yet is not masked, since that would deface every log line with it."""
    image(os_disk_url=sas(signature=signature))
    assert redact(f"before {signature} after") == f"before {signature} after"
