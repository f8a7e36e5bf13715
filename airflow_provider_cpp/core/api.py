# SPDX-License-Identifier: Apache-2.0
"""The protocols that each API implements. Tasks and triggers use an API only through :class:`MarketplaceAPI`.

The connection type selects the API; see :mod:`airflow_provider_cpp.hooks.lookup`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Endpoint, Request, Response
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport
from airflow_provider_cpp.core.offer_state import OfferState
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import (
    AddImageParams,
    CancelParams,
    ConfigureParams,
    GoLiveParams,
    PublishParams,
    UpdateParams,
    UpdateResult,
)
from airflow_provider_cpp.core.poll_state import PollResult, PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec


class MarketplaceAPI(Protocol):
    """A marketplace API. Each method returns a flow, which raises a :class:`~.exceptions.MarketplaceError` if it fails."""

    name: str
    """The API's name in operations, which is also its connection type."""

    endpoint: Endpoint
    """The API's default address."""

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """Send a read for the connection's Test button; return whether it succeeded, and a message.

        :param publisher_id: the connection's publisher ID; None if it has none.
        :param signed_in: the beginning of the message.
        """

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft for its version and its Partner Center URL; None for an API without documents."""

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish an offer's draft to preview, at most once in a run of the task."""

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Go live with an offer's preview, at most once."""

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel an operation, and wait until it ends; return None if there was nothing to cancel."""

    def update(self, params: UpdateParams | ConfigureParams) -> Flow[UpdateResult]:
        """Change a draft, and wait until the change is complete."""

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add an image version to a plan of a draft, unless the plan already has it."""

    def poll_request(self, spec: WaitSpec, state: PollState) -> Request[StatusReport] | None:
        """Build the first request of each poll, if its response alone can show that the wait continues; else return None."""

    def poll(self, spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:
        """Evaluate the response of a poll, and send further requests if necessary.

        :param state: the state that earlier polls of the wait recorded.
        :param response: the response to :meth:`poll_request`; None if that returned None.
        """


class SubmitBackend(Protocol):
    """One API's requests to publish and to find out the result, for :func:`~.submit.submit_once`."""

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
