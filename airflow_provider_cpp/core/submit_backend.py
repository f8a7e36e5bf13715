# SPDX-License-Identifier: Apache-2.0
"""The operations that an API implements for :func:`~.submit.submit_once`, and the errors after which a submit may be accepted."""

from __future__ import annotations

from collections.abc import Iterable
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
    """One API's requests to publish and to find out the result."""

    def list_operations(self, offer: OfferRef) -> Flow[tuple[OperationSummary, ...]]:
        """List an offer's operations."""

    def get_state(self, offer: OfferRef) -> Flow[OfferState]:
        """Read an offer's operations and status."""

    def find_operation(self, operation: Operation, entries: Iterable[OperationSummary]) -> OperationSummary | None:
        """Find an operation in the offer's list."""

    def is_in_progress(self, operation: Operation) -> Flow[bool]:
        """Read the operation itself, because the list may be stale; awaiting sign-off counts as ended."""

    def build_request(self, params: PublishParams) -> Flow[Request[str | None]]:
        """Build the publish request, whose result is the operation's location; send only reads."""

    def new_operation(self, offer: OfferRef, submitted_at: datetime, location: str | None = None) -> Operation:
        """Return the operation that a submit started."""

    def resolve_id(self, params: PublishParams, operation: Operation, checkpoint: Checkpoint) -> Flow[Operation]:
        """Find the ID of an accepted operation of which only the location is known, if the API shows it soon.

        :raises RequestError: if the API accepted the request and then rejected it.
        """


def may_have_been_accepted(error: MarketplaceError) -> bool:
    """Return whether the API may have accepted a submit that ended with this error.

    Only a request that was not sent, or a 4xx of the API itself, proves that it did not; a 5xx or a proxy's status does not.
    """
    if isinstance(error, TransportError):
        return error.sent
    return isinstance(error, (InvalidResponseError, ServerError))
