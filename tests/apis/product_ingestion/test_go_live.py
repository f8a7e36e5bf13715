# SPDX-License-Identifier: Apache-2.0
"""Going live: the submission in preview, once."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import GUID, JOB, FakeAPI, job, sample, submission
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import GoLiveParams

OLD = submission(3, "live")
AWAITING_SIGN_OFF = submission(7, "preview")
GOING = submission(7, "live", "running/pending")
LIVE = submission(7, "live")
NOT_LATEST = sample("configure-status-failed-not-latest")["errors"]
LOST = exceptions.ServerError("go live", status=502)
LOCATION = f"/configure/{JOB}/status"


def make_params(offer: OfferRef, operation: Operation | None = None, **context: Any) -> GoLiveParams:
    return GoLiveParams(offer, TryContext(**{"settle_time": 900, "can_checkpoint": True, **context}), operation)


def test_a_submission_in_preview_goes_live(
    player: Player, offer: OfferRef, operation: Operation, start: datetime
) -> None:
    """The request has the preview's submission, and the operation is that submission with the new job."""
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF], [OLD, GOING])
    result = player.run(go_live(make_params(offer, operation)))
    assert result == Operation(offer, "golive", start, AWAITING_SIGN_OFF["id"], LOCATION, PRODUCT_INGESTION)
    assert [one["id"] for body in api.posted for one in body["resources"]] == [AWAITING_SIGN_OFF["id"]]
    assert player.slept == []
    assert player.checkpoints[0]["known_ids"] == [AWAITING_SIGN_OFF["id"]]
    assert player.checkpoints[-1]["operation"] == result.to_json()


def test_a_go_live_may_be_listed_late(player: Player, offer: OfferRef) -> None:
    """A go-live that is not listed at once is polled for a minute, then left to the wait."""
    player.respond = FakeAPI([OLD, AWAITING_SIGN_OFF])
    assert player.run(go_live(make_params(offer))).operation_id == AWAITING_SIGN_OFF["id"]
    assert player.slept == [60.0]


@pytest.mark.parametrize(
    ("submissions", "expected"),
    [
        ([], "its status is neverPublished, the newest is the draft"),
        ([OLD], "its status is succeeded, the newest is submission/.*/3 live completed/succeeded"),
        ([OLD, submission(7, "preview", "running/pending")], "its status is running"),
        ([OLD, submission(7, "preview", "completed/failed")], "its status is failed"),
        ([OLD, GOING], "its status is running"),
        ([submission(3, "live", "running/pending"), AWAITING_SIGN_OFF], "its status is waitingForPublisherReview"),
        ([OLD, submission(9, "preview")], "operation submission/.*/7 was meant, but submission/.*/9 awaits sign-off"),
    ],
)
def test_nothing_goes_live_without_the_given_preview(
    player: Player, offer: OfferRef, operation: Operation, submissions: list[Any], expected: str
) -> None:
    """No preview, or another publication's, is an error after a minute in which the list may lag."""
    player.respond = api = FakeAPI(submissions)
    with pytest.raises(exceptions.PreviewNotReadyError, match=expected):
        player.run(go_live(make_params(offer, operation)))
    assert api.posted == []
    assert sum(player.slept) == 60.0


def test_a_publish_without_its_submission_is_found_by_its_job(player: Player, offer: OfferRef, start: datetime) -> None:
    """Where the publish operation has only a job, the job's start time identifies its submission."""
    publish = Operation(offer, "publish", start, None, LOCATION, PRODUCT_INGESTION)
    player.respond = api = FakeAPI([OLD, submission(9, "preview")], [OLD, submission(9, "live", "running/pending")])
    api.jobs = [job("completed/succeeded", started="2026-11-03T09:00:00Z")]
    assert player.run(go_live(make_params(offer, publish))).operation_id == f"submission/{GUID}/9"
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF])
    api.jobs = [job("completed/succeeded", started="2026-11-03T09:00:00Z")]
    with pytest.raises(exceptions.PreviewNotReadyError, match=f"operation {LOCATION} was meant"):
        player.run(go_live(make_params(offer, publish)))


def test_a_lost_response_to_an_accepted_submit(player: Player, offer: OfferRef) -> None:
    """After a lost response the list is polled and nothing is sent again; the operation then has no job."""
    player.respond = api = FakeAPI(
        [OLD, AWAITING_SIGN_OFF], exceptions.TransportError("list", text="x"), [OLD, AWAITING_SIGN_OFF], [OLD, GOING]
    )
    api.post_responses = [LOST]
    api.lists[1] = exceptions.BadRequestError("list", status=400)
    result = player.run(go_live(make_params(offer)))
    assert result.operation_id == AWAITING_SIGN_OFF["id"]
    assert result.location is None
    assert len(api.posted) == 1
    assert player.checkpoints[-1]["operation"]["operation_id"] == AWAITING_SIGN_OFF["id"]


def test_a_lost_response_to_a_submit_that_was_not_accepted(player: Player, offer: OfferRef) -> None:
    """A submission still in preview after the settle time is submitted once more; then the try fails, retryable."""
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF])
    api.post_responses = [LOST, job()]
    assert player.run(go_live(make_params(offer))).location == LOCATION
    assert len(api.posted) == 2
    assert sum(player.slept) == 960.0
    api.post_responses = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="it still awaits sign-off") as caught:
        player.run(go_live(make_params(offer)))
    assert caught.value.retryable is True
    assert len(api.posted) == 4


@pytest.mark.parametrize(
    ("listed_after", "expected", "retryable"),
    [
        ([OLD], "no longer awaits sign-off, and is not listed as live", False),
        (exceptions.BadRequestError("list", status=400), "the offer's state cannot be read", True),
    ],
)
def test_a_lost_response_with_an_unknown_outcome(
    player: Player, offer: OfferRef, listed_after: Any, expected: str, *, retryable: bool
) -> None:
    """Where the list does not show the outcome of a lost submit, the task fails and says so."""
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF], listed_after)
    api.post_responses = [LOST]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=expected) as caught:
        player.run(go_live(make_params(offer, settle_time=30)))
    assert caught.value.retryable == retryable
    assert len(api.posted) == 1


@pytest.mark.parametrize("refused_by", ["job", "400"])
@pytest.mark.parametrize(
    ("listed_after", "kind"),
    [
        ([OLD, submission(9, "preview")], exceptions.PreviewNotReadyError),
        ([OLD, submission(9, "preview", "running/pending")], exceptions.OperationInProgressError),
        (exceptions.BadRequestError("list", status=400), exceptions.PreviewNotReadyError),
    ],
)
def test_an_outdated_preview_is_a_conflict(
    player: Player, offer: OfferRef, refused_by: str, listed_after: Any, kind: type
) -> None:
    """A preview that is not the latest, or another submission in progress, is an error, and the checkpoint is removed."""
    player.respond = api = FakeAPI(
        [OLD, AWAITING_SIGN_OFF], *([[OLD, AWAITING_SIGN_OFF]] if refused_by == "job" else []), listed_after
    )
    if refused_by == "400":
        api.post_responses = [exceptions.ConflictError("go live", status=400, text="its not the latest")]
    else:
        api.jobs = [job("completed/failed", NOT_LATEST)]
    with pytest.raises(kind):
        player.run(go_live(make_params(offer)))
    assert len(api.posted) == 1
    assert player.checkpoints[-1] is None


@pytest.mark.parametrize(
    "error",
    [
        exceptions.PermissionDeniedError("go live", status=403),
        exceptions.BadRequestError("go live", status=400, text="no"),
    ],
)
def test_a_refused_submit_is_an_error(player: Player, offer: OfferRef, error: exceptions.MarketplaceError) -> None:
    """Any other refusal is raised unchanged, and the checkpoint is removed."""
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF])
    api.post_responses = [error]
    with pytest.raises(type(error)):
        player.run(go_live(make_params(offer)))
    assert player.checkpoints[-1] is None


def test_a_list_that_fails_after_the_submit_loses_nothing(player: Player, offer: OfferRef) -> None:
    """Once the job is known, a list that fails is a warning."""
    player.respond = FakeAPI([OLD, AWAITING_SIGN_OFF], exceptions.BadRequestError("list", status=400))
    assert player.run(go_live(make_params(offer))).location == LOCATION


def checkpoint_of(offer: OfferRef, start: datetime, operation: Operation | None = None) -> Checkpoint:
    return Checkpoint(offer, "golive", start, FIRST, (AWAITING_SIGN_OFF["id"],), None, operation)


def test_a_retry_attaches_to_its_operation(player: Player, offer: OfferRef, start: datetime) -> None:
    """A retry returns the operation in the checkpoint without a request."""
    own = Operation(offer, "golive", start, AWAITING_SIGN_OFF["id"], LOCATION, PRODUCT_INGESTION)
    retry = make_params(offer, counts=RETRY, checkpoint=checkpoint_of(offer, start, own))
    assert player.run(go_live(retry)) == own
    assert player.sent == []


@pytest.mark.parametrize(("submissions", "submits"), [([OLD, GOING], 0), ([LIVE], 0), ([OLD, AWAITING_SIGN_OFF], 1)])
def test_a_retry_after_a_lost_response_polls_first(
    player: Player, offer: OfferRef, start: datetime, submissions: list[Any], submits: int
) -> None:
    """A retry after an intent attaches if the submit was accepted, and submits after the settle time otherwise."""
    player.respond = api = FakeAPI(submissions)
    result = player.run(go_live(make_params(offer, counts=RETRY, checkpoint=checkpoint_of(offer, start))))
    assert result.operation_id == AWAITING_SIGN_OFF["id"]
    assert len(api.posted) == submits
    assert sum(player.slept) == (960.0 if submits else 0.0)


@pytest.mark.parametrize(
    ("submissions", "hours", "submits"),
    [
        ([OLD, GOING], 0, 0),
        ([LIVE], 3, 0),
        ([OLD, AWAITING_SIGN_OFF], 0, 1),
        ([LIVE], 0, None),
        ([OLD], 0, None),
        ([], 0, None),
    ],
)
def test_a_retry_without_a_checkpoint(
    player: Player, offer: OfferRef, start: datetime, submissions: list[Any], hours: int, submits: int | None
) -> None:
    """Before Airflow 3.3 a retry attaches to a go-live in progress, or to a live submission created in this DAG run."""
    player.respond = api = FakeAPI(submissions)
    began = start - timedelta(hours=hours)
    retry = make_params(offer, counts=RETRY, can_checkpoint=False, dag_run_start=began)
    if submits is None:
        with pytest.raises(exceptions.PreviewNotReadyError):
            player.run(go_live(retry))
        return
    assert player.run(go_live(retry)).operation_id == AWAITING_SIGN_OFF["id"]
    assert len(api.posted) == submits


def test_a_retry_without_a_checkpoint_uses_the_given_publication_only(
    player: Player, offer: OfferRef, operation: Operation
) -> None:
    """With the publish operation given, a retry attaches only to its submission, however old."""
    retry = make_params(offer, operation, counts=RETRY, can_checkpoint=False)
    player.respond = api = FakeAPI([LIVE])
    assert player.run(go_live(retry)).operation_id == AWAITING_SIGN_OFF["id"]
    player.respond = api = FakeAPI([OLD, submission(9, "live", "running/pending")])
    with pytest.raises(exceptions.PreviewNotReadyError):
        player.run(go_live(retry))
    assert api.posted == []


@pytest.mark.parametrize("submissions", [[OLD, GOING], [LIVE]])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_cleared_task_attaches_to_its_own_go_live(
    player: Player, offer: OfferRef, start: datetime, submissions: list[Any], *, is_known: bool
) -> None:
    """Without another preview, a cleared task attaches to the go-live of its earlier run, in progress or ended."""
    own = Operation(offer, "golive", start, AWAITING_SIGN_OFF["id"], LOCATION, PRODUCT_INGESTION)
    player.respond = api = FakeAPI(submissions)
    earlier = checkpoint_of(offer, start, own if is_known else None)
    result = player.run(go_live(make_params(offer, counts=CLEARED, checkpoint=earlier)))
    assert result.operation_id == AWAITING_SIGN_OFF["id"]
    assert result.location == (LOCATION if is_known else None)
    assert api.posted == []
    assert player.checkpoints[-1]["counts"] == asdict(CLEARED)
    assert player.checkpoints[-1]["operation"] == result.to_json()


def test_a_cleared_task_goes_live_with_the_current_preview(player: Player, offer: OfferRef, start: datetime) -> None:
    """A cleared task submits a new preview, and a checkpoint for another offer is refused."""
    own = Operation(offer, "golive", start, AWAITING_SIGN_OFF["id"], LOCATION, PRODUCT_INGESTION)
    current = [LIVE, submission(9, "preview")]
    player.respond = api = FakeAPI(current, current, [submission(9, "live", "running/pending")])
    cleared = make_params(offer, counts=CLEARED, checkpoint=checkpoint_of(offer, start, own))
    assert player.run(go_live(cleared)).operation_id == f"submission/{GUID}/9"
    assert len(api.posted) == 1
    with pytest.raises(exceptions.ConfigurationError, match="saved a checkpoint to go live with offer contoso-vm"):
        player.run(go_live(make_params(OfferRef(None, "other"), checkpoint=checkpoint_of(offer, start))))


def test_a_job_that_fails_at_once_is_a_refusal(player: Player, offer: OfferRef) -> None:
    """The error of a job that fails at once has the whole tree of the job's errors."""
    player.respond = api = FakeAPI([OLD, AWAITING_SIGN_OFF])
    api.jobs = [job("completed/failed", sample("configure-status-failed-validation")["errors"])]
    with pytest.raises(
        exceptions.BadRequestError, match=r"golive offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ):
        player.run(go_live(make_params(offer)))
    assert player.checkpoints[-1] is None
