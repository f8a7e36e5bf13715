# SPDX-License-Identifier: Apache-2.0
"""One run of a DAG that publishes offers, a portal of its own behind it, and what was counted there at the end."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import requests
from deployments.airflow import Deployment
from deployments.api import ApiRefusal
from deployments.processes import wait_until
from partner_center_emulator import Emulator, ScaledClock, Settings
from partner_center_emulator.faults import Gate

UNTAKEN = (401, 403, 429)
"""Answers to an order that say that it was not even looked at."""

ACCEPTED = 202
"""The answer to an order that was taken."""

ENDED = ("success", "failed")
ORDERS = {"publish": ("publish", "configure_publish"), "golive": ("golive", "configure_golive")}
"""What counts as an order, whichever API it came through; every other offer is published through the successor."""

POLLS = ("operation", "configure_status")
CONNECTIONS = ("cloud_partner_portal_default", "product_ingestion_default")
_numbers = itertools.count(1)


@dataclass
class Row:
    """What came of a scenario: a line of the table.

    :param published: offers that the portal took a publish for.
    :param through_successor: how many of these through the successor's calls.
    :param live: offers that are live at the end.
    :param lost: offers that are not, or whose task did not succeed.
    :param doubled: orders beyond the first one of a kind for an offer, whatever the portal said to them.
    :param canceled: requests for a cancel, and operations that ended as canceled.
    :param struck: how the fault struck.
    """

    deployment: str
    fault: str
    offers: int
    published: int = 0
    through_successor: int = 0
    live: int = 0
    lost: int = 0
    doubled: int = 0
    canceled: int = 0
    struck: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or canceled."""
        counts = (self.published, self.live, self.lost, self.doubled, self.canceled)
        return counts == (self.offers, self.offers, 0, 0, 0)


class Scenario:
    """A run of a DAG for some new offers; a context manager, which serves the portal.

    :param deployment: where it runs.
    :param fault: names the row.
    :param offers: how many.
    :param dag_id: the DAG, of ``tests/e2e/dags``.
    :param speed: seconds of the portal in one of the world; at 1 publications last for days, until :meth:`finish`.
    :param signed_off: whether an emulated person goes live, an hour after the preview.
    """

    def __init__(
        self,
        deployment: Deployment,
        fault: str,
        *,
        offers: int = 10,
        dag_id: str = "deferred",
        speed: float = 1.0,
        signed_off: bool = True,
    ) -> None:
        self.deployment, self.fault, self.dag_id = deployment, fault, dag_id
        self.clock = ScaledClock(speed)
        name = re.sub("[^a-z0-9]+", "-", fault.lower())
        settings = Settings(sign_off_after=timedelta(hours=signed_off))
        # The certificates outlive a portal that is away for a while.
        self.portal = Emulator(settings, self.clock, directory=deployment.home / "portals" / name)
        self.run_id = f"{name}-{next(_numbers)}"
        self.offers = [f"{name}-{number}" for number in range(offers)]
        self.struck: list[str] = []
        self.gates: tuple[Gate, ...] = ()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Serve the portal with its offers, and tell Airflow the connection."""
        self.portal.start()
        for offer in self.offers:
            self.portal.add_offer(offer, history="succeeded")
        self.connect()
        return self

    def connect(self) -> None:
        """Tell Airflow the connections to both APIs."""
        for conn_id, connection in zip(
            CONNECTIONS, (self.portal.connection, self.portal.ingestion_connection), strict=True
        ):
            self.deployment.api.set_connection(connection, conn_id)

    def disconnect(self) -> None:
        """Take the connections to both APIs away."""
        for conn_id in CONNECTIONS:
            self.deployment.api.delete_connection(conn_id)

    def polls(self) -> int:
        """Count the polls that reached the portal."""
        return sum(self.portal.counts[poll] for poll in POLLS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the portal; where something went wrong, end the run too, since its tasks would wait beside those of the next."""
        try:
            if kind is not None:
                with contextlib.suppress(ApiRefusal, requests.RequestException):
                    self.deployment.api.end(self.dag_id, self.run_id)
        finally:
            self.portal.stop()

    def begin(self) -> None:
        """Trigger the DAG."""
        self.deployment.api.trigger(self.dag_id, self.run_id, {"offers": self.offers})

    def tasks(self, *states: str) -> list[dict[str, Any]]:
        """List the tasks that deal with an offer; only those in these states, if any is named."""
        found = self.deployment.api.task_instances(self.dag_id, self.run_id)
        return [one for one in found if one["map_index"] >= 0 and (not states or one["state"] in states)]

    def wait_for(self, *states: str, count: int | None = None, patience: float = 180.0) -> list[dict[str, Any]]:
        """Wait until so many tasks are in one of these states; all of them, unless a number is given."""
        wanted = len(self.offers) if count is None else count
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = self.tasks(*states)
            return len(found) >= wanted

        wait_until(there, f"{wanted} tasks of {self.run_id} are {' or '.join(states)}", patience, 0.3)
        return found

    def wait_until_polled(self) -> None:
        """Wait until the portal was asked about every offer: what waits then has a token, and a poll behind it."""
        asked = self.portal.counts_for
        wait_until(
            lambda: all(any(asked(offer)[poll] for poll in POLLS) for offer in self.offers), "every offer is polled"
        )

    def note(self, text: str, *, strikes: int) -> None:
        """Note how the fault struck.

        :param strikes: how many there are of what it struck; none means that it struck nothing, which is an error.
        """
        assert strikes > 0, f"{self.fault}: nothing was struck: {text}"
        self.struck.append(text)

    def answered(self, status: int, routes: Iterable[str] = ()) -> int:
        """Count the requests that the portal answered so."""
        wanted = set(routes)
        return sum(one.status == status and (not wanted or one.route in wanted) for one in self.portal.requests)

    def published(self) -> dict[str, set[str]]:
        """Return the offers that the portal took a publish for, and by which calls."""
        taken: dict[str, set[str]] = defaultdict(set)
        for one in self.portal.requests:
            if one.route in ORDERS["publish"] and one.status == ACCEPTED:
                taken[str(one.offer)].add(one.route)
        return taken

    def is_published(self) -> bool:
        """Whether the portal took a publish for every offer: all that is left to do is to wait."""
        return len(self.published()) == len(self.offers)

    def finish(self, patience: float = 240.0) -> Row:
        """Let the days pass, wait for the run's end, and count."""
        self.clock.jump(days=10)
        return self.count(patience)

    def count(self, patience: float = 240.0) -> Row:
        """Wait for the run's end, and until what is signed off is live, and count."""
        api = self.deployment.api
        wait_until(lambda: api.run(self.dag_id, self.run_id)["state"] in ENDED, f"{self.run_id} ends", patience, 0.5)
        self.clock.jump(days=10)
        failed = {one["rendered_fields"].get("offer_id") for one in self.tasks() if one["state"] != "success"}
        row = Row(self.deployment.name, self.fault, len(self.offers), struck="; ".join(self.struck))
        sent = Counter((one.route, one.offer) for one in self.portal.requests if one.status not in UNTAKEN)
        row.doubled = sum(
            max(0, sum(sent[route, offer] for route in routes) - 1)
            for routes in ORDERS.values()
            for offer in self.offers
        )
        row.canceled = self.portal.counts["cancel"] + self.portal.counts["configure_cancel"]
        published = self.published()
        for offer in self.offers:
            operations = self.portal.operations(offer)
            live = self.portal.status(offer)["status"] == "succeeded"
            taken = published.get(offer)
            row.published += bool(taken)
            row.through_successor += taken == {ORDERS["publish"][1]}
            row.live += live and bool(taken)
            row.lost += not (live and taken) or offer in failed
            row.canceled += sum(one["submissionState"] == "canceled" for one in operations)
        row.seconds = time.monotonic() - self._began
        return row
