# SPDX-License-Identifier: Apache-2.0
"""One run of a DAG that publishes offers, with its own emulator, and the emulator's counts at the end."""

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
from deployments.api import ApiError
from deployments.processes import wait_until
from partner_center_emulator import Emulator, ScaledClock, Settings
from partner_center_emulator.faults import Gate

NOT_PROCESSED = (401, 403, 429)
"""Statuses which show that the API did not process a submit."""

ACCEPTED = 202
"""The status of an accepted submit."""

ENDED = ("success", "failed")
SUBMITS = {"publish": ("publish", "configure_publish"), "golive": ("golive", "configure_golive")}
"""The routes of each submit, of both APIs; every other offer is published through the Product Ingestion API."""

POLLS = ("operation", "configure_status")
CONNECTIONS = ("cloud_partner_portal_default", "product_ingestion_default")
_numbers = itertools.count(1)


@dataclass
class Row:
    """The results of a scenario: a line of the table.

    :param published: offers with an accepted publish.
    :param through_product_ingestion: how many of these through the Product Ingestion API.
    :param live: offers that are live at the end.
    :param lost: offers that are not live, or whose task did not succeed.
    :param duplicates: submits after the first one of a kind for an offer, accepted or not.
    :param canceled: cancel requests, and operations that ended as canceled.
    :param events: what the fault did.
    """

    deployment: str
    fault: str
    offers: int
    published: int = 0
    through_product_ingestion: int = 0
    live: int = 0
    lost: int = 0
    duplicates: int = 0
    canceled: int = 0
    events: str = ""
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, submitted twice or canceled."""
        counts = (self.published, self.live, self.lost, self.duplicates, self.canceled)
        return counts == (self.offers, self.offers, 0, 0, 0)


class Scenario:
    """A run of a DAG for some new offers; a context manager that serves the emulator.

    :param deployment: the deployment that it runs on.
    :param fault: the name of the row.
    :param offers: how many.
    :param dag_id: the DAG, of ``tests/e2e/dags``.
    :param speed: seconds of the emulator's clock in a second; at 1 publications take days, until :meth:`finish`.
    :param signed_off: whether an emulated person signs off, an hour after the preview.
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
        # In a folder, so that a restarted emulator has the same certificates.
        self.emulator = Emulator(settings, self.clock, directory=deployment.home / "emulators" / name)
        self.run_id = f"{name}-{next(_numbers)}"
        self.offers = [f"{name}-{number}" for number in range(offers)]
        self.events: list[str] = []
        self.gates: tuple[Gate, ...] = ()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Serve the emulator with its offers, and create the connections."""
        self.emulator.start()
        for offer in self.offers:
            self.emulator.add_offer(offer, history="succeeded")
        self.connect()
        return self

    def connect(self) -> None:
        """Create or update the connections to both APIs."""
        for conn_id, connection in zip(
            CONNECTIONS, (self.emulator.connection, self.emulator.product_ingestion_connection), strict=True
        ):
            self.deployment.api.set_connection(connection, conn_id)

    def disconnect(self) -> None:
        """Delete the connections to both APIs."""
        for conn_id in CONNECTIONS:
            self.deployment.api.delete_connection(conn_id)

    def polls(self) -> int:
        """Return the number of polls that reached the emulator."""
        return sum(self.emulator.counts[poll] for poll in POLLS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the emulator; after an error, end the run too, so that its tasks do not wait beside those of the next one."""
        try:
            if kind is not None:
                with contextlib.suppress(ApiError, requests.RequestException):
                    self.deployment.api.fail_run(self.dag_id, self.run_id)
        finally:
            self.emulator.stop()

    def start(self) -> None:
        """Trigger the DAG."""
        self.deployment.api.trigger(self.dag_id, self.run_id, {"offers": self.offers})

    def tasks(self, *states: str) -> list[dict[str, Any]]:
        """List the mapped tasks of the offers; if states are given, only those in one of them."""
        instances = self.deployment.api.task_instances(self.dag_id, self.run_id)
        return [one for one in instances if one["map_index"] >= 0 and (not states or one["state"] in states)]

    def wait_for(self, *states: str, count: int | None = None, timeout: float = 180.0) -> list[dict[str, Any]]:
        """Wait until so many tasks, by default all, are in one of these states."""
        expected = len(self.offers) if count is None else count
        tasks: list[dict[str, Any]] = []

        def enough() -> bool:
            tasks[:] = self.tasks(*states)
            return len(tasks) >= expected

        try:
            wait_until(enough, f"{expected} tasks of {self.run_id} are {' or '.join(states)}", timeout, 0.3)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.describe_others(*states)}") from None
        return tasks

    def describe_others(self, *states: str) -> str:
        """Return the state, the try and the end of the last log of each task that is in none of these states."""
        lines = []
        for one in self.tasks():
            if one["state"] not in states:
                folder = self.deployment.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
                logs = sorted(folder.glob(f"task_id={one['task_id']}/map_index={one['map_index']}/attempt=*.log"))
                end = logs[-1].read_text(errors="replace")[-1500:] if logs else "no log"
                lines.append(f"{one['map_index']}: {one['state']}, try {one['try_number']}: {end}")
        return "\n".join(lines)

    def wait_until_polled(self) -> None:
        """Wait until every offer was polled, so that each wait has a token and has polled once."""
        counts_for = self.emulator.counts_for
        wait_until(
            lambda: all(any(counts_for(offer)[poll] for poll in POLLS) for offer in self.offers),
            "every offer is polled",
        )

    def record(self, text: str, *, affected: int) -> None:
        """Record what the fault did.

        :param affected: how many tasks, triggers or requests it affected; none is an error.
        """
        assert affected > 0, f"{self.fault}: the fault affected nothing: {text}"
        self.events.append(text)

    def responses(self, status: int, routes: Iterable[str] = ()) -> int:
        """Return the number of responses with a status, on these routes if any are given."""
        chosen = set(routes)
        return sum(one.status == status and (not chosen or one.route in chosen) for one in self.emulator.requests)

    def published(self) -> dict[str, set[str]]:
        """Return the offers with an accepted publish, each with the routes of its publishes."""
        routes: dict[str, set[str]] = defaultdict(set)
        for one in self.emulator.requests:
            if one.route in SUBMITS["publish"] and one.status == ACCEPTED:
                routes[str(one.offer)].add(one.route)
        return routes

    def is_published(self) -> bool:
        """Whether the API has accepted a publish for every offer, so that all tasks only wait."""
        return len(self.published()) == len(self.offers)

    def finish(self, timeout: float = 240.0) -> Row:
        """Advance the clock by days, wait for the run's end, and count."""
        self.clock.jump(days=10)
        return self.count(timeout)

    def count(self, timeout: float = 240.0) -> Row:
        """Wait for the run's end, advance the clock until signed-off offers are live, and count."""
        api = self.deployment.api
        wait_until(lambda: api.run(self.dag_id, self.run_id)["state"] in ENDED, f"{self.run_id} ends", timeout, 0.5)
        self.clock.jump(days=10)
        failed = {one["rendered_fields"].get("offer_id") for one in self.tasks() if one["state"] != "success"}
        row = Row(self.deployment.name, self.fault, len(self.offers), events="; ".join(self.events))
        sent = Counter((one.route, one.offer) for one in self.emulator.requests if one.status not in NOT_PROCESSED)
        row.duplicates = sum(
            max(0, sum(sent[route, offer] for route in routes) - 1)
            for routes in SUBMITS.values()
            for offer in self.offers
        )
        row.canceled = self.emulator.counts["cancel"] + self.emulator.counts["configure_cancel"]
        published = self.published()
        for offer in self.offers:
            operations = self.emulator.operations(offer)
            live = self.emulator.status(offer)["status"] == "succeeded"
            publish_routes = published.get(offer)
            row.published += bool(publish_routes)
            row.through_product_ingestion += publish_routes == {SUBMITS["publish"][1]}
            row.live += live and bool(publish_routes)
            row.lost += not (live and publish_routes) or offer in failed
            row.canceled += sum(one["submissionState"] == "canceled" for one in operations)
        row.seconds = time.monotonic() - self._started
        return row
