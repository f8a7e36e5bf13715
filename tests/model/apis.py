# SPDX-License-Identifier: Apache-2.0
"""The marketplace as each of its two APIs shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from model.conditions import REFUSALS
from model.marketplace import OFFER, START, Marketplace, Record, respond

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.product_ingestion.api import PRODUCT_INGESTION_API
from airflow_provider_cpp.core.http import Request

GUID = "12345678-1234-4321-8765-123456789012"
OPERATIONS_PATH = "/api/publishers/contoso/offers/contoso-vm/operations/"


def _time(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


class CloudPartnerPortal(Marketplace):
    """The CPP API: a submit is accepted or refused at once, and its location identifies the operation."""

    api = CLOUD_PARTNER_PORTAL_API

    def body(self, request: Request[Any]) -> Any:
        """Return the operations, the status of the offer or of an operation, or the draft."""
        if request.path.endswith("/submissions/"):
            return [self._list_entry(*shown) for shown in self.read(source=0)]
        if request.path.endswith("/status"):
            return self._status(self.read(source=1))
        if "/operations/" in request.path:
            name = request.path.rpartition("/")[2]
            own = [shown for shown in self.read(source=1) if name in (shown[0].id, self._publication_name(shown[0]))]
            return self._status(own)
        return {"id": OFFER.offer_id, "version": self.draft}

    def post(self, request: Request[Any], run: int, *, dies: bool) -> tuple[str, Any]:
        """Respond to a publish."""
        result, accepted = self.submit(run, dies=dies)
        if result == "accepted":
            if self.rng.random() < 0.1:
                return "unproven", respond(request, 202)
            name = accepted.id if self.rng.random() < 0.6 else self._publication_name(accepted)
            return "accepted", respond(request, 202, headers={"location": OPERATIONS_PATH + name})
        if result == "conflict":
            status = self.rng.choice((409, 409, 409, 400))
            return "refused", respond(request, status, {"error": {"code": "Conflict", "message": accepted}})
        return response_of(request, result)

    def find(self, operation: Any) -> Record | None:
        """Find an operation by its id, or by its publication's number."""
        named = (operation.operation_id, (operation.location or "").rpartition("/")[2] or None)
        return next((r for r in self.records if r.id in named or self._publication_name(r) == named[1]), None)

    def _publication_name(self, record: Record) -> str:
        return f"contoso$contoso-vm${record.number}${'preview' if record.kind == 'publish' else 'live'}"

    def _list_entry(self, record: Record, since: float, state: str) -> dict[str, Any]:
        return {
            "id": record.id,
            "submissionType": record.kind,
            "submissionState": self.conditions.sign_off_status if state == "awaiting sign-off" else state,
            "publishingVersion": record.number,
            "version": record.draft,
            "changedTime": _time(since),
        }

    def _status(self, shown: list[tuple[Record, float, str]]) -> dict[str, Any]:
        if not shown:
            return {"status": "neverPublished"}
        state = shown[-1][2]
        if state == "awaiting sign-off" and self.conditions.sign_off_status == "running":
            steps = [{"id": "publisher-signoff", "stepName": "Sign-off", "status": "waitingForPublisherReview"}]
            return {"status": "running", "steps": steps}
        return {
            "status": {"awaiting sign-off": "waitingForPublisherReview", "completed": "succeeded"}.get(state, state)
        }


@dataclass
class Job:
    """A configure job: it has no record until it is processed, and never one if it failed.

    :ivar problem: why it failed before it had a record.
    :ivar failed_at: when it failed.
    """

    run: int
    started_at: float
    record: Record | None = None
    problem: str = ""
    failed_at: float = float("inf")


@dataclass
class ProductIngestion(Marketplace):
    """The Product Ingestion API: a submit is a job, which may fail later; a submission keeps one id until it is live."""

    api = PRODUCT_INGESTION_API
    has_one_id = True
    jobs: dict[str, Job] = field(default_factory=dict)

    def deliver(self, run: int) -> str:
        """Create a job and return its id."""
        name = f"job-{len(self.jobs)}"
        job = self.jobs[name] = Job(run, self.now)
        self.pending[run] = self.pending.get(run, 0) + 1
        wait = self.rng.choice((0.0, self.rng.uniform(0, 20), self.rng.uniform(0, 100)))
        self.later(wait, lambda: self._process(job))
        return name

    def _process(self, job: Job) -> None:
        self.pending[job.run] -= 1
        if self.rng.random() < self.conditions.refusal_rate:
            job.problem = "The plan has no price"
        else:
            job.record = self.accept(job.run)
            job.problem = "" if job.record else "An In Progress submission already exists"
        if job.problem:
            job.failed_at = self.now

    def body(self, request: Request[Any]) -> Any:
        """Return the product, its submissions, or a job."""
        if request.path.startswith("/product"):
            return {"value": [{"id": f"product/{GUID}", "identity": {"externalId": OFFER.offer_id}}]}
        if request.path.startswith("/submission/"):
            return {"value": self._submissions()}
        return self._job(request.path.split("/")[2])

    def post(self, request: Request[Any], run: int, *, dies: bool) -> tuple[str, Any]:
        """Respond to a publish."""
        if self.in_progress() is not None and self.rng.random() < 0.3 and not dies:
            text = "An In Progress submission already exists"
            return "refused", respond(request, self.rng.choice((400, 409)), {"error": {"code": "c", "message": text}})
        result, accepted = self.submit(run, dies=dies)
        if result == "accepted":
            if self.rng.random() < 0.1:
                return "unproven", respond(request, 202, {})
            return accepted, respond(request, 202, {"jobId": accepted, "jobStatus": "running"})
        if result == "conflict":
            return "refused", respond(request, 409, {"error": {"code": "conflict", "message": accepted}})
        return response_of(request, result)

    def find(self, operation: Any) -> Record | None:
        """Find an operation by its submission, or by its job."""
        number = (operation.operation_id or "").rpartition("/")[2]
        if number:
            return next((r for r in self.records if r.id == number), None)
        job = self.job_of(operation)
        return job.record if job is not None else None

    def job_of(self, operation: Any) -> Job | None:
        """Return the job that an operation of the package identifies."""
        return self.jobs.get((operation.location or "//").split("/")[2])

    def _submissions(self) -> list[dict[str, Any]]:
        shown = self.read(source=0)
        live = {record.number: state for record, _, state in shown if record.kind == "golive"}
        entries = []
        for record, _, state in shown:
            if record.kind != "publish":
                continue
            goes_live = live.get(record.number)
            state = goes_live or state  # noqa: PLW2901 - a submission that goes live has the state of its go-live
            done = state != "running"
            entries.append(
                {
                    "id": f"submission/{GUID}/{record.id}",
                    "target": {"targetType": "live" if goes_live else "preview"},
                    "status": "completed" if done else "running",
                    "result": {"failed": "failed", "canceled": "cancelled", "running": "pending"}.get(
                        state, "succeeded"
                    ),
                    "created": _time(record.states[0][0]),
                }
            )
        return entries

    def _job(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        job_status, job_result = "running", "pending"
        if job.problem or (job.record is not None and not job.record.in_progress):
            failed = bool(job.problem) or (job.record is not None and job.record.state == "failed")
            job_status, job_result = "completed", "failed" if failed else "succeeded"
        errors = [{"code": "conflict", "message": job.problem}] if job.problem else []
        return {
            "jobId": name,
            "jobStatus": job_status,
            "jobResult": job_result,
            "errors": errors,
            "jobStart": _time(job.started_at),
        }


def response_of(request: Request[Any], result: Any) -> tuple[str, Any]:
    """Make the response of a status or a word, as :meth:`Marketplace.post` does."""
    proof = "refused" if result in REFUSALS else "unproven"
    try:
        return proof, respond(request, 202 if result == "no location" else result)
    except exceptions.TransportError as error:
        return proof, error
