# SPDX-License-Identifier: Apache-2.0
"""Errors that stop for a person say what that person can do, and advise nothing that could publish twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.outcome import WaitOutcome, WaitResult
from airflow_provider_cpp.core.wait import wait
from airflow_provider_cpp.core.wait_spec import WaitSpec

SAME = "workers and triggerers must run the same release of this package"


@pytest.mark.parametrize("payload", [None, {"version": 2}, "done", {"version": 1, "result": "reached"}])
def test_an_event_of_another_release_names_the_cause(payload: Any) -> None:
    """What is no outcome of this release is mostly one of another release, and the error says so."""
    with pytest.raises(
        exceptions.InvalidEventError, match=rf"^the trigger ended with .*: {SAME}\. The publication goes on$"
    ):
        WaitOutcome.from_payload(payload)


def test_a_watch_of_another_release_does_not_advise_to_clear() -> None:
    """A clear of a publish whose preview is parked would publish anew, so that is no advice to give to whoever waits."""
    with pytest.raises(exceptions.ConfigurationError, match=f"another release of this package; {SAME}$"):
        WaitSpec.from_payload({"version": 2})


@pytest.mark.parametrize(("order", "named"), [("publish", "publish"), ("golive", "go-live"), ("cancel", "cancel")])
def test_an_order_is_named_as_people_name_it(order: str, named: str) -> None:
    """The error for an order of which nothing is known names it in words, not as the API does."""
    assert f"whether the portal took the {named}: " in str(
        exceptions.SubmitOutcomeUnknownError("contoso/x", order, "no answer")
    )


def test_both_ways_to_go_on_are_named() -> None:
    """Whoever is asked to look is told what to do in either case: with no new operation, and with one."""
    text = str(exceptions.SubmitOutcomeUnknownError("contoso/x", "publish", "no answer"))
    advice = "look at the offer's operations: if none is new, clear this task; if one is, it goes on without this task"
    assert text.endswith(f"It was not sent again: {advice}")


def test_a_portal_that_wants_fewer_requests_is_understood() -> None:
    """429 says what to change."""
    text = str(exceptions.RateLimitError("publish offer contoso/x", status=429, request_id="1"))
    assert text.endswith("(request id 1); it was asked too often: let fewer tasks ask at a time, or less often")


def test_an_operation_that_was_expected_and_is_none() -> None:
    """It says by which ways a task comes to return nothing, a person's mark among them."""
    ways = "the task that should have returned it was skipped, marked as success, or pushed nothing"
    with pytest.raises(exceptions.ConfigurationError, match=f"operation cannot be used: it came out as None: {ways}$"):
        Operation.from_json(None)


def test_a_broken_connection_is_told_once(player: Any, start: datetime) -> None:
    """Where reading the connection again fails as the look did, there is one line and not two."""
    broken = player.connection = exceptions.ConfigurationError(("it lacks tenant_id in extra",))
    answers = iter([broken, {"status": "succeeded"}])
    player.answer = lambda _: next(answers)
    watch = WaitSpec(
        OfferRef("contoso", "x"), "live", start + timedelta(days=1), answered=True, api="cloud_partner_portal"
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, watch)).result is WaitResult.REACHED
    assert [text for text, level in player.told if level == "warning"] == [f"{broken}; the wait goes on"]
