# SPDX-License-Identifier: Apache-2.0
"""What the Product Ingestion API says, as frozen values, checked once where it comes in.

A misreading raises :class:`ValueError`, which becomes an error that names the call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_cpp.apis.product_ingestion.status import Target, parse_state
from airflow_provider_cpp.core.json_fields import as_list, as_object, as_text, parse_timestamp
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status

PRODUCT = re.compile(r"product/([A-Za-z0-9-]{1,100})")
SUBMISSION = re.compile(r"submission/([A-Za-z0-9-]{1,100})/([A-Za-z0-9-]{1,100})")
JOB = re.compile(r"[A-Za-z0-9-]{1,100}")

MAX_DEPTH = 20
"""Levels of an error tree that are read; real ones have three."""

MAX_DETAILS = 50

IN_PROGRESS = "in progress submission already exists"
NOT_LATEST = "not the latest"
"""How the API says that somebody else's submission is in the way, in a 400 or in a job that failed."""


def is_conflict_message(text: str) -> bool:
    """Say whether the words of a refusal mean that another submission is in the way."""
    return any(words in text.casefold() for words in (IN_PROGRESS, NOT_LATEST))


@dataclass(frozen=True, slots=True)
class Product:
    """A product, which is what the portal calls an offer.

    :param guid: the bare id, without ``product/``.
    :param external_id: the offer's id.
    :param type: ``azureVirtualMachine`` for example.
    :param alias: its name for its publisher.
    """

    guid: str
    external_id: str
    type: str = ""
    alias: str = ""

    @property
    def id(self) -> str:
        """The durable id."""
        return f"product/{self.guid}"

    @classmethod
    def from_json(cls, data: Any) -> Product:
        """Read a product.

        :raises ValueError: if it is not an object with an id.
        """
        fields = as_object(data, "a product")
        found = PRODUCT.fullmatch(as_text(fields.get("id")))
        if found is None:
            msg = "a product has no id"
            raise ValueError(msg)
        identity = fields.get("identity")
        external = identity.get("externalId") if isinstance(identity, dict) else None
        external, kind, alias = (
            sanitize_line(as_text(one), 200) for one in (external, fields.get("type"), fields.get("alias"))
        )
        return cls(found.group(1), external, kind, alias)


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission of a product, for one target; a submission that went live may be listed for both.

    :param id: its durable id.
    :param target: for whom it is; None for a target that is not of the marketplace.
    :param state: where it stands.
    :param word: that in the API's words.
    :param created: when it began.
    """

    id: str
    target: Target | None
    state: Status
    raw_status: str
    created: datetime | None = None

    @property
    def is_draft(self) -> bool:
        """Whether it is the entry that stands for the draft, which is no publication."""
        return self.target is Target.DRAFT or self.id.endswith("/0")

    @classmethod
    def from_json(cls, data: Any) -> Submission:
        """Read a submission.

        :raises ValueError: if it is not an object with the durable id of a submission.
        """
        fields = as_object(data, "a submission")
        identifier = as_text(fields.get("id"))
        if SUBMISSION.fullmatch(identifier) is None:
            msg = "a submission has no id"
            raise ValueError(msg)
        target = fields.get("target")
        target_word = as_text(target.get("targetType") if isinstance(target, dict) else None)
        progress, result = as_text(fields.get("status")), as_text(fields.get("result"))
        return cls(
            id=identifier,
            target=Target.parse(target_word),
            state=parse_state(progress, result),
            raw_status=_words(target_word, progress, result),
            created=_starts_with(fields.get("created")),
        )


@dataclass(frozen=True, slots=True)
class JobError:
    """An error of a job, with those that it comes of, to any depth.

    :param code: the API's code.
    :param message: its words, one line of plain text.
    :param resource: the durable id or the name of the resource that is wrong.
    :param details: what it comes of.
    """

    code: str
    message: str
    resource: str = ""
    details: tuple[JobError, ...] = ()

    def walk(self) -> Iterator[JobError]:
        """Walk through the tree, this one first."""
        yield self
        for detail in self.details:
            yield from detail.walk()

    @property
    def is_certification(self) -> bool:
        """Whether the certification team said no, which looks like a fault of the server: asking again is useless."""
        return any(e.code.casefold() == "invalidstate" and "certification" in e.message.casefold() for e in self.walk())

    @property
    def is_conflict(self) -> bool:
        """Whether another submission is in the way."""
        return any(is_conflict_message(e.message) for e in self.walk())

    @property
    def text(self) -> str:
        """The whole tree as one line."""
        facts = ", ".join(part for part in (self.code, self.resource) if part)
        own = f"{self.message or 'no message'}{f' ({facts})' if facts else ''}"
        below = "; ".join(detail.text for detail in self.details)
        return f"{own}: {below}" if below else own

    @classmethod
    def from_json(cls, data: Any, depth: int = 0) -> JobError:
        """Read an error, whatever is missing: a bare text, a leaf without details, an object where a list belongs."""
        if not isinstance(data, dict):
            return cls("", sanitize_line(as_text(data)))
        details = data.get("details") if depth < MAX_DEPTH else None
        return cls(
            code=sanitize_line(as_text(data.get("code")), 100),
            message=sanitize_line(as_text(data.get("message"))),
            resource=sanitize_line(as_text(data.get("resourceId") or data.get("resourceName")), 300),
            details=tuple(cls.from_json(one, depth + 1) for one in _listed(details)),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A configure job.

    :param id: its id.
    :param state: where it stands: ``jobStatus`` first, its result only then, and its end never.
    :param word: that in the API's words.
    :param errors: why it failed.
    :param started_at: when it began, on the API's own clock.
    """

    id: str
    state: Status
    raw_status: str
    errors: tuple[JobError, ...] = field(default=())
    started_at: datetime | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether it failed because another submission is in the way, and so began none."""
        return self.state.is_failure and any(error.is_conflict for error in self.errors)

    @property
    def is_certification(self) -> bool:
        """Whether it failed because the certification team said no."""
        return self.state.is_failure and any(error.is_certification for error in self.errors)

    @property
    def reason(self) -> str:
        """Why it failed, as one line."""
        said = sanitize_line("; ".join(error.text for error in self.errors)) or "and the API gave no message"
        if self.is_certification:
            return f"certification failed: {said}; the team's report comes by mail and stands in Partner Center"
        return said

    @classmethod
    def from_json(cls, data: Any) -> Job:
        """Read a job.

        :raises ValueError: if it is not an object with an id and a status.
        """
        fields = as_object(data, "a job")
        identifier, progress = as_text(fields.get("jobId")), as_text(fields.get("jobStatus")).strip()
        if JOB.fullmatch(identifier) is None or not progress:
            msg = "a job has no id or no status"
            raise ValueError(msg)
        result = as_text(fields.get("jobResult"))
        return cls(
            id=identifier,
            state=parse_state(progress, result),
            raw_status=_words("job", progress, result),
            errors=tuple(JobError.from_json(error) for error in _listed(fields.get("errors"))),
            started_at=_starts_with(fields.get("jobStart")),
        )


def resources_of(data: Any) -> tuple[dict[str, Any], ...]:
    """Read a resource tree: its resources raw, so that no key that nobody modelled is lost, in no order.

    :raises ValueError: if there is no list of objects.
    """
    entries = as_list(as_object(data, "the answer").get("resources"), "resources")
    return tuple(as_object(entry, "a resource") for entry in entries)


def _words(*words: str) -> str:
    """Write a state as people read it: ``preview running/pending``."""
    what, *state = (sanitize_line(word, 60) for word in words)
    said = "/".join(word for word in state if word) or "without a status"
    return f"{what} {said}".strip()


def _starts_with(value: Any) -> datetime | None:
    """Read a beginning; the year 1 is how the API writes that there is none."""
    moment = parse_timestamp(value)
    return moment if moment is not None and moment.year > 1 else None


def _listed(data: Any) -> list[Any]:
    """Return the entries of a list; whatever stands in its place is none."""
    return [one for one in data[:MAX_DETAILS] if one is not None] if isinstance(data, list) else []
