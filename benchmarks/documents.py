# SPDX-License-Identifier: Apache-2.0
"""The stub's responses: a publication in progress, and work in progress in the formats of the peers' services.

All of them contain the same steps, so that decoding a response costs each subject the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPERATION: dict[str, Any] = json.loads((Path(__file__).parent / "operation.json").read_text())
"""An operation in certification, as in the CPP API's response."""

NUMBER = "@number@"
"""The placeholder for the number of the requested work."""

TOKEN = json.dumps(
    {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "a" * 1200}
).encode()

HEADERS = (
    "Content-Type: application/json; charset=utf-8\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    "Server: Microsoft-IIS/10.0\r\nX-Content-Type-Options: nosniff\r\n"
    "x-ms-correlation-request-id: ca4d4061-4cf7-482b-87e5-f755cb734922\r\nDate: Tue, 03 Nov 2026 15:06:59 GMT\r\n"
)
"""The headers of the CPP API, for all services."""

REASONS = {200: "OK", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Route:
    """A service's route for the state of one piece of work.

    :param prefix: the start of its path.
    :param segment: which segment of the path is the work's number.
    :param document: the response while the work is in progress.
    :param status: the HTTP status of that response.
    :param bare: whether the number is a JSON number, not a string.
    """

    prefix: str
    segment: int
    document: dict[str, Any]
    status: int = 200
    bare: bool = False

    def parts(self) -> list[bytes]:
        """Split the document at the placeholder, so that one join inserts the number."""
        text = json.dumps(self.document, separators=(",", ":"))
        placeholder = json.dumps(NUMBER) if self.bare else NUMBER
        return [part.encode() for part in text.split(placeholder)]


def routes() -> list[Route]:
    """Return the routes of the CPP API and of the peers' services."""
    return [
        Route("/api/publishers/", 5, OPERATION),
        Route("/sensor/", 2, OPERATION, status=404),
        Route("/api/v2/accounts/", 6, _dbt_cloud(), bare=True),
        Route("/api/public/v1/jobs/", 5, _airbyte(), bare=True),
        Route("/subscriptions/", 10, _data_factory()),
        Route("/myorg/", 5, _power_bi()),
    ]


def response(status: int, body: bytes) -> bytes:
    """Return a complete HTTP response."""
    line = f"HTTP/1.1 {status} {REASONS[status]}\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n"
    return line.encode() + body


def discovery(origin: str, tenant: str) -> bytes:
    """Return the OpenID configuration of an authority, which msal requests first."""
    base = f"{origin}/{tenant}"
    return json.dumps(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "response_types_supported": ["code"],
        }
    ).encode()


def _with_steps(document: dict[str, Any], key: str = "steps") -> dict[str, Any]:
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
    return {"status": {"code": 200, "is_success": True, "user_message": "Success!"}, "data": _with_steps(run)}


def _airbyte() -> dict[str, Any]:
    job = {"jobId": NUMBER, "status": "running", "jobType": "sync", "startTime": "2026-11-03T15:06:59Z"}
    return _with_steps(job | {"connectionId": "18dccc91-0ab1-4f72-9ed7-0b8fc27c5826", "duration": "PT1M"})


def _data_factory() -> dict[str, Any]:
    run = {"runId": NUMBER, "pipelineName": "copy", "status": "InProgress", "runStart": "2026-11-03T15:06:59.67Z"}
    return _with_steps(run | {"durationInMs": 1234, "message": "", "isLatest": True})


def _power_bi() -> dict[str, Any]:
    refresh = {"requestId": NUMBER, "status": "Unknown", "refreshType": "ViaApi", "startTime": "2026-11-03T15:06:59Z"}
    return {"value": [_with_steps(refresh, "refreshAttempts")]}
