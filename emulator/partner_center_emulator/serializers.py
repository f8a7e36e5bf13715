# SPDX-License-Identifier: Apache-2.0
"""The JSON that the portal answers with, spelt as it spells it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from partner_center_emulator.offer import Offer
from partner_center_emulator.offer_store import FIRST_VERSION, OfferStore
from partner_center_emulator.publications import (
    CANCELED,
    FAILED,
    PARKED,
    RUNNING,
    STEPS,
    STRANGE,
    SUCCEEDED,
    Publication,
    PublicationState,
    StepState,
)

SIGN_OFF = 4


class Serializers:
    """Writes answers for the offers of one portal."""

    def __init__(self, offers: OfferStore) -> None:
        self._offers = offers
        self._settings = offers.settings

    def status(self, offer: Offer) -> dict[str, Any]:
        """Write an offer's status."""
        standing = self._offers.standing(offer)
        if standing is None:
            steps = [self._step(index, StepState()) for index in range(len(STEPS))]
            return self._shell("neverPublished", [], steps)
        word = {SUCCEEDED: self._settings.success_word}.get(standing.status, standing.status)
        if standing.status == PARKED and self._settings.sign_off_shown_as != "status":
            word = RUNNING
        return self._shell(word, standing.messages, self._steps(standing), offer.current)

    def summary(self, offer: Offer) -> dict[str, Any]:
        """Write an entry of the list of offers."""
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
        """Write an offer whole, as its draft or as a publication had it."""
        return {**document, **{key: value for key, value in self.summary(offer).items() if key != "definition"}}

    def operations(self, offer: Offer) -> list[dict[str, Any]]:
        """Write an offer's list of operations, the newest first."""
        found: list[dict[str, Any]] = []
        for publication in offer.publications:
            found.append(self._entry(offer, publication, "publish"))
            if self._has_own_golive(publication):
                found.append(self._entry(offer, publication, "goLive"))
        return list(reversed(found))

    def operation(self, offer: Offer, identifier: str) -> Any:
        """Write one operation by its id; None if there is none."""
        for publication in offer.publications:
            if publication.publish_id == identifier.lower():
                return self._operation(publication, "publish")
            if publication.golive_id == identifier.lower() and self._has_own_golive(publication):
                return self._operation(publication, "goLive")
        return None

    def operation_by_place(self, offer: Offer, number: int, slot: str) -> Any:
        """Write one operation by its publishing version and slot; None if there is none."""
        for publication in offer.publications:
            if publication.number == number:
                own = slot.lower() == "production" and self._has_own_golive(publication)
                return self._operation(publication, "goLive" if own else "publish")
        return None

    def time(self, moment: datetime | None) -> str | None:
        """Write a time with the seven digits of fraction that the portal writes."""
        if moment is None:
            return None
        return f"{self._offers.clock.shown(moment).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}1Z"

    def word(self, text: str) -> str:
        """Write a status word in the casing that is set."""
        return text[:1].upper() + text[1:] if self._settings.casing == "pascal" else text

    def _has_own_golive(self, publication: Publication) -> bool:
        if self._settings.golive_operation != "new":
            return False
        standing = publication.standing(self._settings, self._offers.clock.now())
        return standing.steps[SIGN_OFF].status == "complete"

    def _state(self, publication: Publication, kind: str) -> tuple[str, PublicationState]:
        """Say what an operation's own state is, which is not its offer's."""
        standing = publication.standing(self._settings, self._offers.clock.now())
        if kind == "publish" and self._has_own_golive(publication):
            return SUCCEEDED, standing
        return (standing.status if standing.status in (SUCCEEDED, FAILED, CANCELED, STRANGE) else RUNNING), standing

    def _entry(self, offer: Offer, publication: Publication, kind: str) -> dict[str, Any]:
        state, standing = self._state(publication, kind)
        changed = standing.since
        if kind == "publish" and self._has_own_golive(publication):
            changed = publication.sign_off_time(self._settings) or changed
        return {
            "id": publication.publish_id if kind == "publish" else publication.golive_id,
            "offerId": offer.offer_id,
            "offerVersion": publication.offer_version,
            "offerTypeId": offer.document.get("offerTypeId"),
            "publisherId": offer.publisher_id,
            "submissionType": kind,
            "submissionState": self.word({SUCCEEDED: self._settings.list_success_word}.get(state, state)),
            "publishingVersion": publication.number,
            "slot": "staging" if kind == "publish" else "production",
            "version": FIRST_VERSION + publication.number * 10**9 + (kind == "goLive"),
            "definition": {"metadata": {"emails": publication.emails} if publication.emails else {}},
            "changedTime": self.time(changed),
        }

    def _operation(self, publication: Publication, kind: str) -> Any:
        state, standing = self._state(publication, kind)
        word = {SUCCEEDED: self._settings.operation_success_word}.get(state, state)
        body = self._shell(word, standing.messages, self._steps(standing), publication)
        body |= {"publishingVersion": publication.number, "offerVersion": publication.offer_version}
        if state == RUNNING:
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

    def _steps(self, standing: PublicationState) -> list[dict[str, Any]]:
        return [self._step(index, state) for index, state in enumerate(standing.steps)]

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
