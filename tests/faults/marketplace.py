# SPDX-License-Identifier: Apache-2.0
"""One offer on either API, and sign-in, as a case's server has them: what was accepted, and what the list shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import Any

PUBLISHER, OFFER, TENANT = "contoso", "contoso-vm", "11111111-2222-4333-8444-555555555555"
GUID = "12345678-1234-4321-8765-123456789012"
START = datetime(2026, 11, 3, 8, tzinfo=timezone.utc)
ENDS_AFTER = 100.0
"""Seconds on the case's clock until a publication awaits sign-off, and until a go-live ends."""

BASE_PATH = "/rp/product-ingestion"
"""The base path of the Product Ingestion API."""

ROOT = f"/api/publishers/{PUBLISHER}/offers/{OFFER}"


@dataclass
class Clock:
    """The clock that a case's client and server share; it moves only when a flow sleeps."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.0)


@dataclass(frozen=True)
class Request:
    """A request as the server parsed it."""

    method: str
    path: str
    body: bytes = b""

    @property
    def is_sign_in(self) -> bool:
        return self.path.startswith(f"/{TENANT}/")


@dataclass(frozen=True)
class Response:
    """A response before a behaviour changes it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, status: int | None = None, *more: tuple[str, str]) -> bytes:
        """Return the status line and the headers, without a blank line and without a length."""
        named = (("Content-Type", "application/json"), *self.headers, *more)
        lines = [f"HTTP/1.1 {self.status if status is None else status:03d} Whatever", *(f"{a}: {b}" for a, b in named)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n"

    def bytes(self) -> bytes:
        return self.head(None, ("Content-Length", str(len(self.body)))) + b"\r\n" + self.body


def json_response(content: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(content).encode(), headers)


REFUSAL = json_response({"error": {"code": "TooManyRequests", "message": "Nothing was done."}}, 429)
"""The response to a submit that is not accepted."""


@dataclass
class Submission:
    """A publish or go-live that the server accepted."""

    number: int
    kind: str
    accepted_at: float

    @property
    def ends_at(self) -> float:
        return self.accepted_at + ENDS_AFTER


@dataclass
class Marketplace:
    """One offer on one API: every submit is accepted, even while another operation is in progress.

    So every duplicate publish is counted; the real API would reject some of them.

    :param awaits_sign_off: whether the offer awaits sign-off at first, rather than being live.
    :param lag: seconds until the list and the status show what was accepted.
    """

    clock: Clock
    awaits_sign_off: bool = False
    lag: float = 0.0
    accepted: list[Submission] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def accept(self, kind: str) -> Submission:
        """Accept a submit."""
        with self.lock:
            submission = Submission(len(self.accepted) + 1, kind, self.clock.seconds)
            self.accepted.append(submission)
            return submission

    def shown(self) -> list[Submission]:
        """Return the submissions that the list shows, the newest last."""
        with self.lock:
            return [one for one in self.accepted if one.accepted_at + self.lag <= self.clock.seconds]

    def has_ended(self, one: Submission) -> bool:
        return one.ends_at <= self.clock.seconds

    def respond(self, request: Request, *, accepts: bool = True) -> Response:
        """Respond to a request; an accepted submit is recorded first."""
        if request.is_sign_in:
            raise NotImplementedError
        if request.method == "POST" and not accepts:
            return REFUSAL
        return self.submit(request) if request.method == "POST" else self.read(request)

    def submit(self, request: Request) -> Response:
        raise NotImplementedError

    def read(self, request: Request) -> Response:
        raise NotImplementedError


class CloudPartnerPortal(Marketplace):
    """The offer on the CPP API."""

    def submit(self, request: Request) -> Response:
        one = self.accept("golive" if "/golive" in request.path else "publish")
        return Response(202, b"", (("Location", f"{ROOT}/operations/op-{one.number}?api-version=2017-10-31"),))

    def read(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        shown = self.shown()
        if path == ROOT:
            return json_response({"id": OFFER, "version": 3, "definition": {}}, 200, (("ETag", '"3"'),))
        if path == f"{ROOT}/submissions/":
            return json_response([self._initial_entry(), *map(self._entry, shown)])
        if path == f"{ROOT}/status":
            return json_response(self._status(shown[-1] if shown else None))
        submission = next((one for one in shown if path == f"{ROOT}/operations/op-{one.number}"), None)
        if submission is not None:
            return json_response(self._status(submission))
        return json_response({"error": {"code": "NotFound", "message": "Not found."}}, 404)

    def _initial_entry(self) -> dict[str, Any]:
        state = "running" if self.awaits_sign_off else "completed"
        return _entry("op-0", "publish", state, START - timedelta(days=1))

    def _entry(self, one: Submission) -> dict[str, Any]:
        done = self.has_ended(one)
        state = "completed" if done and one.kind == "golive" else "running"
        return _entry(f"op-{one.number}", one.kind, state, START + timedelta(seconds=one.accepted_at))

    def _status(self, one: Submission | None) -> dict[str, Any]:
        if one is None:
            return {"status": "waitingForPublisherReview" if self.awaits_sign_off else "succeeded"}
        if self.has_ended(one):
            return {"status": "succeeded" if one.kind == "golive" else "waitingForPublisherReview"}
        return {"status": "running", "steps": [{"stepName": "live", "status": "inProgress"}] * (one.kind == "golive")}


def _entry(name: str, kind: str, state: str, at: datetime) -> dict[str, Any]:
    return {"id": name, "submissionType": kind, "submissionState": state, "changedTime": at.isoformat()}


class ProductIngestion(Marketplace):
    """The offer on the Product Ingestion API: a submit is a job, and a go-live keeps its submission's id."""

    def submit(self, request: Request) -> Response:
        target = json.loads(request.body)["resources"][-1]["target"]["targetType"]
        one = self.accept("golive" if target == "live" else "publish")
        return json_response({"jobId": f"job-{one.number}", "jobStatus": "notStarted", "jobResult": "pending"}, 202)

    def read(self, request: Request) -> Response:
        path = request.path.partition("?")[0].removeprefix(BASE_PATH)
        if path == "/product":
            return json_response({"value": [{"id": f"product/{GUID}", "identity": {"externalId": OFFER}}]})
        if path == f"/submission/{GUID}":
            return json_response({"value": self._submissions()})
        submission = next((one for one in self.accepted if path == f"/configure/job-{one.number}/status"), None)
        if submission is None:
            return json_response({"error": {"code": "notFound", "message": "Not found."}}, 404)
        state = ("completed", "succeeded") if self.has_ended(submission) else ("running", "pending")
        started = (START + timedelta(seconds=submission.accepted_at)).isoformat()
        job = {"jobId": f"job-{submission.number}", "jobStatus": state[0], "jobResult": state[1], "jobStart": started}
        return json_response(job)

    def _submissions(self) -> list[dict[str, Any]]:
        first = "preview" if self.awaits_sign_off else "live"
        entries = [_list_entry(1, first, START - timedelta(days=1), done=True)]
        for one in self.shown():
            at = START + timedelta(seconds=one.accepted_at)
            number, target = (1, "live") if one.kind == "golive" else (1 + one.number, "preview")
            entries.append(_list_entry(number, target, at, done=self.has_ended(one)))
        return entries


def _list_entry(number: int, target: str, at: datetime, *, done: bool) -> dict[str, Any]:
    return {
        "id": f"submission/{GUID}/{number}",
        "target": {"targetType": target},
        "status": "completed" if done else "running",
        "result": "succeeded" if done else "pending",
        "created": at.isoformat(),
    }


def sign_in(request: Request, origin: str) -> Response:
    """Respond as Entra ID does: with the discovery document, or with a token for every request."""
    home = f"{origin}/{TENANT}"
    if request.method == "POST":
        return json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token-for-a-test"})
    return json_response(
        {
            "issuer": f"{home}/v2.0",
            "authorization_endpoint": f"{home}/oauth2/v2.0/authorize",
            "token_endpoint": f"{home}/oauth2/v2.0/token",
        }
    )
