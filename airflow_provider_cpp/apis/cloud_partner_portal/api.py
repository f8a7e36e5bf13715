# SPDX-License-Identifier: Apache-2.0
"""The Cloud Partner Portal's API, as :class:`airflow_provider_cpp.core.api.Api` has it."""

from __future__ import annotations

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.apis.cloud_partner_portal.images import add_to
from airflow_provider_cpp.apis.cloud_partner_portal.poll import look
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.cloud_partner_portal.update import update
from airflow_provider_cpp.core.effects import Flow, ask
from airflow_provider_cpp.core.endpoint import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import API, Operation
from airflow_provider_cpp.core.params import AddImage, Cancel, GoLive, Publish, Update, Updated
from airflow_provider_cpp.core.poll_state import Memory
from airflow_provider_cpp.core.wait import Sighting
from airflow_provider_cpp.core.wait_spec import Watch
from airflow_provider_cpp.exceptions import ConfigurationError, Forbidden

MOST_NAMED = 5
"""Publishers that are named in a success."""

WHOLE = (
    "resources are the Product Ingestion API's; the portal publishes a draft whole, and changes its document by patch or"
    " change"
)


class PortalApi:
    """What the portal has to offer."""

    name = API
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def greet(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """Ask for the publisher's offers, or where none is named for the publishers, and say what came."""
        if publisher_id:
            offers = yield from ask(endpoints.list_offers(publisher_id))
            return True, f"{signed_in}: publisher {publisher_id} has {len(offers)} offer{'s' * (len(offers) != 1)}"
        publishers = yield from ask(endpoints.list_publishers())
        names = [one.id for one in publishers[:MOST_NAMED]] + ["..."] * (len(publishers) > MOST_NAMED)
        if not names:
            return False, f"{signed_in}: the application may act for no publisher; {Forbidden.hint}"
        must = "The connection names no publisher, so each task must (publisher_id)"
        return True, f"{signed_in}: the application may act for {', '.join(names)}. {must}"

    def draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft."""
        return (yield from ask(endpoints.get_offer(offer)))

    def publish(self, wanted: Publish) -> Flow[Operation]:
        """Publish a draft, whole."""
        if wanted.resources:
            raise ConfigurationError((WHOLE,), "the task's arguments")
        return (yield from publish(wanted))

    def go_live(self, wanted: GoLive) -> Flow[Operation]:
        """Sign off what is parked."""
        return go_live(wanted)

    def cancel(self, wanted: Cancel) -> Flow[Operation | None]:
        """Cancel what runs, or what is meant."""
        return cancel(wanted)

    def update(self, wanted: Update) -> Flow[Updated]:
        """Change the document."""
        if wanted.resources is not None:
            raise ConfigurationError((WHOLE,), "the task's arguments")
        return (yield from update(wanted))

    def add_image(self, wanted: AddImage) -> Flow[Updated]:
        """Add a version to the document's images."""
        change = Update(wanted.offer, lambda document: add_to(wanted.image, document), overwrite=wanted.overwrite)
        return update(change)

    def look(self, watch: Watch, memory: Memory) -> Flow[Sighting]:
        """Look once."""
        return look(watch, memory)


PORTAL = PortalApi()
