# SPDX-License-Identifier: Apache-2.0
"""Operations: one that this package started, and an API's list of an offer's operations.

`Retrieve operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-operations>`_
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import unquote

from airflow_provider_cpp.core.json_fields import json_type_name, parse_timestamp
from airflow_provider_cpp.core.models import OfferRef, validate_identifier
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.urls import is_safe_api_path
from airflow_provider_cpp.exceptions import ConfigurationError

CLOUD_PARTNER_PORTAL = "cloud_partner_portal"
"""The portal's API, as an operation names it in XCom."""

PRODUCT_INGESTION = "product_ingestion"


class OperationFormat(NamedTuple):
    """What an API's operations look like as JSON.

    :ivar below: the path that their locations begin with.
    :ivar has_publisher: whether they name the publisher; otherwise the token does.
    """

    below: str
    has_publisher: bool


OPERATION_FORMATS = {
    CLOUD_PARTNER_PORTAL: OperationFormat("/api/", has_publisher=True),
    PRODUCT_INGESTION: OperationFormat("/configure/", has_publisher=False),
}
"""The APIs that an operation may belong to."""

Kind = Literal["publish", "golive", "cancel"]
KINDS: tuple[Kind, ...] = get_args(Kind)

VISIBILITY_DELAY = timedelta(minutes=15)
"""For how long after its order an operation may be unknown to the portal."""

_ELSEWHERE = "its location is not a path of the portal's API"
_DURABLE = re.compile(r"[a-z](?:-?[a-z0-9])*(?:/[A-Za-z0-9-]{1,200}){1,4}")
"""An id as the Product Ingestion API makes them, ``submission/<product>/<number>``."""
_BY_PLACE = re.compile(r"/operations/[^/?]+[$]([0-9]+)[$][^/?]+/?(?:[?]|$)")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that the portal accepted: what crosses from task to task as XCom.

    :param offer: the offer it belongs to.
    :param kind: ``publish``, ``golive`` or ``cancel``.
    :param submitted_at: when the order was sent.
    :param operation_id: its id; None where the location has none and the list could not tell.
    :param location: path and query under which the portal reports on it; None where it named none.
    :param api: the API that it belongs to.
    """

    offer: OfferRef
    kind: Kind
    submitted_at: datetime
    operation_id: str | None = None
    location: str | None = None
    api: str = CLOUD_PARTNER_PORTAL

    def __post_init__(self) -> None:
        """Refuse a location that a token must not go to, whoever made this."""
        if self.location is not None and not is_safe_api_path(self.location, OPERATION_FORMATS[self.api].below):
            raise ConfigurationError((_ELSEWHERE,), "the operation")

    @property
    def display_id(self) -> str:
        """What to call it in a log: its id, or else where the portal reports on it."""
        return self.operation_id or self.location or "without a name"

    @property
    def publishing_version(self) -> int | None:
        """The number of the publication, where the location names it instead of an id."""
        found = _BY_PLACE.search(unquote(self.location or ""))
        return int(found.group(1)) if found else None

    def may_not_be_listed_yet(self, now: datetime) -> bool:
        """Say whether it is so new that the portal need not know it yet."""
        return now - self.submitted_at < VISIBILITY_DELAY

    def to_json(self) -> dict[str, str | None]:
        """Write it as the JSON that tasks return."""
        return {
            "api": self.api,
            "publisher_id": self.offer.publisher_id,
            "offer_id": self.offer.offer_id,
            "operation_id": self.operation_id,
            "location": self.location,
            "kind": self.kind,
            "submitted_at": self.submitted_at.astimezone(timezone.utc).isoformat(),
        }

    @classmethod
    def from_json(cls, data: Any) -> Operation:
        """Read what a task returned.

        :raises ConfigurationError: if it is anything but one operation, saying how that usually comes about.
        """
        if not isinstance(data, dict):
            raise ConfigurationError((_not_an_operation(data),), "the argument operation")
        problems = []
        shape = OPERATION_FORMATS.get(str(data.get("api")))
        if shape is None:
            problems.append(f"its api is {_shown(data.get('api'))}, not one of {', '.join(OPERATION_FORMATS)}")
        if data.get("kind") not in KINDS:
            problems.append(f"its kind is {_shown(data.get('kind'))}, not one of {', '.join(KINDS)}")
        submitted_at = parse_timestamp(data.get("submitted_at"))
        if submitted_at is None:
            problems.append("its submitted_at is not an ISO 8601 time")
        location = data.get("location")
        if location is not None and not (
            isinstance(location, str) and shape and is_safe_api_path(location, shape.below)
        ):
            problems.append(_ELSEWHERE)
        identifier = data.get("operation_id")
        if identifier is None and location is None:
            problems.append("it has neither an operation_id nor a location")
        if submitted_at is None or shape is None or problems:
            raise ConfigurationError(tuple(problems), "the argument operation")
        if shape.has_publisher:
            validate_identifier("publisher_id", data.get("publisher_id", ""))
        publisher = data.get("publisher_id", "")
        kind: Any = data["kind"]
        return cls(
            offer=OfferRef(publisher, data.get("offer_id", "")),
            kind=kind,
            submitted_at=submitted_at,
            operation_id=None if identifier is None else _check_id(identifier),
            location=location,
            api=data["api"],
        )


def ensure_same_api(name: str, named: str | None, what: str) -> None:
    """Refuse what belongs to another API than the connection is for: its answer would be about something else.

    :param name: the API that the connection is for.
    :param named: the API that it belongs to; None where it does not say.
    :param what: what to call it.
    :raises ConfigurationError: if the connection was switched, or another one is meant.
    """
    if named is not None and named != name:
        problem = (
            f"it belongs to the API {named}, and the connection is of type {name}: the connection was switched, or"
            " another one is meant. What was begun through one API is waited for through the same one"
        )
        raise ConfigurationError((problem,), what)


def _check_id(value: object) -> str:
    """Return an operation's id; each API's own calls look at it again before they put it into a path."""
    if isinstance(value, str) and _DURABLE.fullmatch(value):
        return value
    return validate_identifier("operation_id", value)


def _shown(value: object) -> str:
    return sanitize_line(repr(value), 60)


def _not_an_operation(data: object) -> str:
    if data is None:
        return "it came out as None: the task that should have returned it was skipped, marked as success, or pushed nothing"
    if isinstance(data, (list, tuple)):
        entries = list(data)
        if len(entries) == 2 and isinstance(entries[0], str):  # noqa: PLR2004 - a key and its value
            return (
                "it is one field of an operation: expand() went over a single operation's fields; give it with"
                " partial(operation=...), or expand over a list of operations"
            )
        return (
            f"it is a list of {len(entries)}, the results of a mapped task perhaps; one sensor watches one"
            " operation: use .expand(operation=...)"
        )
    return f"it is {json_type_name(data)}; give the operation that a task returned: operation=publish.output"


@dataclass(frozen=True, slots=True)
class OperationSummary:
    """One entry of an offer's list of operations."""

    id: str
    kind: str
    status: Status
    raw_status: str
    publishing_version: int | None = None
    version: int | None = None
    changed_at: datetime | None = None

    @property
    def description(self) -> str:
        """Name it for a person."""
        changed = f", changed {self.changed_at:%Y-%m-%d %H:%M:%S} UTC" if self.changed_at else ""
        return f"operation {self.id} ({self.kind or 'of an unknown kind'}, {self.raw_status}{changed})"


def newest_first(submissions: Iterable[OperationSummary]) -> list[OperationSummary]:
    """Order a list of operations by their last change, since the portal promises no order."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(submissions, key=lambda entry: (entry.changed_at or never, entry.version or 0), reverse=True)
