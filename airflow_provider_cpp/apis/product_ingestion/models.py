# SPDX-License-Identifier: Apache-2.0
"""Parse and validate the Product Ingestion API's responses.

The parsers raise :class:`ValueError`, which is converted to an error with the request's description.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.product_ingestion.status import Target, parse_state
from airflow_provider_cpp.core.json_fields import as_list, as_object, as_text, nested, parse_timestamp
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status

PRODUCT = re.compile(r"product/([A-Za-z0-9-]{1,100})")
SUBMISSION = re.compile(r"submission/([A-Za-z0-9-]{1,100})/([A-Za-z0-9-]{1,100})")
JOB = re.compile(r"[A-Za-z0-9-]{1,100}")

MAX_DEPTH = 20
"""The maximum depth of an error tree; real ones have three levels."""

MAX_DETAILS = 50

IN_PROGRESS = "in progress submission already exists"
NOT_LATEST = "not the latest"
"""The API's messages for a conflict with another submission, in a 400 response or a failed job."""


def is_conflict_message(text: str) -> bool:
    """Return whether an error message means a conflict with another submission."""
    return any(phrase in text.casefold() for phrase in (IN_PROGRESS, NOT_LATEST))


@dataclass(frozen=True, slots=True)
class Product:
    """A product, which is this API's name for an offer.

    :param guid: the ID without ``product/``.
    :param external_id: the offer ID.
    :param type: for example ``azureVirtualMachine``.
    :param alias: the publisher's own name for the product.
    """

    guid: str
    external_id: str
    type: str = ""
    alias: str = ""

    @property
    def id(self) -> str:
        """The durable ID."""
        return f"product/{self.guid}"

    @classmethod
    def from_json(cls, data: Any) -> Product:
        """Parse a product.

        :raises ValueError: if it is not an object with an ID.
        """
        fields = as_object(data, "a product")
        match = PRODUCT.fullmatch(as_text(fields.get("id")))
        if match is None:
            raise ValueError("a product has no id")
        texts = (nested(fields, "identity", "externalId"), fields.get("type"), fields.get("alias"))
        return cls(match.group(1), *(sanitize_line(as_text(text), 200) for text in texts))


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission of a product to one target. A live submission may be listed for both targets.

    :param id: its durable ID.
    :param target: its target; None for an unknown one.
    :param state: its status.
    :param raw_status: target, progress and result as the API spells them.
    :param created: when it was created.
    """

    id: str
    target: Target | None
    state: Status
    raw_status: str
    created: datetime | None = None

    @property
    def is_draft(self) -> bool:
        """Whether this is the entry for the draft, which is not a publication."""
        return self.target is Target.DRAFT or self.id.endswith("/0")

    @classmethod
    def from_json(cls, data: Any) -> Submission:
        """Parse a submission.

        :raises ValueError: if it is not an object with the durable ID of a submission.
        """
        fields = as_object(data, "a submission")
        identifier = as_text(fields.get("id"))
        if SUBMISSION.fullmatch(identifier) is None:
            raise ValueError("a submission has no id")
        target_word = as_text(nested(fields, "target", "targetType"))
        progress, result = as_text(fields.get("status")), as_text(fields.get("result"))
        return cls(
            id=identifier,
            target=Target.parse(target_word),
            state=parse_state(progress, result),
            raw_status=_raw_status(target_word, progress, result),
            created=_time(fields.get("created")),
        )


@dataclass(frozen=True, slots=True)
class JobError:
    """An error of a job, with nested details.

    :param code: the API's error code.
    :param message: its message as one line of plain text.
    :param resource: the durable ID or the name of the resource that has the error.
    :param details: the errors that caused it.
    """

    code: str
    message: str
    resource: str = ""
    details: tuple[JobError, ...] = ()

    def walk(self) -> Iterator[JobError]:
        """Yield this error and all of its details."""
        yield self
        for detail in self.details:
            yield from detail.walk()

    @property
    def text(self) -> str:
        """The whole tree as one line."""
        facts = ", ".join(part for part in (self.code, self.resource) if part)
        own = f"{self.message or 'no message'}{f' ({facts})' if facts else ''}"
        below = "; ".join(detail.text for detail in self.details)
        return f"{own}: {below}" if below else own

    @classmethod
    def from_json(cls, data: Any, depth: int = 0) -> JobError:
        """Parse an error; accept text, and an error without a list of details."""
        if not isinstance(data, dict):
            return cls("", sanitize_line(as_text(data)))
        details = data.get("details") if depth < MAX_DEPTH else None
        return cls(
            code=sanitize_line(as_text(data.get("code")), 100),
            message=sanitize_line(as_text(data.get("message"))),
            resource=sanitize_line(as_text(data.get("resourceId") or data.get("resourceName")), 300),
            details=tuple(cls.from_json(one, depth + 1) for one in _entries(details)),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A configure job.

    :param id: its ID.
    :param state: its status by ``jobStatus`` and, if that is completed, ``jobResult``; ``jobEnd`` is ignored.
    :param raw_status: both as the API spells them.
    :param errors: why it failed.
    :param started_at: when it started, by the API's clock.
    """

    id: str
    state: Status
    raw_status: str
    errors: tuple[JobError, ...] = ()
    started_at: datetime | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether it failed because of a conflict with another submission, so that it has no submission of its own."""
        return self._failed_with(lambda error: is_conflict_message(error.message))

    @property
    def is_certification(self) -> bool:
        """Whether it failed because certification failed. The API reports it like a server error, but a retry cannot help."""
        return self._failed_with(
            lambda error: error.code.casefold() == "invalidstate" and "certification" in error.message.casefold()
        )

    def _failed_with(self, is_cause: Callable[[JobError], bool]) -> bool:
        return self.state.is_failure and any(is_cause(one) for error in self.errors for one in error.walk())

    @property
    def reason(self) -> str:
        """Why it failed, as one line."""
        reason = sanitize_line("; ".join(error.text for error in self.errors)) or "the API returned no message"
        if self.is_certification:
            return f"certification failed: {reason}; the report is in Partner Center, and is sent by email"
        return reason

    @classmethod
    def from_json(cls, data: Any) -> Job:
        """Parse a job.

        :raises ValueError: if it is not an object with an ID and a status.
        """
        fields = as_object(data, "a job")
        identifier, progress = as_text(fields.get("jobId")), as_text(fields.get("jobStatus")).strip()
        if JOB.fullmatch(identifier) is None or not progress:
            raise ValueError("a job has no id or no status")
        result = as_text(fields.get("jobResult"))
        return cls(
            id=identifier,
            state=parse_state(progress, result),
            raw_status=_raw_status("job", progress, result),
            errors=tuple(JobError.from_json(error) for error in _entries(fields.get("errors"))),
            started_at=_time(fields.get("jobStart")),
        )


def resources_of(data: Any) -> tuple[dict[str, Any], ...]:
    """Return the raw resources of a resource tree with all keys, in any order.

    :raises ValueError: if there is no list of objects.
    """
    entries = as_list(as_object(data, "the response").get("resources"), "resources")
    return tuple(as_object(entry, "a resource") for entry in entries)


def _raw_status(*words: str) -> str:
    target, *rest = (sanitize_line(word, 60) for word in words)
    status = "/".join(word for word in rest if word) or "without a status"
    return f"{target} {status}".strip()


def _time(value: Any) -> datetime | None:
    """Parse a time; None for a missing one, for which the API sends the year 1."""
    moment = parse_timestamp(value)
    return moment if moment is not None and moment.year > 1 else None


def _entries(data: Any) -> list[Any]:
    return [one for one in data[:MAX_DETAILS] if one is not None] if isinstance(data, list) else []
