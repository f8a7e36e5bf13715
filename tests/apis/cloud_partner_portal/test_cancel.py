# SPDX-License-Identifier: Apache-2.0
"""Canceling: only what was meant, looked at before and awaited after."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import CancelParams

PARKED = {"status": "waitingForPublisherReview"}
RUNNING = {"status": "running"}
OVER = {"status": "canceled"}
OURS = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
CANCELED = OURS | {"submissionState": "canceled"}
GOLIVE = {"id": "live-id", "submissionType": "goLive", "submissionState": "running", "publishingVersion": 2}
THEIRS = {"id": "theirs", "submissionType": "publish", "submissionState": "running", "publishingVersion": 3}
OLD = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
LOCATION = "/api/publishers/contoso/offers/contoso-vm/operations/cancel-id"


class Portal:
    """Answers with what is next of each kind, the last one for ever."""

    def __init__(self, *, entries: list[Any], status: list[Any], order: Any = None) -> None:
        self.answers = {"POST": [order], "list": entries, "status": status}

    def __call__(self, call: endpoints.Request[Any]) -> Any:
        kind = "status" if call.path.endswith("/status") else "list"
        answers = self.answers[call.method if call.method == "POST" else kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def orders(player: Any) -> int:
    return sum(line.startswith("POST") for line in player.sent)


@pytest.fixture
def wanted(offer: OfferRef) -> CancelParams:
    return CancelParams(offer, TryContext(900))


@pytest.fixture
def accepted(make_reply: Any) -> Any:
    return make_reply(b"", 202, {"location": LOCATION})


@pytest.fixture
def later(wanted: CancelParams, start: datetime) -> CancelParams:
    """Return what a second try wants that nobody left a note for, an hour after the DAG run began."""
    return replace(wanted, try_context=TryContext(900, counts=RETRY, dag_run_start=start - timedelta(hours=1)))


@pytest.fixture
def retry(wanted: CancelParams, offer: OfferRef, start: datetime) -> CancelParams:
    """Return what a second try wants, after one that noted what it was to cancel."""
    note = Checkpoint(offer, "cancel", start, FIRST, ("new-id",))
    return replace(wanted, try_context=TryContext(900, counts=RETRY, can_checkpoint=True, checkpoint=note))


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_that_gives_no_rest(wanted: CancelParams, interval: float) -> None:
    """An interval that would ask the portal without a pause is refused."""
    with pytest.raises(exceptions.ConfigurationError, match="poll_interval must be more than 0"):
        replace(wanted, poll_interval=interval)


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([OLD], {"status": "succeeded"}),
        ([CANCELED, OLD], OVER),
        ([], {"status": "neverPublished"}),
    ],
)
@pytest.mark.parametrize("gives", [False, True])
def test_nothing_to_cancel(
    player: Any,
    wanted: CancelParams,
    operation: Operation,
    entries: Any,
    status: Any,
    gives: bool,  # noqa: FBT001
) -> None:
    """Where nothing runs, nothing is ordered, and that is no failure."""
    player.answer = Portal(entries=[entries], status=[status])
    assert player.run(cancel(replace(wanted, operation=operation if gives else None))) is None
    assert (orders(player), player.notes) == (0, [])
    assert "no operation in progress to cancel; nothing was ordered" in player.told[-1][0]


@pytest.mark.parametrize(
    ("headers", "identifier", "location"),
    [({"location": LOCATION}, "cancel-id", LOCATION), ({}, "new-id", None)],
)
@pytest.mark.parametrize("state", ["running", "not started", "frobnicating"])
@pytest.mark.parametrize("gives", [False, True])
def test_what_runs_is_canceled(
    player: Any,
    wanted: CancelParams,
    operation: Operation,
    make_reply: Any,
    headers: dict[str, str],
    identifier: str,
    location: str | None,
    gives: bool,  # noqa: FBT001
    state: str,
) -> None:
    """What runs, or is about to, is ordered to end once, and awaited until the list says that it is canceled."""
    ours = OURS | {"submissionState": state}
    order = make_reply(b"", 202 if headers else 200, headers)
    player.answer = Portal(
        entries=[[ours, OLD], [ours, OLD], [CANCELED, OLD]], status=[RUNNING, RUNNING, OVER], order=order
    )
    canceled = player.run(cancel(replace(wanted, operation=operation if gives else None)))
    assert (canceled.kind, canceled.operation_id, canceled.location) == ("cancel", identifier, location)
    assert (orders(player), player.slept) == (1, [15.0])


def test_it_is_noted_before_the_order(player: Any, wanted: CancelParams, accepted: Any, start: datetime) -> None:
    """What is to be canceled is noted before the order leaves."""
    portal, at_order = Portal(entries=[[OURS], [CANCELED]], status=[RUNNING], order=accepted), []

    def answer(call: endpoints.Request[Any]) -> Any:
        if call.method == "POST":
            at_order.extend(player.notes)
        return portal(call)

    player.answer = answer
    player.run(cancel(replace(wanted, try_context=TryContext(900, counts=FIRST, can_checkpoint=True))))
    assert at_order == [Checkpoint(wanted.offer, "cancel", start, FIRST, ("new-id",)).to_payload()]
    assert player.notes == at_order


@pytest.mark.parametrize(
    "entries",
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
    player: Any, wanted: CancelParams, operation: Operation, entries: list[Any]
) -> None:
    """While another operation runs than the one that was meant, nothing is ordered, and it is named."""
    player.answer = Portal(entries=[entries], status=[RUNNING])
    with pytest.raises(
        exceptions.OperationInProgressError, match=f"another operation than the one to cancel, .*{entries[0]['id']}"
    ):
        player.run(cancel(replace(wanted, operation=operation)))
    assert orders(player) == 0


@pytest.mark.parametrize("number", [False, True])
def test_the_going_live_of_what_was_meant(
    player: Any,
    wanted: CancelParams,
    operation: Operation,
    accepted: Any,
    number: bool,  # noqa: FBT001
) -> None:
    """The going live of the publication that was meant is canceled as that publication."""
    if number:
        operation = replace(operation, operation_id=None, location="/api/operations/contoso$contoso-vm$2$preview")
    done = OURS | {"submissionState": "completed"}
    gone = GOLIVE | {"submissionState": "canceled"}
    player.answer = Portal(entries=[[GOLIVE, done], [gone, done]], status=[RUNNING], order=accepted)
    assert player.run(cancel(replace(wanted, operation=operation))) is not None
    assert orders(player) == 1


@pytest.mark.parametrize("state", ["running", "waitingForPublisherReview", "completed"])
@pytest.mark.parametrize("gives", [False, True])
def test_what_is_parked_is_canceled(
    player: Any,
    wanted: CancelParams,
    operation: Operation,
    accepted: Any,
    state: str,
    gives: bool,  # noqa: FBT001
) -> None:
    """A preview that waits for its publisher is canceled, also where the list counts its publish as done."""
    done, stale = state == "completed", {"id": "stale", "submissionState": "frobnicating"}
    ours = OURS | {"submissionState": state, "changedTime": "2026-11-03T08:00:00Z"}
    after = ours if done else CANCELED
    player.answer = Portal(entries=[[stale, ours], [after]], status=[PARKED, PARKED, OVER], order=accepted)
    canceled = player.run(cancel(replace(wanted, operation=operation if gives else None)))
    assert (canceled.operation_id, orders(player), len(player.slept)) == ("cancel-id", 1, int(done))


def test_another_preview_is_not_canceled(player: Any, wanted: CancelParams, operation: Operation) -> None:
    """Another publication that is parked is left alone; what was meant has ended."""
    player.answer = Portal(entries=[[THEIRS, CANCELED]], status=[PARKED])
    assert player.run(cancel(replace(wanted, operation=operation))) is None
    assert orders(player) == 0


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_what_ended_otherwise_was_not_canceled(player: Any, wanted: CancelParams, accepted: Any, state: str) -> None:
    """An operation that ended before the cancel took hold is a failure, for good."""
    player.answer = Portal(entries=[[OURS], [OURS | {"submissionState": state}]], status=[RUNNING], order=accepted)
    with pytest.raises(exceptions.CancelFailedError, match="ended before it was canceled") as caught:
        player.run(cancel(wanted))
    assert (caught.value.retryable, orders(player)) == (False, 1)


@pytest.mark.parametrize("after", [[OURS], []])
def test_what_does_not_end_in_time(player: Any, wanted: CancelParams, accepted: Any, after: list[Any]) -> None:
    """An operation that runs on, or is not to be seen, when the time is over leaves room for another try."""
    player.answer = Portal(entries=[[OURS], after], status=[RUNNING], order=accepted)
    with pytest.raises(exceptions.CancelFailedError, match=r"operation new-id .* has not ended within 100 s") as caught:
        player.run(cancel(replace(wanted, timeout=100.0, poll_interval=30.0)))
    assert (caught.value.retryable, player.slept) == (True, [30.0, 30.0, 30.0, 10.0])


@pytest.mark.parametrize(
    "lost", [exceptions.TransportError("cancel", text="timed out"), exceptions.ServerError("cancel", status=503)]
)
def test_a_lost_answer_is_waited_out(player: Any, wanted: CancelParams, lost: exceptions.MarketplaceError) -> None:
    """After a lost answer the effect is waited for, and the order is not sent again."""
    player.answer = Portal(entries=[[OURS], [OURS], [CANCELED]], status=[RUNNING], order=lost)
    canceled = player.run(cancel(wanted))
    assert (canceled.operation_id, canceled.location, orders(player)) == ("new-id", None, 1)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BadRequestError("cancel", status=400),
        exceptions.ConflictError("cancel", status=409),
        exceptions.RateLimitError("cancel", status=429),
        exceptions.TransportError("cancel", text="refused", sent=False),
    ],
)
def test_a_refusal_is_told(player: Any, wanted: CancelParams, error: exceptions.MarketplaceError) -> None:
    """An order that was certainly not taken ends the try at once; its note tells the next one what was meant."""
    player.answer = Portal(entries=[[OURS]], status=[RUNNING], order=error)
    with pytest.raises(type(error)):
        player.run(cancel(replace(wanted, try_context=TryContext(900, can_checkpoint=True))))
    assert (player.slept, len(player.notes)) == ([], 1)


def test_looks_that_fail_meanwhile(player: Any, wanted: CancelParams, accepted: Any) -> None:
    """While the portal carries it out, a list that cannot be read is a warning."""
    silence = exceptions.PermissionDeniedError("list", status=403)
    player.answer = Portal(entries=[[OURS], silence, silence, [CANCELED]], status=[RUNNING], order=accepted)
    assert player.run(cancel(wanted)).operation_id == "cancel-id"
    assert [level for _, level in player.told].count("warning") == 2
    player.answer = Portal(entries=[[OURS], silence], status=[RUNNING], order=accepted)
    with pytest.raises(exceptions.CancelFailedError, match="has not ended within 900 s"):
        player.run(cancel(wanted))


@pytest.mark.parametrize(
    ("status", "entries"),
    [
        ("running", [OLD]),
        ("running", [OURS | {"submissionState": "completed"}]),
        ("running", []),
        ("frobnicating", [OLD]),
        (PARKED["status"], []),
    ],
)
@pytest.mark.parametrize("gives", [False, True])
def test_work_that_the_list_does_not_show_is_not_nothing(
    player: Any,
    wanted: CancelParams,
    operation: Operation,
    status: str,
    entries: Any,
    gives: bool,  # noqa: FBT001
) -> None:
    """Where the status says, or may say, that something runs which the list does not show, nothing is ordered yet."""
    player.answer = Portal(entries=[entries], status=[{"status": status}])
    with pytest.raises(exceptions.CancelFailedError, match=f"its status is {status}, .* nothing was ordered") as caught:
        player.run(cancel(replace(wanted, operation=operation if gives else None)))
    assert (orders(player), caught.value.retryable) == (0, True)


@pytest.mark.parametrize("state", ["canceled", "failed"])
def test_what_was_meant_and_has_ended_is_nothing_to_cancel(
    player: Any, wanted: CancelParams, retry: CancelParams, operation: Operation, state: str
) -> None:
    """Where what was meant, or noted, has ended, other work that the list does not show is nobody's business here."""
    for one in (replace(wanted, operation=operation), retry):
        player.answer = Portal(entries=[[OURS | {"submissionState": state}]], status=[RUNNING])
        assert player.run(cancel(one)) is None
    assert orders(player) == 0


# --- on a retry


def test_a_retry_cancels_what_the_earlier_try_meant(player: Any, retry: CancelParams, accepted: Any) -> None:
    """On a retry, what an earlier try noted is canceled if it still runs, or is parked."""
    for status in (RUNNING, PARKED):
        player.answer = Portal(entries=[[OURS], [CANCELED]], status=[status, OVER], order=accepted)
        assert player.run(cancel(retry)).operation_id == "cancel-id"
    assert orders(player) == 2


@pytest.mark.parametrize("status", [RUNNING, PARKED])
def test_a_retry_cancels_nothing_else(player: Any, retry: CancelParams, status: dict[str, Any]) -> None:
    """On a retry, an operation that began after the one that was noted is left alone."""
    player.answer = Portal(entries=[[THEIRS, CANCELED]], status=[status])
    assert player.run(cancel(retry)) is None
    assert (orders(player), player.notes) == (0, [])


def test_a_note_for_another_offer_is_refused(player: Any, retry: CancelParams) -> None:
    """A note for another offer cancels nothing."""
    player.answer = Portal(entries=[[OURS]], status=[RUNNING])
    with pytest.raises(exceptions.ConfigurationError, match="noted a cancel of offer contoso/contoso-vm"):
        player.run(cancel(replace(retry, offer=OfferRef("contoso", "other"))))
    assert orders(player) == 0


def test_a_clear_forgets_what_was_noted(player: Any, retry: CancelParams, accepted: Any) -> None:
    """A cleared task cancels whatever runs now, as it was told to."""
    gone = THEIRS | {"submissionState": "canceled"}
    player.answer = Portal(entries=[[THEIRS, CANCELED], [gone, CANCELED]], status=[RUNNING], order=accepted)
    cleared = replace(retry, try_context=replace(retry.try_context, counts=CLEARED))
    assert player.run(cancel(cleared)).operation_id == "cancel-id"


def test_a_later_try_without_a_note(player: Any, later: CancelParams, accepted: Any) -> None:
    """Without notes, a later try cancels what runs if nothing was canceled since the DAG run began."""
    before = THEIRS | {"submissionState": "canceled", "changedTime": "2026-11-03T07:54:00Z"}
    player.answer = Portal(entries=[[OURS, before], [CANCELED, before]], status=[RUNNING], order=accepted)
    assert player.run(cancel(later)).operation_id == "cancel-id"


@pytest.mark.parametrize("time", [{"changedTime": "2026-11-03T08:30:00Z"}, {}])
def test_a_later_try_without_a_note_does_not_guess(player: Any, later: CancelParams, time: dict[str, str]) -> None:
    """Without notes, what runs after something was canceled may be somebody's new beginning, so a person is asked."""
    player.answer = Portal(entries=[[THEIRS, CANCELED | time]], status=[RUNNING])
    with pytest.raises(
        exceptions.SubmitOutcomeUnknownError, match=r"may have canceled operation new-id .* now operation theirs"
    ) as caught:
        player.run(cancel(later))
    assert (orders(player), caught.value.retryable) == (0, False)


def test_a_later_try_that_knows_what_is_meant(
    player: Any, later: CancelParams, operation: Operation, accepted: Any
) -> None:
    """With an operation given, no note is needed: it is canceled if it runs, whatever was canceled before."""
    gone = THEIRS | {"submissionState": "canceled", "changedTime": "2026-11-03T08:30:00Z"}
    player.answer = Portal(entries=[[OURS, gone], [CANCELED, gone]], status=[RUNNING], order=accepted)
    assert player.run(cancel(replace(later, operation=operation))).operation_id == "cancel-id"
