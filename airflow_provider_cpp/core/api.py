# SPDX-License-Identifier: Apache-2.0
"""The flows that each API implements. Tasks and triggers use an API only through this protocol.

The connection type selects the API; see :mod:`airflow_provider_cpp.hooks.lookup`.
"""

from __future__ import annotations

from typing import Protocol

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Endpoint, Request, Response
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import (
    AddImageParams,
    CancelParams,
    ConfigureParams,
    GoLiveParams,
    PublishParams,
    UpdateParams,
    UpdateResult,
)
from airflow_provider_cpp.core.poll_result import PollResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec


class MarketplaceAPI(Protocol):
    """A marketplace API. Each method returns a flow, which raises a :class:`~.exceptions.MarketplaceError` if it fails."""

    @property
    def name(self) -> str:
        """The API's name in operations, which is also its connection type."""

    @property
    def endpoint(self) -> Endpoint:
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
