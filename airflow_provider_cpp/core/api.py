# SPDX-License-Identifier: Apache-2.0
"""What an API of the marketplace has to offer, as flows: tasks and triggers know nothing else of it.

Which one a connection speaks, its type says; see :mod:`airflow_provider_cpp.hooks.lookup`.
"""

from __future__ import annotations

from typing import Protocol

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.params import (
    AddImageParams,
    CancelParams,
    GoLiveParams,
    PublishParams,
    UpdateParams,
    UpdateResult,
)
from airflow_provider_cpp.core.poll_result import PollResult
from airflow_provider_cpp.core.poll_state import PollState
from airflow_provider_cpp.core.wait_spec import WaitSpec


class MarketplaceAPI(Protocol):
    """One API of the marketplace; each method makes a flow, and what a flow raises is in the tree of our errors."""

    @property
    def name(self) -> str:
        """What its operations call it, and its connections' type."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, unless a connection says otherwise."""

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """Look around with a new connection: whether that worked, and in words what is there.

        :param publisher_id: the connection's, if it names one.
        :param signed_in: how the words begin.
        """

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft for its version and its page, once; None for an API that has no such document."""

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish an offer's draft to preview, at most once in a run of the task."""

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Let what waits in preview go live, once."""

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel what is meant, and wait until it has ended; None if there was nothing to cancel."""

    def update(self, params: UpdateParams) -> Flow[UpdateResult]:
        """Change a draft, and wait until it is changed."""

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add an image's version to a plan of a draft, unless it is there."""

    def poll(self, spec: WaitSpec, poll_state: PollState) -> Flow[PollResult]:
        """Look once at what is waited for.

        :param poll_state: what earlier looks of the wait saw; changed by who looks.
        """
