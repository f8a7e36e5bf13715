# SPDX-License-Identifier: Apache-2.0
"""What the portal says, as frozen values. ``from_json`` checks once, at the edge; nothing checks later.

A misreading raises :class:`ValueError`, which :mod:`.calls` turns into an error that names the call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cpp.portal.errors import ConfigurationError
from airflow_provider_cpp.portal.reading import as_text, items, json_object, parse_timestamp, whole_number
from airflow_provider_cpp.portal.status import LIVE_STEP, SIGN_OFF_STEP, Status
from airflow_provider_cpp.portal.text import plain_text

_IDENTIFIER = re.compile(r"(?!\.)[A-Za-z0-9._$-]{1,200}")


def check_identifier(what: str, value: object) -> str:
    """Return an identifier that cannot leave its place in a path, or raise.

    :param what: its name in the error: ``offer_id``.
    :raises ConfigurationError: if it is not text, is empty, or has other than letters, digits, ``. _ - $``.
    """
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    shown = plain_text(repr(value), 80)
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
            check_identifier("publisher_id", self.publisher_id)
        check_identifier("offer_id", self.offer_id)

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

    @classmethod
    def from_json(cls, data: Any) -> Message:
        """Read a message: an object, or the bare text that the documents speak of."""
        if isinstance(data, dict):
            return cls(
                text=plain_text(as_text(data.get("messageHtml"))),
                level=plain_text(as_text(data.get("level")).lower(), 40) or "information",
                timestamp=parse_timestamp(data.get("timestamp")),
            )
        return cls(text=plain_text(as_text(data)))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a publication, ``Certification`` for example."""

    id: str
    name: str
    status: Status
    word: str
    messages: tuple[Message, ...] = ()
    percentage: int | None = None

    @property
    def is_sign_off(self) -> bool:
        """Whether this is where the publisher signs off; either spelling may be the step's id or its name."""
        return SIGN_OFF_STEP in (self.id.lower(), self.name.lower())

    @property
    def is_live(self) -> bool:
        """Whether this is the step that puts the offer on the market."""
        return LIVE_STEP in (self.id.lower(), self.name.lower())

    @classmethod
    def from_json(cls, data: Any) -> Step:
        """Read a step.

        :raises ValueError: if it is not an object.
        """
        fields = json_object(data, "a step")
        word = as_text(fields.get("status"))
        step_id, name = (plain_text(as_text(fields.get(key)), 200) for key in ("id", "stepName"))
        percentage = fields.get("progressPercentage", fields.get("processPercentage"))
        return cls(
            id=step_id,
            name=name or step_id,
            status=Status.parse(word),
            word=plain_text(word, 60),
            messages=_messages(fields.get("messages")),
            percentage=whole_number(percentage),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Where an offer or one of its operations stands: the same shape answers both questions."""

    status: Status
    word: str
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    publishing_version: int | None = None
    request_id: str | None = None

    @property
    def is_parked(self) -> bool:
        """Whether it waits at the publisher's sign-off, in either of the two ways of saying so."""
        if self.status.waits_for_publisher:
            return True
        waits = any(step.is_sign_off and step.status.waits_for_publisher for step in self.steps)
        goes_live = any(step.is_live and step.status.is_at_work for step in self.steps)
        return self.status is Status.RUNNING and waits and not goes_live

    @property
    def is_beyond_sign_off(self) -> bool:
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

    @classmethod
    def from_json(cls, data: Any) -> Report:
        """Read the body of an offer's status, or of an operation, which may come as a one-element list.

        :raises ValueError: if there is no object with a status word in it.
        """
        if isinstance(data, list) and len(data) == 1:
            data = data[0]
        fields = json_object(data, "the answer")
        word = fields.get("status")
        if not isinstance(word, str) or not word.strip():
            msg = "the answer has no status"
            raise ValueError(msg)
        return cls(
            status=Status.parse(word),
            word=plain_text(word, 60),
            steps=tuple(Step.from_json(step) for step in items(fields.get("steps"), "steps")),
            messages=_messages(fields.get("messages")),
            publishing_version=whole_number(fields.get("publishingVersion")),
        )


@dataclass(frozen=True, slots=True)
class OfferSummary:
    """One entry of a publisher's list of offers."""

    id: str
    offer_type_id: str
    status: Status
    word: str
    display_text: str = ""
    version: int | None = None
    changed_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Any) -> OfferSummary:
        """Read an entry.

        :raises ValueError: if it is not an object.
        """
        fields = json_object(data, "an offer")
        definition = fields.get("definition")
        text = definition.get("displayText") if isinstance(definition, dict) else None
        word = as_text(fields.get("status"))
        return cls(
            id=plain_text(as_text(fields.get("id")), 200),
            offer_type_id=plain_text(as_text(fields.get("offerTypeId")), 200),
            status=Status.parse(word),
            word=plain_text(word, 60),
            display_text=plain_text(as_text(text), 200),
            version=whole_number(fields.get("version")),
            changed_at=parse_timestamp(fields.get("changedTime")),
        )


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
        return whole_number(self.content.get("version"))

    @property
    def portal_page(self) -> str | None:
        """The address of the offer's page for its publisher, where the portal gives one."""
        address = self.content.get("pcRedirectUri")
        return address if isinstance(address, str) and address else None


@dataclass(frozen=True, slots=True)
class PublisherSummary:
    """One entry of the list of publishers."""

    id: str
    display_text: str = ""

    @classmethod
    def from_json(cls, data: Any) -> PublisherSummary:
        """Read an entry.

        :raises ValueError: if it is not an object.
        """
        fields = json_object(data, "a publisher")
        definition = fields.get("definition")
        text = definition.get("displayText") if isinstance(definition, dict) else None
        return cls(plain_text(as_text(fields.get("id")), 200), plain_text(as_text(text), 200))


def _messages(data: Any) -> tuple[Message, ...]:
    entries = data if isinstance(data, list) else [data]
    read = (Message.from_json(entry) for entry in entries if entry is not None)
    return tuple(message for message in read if message.text)
