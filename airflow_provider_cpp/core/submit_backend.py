# SPDX-License-Identifier: Apache-2.0
"""What an API implements so that :func:`~.ordering.order_once` can submit through it, and when a submit may be accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from airflow_provider_cpp.core.checkpoint import Note
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Call
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import Situation
from airflow_provider_cpp.core.operations import Operation, Submission
from airflow_provider_cpp.core.params import Publish
from airflow_provider_cpp.exceptions import BadReply, PortalError, ServerFault, Unreachable


class Desk(Protocol):
    """Where an API takes orders, and tells what it has of them."""

    def submissions(self, offer: OfferRef) -> Flow[tuple[Submission, ...]]:
        """List an offer's operations."""

    def situation(self, offer: OfferRef) -> Flow[Situation]:
        """Look at an offer's operations and at its status."""

    def still_runs(self, operation: Operation) -> Flow[bool]:
        """Ask an operation itself, which the list may lag behind; parked counts as ended."""

    def prepare(self, wanted: Publish) -> Flow[Call[str | None]]:
        """Make the order, which answers with the operation's location; reads what that needs, and orders nothing."""

    def operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""

    def identify(self, wanted: Publish, operation: Operation, note: Note) -> Flow[Operation]:
        """Find the id of an operation that the API took, and has named by its location only, if that can be told soon.

        :raises RequestError: if the API took it, and refuses it after all.
        """


def is_taken_perhaps(error: PortalError) -> bool:
    """Say whether an order whose answer this is may have been taken."""
    if isinstance(error, Unreachable):
        return error.sent
    return isinstance(error, (BadReply, ServerFault))
