# SPDX-License-Identifier: Apache-2.0
"""The offers, and the CPP API's rules for changes, for example at most one operation in progress."""

from __future__ import annotations

import copy
import itertools
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from partner_center_emulator.clock import Clock
from partner_center_emulator.offer import Offer
from partner_center_emulator.publications import (
    AWAITING_SIGN_OFF,
    CANCELED,
    FAILED,
    SCENARIOS,
    SUCCEEDED,
    Publication,
    PublicationState,
)
from partner_center_emulator.settings import Settings

FIRST_VERSION = 638_450_001_234_567_890
"""An operation's version has 18 digits, which a float cannot represent."""
FIRST_SUBMISSION = 1_152_921_515_689_840_000
"""A submission ID has 19 digits."""


class OfferError(Exception):
    """The CPP API rejects a request.

    :param status: the HTTP status.
    :param code: the error code in the body.
    """

    def __init__(self, status: int, code: str, message: str, details: list[dict[str, str]] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        super().__init__(message)


class OfferStore:
    """All offers, and the submits that change them.

    :param settings: the emulator's settings.
    :param clock: the emulator's clock.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._offers: dict[tuple[str, str], Offer] = {}
        self._by_guid: dict[str, Offer] = {}
        self._submissions = itertools.count(1)

    def add(
        self,
        publisher_id: str,
        offer_id: str,
        scenario: str = "succeeds",
        history: str | None = None,
        document: dict[str, Any] | None = None,
    ) -> Offer:
        """Add an offer, with an earlier publication if ``history`` is set.

        :param history: the result of the earlier publication: ``succeeded``, ``failed``, or None for no publication.
        """
        if scenario not in SCENARIOS:
            msg = f"scenario is {scenario!r}, not one of {', '.join(SCENARIOS)}"
            raise ValueError(msg)
        draft = copy.deepcopy(document) if document else _default_document(publisher_id, offer_id)
        offer = Offer(publisher_id, offer_id, scenario, draft, changed_at=self.clock.now())
        key = publisher_id.lower(), offer_id.lower()
        if (old := self._offers.get(key)) is not None:
            del self._by_guid[old.guid]
        self._offers[key] = self._by_guid[offer.guid] = offer
        if history is not None:
            scenarios = {"succeeded": "succeeds", "failed": "failed"}
            began = self.clock.now() - timedelta(days=30)
            publication = self._new_publication(offer, began, scenarios[history])
            publication.signed_off_at = publication.awaits_sign_off_at(self.settings)
        return offer

    def find(self, publisher_id: str, offer_id: str) -> Offer:
        """Return an offer; ignore the case of its IDs.

        :raises OfferError: 404.
        """
        offer = self._offers.get((publisher_id.lower(), offer_id.lower()))
        if offer is None:
            raise OfferError(404, "NotFound", f"Offer '{offer_id}' does not exist.")
        offer.apply_due_changes(self.clock.now())
        return offer

    def by_guid(self, guid: str) -> Offer | None:
        """Return the offer with this GUID, or None."""
        offer = self._by_guid.get(guid.lower())
        if offer is not None:
            offer.apply_due_changes(self.clock.now())
        return offer

    def of(self, publisher_id: str) -> list[Offer]:
        """Return a publisher's offers."""
        return [offer for offer in self.all() if offer.publisher_id.lower() == publisher_id.lower()]

    def all(self) -> list[Offer]:
        """Return every offer."""
        now = self.clock.now()
        for offer in self._offers.values():
            offer.apply_due_changes(now)
        return list(self._offers.values())

    def state_of(self, offer: Offer) -> PublicationState | None:
        """Return the state of the newest publication; None if there is none."""
        return offer.current.state_at(self.settings, self.clock.now()) if offer.current else None

    def publish(self, offer: Offer, emails: str = "") -> Publication:
        """Start a publication; it replaces one that awaits sign-off.

        :raises OfferError: if an operation is in progress, or the offer is not valid.
        """
        now, state = self.clock.now(), self.state_of(offer)
        if offer.scenario == "invalid":
            detail = {"code": "ValidationError", "target": "plans[0]", "message": "The plan gold has no image."}
            raise OfferError(422, "UnprocessableEntity", "The offer is not valid.", [detail])
        if state is not None and state.status == AWAITING_SIGN_OFF and offer.current is not None:
            offer.current.canceled_at = now
        elif state is not None and state.status not in (SUCCEEDED, FAILED, CANCELED):
            code = "Conflict" if self.settings.second_publish == 409 else "BadRequest"  # noqa: PLR2004 - HTTP's conflict
            raise OfferError(self.settings.second_publish, code, "Another operation of this offer is running.")
        publication = self._new_publication(offer, now, offer.scenario)
        publication.emails = emails
        return publication

    def go_live(self, offer: Offer) -> Publication:
        """Sign off the publication that awaits sign-off.

        :raises OfferError: if there is none.
        """
        state = self.state_of(offer)
        if offer.current is None or state is None or state.status != AWAITING_SIGN_OFF:
            raise OfferError(400, "BadRequest", "The offer is not waiting for its publisher's sign-off.")
        offer.current.signed_off_at = self.clock.now()
        return offer.current

    def cancel(self, offer: Offer, duration: timedelta | None = None) -> None:
        """Cancel the publication in progress; do nothing if there is none.

        :param duration: how long the cancel takes; the setting if None.
        :raises OfferError: if the publication can no longer be canceled.
        """
        state = self.state_of(offer)
        if offer.current is None or state is None or state.status in (SUCCEEDED, FAILED, CANCELED):
            return
        is_rejected = self.settings.cancel_at_sign_off == "400" and state.status == AWAITING_SIGN_OFF
        if offer.current.sign_off_time(self.settings) is not None and state.steps[4].status == "complete":
            is_rejected = True
        if is_rejected:
            raise OfferError(400, "BadRequest", "The operation cannot be canceled any more.")
        at_once = self.settings.cancel_code == 200  # noqa: PLR2004 - HTTP's OK
        default = timedelta(0) if at_once else self.settings.cancel_takes
        offer.current.canceled_at = self.clock.now() + (default if duration is None else duration)

    def put(
        self, publisher_id: str, offer_id: str, document: dict[str, Any], if_match: str | None
    ) -> tuple[int, Offer]:
        """Replace a whole draft.

        :raises OfferError: for a missing or stale ETag.
        """
        offer = self._offers.get((publisher_id.lower(), offer_id.lower()))
        if offer is not None:
            offer.apply_due_changes(self.clock.now())
        if offer is None:
            if if_match is not None:
                status = 404 if if_match == "*" else 412
                raise OfferError(status, "NotFound" if if_match == "*" else "PreconditionFailed", "No such offer.")
            return self.settings.create_code, self.add(publisher_id, offer_id, document=document)
        if if_match is None:
            code = "InvalidResourceId" if self.settings.missing_if_match == 409 else "BadRequest"  # noqa: PLR2004 - HTTP's conflict
            raise OfferError(self.settings.missing_if_match, code, "The offer exists; If-Match is required.")
        if if_match not in ("*", offer.etag):
            raise OfferError(412, "PreconditionFailed", "The ETag is not the offer's current one.")
        offer.document = copy.deepcopy(document)
        offer.touch(self.clock.now())
        return 200, offer

    def _new_publication(self, offer: Offer, began: datetime, scenario: str) -> Publication:
        offer.version += 1
        publication = Publication(
            number=len(offer.publications) + 1,
            offer_version=offer.version,
            began=began,
            scenario=scenario,
            publish_id=str(uuid.uuid4()),
            golive_id=str(uuid.uuid4()),
            document=copy.deepcopy(offer.document),
            resources=copy.deepcopy(offer.resources),
            submission_id=FIRST_SUBMISSION + next(self._submissions) * 1213,
        )
        offer.publications.append(publication)
        return publication


def _default_document(publisher_id: str, offer_id: str) -> dict[str, Any]:
    image = "https://contosoimages.blob.core.windows.net/vhds/1.vhd?sv=2018-03-28&sr=c&sp=rl&sig=example"
    plan = {
        "planId": "gold",
        "microsoft-azure-virtualmachines.skuTitle": "Gold",
        "microsoft-azure-virtualmachines.vmImages": {"1.0.0": {"osVhdUrl": image, "lunVhdDetails": []}},
    }
    text = {"displayText": offer_id, "offer": {"microsoft-azure-marketplace.title": offer_id}, "plans": [plan]}
    kind = "microsoft-azure-virtualmachines"
    document = {"publisherId": publisher_id, "offerTypeId": kind, "id": offer_id, "definition": text}
    return json.loads(json.dumps(document))  # type: ignore[no-any-return]  # a dict, as before
