# SPDX-License-Identifier: Apache-2.0
"""Going live: ordered while the offer is parked, and told from its state where the answer was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.tries import FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.core.checkpoint import TryContext, TryCounts
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import GoLiveParams

PARKED = {"status": "waitingForPublisherReview"}
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


class Portal:
    """Answers with what is next of each kind, the last one for ever."""

    def __init__(self, *, order: list[Any] | None = None, entries: list[Any], status: list[Any]) -> None:
        self.answers = {"POST": order or [], "list": entries, "status": status}

    def __call__(self, call: endpoints.Request[Any]) -> Any:
        kind = "status" if call.path.endswith("/status") else "list"
        answers = self.answers[call.method if call.method == "POST" else kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def orders(player: Any) -> int:
    return sum(line.startswith("POST") for line in player.sent)


def changed(entry: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Return an entry that changed so many minutes after the DAG run began."""
    began = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
    return entry | {"changedTime": (began + timedelta(minutes=minutes)).isoformat()}


@pytest.fixture
def wanted(offer: OfferRef) -> GoLiveParams:
    return GoLiveParams(offer, TryContext(60))


@pytest.fixture
def later(wanted: GoLiveParams, start: datetime) -> GoLiveParams:
    """Return what a second try wants, an hour after the DAG run began."""
    return replace(wanted, try_context=TryContext(60, counts=RETRY, dag_run_start=start - timedelta(hours=1)))


@pytest.mark.parametrize(
    ("headers", "after", "expected"),
    [
        (AT_ID, [PUBLISHED], "live-id"),
        (BY_NUMBER, [GOLIVE, PUBLISHED], "live-id"),
        (BY_NUMBER, [PUBLISHED], None),
        (BY_NUMBER, exceptions.PermissionDeniedError("list", status=403), None),
    ],
)
def test_what_is_parked_goes_live(
    player: Any, wanted: GoLiveParams, make_reply: Any, headers: dict[str, str], after: Any, expected: str | None
) -> None:
    """The answer's location, or the one new entry, names the operation; once accepted, a list that fails loses nothing."""
    player.answer = Portal(order=[make_reply(b"", 202, headers)], entries=[[PUBLISHED], after], status=[PARKED])
    operation = player.run(go_live(wanted))
    assert (operation.kind, operation.operation_id, operation.location) == ("golive", expected, headers["location"])
    assert (orders(player), player.notes) == (1, [])


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "canceled", "neverPublished", "frobnicating"])
@pytest.mark.parametrize(("entries", "named"), [([OLDER], "operation old-id"), ([], "it has no operation")])
def test_a_first_try_needs_something_parked(
    player: Any, wanted: GoLiveParams, status: str, entries: list[Any], named: str
) -> None:
    """Where nothing is parked, for as long as a status may be stale, the first try orders nothing, for good."""
    player.answer = Portal(entries=[entries], status=[{"status": status}])
    with pytest.raises(exceptions.PreviewNotReadyError, match=f"its status is {status}, {named}") as caught:
        player.run(go_live(wanted))
    assert (orders(player), caught.value.retryable, sum(player.slept)) == (0, False, 60)


@pytest.mark.parametrize(
    ("entries", "there"),
    [([OLDER | {"submissionState": "running"}], "operation old-id"), ([], "none that is listed")],
)
@pytest.mark.parametrize("counts", [FIRST, RETRY])
def test_another_publication_is_not_signed_off(
    player: Any,
    later: GoLiveParams,
    operation: Operation,
    entries: list[Any],
    there: str,
    counts: TryCounts,
) -> None:
    """With an operation given, another publication that is parked does not go live."""
    entries = [changed(entry, -60) for entry in entries]
    player.answer = Portal(entries=[entries], status=[PARKED])
    meant = replace(later, try_context=replace(later.try_context, counts=counts), operation=operation)
    with pytest.raises(
        exceptions.PreviewNotReadyError, match=f"operation new-id was meant, but what is parked is {there}"
    ):
        player.run(go_live(meant))
    assert orders(player) == 0


@pytest.mark.parametrize("named", ["id", "number"])
def test_the_publication_that_is_meant_goes_live(
    player: Any, wanted: GoLiveParams, make_reply: Any, operation: Operation, named: str
) -> None:
    """The parked publication is recognized by the operation's id, or by the number in its location."""
    if named == "number":
        operation = replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview")
    player.answer = Portal(
        order=[make_reply(b"", 202, AT_ID)], entries=[[changed(OLDER, 1), changed(PUBLISHED, 2)]], status=[PARKED]
    )
    assert player.run(go_live(replace(wanted, operation=operation))).operation_id == "live-id"


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([FAULT], "HTTP 503"),
        ([exceptions.TransportError("golive", text="timed out")], "timed out"),
        ([None], "the answer named no operation"),
    ],
)
def test_an_offer_that_stays_parked_is_signed_off_twice(
    player: Any, wanted: GoLiveParams, make_reply: Any, answers: list[Any], last: str
) -> None:
    """Still parked after the settle time means once more; then the try ends, and another may look."""
    order = [answer or make_reply(b"", 202) for answer in answers]
    player.answer = Portal(order=order, entries=[[PUBLISHED]], status=[PARKED])
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=f"still waits for its publisher's sign-off; last: .*{last}"
    ) as caught:
        player.run(go_live(wanted))
    assert (orders(player), caught.value.retryable, sum(player.slept)) == (2, True, 120)


def test_the_second_order_may_be_answered(player: Any, wanted: GoLiveParams, make_reply: Any) -> None:
    """A lost order that was not taken is made good by the second one."""
    player.answer = Portal(order=[FAULT, make_reply(b"", 202, AT_ID)], entries=[[PUBLISHED]], status=[PARKED])
    assert (player.run(go_live(wanted)).operation_id, orders(player)) == ("live-id", 2)


@pytest.mark.parametrize("kind", ["goLive", "", "Publish/GoLive"])
def test_a_lost_order_is_found_in_the_list(player: Any, wanted: GoLiveParams, kind: str) -> None:
    """After a lost answer the new entry is the operation, also where its kind is not said in a known word."""
    new = GOLIVE | {"submissionType": kind}
    entries = [[OLD_GOLIVE, PUBLISHED], [OLD_GOLIVE, PUBLISHED], [new, OLD_GOLIVE, PUBLISHED]]
    player.answer = Portal(order=[FAULT], entries=entries, status=[PARKED])
    assert (player.run(go_live(wanted)).operation_id, orders(player)) == ("live-id", 1)


@pytest.mark.parametrize("after", [RUNNING, LIVE_BEGUN, LIVE])
def test_a_lost_order_that_continues_the_publication(player: Any, wanted: GoLiveParams, after: dict[str, Any]) -> None:
    """Where the offer left its sign-off without a new entry, the publication's own operation is watched."""
    player.answer = Portal(order=[FAULT], entries=[[PUBLISHED, OLDER]], status=[PARKED, after])
    operation = player.run(go_live(wanted))
    assert (operation.kind, operation.operation_id, sum(player.slept)) == ("golive", "new-id", 60)


@pytest.mark.parametrize(
    ("entries", "status", "said"),
    [
        ([], RUNNING, "its status is running, with no operation"),
        ([changed(PUBLISHED | {"id": "theirs"}, 60), changed(PUBLISHED, 0)], RUNNING, "with operation theirs"),
        ([PUBLISHED], {"status": "canceled"}, "its status is canceled, with operation new-id"),
        ([PUBLISHED], {"status": "failed"}, "its status is failed"),
        ([PUBLISHED], {"status": "frobnicating"}, "its status is frobnicating"),
    ],
)
def test_a_lost_order_is_not_seen_in_what_somebody_else_did(
    player: Any, wanted: GoLiveParams, entries: list[Any], status: dict[str, Any], said: str
) -> None:
    """An offer that was canceled, failed or published anew after a lost order did not go live by it."""
    player.answer = Portal(order=[FAULT], entries=[[PUBLISHED], entries], status=[PARKED, status])
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match=said) as caught:
        player.run(go_live(wanted))
    assert (orders(player), caught.value.retryable) == (1, False)


def test_looks_that_fail_after_a_lost_order(player: Any, wanted: GoLiveParams) -> None:
    """A portal that falls silent after a lost order is asked on; what it says within the settle time counts."""
    silence = exceptions.PermissionDeniedError("list", status=403)
    player.answer = Portal(order=[FAULT], entries=[[PUBLISHED], silence, silence, [GOLIVE]], status=[PARKED, RUNNING])
    assert player.run(go_live(wanted)).operation_id == "live-id"
    player.answer = Portal(order=[FAULT], entries=[[PUBLISHED], silence], status=[PARKED])
    with pytest.raises(exceptions.SubmitOutcomeUnknownError, match="the portal does not say where it stands") as caught:
        player.run(go_live(wanted))
    assert (caught.value.retryable, orders(player)) == (True, 2)


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
def test_a_refusal_while_parked_is_told(player: Any, wanted: GoLiveParams, error: exceptions.MarketplaceError) -> None:
    """An order that was certainly not taken ends the try, with the portal's words."""
    player.answer = Portal(order=[error], entries=[[PUBLISHED]], status=[PARKED])
    with pytest.raises(type(error), match="no"):
        player.run(go_live(wanted))
    assert (orders(player), player.slept) == (1, [])


@pytest.mark.parametrize(
    "error", [exceptions.BadRequestError("golive", status=400), exceptions.ConflictError("golive", status=409)]
)
def test_a_first_order_refused_because_the_offer_left(
    player: Any, wanted: GoLiveParams, error: exceptions.MarketplaceError
) -> None:
    """A first order that is refused since somebody else was quicker names what is there."""
    player.answer = Portal(order=[error], entries=[[PUBLISHED], [GOLIVE, PUBLISHED]], status=[PARKED, RUNNING])
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is running, operation live-id"):
        player.run(go_live(wanted))


@pytest.mark.parametrize(
    ("after", "status", "expected"),
    [([GOLIVE, PUBLISHED], LIVE_BEGUN, "live-id"), ([PUBLISHED], LIVE, "new-id"), ([PUBLISHED], LIVE_BEGUN, "new-id")],
)
@pytest.mark.parametrize(
    "error", [exceptions.BadRequestError("golive", status=400), exceptions.ConflictError("golive", status=409)]
)
def test_a_second_order_refused_because_the_first_was_taken(
    player: Any,
    wanted: GoLiveParams,
    error: exceptions.MarketplaceError,
    after: list[Any],
    status: dict[str, Any],
    expected: str,
) -> None:
    """An order refused since the offer left by the one before it is no failure: what that one began is watched."""
    looks = 62  # the first look, and one every second of the settle time
    player.answer = Portal(
        order=[FAULT, error], entries=[*[[PUBLISHED]] * looks, after], status=[*[PARKED] * looks, status]
    )
    assert player.run(go_live(wanted)).operation_id == expected
    assert orders(player) == 2


def test_an_order_refused_on_a_retry(player: Any, later: GoLiveParams) -> None:
    """On a retry the first order may follow an earlier try's, and a refusal is read in the same way."""
    looks = 61
    published = changed(PUBLISHED, -60)
    player.answer = Portal(
        order=[exceptions.BadRequestError("golive", status=400)],
        entries=[*[[published]] * looks, [changed(GOLIVE, 59), published]],
        status=[*[PARKED] * looks, RUNNING],
    )
    assert (player.run(go_live(later)).operation_id, orders(player)) == ("live-id", 1)


# --- on a retry


def test_a_retry_that_finds_it_parked_waits_and_orders(player: Any, later: GoLiveParams, make_reply: Any) -> None:
    """On a retry, still parked after the settle time means that the earlier order was not taken."""
    entries = [changed(PUBLISHED, 10), changed(OLD_GOLIVE, -60)]
    player.answer = Portal(order=[make_reply(b"", 202, AT_ID)], entries=[entries], status=[PARKED])
    assert player.run(go_live(later)).operation_id == "live-id"
    assert (orders(player), sum(player.slept)) == (1, 60)


@pytest.mark.parametrize(
    ("entries", "status", "expected"),
    [
        ([changed(GOLIVE, 30), changed(PUBLISHED, 20)], RUNNING, "live-id"),
        ([changed(GOLIVE, 30), changed(PUBLISHED, 20)], PARKED, "live-id"),
        ([changed(GOLIVE, 30) | {"submissionState": "notStarted"}, changed(PUBLISHED, 20)], PARKED, "live-id"),
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
@pytest.mark.parametrize("gives", ["nothing", "operation"])
def test_a_retry_goes_on_with_what_the_earlier_try_began(
    player: Any,
    later: GoLiveParams,
    operation: Operation,
    entries: list[Any],
    status: dict[str, Any],
    expected: str,
    gives: str,
) -> None:
    """A going live of this DAG run, or the publication beyond its sign-off, is what an earlier try ordered."""
    if gives == "operation":
        later = replace(later, operation=replace(operation, operation_id=None, location=BY_NUMBER["location"]))
    player.answer = Portal(entries=[entries], status=[status])
    assert player.run(go_live(later)).operation_id == expected
    assert (orders(player), player.slept) == (0, [])


@pytest.mark.parametrize("status", [LIVE, {"status": "failed"}, {"status": "canceled"}, {"status": "frobnicating"}])
@pytest.mark.parametrize("entries", [[changed(PUBLISHED, -30), changed(GOLIVE, -20)], []])
def test_a_retry_that_finds_only_old_operations(
    player: Any, later: GoLiveParams, status: dict[str, Any], entries: list[Any]
) -> None:
    """On a retry, nothing parked and nothing that changed since the DAG run began is a clear error, at once."""
    player.answer = Portal(entries=[entries], status=[status])
    with pytest.raises(exceptions.PreviewNotReadyError):
        player.run(go_live(later))
    assert (orders(player), player.slept) == (0, [])


def test_a_retry_gives_an_earlier_order_time_to_show(player: Any, later: GoLiveParams) -> None:
    """On a retry, an offer that is at work may have left its sign-off by an order that the list does not show yet."""
    entries = [changed(PUBLISHED, 20)]
    player.answer = Portal(entries=[entries, entries, [changed(GOLIVE, 30), *entries]], status=[RUNNING])
    assert player.run(go_live(later)).operation_id == "live-id"
    player.answer = Portal(entries=[entries], status=[RUNNING])
    player.slept.clear()
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is running, operation new-id"):
        player.run(go_live(later))
    assert (orders(player), sum(player.slept)) == (0, 60)


@pytest.mark.parametrize("state", ["completed", "failed", "canceled", "frobnicating"])
def test_what_ended_is_not_what_waits_now(
    player: Any, later: GoLiveParams, make_reply: Any, operation: Operation, state: str
) -> None:
    """A going live of this DAG run that ended is of an earlier preview while another one is parked."""
    earlier = changed(GOLIVE, 10) | {"id": "first-live", "submissionState": state}
    player.answer = Portal(
        order=[make_reply(b"", 202, AT_ID)], entries=[[changed(PUBLISHED, 20), earlier]], status=[PARKED]
    )
    assert player.run(go_live(replace(later, operation=operation))).operation_id == "live-id"
    assert (orders(player), sum(player.slept)) == (1, 60)


@pytest.mark.parametrize("gives", ["nothing", "id", "number"])
def test_another_publications_going_live_is_not_ours(
    player: Any, later: GoLiveParams, operation: Operation, gives: str
) -> None:
    """A going live of this DAG run counts only if it is of the publication that is meant, or else of the newest."""
    meant = {
        "nothing": None,
        "id": operation,
        "number": replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview"),
    }[gives]
    listed = [changed(OLD_GOLIVE, 10)] if gives == "number" else [changed(PUBLISHED, 20), changed(OLD_GOLIVE, 10)]
    player.answer = Portal(entries=[listed], status=[{"status": "canceled"}])
    with pytest.raises(exceptions.PreviewNotReadyError, match="its status is canceled"):
        player.run(go_live(replace(later, operation=meant)))


def test_a_later_publication_is_not_the_one_that_was_meant(
    player: Any, later: GoLiveParams, operation: Operation
) -> None:
    """What is live, or goes live, is not this task's doing where it is another publication than was meant."""
    theirs = changed(PUBLISHED | {"id": "theirs", "publishingVersion": 3}, 30)
    for status in (LIVE_BEGUN, LIVE):
        player.answer = Portal(entries=[[theirs, changed(PUBLISHED, -30)]], status=[status])
        with pytest.raises(exceptions.PreviewNotReadyError, match="operation theirs"):
            player.run(go_live(replace(later, operation=operation)))
    assert orders(player) == 0


def test_a_look_that_fails_ends_a_retry(player: Any, later: GoLiveParams) -> None:
    """A retry that cannot see where the offer stands orders nothing."""
    player.answer = Portal(entries=[[PUBLISHED]], status=[exceptions.ServerError("status", status=500)])
    with pytest.raises(exceptions.ServerError):
        player.run(go_live(later))
    assert orders(player) == 0
