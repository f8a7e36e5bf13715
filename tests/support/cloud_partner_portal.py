# SPDX-License-Identifier: Apache-2.0
"""A fake CPP API for flows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_cpp.core.http import Request
from support.player import START


class FakeAPI:
    """Return the next response of each kind; the last one repeats.

    :param post: the responses to submits.
    :param operations: the lists of operations.
    :param status: the offer's statuses.
    """

    def __init__(self, *, post: list[Any] | None = None, operations: list[Any], status: list[Any]) -> None:
        self.responses = {"POST": post or [], "list": operations, "status": status}

    def __call__(self, request: Request[Any]) -> Any:
        kind = "status" if request.path.endswith("/status") else "list"
        responses = self.responses[request.method if request.method == "POST" else kind]
        return responses.pop(0) if len(responses) > 1 else responses[0]


def changed(operation: dict[str, Any], minutes: float) -> dict[str, Any]:
    """Return an operation that changed this many minutes after the DAG run began, an hour before the tests' time."""
    time = START + timedelta(minutes=minutes - 60)
    return operation | {"changedTime": time.isoformat()}
