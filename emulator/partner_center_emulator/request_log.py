# SPDX-License-Identifier: Apache-2.0
"""What the emulator saw: for tests that count requests, or look whether a secret is shown somewhere."""

from __future__ import annotations

from collections import Counter

from partner_center_emulator.dispatch import Dispatcher, Served
from partner_center_emulator.faults import SUBMIT_ROUTES
from partner_center_emulator.identity import EntraTenant, SignIn


class RequestLog:
    """Tells of the requests and sign-ins so far."""

    def __init__(self, service: Dispatcher, identity: EntraTenant) -> None:
        self._service = service
        self._identity = identity

    @property
    def counts(self) -> Counter[str]:
        """How many requests of each kind were served."""
        return self._service.counts()

    def counts_for(self, offer_id: str) -> Counter[str]:
        """How many requests of each kind were served for one offer."""
        return self._service.counts(offer_id)

    def orders_for(self, offer_id: str) -> Counter[str]:
        """How many orders were sent for one offer, whichever API they came through: publish, golive, cancel."""
        counts = self.counts_for(offer_id)
        return Counter({order: sum(counts[route] for route in routes) for order, routes in SUBMIT_ROUTES.items()})

    @property
    def requests(self) -> list[Served]:
        """Every request served, in order."""
        with self._service.lock:
            return list(self._service.served)

    @property
    def tokens_issued(self) -> int:
        """How many tokens were given out."""
        return self._identity.issued

    @property
    def sign_ins(self) -> list[SignIn]:
        """Every sign-in that was given a token, in order."""
        with self._service.lock:
            return list(self._identity.sign_ins)

    @property
    def tokens(self) -> list[str]:
        """Every token that was given out, in order: for tests that look whether one is shown somewhere."""
        with self._service.lock:
            return list(self._identity.granted)

    @property
    def assertions(self) -> list[str]:
        """Every assertion that an application proved itself with, or tried to, in order: for the same tests."""
        with self._service.lock:
            return list(self._identity.assertions.seen)

    @property
    def connections_open(self) -> int:
        """How many network connections are open."""
        return len(self._service.transports)

    @property
    def connections_made(self) -> int:
        """How many network connections there have been."""
        return self._service.connections

    def close_connections(self) -> None:
        """Close every network connection, as a server does with those that were idle for long."""
        for transport, loop in [*self._service.transports.values()]:
            loop.call_soon_threadsafe(transport.close)
