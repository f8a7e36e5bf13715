# SPDX-License-Identifier: Apache-2.0
"""A product's submissions: what this API lists of an offer's publications."""

from __future__ import annotations

from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import OfferStore
from partner_center_emulator.product_ingestion.identifiers import DRAFT, LIVE, PREVIEW, product_id, schema
from partner_center_emulator.publications import (
    CANCELED,
    FAILED,
    PARKED,
    STRANGE,
    SUCCEEDED,
    Publication,
    PublicationState,
)
from partner_center_emulator.serializers import SIGN_OFF, Serializers


class Submissions:
    """Writes the submissions of a market's offers."""

    def __init__(self, offers: OfferStore, views: Serializers) -> None:
        self._offers = offers
        self._settings = offers.settings
        self._views = views

    def entries(self, offer: Offer) -> list[dict[str, Any]]:
        """Write all that are listed, the draft first and the newest last."""
        found = [self._entry(offer, DRAFT, None)]
        live = next((one for one in reversed(offer.publications) if self._standing(one).status == SUCCEEDED), None)
        current = offer.current
        is_listed = current is not None and current is not live and self._standing(current).status != CANCELED
        if live is not None and not (is_listed and self._replaces(current)):
            if self._settings.live_listing == "same-id" and not is_listed:
                found.append(self._entry(offer, PREVIEW, live, "completed", "succeeded"))
            found.append(self._entry(offer, LIVE, live, "completed", "succeeded"))
        if current is not None and is_listed:
            if self._target(current) == LIVE and self._settings.live_listing == "same-id":
                found.append(self._entry(offer, PREVIEW, current, "completed", "succeeded"))
            found.append(self._entry(offer, self._target(current), current, *self._words(current)))
        return found

    def arrived(self, offer: Offer, target: str, publication: Publication) -> dict[str, Any]:
        """Write the submission of a publication that is at a target."""
        return self._entry(offer, target, publication, "completed", "succeeded")

    def is_in_progress(self, offer: Offer) -> bool:
        """Say whether a submission is on its way, which stands in the way of others."""
        return any(entry.get("status", "completed").lower() != "completed" for entry in self.entries(offer))

    def parked(self, offer: Offer) -> Publication | None:
        """Return the preview that could go live."""
        current = offer.current
        return current if current is not None and self._standing(current).status == PARKED else None

    def _replaces(self, current: Publication | None) -> bool:
        """Say whether the old live entry is gone while this one goes live."""
        if current is None or self._settings.going_live_listing == "two-live" or self._target(current) != LIVE:
            return False
        return self._standing(current).status != FAILED

    def _standing(self, publication: Publication) -> PublicationState:
        return publication.standing(self._settings, self._offers.clock.now())

    def _target(self, publication: Publication) -> str:
        return LIVE if self._standing(publication).steps[SIGN_OFF].status == "complete" else PREVIEW

    def _words(self, publication: Publication) -> tuple[str, str]:
        standing = self._standing(publication)
        if standing.status in (PARKED, FAILED):
            return "completed", "succeeded" if standing.status == PARKED else "failed"
        if standing.status == STRANGE:
            return STRANGE, "pending"
        since = self._offers.clock.now() - publication.began
        return "notStarted" if since < self._settings.submission_waits else "running", "pending"

    def _entry(
        self, offer: Offer, target: str, publication: Publication | None, status: str = "", result: str = ""
    ) -> dict[str, Any]:
        number = publication.submission_id if publication is not None else 0
        entry: dict[str, Any] = {
            "$schema": schema("submission"),
            "id": f"submission/{offer.guid}/{number}",
            "product": product_id(offer),
            "target": {"targetType": target},
            "lifecycleState": "generallyAvailable",
        }
        if publication is None:
            return entry
        words = {"status": self._views.word(status), "result": self._views.word(result)}
        return entry | words | {"created": self._views.time(publication.began)}
