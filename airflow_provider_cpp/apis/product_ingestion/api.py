# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API as a :class:`~airflow_provider_cpp.core.api.MarketplaceAPI`."""

from __future__ import annotations

from airflow_provider_cpp.apis.product_ingestion import endpoints, poll
from airflow_provider_cpp.apis.product_ingestion.cancel import cancel
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.apis.product_ingestion.update import add_image, update
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION


class ProductIngestionAPI:
    """The Product Ingestion API."""

    name = PRODUCT_INGESTION
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)
    publish = staticmethod(publish)
    go_live = staticmethod(go_live)
    cancel = staticmethod(cancel)
    update = staticmethod(update)
    add_image = staticmethod(add_image)
    poll_request = staticmethod(poll.poll_request)
    poll = staticmethod(poll.poll)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:  # noqa: ARG002 - as the protocol has it
        """List the first page of products, and report their number."""
        page, next_page = yield from send(endpoints.list_products())
        number, more = len(page), "or more " if next_page else ""
        return True, f"{signed_in}: the account has {number} {more}product{'s' * (number != 1)}"

    def get_draft(self, offer: OfferRef) -> Flow[None]:  # noqa: ARG002 - as the protocol has it
        """Send no request, because a draft has neither a version nor a Partner Center URL in this API."""
        yield from ()


PRODUCT_INGESTION_API = ProductIngestionAPI()
