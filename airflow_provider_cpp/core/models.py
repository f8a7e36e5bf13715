# SPDX-License-Identifier: Apache-2.0
"""Offers and their statuses as frozen dataclasses; each API parses them from its own responses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cpp.core.json_fields import as_int
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.exceptions import ConfigurationError

IDENTIFIER = r"(?!\.)[A-Za-z0-9._$-]{1,200}"
"""A regular expression: text that is safe as one path segment."""


def validate_identifier(what: str, value: object) -> str:
    """Return an identifier that is safe as one path segment.

    :param what: its name in the error, for example ``offer_id``.
    :raises ConfigurationError: if it is not text, is empty, starts with a dot, or has characters other than letters, digits,
        ``. _ - $``.
    """
    if isinstance(value, str) and re.fullmatch(IDENTIFIER, value):
        return value
    shown = sanitize_line(repr(value), 80)
    problem = f"{what} is {shown}, but must be letters, digits, '-', '_', '.' or '$', and not begin with '.'"
    raise ConfigurationError((problem,), "the task's arguments")


@dataclass(frozen=True, slots=True)
class OfferRef:
    """The IDs of an offer and its publisher; the publisher is None if the token determines it."""

    publisher_id: str | None
    offer_id: str

    def __post_init__(self) -> None:
        if self.publisher_id is not None:
            validate_identifier("publisher_id", self.publisher_id)
        validate_identifier("offer_id", self.offer_id)

    def __str__(self) -> str:
        """Return ``publisher/offer``, or ``offer`` without a publisher."""
        return self.offer_id if self.publisher_id is None else f"{self.publisher_id}/{self.offer_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the certification team or of the API, as one line of plain text."""

    text: str
    level: str = "information"
    timestamp: datetime | None = None

    @property
    def is_error(self) -> bool:
        """Whether the message is an error."""
        return self.level == "error"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a publication, for example ``Certification``.

    :param status: the status.
    :param raw_status: the status as the API spells it.
    :param is_sign_off: whether this is the publisher's sign-off.
    :param is_live: whether this is the step in which the offer goes live.
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
    """The status of an offer, or of one of its operations."""

    status: Status
    raw_status: str
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    publishing_version: int | None = None
    request_id: str | None = None

    @property
    def awaits_sign_off(self) -> bool:
        """Whether the status of the offer or operation, or of its sign-off step, is awaiting sign-off."""
        if self.status.awaits_sign_off:
            return True
        waits = any(step.is_sign_off and step.status.awaits_sign_off for step in self.steps)
        goes_live = any(step.is_live and step.status.is_in_progress for step in self.steps)
        return self.status is Status.RUNNING and waits and not goes_live

    @property
    def is_past_sign_off(self) -> bool:
        """Whether the live step has started."""
        return any(step.is_live and step.status in (Status.RUNNING, Status.SUCCEEDED) for step in self.steps)

    @property
    def live_step_is_done(self) -> bool:
        """Whether the live step is complete."""
        return any(step.is_live and step.status.is_success for step in self.steps)

    @property
    def current_step(self) -> Step | None:
        """The first step that has started and is not complete."""
        past = (Status.NOT_STARTED, Status.SUCCEEDED)
        return next((step for step in self.steps if step.status not in past), None)

    @property
    def blocked_step(self) -> Step | None:
        """The first blocked step."""
        return next((step for step in self.steps if step.status is Status.BLOCKED), None)


@dataclass(frozen=True, slots=True)
class OfferDocument:
    """An offer's whole document.

    :param content: the raw JSON object, with every key that the API sent.
    :param etag: the unchanged ETag; None if the API sent none.
    """

    content: dict[str, Any] = field(repr=False)
    etag: str | None = None

    @property
    def version(self) -> int | None:
        """The offer's version."""
        return as_int(self.content.get("version"))

    @property
    def partner_center_url(self) -> str | None:
        """The URL of the offer's page in Partner Center, if the API returned one."""
        address = self.content.get("pcRedirectUri")
        return address if isinstance(address, str) and address else None
