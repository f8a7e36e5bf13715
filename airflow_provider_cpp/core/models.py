# SPDX-License-Identifier: Apache-2.0
"""What an API says of offers, as frozen values; how they are read is each API's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cpp.core.json_fields import as_int
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.exceptions import ConfigurationError

_IDENTIFIER = re.compile(r"(?!\.)[A-Za-z0-9._$-]{1,200}")


def validate_identifier(what: str, value: object) -> str:
    """Return an identifier that cannot leave its place in a path, or raise.

    :param what: its name in the error: ``offer_id``.
    :raises ConfigurationError: if it is not text, is empty, or has other than letters, digits, ``. _ - $``.
    """
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    shown = sanitize_line(repr(value), 80)
    problem = f"{what} is {shown}, but must be letters, digits, '-', '_', '.' or '$', and not begin with '.'"
    raise ConfigurationError((problem,), "the task's arguments")


@dataclass(frozen=True, slots=True)
class OfferRef:
    """Which offer: the publisher's id, None where the API takes it from the token, and the offer's."""

    publisher_id: str | None
    offer_id: str

    def __post_init__(self) -> None:
        """Refuse identifiers that could not stand in a path."""
        if self.publisher_id is not None:
            validate_identifier("publisher_id", self.publisher_id)
        validate_identifier("offer_id", self.offer_id)

    def __str__(self) -> str:
        """Show it as people name it."""
        return self.offer_id if self.publisher_id is None else f"{self.publisher_id}/{self.offer_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the certification team or of the portal, as one line of plain text."""

    text: str
    level: str = "information"
    timestamp: datetime | None = None

    @property
    def is_error(self) -> bool:
        """Whether it says what is wrong."""
        return self.level == "error"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a publication, ``Certification`` for example.

    :param status: where it stands.
    :param word: that in the API's word.
    :param is_sign_off: whether this is where the publisher signs off.
    :param is_live: whether this is the step that puts the offer on the market.
    """

    id: str
    name: str
    status: Status
    raw_status: str
    messages: tuple[Message, ...] = ()
    percentage: int | None = None
    is_sign_off: bool = False
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where an offer or one of its operations stands: the same shape answers both questions."""

    status: Status
    raw_status: str
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    publishing_version: int | None = None
    request_id: str | None = None

    @property
    def awaits_sign_off(self) -> bool:
        """Whether it waits at the publisher's sign-off, in either of the two ways of saying so."""
        if self.status.waits_for_publisher:
            return True
        waits = any(step.is_sign_off and step.status.waits_for_publisher for step in self.steps)
        goes_live = any(step.is_live and step.status.is_at_work for step in self.steps)
        return self.status is Status.RUNNING and waits and not goes_live

    @property
    def is_past_sign_off(self) -> bool:
        """Whether going live has begun, by the steps."""
        return any(step.is_live and step.status.has_begun for step in self.steps)

    @property
    def live_step_is_done(self) -> bool:
        """Whether the live step says that it is complete."""
        return any(step.is_live and step.status.is_success for step in self.steps)

    @property
    def current_step(self) -> Step | None:
        """The step that the portal is at: the first that is neither done nor waiting for its turn."""
        for step in self.steps:
            if step.status is not Status.NOT_STARTED and not step.status.is_success:
                return step
        return None

    @property
    def blocked_step(self) -> Step | None:
        """The first step that is blocked."""
        return next((step for step in self.steps if step.status is Status.BLOCKED), None)


@dataclass(frozen=True, slots=True)
class OfferDocument:
    """An offer whole, as the portal stores it.

    :param content: the raw JSON object, with every key that the portal sent.
    :param etag: what names this state of it, sent back as it came; None where the portal gave none.
    """

    content: dict[str, Any] = field(repr=False)
    etag: str | None = None

    @property
    def version(self) -> int | None:
        """The offer's version."""
        return as_int(self.content.get("version"))

    @property
    def partner_center_url(self) -> str | None:
        """The address of the offer's page for its publisher, where the portal gives one."""
        address = self.content.get("pcRedirectUri")
        return address if isinstance(address, str) and address else None
