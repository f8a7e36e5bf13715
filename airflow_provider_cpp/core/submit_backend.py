# SPDX-License-Identifier: Apache-2.0
"""What an API implements so that :func:`~.ordering.order_once` can submit through it, and when a submit may be accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import OfferState
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import PublishParams
from airflow_provider_cpp.exceptions import InvalidResponseError, MarketplaceError, ServerError, TransportError


class SubmitBackend(Protocol):
    """Where an API takes orders, and tells what it has of them."""

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's operations."""

    def get_state(self, offer: OfferRef) -> Flow[OfferState]:
        """Look at an offer's operations and at its status."""

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Ask an operation itself, which the list may lag behind; parked counts as ended."""

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Make the order, which answers with the operation's location; reads what that needs, and orders nothing."""

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Make the operation that an order began."""

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:
        """Find the id of an operation that the API took, and has named by its location only, if that can be told soon.

        :raises RequestError: if the API took it, and refuses it after all.
        """


def may_have_been_accepted(error: MarketplaceError) -> bool:
    """Say whether an order whose answer this is may have been taken."""
    if isinstance(error, TransportError):
        return error.sent
    return isinstance(error, (InvalidResponseError, ServerError))
