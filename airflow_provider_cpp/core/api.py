# SPDX-License-Identifier: Apache-2.0
"""What both APIs implement, as flows: tasks and triggers use nothing else of them.

The type of the connection selects the API; see :mod:`airflow_provider_cpp.hooks.lookup`.
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
    """One of the marketplace's APIs. Each method returns a flow, which raises a :class:`~.exceptions.MarketplaceError`."""

    @property
    def name(self) -> str:
        """The name in operations, which is the type of its connections."""

    @property
    def endpoint(self) -> Endpoint:
        """The default address."""

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """Send a read for the Test button of a connection; return whether it worked, and a message.

        :param publisher_id: the connection's publisher, if it names one.
        :param signed_in: how the message begins.
        """

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft for its version and its Partner Center page; None for an API without documents."""

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish an offer's draft to preview, at most once in a run of the task."""

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Go live with an offer's preview, once."""

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel an operation, and wait until it has ended; None if there was nothing to cancel."""

    def update(self, params: UpdateParams | ConfigureParams) -> Flow[UpdateResult]:
        """Change a draft, and wait until it is changed."""

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add an image version to a plan of a draft, unless it is there."""

    def poll_request(self, spec: WaitSpec, state: PollState) -> Request[StatusReport] | None:
        """Build the request that begins each poll, if its response alone can say that the wait goes on; else None."""

    def poll(self, spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:
        """Evaluate a poll, and send the further requests that it needs.

        :param state: what earlier polls of the wait saw.
        :param response: the response to :meth:`poll_request`; None if there is no such request.
        """
