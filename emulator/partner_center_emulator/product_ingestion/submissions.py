# SPDX-License-Identifier: Apache-2.0
"""A product's submissions, which are an offer's publications."""

from __future__ import annotations

from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import OfferStore
from partner_center_emulator.product_ingestion.identifiers import DRAFT, LIVE, PREVIEW, product_id, schema
from partner_center_emulator.publications import (
    AWAITING_SIGN_OFF,
    CANCELED,
    FAILED,
    SUCCEEDED,
    UNKNOWN,
    Publication,
    PublicationState,
)
from partner_center_emulator.serializers import SIGN_OFF, Serializers


class Submissions:
    """A serializer of submissions."""

    def __init__(self, offers: OfferStore, serializers: Serializers) -> None:
        self._offers = offers
        self._settings = offers.settings
        self._serializers = serializers

    def entries(self, offer: Offer) -> list[dict[str, Any]]:
        """Return all listed submissions: the draft first, the newest last."""
        entries = [self._entry(offer, DRAFT, None)]
        live = next((one for one in reversed(offer.publications) if self._state(one).status == SUCCEEDED), None)
        current = offer.current
        is_listed = current is not None and current is not live and self._state(current).status != CANCELED
        if live is not None and not (is_listed and self._replaces(current)):
            if self._settings.live_listing == "same-id" and not is_listed:
                entries.append(self._entry(offer, PREVIEW, live, "completed", "succeeded"))
            entries.append(self._entry(offer, LIVE, live, "completed", "succeeded"))
        if current is not None and is_listed:
            if self._target(current) == LIVE and self._settings.live_listing == "same-id":
                entries.append(self._entry(offer, PREVIEW, current, "completed", "succeeded"))
            entries.append(self._entry(offer, self._target(current), current, *self._words(current)))
        return entries

    def arrived(self, offer: Offer, target: str, publication: Publication) -> dict[str, Any]:
        """Return the submission of a publication that has reached a target."""
        return self._entry(offer, target, publication, "completed", "succeeded")

    def is_in_progress(self, offer: Offer) -> bool:
        """Return whether a submission is in progress, which blocks others."""
        return any(entry.get("status", "completed").lower() != "completed" for entry in self.entries(offer))

    def awaiting_sign_off(self, offer: Offer) -> Publication | None:
        """Return the publication that awaits sign-off; None if there is none."""
        current = offer.current
        return current if current is not None and self._state(current).status == AWAITING_SIGN_OFF else None

    def _replaces(self, current: Publication | None) -> bool:
        """Return whether the old live entry is hidden while a new publication goes live."""
        if current is None or self._settings.going_live_listing == "two-live" or self._target(current) != LIVE:
            return False
        return self._state(current).status != FAILED

    def _state(self, publication: Publication) -> PublicationState:
        return publication.state_at(self._settings, self._offers.clock.now())

    def _target(self, publication: Publication) -> str:
        return LIVE if self._state(publication).steps[SIGN_OFF].status == "complete" else PREVIEW

    def _words(self, publication: Publication) -> tuple[str, str]:
        state = self._state(publication)
        if state.status in (AWAITING_SIGN_OFF, FAILED):
            return "completed", "succeeded" if state.status == AWAITING_SIGN_OFF else "failed"
        if state.status == UNKNOWN:
            return UNKNOWN, "pending"
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
        words = {"status": self._serializers.word(status), "result": self._serializers.word(result)}
        return entry | words | {"created": self._serializers.time(publication.began)}
