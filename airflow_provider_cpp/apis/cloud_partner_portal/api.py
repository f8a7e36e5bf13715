# SPDX-License-Identifier: Apache-2.0
"""The CPP API as a :class:`~airflow_provider_cpp.core.api.MarketplaceAPI`."""

from __future__ import annotations

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints, poll
from airflow_provider_cpp.apis.cloud_partner_portal.cancel import cancel
from airflow_provider_cpp.apis.cloud_partner_portal.go_live import go_live
from airflow_provider_cpp.apis.cloud_partner_portal.publish import publish
from airflow_provider_cpp.apis.cloud_partner_portal.update import add_image, update
from airflow_provider_cpp.core.effects import Flow, send
from airflow_provider_cpp.core.http import Endpoint
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import CLOUD_PARTNER_PORTAL
from airflow_provider_cpp.exceptions import PermissionDeniedError

MAX_LISTED_PUBLISHERS = 5


class CloudPartnerPortalAPI:
    """The CPP API."""

    name = CLOUD_PARTNER_PORTAL
    endpoint = Endpoint(endpoints.DEFAULT_HOST, endpoints.DEFAULT_SCOPE, endpoints.API_VERSION)
    publish = staticmethod(publish)
    go_live = staticmethod(go_live)
    cancel = staticmethod(cancel)
    update = staticmethod(update)
    add_image = staticmethod(add_image)
    poll_request = staticmethod(poll.poll_request)
    poll = staticmethod(poll.poll)

    def check_access(self, publisher_id: str | None, signed_in: str) -> Flow[tuple[bool, str]]:
        """List the publisher's offers or, if the connection has no publisher ID, the publishers."""
        if publisher_id:
            offers = yield from send(endpoints.list_offers(publisher_id))
            return True, f"{signed_in}: publisher {publisher_id} has {len(offers)} offer{'s' * (len(offers) != 1)}"
        publishers = yield from send(endpoints.list_publishers())
        names = [one.id for one in publishers]
        if not names:
            return False, f"{signed_in}, but the application may act for no publisher; {PermissionDeniedError.hint}"
        names[MAX_LISTED_PUBLISHERS:] = ["..."] * (len(names) > MAX_LISTED_PUBLISHERS)
        must = "The connection names no publisher, so each task needs publisher_id"
        return True, f"{signed_in}: the application may act for {', '.join(names)}. {must}"

    def get_draft(self, offer: OfferRef) -> Flow[OfferDocument | None]:
        """Read a draft."""
        return send(endpoints.get_offer(offer))


CLOUD_PARTNER_PORTAL_API = CloudPartnerPortalAPI()
