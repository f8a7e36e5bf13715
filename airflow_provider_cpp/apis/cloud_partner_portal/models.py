# SPDX-License-Identifier: Apache-2.0
"""Parse and validate the CPP API's responses.

The parsers raise :class:`ValueError`, which is converted to an error with the request's description.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal.status import LIVE_STEP, SIGN_OFF_STEP, parse_status
from airflow_provider_cpp.core.json_fields import as_int, as_list, as_object, as_text, nested, parse_timestamp
from airflow_provider_cpp.core.models import Message, StatusReport, Step
from airflow_provider_cpp.core.operations import OperationSummary
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status


def parse_message(data: Any) -> Message:
    """Parse a message: an object or, as in the documentation, text."""
    if isinstance(data, dict):
        return Message(
            text=sanitize_line(as_text(data.get("messageHtml"))),
            level=sanitize_line(as_text(data.get("level")).lower(), 40) or "information",
            timestamp=parse_timestamp(data.get("timestamp")),
        )
    return Message(text=sanitize_line(as_text(data)))


def parse_step(data: Any) -> Step:
    """Parse a step; the sign-off and live steps are identified by ID or name.

    :raises ValueError: if it is not an object.
    """
    fields = as_object(data, "a step")
    word = as_text(fields.get("status"))
    step_id, name = (sanitize_line(as_text(fields.get(key)), 200) for key in ("id", "stepName"))
    name = name or step_id
    names = (step_id.lower(), name.lower())
    return Step(
        id=step_id,
        name=name,
        status=parse_status(word),
        raw_status=sanitize_line(word, 60),
        messages=_messages(fields.get("messages")),
        percentage=as_int(fields.get("progressPercentage", fields.get("processPercentage"))),
        is_sign_off=SIGN_OFF_STEP in names,
        is_live=LIVE_STEP in names,
    )


def parse_status_report(data: Any) -> StatusReport:
    """Parse the status of an offer or an operation; accept a list with one entry.

    :raises ValueError: if it is not an object with a status.
    """
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    fields = as_object(data, "the response")
    word = fields.get("status")
    if not isinstance(word, str) or not word.strip():
        raise ValueError("the response has no status")
    return StatusReport(
        status=parse_status(word),
        raw_status=sanitize_line(word, 60),
        steps=tuple([parse_step(step) for step in as_list(fields.get("steps"), "steps")]),
        messages=_messages(fields.get("messages")),
        publishing_version=as_int(fields.get("publishingVersion")),
    )


def parse_operation_summary(data: Any) -> OperationSummary:
    """Parse an entry of an offer's list of operations.

    :raises ValueError: if it is not an object with an ID.
    """
    fields = as_object(data, "an operation")
    identifier = fields.get("id")
    if not isinstance(identifier, str) or not identifier.strip():
        raise ValueError("an operation has no id")
    word = as_text(fields.get("submissionState"))
    return OperationSummary(
        id=sanitize_line(identifier, 200),
        kind=sanitize_line(as_text(fields.get("submissionType")), 40).lower(),
        status=parse_status(word),
        raw_status=sanitize_line(word, 60) or "without a state",
        publishing_version=as_int(fields.get("publishingVersion")),
        version=as_int(fields.get("version")),
        changed_at=parse_timestamp(fields.get("changedTime")),
    )


@dataclass(frozen=True, slots=True)
class OfferSummary:
    """One entry of a publisher's list of offers."""

    id: str
    offer_type_id: str
    status: Status
    raw_status: str
    display_text: str = ""
    version: int | None = None
    changed_at: datetime | None = None

    @classmethod
    def from_json(cls, data: Any) -> OfferSummary:
        """Parse an entry.

        :raises ValueError: if it is not an object.
        """
        fields = as_object(data, "an offer")
        word = as_text(fields.get("status"))
        return cls(
            id=sanitize_line(as_text(fields.get("id")), 200),
            offer_type_id=sanitize_line(as_text(fields.get("offerTypeId")), 200),
            status=parse_status(word),
            raw_status=sanitize_line(word, 60),
            display_text=sanitize_line(as_text(nested(fields, "definition", "displayText")), 200),
            version=as_int(fields.get("version")),
            changed_at=parse_timestamp(fields.get("changedTime")),
        )


@dataclass(frozen=True, slots=True)
class PublisherSummary:
    """One entry of the list of publishers."""

    id: str
    display_text: str = ""

    @classmethod
    def from_json(cls, data: Any) -> PublisherSummary:
        """Parse an entry.

        :raises ValueError: if it is not an object.
        """
        fields = as_object(data, "a publisher")
        texts = (fields.get("id"), nested(fields, "definition", "displayText"))
        return cls(*(sanitize_line(as_text(text), 200) for text in texts))


def _messages(data: Any) -> tuple[Message, ...]:
    entries = data if isinstance(data, list) else [data]
    read = [parse_message(entry) for entry in entries if entry is not None]
    return tuple([message for message in read if message.text])
