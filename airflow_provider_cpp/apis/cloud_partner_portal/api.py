# SPDX-License-Identifier: Apache-2.0
"""The Cloud Partner Portal's API, as :class:`airflow_provider_cpp.core.api.MarketplaceAPI` has it."""

from __future__ import annotations

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.apis.cloud_partner_portal.images import add_image_version
from airflow_provider_cpp.apis.cloud_partner_portal.poll import poll
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.cloud_partner_portal.update import update
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation
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
from airflow_provider_cpp.exceptions import ConfigurationError, PermissionDeniedError

MAX_NAMED_OFFERS = 5
"""Publishers that are named in a success."""

WHOLE = (
    "resources are the Product Ingestion API's; the portal publishes a draft whole, and changes its document by patch or"
    " change"
)


class CloudPartnerPortalAPI:
    """What the portal has to offer."""

    name = CLOUD_PARTNER_PORTAL
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """Ask for the publisher's offers, or where none is named for the publishers, and say what came."""
        if publisher_id:
            offers = yield from send(endpoints.list_offers(publisher_id))
            return True, f"{signed_in}: publisher {publisher_id} has {len(offers)} offer{'s' * (len(offers) != 1)}"
        publishers = yield from send(endpoints.list_publishers())
        names = [one.id for one in publishers[:MAX_NAMED_OFFERS]] + ["..."] * (len(publishers) > MAX_NAMED_OFFERS)
        if not names:
            return False, f"{signed_in}: the application may act for no publisher; {PermissionDeniedError.hint}"
        must = "The connection names no publisher, so each task must (publisher_id)"
        return True, f"{signed_in}: the application may act for {', '.join(names)}. {must}"

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft."""
        return (yield from send(endpoints.get_offer(offer)))

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish a draft, whole."""
        if params.resources:
            raise ConfigurationError((WHOLE,), "the task's arguments")
        return (yield from publish(params))

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Sign off what is parked."""
        return go_live(params)

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel what runs, or what is meant."""
        return cancel(params)

    def update(self, params: UpdateParams) -> Flow[UpdateResult]:
        """Change the document."""
        if params.resources is not None:
            raise ConfigurationError((WHOLE,), "the task's arguments")
        return (yield from update(params))

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add a version to the document's images."""
        change = UpdateParams(
            params.offer, lambda document: add_image_version(params.image, document), overwrite=params.overwrite
        )
        return update(change)

    def poll(self, spec: WaitSpec, poll_state: PollState) -> Flow[PollResult]:
        """Look once."""
        return poll(spec, poll_state)


CLOUD_PARTNER_PORTAL_API = CloudPartnerPortalAPI()
