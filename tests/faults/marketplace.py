# SPDX-License-Identifier: Apache-2.0
"""One offer on either API, and sign-in, as the server of a case has them: what was accepted, and what the list shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import Any

PUBLISHER, OFFER, TENANT = "contoso", "contoso-vm", "11111111-2222-4333-8444-555555555555"
GUID = "12345678-1234-4321-8765-123456789012"
BEGAN = datetime(2026, 11, 3, 8, tzinfo=timezone.utc)
ENDS_AFTER = 100.0
"""Seconds on the case's clock until a publication awaits sign-off, and until an offer that goes live is live."""

BELOW = "/rp/product-ingestion"
"""The path that the Product Ingestion API is below."""

ROOT = f"/api/publishers/{PUBLISHER}/offers/{OFFER}"


@dataclass
class Clock:
    """The time of one case, which the client and the server share: it moves when a flow sleeps, and never by itself."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.0)


@dataclass(frozen=True)
class Request:
    """A request as the server read it."""

    method: str
    path: str
    body: bytes = b""

    @property
    def is_sign_in(self) -> bool:
        return self.path.startswith(f"/{TENANT}/")


@dataclass(frozen=True)
class Response:
    """A response before anything happens to it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, status: int | None = None, *more: tuple[str, str]) -> bytes:
        """Return the status line and the headers, without the blank line and without a length."""
        named = (("Content-Type", "application/json"), *self.headers, *more)
        lines = [f"HTTP/1.1 {self.status if status is None else status:03d} Whatever", *(f"{a}: {b}" for a, b in named)]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n"

    def bytes(self) -> bytes:
        return self.head(None, ("Content-Length", str(len(self.body)))) + b"\r\n" + self.body


def json_response(content: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(content).encode(), headers)


REFUSED = json_response({"error": {"code": "TooManyRequests", "message": "Nothing was done."}}, 429)
"""What the server says, where it says anything whole, to a submit that it does not accept."""


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
    """One offer of one API: every submit that arrives is accepted, also while another one is in progress.

    So each publish too many counts, where the real API would refuse some of them.

    :param awaits_sign_off: whether the offer begins at its publisher's sign-off, rather than live.
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
        """Return what the list shows by now, the newest last."""
        with self.lock:
            return [one for one in self.accepted if one.accepted_at + self.lag <= self.clock.seconds]

    def has_ended(self, one: Submission) -> bool:
        return one.ends_at <= self.clock.seconds

    def answer(self, request: Request, *, accepts: bool = True) -> Response:
        """Answer a request; a submit is recorded first if it is accepted."""
        if request.is_sign_in:
            raise NotImplementedError
        if request.method == "POST" and not accepts:
            return REFUSED
        return self.submitted(request) if request.method == "POST" else self.read(request)

    def submitted(self, request: Request) -> Response:
        raise NotImplementedError

    def read(self, request: Request) -> Response:
        raise NotImplementedError


class CloudPartnerPortal(Marketplace):
    """The offer as the CPP API has it."""

    def submitted(self, request: Request) -> Response:
        one = self.accept("golive" if "/golive" in request.path else "publish")
        return Response(202, b"", (("Location", f"{ROOT}/operations/op-{one.number}?api-version=2017-10-31"),))

    def read(self, request: Request) -> Response:
        path = request.path.partition("?")[0]
        shown = self.shown()
        if path == ROOT:
            return json_response({"id": OFFER, "version": 3, "definition": {}}, 200, (("ETag", '"3"'),))
        if path == f"{ROOT}/submissions/":
            return json_response([self._first(), *map(self._entry, shown)])
        if path == f"{ROOT}/status":
            return json_response(self._status(shown[-1] if shown else None))
        found = next((one for one in shown if path == f"{ROOT}/operations/op-{one.number}"), None)
        if found is not None:
            return json_response(self._status(found))
        return json_response({"error": {"code": "NotFound", "message": "There is no such thing."}}, 404)

    def _first(self) -> dict[str, Any]:
        state = "running" if self.awaits_sign_off else "completed"
        return _entry("op-0", "publish", state, BEGAN - timedelta(days=1))

    def _entry(self, one: Submission) -> dict[str, Any]:
        done = self.has_ended(one)
        state = "completed" if done and one.kind == "golive" else "running"
        return _entry(f"op-{one.number}", one.kind, state, BEGAN + timedelta(seconds=one.accepted_at))

    def _status(self, one: Submission | None) -> dict[str, Any]:
        if one is None:
            return {"status": "waitingForPublisherReview" if self.awaits_sign_off else "succeeded"}
        if self.has_ended(one):
            return {"status": "succeeded" if one.kind == "golive" else "waitingForPublisherReview"}
        return {"status": "running", "steps": [{"stepName": "live", "status": "inProgress"}] * (one.kind == "golive")}


def _entry(name: str, kind: str, state: str, at: datetime) -> dict[str, Any]:
    return {"id": name, "submissionType": kind, "submissionState": state, "changedTime": at.isoformat()}


class ProductIngestion(Marketplace):
    """The offer as the Product Ingestion API has it: a submit is a job, and goes live under its submission's id."""

    def submitted(self, request: Request) -> Response:
        target = json.loads(request.body)["resources"][-1]["target"]["targetType"]
        one = self.accept("golive" if target == "live" else "publish")
        return json_response({"jobId": f"job-{one.number}", "jobStatus": "notStarted", "jobResult": "pending"}, 202)

    def read(self, request: Request) -> Response:
        path = request.path.partition("?")[0].removeprefix(BELOW)
        if path == "/product":
            return json_response({"value": [{"id": f"product/{GUID}", "identity": {"externalId": OFFER}}]})
        if path == f"/submission/{GUID}":
            return json_response({"value": self._submissions()})
        found = next((one for one in self.accepted if path == f"/configure/job-{one.number}/status"), None)
        if found is None:
            return json_response({"error": {"code": "notFound", "message": "There is no such thing."}}, 404)
        state = ("completed", "succeeded") if self.has_ended(found) else ("running", "pending")
        started = (BEGAN + timedelta(seconds=found.accepted_at)).isoformat()
        job = {"jobId": f"job-{found.number}", "jobStatus": state[0], "jobResult": state[1], "jobStart": started}
        return json_response(job)

    def _submissions(self) -> list[dict[str, Any]]:
        first = "preview" if self.awaits_sign_off else "live"
        entries = [_listed(1, first, BEGAN - timedelta(days=1), done=True)]
        for one in self.shown():
            at = BEGAN + timedelta(seconds=one.accepted_at)
            number, target = (1, "live") if one.kind == "golive" else (1 + one.number, "preview")
            entries.append(_listed(number, target, at, done=self.has_ended(one)))
        return entries


def _listed(number: int, target: str, at: datetime, *, done: bool) -> dict[str, Any]:
    return {
        "id": f"submission/{GUID}/{number}",
        "target": {"targetType": target},
        "status": "completed" if done else "running",
        "result": "succeeded" if done else "pending",
        "created": at.isoformat(),
    }


def sign_in(request: Request, origin: str) -> Response:
    """Answer as Entra ID does: the discovery, and a token for whoever asks."""
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
