# SPDX-License-Identifier: Apache-2.0
"""Canceling: only the intended operation, checked before the submit and polled until it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.cloud_partner_portal import FakeAPI
from support.player import Player, make_response
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import CancelParams

AWAITING_SIGN_OFF = {"status": "waitingForPublisherReview"}
RUNNING = {"status": "running"}
CANCELED_STATUS = {"status": "canceled"}
OURS = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
CANCELED = OURS | {"submissionState": "canceled"}
GOLIVE = {"id": "live-id", "submissionType": "goLive", "submissionState": "running", "publishingVersion": 2}
THEIRS = {"id": "theirs", "submissionType": "publish", "submissionState": "running", "publishingVersion": 3}
OLD = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
LOCATION = "/api/publishers/contoso/offers/contoso-vm/operations/cancel-id"


@pytest.fixture
def params(offer: OfferRef) -> CancelParams:
    return CancelParams(offer, TryContext(900))


@pytest.fixture
def accepted() -> Response:
    return make_response(b"", 202, {"location": LOCATION})


@pytest.fixture
def later_params(params: CancelParams, start: datetime) -> CancelParams:
    """Return the parameters of a second try without a checkpoint, an hour after the DAG run began."""
    return replace(params, try_context=TryContext(900, counts=RETRY, dag_run_start=start - timedelta(hours=1)))


@pytest.fixture
def retry_params(params: CancelParams, offer: OfferRef, start: datetime) -> CancelParams:
    """Return the parameters of a second try, after one that saved a checkpoint."""
    checkpoint = Checkpoint(offer, "cancel", start, FIRST, ("new-id",))
    return replace(params, try_context=TryContext(900, counts=RETRY, can_checkpoint=True, checkpoint=checkpoint))


@pytest.mark.parametrize("interval", [0, -1])
def test_a_poll_interval_must_be_positive(params: CancelParams, interval: float) -> None:
    """A poll interval of zero or less is a ConfigurationError."""
    with pytest.raises(exceptions.ConfigurationError, match="poll_interval must be more than 0"):
        replace(params, poll_interval=interval)


@pytest.mark.parametrize(
    ("listed", "status"),
    [
        ([OLD], {"status": "succeeded"}),
        ([CANCELED, OLD], CANCELED_STATUS),
        ([], {"status": "neverPublished"}),
    ],
)
@pytest.mark.parametrize("with_operation", [False, True])
def test_nothing_to_cancel(
    player: Player, params: CancelParams, operation: Operation, listed: Any, status: Any, *, with_operation: bool
) -> None:
    """Without an operation in progress the cancel submits nothing and succeeds."""
    player.respond = FakeAPI(operations=[listed], status=[status])
    assert player.run(cancel(replace(params, operation=operation if with_operation else None))) is None
    assert player.posts == 0
    assert player.checkpoints == []
    assert "no operation in progress to cancel" in player.logged[-1][0]


@pytest.mark.parametrize(
    ("headers", "operation_id", "location"),
    [({"location": LOCATION}, "cancel-id", LOCATION), ({}, "new-id", None)],
)
@pytest.mark.parametrize("state", ["running", "not started", "frobnicating"])
@pytest.mark.parametrize("with_operation", [False, True])
def test_an_operation_in_progress_is_canceled(
    player: Player,
    params: CancelParams,
    operation: Operation,
    headers: dict[str, str],
    operation_id: str,
    location: str | None,
    state: str,
    *,
    with_operation: bool,
) -> None:
    """An operation in progress, or about to start, is canceled with one request and polled until the list shows it."""
    ours = OURS | {"submissionState": state}
    post = make_response(b"", 202 if headers else 200, headers)
    player.respond = FakeAPI(
        operations=[[ours, OLD], [ours, OLD], [CANCELED, OLD]], status=[RUNNING, RUNNING, CANCELED_STATUS], post=[post]
    )
    canceled = player.run(cancel(replace(params, operation=operation if with_operation else None)))
    assert canceled.kind == "cancel"
    assert canceled.operation_id == operation_id
    assert canceled.location == location
    assert player.posts == 1
    assert player.slept == [15.0]


def test_a_checkpoint_is_saved_before_the_cancel(
    player: Player, params: CancelParams, accepted: Response, start: datetime
) -> None:
    """The checkpoint with the operation to cancel is saved before the request is sent."""
    api, at_submit = FakeAPI(operations=[[OURS], [CANCELED]], status=[RUNNING], post=[accepted]), []

    def respond(request: Request[Any]) -> Any:
        if request.method == "POST":
            at_submit.extend(player.checkpoints)
        return api(request)

    player.respond = respond
    player.run(cancel(replace(params, try_context=TryContext(900, counts=FIRST, can_checkpoint=True))))
    assert at_submit == [Checkpoint(params.offer, "cancel", start, FIRST, ("new-id",)).to_payload()]
    assert player.checkpoints == at_submit


@pytest.mark.parametrize(
    "listed",
    [
        [THEIRS, CANCELED],
        [THEIRS, OURS | {"submissionState": "completed"}],
        [THEIRS],
        [THEIRS | {"publishingVersion": 2}, CANCELED],
        [GOLIVE | {"publishingVersion": 3}, OURS | {"submissionState": "completed"}],
        [GOLIVE | {"publishingVersion": None}, OURS | {"submissionState": "completed", "publishingVersion": None}],
    ],
)
def test_another_operation_is_not_canceled(
    player: Player, params: CancelParams, operation: Operation, listed: list[Any]
) -> None:
    """With an operation given, another one in progress is an error that names it, and nothing is submitted."""
    player.respond = FakeAPI(operations=[listed], status=[RUNNING])
    with pytest.raises(
        exceptions.OperationInProgressError, match=f"another operation than the one to cancel, .*{listed[0]['id']}"
    ):
        player.run(cancel(replace(params, operation=operation)))
    assert player.posts == 0


@pytest.mark.parametrize("number", [False, True])
def test_the_go_live_of_the_given_publication_is_canceled(
    player: Player, params: CancelParams, operation: Operation, accepted: Response, *, number: bool
) -> None:
    """The go-live operation of the given publication is canceled as well."""
    if number:
        operation = replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview")
    done = OURS | {"submissionState": "completed"}
    gone = GOLIVE | {"submissionState": "canceled"}
    player.respond = FakeAPI(operations=[[GOLIVE, done], [gone, done]], status=[RUNNING], post=[accepted])
    assert player.run(cancel(replace(params, operation=operation))) is not None
    assert player.posts == 1


@pytest.mark.parametrize("state", ["running", "waitingForPublisherReview", "completed"])
@pytest.mark.parametrize("with_operation", [False, True])
def test_a_preview_awaiting_sign_off_is_canceled(
    player: Player, params: CancelParams, operation: Operation, accepted: Response, state: str, *, with_operation: bool
) -> None:
    """A preview that awaits sign-off is canceled, also where the list shows its publish as completed."""
    done, stale = state == "completed", {"id": "stale", "submissionState": "frobnicating"}
    ours = OURS | {"submissionState": state, "changedTime": "2026-11-03T08:00:00Z"}
    listed_after = ours if done else CANCELED
    player.respond = FakeAPI(
        operations=[[stale, ours], [listed_after]],
        status=[AWAITING_SIGN_OFF, AWAITING_SIGN_OFF, CANCELED_STATUS],
        post=[accepted],
    )
    canceled = player.run(cancel(replace(params, operation=operation if with_operation else None)))
    assert canceled.operation_id == "cancel-id"
    assert player.posts == 1
    assert len(player.slept) == int(done)


def test_another_preview_is_not_canceled(player: Player, params: CancelParams, operation: Operation) -> None:
    """Another publication that awaits sign-off is not canceled when the given operation has ended."""
    player.respond = FakeAPI(operations=[[THEIRS, CANCELED]], status=[AWAITING_SIGN_OFF])
    assert player.run(cancel(replace(params, operation=operation))) is None
    assert player.posts == 0


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_an_operation_that_ended_before_the_cancel_is_an_error(
    player: Player, params: CancelParams, accepted: Response, state: str
) -> None:
    """An operation that ended in another way before the cancel took effect is a final error."""
    player.respond = FakeAPI(
        operations=[[OURS], [OURS | {"submissionState": state}]], status=[RUNNING], post=[accepted]
    )
    with pytest.raises(exceptions.CancelFailedError, match="ended before it was canceled") as caught:
        player.run(cancel(params))
    assert caught.value.retryable is False
    assert player.posts == 1


@pytest.mark.parametrize("listed_after", [[OURS], []])
def test_a_cancel_that_times_out_is_retryable(
    player: Player, params: CancelParams, accepted: Response, listed_after: list[Any]
) -> None:
    """An operation that is still in progress, or no longer listed, at the timeout is a retryable error."""
    player.respond = FakeAPI(operations=[[OURS], listed_after], status=[RUNNING], post=[accepted])
    with pytest.raises(exceptions.CancelFailedError, match=r"operation new-id .* has not ended within 100 s") as caught:
        player.run(cancel(replace(params, timeout=100.0, poll_interval=30.0)))
    assert caught.value.retryable is True
    assert player.slept == [30.0, 30.0, 30.0, 10.0]


@pytest.mark.parametrize(
    "error", [exceptions.TransportError("cancel", text="timed out"), exceptions.ServerError("cancel", status=503)]
)
def test_after_a_lost_response_the_list_is_polled(
    player: Player, params: CancelParams, error: exceptions.MarketplaceError
) -> None:
    """After a lost response the list is polled for the effect, and the cancel is not sent again."""
    player.respond = FakeAPI(operations=[[OURS], [OURS], [CANCELED]], status=[RUNNING], post=[error])
    canceled = player.run(cancel(params))
    assert canceled.operation_id == "new-id"
    assert canceled.location is None
    assert player.posts == 1


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BadRequestError("cancel", status=400),
        exceptions.ConflictError("cancel", status=409),
        exceptions.RateLimitError("cancel", status=429),
        exceptions.TransportError("cancel", text="refused", sent=False),
    ],
)
def test_a_refused_cancel_is_an_error(player: Player, params: CancelParams, error: exceptions.MarketplaceError) -> None:
    """A cancel that was certainly not accepted fails the try at once and leaves its checkpoint for the next try."""
    player.respond = FakeAPI(operations=[[OURS]], status=[RUNNING], post=[error])
    with pytest.raises(type(error)):
        player.run(cancel(replace(params, try_context=TryContext(900, can_checkpoint=True))))
    assert player.slept == []
    assert len(player.checkpoints) == 1


def test_polls_that_fail_are_warnings(player: Player, params: CancelParams, accepted: Response) -> None:
    """A list that cannot be read while a cancel is in progress is logged as a warning."""
    failure = exceptions.PermissionDeniedError("list", status=403)
    player.respond = FakeAPI(operations=[[OURS], failure, failure, [CANCELED]], status=[RUNNING], post=[accepted])
    assert player.run(cancel(params)).operation_id == "cancel-id"
    assert [level for _, level in player.logged].count("warning") == 2
    player.respond = FakeAPI(operations=[[OURS], failure], status=[RUNNING], post=[accepted])
    with pytest.raises(exceptions.CancelFailedError, match="has not ended within 900 s"):
        player.run(cancel(params))


@pytest.mark.parametrize(
    ("status", "listed"),
    [
        ("running", [OLD]),
        ("running", [OURS | {"submissionState": "completed"}]),
        ("running", []),
        ("frobnicating", [OLD]),
        (AWAITING_SIGN_OFF["status"], []),
    ],
)
@pytest.mark.parametrize("with_operation", [False, True])
def test_an_unlisted_operation_is_not_nothing_to_cancel(
    player: Player, params: CancelParams, operation: Operation, status: str, listed: Any, *, with_operation: bool
) -> None:
    """Where the status shows, or may show, an operation that is not listed, nothing is submitted yet."""
    player.respond = FakeAPI(operations=[listed], status=[{"status": status}])
    with pytest.raises(
        exceptions.CancelFailedError, match=f"its status is {status}, .* this try canceled nothing"
    ) as caught:
        player.run(cancel(replace(params, operation=operation if with_operation else None)))
    assert player.posts == 0
    assert caught.value.retryable is True


@pytest.mark.parametrize("state", ["canceled", "failed"])
def test_a_given_operation_that_has_ended_needs_no_cancel(
    player: Player, params: CancelParams, retry_params: CancelParams, operation: Operation, state: str
) -> None:
    """Where the operation that was given, or is in the checkpoint, has ended, unlisted operations do not matter."""
    for one in (replace(params, operation=operation), retry_params):
        player.respond = FakeAPI(operations=[[OURS | {"submissionState": state}]], status=[RUNNING])
        assert player.run(cancel(one)) is None
    assert player.posts == 0


# --- retries


def test_a_retry_cancels_the_operation_in_the_checkpoint(
    player: Player, retry_params: CancelParams, accepted: Response
) -> None:
    """A retry cancels the operation in the checkpoint if it is in progress or awaits sign-off."""
    for status in (RUNNING, AWAITING_SIGN_OFF):
        player.respond = FakeAPI(operations=[[OURS], [CANCELED]], status=[status, CANCELED_STATUS], post=[accepted])
        assert player.run(cancel(retry_params)).operation_id == "cancel-id"
    assert player.posts == 2


@pytest.mark.parametrize("status", [RUNNING, AWAITING_SIGN_OFF])
def test_a_retry_cancels_no_later_operation(player: Player, retry_params: CancelParams, status: dict[str, Any]) -> None:
    """A retry does not cancel an operation that started after the one in the checkpoint."""
    player.respond = FakeAPI(operations=[[THEIRS, CANCELED]], status=[status])
    assert player.run(cancel(retry_params)) is None
    assert player.posts == 0
    assert player.checkpoints == []


def test_a_checkpoint_for_another_offer_is_refused(player: Player, retry_params: CancelParams) -> None:
    """A checkpoint for another offer is an error, and nothing is canceled."""
    player.respond = FakeAPI(operations=[[OURS]], status=[RUNNING])
    with pytest.raises(exceptions.ConfigurationError, match="saved a checkpoint to cancel offer contoso/contoso-vm"):
        player.run(cancel(replace(retry_params, offer=OfferRef("contoso", "other"))))
    assert player.posts == 0


def test_a_cleared_task_ignores_the_checkpoint(player: Player, retry_params: CancelParams, accepted: Response) -> None:
    """A cleared task cancels the operation that is in progress now."""
    gone = THEIRS | {"submissionState": "canceled"}
    player.respond = FakeAPI(operations=[[THEIRS, CANCELED], [gone, CANCELED]], status=[RUNNING], post=[accepted])
    cleared = replace(retry_params, try_context=replace(retry_params.try_context, counts=CLEARED))
    assert player.run(cancel(cleared)).operation_id == "cancel-id"


def test_a_later_try_without_a_checkpoint(player: Player, later_params: CancelParams, accepted: Response) -> None:
    """Without checkpoints, a later try cancels the operation in progress if none was canceled since the DAG run began."""
    before = THEIRS | {"submissionState": "canceled", "changedTime": "2026-11-03T07:54:00Z"}
    player.respond = FakeAPI(operations=[[OURS, before], [CANCELED, before]], status=[RUNNING], post=[accepted])
    assert player.run(cancel(later_params)).operation_id == "cancel-id"


@pytest.mark.parametrize("changed_time", [{"changedTime": "2026-11-03T08:30:00Z"}, {}])
def test_a_later_try_without_a_checkpoint_does_not_guess(
    player: Player, later_params: CancelParams, changed_time: dict[str, str]
) -> None:
    """Without checkpoints, an operation in progress after a cancel may be a new one, so the task asks for a manual check."""
    player.respond = FakeAPI(operations=[[THEIRS, CANCELED | changed_time]], status=[RUNNING])
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError,
        match=r"may have canceled operation new-id .* now the offer has operation theirs",
    ) as caught:
        player.run(cancel(later_params))
    assert player.posts == 0
    assert caught.value.retryable is False


def test_a_later_try_with_an_operation_needs_no_checkpoint(
    player: Player, later_params: CancelParams, operation: Operation, accepted: Response
) -> None:
    """With an operation given, a later try cancels it if it is in progress, whatever was canceled before."""
    gone = THEIRS | {"submissionState": "canceled", "changedTime": "2026-11-03T08:30:00Z"}
    player.respond = FakeAPI(operations=[[OURS, gone], [CANCELED, gone]], status=[RUNNING], post=[accepted])
    assert player.run(cancel(replace(later_params, operation=operation))).operation_id == "cancel-id"
