# SPDX-License-Identifier: Apache-2.0
"""A fake Product Ingestion API for flows, with one product."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from airflow_provider_cpp.apis.product_ingestion.endpoints import DEFAULT_HOST
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.exceptions import MarketplaceError, NotFoundError
from support import player

SAMPLES = Path(__file__).parents[1] / "apis" / "product_ingestion" / "samples"
GUID = "12345678-1234-4321-8765-123456789012"
JOB = "d4261631-c583-4949-a612-5150882632e9"

SPELLINGS: dict[Status, tuple[str, ...]] = {
    Status.NEVER_PUBLISHED: ("draft only",),
    Status.NOT_STARTED: ("job notStarted/pending",),
    Status.RUNNING: ("preview notStarted/pending", "preview running/pending", "live running/pending"),
    Status.WAITING_FOR_PUBLISHER_REVIEW: ("preview completed/succeeded",),
    Status.SUCCEEDED: ("live completed/succeeded",),
    Status.FAILED: ("preview completed/failed", "live completed/failed"),
    Status.CANCELED: ("job completed/cancelled",),
}
"""For each status of an offer: target, progress and result of its newest submission or job."""


def sample(name: str) -> Any:
    """Return a fresh copy of a sample."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


def make_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Make a response of this API's host."""
    return player.make_response(body, status, headers, DEFAULT_HOST)


def submission(number: int, target: str, status: str = "completed/succeeded", created: str = "") -> dict[str, Any]:
    """Make an item of the list of submissions; by default a greater number means a later creation time."""
    progress, _, result = status.partition("/")
    return {
        "id": f"submission/{GUID}/{number}",
        "product": f"product/{GUID}",
        "target": {"targetType": target},
        "status": progress,
        "result": result,
        "created": created or f"2026-11-03T{number % 24:02d}:00:00.5Z",
    }


def job(status: str = "running/pending", errors: Any = (), started: str | None = "2026-11-03T08:00:00.123456Z") -> Any:
    """Make a job."""
    progress, _, result = status.partition("/")
    return {
        "jobId": JOB,
        "jobStatus": progress,
        "jobResult": result,
        "jobStart": started,
        "jobEnd": "0001-01-01T00:00:00",
        "errors": list(errors),
        "resourceUri": f"https://product-ingestion.mp.microsoft.com/configure/{JOB}",
    }


DRAFT = {"id": f"submission/{GUID}/0", "product": f"product/{GUID}", "target": {"targetType": "draft"}}


class FakeAPI:
    """Return scripted responses; the last one of each kind repeats.

    :ivar lists: the lists of submissions, without the draft's, or errors in their place.
    :ivar jobs: the job's states.
    :ivar post_responses: the responses to POST requests: JSON or errors.
    :ivar trees: the resources by target.
    :ivar posted: the bodies of the configure requests, and the paths of the cancels.
    :ivar after_post: called after each POST request.
    """

    def __init__(self, *lists: Any) -> None:
        self.products = sample("product-list-page")["value"]
        self.products[0]["identity"]["externalId"] = "Contoso-VM"
        self.lists = list(lists) or [[]]
        self.jobs: list[Any] = [job()]
        self.post_responses: list[Any] = [job("notStarted/pending")]
        self.trees: dict[str, Any] = {}
        self.posted: list[Any] = []
        self.after_post: Callable[[FakeAPI], None] = lambda _: None

    def __call__(self, request: Request[Any]) -> Any:
        if request.method == "POST":
            self.posted.append(json.loads(request.body) if request.body else request.path)
            response = self._next(self.post_responses)
            self.after_post(self)
            return make_response(response, 202) if isinstance(response, dict) else response
        if request.path.startswith("/product"):
            return {"value": copy.deepcopy(self.products)}
        if request.path.startswith("/submission/"):
            submissions = self._next(self.lists)
            return {"value": [DRAFT, *submissions]} if isinstance(submissions, list) else submissions
        if request.path.startswith("/resource-tree/"):
            target = request.path.rpartition("=")[2]
            if target not in self.trees:
                return NotFoundError(request.description, status=404)
            resources = self.trees[target]
            return resources if isinstance(resources, MarketplaceError) else {"resources": copy.deepcopy(resources)}
        return self._next(self.jobs)

    def _next(self, responses: list[Any]) -> Any:
        return responses.pop(0) if len(responses) > 1 else responses[0]
