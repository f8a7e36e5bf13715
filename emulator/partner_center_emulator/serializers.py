# SPDX-License-Identifier: Apache-2.0
"""The JSON of the CPP API, with the API's spelling."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import FIRST_VERSION, OfferStore
from partner_center_emulator.publications import (
    AWAITING_SIGN_OFF,
    CANCELED,
    FAILED,
    RUNNING,
    STEPS,
    SUCCEEDED,
    UNKNOWN,
    Publication,
    PublicationState,
    StepState,
)

SIGN_OFF = 4


class Serializers:
    """A serializer of offers and their publications."""

    def __init__(self, offers: OfferStore) -> None:
        self._offers = offers
        self._settings = offers.settings

    def status(self, offer: Offer) -> dict[str, Any]:
        """Return an offer's status."""
        state = self._offers.state_of(offer)
        if state is None:
            steps = [self._step(index, StepState()) for index in range(len(STEPS))]
            return self._shell("neverPublished", [], steps)
        word = {SUCCEEDED: self._settings.success_word}.get(state.status, state.status)
        if state.status == AWAITING_SIGN_OFF and self._settings.sign_off_shown_as != "status":
            word = RUNNING
        return self._shell(word, state.messages, self._steps(state), offer.current)

    def summary(self, offer: Offer) -> dict[str, Any]:
        """Return an offer's entry in the list of offers."""
        return {
            "offerTypeId": offer.document.get("offerTypeId"),
            "publisherId": offer.publisher_id,
            "status": self.status(offer)["status"],
            "lockStatus": "none",
            "pcMigrationStatus": "migrated",
            "id": offer.offer_id,
            "version": offer.version,
            "definition": {"displayText": (offer.document.get("definition") or {}).get("displayText")},
            "changedTime": self.time(offer.changed_at),
        }

    def document(self, offer: Offer, document: dict[str, Any]) -> dict[str, Any]:
        """Return a whole offer with the document of its draft or of a publication."""
        return {**document, **{key: value for key, value in self.summary(offer).items() if key != "definition"}}

    def operations(self, offer: Offer) -> list[dict[str, Any]]:
        """Return an offer's operations, newest first."""
        entries: list[dict[str, Any]] = []
        for publication in offer.publications:
            entries.append(self._entry(offer, publication, "publish"))
            if self._has_own_golive(publication):
                entries.append(self._entry(offer, publication, "goLive"))
        return list(reversed(entries))

    def operation(self, offer: Offer, identifier: str) -> Any:
        """Return the operation with this ID; None if there is none."""
        for publication in offer.publications:
            if publication.publish_id == identifier.lower():
                return self._operation(publication, "publish")
            if publication.golive_id == identifier.lower() and self._has_own_golive(publication):
                return self._operation(publication, "goLive")
        return None

    def operation_by_place(self, offer: Offer, number: int, slot: str) -> Any:
        """Return the operation with this publishing version and slot; None if there is none."""
        for publication in offer.publications:
            if publication.number == number:
                own = slot.lower() == "production" and self._has_own_golive(publication)
                return self._operation(publication, "goLive" if own else "publish")
        return None

    def time(self, moment: datetime | None) -> str | None:
        """Return a time with seven fractional digits, as the CPP API does."""
        if moment is None:
            return None
        return f"{self._offers.clock.display_time(moment).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}1Z"

    def word(self, text: str) -> str:
        """Return a status word with the case that the settings select."""
        return text[:1].upper() + text[1:] if self._settings.casing == "pascal" else text

    def _has_own_golive(self, publication: Publication) -> bool:
        if self._settings.golive_operation != "new":
            return False
        state = publication.state_at(self._settings, self._offers.clock.now())
        return state.steps[SIGN_OFF].status == "complete"

    def _state(self, publication: Publication, kind: str) -> tuple[str, PublicationState]:
        """Return an operation's status, which can differ from the offer's, and the publication's state."""
        state = publication.state_at(self._settings, self._offers.clock.now())
        if kind == "publish" and self._has_own_golive(publication):
            return SUCCEEDED, state
        return (state.status if state.status in (SUCCEEDED, FAILED, CANCELED, UNKNOWN) else RUNNING), state

    def _entry(self, offer: Offer, publication: Publication, kind: str) -> dict[str, Any]:
        status, state = self._state(publication, kind)
        changed = state.since
        if kind == "publish" and self._has_own_golive(publication):
            changed = publication.sign_off_time(self._settings) or changed
        return {
            "id": publication.publish_id if kind == "publish" else publication.golive_id,
            "offerId": offer.offer_id,
            "offerVersion": publication.offer_version,
            "offerTypeId": offer.document.get("offerTypeId"),
            "publisherId": offer.publisher_id,
            "submissionType": kind,
            "submissionState": self.word({SUCCEEDED: self._settings.list_success_word}.get(status, status)),
            "publishingVersion": publication.number,
            "slot": "staging" if kind == "publish" else "production",
            "version": FIRST_VERSION + publication.number * 10**9 + (kind == "goLive"),
            "definition": {"metadata": {"emails": publication.emails} if publication.emails else {}},
            "changedTime": self.time(changed),
        }

    def _operation(self, publication: Publication, kind: str) -> Any:
        status, state = self._state(publication, kind)
        word = {SUCCEEDED: self._settings.operation_success_word}.get(status, status)
        body = self._shell(word, state.messages, self._steps(state), publication)
        body |= {"publishingVersion": publication.number, "offerVersion": publication.offer_version}
        if status == RUNNING:
            body["cancellationRequestState"] = "canCancel"
        return [body] if self._settings.operation_body == "list" else body

    def _shell(
        self,
        word: str,
        messages: list[tuple[str, str, datetime]],
        steps: list[dict[str, Any]],
        publication: Publication | None = None,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"status": self.word(word), "messages": [self._message(entry) for entry in messages]}
        body |= {"steps": steps, "previewLinks": [], "liveLinks": []}
        if publication is not None and publication.emails:
            body["notificationEmails"] = publication.emails
        return body

    def _steps(self, state: PublicationState) -> list[dict[str, Any]]:
        return [self._step(index, step) for index, step in enumerate(state.steps)]

    def _step(self, index: int, state: StepState) -> dict[str, Any]:
        identifier, name, estimate, description = STEPS[index]
        if index == SIGN_OFF and self._settings.sign_off_shown_as == "step-name":
            name = identifier
        return {
            "estimatedTimeFrame": estimate,
            "id": identifier,
            "stepName": name,
            "description": description,
            "status": self.word(state.status),
            "messages": [self._message(entry) for entry in state.messages],
            "progressPercentage": state.percentage,
        }

    def _message(self, entry: tuple[str, str, datetime]) -> dict[str, Any]:
        text, level, moment = entry
        return {"messageHtml": text, "level": level, "timestamp": self.time(moment)}
