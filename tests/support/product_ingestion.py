# SPDX-License-Identifier: Apache-2.0
"""A Product Ingestion API played by hand, with one product on it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.exceptions import MarketplaceError, NotFoundError
from support.player import reply

SAMPLES = Path(__file__).parents[1] / "apis" / "product_ingestion" / "samples"
GUID = "12345678-1234-4321-8765-123456789012"
JOB = "d4261631-c583-4949-a612-5150882632e9"


def sample(name: str) -> Any:
    """Return a fresh copy of a sample."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


def submission(number: int, target: str, status: str = "completed/succeeded", created: str = "") -> dict[str, Any]:
    """Make an entry of the list of submissions; the later its number, the later it was made, if not told."""
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


class Market:
    """Answers calls; of several answers to the same question the last one is given for ever.

    :ivar lists: the submissions without the draft's entry, one list after the other; an error in place of one.
    :ivar jobs: what the job says, one after the other.
    :ivar orders: how configure requests are answered: JSON or an error, one after the other.
    :ivar trees: the resources by target.
    :ivar posted: the bodies of the orders; the path of a cancel.
    """

    def __init__(self, *lists: Any) -> None:
        self.products = sample("product-list-page")["value"]
        self.products[0]["identity"]["externalId"] = "Contoso-VM"
        self.lists = list(lists) or [[]]
        self.jobs: list[Any] = [job()]
        self.orders: list[Any] = [job("notStarted/pending")]
        self.trees: dict[str, Any] = {}
        self.posted: list[Any] = []
        self.then: Callable[[Market], None] = lambda _: None

    def __call__(self, call: Request[Any]) -> Any:
        if call.method == "POST":
            self.posted.append(json.loads(call.body) if call.body else call.path)
            answer = self._next(self.orders)
            self.then(self)
            return reply(answer, 202) if isinstance(answer, dict) else answer
        if call.path.startswith("/product"):
            return {"value": copy.deepcopy(self.products)}
        if call.path.startswith("/submission/"):
            entries = self._next(self.lists)
            return {"value": [DRAFT, *entries]} if isinstance(entries, list) else entries
        if call.path.startswith("/resource-tree/"):
            target = call.path.rpartition("=")[2]
            if target not in self.trees:
                return NotFoundError(call.description, status=404)
            resources = self.trees[target]
            return resources if isinstance(resources, MarketplaceError) else {"resources": copy.deepcopy(resources)}
        return self._next(self.jobs)

    def _next(self, answers: list[Any]) -> Any:
        return answers.pop(0) if len(answers) > 1 else answers[0]
