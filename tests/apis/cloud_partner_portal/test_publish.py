# SPDX-License-Identifier: Apache-2.0
"""Publishing: submitted once, and identified again by later tries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.cloud_partner_portal import changed
from support.player import Player, make_response
from support.tries import CLEARED, CLEARED_OR_RETRIED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import publication_number
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import PublishParams

NEW = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
OLD = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
AT_ID = {"location": "/api/publishers/contoso/offers/contoso-vm/operations/new-id"}
BY_NUMBER = {"location": "/api/operations/contoso$contoso-vm$2$preview"}


class FakeAPI:
    """Return the responses that a publish needs: the lists in turn (the last one repeats), one for the submit, one status."""

    def __init__(self, lists: list[Any], post: Any, status: Any = "succeeded") -> None:
        self.lists = lists
        self.post = post
        self.status = status

    def __call__(self, request: Request[Any]) -> Any:
        if request.method == "POST":
            return self.post
        if request.path.endswith("/status"):
            return {"status": self.status} if isinstance(self.status, str) else self.status
        if "/operations/" in request.path:
            return self.operation(request.path)
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def operation(self, path: str) -> Any:
        """Return the operation's own status: the one in the list, or awaiting sign-off as the offer is."""
        for operation in self.lists[0]:
            if operation["id"] in path or f"${operation['publishingVersion']}$" in path:
                awaits_sign_off = operation["submissionState"] == "running" and self.status == AWAITING_SIGN_OFF
                status = self.status if awaits_sign_off else operation["submissionState"]
                return {"status": status} if isinstance(status, str) else status
        return exceptions.NotFoundError("operation", status=404)


@pytest.mark.parametrize(
    ("headers", "lists"),
    [
        (AT_ID, [[OLD]]),
        ({"operation-location": AT_ID["location"]}, [[OLD]]),
        (BY_NUMBER, [[OLD], [NEW, OLD]]),
        ({}, [[OLD], [OLD], [OLD], [NEW, OLD]]),
        ({}, [[], [{"id": "new-id", "submissionState": "running"}]]),
    ],
)
def test_the_operation_is_found(player: Player, offer: OfferRef, headers: dict[str, str], lists: list[Any]) -> None:
    """The operation's id comes from its location or from the one new operation in the list."""
    player.respond = FakeAPI(lists, make_response(b"", 202, headers))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900))))
    assert operation.operation_id == "new-id"
    assert player.posts == 1


def test_an_operation_with_a_number_may_have_no_id_yet(player: Player, offer: OfferRef) -> None:
    """Where the location has a number and the list lags, the location is enough."""
    player.respond = FakeAPI([[OLD]], make_response(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900))))
    assert operation.operation_id is None
    assert publication_number(operation) == 2
    assert player.slept == []


def test_a_list_that_fails_after_the_submit_loses_no_operation(player: Player, offer: OfferRef) -> None:
    """After an accepted submit, a list that cannot be read is a warning."""
    lists: list[Any] = [[OLD], exceptions.BadRequestError("list", status=400)]
    player.respond = FakeAPI(lists, make_response(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(0))))
    assert operation.location == BY_NUMBER["location"]
    assert "the API accepted the publish" in player.logged[0][0]


@pytest.mark.parametrize(
    "error",
    [
        exceptions.TransportError("publish", text="timed out"),
        exceptions.ServerError("publish", status=500),
        exceptions.InvalidResponseError("publish", status=302),
    ],
)
def test_a_lost_response(player: Player, offer: OfferRef, error: exceptions.MarketplaceError) -> None:
    """After a lost response the list is polled for the settle time; then the try fails, and nothing is sent again."""
    player.respond = FakeAPI([[OLD]], error)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match="offer contoso/contoso-vm: it is not known whether"
    ) as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert caught.value.retryable is True
    assert player.posts == 1
    assert sum(player.slept) == 60


def test_a_lost_response_is_polled_for(player: Player, offer: OfferRef) -> None:
    """After a lost response, the one new publish is treated as ours."""
    golive = {"id": "other", "submissionType": "goLive", "submissionState": "running"}
    player.respond = FakeAPI([[OLD], [OLD], [golive, NEW, OLD]], exceptions.ServerError("publish", status=503))
    assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"


def test_several_new_operations_are_named(player: Player, offer: OfferRef) -> None:
    """Several new operations are an error that names them."""
    player.respond = FakeAPI([[OLD], [NEW, NEW | {"id": "other"}]], exceptions.ServerError("publish", status=503))
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=r"several new ones: operation new-id .*operation other"
    ):
        player.run(publish(PublishParams(offer, (), TryContext(60))))


def test_a_request_that_was_not_sent_is_retryable(player: Player, offer: OfferRef) -> None:
    """A publish that failed to connect was not submitted and is retryable."""
    player.respond = FakeAPI([[OLD]], exceptions.TransportError("publish", text="refused", sent=False))
    with pytest.raises(exceptions.TransportError) as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert caught.value.retryable is True
    assert player.posts == 1


@pytest.mark.parametrize("state", ["running", "notStarted", "frobnicating"])
@pytest.mark.parametrize(
    ("status", "submits"), [("running", 0), ("waitingForPublisherReview", 1), ("frobnicating", 0), ("notStarted", 0)]
)
def test_an_operation_in_progress_prevents_a_publish(
    player: Player, offer: OfferRef, status: str, submits: int, state: str
) -> None:
    """An operation that is, or may be, in progress prevents a publish unless the offer awaits sign-off."""
    operation = NEW | {"id": "theirs", "submissionState": state}
    player.respond = FakeAPI([[operation]], make_response(b"", 202, AT_ID), status)
    if submits:
        assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"
    else:
        with pytest.raises(
            exceptions.OperationInProgressError, match=rf"operation theirs \(publish, {state}\) is in progress"
        ):
            player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert player.posts == submits


@pytest.mark.parametrize(
    ("after", "status", "expected"), [([NEW], "succeeded", "operation new-id"), ([OLD], "running", "another .*busy")]
)
def test_a_conflict_names_the_operation_in_progress(
    player: Player, offer: OfferRef, after: list[Any], status: str, expected: str
) -> None:
    """A 409 names the listed operation in progress, or quotes the API where only the status shows one."""
    player.respond = FakeAPI([[OLD], after], exceptions.ConflictError("publish", status=409, text="busy"), status)
    with pytest.raises(exceptions.OperationInProgressError, match=expected):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert player.posts == 1


@pytest.mark.parametrize("can_checkpoint", [False, True])
def test_a_conflict_with_another_cause_is_final_the_second_time(
    player: Player, offer: OfferRef, *, can_checkpoint: bool
) -> None:
    """Without an operation in progress a 409 leads to a second submit after the settle time, whose 409 is final."""
    conflict = exceptions.ConflictError("publish", status=409, text="The draft has no changes")
    player.respond = FakeAPI([[OLD]], conflict)
    with pytest.raises(exceptions.ConflictError, match="The draft has no changes") as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=can_checkpoint))))
    assert player.posts == 2
    assert sum(player.slept) == 60
    assert caught.value.retryable is False
    assert saved(player) == ["intent", None, "intent", None]
    assert "waiting for the settle time, then submitting once more" in player.logged[0][0]


def test_a_conflict_that_passes_is_published_over(player: Player, offer: OfferRef) -> None:
    """A second submit after the settle time can be accepted after a 409."""
    player.respond = api = FakeAPI([[OLD]], exceptions.ConflictError("publish", status=409, text="busy"))

    def respond(request: Request[Any]) -> Any:
        response = api(request)
        api.post = make_response(b"", 202, AT_ID) if request.method == "POST" else api.post
        return response

    player.respond = respond
    assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"
    assert player.posts == 2
    assert sum(player.slept) == 60


def test_an_operation_listed_after_a_conflict_prevents_the_second_submit(player: Player, offer: OfferRef) -> None:
    """An operation that is listed late after a 409 is named, and nothing is submitted again."""
    failing = exceptions.ServerError("list", status=500)
    late = [[OLD], [OLD], [OLD], *[failing] * 4, [NEW, OLD]]
    player.respond = FakeAPI(late, exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert player.posts == 1


# --- with checkpoints: Airflow 3.3 and newer

AWAITING_SIGN_OFF = "waitingForPublisherReview"
REFUSALS = [
    exceptions.BadRequestError("publish", status=400, text="no"),
    exceptions.BadRequestError("publish", status=422, text="no"),
    exceptions.UnauthorizedError("publish", status=401),
    exceptions.PermissionDeniedError("publish", status=403),
    exceptions.NotFoundError("publish", status=404),
    exceptions.RateLimitError("publish", status=429),
    exceptions.TransportError("publish", text="refused", sent=False),
    exceptions.AuthenticationError("no token"),
]


@pytest.fixture
def checkpoint(offer: OfferRef, start: datetime) -> Checkpoint:
    """Return the checkpoint of a try that submitted two minutes ago."""
    return Checkpoint(offer, "publish", start - timedelta(seconds=120), FIRST, ("old-id",), 7)


@pytest.fixture
def retry(checkpoint: Checkpoint) -> TryContext:
    return TryContext(900, counts=RETRY, can_checkpoint=True, checkpoint=checkpoint)


def saved(player: Player) -> list[Any]:
    """Return what each saved checkpoint holds: the operation's id, or the intent."""
    last = [Checkpoint.from_payload(payload) for payload in player.checkpoints]
    return [(one.operation.display_id if one.operation else "intent") if one else None for one in last]


@pytest.mark.parametrize(
    ("headers", "lists", "expected"),
    [
        (AT_ID, [[OLD]], ["intent", "new-id"]),
        (BY_NUMBER, [[OLD], [NEW, OLD]], ["intent", BY_NUMBER["location"], "new-id"]),
        (BY_NUMBER, [[OLD]], ["intent", BY_NUMBER["location"]]),
        ({}, [[OLD], [OLD], [NEW, OLD]], ["intent", "new-id"]),
    ],
)
def test_checkpoints_are_saved_before_and_after_the_submit(
    player: Player, offer: OfferRef, headers: dict[str, str], lists: list[Any], expected: list[str]
) -> None:
    """The intent is saved before the request is sent, and the operation as soon as the response is there."""
    api, at_submit = FakeAPI(lists, make_response(b"", 202, headers)), []

    def respond(request: Request[Any]) -> Any:
        if request.method == "POST":
            at_submit.extend(saved(player))
        return api(request)

    player.respond = respond
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=FIRST, can_checkpoint=True), 7)))
    assert at_submit == ["intent"]
    assert saved(player) == expected


def test_the_content_of_an_intent(player: Player, offer: OfferRef, start: datetime) -> None:
    """An intent holds the offer, time, try counts, ids of known operations and the draft's version."""
    player.respond = FakeAPI([[OLD, OLD | {"id": "older"}]], make_response(b"", 202, AT_ID))
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=FIRST, can_checkpoint=True), 7)))
    assert Checkpoint.from_payload(player.checkpoints[0]) == Checkpoint(
        offer, "publish", start, FIRST, ("old-id", "older"), 7
    )


def test_a_retry_attaches_to_its_own_operation(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, retry: TryContext, operation: Operation
) -> None:
    """A retry uses the operation in the checkpoint, in progress or ended, and sends no request."""
    own = replace(retry, checkpoint=replace(checkpoint, operation=operation))
    assert player.run(publish(PublishParams(offer, (), own))) == operation
    assert player.sent == []
    assert player.checkpoints == []


@pytest.mark.parametrize("state", ["running", "failed", "completed", "frobnicating"])
def test_a_retry_finds_the_operation_of_the_submit(
    player: Player, offer: OfferRef, retry: TryContext, state: str
) -> None:
    """The one publish that is new since the checkpoint is the submit's, in whatever state, and is saved."""
    player.respond = FakeAPI([[OLD], [OLD], [NEW | {"submissionState": state}, OLD]], None)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 0
    assert saved(player) == ["new-id"]


def test_a_retry_attaches_to_an_operation_of_unknown_type(player: Player, offer: OfferRef, retry: TryContext) -> None:
    """A new operation of unknown type may be the publish, so nothing is submitted."""
    player.respond = FakeAPI([[NEW | {"submissionType": "Publish/GoLive"}, OLD]], None)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 0


def test_a_retry_that_finds_several_publishes_fails(player: Player, offer: OfferRef, retry: TryContext) -> None:
    """With several new publishes a retry fails finally, naming them."""
    player.respond = FakeAPI([[NEW, NEW | {"id": "other"}, OLD]], None)
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=r"operation new-id .*operation other") as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0
    assert caught.value.retryable is False
    assert player.checkpoints == []


@pytest.mark.parametrize(("ago", "waits"), [(0, 900), (120, 780), (899, 1), (900, 0), (9000, 0)])
def test_a_retry_waits_out_the_settle_time_and_submits(
    player: Player, offer: OfferRef, retry: TryContext, checkpoint: Checkpoint, ago: float, waits: float
) -> None:
    """Without a new operation, a retry waits for the rest of the settle time and submits."""
    checkpoint = replace(checkpoint, created_at=player.now - timedelta(seconds=ago))
    golive = {"id": "other", "submissionType": "goLive", "submissionState": "completed"}
    player.respond = FakeAPI([[golive, OLD]], make_response(b"", 202, AT_ID))
    operation = player.run(publish(PublishParams(offer, (), replace(retry, checkpoint=checkpoint), 8)))
    assert operation.operation_id == "new-id"
    assert player.posts == 1
    assert sum(player.slept) == pytest.approx(waits)
    intent = Checkpoint.from_payload(player.checkpoints[0])
    assert intent is not None
    assert intent.known_ids == ("old-id",)
    assert intent.created_at == player.now
    assert intent.draft_version == 8


@pytest.mark.parametrize("polls", [1, 2])
def test_an_operation_listed_just_before_the_second_submit_is_used(
    player: Player, offer: OfferRef, retry: TryContext, polls: int
) -> None:
    """An operation that is listed after the settle time, before the second submit, belongs to the first submit."""
    player.now += timedelta(hours=1)
    player.respond = FakeAPI([*[[OLD]] * polls, [NEW, OLD]], None)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 0
    assert saved(player) == ["new-id"]


def test_several_operations_just_before_the_second_submit_are_an_error(
    player: Player, offer: OfferRef, retry: TryContext
) -> None:
    """Several operations that are listed after the settle time fail the retry as well."""
    player.now += timedelta(hours=1)
    player.respond = FakeAPI([[OLD], [NEW, NEW | {"id": "other"}, OLD]], None)
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="several new ones"):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0


@pytest.mark.parametrize("status", ["running", "waitingForApproval", "blocked", "frobnicating"])
def test_an_unlisted_operation_stops_a_retry(player: Player, offer: OfferRef, retry: TryContext, status: str) -> None:
    """While the offer's status shows, or may show, an operation in progress, a list without one is not believed."""
    player.respond = FakeAPI([[OLD]], None, status)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"its status is {status}, but its list of operations does not show"
    ) as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0
    assert caught.value.retryable is False


@pytest.mark.parametrize(
    "status",
    [
        AWAITING_SIGN_OFF,
        {"status": "running", "steps": [{"id": "publisher-signoff", "status": AWAITING_SIGN_OFF}]},
        "failed",
    ],
)
def test_an_offer_awaiting_sign_off_does_not_stop_a_retry(
    player: Player, offer: OfferRef, retry: TryContext, status: Any
) -> None:
    """An offer that awaits sign-off, or a publication that ended, does not stop a retry."""
    operation = OLD if status == "failed" else OLD | {"submissionState": "running"}
    player.respond = FakeAPI([[operation]], make_response(b"", 202, AT_ID), status)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 1


def test_another_operation_in_progress_stops_a_retry(player: Player, offer: OfferRef, retry: TryContext) -> None:
    """A go-live in progress is an error of its own type on a retry, so that a task can wait for it."""
    golive = {"id": "theirs", "submissionType": "goLive", "submissionState": "running"}
    player.respond = FakeAPI([[golive, OLD]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation theirs"):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0


def test_a_list_that_cannot_be_read_stops_a_retry(player: Player, offer: OfferRef, retry: TryContext) -> None:
    """A retry that cannot read the list submits nothing."""
    player.respond = FakeAPI([exceptions.PermissionDeniedError("list", status=403)], None)
    with pytest.raises(exceptions.PermissionDeniedError):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0


def test_a_status_that_cannot_be_read_stops_a_retry(player: Player, offer: OfferRef, retry: TryContext) -> None:
    """A retry that cannot read the offer's status submits nothing."""
    player.respond = FakeAPI([[OLD]], None, exceptions.ServerError("status", status=500))
    with pytest.raises(exceptions.ServerError):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 0


@pytest.mark.parametrize(
    ("listed", "status", "attaches"),
    [
        ([NEW, OLD], "running", True),
        ([OLD | {"submissionState": "frobnicating"}, NEW], "running", True),
        ([NEW | {"submissionState": "frobnicating"}, OLD], "running", True),
        ([NEW | {"submissionState": "not started"}, OLD], "succeeded", True),
        ([NEW, OLD], AWAITING_SIGN_OFF, False),
        ([NEW | {"submissionState": "completed"}, OLD], "succeeded", False),
        ([NEW | {"submissionState": "failed"}, OLD], "failed", False),
        ([NEW | {"submissionState": "failed"}, OLD], "running", False),
    ],
)
@pytest.mark.parametrize("known_by", ["id", "number", "intent"])
def test_a_cleared_task_attaches_while_its_operation_is_in_progress(
    player: Player,
    offer: OfferRef,
    checkpoint: Checkpoint,
    operation: Operation,
    listed: Any,
    status: str,
    known_by: str,
    *,
    attaches: bool,
) -> None:
    """After a clear, the task attaches to its operation in progress, and publishes anew if that ended or awaits sign-off."""
    numbered = replace(operation, operation_id=None, location=BY_NUMBER["location"])
    checkpoint = replace(checkpoint, operation={"id": operation, "number": numbered, "intent": None}[known_by])
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=checkpoint)
    player.respond = FakeAPI([listed], make_response(b"", 202, {"location": f"{AT_ID['location']}-2"}), status)
    operation = player.run(publish(PublishParams(offer, (), cleared)))
    assert player.posts == (0 if attaches else 1)
    assert operation.display_id == (
        (numbered.display_id if known_by == "number" else "new-id") if attaches else "new-id-2"
    )
    last = Checkpoint.from_payload(player.checkpoints[-1])
    assert last is not None
    assert last.counts == CLEARED
    assert last.operation == operation


@pytest.mark.parametrize(
    "post", [None, exceptions.ConflictError("publish", status=409), exceptions.BadRequestError("publish", status=400)]
)
def test_a_cleared_task_attaches_to_its_operation_despite_a_stale_status(
    player: Player,
    offer: OfferRef,
    checkpoint: Checkpoint,
    operation: Operation,
    post: exceptions.MarketplaceError | None,
) -> None:
    """A cleared task attaches to its own operation that seemed to have ended and still is in progress."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    ended = [NEW | {"submissionState": "failed"}, OLD]
    api = FakeAPI([[NEW, OLD]] if post is None else [ended, [NEW, OLD]], post, "running")

    def respond(request: Request[Any]) -> Any:
        return {"status": "failed"} if "/operations/" in request.path else api(request)

    player.respond = respond
    assert player.run(publish(PublishParams(offer, (), cleared))) == operation
    last = Checkpoint.from_payload(player.checkpoints[-1])
    assert last is not None
    assert last.counts == CLEARED
    assert last.operation == operation
    assert player.posts == int(post is not None)


def test_a_retry_after_a_clear_attaches_to_the_same_operation(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation
) -> None:
    """A retry after a clear uses the operation of the try before it, also once that has ended."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    player.respond = FakeAPI([[NEW, OLD]], None, "running")
    player.run(publish(PublishParams(offer, (), cleared)))
    player.respond = FakeAPI([[NEW | {"submissionState": "completed"}, OLD]], None, AWAITING_SIGN_OFF)
    again = replace(cleared, checkpoint=Checkpoint.from_payload(player.checkpoints[-1]))
    assert player.run(publish(PublishParams(offer, (), again))) == operation
    assert player.posts == 0


@pytest.mark.parametrize(("minutes", "submits"), [(0, 0), (20, 1)])
def test_a_cleared_task_allows_for_an_operation_not_listed_yet(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation, minutes: int, submits: int
) -> None:
    """After a clear, a recent operation that the API does not know yet may still be in progress."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    player.respond = FakeAPI([[OLD]], make_response(b"", 202, AT_ID), "running")
    player.now += timedelta(minutes=minutes)
    player.run(publish(PublishParams(offer, (), cleared)))
    assert player.posts == submits


def test_a_cleared_task_identifies_its_operation_in_the_list(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation
) -> None:
    """After a clear, a listed operation in progress is used although its own status is stale."""

    class Stale(FakeAPI):
        def operation(self, path: str) -> Any:
            return {"status": "failed"}

    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    player.respond = Stale([[NEW, OLD]], None, "running")
    assert player.run(publish(PublishParams(offer, (), cleared))) == operation
    assert player.posts == 0


def test_a_cleared_task_does_not_attach_to_another_operation(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation
) -> None:
    """After a clear, somebody else's operation in progress is an error."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    player.respond = FakeAPI([[NEW | {"id": "theirs"}, NEW | {"submissionState": "failed"}]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation theirs"):
        player.run(publish(PublishParams(offer, (), cleared)))
    assert player.posts == 0


@pytest.mark.parametrize(
    ("state", "status", "submits"), [("failed", "failed", 1), ("running", "running", 0), ("failed", "running", 0)]
)
def test_a_cleared_task_with_several_new_publishes(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, state: str, status: str, submits: int
) -> None:
    """After a clear, several new publishes fail the task only while one of them is, or may be, in progress."""
    listed = [NEW | {"submissionState": state}, NEW | {"id": "other", "submissionState": "failed"}, OLD]
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=checkpoint)
    player.respond = FakeAPI([listed], make_response(b"", 202, AT_ID), status)
    if submits:
        player.run(publish(PublishParams(offer, (), cleared)))
    else:
        with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="several new ones"):
            player.run(publish(PublishParams(offer, (), cleared)))
    assert player.posts == submits


@pytest.mark.parametrize("counts", [RETRY, CLEARED])
def test_a_checkpoint_for_another_offer_is_refused(player: Player, checkpoint: Checkpoint, counts: TryCounts) -> None:
    """A checkpoint for another offer, of this run or the one before, is an error, and nothing is sent."""
    context = TryContext(900, counts=counts, can_checkpoint=True, checkpoint=checkpoint)
    with pytest.raises(exceptions.ConfigurationError, match="saved a checkpoint to publish offer contoso/contoso-vm"):
        player.run(publish(PublishParams(OfferRef("contoso", "other"), (), context)))
    assert player.sent == []


def test_a_later_try_without_a_checkpoint_submits_at_once(player: Player, offer: OfferRef) -> None:
    """Where tries save checkpoints, a try without one submitted nothing, so the next try submits at once."""
    player.respond = FakeAPI([[OLD]], make_response(b"", 202, AT_ID))
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=RETRY, can_checkpoint=True))))
    assert player.posts == 1
    assert player.slept == []


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: f"{type(error).__name__}-{error}"[:30])
def test_a_refused_submit_restores_the_checkpoint(
    player: Player, offer: OfferRef, retry: TryContext, checkpoint: Checkpoint, error: exceptions.MarketplaceError
) -> None:
    """A submit that was certainly not accepted removes its checkpoint and restores an earlier try's."""
    player.respond = FakeAPI([[OLD]], error)
    with pytest.raises(type(error)):
        player.run(publish(PublishParams(offer, (), TryContext(60, counts=FIRST, can_checkpoint=True))))
    assert saved(player) == ["intent", None]
    player.checkpoints.clear()
    player.now += timedelta(hours=1)
    with pytest.raises(type(error)):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.checkpoints[1] == checkpoint.to_payload()
    assert len(player.checkpoints) == 2


@pytest.mark.parametrize(
    "error", [exceptions.ConflictError("x", status=409, text="busy"), exceptions.BadRequestError("x", status=400)]
)
def test_a_submit_refused_because_the_first_was_accepted(
    player: Player, offer: OfferRef, retry: TryContext, error: exceptions.MarketplaceError
) -> None:
    """A retry whose submit is refused because the first one was accepted attaches to that one's operation."""
    player.now += timedelta(hours=1)
    player.respond = FakeAPI([[OLD], [OLD], [OLD], [NEW, OLD]], error)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 1
    assert saved(player) == ["intent", "intent", "new-id"]


@pytest.mark.parametrize(
    "failing", [exceptions.ServerError("list", status=500), exceptions.AuthenticationError("no token")]
)
def test_a_refusal_is_raised_though_later_polls_fail(
    player: Player, offer: OfferRef, failing: exceptions.MarketplaceError
) -> None:
    """The error of a refused submit is raised also where the polls after it fail."""
    player.respond = FakeAPI([[OLD], failing], exceptions.BadRequestError("publish", status=422, text="no image"))
    with pytest.raises(exceptions.BadRequestError, match="no image"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))


@pytest.mark.parametrize(
    "failing", [exceptions.ServerError("list", status=500), exceptions.AuthenticationError("no token")]
)
def test_after_a_conflict_a_failing_list_prevents_a_second_submit(
    player: Player, offer: OfferRef, failing: exceptions.MarketplaceError
) -> None:
    """After a 409 without a readable list nothing is submitted again, and the conflict is logged."""
    player.respond = FakeAPI([[OLD], failing], exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(type(failing)):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert player.posts == 1
    assert "busy; no operation is in progress" in player.logged[0][0] + player.logged[3][0]


def test_a_refusal_names_another_operation_in_progress(player: Player, offer: OfferRef) -> None:
    """A 400 because somebody else started first names that operation and does not attach to it."""
    player.respond = FakeAPI(
        [[OLD], [NEW, OLD]], exceptions.BadRequestError("publish", status=400, text="no"), "running"
    )
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=True))))
    assert saved(player) == ["intent", None]


def test_an_accepted_submit_is_not_lost_among_several(player: Player, offer: OfferRef) -> None:
    """Where the response has a location, and several operations are new, the location is enough."""
    listed = [NEW, NEW | {"id": "other"}, OLD]
    player.respond = FakeAPI([[OLD], listed], make_response(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900, can_checkpoint=True))))
    assert operation.operation_id is None
    assert operation.location == BY_NUMBER["location"]
    assert saved(player) == ["intent", BY_NUMBER["location"]]


def test_the_publication_number_identifies_the_operation(player: Player, offer: OfferRef) -> None:
    """A location with a number identifies the new operation with that number."""
    listed = [NEW | {"id": "other", "publishingVersion": 3}, NEW, OLD]
    player.respond = FakeAPI([[OLD], listed], make_response(b"", 202, BY_NUMBER))
    assert player.run(publish(PublishParams(offer, (), TryContext(900)))).operation_id == "new-id"


# --- without checkpoints: before Airflow 3.3


@pytest.fixture
def later_try(start: datetime) -> TryContext:
    """Return a second try without a checkpoint, an hour after the DAG run began."""
    return TryContext(900, counts=RETRY, dag_run_start=start - timedelta(hours=1))


OLD_CHANGED_BEFORE = changed(OLD, -6)


def test_a_later_try_waits_and_submits(player: Player, offer: OfferRef, later_try: TryContext) -> None:
    """Without checkpoints, and with no change since the DAG run began, a later try waits, then submits."""
    player.respond = FakeAPI([[OLD_CHANGED_BEFORE]], make_response(b"", 202, AT_ID))
    assert player.run(publish(PublishParams(offer, (), later_try))).operation_id == "new-id"
    assert player.posts == 1
    assert sum(player.slept) == 900


@pytest.mark.parametrize(
    "operation", [changed(OLD, -4), changed(OLD, 30), OLD, changed(OLD, 30) | {"submissionType": "goLive"}]
)
def test_a_later_try_stops_where_something_changed(
    player: Player, offer: OfferRef, later_try: TryContext, operation: dict[str, Any]
) -> None:
    """An operation that changed since the DAG run began, or has no time, may be an earlier try's."""
    player.respond = FakeAPI([[OLD_CHANGED_BEFORE], [OLD_CHANGED_BEFORE], [operation, OLD_CHANGED_BEFORE]], None)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match="an earlier try of this task may have submitted it"
    ) as caught:
        player.run(publish(PublishParams(offer, (), later_try)))
    assert player.posts == 0
    assert caught.value.retryable is False
    assert sum(player.slept) == 30


@pytest.mark.parametrize("state", ["running", "inProgress", "not started"])
def test_a_later_try_attaches_to_the_one_publish_in_progress(
    player: Player, offer: OfferRef, later_try: TryContext, state: str
) -> None:
    """The only publish in progress, or about to start, is treated as an earlier try's and logged as a warning."""
    player.respond = FakeAPI(
        [[OLD_CHANGED_BEFORE], [changed(NEW, 10) | {"submissionState": state}, OLD_CHANGED_BEFORE]], None, "running"
    )
    operation = player.run(publish(PublishParams(offer, (), later_try)))
    assert operation.operation_id == "new-id"
    assert player.posts == 0
    assert player.logged[-1][1] == "warning"
    assert operation.submitted_at == datetime.fromisoformat("2026-11-03T08:10:00+00:00")


def test_a_publish_in_progress_without_a_time(
    player: Player, offer: OfferRef, later_try: TryContext, start: datetime
) -> None:
    """A publish in progress without a time is used as well, as of now."""
    player.respond = FakeAPI([[NEW, OLD_CHANGED_BEFORE]], None, "running")
    assert player.run(publish(PublishParams(offer, (), later_try))).submitted_at == start


@pytest.mark.parametrize("waits", [False, True])
def test_a_publish_from_before_the_dag_run_is_somebody_elses(
    player: Player, offer: OfferRef, later_try: TryContext, *, waits: bool
) -> None:
    """An operation that last changed before the DAG run began cannot be an earlier try's, so the error names it."""
    player.respond = FakeAPI([[changed(NEW, -6)]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), replace(later_try, waits_for_others=waits))))
    assert player.posts == 0


@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ({"counts": CLEARED}, [changed(NEW, 10)]),
        ({"counts": CLEARED}, [changed(NEW, -10)]),
        ({"waits_for_others": True}, [changed(NEW, 10)]),
        ({}, [changed(NEW, 10) | {"submissionType": "goLive"}]),
        ({}, [changed(NEW, 10) | {"submissionType": ""}]),
        ({}, [changed(NEW, 10) | {"submissionState": "frobnicating"}]),
        ({}, [changed(NEW, 10), changed(NEW, 5) | {"id": "other"}]),
    ],
)
def test_a_later_try_fails_where_the_operation_may_be_anybodys(
    player: Player, offer: OfferRef, later_try: TryContext, change: dict[str, Any], listed: list[Any]
) -> None:
    """After a clear, after a wait for others, or with anything but one publish in progress, a later try does not guess."""
    player.respond = FakeAPI([listed], None, "running")
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=r"may have submitted it, and the offer has operation new-id"
    ):
        player.run(publish(PublishParams(offer, (), replace(later_try, **change))))
    assert player.posts == 0
    assert player.slept == []


@pytest.mark.parametrize("status", ["running", "frobnicating"])
def test_an_unlisted_operation_stops_a_later_try(
    player: Player, offer: OfferRef, later_try: TryContext, status: str
) -> None:
    """A list without changes is not enough while the offer's status shows, or may show, an operation in progress."""
    player.respond = FakeAPI([[OLD_CHANGED_BEFORE]], None, status)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"its status is {status}, but its list of operations does not show"
    ):
        player.run(publish(PublishParams(offer, (), later_try)))
    assert player.posts == 0
    assert sum(player.slept) == 900


def test_a_later_try_publishes_over_an_old_preview(player: Player, offer: OfferRef, later_try: TryContext) -> None:
    """A preview from before the DAG run that awaits sign-off counts as ended and does not stop a later try."""
    preview = changed(NEW, -60) | {"id": "preview"}
    player.respond = FakeAPI([[preview]], make_response(b"", 202, AT_ID), AWAITING_SIGN_OFF)
    assert player.run(publish(PublishParams(offer, (), later_try))).operation_id == "new-id"


# --- an open checkpoint, and Airflow's try counts


@pytest.mark.parametrize(
    ("lists", "shown", "may_settle"),
    [
        ([[OLD]], "none of the offer's operations is new", False),
        (
            [[OLD], [OLD], [OLD], exceptions.BadRequestError("list", status=400)],
            "the offer's operations cannot be read",
            True,
        ),
    ],
)
def test_a_conflict_with_an_open_checkpoint_is_unknown(
    player: Player, offer: OfferRef, retry: TryContext, lists: list[Any], shown: str, *, may_settle: bool
) -> None:
    """A 409 after an earlier try's submit without a visible operation leaves the outcome unknown, which the error says."""
    player.now += timedelta(hours=1)
    player.respond = FakeAPI(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=f"{shown}, and now: .*busy") as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert caught.value.retryable == may_settle
    assert player.posts == 1
    assert saved(player) == ["intent", "intent"]


@pytest.mark.parametrize("shows_in", ["list", "state"])
def test_a_publish_that_is_new_since_an_open_checkpoint_is_used(
    player: Player, offer: OfferRef, retry: TryContext, shows_in: str
) -> None:
    """A publish that is listed after the settle time, just before the submit, is used."""
    player.now += timedelta(hours=1)
    running = {"id": "going", "submissionType": "goLive", "submissionState": "running"}
    before: list[Any] = [[OLD], [running, OLD]]
    lists = [*before, [NEW, OLD]] if shows_in == "list" else [*before, [running, OLD], [NEW, running, OLD]]
    player.respond = FakeAPI(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 0


@pytest.mark.parametrize("counts", [CLEARED, CLEARED_OR_RETRIED])
def test_an_operation_in_progress_is_attached_to_after_a_clear(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation, counts: TryCounts
) -> None:
    """A cleared task, and one that may be retried or cleared, attaches to its own operation in progress."""
    player.respond = FakeAPI([[NEW, OLD]], None, "running")
    context = TryContext(60, counts=counts, can_checkpoint=True, checkpoint=replace(checkpoint, operation=operation))
    assert player.run(publish(PublishParams(offer, (), context))) == operation
    last = Checkpoint.from_payload(player.checkpoints[-1])
    assert last is not None
    assert last.counts == counts


@pytest.mark.parametrize("is_known", [True, False])
def test_an_undecided_retry_or_clear_is_an_error(
    player: Player, offer: OfferRef, checkpoint: Checkpoint, operation: Operation, *, is_known: bool
) -> None:
    """Where Airflow's counts fit a retry and a clear, and no own operation is in progress, the task fails."""
    player.now += timedelta(hours=1)
    player.respond = FakeAPI([[NEW | {"submissionState": "completed"}, OLD]] if is_known else [[OLD]], None)
    checkpoint = replace(checkpoint, operation=operation if is_known else None)
    context = TryContext(60, counts=CLEARED_OR_RETRIED, can_checkpoint=True, checkpoint=checkpoint)
    expected = "operation new-id, which has ended" if is_known else "which no operation shows"
    with pytest.raises(
        exceptions.TaskRunUnknownError, match=rf"retried or was cleared.*{expected}.*start a new DAG run"
    ) as caught:
        player.run(publish(PublishParams(offer, (), context)))
    assert player.posts == 0
    assert caught.value.retryable is False


def test_a_store_that_a_clear_emptied(player: Player, offer: OfferRef) -> None:
    """Where a clear removed the checkpoint, the task waits out the settle time before it submits."""
    player.respond = FakeAPI([[OLD]], make_response(b"", 202, AT_ID))
    context = TryContext(60, counts=CLEARED, can_checkpoint=True, earlier_could_checkpoint=False)
    assert player.run(publish(PublishParams(offer, (), context))).operation_id == "new-id"
    assert player.posts == 1
    assert sum(player.slept) == 60
    assert saved(player) == ["intent", "new-id"]


def test_after_a_clear_that_emptied_the_store_an_operation_is_an_error(player: Player, offer: OfferRef) -> None:
    """Where a clear removed the checkpoint, an operation in progress may be anybody's, so the error names it."""
    player.respond = FakeAPI([[OLD], [OLD], [NEW, OLD]], None)
    context = TryContext(60, counts=CLEARED, can_checkpoint=True, earlier_could_checkpoint=False)
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), context)))
    assert player.posts == 0


@pytest.mark.parametrize("status", [100, 102, 103, 199, 302, 408, 421, 425, 499, 500, 503])
def test_a_response_that_proves_nothing(player: Player, offer: OfferRef, status: int) -> None:
    """After an interim response, a redirect or a proxy's error, the publish is polled for and not withdrawn."""
    player.respond = FakeAPI([[OLD], [OLD], [NEW, OLD]], make_response(b"", status))
    assert player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=True)))).operation_id == "new-id"
    assert player.posts == 1
    assert saved(player) == ["intent", "new-id"]


def test_after_a_conflict_a_later_try_without_a_store_decides_by_the_list_again(
    player: Player, offer: OfferRef, start: datetime
) -> None:
    """Without checkpoints, a publish that is listed while a later try waits may be its own: nothing is submitted over it."""
    lists: list[Any] = [*[[OLD_CHANGED_BEFORE]] * 64, [changed(NEW, 10), OLD_CHANGED_BEFORE]]
    player.respond = FakeAPI(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    retry = TryContext(60, counts=RETRY, dag_run_start=start - timedelta(hours=1), waits_for_others=True)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError,
        match="an earlier try of this task may have submitted it, and the offer has operation new-id",
    ):
        player.run(publish(PublishParams(offer, (), retry)))
    assert player.posts == 1


def test_after_a_conflict_a_later_try_continues_with_the_publish_that_shows(
    player: Player, offer: OfferRef, start: datetime
) -> None:
    """Without checkpoints, the one publish that is listed after a later try's conflict is taken for the earlier try's."""
    lists: list[Any] = [*[[OLD_CHANGED_BEFORE]] * 64, [changed(NEW, 10), OLD_CHANGED_BEFORE]]
    player.respond = FakeAPI(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    retry = TryContext(60, counts=RETRY, dag_run_start=start - timedelta(hours=1))
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert player.posts == 1


def test_an_operation_that_awaits_its_sign_off_is_not_in_progress(player: Player, offer: OfferRef) -> None:
    """A listed preview that awaits sign-off is not named as the operation in progress that the status shows."""
    preview = OLD | {"submissionState": AWAITING_SIGN_OFF}
    player.respond = FakeAPI([[preview]], exceptions.ConflictError("publish", status=409, text="busy"), "running")
    with pytest.raises(exceptions.OperationInProgressError, match=r"another operation .*busy"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
