# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API, as :class:`airflow_provider_cpp.core.api.MarketplaceAPI` has it."""

from __future__ import annotations

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.cancel import cancel
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.apis.product_ingestion.poll import poll
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.apis.product_ingestion.resources import validate_resources
from airflow_provider_cpp.apis.product_ingestion.update import add_image, configure
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
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
from airflow_provider_cpp.exceptions import ConfigurationError

NO_DOCUMENT = "this API has resources instead of one document: give configure, not patch or change"


class ProductIngestionAPI:
    """What the API has to offer."""

    name = PRODUCT_INGESTION
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:  # noqa: ARG002 - as every API
        """Ask for products, and say how many came."""
        page = yield from send(endpoints.list_products())
        number, more = len(page.items), "or more " if page.next else ""
        return True, f"{signed_in}: the account has {number} {more}product{'s' * (number != 1)}"

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:  # noqa: ARG002 - as every API
        """Ask for nothing: a draft here has neither a version nor a page."""
        yield from ()
        return None

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish a draft, whole or only some resources of it."""
        if params.resources:
            validate_resources(params.resources)
        return (yield from publish(params))

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Let what is in preview go live."""
        return go_live(params)

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel the job that is meant."""
        return cancel(params)

    def update(self, params: UpdateParams) -> Flow[UpdateResult]:
        """Configure resources."""
        if params.resources is None:
            raise ConfigurationError((NO_DOCUMENT,), "the task's arguments")
        return (yield from configure(params))

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add a version to a plan's technical configuration."""
        return add_image(params)

    def poll(self, spec: WaitSpec, poll_state: PollState) -> Flow[PollResult]:  # noqa: ARG002 - as every API
        """Look once."""
        return poll(spec)


PRODUCT_INGESTION_API = ProductIngestionAPI()
