# SPDX-License-Identifier: Apache-2.0
"""Canceling a job by its id, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.product_ingestion import JOB, Market, job
from support.tries import RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.cancel import cancel
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import CancelParams

CANCELED = job("completed/cancelled")
TOO_LATE = exceptions.BadRequestError("cancel", status=400, text="Cannot cancel job, job has already completed.")


@pytest.fixture
def wanted(offer: OfferRef, operation: Operation) -> CancelParams:
    """Return a cancel of a publish operation."""
    return CancelParams(offer, TryContext(900), operation, poll_interval=15, timeout=60)


@pytest.mark.parametrize("answer", [CANCELED, job(), exceptions.ServerError("cancel", status=502)])
def test_a_job_that_runs_is_canceled(player: Any, wanted: CancelParams, answer: Any) -> None:
    """It is ordered once, by the job's id, whatever the answer, and waited for until the job says so."""
    player.answer = market = Market()
    market.jobs, market.orders = [job(), job(), CANCELED], [answer]
    canceled = player.run(cancel(wanted))
    assert (canceled.kind, canceled.api, canceled.operation_id) == (
        "cancel",
        "product_ingestion",
        wanted.operation.operation_id,  # type: ignore[union-attr]  # it is given
    )
    assert (market.posted, player.slept) == ([f"/configure/{JOB}/cancel"], [15])


@pytest.mark.parametrize("state", ["completed/succeeded", "completed/failed", "completed/cancelled"])
def test_a_job_that_has_ended_is_not_canceled(player: Any, wanted: CancelParams, state: str) -> None:
    """There is nothing to cancel, and nothing is ordered: a preview that is ready has ended too."""
    player.answer = market = Market()
    market.jobs = [job(state)]
    assert (player.run(cancel(wanted)), market.posted) == (None, [])
    assert "there is nothing to cancel" in player.told[0][0]


def test_a_retry_finds_what_it_canceled(player: Any, wanted: CancelParams) -> None:
    """A later try that finds the job canceled has done what it was for."""
    player.answer = market = Market()
    market.jobs = [CANCELED]
    again = replace(wanted, try_context=TryContext(900, counts=RETRY))
    assert (player.run(cancel(again)).kind, market.posted) == ("cancel", [])


def test_without_an_operation_nothing_is_canceled(player: Any, wanted: CancelParams) -> None:
    """This API has no cancel of whatever runs, and says so before it is asked anything."""
    with pytest.raises(exceptions.ConfigurationError, match="cannot be asked to cancel whatever runs: give operation"):
        player.run(cancel(replace(wanted, operation=None)))
    assert player.sent == []


def test_without_a_job_nothing_is_canceled(player: Any, wanted: CancelParams, operation: Operation) -> None:
    """An operation that was found after a lost answer has no job, and only a person can cancel it."""
    with pytest.raises(exceptions.ConfigurationError, match="its job is not known"):
        player.run(cancel(replace(wanted, operation=replace(operation, location=None))))
    assert player.sent == []


def test_a_refusal_of_a_job_that_has_ended_meanwhile(player: Any, wanted: CancelParams) -> None:
    """A cancel that comes too late says how the job ended."""
    player.answer = market = Market()
    market.jobs, market.orders = [job(), job("completed/succeeded")], [TOO_LATE]
    with pytest.raises(
        exceptions.CancelFailedError, match="ended before it was canceled, it says job completed/succeeded"
    ) as caught:
        player.run(cancel(wanted))
    assert caught.value.retryable is False


def test_a_refusal_of_a_job_that_goes_on(player: Any, wanted: CancelParams) -> None:
    """A publish that is too far advanced may refuse: then nothing is waited for."""
    player.answer = market = Market()
    market.orders = [TOO_LATE]
    with pytest.raises(exceptions.CancelFailedError, match="goes on") as caught:
        player.run(cancel(wanted))
    assert (caught.value.retryable, player.slept, len(market.posted)) == (False, [], 1)


def test_other_refusals_are_let_through(player: Any, wanted: CancelParams) -> None:
    """A cancel that nobody may order says so."""
    player.answer = market = Market()
    market.orders = [exceptions.PermissionDeniedError("cancel", status=403)]
    with pytest.raises(exceptions.PermissionDeniedError):
        player.run(cancel(wanted))


def test_a_job_that_does_not_end(player: Any, wanted: CancelParams) -> None:
    """A job that still runs when the time is over may yet end, and reads that fail meanwhile are told."""
    player.answer = market = Market()
    gone = exceptions.NotFoundError("job", status=404)
    market.jobs = [job(), gone, job()]
    with pytest.raises(exceptions.CancelFailedError, match="says job running/pending 60 s after its cancel") as caught:
        player.run(cancel(wanted))
    assert (caught.value.retryable, len(market.posted), sum(player.slept)) == (True, 1, 60)
    assert [level for text, level in player.told if "asking again" in text] == ["warning"]
