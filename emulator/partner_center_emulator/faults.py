# SPDX-License-Identifier: Apache-2.0
"""Faults that are asked for: answers other than the portal's own, lost connections, held requests."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

KINDS = ("answer", "drop", "hang", "no-location", "location")
ROUTES = (
    "token",
    "discovery",
    "managed-identity",
    "publishers",
    "offers",
    "offer",
    "put",
    "status",
    "submissions",
    "operation",
    "publish",
    "golive",
    "cancel",
    "products",
    "product",
    "plans",
    "resource",
    "resource_tree",
    "technical_configuration",
    "submission_list",
    "submission",
    "configure_draft",
    "configure_publish",
    "configure_golive",
    "configure_status",
    "configure_detail",
    "configure_cancel",
)
"""The portal's sign-in and calls, then those of the Product Ingestion API."""
SUBMIT_ROUTES = {
    "publish": ("publish", "configure_publish"),
    "golive": ("golive", "configure_golive"),
    "cancel": ("cancel", "configure_cancel"),
}
"""Each order, and the routes on which it comes."""


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with the next requests that match.

    :param kind: ``answer`` gives the status, headers and body below; ``drop`` resets the connection; ``hang``
        answers only after ``seconds``; ``no-location`` and ``location`` change the header of a 202.
    :param route: which requests: one of :data:`ROUTES`, or ``*``.
    :param offer: only requests for this offer.
    :param times: how many requests.
    :param after: whether the request takes effect first, so that only its answer is lost.
    :param status: the HTTP status of an ``answer``.
    :param headers: its headers, ``{"Retry-After": "5"}`` for example.
    :param body: its body.
    :param location: the value for ``location``.
    :param seconds: how long ``hang`` lasts.
    """

    kind: Literal["answer", "drop", "hang", "no-location", "location"]
    route: str = "*"
    offer: str | None = None
    times: int = 1
    after: bool = False
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str = b""
    location: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would never match."""
        if self.kind not in KINDS or self.route not in (*ROUTES, "*"):
            msg = f"no fault of kind {self.kind!r} on route {self.route!r}; kinds: {KINDS}; routes: {ROUTES} or '*'"
            raise ValueError(msg)

    def matches(self, route: str, offer: str | None) -> bool:
        """Say whether it is meant for a request."""
        meant = self.offer is None or (offer or "").lower() == self.offer.lower()
        return self.times > 0 and self.route in (route, "*") and meant


TROUBLES: Mapping[str, Fault] = {
    "throttled": Fault("answer", times=3, status=429, headers={"Retry-After": "1"}),
    "server-errors": Fault("answer", times=5, status=500),
    "dropped-connections": Fault("drop", times=3),
}
"""What befalls the reads of an offer's state after each publish, by the offer's scenario."""

TROUBLED = ("status", "operation", "submission_list", "configure_status")


class Gate:
    """Holds requests until it is opened.

    :param route: which requests.
    :param after: whether they take effect before they are held.
    :param offer: only requests for this offer.
    """

    def __init__(self, route: str, *, after: bool = False, offer: str | None = None) -> None:
        self.route = route
        self.after = after
        self.offer = offer
        self._reached = threading.Event()
        self._opened = threading.Event()

    @property
    def is_open(self) -> bool:
        """Whether requests pass."""
        return self._opened.is_set()

    def holds(self, route: str, offer: str | None, *, after: bool) -> bool:
        """Say whether a request is held here."""
        meant = self.offer is None or (offer or "").lower() == self.offer.lower()
        return not self.is_open and self.after == after and self.route in (route, "*") and meant

    def arrive(self) -> None:
        """Note that a request is held here."""
        self._reached.set()

    def open(self) -> None:
        """Let all pass, now and later."""
        self._opened.set()

    def wait_until_reached(self, timeout: float = 30.0) -> None:
        """Wait until a request is held here.

        :raises TimeoutError: if none came.
        """
        if not self._reached.wait(timeout):
            msg = f"no request reached the gate at {self.route} within {timeout:g} s"
            raise TimeoutError(msg)


class Faults:
    """The faults and gates that are waiting for their requests."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._gates: list[Gate] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add one; they strike in the order in which they were added."""
        with self._lock:
            self._faults.append(fault)

    def add_trouble(self, scenario: str, offer: str) -> None:
        """Let a scenario's trouble befall the next reads of an offer."""
        if (trouble := TROUBLES.get(scenario)) is not None:
            for route in TROUBLED:
                self.add(replace(trouble, route=route, offer=offer))

    def add_gate(self, gate: Gate) -> None:
        """Add a gate."""
        with self._lock:
            self._gates.append(gate)

    def clear(self) -> None:
        """Forget all that have not struck, and open all gates."""
        with self._lock:
            self._faults.clear()
            for gate in self._gates:
                gate.open()
            self._gates.clear()

    def take(self, route: str, offer: str | None) -> Fault | None:
        """Return the fault that strikes a request, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(route, offer):
                    fault.times -= 1
                    return fault
        return None

    def gates(self, route: str, offer: str | None, *, after: bool) -> list[Gate]:
        """Return the gates that hold a request."""
        with self._lock:
            return [gate for gate in self._gates if gate.holds(route, offer, after=after)]
