# SPDX-License-Identifier: Apache-2.0
"""Errors name the cause and the next step, and never advise what could publish twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player

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
    """An event that is not an outcome of this release is reported as a difference of releases."""
    with pytest.raises(
        exceptions.InvalidEventError, match=rf"^the trigger ended with .*: {SAME}\. The publication continues$"
    ):
        WaitOutcome.from_payload(payload)


def test_a_wait_spec_of_another_release_does_not_advise_a_clear() -> None:
    """The error does not advise a clear, which would publish an offer that awaits sign-off again."""
    with pytest.raises(exceptions.ConfigurationError, match=f"another release of this package; {SAME}$"):
        WaitSpec.from_payload({"version": 2})


@pytest.mark.parametrize(("kind", "named"), [("publish", "publish"), ("golive", "go-live"), ("cancel", "cancel")])
def test_a_submit_is_named_in_words(kind: str, named: str) -> None:
    """The error for a submit with an unknown outcome writes go-live, not the API's golive."""
    text = str(exceptions.SubmitOutcomeUnknownError("contoso/x", kind, "no response"))
    assert f"whether the {named} was accepted: " in text


def test_an_unknown_outcome_has_advice_for_both_cases() -> None:
    """The error states what to do if there is no new operation, and if there is one."""
    text = str(exceptions.SubmitOutcomeUnknownError("contoso/x", "publish", "no response"))
    advice = "check the offer's operations: if none is new, clear this task; if one is, it continues without this task"
    assert text.endswith(f"It was not submitted again: {advice}")


def test_a_rate_limit_error_advises_fewer_requests() -> None:
    """The error for a 429 advises fewer or less frequent requests."""
    text = str(exceptions.RateLimitError("publish offer contoso/x", status=429, request_id="1"))
    assert "; too many requests: run fewer tasks at a time, or poll less often" in text
    assert text.endswith("(request id 1)")


def test_a_missing_operation_names_the_possible_causes() -> None:
    """The error for an operation that is None names every way in which the upstream task returns nothing."""
    causes = "it was skipped, marked as success, or pushed nothing"
    with pytest.raises(
        exceptions.ConfigurationError, match=f"cannot be used: the upstream task returned None: {causes}$"
    ):
        Operation.from_json(None)


def test_a_broken_connection_is_logged_once(player: Player, start: datetime) -> None:
    """If reloading the connection fails with the same error as the poll, the error is logged once."""
    broken = player.reload_error = exceptions.ConfigurationError(("it lacks tenant_id in extra",))
    responses = iter([broken, {"status": "succeeded"}])
    player.respond = lambda _: next(responses)
    wait_spec = WaitSpec(
        OfferRef("contoso", "x"), "live", start + timedelta(days=1), responded=True, api="cloud_partner_portal"
    )
    assert player.run(wait(CLOUD_PARTNER_PORTAL_API, wait_spec)).result is WaitResult.REACHED
    assert [text for text, level in player.logged if level == "warning"] == [f"{broken}; the wait goes on"]
