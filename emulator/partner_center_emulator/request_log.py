# SPDX-License-Identifier: Apache-2.0
"""The requests, sign-ins and connections so far, for tests that count them or search for leaked secrets."""

from __future__ import annotations

from collections import Counter

from partner_center_emulator.dispatch import Dispatcher, ServedRequest
from partner_center_emulator.faults import SUBMIT_ROUTES
from partner_center_emulator.identity import EntraTenant, SignIn


class RequestLog:
    """The requests, sign-ins and connections so far."""

    def __init__(self, dispatcher: Dispatcher, identity: EntraTenant) -> None:
        self._dispatcher = dispatcher
        self._identity = identity

    @property
    def counts(self) -> Counter[str]:
        """The number of requests by route."""
        return self._dispatcher.counts()

    def counts_for(self, offer_id: str) -> Counter[str]:
        """Return the number of requests for one offer, by route."""
        return self._dispatcher.counts(offer_id)

    def submits_for(self, offer_id: str) -> Counter[str]:
        """Return the number of publish, go-live and cancel requests for one offer, through either API."""
        counts = self.counts_for(offer_id)
        return Counter({kind: sum(counts[route] for route in routes) for kind, routes in SUBMIT_ROUTES.items()})

    @property
    def requests(self) -> list[ServedRequest]:
        """Every served request, in order."""
        with self._dispatcher.lock:
            return list(self._dispatcher.served)

    @property
    def tokens_issued(self) -> int:
        """The number of issued tokens."""
        return self._identity.issued

    @property
    def sign_ins(self) -> list[SignIn]:
        """Every successful sign-in, in order."""
        with self._dispatcher.lock:
            return list(self._identity.sign_ins)

    @property
    def tokens(self) -> list[str]:
        """Every issued token in order, for tests that search for leaks."""
        with self._dispatcher.lock:
            return list(self._identity.issued_tokens)

    @property
    def assertions(self) -> list[str]:
        """Every client assertion received, valid or not, in order, for tests that search for leaks."""
        with self._dispatcher.lock:
            return list(self._identity.assertions.received)

    @property
    def connections_open(self) -> int:
        """The number of open network connections."""
        return len(self._dispatcher.transports)

    @property
    def connections_made(self) -> int:
        """The number of network connections so far."""
        return self._dispatcher.connections

    def close_connections(self) -> None:
        """Close every network connection, as a server does with idle ones."""
        for transport, loop in [*self._dispatcher.transports.values()]:
            loop.call_soon_threadsafe(transport.close)
