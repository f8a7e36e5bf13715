# SPDX-License-Identifier: Apache-2.0
"""Injected faults: error responses, lost connections, and requests that are held."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

KINDS = ("response", "drop", "hang", "no-location", "location")
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
"""The routes of sign-in and the CPP API, then those of the Product Ingestion API."""
SUBMIT_ROUTES = {
    "publish": ("publish", "configure_publish"),
    "golive": ("golive", "configure_golive"),
    "cancel": ("cancel", "configure_cancel"),
}
"""Each kind of submit, and its route in either API."""


@dataclass(slots=True)
class Fault:
    """A fault that applies to the next matching requests.

    :param kind: ``response`` returns the status, headers and body; ``drop`` resets the connection; ``hang`` delays the
        response by ``seconds``; ``no-location`` and ``location`` change the header of a 202 response.
    :param route: one of :data:`ROUTES`, or ``*``.
    :param offer: match only requests for this offer.
    :param times: the number of requests.
    :param after: whether the request takes effect, so that only its response is lost.
    :param status: the HTTP status of a ``response``.
    :param headers: its headers, for example ``{"Retry-After": "5"}``.
    :param body: its body.
    :param location: the header value of a ``location``.
    :param seconds: the delay of a ``hang``.
    """

    kind: Literal["response", "drop", "hang", "no-location", "location"]
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
        """Raise ValueError for a fault that can never match."""
        if self.kind not in KINDS or self.route not in (*ROUTES, "*"):
            msg = f"no fault of kind {self.kind!r} on route {self.route!r}; kinds: {KINDS}; routes: {ROUTES} or '*'"
            raise ValueError(msg)

    def matches(self, route: str, offer: str | None) -> bool:
        """Return whether the fault applies to a request."""
        offer_matches = self.offer is None or (offer or "").lower() == self.offer.lower()
        return self.times > 0 and self.route in (route, "*") and offer_matches


SCENARIO_FAULTS: Mapping[str, Fault] = {
    "throttled": Fault("response", times=3, status=429, headers={"Retry-After": "1"}),
    "server-errors": Fault("response", times=5, status=500),
    "dropped-connections": Fault("drop", times=3),
}
"""Faults in reads of an offer's state after each publish, by the offer's scenario."""

SCENARIO_FAULT_ROUTES = ("status", "operation", "submission_list", "configure_status")


class Gate:
    """A gate that holds matching requests until it is opened.

    :param route: the route of the requests.
    :param after: whether requests take effect before they are held.
    :param offer: match only requests for this offer.
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
        """Return whether the gate holds a request."""
        offer_matches = self.offer is None or (offer or "").lower() == self.offer.lower()
        return not self.is_open and self.after == after and self.route in (route, "*") and offer_matches

    def arrive(self) -> None:
        """Record that a request is held."""
        self._reached.set()

    def open(self) -> None:
        """Let all requests pass, now and later."""
        self._opened.set()

    def wait_until_reached(self, timeout: float = 30.0) -> None:
        """Wait until a request is held.

        :raises TimeoutError: if no request arrives in time.
        """
        if not self._reached.wait(timeout):
            msg = f"no request reached the gate at {self.route} within {timeout:g} s"
            raise TimeoutError(msg)


class Faults:
    """The active faults and gates."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._gates: list[Gate] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault; faults apply in the order in which they are added."""
        with self._lock:
            self._faults.append(fault)

    def add_scenario_faults(self, scenario: str, offer: str) -> None:
        """Add the faults of a scenario to the next reads of an offer."""
        if (fault := SCENARIO_FAULTS.get(scenario)) is not None:
            for route in SCENARIO_FAULT_ROUTES:
                self.add(replace(fault, route=route, offer=offer))

    def add_gate(self, gate: Gate) -> None:
        """Add a gate."""
        with self._lock:
            self._gates.append(gate)

    def clear(self) -> None:
        """Remove all faults, and open all gates."""
        with self._lock:
            self._faults.clear()
            for gate in self._gates:
                gate.open()
            self._gates.clear()

    def take(self, route: str, offer: str | None) -> Fault | None:
        """Return the fault that applies to a request, and count the request."""
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
