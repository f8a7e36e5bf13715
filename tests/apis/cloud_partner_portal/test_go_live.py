# SPDX-License-Identifier: Apache-2.0
"""Going live: submitted while the offer awaits sign-off; after a lost response the offer's state decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.cloud_partner_portal import FakeAPI, changed
from support.player import Player, make_response
from support.tries import FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.core.checkpoint import TryContext, TryCounts
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import GoLiveParams

AWAITING_SIGN_OFF = {"status": "waitingForPublisherReview"}
RUNNING = {"status": "running"}
LIVE_BEGUN = {"status": "running", "steps": [{"id": "live", "status": "inProgress"}]}
LIVE = {"status": "succeeded"}
PUBLISHED = {"id": "new-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 2}
GOLIVE = {"id": "live-id", "submissionType": "goLive", "submissionState": "running", "publishingVersion": 2}
OLDER = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
OLD_GOLIVE = {"id": "old-live", "submissionType": "goLive", "submissionState": "completed", "publishingVersion": 1}
AT_ID = {"location": "/api/publishers/contoso/offers/contoso-vm/operations/live-id"}
BY_NUMBER = {"location": "/api/operations/contoso$contoso-vm$2$production"}
FAULT = exceptions.ServerError("golive", status=503)


@pytest.fixture
def params(offer: OfferRef) -> GoLiveParams:
    return GoLiveParams(offer, TryContext(60))


@pytest.fixture
def later_params(params: GoLiveParams, start: datetime) -> GoLiveParams:
    """Return the parameters of a second try, an hour after the DAG run began."""
    return replace(params, try_context=TryContext(60, counts=RETRY, dag_run_start=start - timedelta(hours=1)))


@pytest.mark.parametrize(
    ("headers", "listed_after", "expected"),
    [
        (AT_ID, [PUBLISHED], "live-id"),
        (BY_NUMBER, [GOLIVE, PUBLISHED], "live-id"),
        (BY_NUMBER, [PUBLISHED], None),
        (BY_NUMBER, exceptions.PermissionDeniedError("list", status=403), None),
    ],
)
def test_an_offer_awaiting_sign_off_goes_live(
    player: Player, params: GoLiveParams, headers: dict[str, str], listed_after: Any, expected: str | None
) -> None:
    """The location, or the one new operation, identifies the go-live; a list that fails after the submit loses nothing."""
    player.respond = FakeAPI(
        post=[make_response(b"", 202, headers)], operations=[[PUBLISHED], listed_after], status=[AWAITING_SIGN_OFF]
    )
    operation = player.run(go_live(params))
    assert operation.kind == "golive"
    assert operation.operation_id == expected
    assert operation.location == headers["location"]
    assert player.posts == 1
    assert player.checkpoints == []


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "canceled", "neverPublished", "frobnicating"])
@pytest.mark.parametrize(("listed", "expected"), [([OLDER], "operation old-id"), ([], "it has no operation")])
def test_a_first_try_needs_an_offer_awaiting_sign_off(
    player: Player, params: GoLiveParams, status: str, listed: list[Any], expected: str
) -> None:
    """Where nothing awaits sign-off within the settle time, the first try submits nothing and fails finally."""
    player.respond = FakeAPI(operations=[listed], status=[{"status": status}])
    with pytest.raises(exceptions.PreviewNotReadyError, match=f"its status is {status}, {expected}") as caught:
        player.run(go_live(params))
    assert player.posts == 0
    assert caught.value.retryable is False
    assert sum(player.slept) == 60


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([OLDER | {"submissionState": "running"}], "operation old-id"),
        ([], "no operation that is listed awaits sign-off"),
    ],
)
@pytest.mark.parametrize("counts", [FIRST, RETRY])
def test_another_publication_is_not_signed_off(
    player: Player,
    later_params: GoLiveParams,
    operation: Operation,
    listed: list[Any],
    expected: str,
    counts: TryCounts,
) -> None:
    """With an operation given, another publication that awaits sign-off does not go live."""
    listed = [changed(entry, -60) for entry in listed]
    player.respond = FakeAPI(operations=[listed], status=[AWAITING_SIGN_OFF])
    given_params = replace(
        later_params, try_context=replace(later_params.try_context, counts=counts), operation=operation
    )
    with pytest.raises(exceptions.PreviewNotReadyError, match=f"operation new-id was meant, but {expected}"):
        player.run(go_live(given_params))
    assert player.posts == 0


@pytest.mark.parametrize("identified_by", ["id", "number"])
def test_the_given_publication_goes_live(
    player: Player, params: GoLiveParams, operation: Operation, identified_by: str
) -> None:
    """The publication that awaits sign-off is identified by the operation's id or by the number in its location."""
    if identified_by == "number":
        operation = replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview")
    player.respond = FakeAPI(
        post=[make_response(b"", 202, AT_ID)],
        operations=[[changed(OLDER, 1), changed(PUBLISHED, 2)]],
        status=[AWAITING_SIGN_OFF],
    )
    assert player.run(go_live(replace(params, operation=operation))).operation_id == "live-id"


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ([FAULT], "HTTP 503"),
        ([exceptions.TransportError("golive", text="timed out")], "timed out"),
        ([None], "the response named no operation"),
    ],
)
def test_an_offer_still_awaiting_sign_off_is_submitted_twice(
    player: Player, params: GoLiveParams, responses: list[Any], expected: str
) -> None:
    """An offer that still awaits sign-off after the settle time is submitted once more; then the try fails, retryable."""
    post = [response or make_response(b"", 202) for response in responses]
    player.respond = FakeAPI(post=post, operations=[[PUBLISHED]], status=[AWAITING_SIGN_OFF])
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"it still awaits sign-off; last: .*{expected}"
    ) as caught:
        player.run(go_live(params))
    assert player.posts == 2
    assert caught.value.retryable is True
    assert sum(player.slept) == 120


def test_the_second_submit_may_be_accepted(player: Player, params: GoLiveParams) -> None:
    """A second submit replaces a lost one that was not accepted."""
    player.respond = FakeAPI(
        post=[FAULT, make_response(b"", 202, AT_ID)], operations=[[PUBLISHED]], status=[AWAITING_SIGN_OFF]
    )
    assert player.run(go_live(params)).operation_id == "live-id"
    assert player.posts == 2


@pytest.mark.parametrize("kind", ["goLive", "", "Publish/GoLive"])
def test_a_lost_submit_is_found_in_the_list(player: Player, params: GoLiveParams, kind: str) -> None:
    """After a lost response the new operation in the list is ours, also if its type is unknown."""
    new = GOLIVE | {"submissionType": kind}
    listed = [[OLD_GOLIVE, PUBLISHED], [OLD_GOLIVE, PUBLISHED], [new, OLD_GOLIVE, PUBLISHED]]
    player.respond = FakeAPI(post=[FAULT], operations=listed, status=[AWAITING_SIGN_OFF])
    assert player.run(go_live(params)).operation_id == "live-id"
    assert player.posts == 1


@pytest.mark.parametrize("listed_after", [RUNNING, LIVE_BEGUN, LIVE])
def test_a_lost_submit_may_continue_the_publish_operation(
    player: Player, params: GoLiveParams, listed_after: dict[str, Any]
) -> None:
    """Where the offer is past its sign-off without a new operation, the wait follows the publish operation."""
    player.respond = FakeAPI(post=[FAULT], operations=[[PUBLISHED, OLDER]], status=[AWAITING_SIGN_OFF, listed_after])
    operation = player.run(go_live(params))
    assert operation.kind == "golive"
    assert operation.operation_id == "new-id"
    assert sum(player.slept) == 60


@pytest.mark.parametrize(
    ("listed", "status", "expected"),
    [
        ([], RUNNING, "its status is running, with no operation"),
        ([changed(PUBLISHED | {"id": "theirs"}, 60), changed(PUBLISHED, 0)], RUNNING, "with operation theirs"),
        ([PUBLISHED], {"status": "canceled"}, "its status is canceled, with operation new-id"),
        ([PUBLISHED], {"status": "failed"}, "its status is failed"),
        ([PUBLISHED], {"status": "frobnicating"}, "its status is frobnicating"),
    ],
)
def test_a_lost_submit_is_not_mistaken_for_another_change(
    player: Player, params: GoLiveParams, listed: list[Any], status: dict[str, Any], expected: str
) -> None:
    """An offer that was canceled, failed or published again after a lost submit did not go live by it."""
    player.respond = FakeAPI(post=[FAULT], operations=[[PUBLISHED], listed], status=[AWAITING_SIGN_OFF, status])
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=expected) as caught:
        player.run(go_live(params))
    assert player.posts == 1
    assert caught.value.retryable is False


def test_polls_that_fail_after_a_lost_submit(player: Player, params: GoLiveParams) -> None:
    """After a lost submit polls go on through failures until the settle time is over."""
    failure = exceptions.PermissionDeniedError("list", status=403)
    player.respond = FakeAPI(
        post=[FAULT], operations=[[PUBLISHED], failure, failure, [GOLIVE]], status=[AWAITING_SIGN_OFF, RUNNING]
    )
    assert player.run(go_live(params)).operation_id == "live-id"
    player.respond = FakeAPI(post=[FAULT], operations=[[PUBLISHED], failure], status=[AWAITING_SIGN_OFF])
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="the offer's state cannot be read") as caught:
        player.run(go_live(params))
    assert caught.value.retryable is True
    assert player.posts == 2


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BadRequestError("golive", status=400, text="no"),
        exceptions.ConflictError("golive", status=409, text="no"),
        exceptions.PermissionDeniedError("golive", status=403, text="no"),
        exceptions.RateLimitError("golive", status=429, text="no"),
        exceptions.TransportError("golive", text="no", sent=False),
        exceptions.AuthenticationError("no"),
    ],
)
def test_a_refused_submit_is_an_error(player: Player, params: GoLiveParams, error: exceptions.MarketplaceError) -> None:
    """A submit that was certainly not accepted fails the try with the API's text."""
    player.respond = FakeAPI(post=[error], operations=[[PUBLISHED]], status=[AWAITING_SIGN_OFF])
    with pytest.raises(type(error), match="no"):
        player.run(go_live(params))
    assert player.posts == 1
    assert player.slept == []


@pytest.mark.parametrize(
    "error", [exceptions.BadRequestError("golive", status=400), exceptions.ConflictError("golive", status=409)]
)
def test_a_first_submit_refused_after_somebody_elses_sign_off(
    player: Player, params: GoLiveParams, error: exceptions.MarketplaceError
) -> None:
    """A first submit that is refused because somebody else signed off names the current operation."""
    player.respond = FakeAPI(
        post=[error], operations=[[PUBLISHED], [GOLIVE, PUBLISHED]], status=[AWAITING_SIGN_OFF, RUNNING]
    )
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is running, operation live-id"):
        player.run(go_live(params))


@pytest.mark.parametrize(
    ("listed_after", "status", "expected"),
    [([GOLIVE, PUBLISHED], LIVE_BEGUN, "live-id"), ([PUBLISHED], LIVE, "new-id"), ([PUBLISHED], LIVE_BEGUN, "new-id")],
)
@pytest.mark.parametrize(
    "error", [exceptions.BadRequestError("golive", status=400), exceptions.ConflictError("golive", status=409)]
)
def test_a_second_submit_refused_because_the_first_was_accepted(
    player: Player,
    params: GoLiveParams,
    error: exceptions.MarketplaceError,
    listed_after: list[Any],
    status: dict[str, Any],
    expected: str,
) -> None:
    """A second submit that is refused because the first one was accepted is no failure: the first one's operation is used."""
    polls = 62  # the first poll, and one every second of the settle time
    player.respond = FakeAPI(
        post=[FAULT, error],
        operations=[*[[PUBLISHED]] * polls, listed_after],
        status=[*[AWAITING_SIGN_OFF] * polls, status],
    )
    assert player.run(go_live(params)).operation_id == expected
    assert player.posts == 2


def test_a_submit_refused_on_a_retry(player: Player, later_params: GoLiveParams) -> None:
    """On a retry a refused submit may mean that the earlier try's submit was accepted."""
    polls = 61
    published = changed(PUBLISHED, -60)
    player.respond = FakeAPI(
        post=[exceptions.BadRequestError("golive", status=400)],
        operations=[*[[published]] * polls, [changed(GOLIVE, 59), published]],
        status=[*[AWAITING_SIGN_OFF] * polls, RUNNING],
    )
    assert player.run(go_live(later_params)).operation_id == "live-id"
    assert player.posts == 1


# --- retries


def test_a_retry_that_finds_a_pending_sign_off_waits_and_submits(player: Player, later_params: GoLiveParams) -> None:
    """On a retry, an offer that still awaits sign-off after the settle time shows that the earlier submit was not accepted."""
    listed = [changed(PUBLISHED, 10), changed(OLD_GOLIVE, -60)]
    player.respond = FakeAPI(post=[make_response(b"", 202, AT_ID)], operations=[listed], status=[AWAITING_SIGN_OFF])
    assert player.run(go_live(later_params)).operation_id == "live-id"
    assert player.posts == 1
    assert sum(player.slept) == 60


@pytest.mark.parametrize(
    ("listed", "status", "expected"),
    [
        ([changed(GOLIVE, 30), changed(PUBLISHED, 20)], RUNNING, "live-id"),
        ([changed(GOLIVE, 30), changed(PUBLISHED, 20)], AWAITING_SIGN_OFF, "live-id"),
        (
            [changed(GOLIVE, 30) | {"submissionState": "notStarted"}, changed(PUBLISHED, 20)],
            AWAITING_SIGN_OFF,
            "live-id",
        ),
        (
            [changed(GOLIVE, 30) | {"submissionState": "failed"}, changed(PUBLISHED, 20)],
            {"status": "failed"},
            "live-id",
        ),
        ([changed(GOLIVE, 30) | {"submissionState": "completed"}, changed(PUBLISHED, 20)], LIVE, "live-id"),
        ([changed(GOLIVE, 30) | {"publishingVersion": None}], RUNNING, "live-id"),
        ([GOLIVE, PUBLISHED], RUNNING, "live-id"),
        ([changed(PUBLISHED, 30)], LIVE, "new-id"),
        ([changed(PUBLISHED, 30)], LIVE_BEGUN, "new-id"),
        ([changed(PUBLISHED, -30)], LIVE_BEGUN, "new-id"),
    ],
)
@pytest.mark.parametrize("given", ["nothing", "operation"])
def test_a_retry_attaches_to_the_earlier_trys_operation(
    player: Player,
    later_params: GoLiveParams,
    operation: Operation,
    listed: list[Any],
    status: dict[str, Any],
    expected: str,
    given: str,
) -> None:
    """A go-live of this DAG run, or the publication past its sign-off, is what an earlier try submitted."""
    if given == "operation":
        later_params = replace(
            later_params, operation=replace(operation, operation_id=None, location=BY_NUMBER["location"])
        )
    player.respond = FakeAPI(operations=[listed], status=[status])
    assert player.run(go_live(later_params)).operation_id == expected
    assert player.posts == 0
    assert player.slept == []


@pytest.mark.parametrize("status", [LIVE, {"status": "failed"}, {"status": "canceled"}, {"status": "frobnicating"}])
@pytest.mark.parametrize("listed", [[changed(PUBLISHED, -30), changed(GOLIVE, -20)], []])
def test_a_retry_that_finds_only_old_operations(
    player: Player, later_params: GoLiveParams, status: dict[str, Any], listed: list[Any]
) -> None:
    """A retry fails at once where nothing awaits sign-off and nothing changed since the DAG run began."""
    player.respond = FakeAPI(operations=[listed], status=[status])
    with pytest.raises(exceptions.PreviewNotReadyError):
        player.run(go_live(later_params))
    assert player.posts == 0
    assert player.slept == []


def test_a_retry_gives_an_earlier_submit_time_to_show(player: Player, later_params: GoLiveParams) -> None:
    """On a retry, an offer in progress may be past its sign-off by a submit that is not listed yet."""
    listed = [changed(PUBLISHED, 20)]
    player.respond = FakeAPI(operations=[listed, listed, [changed(GOLIVE, 30), *listed]], status=[RUNNING])
    assert player.run(go_live(later_params)).operation_id == "live-id"
    player.respond = FakeAPI(operations=[listed], status=[RUNNING])
    player.slept.clear()
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is running, operation new-id"):
        player.run(go_live(later_params))
    assert player.posts == 0
    assert sum(player.slept) == 60


@pytest.mark.parametrize("state", ["completed", "failed", "canceled", "frobnicating"])
def test_a_go_live_that_ended_does_not_count_for_the_current_preview(
    player: Player, later_params: GoLiveParams, operation: Operation, state: str
) -> None:
    """A go-live of this DAG run that ended belongs to an earlier preview while another one awaits sign-off."""
    earlier = changed(GOLIVE, 10) | {"id": "first-live", "submissionState": state}
    player.respond = FakeAPI(
        post=[make_response(b"", 202, AT_ID)],
        operations=[[changed(PUBLISHED, 20), earlier]],
        status=[AWAITING_SIGN_OFF],
    )
    assert player.run(go_live(replace(later_params, operation=operation))).operation_id == "live-id"
    assert player.posts == 1
    assert sum(player.slept) == 60


@pytest.mark.parametrize("given", ["nothing", "id", "number"])
def test_another_publications_go_live_is_not_ours(
    player: Player, later_params: GoLiveParams, operation: Operation, given: str
) -> None:
    """A go-live of this DAG run counts only for the given publication, or for the newest one if none was given."""
    given_params = {
        "nothing": None,
        "id": operation,
        "number": replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview"),
    }[given]
    listed = [changed(OLD_GOLIVE, 10)] if given == "number" else [changed(PUBLISHED, 20), changed(OLD_GOLIVE, 10)]
    player.respond = FakeAPI(operations=[listed], status=[{"status": "canceled"}])
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is canceled"):
        player.run(go_live(replace(later_params, operation=given_params)))


def test_a_later_publication_is_not_the_given_one(
    player: Player, later_params: GoLiveParams, operation: Operation
) -> None:
    """Another publication than the given one that is live, or goes live, is not this task's success."""
    theirs = changed(PUBLISHED | {"id": "theirs", "publishingVersion": 3}, 30)
    for status in (LIVE_BEGUN, LIVE):
        player.respond = FakeAPI(operations=[[theirs, changed(PUBLISHED, -30)]], status=[status])
        with pytest.raises(exceptions.PreviewNotReadyError, match="operation theirs"):
            player.run(go_live(replace(later_params, operation=operation)))
    assert player.posts == 0


def test_a_poll_that_fails_ends_a_retry(player: Player, later_params: GoLiveParams) -> None:
    """A retry that cannot read the offer's state submits nothing."""
    player.respond = FakeAPI(operations=[[PUBLISHED]], status=[exceptions.ServerError("status", status=500)])
    with pytest.raises(exceptions.ServerError):
        player.run(go_live(later_params))
    assert player.posts == 0
