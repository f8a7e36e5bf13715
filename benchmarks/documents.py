# SPDX-License-Identifier: Apache-2.0
"""What the stub answers: a publication that runs, and what the peers' services say of work that runs.

All of them carry the same steps, so that decoding an answer costs everybody the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPERATION: dict[str, Any] = json.loads((Path(__file__).parent / "operation.json").read_text())
"""An operation in certification, as the portal shows it."""

NUMBER = "@number@"
"""Stands in a document where the service repeats the number that it was asked for."""

TOKEN = json.dumps(
    {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "a" * 1200}
).encode()

HEADERS = (
    "Content-Type: application/json; charset=utf-8\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    "Server: Microsoft-IIS/10.0\r\nX-Content-Type-Options: nosniff\r\n"
    "x-ms-correlation-request-id: ca4d4061-4cf7-482b-87e5-f755cb734922\r\nDate: Tue, 03 Nov 2026 15:06:59 GMT\r\n"
)
"""The headers that the portal sends, for everybody."""

REASONS = {200: "OK", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Route:
    """A service's address for the state of one piece of work.

    :param prefix: how its path begins.
    :param place: where in the path, cut at its slashes, the work's number stands.
    :param document: what is answered while the work runs.
    :param status: the HTTP status of that answer.
    :param bare: whether the number stands in the document as a number, not as text.
    """

    prefix: str
    place: int
    document: dict[str, Any]
    status: int = 200
    bare: bool = False

    def parts(self) -> list[bytes]:
        """Cut the document where the number goes, so that putting it in is one join."""
        text = json.dumps(self.document, separators=(",", ":"))
        mark = json.dumps(NUMBER) if self.bare else NUMBER
        return [part.encode() for part in text.split(mark)]


def routes() -> list[Route]:
    """Return ours and the peers'."""
    return [
        Route("/api/publishers/", 5, OPERATION),
        Route("/sensor/", 2, OPERATION, status=404),
        Route("/api/v2/accounts/", 6, _dbt_cloud(), bare=True),
        Route("/api/public/v1/jobs/", 5, _airbyte(), bare=True),
        Route("/subscriptions/", 10, _data_factory()),
        Route("/myorg/", 5, _power_bi()),
    ]


def answer(status: int, body: bytes) -> bytes:
    """Write a whole answer."""
    line = f"HTTP/1.1 {status} {REASONS[status]}\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n"
    return line.encode() + body


def discovery(origin: str, tenant: str) -> bytes:
    """Write where an authority has its addresses: what msal asks for first."""
    base = f"{origin}/{tenant}"
    return json.dumps(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "response_types_supported": ["code"],
        }
    ).encode()


def _like_ours(document: dict[str, Any], key: str = "steps") -> dict[str, Any]:
    return document | {key: OPERATION["steps"]}


def _dbt_cloud() -> dict[str, Any]:
    run = {
        "id": NUMBER,
        "account_id": 42,
        "status": 3,
        "status_humanized": "Running",
        "in_progress": True,
        "is_complete": False,
        "is_success": False,
        "is_error": False,
        "is_cancelled": False,
    }
    return {"status": {"code": 200, "is_success": True, "user_message": "Success!"}, "data": _like_ours(run)}


def _airbyte() -> dict[str, Any]:
    job = {"jobId": NUMBER, "status": "running", "jobType": "sync", "startTime": "2026-11-03T15:06:59Z"}
    return _like_ours(job | {"connectionId": "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826", "duration": "PT1M"})


def _data_factory() -> dict[str, Any]:
    run = {"runId": NUMBER, "pipelineName": "copy", "status": "InProgress", "runStart": "2026-11-03T15:06:59.67Z"}
    return _like_ours(run | {"durationInMs": 1234, "message": "", "isLatest": True})


def _power_bi() -> dict[str, Any]:
    refresh = {"requestId": NUMBER, "status": "Unknown", "refreshType": "ViaApi", "startTime": "2026-11-03T15:06:59Z"}
    return {"value": [_like_ours(refresh, "refreshAttempts")]}
