# SPDX-License-Identifier: Apache-2.0
"""The publish order of the Product Ingestion API: a job, which is refused some seconds later, if at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.product_ingestion import DRAFT, GUID, JOB, Market, job, sample, submission
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import PublishParams

OLD = submission(3, "live")
NEW = submission(9, "preview", "running/pending")
LOCATION = f"/configure/{JOB}/status"
CONFLICT = sample("configure-status-failed-in-progress")["errors"]
VALIDATION = sample("configure-status-failed-validation")["errors"]
IN_PROGRESS = exceptions.ConflictError("publish", status=400, text="An In Progress submission already exists")


def wanted(offer: OfferRef, **attempt: Any) -> PublishParams:
    return PublishParams(offer, (), TryContext(**{"settle_time": 900, "can_checkpoint": True, **attempt}))


def test_an_order_is_found_by_its_submission(player: Any, offer: OfferRef, start: Any) -> None:
    """The answer names the job, the list the submission; both are noted, the job before anything else is asked."""
    player.answer = market = Market([OLD], [OLD], [NEW, OLD])
    operation = player.run(publish(wanted(offer)))
    assert operation == Operation(offer, "publish", start, NEW["id"], LOCATION, PRODUCT_INGESTION)
    assert [note and note["operation"] and note["operation"]["operation_id"] for note in player.notes] == [
        None,
        None,
        NEW["id"],
    ]
    assert player.notes[0]["known_ids"] == [OLD["id"], OLD["id"]]
    assert (len(market.posted), player.slept) == (1, [60.0])


def test_a_submission_that_does_not_show_is_left_to_the_wait(player: Any, offer: OfferRef) -> None:
    """After a minute the job alone is enough, and without time to settle at once."""
    player.answer = Market([OLD])
    assert player.run(publish(wanted(offer))).operation_id is None
    assert player.slept == [60.0]
    assert player.run(publish(wanted(offer, settle_time=0))).location == LOCATION
    assert player.slept == [60.0]


def test_of_several_new_submissions_none_is_taken(player: Any, offer: OfferRef) -> None:
    """Which of several is its own, the job's clock tells later."""
    player.answer = Market([OLD], [NEW, submission(10, "preview", "running/pending"), OLD])
    operation = player.run(publish(wanted(offer)))
    assert (operation.operation_id, operation.location, player.slept) == (None, LOCATION, [])


def test_a_list_that_fails_after_the_order_loses_nothing(player: Any, offer: OfferRef) -> None:
    """Once the job is known, a look that fails is a warning."""
    player.answer = Market([OLD], exceptions.BadRequestError("submissions", status=400))
    assert player.run(publish(wanted(offer))).location == LOCATION
    assert [level for text, level in player.told if "the order is with the API" in text] == ["warning"]


@pytest.mark.parametrize("answer", ["job", "400"])
@pytest.mark.parametrize("seen", [True, False])
def test_an_order_that_is_in_the_way_of_another(player: Any, offer: OfferRef, answer: str, seen: bool) -> None:  # noqa: FBT001
    """Somebody else's submission that came first is named, in whichever way the API refuses; the note is taken back."""
    later = [OLD, NEW] if seen else [OLD]
    player.answer = market = Market([OLD], later)
    if answer == "400":
        market.orders = [IN_PROGRESS]
    else:
        market.jobs = [job("completed/failed", CONFLICT)]
    said, kind = "operation submission/.*/9", exceptions.OperationInProgressError
    if not seen:  # then a second submit decides, and the API's own words are the error
        said, kind = "An In Progress submission already exists", exceptions.ConflictError
        market.orders, market.jobs = market.orders * 2, market.jobs * 2
    with pytest.raises(kind, match=said):
        player.run(publish(wanted(offer)))
    assert (len(market.posted), player.notes[-1]) == (1 if seen else 2, None)


def test_what_is_refused_by_its_job_says_why(player: Any, offer: OfferRef) -> None:
    """A job that fails at once is a refusal, with its whole tree of errors; what it began may not be listed yet."""
    player.answer = market = Market([OLD])
    market.jobs = [job("completed/failed", VALIDATION)]
    with pytest.raises(
        exceptions.BadRequestError, match=r"publish offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ) as caught:
        player.run(publish(wanted(offer)))
    assert (caught.value.retryable, caught.value.offer) == (False, "contoso-vm")
    assert player.notes[-1]["operation"]["location"] == LOCATION


def test_a_product_that_is_locked_may_be_free_later(player: Any, offer: OfferRef) -> None:
    """Somebody who edits the product is no end: the task's retries are for that."""
    player.answer = market = Market([OLD])
    market.orders = [exceptions.LockedError("publish", status=423, text="The product is locked.")]
    with pytest.raises(exceptions.LockedError) as caught:
        player.run(publish(wanted(offer)))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "lost",
    [
        exceptions.TransportError("publish", text="timed out"),
        exceptions.ServerError("publish", status=502),
        exceptions.InvalidResponseError("publish", status=202),
    ],
)
def test_a_lost_answer_is_never_sent_again(player: Any, offer: OfferRef, lost: exceptions.MarketplaceError) -> None:
    """After a lost answer the submissions are read for the settle time; one that is new is the order's."""
    player.answer = market = Market([OLD], [OLD], [OLD])
    market.orders = [lost]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError) as caught:
        player.run(publish(wanted(offer)))
    assert (caught.value.retryable, len(market.posted), sum(player.slept)) == (True, 1, 900)
    player.answer = market = Market([OLD], [OLD], [OLD, NEW])
    market.orders = [lost]
    found = player.run(publish(wanted(offer)))
    assert (found.operation_id, found.location, found.api) == (NEW["id"], None, PRODUCT_INGESTION)


def test_what_went_live_meanwhile_was_published(player: Any, offer: OfferRef, start: Any) -> None:
    """A later try finds its lost order also where it is listed for the market by then."""
    note = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],))
    player.now = start + timedelta(days=7)
    player.answer = market = Market([OLD, submission(9, "live")])
    found = player.run(publish(wanted(offer, counts=RETRY, checkpoint=note)))
    assert (found.operation_id, market.posted) == (NEW["id"], [])


def test_somebody_elses_submission_is_in_the_way(player: Any, offer: OfferRef) -> None:
    """Whatever is open is named, and nothing is ordered; parked is not open."""
    player.answer = market = Market([OLD, NEW])
    with pytest.raises(exceptions.OperationInProgressError, match=f"operation {NEW['id']}"):
        player.run(publish(wanted(offer)))
    assert market.posted == []
    player.answer = market = Market([OLD, submission(8, "preview")], [OLD, submission(8, "preview"), NEW])
    assert player.run(publish(wanted(offer))).operation_id == NEW["id"]


@pytest.mark.parametrize(
    ("entries", "a_job", "goes_on"),
    [
        ([NEW], job(), True),
        ([submission(9, "preview")], job(), False),
        ([], job(), True),
        ([], job("completed/failed", VALIDATION), False),
        ([], exceptions.NotFoundError("job", status=404), True),
    ],
)
def test_a_cleared_task_goes_on_with_what_still_runs(
    player: Any,
    offer: OfferRef,
    start: Any,
    entries: list[Any],
    a_job: Any,
    goes_on: bool,  # noqa: FBT001
) -> None:
    """Before it publishes anew, a cleared task asks its own submission, or its job where there is none yet."""
    own = Operation(offer, "publish", start, NEW["id"], LOCATION, PRODUCT_INGESTION)
    note = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],), None, own)
    player.answer = market = Market([OLD, *entries])
    market.jobs = [a_job, a_job if isinstance(a_job, exceptions.MarketplaceError) else job()]
    cleared = wanted(offer, counts=CLEARED, checkpoint=note)
    operation = player.run(publish(cleared))
    assert (len(market.posted), operation == own) == ((0, True) if goes_on else (1, False))


def test_what_a_cleared_task_lost_is_gone(player: Any, offer: OfferRef, start: Any) -> None:
    """An operation that the API does not know any more, minutes after its order, does not run."""
    own = Operation(offer, "publish", start - timedelta(hours=1), NEW["id"], LOCATION, PRODUCT_INGESTION)
    note = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],), None, own)
    player.answer = market = Market([OLD])
    market.jobs = [exceptions.NotFoundError("job", status=404), job()]
    player.run(publish(wanted(offer, counts=CLEARED, checkpoint=note)))
    assert len(market.posted) == 1


def test_a_modular_publish_takes_along_what_it_needs(player: Any, offer: OfferRef) -> None:
    """With resources the order has product, property, plan and these, in this order, and the submission."""
    tree = sample("resource-tree-small")["resources"]
    changed = sample("vm-plan-technical-configuration")
    player.answer = market = Market([OLD], [OLD, NEW])
    market.trees = {"draft": tree}
    player.run(publish(replace(wanted(offer), resources=(changed,))))
    kinds = [one["$schema"].split("/")[-2] for one in market.posted[0]["resources"]]
    assert kinds == ["product", "property", "plan", "virtual-machine-plan-technical-configuration", "submission"]
    assert market.posted[0]["resources"][3] == changed
    assert "azureedge" not in str(market.posted[0])
    assert DRAFT["id"] not in str(market.posted[0])


def test_a_draft_that_cannot_be_read_is_no_order(player: Any, offer: OfferRef) -> None:
    """What fails before the order is no order, and leaves no note."""
    player.answer = market = Market([OLD])
    with pytest.raises(exceptions.NotFoundError):
        player.run(publish(replace(wanted(offer), resources=({"$schema": "x"},))))
    assert (market.posted, player.notes) == ([], [])


def test_an_unknown_offer_is_not_published(player: Any, offer: OfferRef) -> None:
    """An offer that the account does not have is an error before anything is ordered."""
    player.answer = market = Market([OLD])
    market.products.clear()
    with pytest.raises(exceptions.NotFoundError, match="no product with this external id"):
        player.run(publish(wanted(offer)))
    assert market.posted == []
    assert GUID not in str(player.sent)
