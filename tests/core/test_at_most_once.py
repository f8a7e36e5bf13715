# SPDX-License-Identifier: Apache-2.0
"""The promise itself, against chance: whatever dies at whatever moment, a run of the task publishes at most once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as some

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.product_ingestion.publish import publish as publish_through_the_successor
from airflow_provider_cpp.core.checkpoint import Checkpoint, TryContext, TryCounts
from airflow_provider_cpp.core.effects import Flow, GetTime, SaveCheckpoint, SendRequest, Sleep
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import PublishParams

OFFER = OfferRef("contoso", "contoso-vm")
BEGAN = datetime.fromisoformat("2026-11-03T08:00:00+00:00")
SETTLE = 900.0
RETRIES = 9
SLOWEST = 800.0
"""Seconds after which an order that was taken shows in the list, at the latest."""

LIVES = some.sampled_from([1, 3, 4, 5, 6, 7, 9, 12, 20, 1000, 1000])
"""After how many requests a try dies."""


@dataclass
class Publication:
    """One that the portal took.

    :ivar by: which run of the task ordered it; None for somebody else.
    :ivar taken_at: when it began, in seconds.
    :ivar shows_at: when the list and the status know of it.
    :ivar ends_at: when it ends, or is parked.
    """

    id: str
    by: int | None
    taken_at: float
    shows_at: float
    ends_at: float
    end: str

    def entry(self, now: float) -> dict[str, Any]:
        ended = self.ends_at <= now
        at = BEGAN + timedelta(seconds=self.ends_at if ended else self.taken_at)
        state = ("running" if self.end == "parked" else self.end) if ended else "running"
        return {"id": self.id, "submissionType": "publish", "submissionState": state, "changedTime": at.isoformat()}


@dataclass
class World:
    """A portal, a clock, and what outlives a try; everything that can go either way is drawn."""

    draw: Any
    can_checkpoint: bool
    now: float = 60.0
    run: int = 0
    note: dict[str, Any] | None = None
    publications: list[Publication] = field(default_factory=list)
    orders: int = 0

    def running(self) -> bool:
        return any(one.taken_at <= self.now < one.ends_at for one in self.publications)

    def take(self, by: int | None, delay: float, shows_after: float) -> str | None:
        """Take an order, if none runs when it arrives; one that is on its way still arrives too late then."""
        at = self.now + delay
        if any(one.taken_at <= at < one.ends_at for one in self.publications):
            return None
        lasts = self.draw(some.sampled_from([1.0, 100.0, 1e6]))
        self.orders += 1
        name = f"{'theirs' if by is None else 'ours'}-{self.orders}"
        end = self.draw(some.sampled_from(["failed", "completed", "parked"]))
        late = [one for one in self.publications if at < one.taken_at < at + lasts]
        self.publications = [one for one in self.publications if one not in late]
        self.publications.append(Publication(name, by, at, at + shows_after, at + lasts, end))
        return name

    def answer(self, call: Request[Any]) -> Any:
        """Answer a call, and let a second pass."""
        self.now += 1
        seen = [one for one in self.publications if one.shows_at <= self.now]
        if call.method == "POST":
            return self.ordered()
        if self.draw(some.integers(0, 30)) == 0:
            return exceptions.ServerError(call.description, status=500)
        if call.path.endswith("/submissions/"):
            return [one.entry(self.now) for one in seen]
        if "/operations/" in call.path:
            asked = [one for one in seen if call.path.endswith(f"/{one.id}")]
            return {"status": self.status(asked)} if asked else exceptions.NotFoundError(call.description, status=404)
        return {"status": self.status(seen)}

    def status(self, seen: list[Publication]) -> str:
        if not seen:
            return "neverPublished"
        last = max(seen, key=lambda one: one.taken_at)
        if last.ends_at > self.now:
            return "running"
        return {"parked": "waitingForPublisherReview", "completed": "succeeded"}.get(last.end, last.end)

    def ordered(self) -> Any:
        """Take an order or not, and answer it or not."""
        fate = self.draw(
            some.sampled_from(["answered", "nameless", "lost after", "late", "late", "lost before", "refused"])
        )
        lost = self.draw(
            some.sampled_from([exceptions.TransportError("x", text="reset"), exceptions.ServerError("x", status=503)])
        )
        if fate == "refused":
            return exceptions.RateLimitError("x", status=429)
        if fate == "lost before":
            return lost
        if fate != "late" and self.running():
            return exceptions.ConflictError("x", status=409)
        delay = self.draw(some.floats(0, SLOWEST / 2)) if fate == "late" else 0.0
        name = self.take(self.run, delay, self.draw(some.floats(0, SLOWEST / 2)))
        self.now += self.draw(some.sampled_from([0.0, 250.0]))
        if fate in ("late", "lost after"):
            return lost
        if name is None:
            return exceptions.ConflictError("x", status=409)
        location = f"/api/publishers/contoso/offers/contoso-vm/operations/{name}"
        return Response(202, b"", {"location": location} if fate == "answered" else {}, "https://x", BEGAN)


GUID = "12345678-1234-4321-8765-123456789012"


@dataclass
class Successor(World):
    """The same on the successor: an order is a job, which may fail for what is in its way; a submission has one id."""

    jobs: dict[str, str | None] = field(default_factory=dict)

    def answer(self, call: Request[Any]) -> Any:
        """Answer a call, and let a second pass."""
        self.now += 1
        if call.path.startswith("/product"):
            return {"value": [{"id": f"product/{GUID}", "identity": {"externalId": OFFER.offer_id}}]}
        if call.method == "POST":
            return self.ordered()
        if self.draw(some.integers(0, 30)) == 0:
            return exceptions.ServerError(call.description, status=500)
        seen = [one for one in self.publications if one.shows_at <= self.now]
        if call.path.startswith("/submission/"):
            return {"value": [self.submission(one) for one in seen]}
        return self.job(call.path.split("/")[2])

    def submission(self, one: Publication) -> dict[str, Any]:
        """Write a publication as the list has it: canceled ones are not drawn, and what is live was in preview."""
        ended = one.ends_at <= self.now
        target = "live" if ended and one.end == "completed" else "preview"
        return {
            "id": f"submission/{GUID}/{one.id}",
            "target": {"targetType": target},
            "status": "completed" if ended else "running",
            "result": ("failed" if one.end == "failed" else "succeeded") if ended else "pending",
            "created": (BEGAN + timedelta(seconds=one.taken_at)).isoformat(),
        }

    def job(self, job: str) -> dict[str, Any]:
        """Write a job: one that began nothing fails for what was in its way."""
        name = self.jobs[job]
        one = next((one for one in self.publications if one.id == name), None)
        state = ("running", "pending") if one is None or one.ends_at > self.now else ("completed", "succeeded")
        problem = [{"code": "conflict", "message": "An In Progress submission already exists"}]
        if name is None:
            state = ("completed", "failed")
        start = (BEGAN + timedelta(seconds=one.taken_at if one else self.now)).isoformat()
        errors_of_it = problem if name is None else []
        return {"jobId": job, "jobStatus": state[0], "jobResult": state[1], "errors": errors_of_it, "jobStart": start}

    def ordered(self) -> Any:
        """Take an order or not, and answer it or not: with a job, a 400, or what cannot be read."""
        fate = self.draw(
            some.sampled_from(["answered", "nameless", "lost after", "late", "late", "lost before", "refused"])
        )
        lost = self.draw(
            some.sampled_from([exceptions.TransportError("x", text="reset"), exceptions.ServerError("x", status=502)])
        )
        if fate == "refused":
            return exceptions.RateLimitError("x", status=429)
        if fate == "lost before":
            return lost
        delay = self.draw(some.floats(0, SLOWEST / 2)) if fate == "late" else 0.0
        is_free = fate == "late" or not self.running()
        shows_after = self.draw(some.floats(0, SLOWEST / 2))
        name = self.take(self.run, delay, shows_after) if is_free else None
        self.now += self.draw(some.sampled_from([0.0, 250.0]))
        if fate in ("late", "lost after"):
            return lost
        if name is None and self.draw(some.booleans()):
            return exceptions.ConflictError("x", status=400, text="An In Progress submission already exists")
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = name
        return reply_of({"jobId": job, "jobStatus": "running"} if fate == "answered" else {})


def play(world: World, flow: Flow[Operation], lives_for: int) -> Operation | None:
    """Drive one try until it ends, or dies after so many requests."""
    resume, value = flow.send, None
    for _ in range(lives_for):
        try:
            request = resume(value)
        except StopIteration as stop:
            found: Operation = stop.value
            return found
        resume, value = flow.send, None
        match request:
            case SendRequest(call):
                value = world.answer(call)
                if isinstance(value, exceptions.MarketplaceError):
                    resume = flow.throw  # type: ignore[assignment]
                elif not isinstance(value, Response):
                    value = reply_of(value)
            case Sleep(seconds):
                world.now += seconds
            case GetTime():
                value = BEGAN + timedelta(seconds=world.now)  # type: ignore[assignment]
            case SaveCheckpoint(note) if world.can_checkpoint:
                world.note = note
    return None


def reply_of(body: Any) -> Response:
    return Response(200, json.dumps(body).encode(), {}, "https://x", BEGAN)


PLACES = [(World, publish), (Successor, publish_through_the_successor)]


@pytest.mark.parametrize(("place", "order"), PLACES, ids=["portal", "successor"])
@given(data=some.data(), notes_from=some.sampled_from([0, 1, 2, 9]), others=some.booleans())
def test_a_run_of_the_task_publishes_at_most_once(
    place: type[World],
    order: Callable[[PublishParams], Flow[Operation]],
    data: Any,
    notes_from: int,
    others: bool,  # noqa: FBT001
) -> None:
    """Tries that die, lose answers, see late lists, are cleared and outlive Airflow's upgrade order once a run, and find it."""
    world = place(data.draw, can_checkpoint=notes_from == 0)
    counts = TryCounts(1, RETRIES, RETRIES, 0)
    for number in range(data.draw(some.integers(2, 6))):
        world.can_checkpoint = number >= notes_from  # Airflow may be upgraded in between
        if others and data.draw(some.booleans()):
            world.take(None, 0.0, data.draw(some.floats(0, SLOWEST / 2)))
        attempt = TryContext(
            SETTLE,
            counts=counts,
            can_checkpoint=world.can_checkpoint,
            earlier_could_checkpoint=notes_from == 0,
            checkpoint=Checkpoint.from_payload(world.note),
            dag_run_start=BEGAN,
        )
        try:
            found = play(world, order(PublishParams(OFFER, (), attempt)), data.draw(LIVES))
        except exceptions.MarketplaceError as error:
            event(type(error).__name__)
            may_retry = error.retryable
        else:
            may_retry = found is None
            if found is not None:
                check_found(world, found, others=others)
        check_promise(world)
        world.now += data.draw(some.sampled_from([1.0, 300.0, 2000.0]))
        if may_retry:
            counts = replace(counts, try_number=counts.try_number + 1)
        else:  # only a clear begins another try
            world.run, ended = world.run + 1, counts.try_number
            counts = TryCounts(ended + 1, ended + RETRIES, RETRIES, counts.clear_number + 1)


def check_found(world: World, found: Operation, *, others: bool) -> None:
    """Check that what a try returned is there, and is nobody else's where nobody else publishes."""
    job = (found.location or "//").split("/")[2]
    own = world.jobs.get(job) if isinstance(world, Successor) else None
    if isinstance(world, Successor) and job in world.jobs and own is None:
        assert (found.operation_id, others) == (None, True)  # its job failed, and the wait for it will say so
        return
    name = (found.operation_id or own or "").rpartition("/")[2]
    one = next((one for one in world.publications if one.id == name), None)
    assert one is not None
    assert others or one.by is not None


def check_promise(world: World) -> None:
    """Check that each run of the task began one publication at most."""
    runs = [one.by for one in world.publications if one.by is not None]
    assert len(runs) == len(set(runs)), world.publications
