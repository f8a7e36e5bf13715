# SPDX-License-Identifier: Apache-2.0
"""Where a process is killed, and what must be true afterwards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A step at which the process that executes the task is killed.

    :param name: names the run, the offer and the connection.
    :param words: for the table.
    :param order: ``publish`` or ``golive``.
    :param gate: which requests the portal holds there: a route, and whether they take effect first.
    :param hold: where Airflow's store of a task's state is held instead: ``1 before`` its first writing, for example.
    :param waits: whether the task waits for the effect of its order.
    :param late: whether what the portal holds takes effect only once the retry has looked.
    """

    name: str
    words: str
    order: str
    gate: tuple[str, bool] | None = None
    hold: str = ""
    waits: bool = False
    late: bool = False

    @property
    def dag_id(self) -> str:
        """The DAG that runs there."""
        return f"{self.order}_and_wait" if self.waits else self.order


SUCCESSORS = {
    "submissions": "submission_list",
    "status": "submission_list",
    "publish": "configure_publish",
    "golive": "configure_golive",
    "operation": "configure_status",
}
"""What the successor's requests are called, for what the portal's are."""


def route(name: str, api: str) -> str:
    """Return the route that an API has for what the portal calls this."""
    return SUCCESSORS[name] if api == "product_ingestion" else name


def points(*, with_notes: bool) -> list[Point]:
    """List the points, those between notes only where there are notes."""
    found = []
    if with_notes:
        found += [
            Point("publish_before_intent", "before the intent is noted", "publish", hold="1 before"),
            Point("publish_after_intent", "after the intent is noted", "publish", hold="1 after"),
        ]
    else:
        found.append(Point("publish_before_order", "before the order", "publish", ("submissions", False)))
    found += [
        Point("publish_at_portal", "the order is at the portal, not read yet", "publish", ("publish", False)),
        Point(
            "publish_late",
            "the same, and it is read after the retry has looked",
            "publish",
            ("publish", False),
            late=True,
        ),
        Point("publish_taken", "the order is taken, its answer held back", "publish", ("publish", True)),
    ]
    if with_notes:
        found += [
            Point("publish_answered", "after the answer, before it is remembered", "publish", hold="2 before"),
            Point("publish_remembered", "after it is remembered", "publish", hold="2 after"),
        ]
    return [
        *found,
        Point("publish_waiting", "while the task waits for the preview", "publish", ("operation", False), waits=True),
        Point("golive_before_order", "before the order", "golive", ("status", False)),
        Point("golive_at_portal", "the order is at the portal, not read yet", "golive", ("golive", False)),
        Point(
            "golive_late", "the same, and it is read after the retry has looked", "golive", ("golive", False), late=True
        ),
        Point("golive_taken", "the order is taken, its answer held back", "golive", ("golive", True)),
        Point("golive_waiting", "while the task waits until it is live", "golive", ("operation", False), waits=True),
    ]
