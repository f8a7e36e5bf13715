# SPDX-License-Identifier: Apache-2.0
"""The publish: ordered once, and found again by those who come after."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.tries import CLEARED, CLEARED_OR_RETRIED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import PublishParams

NEW = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
OLD = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
AT_ID = {"location": "/api/publishers/contoso/offers/contoso-vm/operations/new-id"}
BY_NUMBER = {"location": "/api/operations/contoso$contoso-vm$2$preview"}


class Portal:
    """Answers a publish: lists in order (the last one for ever), one answer to the order, one status."""

    def __init__(self, lists: list[Any], order: Any, status: Any = "succeeded") -> None:
        self.lists = lists
        self.order = order
        self.status = status

    def __call__(self, call: endpoints.Request[Any]) -> Any:
        if call.method == "POST":
            return self.order
        if call.path.endswith("/status"):
            return {"status": self.status} if isinstance(self.status, str) else self.status
        if "/operations/" in call.path:
            return self.operation(call.path)
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def operation(self, path: str) -> Any:
        """Answer what an operation says of itself, which is what the list says; parked as the offer is."""
        for entry in self.lists[0]:
            if entry["id"] in path or f"${entry['publishingVersion']}$" in path:
                is_parked = entry["submissionState"] == "running" and self.status == PARKED
                word = self.status if is_parked else entry["submissionState"]
                return {"status": word} if isinstance(word, str) else word
        return exceptions.NotFoundError("operation", status=404)


def orders(player: Any) -> int:
    return sum(line.startswith("POST") for line in player.sent)


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
def test_the_operation_is_found(
    player: Any, offer: OfferRef, make_reply: Any, headers: dict[str, str], lists: list[Any]
) -> None:
    """By its location or as the one new entry of the list, the operation's id is found."""
    player.answer = Portal(lists, make_reply(b"", 202, headers))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900))))
    assert (operation.operation_id, orders(player)) == ("new-id", 1)


def test_an_operation_with_a_number_may_have_no_id_yet(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Where the location has a number and the list lags, the location is enough."""
    player.answer = Portal([[OLD]], make_reply(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900))))
    assert (operation.operation_id, operation.publishing_version, player.slept) == (None, 2, [])


def test_a_list_that_fails_after_the_order_does_not_lose_the_operation(
    player: Any, offer: OfferRef, make_reply: Any
) -> None:
    """Once the order is with the portal, a list that cannot be read is a warning."""
    lists: list[Any] = [[OLD], exceptions.BadRequestError("list", status=400)]
    player.answer = Portal(lists, make_reply(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(0))))
    assert (operation.location, "going on without its list" in player.told[0][0]) == (BY_NUMBER["location"], True)


@pytest.mark.parametrize(
    "lost",
    [
        exceptions.TransportError("publish", text="timed out"),
        exceptions.ServerError("publish", status=500),
        exceptions.InvalidResponseError("publish", status=302),
    ],
)
def test_a_lost_answer(player: Any, offer: OfferRef, lost: exceptions.MarketplaceError) -> None:
    """After a lost answer the list is watched for the settle time; then the try ends, and nothing was sent again."""
    player.answer = Portal([[OLD]], lost)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match="offer contoso/contoso-vm: it is not known whether"
    ) as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert (caught.value.retryable, orders(player), sum(player.slept)) == (True, 1, 60)


def test_a_lost_answer_is_found_again(player: Any, offer: OfferRef) -> None:
    """After a lost answer, the one new publish is taken for ours."""
    golive = {"id": "other", "submissionType": "goLive", "submissionState": "running"}
    player.answer = Portal([[OLD], [OLD], [golive, NEW, OLD]], exceptions.ServerError("publish", status=503))
    assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"


def test_several_new_operations_are_named(player: Any, offer: OfferRef) -> None:
    """If several are new, it is not guessed which is ours."""
    player.answer = Portal([[OLD], [NEW, NEW | {"id": "other"}]], exceptions.ServerError("publish", status=503))
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=r"several new ones: operation new-id .*operation other"
    ):
        player.run(publish(PublishParams(offer, (), TryContext(60))))


def test_a_request_that_never_left_leaves_retries(player: Any, offer: OfferRef) -> None:
    """Where no connection was made, nothing was ordered, and trying again is safe."""
    player.answer = Portal([[OLD]], exceptions.TransportError("publish", text="refused", sent=False))
    with pytest.raises(exceptions.TransportError) as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert (caught.value.retryable, orders(player)) == (True, 1)


@pytest.mark.parametrize("state", ["running", "notStarted", "frobnicating"])
@pytest.mark.parametrize(
    ("status", "sent"), [("running", 0), ("waitingForPublisherReview", 1), ("frobnicating", 0), ("notStarted", 0)]
)
def test_what_runs_is_in_the_way(
    player: Any, offer: OfferRef, make_reply: Any, status: str, sent: int, state: str
) -> None:
    """An operation that runs, may run or is about to forbids a publish unless the offer is parked."""
    entry = NEW | {"id": "theirs", "submissionState": state}
    player.answer = Portal([[entry]], make_reply(b"", 202, AT_ID), status)
    if sent:
        assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"
    else:
        with pytest.raises(
            exceptions.OperationInProgressError, match=rf"operation theirs \(publish, {state}\) is running"
        ):
            player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert orders(player) == sent


@pytest.mark.parametrize(
    ("after", "status", "named"), [([NEW], "succeeded", "operation new-id"), ([OLD], "running", "another .*busy")]
)
def test_the_portals_conflict_names_what_runs(
    player: Any, offer: OfferRef, after: list[Any], status: str, named: str
) -> None:
    """A 409 is told with the operation that the list shows by then, or with the API's words where the status alone tells."""
    player.answer = Portal([[OLD], after], exceptions.ConflictError("publish", status=409, text="busy"), status)
    with pytest.raises(exceptions.OperationInProgressError, match=named):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert orders(player) == 1


@pytest.mark.parametrize("can_note", [False, True])
def test_a_conflict_with_another_cause_is_final_the_second_time(player: Any, offer: OfferRef, can_note: bool) -> None:  # noqa: FBT001
    """Where nothing shows as in progress within the settle time, a second submit decides, and its 409 is the error."""
    conflict = exceptions.ConflictError("publish", status=409, text="The draft has no changes")
    player.answer = Portal([[OLD]], conflict)
    with pytest.raises(exceptions.ConflictError, match="The draft has no changes") as caught:
        player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=can_note))))
    assert (orders(player), sum(player.slept), caught.value.retryable) == (2, 60, False)
    assert noted(player) == ["intent", None, "intent", None]
    assert "waiting for the settle time, then submitting once more" in player.told[0][0]


def test_a_conflict_that_passes_is_published_over(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """The second submit, once the settle time is over, is accepted where only the first one met a conflict."""
    player.answer = portal = Portal([[OLD]], exceptions.ConflictError("publish", status=409, text="busy"))

    def answer(call: endpoints.Request[Any]) -> Any:
        answered = portal(call)
        portal.order = make_reply(b"", 202, AT_ID) if call.method == "POST" else portal.order
        return answered

    player.answer = answer
    assert player.run(publish(PublishParams(offer, (), TryContext(60)))).operation_id == "new-id"
    assert (orders(player), sum(player.slept)) == (2, 60)


def test_an_operation_that_shows_after_a_conflict_is_in_the_way(player: Any, offer: OfferRef) -> None:
    """The operation that the list showed too late is named, and nothing is submitted a second time."""
    failing = exceptions.ServerError("list", status=500)
    late = [[OLD], [OLD], [OLD], *[failing] * 4, [NEW, OLD]]
    player.answer = Portal(late, exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert orders(player) == 1


# --- with notes: from Airflow 3.3 on

PARKED = "waitingForPublisherReview"
TAKEN_BACK = [
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
def note(offer: OfferRef, start: datetime) -> Checkpoint:
    """Return what a try noted two minutes ago, before it ordered."""
    return Checkpoint(offer, "publish", start - timedelta(seconds=120), FIRST, ("old-id",), 7)


@pytest.fixture
def retry(note: Checkpoint) -> TryContext:
    return TryContext(900, counts=RETRY, can_checkpoint=True, checkpoint=note)


def noted(player: Any) -> list[Any]:
    """Return what was kept, as the operation's id, or the intent."""
    kept = [Checkpoint.from_payload(payload) for payload in player.notes]
    return [(one.operation.display_id if one.operation else "intent") if one else None for one in kept]


@pytest.mark.parametrize(
    ("headers", "lists", "expected"),
    [
        (AT_ID, [[OLD]], ["intent", "new-id"]),
        (BY_NUMBER, [[OLD], [NEW, OLD]], ["intent", BY_NUMBER["location"], "new-id"]),
        (BY_NUMBER, [[OLD]], ["intent", BY_NUMBER["location"]]),
        ({}, [[OLD], [OLD], [NEW, OLD]], ["intent", "new-id"]),
    ],
)
def test_it_is_noted_before_the_order_and_after_its_answer(
    player: Any, offer: OfferRef, make_reply: Any, headers: dict[str, str], lists: list[Any], expected: list[str]
) -> None:
    """The intent is kept before the order leaves, and what the answer named as soon as it is there."""
    portal, at_order = Portal(lists, make_reply(b"", 202, headers)), []

    def answer(call: endpoints.Request[Any]) -> Any:
        if call.method == "POST":
            at_order.extend(noted(player))
        return portal(call)

    player.answer = answer
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=FIRST, can_checkpoint=True), 7)))
    assert (at_order, noted(player)) == (["intent"], expected)


def test_what_an_intent_says(player: Any, offer: OfferRef, make_reply: Any, start: datetime) -> None:
    """An intent holds the offer, the time, the run, the operations that are there and the draft's version."""
    player.answer = Portal([[OLD, OLD | {"id": "older"}]], make_reply(b"", 202, AT_ID))
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=FIRST, can_checkpoint=True), 7)))
    assert Checkpoint.from_payload(player.notes[0]) == Checkpoint(
        offer, "publish", start, FIRST, ("old-id", "older"), 7
    )


def test_a_retry_goes_on_with_its_own_operation(
    player: Any, offer: OfferRef, note: Checkpoint, retry: TryContext, operation: Operation
) -> None:
    """A noted operation is taken as it is, running or ended: nothing is sent, not even a question."""
    own = replace(retry, checkpoint=replace(note, operation=operation))
    assert player.run(publish(PublishParams(offer, (), own))) == operation
    assert (player.sent, player.notes) == ([], [])


@pytest.mark.parametrize("state", ["running", "failed", "completed", "frobnicating"])
def test_a_retry_finds_what_the_order_began(player: Any, offer: OfferRef, retry: TryContext, state: str) -> None:
    """The one publish that is new since the note is the order's, in whatever state, and is noted."""
    player.answer = Portal([[OLD], [OLD], [NEW | {"submissionState": state}, OLD]], None)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert (orders(player), noted(player)) == (0, ["new-id"])


def test_a_retry_finds_what_is_of_an_unknown_kind(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """A new operation whose kind nobody knows may be the publish, and is not published over."""
    player.answer = Portal([[NEW | {"submissionType": "Publish/GoLive"}, OLD]], None)
    assert (player.run(publish(PublishParams(offer, (), retry))).operation_id, orders(player)) == ("new-id", 0)


def test_a_retry_that_finds_several_stops(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """With several new publishes the retry stops for good, naming them."""
    player.answer = Portal([[NEW, NEW | {"id": "other"}, OLD]], None)
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=r"operation new-id .*operation other") as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert (orders(player), caught.value.retryable, player.notes) == (0, False, [])


@pytest.mark.parametrize(("ago", "waits"), [(0, 900), (120, 780), (899, 1), (900, 0), (9000, 0)])
def test_a_retry_waits_out_the_settle_time_and_orders(
    player: Any, offer: OfferRef, make_reply: Any, retry: TryContext, note: Checkpoint, ago: float, waits: float
) -> None:
    """With nothing new to be seen, the retry waits for what is left of the settle time, and publishes."""
    note = replace(note, created_at=player.now - timedelta(seconds=ago))
    golive = {"id": "other", "submissionType": "goLive", "submissionState": "completed"}
    player.answer = Portal([[golive, OLD]], make_reply(b"", 202, AT_ID))
    operation = player.run(publish(PublishParams(offer, (), replace(retry, checkpoint=note), 8)))
    assert (operation.operation_id, orders(player), sum(player.slept)) == ("new-id", 1, pytest.approx(waits))
    intent = Checkpoint.from_payload(player.notes[0])
    assert intent is not None
    assert (intent.known_ids, intent.created_at, intent.draft_version) == (("old-id",), player.now, 8)


@pytest.mark.parametrize("looks", [1, 2])
def test_what_shows_at_the_last_moment_is_taken(player: Any, offer: OfferRef, retry: TryContext, looks: int) -> None:
    """An operation that shows after the settle time, before the second order leaves, is the first order's."""
    player.now += timedelta(hours=1)
    player.answer = Portal([*[[OLD]] * looks, [NEW, OLD]], None)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert (orders(player), noted(player)) == (0, ["new-id"])


def test_several_at_the_last_moment_stop(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """Several operations that show after the settle time stop the retry as well."""
    player.now += timedelta(hours=1)
    player.answer = Portal([[OLD], [NEW, NEW | {"id": "other"}, OLD]], None)
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="several new ones"):
        player.run(publish(PublishParams(offer, (), retry)))
    assert orders(player) == 0


@pytest.mark.parametrize("status", ["running", "waitingForApproval", "blocked", "frobnicating"])
def test_work_that_the_list_does_not_show_stops_a_retry(
    player: Any, offer: OfferRef, retry: TryContext, status: str
) -> None:
    """While the offer's status says, or may say, that the portal is at work, a silent list is not believed."""
    player.answer = Portal([[OLD]], None, status)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"its status is {status}, but its operations do not show"
    ) as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert (orders(player), caught.value.retryable) == (0, False)


@pytest.mark.parametrize(
    "status", [PARKED, {"status": "running", "steps": [{"id": "publisher-signoff", "status": PARKED}]}, "failed"]
)
def test_parked_is_not_at_work(player: Any, offer: OfferRef, make_reply: Any, retry: TryContext, status: Any) -> None:
    """A preview that waits for its publisher, or a publication that ended, does not stop a retry."""
    entry = OLD if status == "failed" else OLD | {"submissionState": "running"}
    player.answer = Portal([[entry]], make_reply(b"", 202, AT_ID), status)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert orders(player) == 1


def test_somebody_elses_work_stops_a_retry_as_such(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """Where the list shows that a going live runs, the retry says so, and a task that waits may wait for it."""
    golive = {"id": "theirs", "submissionType": "goLive", "submissionState": "running"}
    player.answer = Portal([[golive, OLD]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation theirs"):
        player.run(publish(PublishParams(offer, (), retry)))
    assert orders(player) == 0


def test_a_list_that_cannot_be_read_stops_a_retry(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """A retry that cannot see the list does not publish."""
    player.answer = Portal([exceptions.PermissionDeniedError("list", status=403)], None)
    with pytest.raises(exceptions.PermissionDeniedError):
        player.run(publish(PublishParams(offer, (), retry)))
    assert orders(player) == 0


def test_a_status_that_cannot_be_read_stops_a_retry(player: Any, offer: OfferRef, retry: TryContext) -> None:
    """A retry that cannot see the offer's status does not publish."""
    player.answer = Portal([[OLD]], None, exceptions.ServerError("status", status=500))
    with pytest.raises(exceptions.ServerError):
        player.run(publish(PublishParams(offer, (), retry)))
    assert orders(player) == 0


@pytest.mark.parametrize(
    ("entries", "status", "attaches"),
    [
        ([NEW, OLD], "running", True),
        ([OLD | {"submissionState": "frobnicating"}, NEW], "running", True),
        ([NEW | {"submissionState": "frobnicating"}, OLD], "running", True),
        ([NEW | {"submissionState": "not started"}, OLD], "succeeded", True),
        ([NEW, OLD], PARKED, False),
        ([NEW | {"submissionState": "completed"}, OLD], "succeeded", False),
        ([NEW | {"submissionState": "failed"}, OLD], "failed", False),
        ([NEW | {"submissionState": "failed"}, OLD], "running", False),
    ],
)
@pytest.mark.parametrize("knows", ["id", "number", "intent"])
def test_a_cleared_task_goes_on_while_its_own_operation_runs(
    player: Any,
    offer: OfferRef,
    make_reply: Any,
    note: Checkpoint,
    operation: Operation,
    entries: Any,
    status: str,
    attaches: bool,  # noqa: FBT001
    knows: str,
) -> None:
    """After a clear, an own operation that runs is gone on with; one that ended, or is parked, is published over."""
    numbered = replace(operation, operation_id=None, location=BY_NUMBER["location"])
    note = replace(note, operation={"id": operation, "number": numbered, "intent": None}[knows])
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=note)
    player.answer = Portal([entries], make_reply(b"", 202, {"location": f"{AT_ID['location']}-2"}), status)
    found = player.run(publish(PublishParams(offer, (), cleared)))
    assert orders(player) == (0 if attaches else 1)
    assert found.display_id == ((numbered.display_id if knows == "number" else "new-id") if attaches else "new-id-2")
    kept = Checkpoint.from_payload(player.notes[-1])
    assert kept is not None
    assert (kept.counts, kept.operation) == (CLEARED, found)


@pytest.mark.parametrize(
    "order", [None, exceptions.ConflictError("publish", status=409), exceptions.BadRequestError("publish", status=400)]
)
def test_a_cleared_task_finds_its_own_operation_in_the_way(
    player: Any, offer: OfferRef, note: Checkpoint, operation: Operation, order: exceptions.MarketplaceError | None
) -> None:
    """An own operation that seemed to have ended, and is in the list or in the way after all, is gone on with."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    ended = [NEW | {"submissionState": "failed"}, OLD]
    portal = Portal([[NEW, OLD]] if order is None else [ended, [NEW, OLD]], order, "running")

    def answer(call: endpoints.Request[Any]) -> Any:
        return {"status": "failed"} if "/operations/" in call.path else portal(call)

    player.answer = answer
    assert player.run(publish(PublishParams(offer, (), cleared))) == operation
    kept = Checkpoint.from_payload(player.notes[-1])
    assert kept is not None
    assert (kept.counts, kept.operation, orders(player)) == (CLEARED, operation, int(order is not None))


def test_what_a_cleared_task_went_on_with_is_its_own(
    player: Any, offer: OfferRef, note: Checkpoint, operation: Operation
) -> None:
    """A retry after a clear goes on with what the try before it went on with, also once that has ended."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    player.answer = Portal([[NEW, OLD]], None, "running")
    player.run(publish(PublishParams(offer, (), cleared)))
    player.answer = Portal([[NEW | {"submissionState": "completed"}, OLD]], None, PARKED)
    again = replace(cleared, checkpoint=Checkpoint.from_payload(player.notes[-1]))
    assert player.run(publish(PublishParams(offer, (), again))) == operation
    assert orders(player) == 0


@pytest.mark.parametrize(("minutes", "sent"), [(0, 0), (20, 1)])
def test_a_cleared_task_gives_the_portal_time_to_know_its_operation(
    player: Any, offer: OfferRef, make_reply: Any, note: Checkpoint, operation: Operation, minutes: int, sent: int
) -> None:
    """After a clear, an own operation that the portal does not know runs, perhaps, for as long as it is that new."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    player.answer = Portal([[OLD]], make_reply(b"", 202, AT_ID), "running")
    player.now += timedelta(minutes=minutes)
    player.run(publish(PublishParams(offer, (), cleared)))
    assert orders(player) == sent


def test_a_cleared_task_takes_what_runs_for_its_own_by_its_id(
    player: Any, offer: OfferRef, note: Checkpoint, operation: Operation
) -> None:
    """After a clear, an own operation whose own answer is stale is still gone on with, since the list shows it."""

    class Stale(Portal):
        def operation(self, path: str) -> Any:
            return {"status": "failed"}

    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    player.answer = Stale([[NEW, OLD]], None, "running")
    assert (player.run(publish(PublishParams(offer, (), cleared))), orders(player)) == (operation, 0)


def test_a_cleared_task_leaves_others_alone(
    player: Any, offer: OfferRef, note: Checkpoint, operation: Operation
) -> None:
    """After a clear, somebody else's operation that runs is refused, not taken."""
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    player.answer = Portal([[NEW | {"id": "theirs"}, NEW | {"submissionState": "failed"}]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation theirs"):
        player.run(publish(PublishParams(offer, (), cleared)))
    assert orders(player) == 0


@pytest.mark.parametrize(
    ("state", "status", "sent"), [("failed", "failed", 1), ("running", "running", 0), ("failed", "running", 0)]
)
def test_a_cleared_task_among_several(
    player: Any, offer: OfferRef, make_reply: Any, note: Checkpoint, state: str, status: str, sent: int
) -> None:
    """After a clear, several new publishes stop the task only while one of them runs, or may run."""
    entries = [NEW | {"submissionState": state}, NEW | {"id": "other", "submissionState": "failed"}, OLD]
    cleared = TryContext(60, counts=CLEARED, can_checkpoint=True, checkpoint=note)
    player.answer = Portal([entries], make_reply(b"", 202, AT_ID), status)
    if sent:
        player.run(publish(PublishParams(offer, (), cleared)))
    else:
        with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="several new ones"):
            player.run(publish(PublishParams(offer, (), cleared)))
    assert orders(player) == sent


@pytest.mark.parametrize("counts", [RETRY, CLEARED])
def test_a_note_for_another_offer_is_refused(player: Any, note: Checkpoint, counts: TryCounts) -> None:
    """A note for another offer, of this run or the one before, orders nothing."""
    attempt = TryContext(900, counts=counts, can_checkpoint=True, checkpoint=note)
    with pytest.raises(exceptions.ConfigurationError, match="noted a publish of offer contoso/contoso-vm"):
        player.run(publish(PublishParams(OfferRef("contoso", "other"), (), attempt)))
    assert player.sent == []


def test_a_later_try_without_a_note_has_not_ordered(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Where tries note, one that left no note had not ordered, so the next one does, at once."""
    player.answer = Portal([[OLD]], make_reply(b"", 202, AT_ID))
    player.run(publish(PublishParams(offer, (), TryContext(900, counts=RETRY, can_checkpoint=True))))
    assert (orders(player), player.slept) == (1, [])


@pytest.mark.parametrize("error", TAKEN_BACK, ids=lambda error: f"{type(error).__name__}-{error}"[:30])
def test_a_refusal_takes_the_note_back(
    player: Any, offer: OfferRef, retry: TryContext, note: Checkpoint, error: exceptions.MarketplaceError
) -> None:
    """An order that was certainly not taken leaves no note; what an earlier try noted stands again."""
    player.answer = Portal([[OLD]], error)
    with pytest.raises(type(error)):
        player.run(publish(PublishParams(offer, (), TryContext(60, counts=FIRST, can_checkpoint=True))))
    assert noted(player) == ["intent", None]
    player.notes.clear()
    player.now += timedelta(hours=1)
    with pytest.raises(type(error)):
        player.run(publish(PublishParams(offer, (), retry)))
    assert (player.notes[1], len(player.notes)) == (note.to_payload(), 2)


@pytest.mark.parametrize(
    "error", [exceptions.ConflictError("x", status=409, text="busy"), exceptions.BadRequestError("x", status=400)]
)
def test_a_refusal_because_the_first_order_was_taken(
    player: Any, offer: OfferRef, retry: TryContext, error: exceptions.MarketplaceError
) -> None:
    """A retry whose order is refused looks whether the first one's operation is why, and goes on with it."""
    player.now += timedelta(hours=1)
    player.answer = Portal([[OLD], [OLD], [OLD], [NEW, OLD]], error)
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert (orders(player), noted(player)) == (1, ["intent", "intent", "new-id"])


@pytest.mark.parametrize(
    "failing", [exceptions.ServerError("list", status=500), exceptions.AuthenticationError("no token")]
)
def test_a_refusal_is_told_though_the_portal_falls_silent(
    player: Any, offer: OfferRef, failing: exceptions.MarketplaceError
) -> None:
    """What refused the order is said also where nothing more can be found out about it."""
    player.answer = Portal([[OLD], failing], exceptions.BadRequestError("publish", status=422, text="no image"))
    with pytest.raises(exceptions.BadRequestError, match="no image"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))


@pytest.mark.parametrize(
    "failing", [exceptions.ServerError("list", status=500), exceptions.AuthenticationError("no token")]
)
def test_after_a_conflict_a_portal_that_falls_silent_is_not_submitted_to(
    player: Any, offer: OfferRef, failing: exceptions.MarketplaceError
) -> None:
    """Without its list nothing is submitted a second time, and the log has the conflict."""
    player.answer = Portal([[OLD], failing], exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(type(failing)):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
    assert orders(player) == 1
    assert "busy; nothing shows as in progress" in player.told[0][0] + player.told[3][0]


def test_a_refusal_while_another_operation_runs_names_it(player: Any, offer: OfferRef) -> None:
    """A 400 because somebody began in the same moment names what runs, without taking it."""
    player.answer = Portal([[OLD], [NEW, OLD]], exceptions.BadRequestError("publish", status=400, text="no"), "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=True))))
    assert noted(player) == ["intent", None]


def test_an_accepted_order_is_not_lost_among_several(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Where the answer names a place, and several operations are new, the place is enough."""
    entries = [NEW, NEW | {"id": "other"}, OLD]
    player.answer = Portal([[OLD], entries], make_reply(b"", 202, BY_NUMBER))
    operation = player.run(publish(PublishParams(offer, (), TryContext(900, can_checkpoint=True))))
    assert (operation.operation_id, operation.location) == (None, BY_NUMBER["location"])
    assert noted(player) == ["intent", BY_NUMBER["location"]]


def test_the_number_of_the_publication_tells_it_from_others(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """A location with a number leads to the new entry with that number."""
    entries = [NEW | {"id": "other", "publishingVersion": 3}, NEW, OLD]
    player.answer = Portal([[OLD], entries], make_reply(b"", 202, BY_NUMBER))
    assert player.run(publish(PublishParams(offer, (), TryContext(900)))).operation_id == "new-id"


# --- without notes: before Airflow 3.3


@pytest.fixture
def later(start: datetime) -> TryContext:
    """Return a second try that nobody left a note for, an hour after the DAG run began."""
    return TryContext(900, counts=RETRY, dag_run_start=start - timedelta(hours=1))


def changed(entry: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Return an entry that changed so many minutes after the DAG run began."""
    began = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
    return entry | {"changedTime": (began + timedelta(minutes=minutes)).isoformat()}


BEFORE = changed(OLD, -6)


def test_a_later_try_waits_and_orders(player: Any, offer: OfferRef, make_reply: Any, later: TryContext) -> None:
    """Without notes, and with nothing that changed since the DAG run began, a later try waits, and publishes."""
    player.answer = Portal([[BEFORE]], make_reply(b"", 202, AT_ID))
    assert player.run(publish(PublishParams(offer, (), later))).operation_id == "new-id"
    assert (orders(player), sum(player.slept)) == (1, 900)


@pytest.mark.parametrize(
    "entry", [changed(OLD, -4), changed(OLD, 30), OLD, changed(OLD, 30) | {"submissionType": "goLive"}]
)
def test_a_later_try_stops_where_something_changed(
    player: Any, offer: OfferRef, later: TryContext, entry: dict[str, Any]
) -> None:
    """Whatever changed since the DAG run began, or does not say when, may be an earlier try's."""
    player.answer = Portal([[BEFORE], [BEFORE], [entry, BEFORE]], None)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match="an earlier try of this task may have sent it"
    ) as caught:
        player.run(publish(PublishParams(offer, (), later)))
    assert (orders(player), caught.value.retryable, sum(player.slept)) == (0, False, 30)


@pytest.mark.parametrize("state", ["running", "inProgress", "not started"])
def test_a_later_try_takes_the_one_publish_that_runs(
    player: Any, offer: OfferRef, later: TryContext, state: str
) -> None:
    """A publish that runs, or is about to, alone, is taken for an earlier try's, and said to be."""
    player.answer = Portal([[BEFORE], [changed(NEW, 10) | {"submissionState": state}, BEFORE]], None, "running")
    operation = player.run(publish(PublishParams(offer, (), later)))
    assert (operation.operation_id, orders(player), player.told[-1][1]) == ("new-id", 0, "warning")
    assert operation.submitted_at == datetime.fromisoformat("2026-11-03T08:10:00+00:00")


def test_a_publish_that_runs_without_a_time(player: Any, offer: OfferRef, later: TryContext, start: datetime) -> None:
    """A publish that does not say when it changed is taken as well, as of now."""
    player.answer = Portal([[NEW, BEFORE]], None, "running")
    assert player.run(publish(PublishParams(offer, (), later))).submitted_at == start


@pytest.mark.parametrize("waits", [False, True])
def test_a_publish_from_before_the_dag_run_is_somebody_elses(
    player: Any,
    offer: OfferRef,
    later: TryContext,
    waits: bool,  # noqa: FBT001
) -> None:
    """What last changed before the DAG run began cannot be an earlier try's, so it is refused by its name."""
    player.answer = Portal([[changed(NEW, -6)]], None, "running")
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), replace(later, waits_for_others=waits))))
    assert orders(player) == 0


@pytest.mark.parametrize(
    ("change", "entries"),
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
def test_a_later_try_stops_where_what_runs_may_be_anybodys(
    player: Any, offer: OfferRef, later: TryContext, change: dict[str, Any], entries: list[Any]
) -> None:
    """After a clear or a wait for others, and where it is not one publish alone, what runs is not guessed at."""
    player.answer = Portal([entries], None, "running")
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=r"may have sent it, and operation new-id .* is there"
    ):
        player.run(publish(PublishParams(offer, (), replace(later, **change))))
    assert (orders(player), player.slept) == (0, [])


@pytest.mark.parametrize("status", ["running", "frobnicating"])
def test_a_later_try_stops_at_work_that_the_list_does_not_show(
    player: Any, offer: OfferRef, later: TryContext, status: str
) -> None:
    """A list that shows nothing is not enough while the offer's status says, or may say, that something runs."""
    player.answer = Portal([[BEFORE]], None, status)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"its status is {status}, but its operations do not show"
    ):
        player.run(publish(PublishParams(offer, (), later)))
    assert (orders(player), sum(player.slept)) == (0, 900)


def test_a_later_try_publishes_over_what_is_parked(
    player: Any, offer: OfferRef, make_reply: Any, later: TryContext
) -> None:
    """A preview from before the DAG run counts as ended, and does not stop a later try."""
    parked = changed(NEW, -60) | {"id": "parked"}
    player.answer = Portal([[parked]], make_reply(b"", 202, AT_ID), PARKED)
    assert player.run(publish(PublishParams(offer, (), later))).operation_id == "new-id"


# --- an open checkpoint, and Airflow's counts


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
    player: Any,
    offer: OfferRef,
    retry: TryContext,
    lists: list[Any],
    shown: str,
    may_settle: bool,  # noqa: FBT001
) -> None:
    """An earlier try's submit that shows nowhere, and a 409 now: it may be its own, which the error says."""
    player.now += timedelta(hours=1)
    player.answer = Portal(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=f"{shown}, and now: .*busy") as caught:
        player.run(publish(PublishParams(offer, (), retry)))
    assert (caught.value.retryable, orders(player), noted(player)) == (may_settle, 1, ["intent", "intent"])


@pytest.mark.parametrize("shows_in", ["list", "state"])
def test_what_is_new_since_an_open_checkpoint_is_not_published_over(
    player: Any, offer: OfferRef, retry: TryContext, shows_in: str
) -> None:
    """A publish that shows after the settle time, in the last list before the submit or just after it, is attached to."""
    player.now += timedelta(hours=1)
    running = {"id": "going", "submissionType": "goLive", "submissionState": "running"}
    before: list[Any] = [[OLD], [running, OLD]]
    lists = [*before, [NEW, OLD]] if shows_in == "list" else [*before, [running, OLD], [NEW, running, OLD]]
    player.answer = Portal(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    assert player.run(publish(PublishParams(offer, (), retry))).operation_id == "new-id"
    assert orders(player) == 0


@pytest.mark.parametrize("counts", [CLEARED, CLEARED_OR_RETRIED])
def test_an_operation_in_progress_is_attached_to_after_a_clear(
    player: Any, offer: OfferRef, note: Checkpoint, operation: Operation, counts: TryCounts
) -> None:
    """A cleared task, and one that may be retried or cleared, goes on with its own operation in progress."""
    player.answer = Portal([[NEW, OLD]], None, "running")
    attempt = TryContext(60, counts=counts, can_checkpoint=True, checkpoint=replace(note, operation=operation))
    assert player.run(publish(PublishParams(offer, (), attempt))) == operation
    kept = Checkpoint.from_payload(player.notes[-1])
    assert kept is not None
    assert kept.counts == counts


@pytest.mark.parametrize("is_known", [True, False])
def test_retried_or_cleared_is_said_where_it_matters(
    player: Any,
    offer: OfferRef,
    note: Checkpoint,
    operation: Operation,
    is_known: bool,  # noqa: FBT001
) -> None:
    """Where Airflow's counts fit a retry as well as a clear, and nothing of its own is in progress, the task fails."""
    player.now += timedelta(hours=1)
    player.answer = Portal([[NEW | {"submissionState": "completed"}, OLD]] if is_known else [[OLD]], None)
    note = replace(note, operation=operation if is_known else None)
    attempt = TryContext(60, counts=CLEARED_OR_RETRIED, can_checkpoint=True, checkpoint=note)
    said = "operation new-id, which has ended" if is_known else "no operation that shows"
    with pytest.raises(
        exceptions.TaskRunUnknownError, match=rf"retried or was cleared.*{said}.*start a new DAG run"
    ) as caught:
        player.run(publish(PublishParams(offer, (), attempt)))
    assert (orders(player), caught.value.retryable) == (0, False)


def test_a_store_that_a_clear_emptied(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Without the checkpoint of before the clear, the settle time is waited out before the submit."""
    player.answer = Portal([[OLD]], make_reply(b"", 202, AT_ID))
    attempt = TryContext(60, counts=CLEARED, can_checkpoint=True, earlier_could_checkpoint=False)
    assert player.run(publish(PublishParams(offer, (), attempt))).operation_id == "new-id"
    assert (orders(player), sum(player.slept), noted(player)) == (1, 60, ["intent", "new-id"])


def test_what_shows_after_a_clear_that_emptied_the_store_is_in_the_way(player: Any, offer: OfferRef) -> None:
    """An operation in progress may be anybody's then: it is named, and not taken."""
    player.answer = Portal([[OLD], [OLD], [NEW, OLD]], None)
    attempt = TryContext(60, counts=CLEARED, can_checkpoint=True, earlier_could_checkpoint=False)
    with pytest.raises(exceptions.OperationInProgressError, match="operation new-id"):
        player.run(publish(PublishParams(offer, (), attempt)))
    assert orders(player) == 0


@pytest.mark.parametrize("status", [100, 102, 103, 199, 302, 408, 421, 425, 499, 500, 503])
def test_a_response_that_proves_nothing(player: Any, offer: OfferRef, make_reply: Any, status: int) -> None:
    """After an interim response, a redirect, or what a proxy says, the publish is looked for, and not withdrawn."""
    player.answer = Portal([[OLD], [OLD], [NEW, OLD]], make_reply(b"", status))
    assert player.run(publish(PublishParams(offer, (), TryContext(60, can_checkpoint=True)))).operation_id == "new-id"
    assert (orders(player), noted(player)) == (1, ["intent", "new-id"])


def test_after_a_conflict_a_later_try_without_a_store_decides_by_the_list_again(
    player: Any, offer: OfferRef, start: datetime
) -> None:
    """Before Airflow 3.3 a publish that shows while a later try waits may be its own: it is not published over."""
    lists: list[Any] = [*[[BEFORE]] * 64, [changed(NEW, 10), BEFORE]]
    player.answer = Portal(lists, exceptions.ConflictError("publish", status=409, text="busy"))
    retry = TryContext(60, counts=RETRY, dag_run_start=start - timedelta(hours=1), waits_for_others=True)
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match="an earlier try of this task may have sent it, and operation new-id"
    ):
        player.run(publish(PublishParams(offer, (), retry)))
    assert orders(player) == 1


def test_an_operation_that_awaits_its_sign_off_is_not_in_progress(player: Any, offer: OfferRef) -> None:
    """Where the status shows the next publish and the list does not yet, the preview in the list is not named for it."""
    preview = OLD | {"submissionState": PARKED}
    player.answer = Portal([[preview]], exceptions.ConflictError("publish", status=409, text="busy"), "running")
    with pytest.raises(exceptions.OperationInProgressError, match=r"another operation .*busy"):
        player.run(publish(PublishParams(offer, (), TryContext(60))))
