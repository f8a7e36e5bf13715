# SPDX-License-Identifier: Apache-2.0
"""Canceling a job by its id, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import JOB, FakeAPI, job
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
def params(offer: OfferRef, operation: Operation) -> CancelParams:
    """Return a cancel of a publish operation."""
    return CancelParams(offer, TryContext(900), operation, poll_interval=15, timeout=60)


@pytest.mark.parametrize("response", [CANCELED, job(), exceptions.ServerError("cancel", status=502)])
def test_a_job_in_progress_is_canceled(player: Player, params: CancelParams, response: Any) -> None:
    """The cancel is submitted once, by the job's id, whatever the response, and polled until the job is canceled."""
    player.respond = api = FakeAPI()
    api.jobs, api.post_responses = [job(), job(), CANCELED], [response]
    canceled = player.run(cancel(params))
    assert (canceled.kind, canceled.api, canceled.operation_id) == (
        "cancel",
        "product_ingestion",
        params.operation.operation_id,  # type: ignore[union-attr]  # it is given
    )
    assert api.posted == [f"/configure/{JOB}/cancel"]
    assert player.slept == [15]


@pytest.mark.parametrize("state", ["completed/succeeded", "completed/failed", "completed/cancelled"])
def test_a_job_that_has_ended_is_not_canceled(player: Player, params: CancelParams, state: str) -> None:
    """A job that has ended, also one with a preview that awaits sign-off, leaves nothing to cancel."""
    player.respond = api = FakeAPI()
    api.jobs = [job(state)]
    assert player.run(cancel(params)) is None
    assert api.posted == []
    assert "nothing to cancel" in player.logged[0][0]


def test_a_retry_finds_what_it_canceled(player: Player, params: CancelParams) -> None:
    """A later try that finds the job canceled succeeds."""
    player.respond = api = FakeAPI()
    api.jobs = [CANCELED]
    again = replace(params, try_context=TryContext(900, counts=RETRY))
    assert player.run(cancel(again)).kind == "cancel"
    assert api.posted == []


def test_without_an_operation_nothing_is_canceled(player: Player, params: CancelParams) -> None:
    """Without an operation the cancel is a ConfigurationError before any request, since this API cancels jobs only."""
    with pytest.raises(
        exceptions.ConfigurationError, match="cannot cancel whichever is in progress: pass the operation"
    ):
        player.run(cancel(replace(params, operation=None)))
    assert player.sent == []


def test_without_a_job_nothing_is_canceled(player: Player, params: CancelParams, operation: Operation) -> None:
    """An operation that was found after a lost response has no job and must be canceled by a person."""
    with pytest.raises(exceptions.ConfigurationError, match="its job is not known"):
        player.run(cancel(replace(params, operation=replace(operation, location=None))))
    assert player.sent == []


def test_a_cancel_that_comes_too_late(player: Player, params: CancelParams) -> None:
    """The error of a cancel that comes too late has the job's final state."""
    player.respond = api = FakeAPI()
    api.jobs, api.post_responses = [job(), job("completed/succeeded")], [TOO_LATE]
    with pytest.raises(
        exceptions.CancelFailedError, match="ended before it was canceled: job completed/succeeded"
    ) as caught:
        player.run(cancel(params))
    assert caught.value.retryable is False


def test_a_refused_cancel_of_a_job_in_progress(player: Player, params: CancelParams) -> None:
    """A cancel that is refused while the job goes on is a final error, without a wait."""
    player.respond = api = FakeAPI()
    api.post_responses = [TOO_LATE]
    with pytest.raises(exceptions.CancelFailedError, match="continues") as caught:
        player.run(cancel(params))
    assert caught.value.retryable is False
    assert player.slept == []
    assert len(api.posted) == 1


def test_other_refusals_are_errors(player: Player, params: CancelParams) -> None:
    """Any other refusal is raised unchanged."""
    player.respond = api = FakeAPI()
    api.post_responses = [exceptions.PermissionDeniedError("cancel", status=403)]
    with pytest.raises(exceptions.PermissionDeniedError):
        player.run(cancel(params))


def test_a_cancel_that_times_out(player: Player, params: CancelParams) -> None:
    """A job still in progress at the timeout is a retryable error, and polls that fail are logged."""
    player.respond = api = FakeAPI()
    gone = exceptions.NotFoundError("job", status=404)
    api.jobs = [job(), gone, job()]
    with pytest.raises(
        exceptions.CancelFailedError, match="has not ended 60 s after its cancel; its status is job running/pending"
    ) as caught:
        player.run(cancel(params))
    assert caught.value.retryable is True
    assert len(api.posted) == 1
    assert sum(player.slept) == 60
    assert [level for text, level in player.logged if "polling again" in text] == ["warning"]
