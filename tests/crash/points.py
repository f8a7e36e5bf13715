# SPDX-License-Identifier: Apache-2.0
"""The steps at which a process is killed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A step at which the process that executes the task is killed.

    :param name: names the run, the offer and the connection.
    :param description: for the table.
    :param kind: ``publish`` or ``golive``.
    :param gate: which requests the emulator holds: a route, and whether they take effect first.
    :param hold: where Airflow's task state store is held instead: ``1 before`` its first write, for example.
    :param waits: whether the task waits for the operation.
    :param late: whether the held request takes effect only after the retry has polled.
    """

    name: str
    description: str
    kind: str
    gate: tuple[str, bool] | None = None
    hold: str = ""
    waits: bool = False
    late: bool = False

    @property
    def dag_id(self) -> str:
        """The DAG that runs."""
        return f"{self.kind}_and_wait" if self.waits else self.kind


PRODUCT_INGESTION_ROUTES = {
    "submissions": "submission_list",
    "status": "submission_list",
    "publish": "configure_publish",
    "golive": "configure_golive",
    "operation": "configure_status",
}
"""The routes of the Product Ingestion API, by the CPP API's routes for the same purpose."""


def route(name: str, api: str) -> str:
    """Return the API's route for what the CPP API's route ``name`` does."""
    return PRODUCT_INGESTION_ROUTES[name] if api == "product_ingestion" else name


RECEIVED = "the request has reached the API, which has not processed it"
LATE = "the same, and the API processes it after the retry has polled"
ACCEPTED = "the request is accepted, its response is held back"


def points(*, with_checkpoints: bool) -> list[Point]:
    """List the points; those between checkpoints only where Airflow stores checkpoints."""
    if with_checkpoints:
        before = [
            Point("publish_before_checkpoint", "before the checkpoint is saved", "publish", hold="1 before"),
            Point("publish_after_checkpoint", "after the checkpoint is saved", "publish", hold="1 after"),
        ]
        after = [
            Point(
                "publish_before_operation_saved",
                "after the response, before its operation is saved",
                "publish",
                hold="2 before",
            ),
            Point("publish_operation_saved", "after the operation is saved", "publish", hold="2 after"),
        ]
    else:
        before = [Point("publish_before_submit", "before the submit", "publish", ("submissions", False))]
        after = []
    return [
        *before,
        Point("publish_received", RECEIVED, "publish", ("publish", False)),
        Point("publish_late", LATE, "publish", ("publish", False), late=True),
        Point("publish_accepted", ACCEPTED, "publish", ("publish", True)),
        *after,
        Point("publish_waiting", "while the task waits for the preview", "publish", ("operation", False), waits=True),
        Point("golive_before_submit", "before the submit", "golive", ("status", False)),
        Point("golive_received", RECEIVED, "golive", ("golive", False)),
        Point("golive_late", LATE, "golive", ("golive", False), late=True),
        Point("golive_accepted", ACCEPTED, "golive", ("golive", True)),
        Point("golive_waiting", "while the task waits until it is live", "golive", ("operation", False), waits=True),
    ]
