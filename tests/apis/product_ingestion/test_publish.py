# SPDX-License-Identifier: Apache-2.0
"""Publishing with the Product Ingestion API: a job, which may fail some seconds after it was accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.player import Player
from support.product_ingestion import DRAFT, GUID, JOB, FakeAPI, job, sample, submission
from support.tries import CLEARED, FIRST, RETRY

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import PublishParams

OLD = submission(3, "live")
NEW = submission(9, "preview", "running/pending")
LOCATION = f"/configure/{JOB}/status"
CONFLICT = sample("configure-status-failed-in-progress")["errors"]
VALIDATION = sample("configure-status-failed-validation")["errors"]
IN_PROGRESS = exceptions.ConflictError("publish", status=400, text="An In Progress submission already exists")


def make_params(offer: OfferRef, **context: Any) -> PublishParams:
    return PublishParams(offer, (), TryContext(**{"settle_time": 900, "can_checkpoint": True, **context}))


def test_a_publish_is_identified_by_its_submission(player: Player, offer: OfferRef, start: datetime) -> None:
    """The response has the job, the list the submission; both are saved, the job before the next request."""
    player.respond = api = FakeAPI([OLD], [OLD], [NEW, OLD])
    operation = player.run(publish(make_params(offer)))
    assert operation == Operation(offer, "publish", start, NEW["id"], LOCATION, PRODUCT_INGESTION)
    assert [
        checkpoint and checkpoint["operation"] and checkpoint["operation"]["operation_id"]
        for checkpoint in player.checkpoints
    ] == [
        None,
        None,
        NEW["id"],
    ]
    assert player.checkpoints[0]["known_ids"] == [OLD["id"], OLD["id"]]
    assert len(api.posted) == 1
    assert player.slept == [60.0]


def test_a_submission_that_is_not_listed_is_left_to_the_wait(player: Player, offer: OfferRef) -> None:
    """After a minute, or at once without a settle time, the job alone is enough."""
    player.respond = FakeAPI([OLD])
    assert player.run(publish(make_params(offer))).operation_id is None
    assert player.slept == [60.0]
    assert player.run(publish(make_params(offer, settle_time=0))).location == LOCATION
    assert player.slept == [60.0]


def test_of_several_new_submissions_none_is_used(player: Player, offer: OfferRef) -> None:
    """With several new submissions the operation has only its job, whose start time identifies the submission later."""
    player.respond = FakeAPI([OLD], [NEW, submission(10, "preview", "running/pending"), OLD])
    operation = player.run(publish(make_params(offer)))
    assert operation.operation_id is None
    assert operation.location == LOCATION
    assert player.slept == []


def test_a_list_that_fails_after_the_submit_loses_nothing(player: Player, offer: OfferRef) -> None:
    """Once the job is known, a list that fails is a warning."""
    player.respond = FakeAPI([OLD], exceptions.BadRequestError("submissions", status=400))
    assert player.run(publish(make_params(offer))).location == LOCATION
    assert [level for text, level in player.logged if "the API accepted the publish" in text] == ["warning"]


@pytest.mark.parametrize("refused_by", ["job", "400"])
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_publish_refused_because_of_another_submission(
    player: Player, offer: OfferRef, refused_by: str, *, is_listed: bool
) -> None:
    """A submission that came first is named, in whichever way the API refuses, and the checkpoint is removed."""
    listed_after = [OLD, NEW] if is_listed else [OLD]
    player.respond = api = FakeAPI([OLD], listed_after)
    if refused_by == "400":
        api.post_responses = [IN_PROGRESS]
    else:
        api.jobs = [job("completed/failed", CONFLICT)]
    expected, kind = "operation submission/.*/9", exceptions.OperationInProgressError
    if not is_listed:  # then a second submit decides, and its refusal is the error
        expected, kind = "An In Progress submission already exists", exceptions.ConflictError
        api.post_responses, api.jobs = api.post_responses * 2, api.jobs * 2
    with pytest.raises(kind, match=expected):
        player.run(publish(make_params(offer)))
    assert len(api.posted) == (1 if is_listed else 2)
    assert player.checkpoints[-1] is None


def test_a_job_that_fails_at_once_is_a_refusal(player: Player, offer: OfferRef) -> None:
    """The error of a job that fails at once has the job's errors, and the operation stays saved for the next try."""
    player.respond = api = FakeAPI([OLD])
    api.jobs = [job("completed/failed", VALIDATION)]
    with pytest.raises(
        exceptions.BadRequestError, match=r"publish offer contoso-vm: job .* failed: .*'PlanId' is locked"
    ) as caught:
        player.run(publish(make_params(offer)))
    assert caught.value.retryable is False
    assert caught.value.offer == "contoso-vm"
    assert player.checkpoints[-1]["operation"]["location"] == LOCATION


def test_a_locked_product_is_retryable(player: Player, offer: OfferRef) -> None:
    """A locked product is a retryable error."""
    player.respond = api = FakeAPI([OLD])
    api.post_responses = [exceptions.LockedError("publish", status=423, text="The product is locked.")]
    with pytest.raises(exceptions.LockedError) as caught:
        player.run(publish(make_params(offer)))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "error",
    [
        exceptions.TransportError("publish", text="timed out"),
        exceptions.ServerError("publish", status=502),
        exceptions.InvalidResponseError("publish", status=202),
    ],
)
def test_after_a_lost_response_nothing_is_sent_again(
    player: Player, offer: OfferRef, error: exceptions.MarketplaceError
) -> None:
    """After a lost response the submissions are polled for the settle time, and a new one is treated as ours."""
    player.respond = api = FakeAPI([OLD], [OLD], [OLD])
    api.post_responses = [error]
    with pytest.raises(exceptions.SubmitOutcomeUnknownError) as caught:
        player.run(publish(make_params(offer)))
    assert caught.value.retryable is True
    assert len(api.posted) == 1
    assert sum(player.slept) == 900
    player.respond = api = FakeAPI([OLD], [OLD], [OLD, NEW])
    api.post_responses = [error]
    operation = player.run(publish(make_params(offer)))
    assert operation.operation_id == NEW["id"]
    assert operation.location is None
    assert operation.api == PRODUCT_INGESTION


def test_a_lost_publish_that_is_live_by_now_is_found(player: Player, offer: OfferRef, start: datetime) -> None:
    """A later try finds the submission of its lost submit also where it is live by now."""
    checkpoint = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],))
    player.now = start + timedelta(days=7)
    player.respond = api = FakeAPI([OLD, submission(9, "live")])
    operation = player.run(publish(make_params(offer, counts=RETRY, checkpoint=checkpoint)))
    assert operation.operation_id == NEW["id"]
    assert api.posted == []


def test_another_submission_in_progress_prevents_a_publish(player: Player, offer: OfferRef) -> None:
    """A submission in progress is named and prevents a publish; one that awaits sign-off does not."""
    player.respond = api = FakeAPI([OLD, NEW])
    with pytest.raises(exceptions.OperationInProgressError, match=f"operation {NEW['id']}"):
        player.run(publish(make_params(offer)))
    assert api.posted == []
    player.respond = api = FakeAPI([OLD, submission(8, "preview")], [OLD, submission(8, "preview"), NEW])
    assert player.run(publish(make_params(offer))).operation_id == NEW["id"]


@pytest.mark.parametrize(
    ("submissions", "job_response", "attaches"),
    [
        ([NEW], job(), True),
        ([submission(9, "preview")], job(), False),
        ([], job(), True),
        ([], job("completed/failed", VALIDATION), False),
        ([], exceptions.NotFoundError("job", status=404), True),
    ],
)
def test_a_cleared_task_attaches_while_its_operation_is_in_progress(
    player: Player, offer: OfferRef, start: datetime, submissions: list[Any], job_response: Any, *, attaches: bool
) -> None:
    """A cleared task attaches to its submission, or to its job without one, if it is in progress, and publishes otherwise."""
    own = Operation(offer, "publish", start, NEW["id"], LOCATION, PRODUCT_INGESTION)
    checkpoint = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],), None, own)
    player.respond = api = FakeAPI([OLD, *submissions])
    api.jobs = [job_response, job_response if isinstance(job_response, exceptions.MarketplaceError) else job()]
    cleared = make_params(offer, counts=CLEARED, checkpoint=checkpoint)
    operation = player.run(publish(cleared))
    assert (len(api.posted), operation == own) == ((0, True) if attaches else (1, False))


def test_an_operation_unknown_to_the_api_is_not_in_progress(player: Player, offer: OfferRef, start: datetime) -> None:
    """An operation that the API does not know an hour after its submit is not in progress."""
    own = Operation(offer, "publish", start - timedelta(hours=1), NEW["id"], LOCATION, PRODUCT_INGESTION)
    checkpoint = Checkpoint(offer, "publish", start, FIRST, (OLD["id"],), None, own)
    player.respond = api = FakeAPI([OLD])
    api.jobs = [exceptions.NotFoundError("job", status=404), job()]
    player.run(publish(make_params(offer, counts=CLEARED, checkpoint=checkpoint)))
    assert len(api.posted) == 1


def test_a_modular_publish_adds_the_required_resources(player: Player, offer: OfferRef) -> None:
    """With resources the body has product, property, plan, the resources and the submission, in this order."""
    tree = sample("resource-tree-small")["resources"]
    changed = sample("vm-plan-technical-configuration")
    player.respond = api = FakeAPI([OLD], [OLD, NEW])
    api.trees = {"draft": tree}
    player.run(publish(replace(make_params(offer), resources=(changed,))))
    kinds = [one["$schema"].split("/")[-2] for one in api.posted[0]["resources"]]
    assert kinds == ["product", "property", "plan", "virtual-machine-plan-technical-configuration", "submission"]
    assert api.posted[0]["resources"][3] == changed
    assert "azureedge" not in str(api.posted[0])
    assert DRAFT["id"] not in str(api.posted[0])


def test_a_failure_before_the_submit_saves_no_checkpoint(player: Player, offer: OfferRef) -> None:
    """A failure before the submit sends nothing and saves no checkpoint."""
    player.respond = api = FakeAPI([OLD])
    with pytest.raises(exceptions.NotFoundError):
        player.run(publish(replace(make_params(offer), resources=({"$schema": "x"},))))
    assert api.posted == []
    assert player.checkpoints == []


def test_an_unknown_offer_is_not_published(player: Player, offer: OfferRef) -> None:
    """An offer that the account does not have is an error before the submit."""
    player.respond = api = FakeAPI([OLD])
    api.products.clear()
    with pytest.raises(exceptions.NotFoundError, match="no product with this external id"):
        player.run(publish(make_params(offer)))
    assert api.posted == []
    assert GUID not in str(player.sent)
