# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API of the emulator: the same offers, the other way to look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OFFER = "contoso-vm"


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
    assert api.job(job["jobId"]) == ("running", "pending")
    clock.advance(days=3)
    assert api.job(job["jobId"]) == ("completed", "succeeded")
    (preview,) = [one for one in api.submissions() if one["target"]["targetType"] == "preview"]
    assert (preview["status"], preview["result"], preview["product"]) == ("completed", "succeeded", product)
    golive = api.go_live(preview["id"])
    assert golive.status_code == 202
    clock.advance(days=1)
    assert api.job(golive.json()["jobId"]) == ("running", "pending")
    clock.advance(days=1)
    assert api.job(golive.json()["jobId"]) == ("completed", "succeeded")
    (live,) = [one for one in api.submissions() if one["target"]["targetType"] != "draft"]
    assert (live["id"], live["target"]["targetType"], live["result"]) == (preview["id"], "live", "succeeded")
    assert mine.status() == "succeeded"
    counts = mine.portal.counts_for(OFFER)
    assert (counts["configure_publish"], counts["configure_golive"], counts["publish"]) == (1, 1, 0)


def test_a_job_is_canceled(client: Callable[..., Any]) -> None:
    """Canceling a job ends it and its submission; what has ended is not canceled."""
    mine = client()
    job = mine.ingestion.publish().json()["jobId"]
    canceled = mine.ingestion.call("POST", f"configure/{job}/cancel")
    assert (canceled.status_code, canceled.json()["jobStatus"], canceled.json()["jobResult"]) == (
        200,
        "completed",
        "cancelled",
    )
    assert (mine.status(), [one["target"]["targetType"] for one in mine.ingestion.submissions()]) == (
        "canceled",
        ["draft"],
    )
    again = mine.ingestion.call("POST", f"configure/{job}/cancel")
    assert (again.status_code, again.json()["error"]["message"]) == (
        400,
        "Cannot cancel job, job has already completed.",
    )
    assert mine.portal.counts_for(OFFER)["configure_cancel"] == 2
