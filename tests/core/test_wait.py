# SPDX-License-Identifier: Apache-2.0
"""The wait: what ends it, what it tolerates, and what it logs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player, make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API, CloudPartnerPortalAPI
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import default_target
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.poll_state import PollResult, PollState
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

CERTIFYING = {"id": "displaycertify", "stepName": "Certification", "status": "inProgress", "progressPercentage": 40}
SIGN_OFF = {"id": "publisher-signoff", "stepName": "Publisher signoff", "status": "waitingForPublisherReview"}
LIVE = {"id": "live", "stepName": "Live", "status": "complete"}
RUNNING = {"status": "running", "steps": [CERTIFYING], "publishingVersion": 2}
AWAITING_SIGN_OFF = {"status": "running", "steps": [SIGN_OFF], "publishingVersion": 2}
DONE = {"status": "complete", "steps": [LIVE], "publishingVersion": 2}
OURS = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
GOLIVE = {"id": "live-id", "submissionType": "goLive", "submissionState": "running", "publishingVersion": 2}


class FakeAPI:
    """Returns the next response of each kind, the last one forever."""

    def __init__(self, **responses: list[Any]) -> None:
        self.responses = responses

    def __call__(self, request: Request[Any]) -> Any:
        path = request.path
        kind = "status" if path.endswith("/status") else "list" if "submissions" in path else "operation"
        responses = self.responses[kind]
        return responses.pop(0) if len(responses) > 1 else responses[0]


@pytest.fixture
def wait_spec(offer: OfferRef, start: datetime) -> WaitSpec:
    return WaitSpec(
        offer, "preview", start + timedelta(days=14), poll_interval=300.0, responded=True, api="cloud_partner_portal"
    )


@pytest.fixture
def operation_spec(wait_spec: WaitSpec, operation: Operation) -> WaitSpec:
    return replace(wait_spec, operation=operation)


@pytest.mark.parametrize(
    ("change", "problem"),
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
def test_an_invalid_wait_spec_is_rejected(operation_spec: WaitSpec, change: dict[str, Any], problem: str) -> None:
    """An invalid wait spec is an error that names the problem."""
    with pytest.raises(exceptions.ConfigurationError, match=problem):
        replace(operation_spec, **change)


def test_a_cancel_operation_is_rejected(operation_spec: WaitSpec, operation: Operation) -> None:
    """A wait cannot have a cancel operation."""
    with pytest.raises(exceptions.ConfigurationError, match="operation is a cancel"):
        replace(operation_spec, operation=replace(operation, kind="cancel"))


@pytest.mark.parametrize("change", [{"version": 3}, {"version": None}, {"version": True}, {"deadline": "soon"}])
def test_a_wait_spec_of_another_release(operation_spec: WaitSpec, change: dict[str, Any]) -> None:
    """A wait spec that this release cannot read is an error that names the other release as the cause."""
    with pytest.raises(exceptions.ConfigurationError, match="written by another release of this package"):
        WaitSpec.from_payload(operation_spec.to_payload() | change)


def test_a_wait_polls_at_its_interval_and_logs_changes(player: Player, wait_spec: WaitSpec) -> None:
    """A wait polls at its interval and logs a line only if something changed."""
    player.respond = FakeAPI(status=[RUNNING] * 30 + [{"status": "waitingForPublisherReview"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is WaitResult.REACHED
    assert set(player.slept) == {300.0}
    assert len(player.sent) == 31
    assert [text for text, _ in player.logged] == [
        "offer contoso/contoso-vm: running; Certification inProgress 40 %",
        "offer contoso/contoso-vm: waitingForPublisherReview",
    ]


def test_messages_are_logged_once(player: Player, wait_spec: WaitSpec) -> None:
    """A message is logged once, when it appears, and an error as a warning."""
    first = {"messageHtml": "See <b>here</b>", "level": "information"}
    second = {"messageHtml": "Broken", "level": "error"}
    reports = [
        {"status": "running", "messages": messages}
        for messages in ([], [first], [first], [first, second], [second], [first])
    ]
    player.respond = FakeAPI(status=[*reports, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    logged = [(text.removeprefix("offer contoso/contoso-vm: "), level) for text, level in player.logged]
    assert logged == [
        ("running", "info"),
        ("Partner Center: See here", "info"),
        ("Partner Center: Broken", "warning"),
        ("succeeded", "info"),
    ]


def test_an_unknown_status_does_not_end_the_wait(player: Player, wait_spec: WaitSpec) -> None:
    """An unknown status is logged as such, and the wait continues to its deadline."""
    player.respond = FakeAPI(status=[{"status": "frobnicating"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is WaitResult.TIMED_OUT
    assert player.logged[0][0].endswith("frobnicating (a status that this release does not know)")
    assert player.now == wait_spec.deadline


def test_a_blocked_step_is_logged_at_once(player: Player, wait_spec: WaitSpec) -> None:
    """A blocked step is logged as a warning, with its messages, and the wait continues."""
    step = CERTIFYING | {"status": "blocked", "messages": [{"messageHtml": "No image.", "level": "error"}]}
    player.respond = FakeAPI(status=[{"status": "running", "steps": [step]}, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert player.logged[:2] == [
        ("offer contoso/contoso-vm: running; Certification blocked 40 %", "warning"),
        ("offer contoso/contoso-vm: Certification: No image.", "warning"),
    ]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (
            [{"messageHtml": "No image.", "level": "error"}, {"messageHtml": "Hm."}],
            "is blocked at step Certification: No image.",
        ),
        ([{"messageHtml": "Hm."}], "is blocked at step Certification: Hm."),
        ([], "is blocked at step Certification; the API returned no message"),
        ([{"messageHtml": f"{n}", "level": "error"} for n in range(7)], "0; 1; 2; 3; 4 (and 2 more messages)"),
    ],
)
def test_a_blocked_step_ends_the_wait_if_requested(
    player: Player, wait_spec: WaitSpec, messages: list[Any], reason: str
) -> None:
    """With `fail_on_blocked`, the first poll that shows a blocked step ends the wait with the step's messages."""
    step = CERTIFYING | {"status": "blocked", "messages": messages}
    player.respond = FakeAPI(status=[{"status": "running", "steps": [step]}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(wait_spec, fail_on_blocked=True)))
    assert outcome.result is WaitResult.BLOCKED
    assert reason in outcome.message


def test_a_failure_without_messages(player: Player, wait_spec: WaitSpec) -> None:
    """The outcome of a failure without a message states that there was none."""
    player.respond = FakeAPI(status=[{"status": "failed"}])
    message = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).message
    assert message == "offer contoso/contoso-vm: publication failed; the API returned no message"


def test_retry_after_slows_the_wait(player: Player, wait_spec: WaitSpec) -> None:
    """After a 429 the next poll comes after Retry-After, and no sooner than the interval."""
    later = exceptions.RateLimitError("x", status=429, retry_after=1800.0)
    sooner = exceptions.RateLimitError("x", status=429, retry_after=1.0)
    player.respond = FakeAPI(status=[later, sooner, RUNNING, {"status": "succeeded"}])
    player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert player.slept == [1800.0, 300.0, 300.0]


def test_failures_are_logged_hourly_until_a_success(player: Player, wait_spec: WaitSpec) -> None:
    """Failed polls are logged at first and then hourly; a success restarts the count."""
    fault = exceptions.ServerError("x", status=503)
    player.respond = FakeAPI(status=[*[fault] * 71, RUNNING, *[fault] * 71, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert [level for _, level in player.logged].count("warning") == 12


def test_a_long_outage_ends_the_wait(player: Player, wait_spec: WaitSpec) -> None:
    """After six hours without a successful poll the wait fails; its message says that the publication goes on."""
    player.respond = FakeAPI(status=[RUNNING, exceptions.AuthenticationError("no token")])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is WaitResult.ERROR
    assert outcome.retryable
    assert player.slept.count(300.0) == 73
    assert "every poll failed for 6:00:00, last: no token." in outcome.message
    assert outcome.message.endswith("The state of the publication is not known; this task did not change it")


@pytest.mark.parametrize(
    "error",
    [
        exceptions.AuthenticationError("no"),
        exceptions.PermissionDeniedError("x", status=403),
        exceptions.NotFoundError("x", status=404),
    ],
)
def test_a_permanent_error_of_the_first_poll_ends_the_wait(
    player: Player, wait_spec: WaitSpec, error: exceptions.MarketplaceError
) -> None:
    """Before any response, a permanent error ends the wait at once and without a retry."""
    player.respond = FakeAPI(status=[error])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(wait_spec, responded=False)))
    assert outcome.result is WaitResult.ERROR
    assert not outcome.retryable
    assert player.slept == []


def test_a_timeout_without_any_response(player: Player, wait_spec: WaitSpec) -> None:
    """The outcome of a timeout without any response states that there was none."""
    player.respond = FakeAPI(status=[exceptions.TransportError("x", text="down")])
    outcome = player.run(
        wait(CLOUD_PARTNER_PORTAL_API, replace(wait_spec, poll_failure_tolerance=10**9, responded=False))
    )
    assert "the API never responded" in outcome.message


@pytest.mark.parametrize("previous", [{"id": "old-id", "submissionState": "completed", "publishingVersion": 1}, None])
def test_an_operation_that_the_list_does_not_show_has_not_ended(
    player: Player, operation_spec: WaitSpec, previous: Any
) -> None:
    """An operation has ended only once the list shows the end of this very operation."""
    stale = [previous] if previous else []
    player.respond = FakeAPI(operation=[DONE], list=[stale, stale, [OURS], [OURS | {"submissionState": "completed"}]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED
    assert len(player.slept) == 3


def test_a_report_with_another_publishing_version_is_ignored(player: Player, operation_spec: WaitSpec) -> None:
    """A report of another publishing version is ignored, even if the list shows the operation."""
    player.respond = FakeAPI(operation=[AWAITING_SIGN_OFF | {"publishingVersion": 1}, AWAITING_SIGN_OFF], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED
    assert len(player.slept) == 1


@pytest.mark.parametrize(
    ("raw_status", "state", "result"),
    [("failed", "failed", WaitResult.FAILED), ("cancelled", "canceled", WaitResult.CANCELED)],
)
def test_a_failure_needs_confirmation(
    player: Player, operation_spec: WaitSpec, raw_status: str, state: str, result: WaitResult
) -> None:
    """Failed and canceled count only once the list agrees."""
    ended = OURS | {"submissionState": state}
    player.respond = FakeAPI(operation=[{"status": raw_status}], list=[[OURS], [ended]])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec))
    assert outcome.result is result
    assert len(player.slept) == 1
    assert "operation new-id" in outcome.message


def test_the_steps_of_an_operation_in_progress_are_logged(player: Player, operation_spec: WaitSpec) -> None:
    """While the operation is in progress, its steps are logged and the list is not requested."""
    player.respond = FakeAPI(operation=[RUNNING, AWAITING_SIGN_OFF], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED
    assert player.logged[0] == ("offer contoso/contoso-vm: running; Certification inProgress 40 %", "info")
    assert [line.endswith("/submissions/") for line in player.sent] == [False, False, True]


def test_a_timeout_for_an_operation_that_the_list_never_shows(player: Player, operation_spec: WaitSpec) -> None:
    """The outcome of a timeout states that the API responds without showing the operation."""
    player.respond = FakeAPI(operation=[DONE], list=[[]])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec))
    assert "the API responds, but does not show it yet" in outcome.message


@pytest.mark.parametrize(("kind", "until"), [("publish", "preview"), ("golive", "live"), (None, "live")])
def test_the_default_target_depends_on_the_operation(operation: Operation, kind: str | None, until: str) -> None:
    """The default target is the preview for a publish operation, and live for everything else."""
    assert default_target(replace(operation, kind=kind) if kind else None) == until


def test_an_operation_may_be_found_by_its_publishing_version(
    player: Player, operation_spec: WaitSpec, offer: OfferRef, start: datetime
) -> None:
    """An operation without an id is confirmed by the list entry with its publishing version."""
    numbered = Operation(offer, "publish", start, None, "/api/operations/contoso$contoso-vm$2$preview")
    other = OURS | {"id": "x", "publishingVersion": 1}
    player.respond = FakeAPI(operation=[AWAITING_SIGN_OFF], list=[[other], [other, OURS]])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, operation=numbered)))
    assert outcome.result is WaitResult.REACHED
    assert len(player.slept) == 1


def test_an_operation_just_accepted_may_be_missing(player: Player, operation_spec: WaitSpec) -> None:
    """A 404 for an operation just accepted is tolerated for some minutes, and is an error after them."""
    missing = make_response(b"", 404)
    player.respond = FakeAPI(operation=[missing, missing, AWAITING_SIGN_OFF], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED
    player.now = operation_spec.deadline - timedelta(days=14)
    player.respond = FakeAPI(operation=[missing])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, responded=False)))
    assert "every poll failed for" in outcome.message
    assert "the API does not show it, 15 minutes after its submit" in outcome.message


@pytest.mark.parametrize("identified_by", ["operation_id", "location"])
def test_an_operation_that_never_existed(
    player: Player, operation_spec: WaitSpec, operation: Operation, identified_by: str
) -> None:
    """Long after the submit, a 404 for the operation ends the wait at the first poll."""
    location = "/api/operations/contoso$contoso-vm$2$preview"
    other = replace(operation, operation_id=None, location=location) if identified_by == "location" else operation
    player.now += timedelta(hours=1)
    player.respond = FakeAPI(operation=[make_response(b"", 404)])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, operation=other, responded=False)))
    assert (location if identified_by == "location" else "new-id") in outcome.message
    assert not outcome.retryable


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
def test_live_needs_two_sources(
    player: Player, operation_spec: WaitSpec, entries: list[Any], status: str, result: WaitResult | None
) -> None:
    """A publish operation is live if it has ended, no go-live is in progress, and the offer's operation_spec status agrees."""
    ours_done = [OURS | {"submissionState": "completed"}]
    player.respond = FakeAPI(
        operation=[DONE], list=[entries, ours_done], status=[{"status": status}, {"status": "succeeded"}]
    )
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, until="live")))
    assert outcome.result is (result or WaitResult.REACHED)
    assert len(player.slept) == (0 if result else 1)


def test_a_live_step_and_the_offer_are_two_sources(player: Player, operation_spec: WaitSpec) -> None:
    """A complete live step and the offer's status are enough, even if the operation still reports running."""
    player.respond = FakeAPI(operation=[DONE | {"status": "running"}], list=[[OURS]], status=[{"status": "succeeded"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, until="live")))
    assert outcome.result is WaitResult.REACHED
    assert outcome.message == "offer contoso/contoso-vm: it is live (succeeded)"


def test_a_go_live_operation(player: Player, operation_spec: WaitSpec, operation: Operation) -> None:
    """A go-live operation needs the offer's status to be live; its preview is already available."""
    golive = replace(operation, kind="golive", operation_id="live-id")
    done = GOLIVE | {"submissionState": "completed"}
    offer_reports = [{"status": "waitingForPublisherReview"}, {"status": "succeeded"}]
    player.respond = FakeAPI(operation=[DONE], list=[[GOLIVE], [done]], status=offer_reports)
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, operation=golive, until="live")))
    assert outcome.result is WaitResult.REACHED
    assert len(player.slept) == 2
    player.respond = FakeAPI(operation=[RUNNING], list=[[GOLIVE]])
    assert (
        player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(operation_spec, operation=golive))).result
        is WaitResult.REACHED
    )


def test_past_sign_off_the_preview_is_reached(player: Player, operation_spec: WaitSpec) -> None:
    """A publication that is going live has reached its preview."""
    player.respond = FakeAPI(operation=[RUNNING | {"steps": [LIVE | {"status": "inProgress"}]}], list=[[OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED


def test_a_list_entry_in_an_unknown_state_confirms_nothing(player: Player, operation_spec: WaitSpec) -> None:
    """A preview is not reached while the list shows the operation in an unknown state."""
    player.respond = FakeAPI(operation=[AWAITING_SIGN_OFF], list=[[OURS | {"submissionState": "frobnicating"}], [OURS]])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec)).result is WaitResult.REACHED
    assert len(player.slept) == 1


# --- until no operation is in progress

THEIRS = {"id": "theirs", "submissionType": "publish", "submissionState": "running"}
OVER = THEIRS | {"submissionState": "completed"}


@pytest.fixture
def idle_spec(wait_spec: WaitSpec) -> WaitSpec:
    return replace(wait_spec, until="idle")


def test_idle_with_an_operation_is_rejected(operation_spec: WaitSpec) -> None:
    """A wait until idle cannot have an operation."""
    with pytest.raises(exceptions.ConfigurationError, match="until is idle, which no operation reaches"):
        replace(operation_spec, until="idle")


def test_an_idle_wait_spec_survives_json(idle_spec: WaitSpec) -> None:
    """A wait spec until idle reads back equal from its payload."""
    assert WaitSpec.from_payload(idle_spec.to_payload()) == idle_spec


@pytest.mark.parametrize(
    ("entries", "status", "summary"),
    [
        ([OVER], {"status": "succeeded"}, "succeeded"),
        ([OVER], {"status": "failed"}, "failed"),
        ([THEIRS], {"status": "waitingForPublisherReview"}, "waitingForPublisherReview"),
        ([THEIRS], AWAITING_SIGN_OFF, "running; Publisher signoff waitingForPublisherReview"),
        ([], {"status": "neverPublished"}, "neverPublished"),
    ],
)
def test_idle_is_reached_however_the_other_operation_ends(
    player: Player, idle_spec: WaitSpec, entries: list[Any], status: dict[str, Any], summary: str
) -> None:
    """A wait until idle sleeps first, and ends when no operation is in progress, whatever its end."""
    player.respond = FakeAPI(list=[[THEIRS], entries], status=[{"status": "running"}, status])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, idle_spec))
    assert outcome.result is WaitResult.REACHED
    assert player.slept == [300.0, 300.0]
    assert outcome.message == f"offer contoso/contoso-vm: no operation is in progress ({summary})"
    assert outcome.operation is None


@pytest.mark.parametrize("status", ["running", "frobnicating"])
def test_idle_needs_both_sources(player: Player, idle_spec: WaitSpec, status: str) -> None:
    """A list without an operation in progress is not enough while the offer's status may be in progress."""
    player.respond = FakeAPI(list=[[OVER]], status=[{"status": status}, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, idle_spec)).result is WaitResult.REACHED
    assert len(player.slept) == 2


@pytest.mark.parametrize(("seconds_left", "slept"), [(700, [300.0, 300.0, 100.0]), (100, [100.0]), (-5, [])])
def test_an_idle_wait_times_out(
    player: Player, idle_spec: WaitSpec, start: datetime, seconds_left: float, slept: list[float]
) -> None:
    """A wait until idle ends at its deadline, even before its first poll."""
    player.respond = FakeAPI(list=[[THEIRS]], status=[RUNNING])
    outcome = player.run(
        wait(CLOUD_PARTNER_PORTAL_API, replace(idle_spec, deadline=start + timedelta(seconds=seconds_left)))
    )
    assert outcome.result is WaitResult.TIMED_OUT
    assert player.slept == slept
    assert "gave up waiting for idle; last status: running" in outcome.message


def test_an_idle_wait_tolerates_failures(player: Player, idle_spec: WaitSpec) -> None:
    """A failed list request does not end a wait until idle_spec, and does not count as an empty list."""
    error = exceptions.PermissionDeniedError("list", status=403)
    player.respond = FakeAPI(list=[error, error, [OVER]], status=[{"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, idle_spec)).result is WaitResult.REACHED
    assert len(player.slept) == 3


# --- reloading the connection


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
        exceptions.ServerError("status", status=502, text="of a gateway whose host is gone"),
    ],
)
def test_a_failed_poll_reloads_the_connection(
    player: Player, wait_spec: WaitSpec, error: exceptions.MarketplaceError
) -> None:
    """After a failed poll the connection is reloaded, since someone may have corrected it."""
    player.respond = FakeAPI(status=[RUNNING, error, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert player.reloads == 1


def test_a_connection_that_cannot_be_reloaded(player: Player, wait_spec: WaitSpec) -> None:
    """A connection that cannot be reloaded is logged hourly, and the wait continues with the previous one."""
    player.reload_error = exceptions.ConfigurationError(("no tenant_id",))
    unauthorized = exceptions.UnauthorizedError("status", status=401)
    player.respond = FakeAPI(status=[RUNNING, *[unauthorized] * 13, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert player.reloads == 13
    warnings = [text for text, level in player.logged if level == "warning"]
    expected = "the connection cannot be used: no tenant_id; the wait goes on with the connection as it was"
    assert len(warnings) == 4
    assert warnings[1] == warnings[3] == expected


def test_credentials_rejected_at_first_are_not_reloaded(player: Player, wait_spec: WaitSpec) -> None:
    """Before any response, rejected credentials end the wait without a reload."""
    player.respond = FakeAPI(status=[exceptions.UnauthorizedError("status", status=401)])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, replace(wait_spec, responded=False))).result is WaitResult.ERROR
    assert player.reloads == 0


def test_an_unchanged_response_is_not_parsed_again(player: Player, wait_spec: WaitSpec) -> None:
    """A response with the same bytes is not parsed; any difference is."""
    parsed: list[Any] = []

    class RecordingAPI(CloudPartnerPortalAPI):
        @staticmethod
        def poll(spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:
            parsed.append(response and json.loads(response.body))
            return CLOUD_PARTNER_PORTAL_API.poll(spec, state, response)

    changed, ended = RUNNING | {"extra": 1}, {"status": "succeeded"}
    player.respond = FakeAPI(status=[RUNNING, RUNNING, changed, changed, ended])
    assert player.run(wait(RecordingAPI(), wait_spec)).result is WaitResult.REACHED
    assert parsed == [RUNNING, changed, ended]


@pytest.mark.parametrize("last", [{"status": "succeeded"}, {"status": "failed"}, {"status": "canceled"}])
def test_an_end_is_detected_after_unchanged_responses(
    player: Player, wait_spec: WaitSpec, last: dict[str, Any]
) -> None:
    """A wait ends at the first response that shows the end, after twenty unchanged ones."""
    player.respond = FakeAPI(status=[RUNNING] * 20 + [last])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.status == last["status"]
    assert len(player.sent) == 21


def test_a_response_is_compared_with_the_last_one_only(player: Player, wait_spec: WaitSpec) -> None:
    """A change and its reversal are both logged."""
    other = {"status": "waitingForApproval"}
    fault = exceptions.TransportError("status", text="reset")
    player.respond = FakeAPI(status=[RUNNING, fault, RUNNING, other, RUNNING, {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    logged = [text.removeprefix("offer contoso/contoso-vm: ") for text, level in player.logged if level == "info"]
    assert logged == [
        "running; Certification inProgress 40 %",
        "waitingForApproval",
        "running; Certification inProgress 40 %",
        "succeeded",
    ]


def test_an_unconfirmed_end_is_checked_at_every_poll(player: Player, operation_spec: WaitSpec) -> None:
    """While the list does not confirm the end, each poll checks it again, even if the operation's response is unchanged."""
    entry = OURS | {"submissionState": "complete"}
    player.respond = FakeAPI(operation=[DONE], list=[[], [], [entry]], status=[{"status": "succeeded"}])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, operation_spec))
    assert outcome.result is WaitResult.REACHED
    assert sum("submissions" in line for line in player.sent) == 3


def test_an_error_with_the_body_of_the_last_response_is_an_error(player: Player, wait_spec: WaitSpec) -> None:
    """A server error counts as one, even if its body is the one of the last response."""
    player.respond = FakeAPI(status=[RUNNING, make_response(RUNNING, 503), {"status": "succeeded"}])
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert [level for _, level in player.logged] == ["info", "warning", "info"]


def test_the_deadline_holds_while_nothing_changes(player: Player, wait_spec: WaitSpec) -> None:
    """A wait with unchanged responses ends at its deadline and reports the last state."""
    player.respond = FakeAPI(status=[RUNNING])
    outcome = player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec))
    assert outcome.result is WaitResult.TIMED_OUT
    assert player.now == wait_spec.deadline
    assert "last status: running; Certification inProgress 40 %" in outcome.message


def test_the_response_digest_belongs_to_one_wait(player: Player, wait_spec: WaitSpec) -> None:
    """A wait that begins with another wait's poll state parses the first response, since its target may differ."""
    poll_state = PollState()
    player.respond = FakeAPI(status=[AWAITING_SIGN_OFF])
    live = replace(wait_spec, until="live", deadline=player.now + timedelta(seconds=400))
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, live, poll_state)).result is WaitResult.TIMED_OUT
    assert poll_state.response_digest
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec, poll_state)).result is WaitResult.REACHED
    assert "response_digest" not in poll_state.to_payload()
