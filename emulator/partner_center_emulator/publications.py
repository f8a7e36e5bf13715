# SPDX-License-Identifier: Apache-2.0
"""A publication of an offer. Its state is computed from its scenario and the time; there is no background process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from partner_center_emulator.settings import Settings

SCENARIOS = {
    "succeeds": "awaits sign-off, and goes live after it",
    "never-signed-off": "awaits sign-off forever; the emulated person never signs it off",
    "blocked-then-rejected": "certification is blocked halfway, then rejects the offer, and the publication fails",
    "failed": "provisioning fails, with messages of the step and of the offer",
    "canceled": "is canceled halfway through certification",
    "unknown-status": "has an undocumented status forever",
    "fails-going-live": "awaits sign-off, and fails while it goes live",
    "invalid": "a publish is rejected with 422",
    "throttled": "succeeds; after each publish, the next reads get 429 with Retry-After",
    "server-errors": "succeeds; after each publish, the next reads get 500",
    "dropped-connections": "succeeds; after each publish, the next reads lose their connection",
}

STEPS = (
    ("displaydummycertify", "Validate Pre-Requisites", "< 15 min", "The offer's settings are checked."),
    ("displaycertify", "Certification", "~2-3 days", "The certification team reviews the offer."),
    ("displayprovision", "Provisioning", "< 1 day", "The images are copied to the regions of the customers."),
    ("displaypackage", "Packaging and Lead Generation Registration", "< 1 hour", "The offer is packaged."),
    ("publisher-signoff", "Publisher signoff", "< 1 hour", "The preview is ready for the publisher's review."),
    ("live", "Live", "~2-5 days", "The offer is public."),
)

RUNNING, AWAITING_SIGN_OFF, SUCCEEDED, FAILED, CANCELED, UNKNOWN = (
    "running",
    "waitingForPublisherReview",
    "succeeded",
    "failed",
    "canceled",
    "frobnicating",
)
BLOCKED_TEXT = "<p>Plan <b>gold</b>: CVE-2026-0001 is not patched &amp; the image fails policy 200.3.</p>"
FAILED_TEXT = "<p>The image of plan <b>gold</b> does not boot on a generation 2 size.</p>"


@dataclass(slots=True)
class StepState:
    """The state of a step."""

    status: str = "notStarted"
    percentage: int = 0
    messages: list[tuple[str, str, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class PublicationState:
    """The state of a publication."""

    status: str
    since: datetime
    steps: list[StepState]
    messages: list[tuple[str, str, datetime]] = field(default_factory=list)


@dataclass(slots=True)
class Publication:
    """A publication of an offer.

    :param number: the publishing version.
    :param began: when it was submitted, on the emulator's clock.
    :param publish_id: the ID of the publish operation.
    :param golive_id: the ID of the go-live operation, if going live is a separate operation.
    :param submission_id: its ID in the Product Ingestion API, the same for preview and live.
    :param resources: the draft's resources of that API when the publication began.
    :param signed_off_at: when it was signed off.
    :param canceled_at: when a cancel takes effect.
    """

    number: int
    offer_version: int
    began: datetime
    scenario: str
    publish_id: str
    golive_id: str
    emails: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    submission_id: int = 0
    signed_off_at: datetime | None = None
    canceled_at: datetime | None = None

    def sign_off_time(self, settings: Settings) -> datetime | None:
        """Return when a request or the emulated person signs it off."""
        if self.signed_off_at is None and settings.sign_off_after and self.scenario != "never-signed-off":
            return self.awaits_sign_off_at(settings) + settings.sign_off_after
        return self.signed_off_at

    def awaits_sign_off_at(self, settings: Settings) -> datetime:
        """Return when the first four steps are complete."""
        return self.began + sum(_durations(settings)[:4], timedelta(0))

    def state_at(self, settings: Settings, now: datetime) -> PublicationState:
        """Return the state at a time."""
        if self.canceled_at is not None and now >= self.canceled_at:
            before = self._state_without_cancel(settings, self.canceled_at)
            if before.status not in (SUCCEEDED, FAILED, CANCELED):
                return _canceled(before, self.canceled_at)
        return self._state_without_cancel(settings, now)

    def _state_without_cancel(self, settings: Settings, now: datetime) -> PublicationState:
        steps = [StepState() for _ in STEPS]
        started = self.began
        for index, duration in enumerate(_durations(settings)):
            if index == 4:  # noqa: PLR2004 - the sign-off is the fifth step
                signed_off_at = self.sign_off_time(settings)
                if signed_off_at is None or now < signed_off_at:
                    steps[4] = StepState(AWAITING_SIGN_OFF, 0, [("Waiting for the publisher.", "information", started)])
                    return PublicationState(
                        UNKNOWN if self.scenario == "unknown-status" else AWAITING_SIGN_OFF, started, steps
                    )
                ended = signed_off_at
            else:
                ended = started + duration
                result = self._scenario_result(index, started, duration, now, steps)
                if result is not None:
                    return result
            if now < ended:
                share = (now - started) / duration if duration else 1.0
                message = ("In progress.", "information", started)
                steps[index] = StepState("inProgress", int(share * 100), [message])
                status = UNKNOWN if self.scenario == "unknown-status" else RUNNING
                return PublicationState(status, self.began if index < 4 else started, steps)  # noqa: PLR2004 - the sign-off is the fifth step
            steps[index] = StepState("complete", 100, [("Step completed.", "information", ended)])
            started = ended
        return PublicationState(SUCCEEDED, started, steps)

    def _scenario_result(
        self, index: int, started: datetime, duration: timedelta, now: datetime, steps: list[StepState]
    ) -> PublicationState | None:
        half, end = started + duration / 2, started + duration
        where = (self.scenario, STEPS[index][0])
        if where == ("canceled", "displaycertify") and now >= half:
            steps[index] = StepState("inProgress", 50)
            return _canceled(PublicationState(RUNNING, started, steps), half)
        if where == ("blocked-then-rejected", "displaycertify") and now >= half:
            messages = [(BLOCKED_TEXT, "error", half), ("This step has not started yet.", "information", started)]
            if now < end:
                steps[index] = StepState("blocked", 50, messages)
                return PublicationState(RUNNING, self.began, steps)
            steps[index] = StepState("rejected", 100, messages)
            return PublicationState(FAILED, end, steps, [("The submission of the offer failed.", "error", end)])
        if where in (("failed", "displayprovision"), ("fails-going-live", "live")) and now >= end:
            steps[index] = StepState("rejected", 100, [(FAILED_TEXT, "error", end)])
            return PublicationState(FAILED, end, steps, [("The submission of the offer failed.", "error", end)])
        return None


def _durations(settings: Settings) -> tuple[timedelta, ...]:
    return (
        settings.validation,
        settings.certification,
        settings.provisioning,
        settings.packaging,
        timedelta(0),
        settings.going_live,
    )


def _canceled(before: PublicationState, at: datetime) -> PublicationState:
    for step in before.steps:
        if step.status not in ("complete", "notStarted"):
            step.status = CANCELED
            step.messages = [("The submission was canceled.", "information", at)]
    return PublicationState(
        CANCELED, at, before.steps, [("The submission of the offer was canceled.", "information", at)]
    )
