# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API as a :class:`~airflow_provider_cpp.core.api.MarketplaceAPI`."""

from __future__ import annotations

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.cancel import cancel
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.apis.product_ingestion.poll import poll
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.apis.product_ingestion.resources import validate_resources
from airflow_provider_cpp.apis.product_ingestion.update import add_image, configure
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint, Request, Response
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
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
from airflow_provider_cpp.exceptions import ConfigurationError

NO_DOCUMENT = (
    "the Product Ingestion API has resources instead of one document: use product_resources, not patch or change"
)


class ProductIngestionAPI:
    """The Product Ingestion API."""

    name = PRODUCT_INGESTION
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:  # noqa: ARG002 - as the protocol has it
        """List products, and report how many there are."""
        page = yield from send(endpoints.list_products())
        number, more = len(page.items), "or more " if page.next else ""
        return True, f"{signed_in}: the account has {number} {more}product{'s' * (number != 1)}"

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:  # noqa: ARG002 - as the protocol has it
        """Send no request: a draft has neither a version nor a Partner Center page here."""
        yield from ()
        return None

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish a draft, or only some of its resources."""
        if params.resources:
            validate_resources(params.resources)
        return (yield from publish(params))

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Go live with what is in preview."""
        return go_live(params)

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel an operation's job."""
        return cancel(params)

    def update(self, params: UpdateParams | ConfigureParams) -> Flow[UpdateResult]:
        """Configure resources."""
        if isinstance(params, UpdateParams):
            raise ConfigurationError((NO_DOCUMENT,), "the task's arguments")
        return (yield from configure(params))

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add an image version to a plan's technical configuration."""
        return add_image(params)

    def poll_request(self, spec: WaitSpec, state: PollState) -> Request[StatusReport] | None:  # noqa: ARG002 - as the protocol has it
        """Return None: a poll always needs several requests."""
        return None

    def poll(self, spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:  # noqa: ARG002 - as the protocol has it
        """Poll once."""
        return poll(spec)


PRODUCT_INGESTION_API = ProductIngestionAPI()
