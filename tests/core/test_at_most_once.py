# SPDX-License-Identifier: Apache-2.0
"""Property test: whatever dies at whatever moment, a run of the task publishes at most once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import event, given
from hypothesis import strategies as some

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.product_ingestion.publish import publish as product_ingestion_publish
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.effects import Flow, GetTime, SaveCheckpoint, SendRequest, Sleep
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import PublishParams

OFFER = OfferRef("contoso", "contoso-vm")
START = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
SETTLE = 900.0
RETRIES = 9
SLOWEST = 800.0
"""Seconds after which the list shows an accepted publish, at the latest."""

LIFETIMES = some.sampled_from([1, 3, 4, 5, 6, 7, 9, 12, 20, 1000, 1000])
"""The number of effects after which a try dies."""


@dataclass
class Publication:
    """A publish that the API accepted; times are in seconds.

    :ivar run: the run of the task that submitted it; None for somebody else.
    :ivar shown_at: when the list and the status begin to show it.
    :ivar ends_at: when it ends or awaits sign-off.
    """

    id: str
    run: int | None
    accepted_at: float
    shown_at: float
    ends_at: float
    end: str

    def list_entry(self, now: float) -> dict[str, Any]:
        ended = self.ends_at <= now
        at = START + timedelta(seconds=self.ends_at if ended else self.accepted_at)
        state = ("running" if self.end == "awaits sign-off" else self.end) if ended else "running"
        return {"id": self.id, "submissionType": "publish", "submissionState": state, "changedTime": at.isoformat()}


@dataclass
class CPPWorld:
    """A CPP API, a clock, and what outlives a try; every choice is drawn."""

    draw: Any
    can_checkpoint: bool
    now: float = 60.0
    run: int = 0
    checkpoint: dict[str, Any] | None = None
    publications: list[Publication] = field(default_factory=list)
    submits: int = 0

    def is_in_progress(self) -> bool:
        return any(one.accepted_at <= self.now < one.ends_at for one in self.publications)

    def accept(self, run: int | None, delay: float, shown_after: float) -> str | None:
        """Accept a publish if none is in progress when it arrives; a delayed one that would arrive during it is lost."""
        at = self.now + delay
        if any(one.accepted_at <= at < one.ends_at for one in self.publications):
            return None
        duration = self.draw(some.sampled_from([1.0, 100.0, 1e6]))
        self.submits += 1
        name = f"{'theirs' if run is None else 'ours'}-{self.submits}"
        end = self.draw(some.sampled_from(["failed", "completed", "awaits sign-off"]))
        late = [one for one in self.publications if at < one.accepted_at < at + duration]
        self.publications = [one for one in self.publications if one not in late]
        self.publications.append(Publication(name, run, at, at + shown_after, at + duration, end))
        return name

    def respond(self, request: Request[Any]) -> Any:
        """Respond to a request, and let a second pass."""
        self.now += 1
        shown = [one for one in self.publications if one.shown_at <= self.now]
        if request.method == "POST":
            return self.submit()
        if self.draw(some.integers(0, 30)) == 0:
            return exceptions.ServerError(request.description, status=500)
        if request.path.endswith("/submissions/"):
            return [one.list_entry(self.now) for one in shown]
        if "/operations/" in request.path:
            own = [one for one in shown if request.path.endswith(f"/{one.id}")]
            return {"status": self.status(own)} if own else exceptions.NotFoundError(request.description, status=404)
        return {"status": self.status(shown)}

    def status(self, shown: list[Publication]) -> str:
        if not shown:
            return "neverPublished"
        last = max(shown, key=lambda one: one.accepted_at)
        if last.ends_at > self.now:
            return "running"
        return {"awaits sign-off": "waitingForPublisherReview", "completed": "succeeded"}.get(last.end, last.end)

    def submit(self) -> Any:
        """Accept a publish or not, and return the response or lose it."""
        result = self.draw(
            some.sampled_from(["responds", "no operation", "lost after", "late", "late", "lost before", "refused"])
        )
        lost = self.draw(
            some.sampled_from([exceptions.TransportError("x", text="reset"), exceptions.ServerError("x", status=503)])
        )
        if result == "refused":
            return exceptions.RateLimitError("x", status=429)
        if result == "lost before":
            return lost
        if result != "late" and self.is_in_progress():
            return exceptions.ConflictError("x", status=409)
        delay = self.draw(some.floats(0, SLOWEST / 2)) if result == "late" else 0.0
        name = self.accept(self.run, delay, self.draw(some.floats(0, SLOWEST / 2)))
        self.now += self.draw(some.sampled_from([0.0, 250.0]))
        if result in ("late", "lost after"):
            return lost
        if name is None:
            return exceptions.ConflictError("x", status=409)
        location = f"/api/publishers/contoso/offers/contoso-vm/operations/{name}"
        return Response(202, b"", {"location": location} if result == "responds" else {}, "https://x", START)


GUID = "12345678-1234-4321-8765-123456789012"


@dataclass
class ProductIngestionWorld(CPPWorld):
    """The same on the Product Ingestion API: a publish is a job, which may fail later; a submission has one id."""

    jobs: dict[str, str | None] = field(default_factory=dict)

    def respond(self, request: Request[Any]) -> Any:
        """Respond to a request, and let a second pass."""
        self.now += 1
        if request.path.startswith("/product"):
            return {"value": [{"id": f"product/{GUID}", "identity": {"externalId": OFFER.offer_id}}]}
        if request.method == "POST":
            return self.submit()
        if self.draw(some.integers(0, 30)) == 0:
            return exceptions.ServerError(request.description, status=500)
        shown = [one for one in self.publications if one.shown_at <= self.now]
        if request.path.startswith("/submission/"):
            return {"value": [self.submission(one) for one in shown]}
        return self.job(request.path.split("/")[2])

    def submission(self, one: Publication) -> dict[str, Any]:
        """Return a publication as the list shows it: none is canceled, and a live one was in preview."""
        ended = one.ends_at <= self.now
        target = "live" if ended and one.end == "completed" else "preview"
        return {
            "id": f"submission/{GUID}/{one.id}",
            "target": {"targetType": target},
            "status": "completed" if ended else "running",
            "result": ("failed" if one.end == "failed" else "succeeded") if ended else "pending",
            "created": (START + timedelta(seconds=one.accepted_at)).isoformat(),
        }

    def job(self, job: str) -> dict[str, Any]:
        """Return a job; one without a publication failed because another was in progress."""
        name = self.jobs[job]
        one = next((one for one in self.publications if one.id == name), None)
        state = ("running", "pending") if one is None or one.ends_at > self.now else ("completed", "succeeded")
        conflict = [{"code": "conflict", "message": "An In Progress submission already exists"}]
        if name is None:
            state = ("completed", "failed")
        start = (START + timedelta(seconds=one.accepted_at if one else self.now)).isoformat()
        errors = conflict if name is None else []
        return {"jobId": job, "jobStatus": state[0], "jobResult": state[1], "errors": errors, "jobStart": start}

    def submit(self) -> Any:
        """Accept a publish or not, and respond with a job, a 400 or unreadable JSON, or lose the response."""
        result = self.draw(
            some.sampled_from(["responds", "no operation", "lost after", "late", "late", "lost before", "refused"])
        )
        lost = self.draw(
            some.sampled_from([exceptions.TransportError("x", text="reset"), exceptions.ServerError("x", status=502)])
        )
        if result == "refused":
            return exceptions.RateLimitError("x", status=429)
        if result == "lost before":
            return lost
        delay = self.draw(some.floats(0, SLOWEST / 2)) if result == "late" else 0.0
        is_free = result == "late" or not self.is_in_progress()
        shown_after = self.draw(some.floats(0, SLOWEST / 2))
        name = self.accept(self.run, delay, shown_after) if is_free else None
        self.now += self.draw(some.sampled_from([0.0, 250.0]))
        if result in ("late", "lost after"):
            return lost
        if name is None and self.draw(some.booleans()):
            return exceptions.ConflictError("x", status=400, text="An In Progress submission already exists")
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = name
        return make_response({"jobId": job, "jobStatus": "running"} if result == "responds" else {})


def play(world: CPPWorld, flow: Flow[Operation], lifetime: int) -> Operation | None:
    """Drive one try until it ends, or dies after a number of effects."""
    resume, value = flow.send, None
    for _ in range(lifetime):
        try:
            effect = resume(value)
        except StopIteration as stop:
            return cast("Operation", stop.value)
        resume, value = flow.send, None
        match effect:
            case SendRequest(request):
                value = world.respond(request)
                if isinstance(value, exceptions.MarketplaceError):
                    resume = flow.throw  # type: ignore[assignment]
                elif not isinstance(value, Response):
                    value = make_response(value)
            case Sleep(seconds):
                world.now += seconds
            case GetTime():
                value = START + timedelta(seconds=world.now)  # type: ignore[assignment]
            case SaveCheckpoint(checkpoint) if world.can_checkpoint:
                world.checkpoint = checkpoint
    return None


def make_response(body: Any) -> Response:
    return Response(200, json.dumps(body).encode(), {}, "https://x", START)


WORLDS = [(CPPWorld, publish), (ProductIngestionWorld, product_ingestion_publish)]


@pytest.mark.parametrize(("make_world", "publish_flow"), WORLDS, ids=["cloud_partner_portal", "product_ingestion"])
@given(data=some.data(), checkpoints_from=some.sampled_from([0, 1, 2, 9]), others=some.booleans())
def test_a_run_of_the_task_publishes_at_most_once(
    make_world: type[CPPWorld],
    publish_flow: Callable[[PublishParams], Flow[Operation]],
    data: Any,
    checkpoints_from: int,
    others: bool,  # noqa: FBT001
) -> None:
    """Despite crashes, lost responses, stale lists, clears and Airflow upgrades, a run of the task publishes at most once."""
    world = make_world(data.draw, can_checkpoint=checkpoints_from == 0)
    counts = TryCounts(1, RETRIES, RETRIES, 0)
    for number in range(data.draw(some.integers(2, 6))):
        world.can_checkpoint = number >= checkpoints_from  # Airflow may be upgraded in between
        if others and data.draw(some.booleans()):
            world.accept(None, 0.0, data.draw(some.floats(0, SLOWEST / 2)))
        context = TryContext(
            SETTLE,
            counts=counts,
            can_checkpoint=world.can_checkpoint,
            earlier_could_checkpoint=checkpoints_from == 0,
            checkpoint=Checkpoint.from_payload(world.checkpoint),
            dag_run_start=START,
        )
        try:
            operation = play(world, publish_flow(PublishParams(OFFER, (), context)), data.draw(LIFETIMES))
        except exceptions.MarketplaceError as error:
            event(type(error).__name__)
            may_retry = error.retryable
        else:
            may_retry = operation is None
            if operation is not None:
                check_operation(world, operation, others=others)
        check_promise(world)
        world.now += data.draw(some.sampled_from([1.0, 300.0, 2000.0]))
        if may_retry:
            counts = replace(counts, try_number=counts.try_number + 1)
        else:  # only a clear starts another try
            world.run, ended = world.run + 1, counts.try_number
            counts = TryCounts(ended + 1, ended + RETRIES, RETRIES, counts.clear_number + 1)


def check_operation(world: CPPWorld, operation: Operation, *, others: bool) -> None:
    """Check that a returned operation exists, and is the task's own if nobody else publishes."""
    job = (operation.location or "//").split("/")[2]
    own = world.jobs.get(job) if isinstance(world, ProductIngestionWorld) else None
    if isinstance(world, ProductIngestionWorld) and job in world.jobs and own is None:
        assert operation.operation_id is None
        assert others  # the job failed, which the wait for it reports
        return
    name = (operation.operation_id or own or "").rpartition("/")[2]
    one = next((one for one in world.publications if one.id == name), None)
    assert one is not None
    assert others or one.run is not None


def check_promise(world: CPPWorld) -> None:
    """Check that each run of the task published at most once."""
    runs = [one.run for one in world.publications if one.run is not None]
    assert len(runs) == len(set(runs)), world.publications
