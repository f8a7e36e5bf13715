# SPDX-License-Identifier: Apache-2.0
"""The CPP API as a :class:`~airflow_provider_cpp.core.api.MarketplaceAPI`."""

from __future__ import annotations

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.apis.cloud_partner_portal.images import add_image_version
from airflow_provider_cpp.apis.cloud_partner_portal.poll import poll, poll_request
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.cloud_partner_portal.update import update
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint, Request, Response
from airflow_provider_cpp.core.models import OfferDocument, OfferRef, StatusReport
from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL, Operation
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
from airflow_provider_cpp.exceptions import ConfigurationError, PermissionDeniedError

MAX_LISTED_PUBLISHERS = 5

NO_RESOURCES = "only the Product Ingestion API has resources; the CPP API changes a document (patch or change), and publishes all of it"


class CloudPartnerPortalAPI:
    """The CPP API."""

    name = CLOUD_PARTNER_PORTAL
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """List the publisher's offers or, if the connection names no publisher, the publishers."""
        if publisher_id:
            offers = yield from send(endpoints.list_offers(publisher_id))
            return True, f"{signed_in}: publisher {publisher_id} has {len(offers)} offer{'s' * (len(offers) != 1)}"
        publishers = yield from send(endpoints.list_publishers())
        names = [one.id for one in publishers[:MAX_LISTED_PUBLISHERS]] + ["..."] * (
            len(publishers) > MAX_LISTED_PUBLISHERS
        )
        if not names:
            return False, f"{signed_in}, but the application may act for no publisher; {PermissionDeniedError.hint}"
        must = "The connection names no publisher, so each task needs publisher_id"
        return True, f"{signed_in}: the application may act for {', '.join(names)}. {must}"

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft."""
        return (yield from send(endpoints.get_offer(offer)))

    def publish(self, params: PublishParams) -> Flow[Operation]:
        """Publish the whole draft."""
        if params.resources:
            raise ConfigurationError((NO_RESOURCES,), "the task's arguments")
        return (yield from publish(params))

    def go_live(self, params: GoLiveParams) -> Flow[Operation]:
        """Go live with what awaits sign-off."""
        return go_live(params)

    def cancel(self, params: CancelParams) -> Flow[Operation | None]:
        """Cancel an operation."""
        return cancel(params)

    def update(self, params: UpdateParams | ConfigureParams) -> Flow[UpdateResult]:
        """Change the document."""
        if isinstance(params, ConfigureParams):
            raise ConfigurationError((NO_RESOURCES,), "the task's arguments")
        return (yield from update(params))

    def add_image(self, params: AddImageParams) -> Flow[UpdateResult]:
        """Add an image version to the document."""
        change = UpdateParams(
            params.offer, lambda document: add_image_version(params.image, document), overwrite=params.overwrite
        )
        return update(change)

    def poll_request(self, spec: WaitSpec, state: PollState) -> Request[StatusReport] | None:
        """Build the request that begins each poll."""
        return poll_request(spec, state)

    def poll(self, spec: WaitSpec, state: PollState, response: Response | None) -> Flow[PollResult]:
        """Evaluate a poll."""
        return poll(spec, state, response)


CLOUD_PARTNER_PORTAL_API = CloudPartnerPortalAPI()
