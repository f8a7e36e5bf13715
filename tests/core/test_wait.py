# SPDX-License-Identifier: Apache-2.0
"""The wait: what ends it, what it tolerates, and what it tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import default_target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

CERTIFYING = {"id": "displaycertify", "stepName": "Certification", "status": "inProgress", "progressPercentage": 40}
SIGN_OFF = {"id": "publisher-signoff", "stepName": "Publisher signoff", "status": "waitingForPublisherReview"}
LIVE = {"id": "live", "stepName": "Live", "status": "complete"}
RUNNING = {"status": "running", "steps": [CERTIFYING], "publishingVersion": 2}
PARKED = {"status": "running", "steps": [SIGN_OFF], "publishingVersion": 2}
DONE = {"status": "complete", "steps": [LIVE], "publishingVersion": 2}
OURS = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
GOLIVE = {"id": "live-id", "submissionType": "goLive", "submissionState": "running", "publishingVersion": 2}


class Portal:
    """Answers with what is next in the list of each kind, the last one for ever."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers

    def __call__(self, call: Any) -> Any:
        kind = "status" if call.path.endswith("/status") else "list" if "submissions" in call.path else "operation"
        answers = self.answers[kind]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def watch(offer: OfferRef, start: datetime) -> WaitSpec:
    return WaitSpec(
        offer, "preview", start + timedelta(days=14), poll_interval=300.0, answered=True, api="cloud_partner_portal"
    )


@pytest.fixture
def own(watch: WaitSpec, operation: Operation) -> WaitSpec:
    return replace(watch, operation=operation)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"until": "soon"}, "until is 'soon', not one of preview, live"),
        ({"poll_interval": 0}, "poll_interval must be more than 0"),
        ({"poll_failure_tolerance": -1}, "poll_failure_tolerance must not be negative"),
        (
            {"offer": OfferRef("contoso", "other")},
            "operation belongs to offer contoso/contoso-vm, not to contoso/other",
        ),
    ],
)
def test_what_cannot_be_waited_for(own: WaitSpec, change: dict[str, Any], said: str) -> None:
    """A watch that makes no sense is refused, saying why."""
    with pytest.raises(exceptions.ConfigurationError, match=said):
        replace(own, **change)


def test_a_cancel_is_not_waited_for(own: WaitSpec, operation: Operation) -> None:
    """A cancel operation leads nowhere that a sensor could wait for."""
    with pytest.raises(exceptions.ConfigurationError, match="operation is a cancel"):
        replace(own, operation=replace(operation, kind="cancel"))


@pytest.mark.parametrize("change", [{"version": 3}, {"version": None}, {"version": True}, {"deadline": "soon"}])
def test_a_watch_of_another_release(own: WaitSpec, change: dict[str, Any]) -> None:
    """A watch that this release does not understand says that releases differ."""
    with pytest.raises(exceptions.ConfigurationError, match="written by another release of this package"):
        WaitSpec.from_payload(own.to_payload() | change)


def test_it_polls_at_its_interval_and_tells_what_changed(player: Any, watch: WaitSpec) -> None:
    """A line comes when something changed, and none while nothing does."""
    player.answer = Portal(status=[RUNNING] * 30 + [{"status": "waitingForPublisherReview"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.result, set(player.slept), len(player.sent)) == (WaitResult.REACHED, {300.0}, 31)
    assert [text for text, _ in player.told] == [
        "offer contoso/contoso-vm: running; Certification inProgress 40 %",
        "offer contoso/contoso-vm: waitingForPublisherReview",
    ]


def test_messages_are_told_once(player: Any, watch: WaitSpec) -> None:
    """A message is told when it appears, an error as a warning, and not again."""
    first = {"messageHtml": "Look <b>here</b>", "level": "information"}
    second = {"messageHtml": "Broken", "level": "error"}
    answers = [
        {"status": "running", "messages": messages}
        for messages in ([], [first], [first], [first, second], [second], [first])
    ]
    player.answer = Portal(status=[*answers, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    told = [(text.removeprefix("offer contoso/contoso-vm: "), level) for text, level in player.told]
    assert told == [
        ("running", "info"),
        ("portal: Look here", "info"),
        ("portal: Broken", "warning"),
        ("succeeded", "info"),
    ]


def test_a_status_nobody_knows_is_waited_through(player: Any, watch: WaitSpec) -> None:
    """An unknown word is told as such, and the wait goes on to its deadline."""
    player.answer = Portal(status=[{"status": "frobnicating"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert outcome.result is WaitResult.TIMED_OUT
    assert player.told[0][0].endswith("frobnicating (a status this release does not know)")
    assert player.now == watch.deadline


def test_a_blocked_step_is_told_at_once(player: Any, watch: WaitSpec) -> None:
    """A blocked step is a warning, with its messages, at the look that sees it; the wait goes on."""
    step = CERTIFYING | {"status": "blocked", "messages": [{"messageHtml": "No image.", "level": "error"}]}
    player.answer = Portal(status=[{"status": "running", "steps": [step]}, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert player.told[:2] == [
        ("offer contoso/contoso-vm: running; Certification blocked 40 %", "warning"),
        ("offer contoso/contoso-vm: Certification: No image.", "warning"),
    ]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (
            [{"messageHtml": "No image.", "level": "error"}, {"messageHtml": "Hm."}],
            "is blocked at step Certification: No image.",
        ),
        ([{"messageHtml": "Hm."}], "is blocked at step Certification: Hm."),
        ([], "is blocked at step Certification, and the portal gave no message"),
        ([{"messageHtml": f"{n}", "level": "error"} for n in range(7)], "0; 1; 2; 3; 4 (and 2 more messages)"),
    ],
)
def test_a_blocked_step_fails_if_asked(player: Any, watch: WaitSpec, messages: list[Any], said: str) -> None:
    """With `fail_on_blocked` the first look that sees it ends the wait, with the step's words."""
    step = CERTIFYING | {"status": "blocked", "messages": messages}
    player.answer = Portal(status=[{"status": "running", "steps": [step]}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(watch, fail_on_blocked=True)))
    assert (outcome.result, said in outcome.message) == (WaitResult.BLOCKED, True), outcome.message


def test_a_failure_without_steps_or_words(player: Any, watch: WaitSpec) -> None:
    """A failure that says nothing is told as one that says nothing."""
    player.answer = Portal(status=[{"status": "failed"}])
    message = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).message
    assert message == "offer contoso/contoso-vm: publication failed, and the portal gave no message"


def test_retry_after_slows_the_wait(player: Any, watch: WaitSpec) -> None:
    """After a 429 the next look comes when the portal wants it, and no sooner than the interval."""
    later = exceptions.RateLimitError("x", status=429, retry_after=1800.0)
    sooner = exceptions.RateLimitError("x", status=429, retry_after=1.0)
    player.answer = Portal(status=[later, sooner, RUNNING, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert player.slept == [1800.0, 300.0, 300.0]


def test_failures_are_warned_of_once_an_hour_and_forgiven(player: Any, watch: WaitSpec) -> None:
    """Failed looks are told at first and then hourly; an answer in between begins the count anew."""
    fault = exceptions.ServerError("x", status=503)
    player.answer = Portal(status=[*[fault] * 71, RUNNING, *[fault] * 71, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert [level for _, level in player.told].count("warning") == 12


def test_a_portal_that_stays_away_ends_the_wait(player: Any, watch: WaitSpec) -> None:
    """After six hours without a single answer the wait fails, saying that nothing is known and nothing was done."""
    player.answer = Portal(status=[RUNNING, exceptions.AuthenticationError("no token")])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.result, outcome.retryable, player.slept.count(300.0)) == (WaitResult.ERROR, True, 73)
    assert "no answer from the portal for 6:00:00, last: no token." in outcome.message
    assert outcome.message.endswith("What became of the publication is not known, and nothing was done to it")


@pytest.mark.parametrize(
    "error",
    [
        exceptions.AuthenticationError("no"),
        exceptions.PermissionDeniedError("x", status=403),
        exceptions.NotFoundError("x", status=404),
    ],
)
def test_what_is_wrong_at_the_first_look_ends_it(
    player: Any, watch: WaitSpec, error: exceptions.MarketplaceError
) -> None:
    """Before any answer, an error that time does not heal ends the wait at once, for good."""
    player.answer = Portal(status=[error])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(watch, answered=False)))
    assert (outcome.result, outcome.retryable, player.slept) == (WaitResult.ERROR, False, [])


def test_a_wait_that_never_had_an_answer_says_so(player: Any, watch: WaitSpec) -> None:
    """A timeout without any answer says that there was none."""
    player.answer = Portal(status=[exceptions.TransportError("x", text="down")])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(watch, poll_failure_tolerance=10**9, answered=False)))
    assert "the portal never answered" in outcome.message


@pytest.mark.parametrize("last", [{"id": "old-id", "submissionState": "completed", "publishingVersion": 1}, None])
def test_an_operation_that_the_list_does_not_show_has_not_ended(player: Any, own: WaitSpec, last: Any) -> None:
    """An end is believed once the list shows it of this very operation."""
    stale = [last] if last else []
    player.answer = Portal(operation=[DONE], list=[stale, stale, [OURS], [OURS | {"submissionState": "completed"}]])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result, len(player.slept)) == (WaitResult.REACHED, 3)


def test_numbers_that_differ_are_of_two_publications(player: Any, own: WaitSpec) -> None:
    """An answer with another publication's number is not believed though the list knows the operation."""
    player.answer = Portal(operation=[PARKED | {"publishingVersion": 1}, PARKED], list=[[OURS]])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result, len(player.slept)) == (WaitResult.REACHED, 1)


@pytest.mark.parametrize(
    ("word", "state", "result"),
    [("failed", "failed", WaitResult.FAILED), ("cancelled", "canceled", WaitResult.CANCELED)],
)
def test_a_bad_end_is_confirmed_too(player: Any, own: WaitSpec, word: str, state: str, result: WaitResult) -> None:
    """Failed and canceled are believed once the list agrees."""
    ended = OURS | {"submissionState": state}
    player.answer = Portal(operation=[{"status": word}], list=[[OURS], [ended]])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, own))
    assert (outcome.result, len(player.slept), "operation new-id" in outcome.message) == (result, 1, True)


def test_an_operation_at_work_is_told_like_an_offer(player: Any, own: WaitSpec) -> None:
    """While the operation itself is at work, its steps are told, and the list is not even asked for."""
    player.answer = Portal(operation=[RUNNING, PARKED], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result is WaitResult.REACHED
    assert player.told[0] == ("offer contoso/contoso-vm: running; Certification inProgress 40 %", "info")
    assert [line.endswith("/submissions/") for line in player.sent] == [False, False, True]


def test_a_wait_for_what_the_list_never_shows(player: Any, own: WaitSpec) -> None:
    """A timeout of a wait whose operation never showed says that the portal answers without showing it."""
    player.answer = Portal(operation=[DONE], list=[[]])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, own))
    assert "the portal answers, but does not show it yet" in outcome.message


@pytest.mark.parametrize(("kind", "until"), [("publish", "preview"), ("golive", "live"), (None, "live")])
def test_the_target_follows_from_what_is_watched(operation: Operation, kind: str | None, until: str) -> None:
    """A publish operation leads to its preview by default, everything else to the market."""
    assert default_target(replace(operation, kind=kind) if kind else None) == until


def test_an_operation_may_be_found_by_its_number(player: Any, own: WaitSpec, offer: OfferRef, start: datetime) -> None:
    """An operation known by its publication's number is confirmed by the entry with that number."""
    numbered = Operation(offer, "publish", start, None, "/api/operations/contoso$contoso-vm$2$preview")
    other = OURS | {"id": "x", "publishingVersion": 1}
    player.answer = Portal(operation=[PARKED], list=[[other], [other, OURS]])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, operation=numbered))).result, len(player.slept)) == (
        WaitResult.REACHED,
        1,
    )


def test_an_operation_just_accepted_may_be_missing(player: Any, own: WaitSpec) -> None:
    """A 404 for an operation just accepted is waited through for some minutes, and is an error after them."""
    missing = exceptions.NotFoundError("operation", status=404)
    player.answer = Portal(operation=[missing, missing, PARKED], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result is WaitResult.REACHED
    player.now = own.deadline - timedelta(days=14)
    player.answer = Portal(operation=[missing])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, answered=False)))
    assert "no answer from the portal for" in outcome.message
    assert "the portal does not know it, 15 minutes after its order" in outcome.message


@pytest.mark.parametrize("named", ["operation_id", "location"])
def test_an_operation_that_was_never_there(player: Any, own: WaitSpec, operation: Operation, named: str) -> None:
    """Long after its order, an operation that the portal does not know ends the wait at the first look."""
    location = "/api/operations/contoso$contoso-vm$2$preview"
    other = replace(operation, operation_id=None, location=location) if named == "location" else operation
    player.now += timedelta(hours=1)
    player.answer = Portal(operation=[exceptions.NotFoundError("operation", status=404)])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, operation=other, answered=False)))
    assert ((location if named == "location" else "new-id") in outcome.message, outcome.retryable) == (True, False)


@pytest.mark.parametrize(
    ("entries", "status", "result"),
    [
        (
            [GOLIVE | {"submissionState": "completed"}, OURS | {"submissionState": "completed"}],
            "succeeded",
            WaitResult.REACHED,
        ),
        (
            [GOLIVE | {"submissionState": "failed"}, OURS | {"submissionState": "completed"}],
            "failed",
            WaitResult.FAILED,
        ),
        (
            [GOLIVE | {"submissionState": "canceled"}, OURS | {"submissionState": "completed"}],
            "canceled",
            WaitResult.CANCELED,
        ),
        ([GOLIVE, OURS | {"submissionState": "completed"}], "succeeded", None),
        ([OURS | {"submissionState": "completed"}], "succeeded", WaitResult.REACHED),
        ([OURS | {"submissionState": "completed"}], "running", None),
        ([OURS | {"submissionState": "completed"}], "failed", None),
    ],
)
def test_live_needs_two_witnesses(
    player: Any, own: WaitSpec, entries: list[Any], status: str, result: WaitResult | None
) -> None:
    """A publish operation is live when it is done, no going live is under way, and the offer says so itself."""
    ours_done = [OURS | {"submissionState": "completed"}]
    player.answer = Portal(
        operation=[DONE], list=[entries, ours_done], status=[{"status": status}, {"status": "succeeded"}]
    )
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, until="live")))
    assert (outcome.result, len(player.slept)) == ((result, 0) if result else (WaitResult.REACHED, 1))


def test_a_live_step_and_the_offer_are_two_witnesses(player: Any, own: WaitSpec) -> None:
    """Where the operation goes on saying that it runs, its live step and the offer's status are enough."""
    player.answer = Portal(operation=[DONE | {"status": "running"}], list=[[OURS]], status=[{"status": "succeeded"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, until="live")))
    assert (outcome.result, outcome.message) == (WaitResult.REACHED, "offer contoso/contoso-vm: it is live (succeeded)")


def test_a_go_live_operation(player: Any, own: WaitSpec, operation: Operation) -> None:
    """A go-live operation is waited for until live, with the offer as the second witness; its preview is there already."""
    golive = replace(operation, kind="golive", operation_id="live-id")
    done = GOLIVE | {"submissionState": "completed"}
    offer_answers = [{"status": "waitingForPublisherReview"}, {"status": "succeeded"}]
    player.answer = Portal(operation=[DONE], list=[[GOLIVE], [done]], status=offer_answers)
    assert (
        player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, operation=golive, until="live"))).result,
        len(player.slept),
    ) == (
        WaitResult.REACHED,
        2,
    )
    player.answer = Portal(operation=[RUNNING], list=[[GOLIVE]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(own, operation=golive))).result is WaitResult.REACHED


def test_beyond_the_sign_off_the_preview_is_there(player: Any, own: WaitSpec) -> None:
    """A publication that is going live already has had its preview."""
    player.answer = Portal(operation=[RUNNING | {"steps": [LIVE | {"status": "inProgress"}]}], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result is WaitResult.REACHED


def test_an_entry_in_an_unknown_state_confirms_nothing(player: Any, own: WaitSpec) -> None:
    """A preview is not believed while the list says of the operation what nobody knows."""
    player.answer = Portal(operation=[PARKED], list=[[OURS | {"submissionState": "frobnicating"}], [OURS]])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, own)).result, len(player.slept)) == (WaitResult.REACHED, 1)


# --- until nothing runs any more

THEIRS = {"id": "theirs", "submissionType": "publish", "submissionState": "running"}
OVER = THEIRS | {"submissionState": "completed"}


@pytest.fixture
def idle(watch: WaitSpec) -> WaitSpec:
    return replace(watch, until="idle")


def test_idle_is_no_end_of_an_operation(own: WaitSpec) -> None:
    """Waiting for somebody else's operation to end is never waiting for one's own."""
    with pytest.raises(exceptions.ConfigurationError, match="until is idle, which is no end of an operation"):
        replace(own, until="idle")


def test_an_idle_watch_survives_json(idle: WaitSpec) -> None:
    """A wait for others is handed to the triggerer like every other."""
    assert WaitSpec.from_payload(idle.to_payload()) == idle


@pytest.mark.parametrize(
    ("entries", "status", "word"),
    [
        ([OVER], {"status": "succeeded"}, "succeeded"),
        ([OVER], {"status": "failed"}, "failed"),
        ([THEIRS], {"status": "waitingForPublisherReview"}, "waitingForPublisherReview"),
        ([THEIRS], PARKED, "running; Publisher signoff waitingForPublisherReview"),
        ([], {"status": "neverPublished"}, "neverPublished"),
    ],
)
def test_idle_is_reached_however_the_other_one_ends(
    player: Any, idle: WaitSpec, entries: list[Any], status: dict[str, Any], word: str
) -> None:
    """The wait for others ends when nothing runs, parked or ended, well or badly; it begins with a pause."""
    player.answer = Portal(list=[[THEIRS], entries], status=[{"status": "running"}, status])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, idle))
    assert (outcome.result, player.slept) == (WaitResult.REACHED, [300.0, 300.0])
    assert outcome.message == f"offer contoso/contoso-vm: no operation runs any more ({word})"
    assert outcome.operation is None


@pytest.mark.parametrize("status", ["running", "frobnicating"])
def test_idle_needs_both_witnesses(player: Any, idle: WaitSpec, status: str) -> None:
    """A list without anything that runs is not enough while the offer's status says, or may say, otherwise."""
    player.answer = Portal(list=[[OVER]], status=[{"status": status}, {"status": "succeeded"}])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, idle)).result, len(player.slept)) == (WaitResult.REACHED, 2)


@pytest.mark.parametrize(("left", "slept"), [(700, [300.0, 300.0, 100.0]), (100, [100.0]), (-5, [0.0])])
def test_a_wait_for_others_gives_up_in_time(
    player: Any, idle: WaitSpec, start: datetime, left: float, slept: Any
) -> None:
    """The wait for others ends at its deadline, also where that comes before the first look was due."""
    player.answer = Portal(list=[[THEIRS]], status=[RUNNING])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(idle, deadline=start + timedelta(seconds=left))))
    assert (outcome.result, player.slept) == (WaitResult.TIMED_OUT, slept)
    assert "gave up waiting for idle; last seen: running" in outcome.message


def test_a_wait_for_others_tolerates_failures(player: Any, idle: WaitSpec) -> None:
    """A list that fails for a while does not end the wait for others, and is not taken for an empty one."""
    silence = exceptions.PermissionDeniedError("list", status=403)
    player.answer = Portal(list=[silence, silence, [OVER]], status=[{"status": "succeeded"}])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, idle)).result, len(player.slept)) == (WaitResult.REACHED, 3)


# --- credentials that were replaced meanwhile


@pytest.mark.parametrize(
    "error",
    [
        exceptions.UnauthorizedError("status", status=401),
        exceptions.AuthenticationError("no token"),
        exceptions.ConfigurationError(("no tenant",)),
        exceptions.PermissionDeniedError("status", status=403),
        exceptions.TransportError("status", text="down"),
        exceptions.CertificateVerifyError("status", text="self-signed"),
        exceptions.InvalidResponseError("status", text="a page of a proxy"),
        exceptions.ServerError("status", status=502, text="of what stands before a host that is none any more"),
    ],
)
def test_a_look_that_failed_reads_the_connection_again(
    player: Any, watch: WaitSpec, error: exceptions.MarketplaceError
) -> None:
    """After a look that failed in the midst of a wait the connection is read again, since a person may put it right."""
    player.answer = Portal(status=[RUNNING, error, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert player.reconnects == 1


def test_a_connection_that_cannot_be_read_again(player: Any, watch: WaitSpec) -> None:
    """A connection that is broken too is told once an hour, and the wait goes on with what there was."""
    player.connection = exceptions.ConfigurationError(("no tenant_id",))
    refused = exceptions.UnauthorizedError("status", status=401)
    player.answer = Portal(status=[RUNNING, *[refused] * 13, {"status": "succeeded"}])
    assert (player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result, player.reconnects) == (WaitResult.REACHED, 13)
    told = [text for text, level in player.told if level == "warning"]
    said = "the connection cannot be used: no tenant_id; the wait goes on with the connection as it was"
    assert (len(told), told[1], told[3]) == (4, said, said)


def test_credentials_refused_at_first_are_not_read_again(player: Any, watch: WaitSpec) -> None:
    """Before the portal ever answered, refused credentials end the wait instead."""
    player.answer = Portal(status=[exceptions.UnauthorizedError("status", status=401)])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(watch, answered=False))).result is WaitResult.ERROR
    assert player.reconnects == 0


def test_an_answer_that_is_the_same_is_not_read_again(player: Any, watch: WaitSpec) -> None:
    """The same bytes say again that the wait goes on; a single other letter, wherever it is, is read."""
    read: list[Any] = []
    answers = [RUNNING, RUNNING, RUNNING | {"note": 1}, RUNNING | {"note": 1}, {"status": "succeeded"}]

    def flow() -> Any:
        memory = PollState()
        for _ in answers:
            sighting = yield from CLOUD_PARTNER_PORTAL_API.poll(watch, memory)
            read.append(sighting.report is not None)
            memory.response_digest = sighting.response_digest
        return sighting.outcome

    player.answer = Portal(status=[*answers])
    assert (player.run(flow()).result, read) == (WaitResult.REACHED, [True, False, True, False, True])


@pytest.mark.parametrize("last", [{"status": "succeeded"}, {"status": "failed"}, {"status": "canceled"}])
def test_an_end_is_found_however_often_nothing_changed(player: Any, watch: WaitSpec, last: dict[str, Any]) -> None:
    """A wait that was told the same twenty times ends at the first answer that says so."""
    player.answer = Portal(status=[RUNNING] * 20 + [last])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.status, len(player.sent)) == (last["status"], 21)


def test_the_same_answer_after_an_error_or_another_answer(player: Any, watch: WaitSpec) -> None:
    """What was seen is the answer before, not one before that: there and back again, both are told."""
    other = {"status": "waitingForApproval"}
    fault = exceptions.TransportError("status", text="reset")
    player.answer = Portal(status=[RUNNING, fault, RUNNING, other, RUNNING, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    told = [text.removeprefix("offer contoso/contoso-vm: ") for text, level in player.told if level == "info"]
    assert told == [
        "running; Certification inProgress 40 %",
        "waitingForApproval",
        "running; Certification inProgress 40 %",
        "succeeded",
    ]


def test_an_end_that_is_not_confirmed_is_looked_into_at_every_look(player: Any, own: WaitSpec) -> None:
    """The operation may say the same, and the list may not: only a verdict of one answer alone is kept."""
    entry = OURS | {"submissionState": "complete"}
    player.answer = Portal(operation=[DONE], list=[[], [], [entry]], status=[{"status": "succeeded"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, own))
    assert (outcome.result, sum("submissions" in one for one in player.sent)) == (WaitResult.REACHED, 3)


def test_the_same_bytes_as_an_error_are_an_error(player: Any, watch: WaitSpec, make_reply: Any) -> None:
    """A fault of the server is not taken for an answer, even if its body is the one of the answer before."""
    player.answer = Portal(status=[RUNNING, make_reply(RUNNING, 503), {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert [level for _, level in player.told] == ["info", "warning", "info"]


def test_the_deadline_comes_though_nothing_changes(player: Any, watch: WaitSpec) -> None:
    """An answer that stays the same for two weeks ends in time, and says what it was."""
    player.answer = Portal(status=[RUNNING])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, watch))
    assert (outcome.result, player.now) == (WaitResult.TIMED_OUT, watch.deadline)
    assert "last seen: running; Certification inProgress 40 %" in outcome.message


def test_what_was_seen_is_of_one_wait(player: Any, watch: WaitSpec) -> None:
    """A wait that begins with another's memory reads the first answer, since it may wait for something else."""
    memory = PollState()
    player.answer = Portal(status=[PARKED])
    live = replace(watch, until="live", deadline=player.now + timedelta(seconds=400))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, live, memory)).result is WaitResult.TIMED_OUT
    assert memory.response_digest
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch, memory)).result is WaitResult.REACHED
    assert "response_digest" not in memory.to_payload()
