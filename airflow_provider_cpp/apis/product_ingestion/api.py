# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API, as :class:`airflow_provider_cpp.core.api.Api` has it."""

from __future__ import annotations

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.cancel import cancel
from airflow_provider_cpp.apis.product_ingestion.go_live import go_live
from airflow_provider_cpp.apis.product_ingestion.poll import look
from airflow_provider_cpp.apis.product_ingestion.publish import publish
from airflow_provider_cpp.apis.product_ingestion.resources import check_resources
from airflow_provider_cpp.apis.product_ingestion.update import add_image, configure
from airflow_provider_cpp.core.effects import Flow, ask
from airflow_provider_cpp.core.endpoint import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import INGESTION, Operation
from airflow_provider_cpp.core.params import AddImage, Cancel, GoLive, Publish, Update, Updated
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.wait import Sighting
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import ConfigurationError

NO_DOCUMENT = "this API has resources instead of one document: give configure, not patch or change"


class IngestionApi:
    """What the API has to offer."""

    name = INGESTION
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def greet(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:  # noqa: ARG002 - as every API
        """Ask for products, and say how many came."""
        page = yield from ask(endpoints.list_products())
        number, more = len(page.entries), "or more " if page.next else ""
        return True, f"{signed_in}: the account has {number} {more}product{'s' * (number != 1)}"

    def draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:  # noqa: ARG002 - as every API
        """Ask for nothing: a draft here has neither a version nor a page."""
        yield from ()
        return None

    def publish(self, wanted: Publish) -> Flow[Operation]:
        """Publish a draft, whole or only some resources of it."""
        if wanted.resources:
            check_resources(wanted.resources)
        return (yield from publish(wanted))

    def go_live(self, wanted: GoLive) -> Flow[Operation]:
        """Let what is in preview go live."""
        return go_live(wanted)

    def cancel(self, wanted: Cancel) -> Flow[Operation | None]:
        """Cancel the job that is meant."""
        return cancel(wanted)

    def update(self, wanted: Update) -> Flow[Updated]:
        """Configure resources."""
        if wanted.resources is None:
            raise ConfigurationError((NO_DOCUMENT,), "the task's arguments")
        return (yield from configure(wanted))

    def add_image(self, wanted: AddImage) -> Flow[Updated]:
        """Add a version to a plan's technical configuration."""
        return add_image(wanted)

    def look(self, watch: Watch, memory: Memory) -> Flow[Sighting]:  # noqa: ARG002 - as every API
        """Look once."""
        return look(watch)


INGESTION_API = IngestionApi()
