# SPDX-License-Identifier: Apache-2.0
"""Going live with the submission that is in preview, once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from support.product_ingestion import GUID, JOB, Market, job, sample, submission
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import GoLiveParams

OLD = submission(3, "live")
PARKED = submission(7, "preview")
GOING = submission(7, "live", "running/pending")
LIVE = submission(7, "live")
NOT_LATEST = sample("configure-status-failed-not-latest")["errors"]
LOST = exceptions.ServerError("go live", status=502)
LOCATION = f"/configure/{JOB}/status"


def wanted(offer: OfferRef, operation: Operation | None = None, **attempt: Any) -> GoLiveParams:
    return GoLiveParams(offer, TryContext(**{"settle_time": 900, "can_checkpoint": True, **attempt}), operation)


def test_what_is_in_preview_goes_live(player: Any, offer: OfferRef, operation: Operation, start: Any) -> None:
    """The order names the preview's submission, and the operation is that submission with the new job."""
    player.answer = market = Market([OLD, PARKED], [OLD, GOING])
    found = player.run(go_live(wanted(offer, operation)))
    assert found == Operation(offer, "golive", start, PARKED["id"], LOCATION, PRODUCT_INGESTION)
    assert [one["id"] for body in market.posted for one in body["resources"]] == [PARKED["id"]]
    assert (player.slept, player.notes[0]["known_ids"], player.notes[-1]["operation"]) == (
        [],
        [PARKED["id"]],
        found.to_json(),
    )


def test_it_may_show_later(player: Any, offer: OfferRef) -> None:
    """A going live that is not listed at once is looked after for a minute, and then left to the wait."""
    player.answer = Market([OLD, PARKED])
    assert player.run(go_live(wanted(offer))).operation_id == PARKED["id"]
    assert player.slept == [60.0]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "its status is neverPublished, the newest is nothing but a draft"),
        ([OLD], "its status is succeeded, the newest is submission/.*/3 live completed/succeeded"),
        ([OLD, submission(7, "preview", "running/pending")], "its status is running"),
        ([OLD, submission(7, "preview", "completed/failed")], "its status is failed"),
        ([OLD, GOING], "its status is running"),
        ([submission(3, "live", "running/pending"), PARKED], "its status is waitingForPublisherReview"),
        ([OLD, submission(9, "preview")], "operation submission/.*/7 was meant, but what waits is submission/.*/9"),
    ],
)
def test_what_is_not_in_preview_does_not_go_live(
    player: Any, offer: OfferRef, operation: Operation, entries: list[Any], said: str
) -> None:
    """Nothing that waits, or another publication than was meant, is an error, after a minute of a list that may lag."""
    player.answer = market = Market(entries)
    with pytest.raises(exceptions.PreviewNotReadyError, match=said):
        player.run(go_live(wanted(offer, operation)))
    assert (market.posted, sum(player.slept)) == ([], 60.0)


def test_a_publish_without_its_submission_is_found_by_its_job(player: Any, offer: OfferRef, start: Any) -> None:
    """Where the publish operation names its job only, the job's beginning tells which submission is meant."""
    publish = Operation(offer, "publish", start, None, LOCATION, PRODUCT_INGESTION)
    player.answer = market = Market([OLD, submission(9, "preview")], [OLD, submission(9, "live", "running/pending")])
    market.jobs = [job("completed/succeeded", started="2026-11-03T09:00:00Z")]
    assert player.run(go_live(wanted(offer, publish))).operation_id == f"submission/{GUID}/9"
    player.answer = market = Market([OLD, PARKED])
    market.jobs = [job("completed/succeeded", started="2026-11-03T09:00:00Z")]
    with pytest.raises(exceptions.PreviewNotReadyError, match=f"operation {LOCATION} was meant"):
        player.run(go_live(wanted(offer, publish)))


def test_a_lost_answer_that_was_taken(player: Any, offer: OfferRef) -> None:
    """An order whose answer was lost is not sent again while the list may tell; its operation has no job then."""
    player.answer = market = Market(
        [OLD, PARKED], exceptions.TransportError("list", text="x"), [OLD, PARKED], [OLD, GOING]
    )
    market.orders = [LOST]
    market.lists[1] = exceptions.BadRequestError("list", status=400)
    found = player.run(go_live(wanted(offer)))
    assert (found.operation_id, found.location, len(market.posted)) == (PARKED["id"], None, 1)
    assert player.notes[-1]["operation"]["operation_id"] == PARKED["id"]


def test_a_lost_answer_that_was_not_taken(player: Any, offer: OfferRef) -> None:
    """Still in preview when the settle time has passed means that it was not taken: once more, and then it is said."""
    player.answer = market = Market([OLD, PARKED])
    market.orders = [LOST, job()]
    assert player.run(go_live(wanted(offer))).location == LOCATION
    assert (len(market.posted), sum(player.slept)) == (2, 960.0)
    market.orders = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="it still waits in preview") as caught:
        player.run(go_live(wanted(offer)))
    assert (caught.value.retryable, len(market.posted)) == (True, 4)


@pytest.mark.parametrize(
    ("after", "said", "retryable"),
    [
        ([OLD], "does not wait in preview any more, and is not listed for the market", False),
        (exceptions.BadRequestError("list", status=400), "the API does not say where it stands", True),
    ],
)
def test_a_lost_answer_of_which_nothing_can_be_told(
    player: Any,
    offer: OfferRef,
    after: Any,
    said: str,
    retryable: bool,  # noqa: FBT001
) -> None:
    """Where the list does not tell what became of it, the task stops and says so."""
    player.answer = market = Market([OLD, PARKED], after)
    market.orders = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=said) as caught:
        player.run(go_live(wanted(offer, settle_time=30)))
    assert (caught.value.retryable, len(market.posted)) == (retryable, 1)


@pytest.mark.parametrize("answer", ["job", "400"])
@pytest.mark.parametrize(
    ("after", "kind"),
    [
        ([OLD, submission(9, "preview")], exceptions.PreviewNotReadyError),
        ([OLD, submission(9, "preview", "running/pending")], exceptions.OperationInProgressError),
        (exceptions.BadRequestError("list", status=400), exceptions.PreviewNotReadyError),
    ],
)
def test_an_outdated_preview_is_a_conflict(player: Any, offer: OfferRef, answer: str, after: Any, kind: type) -> None:
    """What is not the latest is not parked, or somebody's submission runs; the note is taken back."""
    player.answer = market = Market([OLD, PARKED], *([[OLD, PARKED]] if answer == "job" else []), after)
    if answer == "400":
        market.orders = [exceptions.ConflictError("go live", status=400, text="its not the latest")]
    else:
        market.jobs = [job("completed/failed", NOT_LATEST)]
    with pytest.raises(kind):
        player.run(go_live(wanted(offer)))
    assert (len(market.posted), player.notes[-1]) == (1, None)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.PermissionDeniedError("go live", status=403),
        exceptions.BadRequestError("go live", status=400, text="no"),
    ],
)
def test_a_refusal_is_let_through(player: Any, offer: OfferRef, error: exceptions.MarketplaceError) -> None:
    """What is refused for another reason says so itself."""
    player.answer = market = Market([OLD, PARKED])
    market.orders = [error]
    with pytest.raises(type(error)):
        player.run(go_live(wanted(offer)))
    assert player.notes[-1] is None


def test_a_look_that_fails_after_the_order_loses_nothing(player: Any, offer: OfferRef) -> None:
    """Once the job is known, a look that fails is a warning."""
    player.answer = Market([OLD, PARKED], exceptions.BadRequestError("list", status=400))
    assert player.run(go_live(wanted(offer))).location == LOCATION


def note(offer: OfferRef, start: Any, operation: Operation | None = None) -> Checkpoint:
    return Checkpoint(offer, "golive", start, FIRST, (PARKED["id"],), None, operation)


def test_a_retry_goes_on_with_its_operation(player: Any, offer: OfferRef, start: Any) -> None:
    """What an earlier try noted is returned, and nothing is asked."""
    own = Operation(offer, "golive", start, PARKED["id"], LOCATION, PRODUCT_INGESTION)
    retry = wanted(offer, counts=RETRY, checkpoint=note(offer, start, own))
    assert (player.run(go_live(retry)), player.sent) == (own, [])


@pytest.mark.parametrize(("entries", "orders"), [([OLD, GOING], 0), ([LIVE], 0), ([OLD, PARKED], 1)])
def test_a_retry_without_an_answer_looks_first(
    player: Any, offer: OfferRef, start: Any, entries: list[Any], orders: int
) -> None:
    """A try that noted its order and died is gone on with if it was taken; else it is ordered once time has passed."""
    player.answer = market = Market(entries)
    found = player.run(go_live(wanted(offer, counts=RETRY, checkpoint=note(offer, start))))
    assert (found.operation_id, len(market.posted)) == (PARKED["id"], orders)
    assert sum(player.slept) == (960.0 if orders else 0.0)


@pytest.mark.parametrize(
    ("entries", "since", "orders"),
    [
        ([OLD, GOING], 0, 0),
        ([LIVE], 3, 0),
        ([OLD, PARKED], 0, 1),
        ([LIVE], 0, None),
        ([OLD], 0, None),
        ([], 0, None),
    ],
)
def test_a_retry_without_a_note(
    player: Any, offer: OfferRef, start: Any, entries: list[Any], since: int, orders: int | None
) -> None:
    """Before Airflow 3.3 what goes live is gone on with, and what is live only if it was made in this DAG run."""
    player.answer = market = Market(entries)
    began = start - timedelta(hours=since)
    retry = wanted(offer, counts=RETRY, can_checkpoint=False, dag_run_start=began)
    if orders is None:
        with pytest.raises(exceptions.PreviewNotReadyError):
            player.run(go_live(retry))
        return
    assert player.run(go_live(retry)).operation_id == PARKED["id"]
    assert len(market.posted) == orders


def test_a_retry_without_a_note_keeps_to_what_was_meant(player: Any, offer: OfferRef, operation: Operation) -> None:
    """With the publish operation given, only its own submission is gone on with, however old."""
    retry = wanted(offer, operation, counts=RETRY, can_checkpoint=False)
    player.answer = market = Market([LIVE])
    assert player.run(go_live(retry)).operation_id == PARKED["id"]
    player.answer = market = Market([OLD, submission(9, "live", "running/pending")])
    with pytest.raises(exceptions.PreviewNotReadyError):
        player.run(go_live(retry))
    assert market.posted == []


@pytest.mark.parametrize("entries", [[OLD, GOING], [LIVE]])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_cleared_task_goes_on_with_what_it_went_live_with(
    player: Any,
    offer: OfferRef,
    start: Any,
    entries: list[Any],
    is_known: bool,  # noqa: FBT001
) -> None:
    """Where nothing else waits, a cleared task goes on with what an earlier run of it ordered, ended or not."""
    own = Operation(offer, "golive", start, PARKED["id"], LOCATION, PRODUCT_INGESTION)
    player.answer = market = Market(entries)
    earlier = note(offer, start, own if is_known else None)
    found = player.run(go_live(wanted(offer, counts=CLEARED, checkpoint=earlier)))
    assert (found.operation_id, found.location, market.posted) == (PARKED["id"], LOCATION if is_known else None, [])
    assert (player.notes[-1]["counts"], player.notes[-1]["operation"]) == (asdict(CLEARED), found.to_json())


def test_a_cleared_task_goes_live_with_what_waits_now(player: Any, offer: OfferRef, start: Any) -> None:
    """What an earlier run of the task went live with is not this one's, nor is another order's note."""
    own = Operation(offer, "golive", start, PARKED["id"], LOCATION, PRODUCT_INGESTION)
    waits = [LIVE, submission(9, "preview")]
    player.answer = market = Market(waits, waits, [submission(9, "live", "running/pending")])
    cleared = wanted(offer, counts=CLEARED, checkpoint=note(offer, start, own))
    assert player.run(go_live(cleared)).operation_id == f"submission/{GUID}/9"
    assert len(market.posted) == 1
    with pytest.raises(exceptions.ConfigurationError, match="noted a golive of offer contoso-vm"):
        player.run(go_live(wanted(OfferRef(None, "other"), checkpoint=note(offer, start))))


def test_what_is_refused_by_its_job_says_why(player: Any, offer: OfferRef) -> None:
    """A job that fails at once for another reason is a refusal with its whole tree of errors."""
    player.answer = market = Market([OLD, PARKED])
    market.jobs = [job("completed/failed", sample("configure-status-failed-validation")["errors"])]
    with pytest.raises(
        exceptions.BadRequestError, match=r"golive offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ):
        player.run(go_live(wanted(offer)))
    assert player.notes[-1] is None
