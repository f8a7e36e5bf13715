# SPDX-License-Identifier: Apache-2.0
"""Operations that tasks start and pass on, and the entries of an offer's list of operations.

`Retrieve operations <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-retrieve-operations>`_
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, get_args

from airflow_provider_cpp.core.json_fields import json_type_name, parse_timestamp
from airflow_provider_cpp.core.models import IDENTIFIER, OfferRef
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.core.urls import is_safe_api_path
from airflow_provider_cpp.exceptions import ConfigurationError

CLOUD_PARTNER_PORTAL = "cloud_partner_portal"
"""The name of an API in an operation's JSON."""

PRODUCT_INGESTION = "product_ingestion"


APIS = (CLOUD_PARTNER_PORTAL, PRODUCT_INGESTION)

Kind = Literal["publish", "golive", "cancel"]
KINDS: tuple[Kind, ...] = get_args(Kind)

VISIBILITY_DELAY = timedelta(minutes=15)
"""The time after a submit within which the API may not show the operation yet."""

_OTHER_PATH = "its location is not a path of the API"
_ID = re.compile(rf"{IDENTIFIER}(?:/{IDENTIFIER}){{0,4}}")
"""An operation ID. Each API validates it again before using it in a path."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that the API accepted; tasks pass it on through XCom.

    :param offer: the offer.
    :param kind: ``publish``, ``golive`` or ``cancel``.
    :param submitted_at: when it was submitted.
    :param operation_id: the ID; None if neither the location nor the list showed it.
    :param location: the path and query of its status; None if the API returned none.
    :param api: the API's name.
    """

    offer: OfferRef
    kind: Kind
    submitted_at: datetime
    operation_id: str | None = None
    location: str | None = None
    api: str = CLOUD_PARTNER_PORTAL

    def __post_init__(self) -> None:
        """Reject a location to which no token may be sent."""
        if self.location is not None and not is_safe_api_path(self.location, "/"):
            raise ConfigurationError((_OTHER_PATH,), "the operation")

    @property
    def display_id(self) -> str:
        """The ID or, without one, the location, for logs."""
        return self.operation_id or self.location or "without an id"

    def may_not_be_listed_yet(self, now: datetime) -> bool:
        """Return whether the operation is so new that the API may not show it yet."""
        return now - self.submitted_at < VISIBILITY_DELAY

    def to_json(self) -> dict[str, str | None]:
        """Return the operation as the JSON that tasks return."""
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
        """Parse the operation that a task returned.

        :raises ConfigurationError: if the value is not one operation; the error describes the usual cause.
        """
        if not isinstance(data, dict):
            raise ConfigurationError((_not_an_operation(data),), "the argument operation")
        problems = []
        for key, allowed in (("api", APIS), ("kind", KINDS)):
            if data.get(key) not in allowed:
                problems.append(f"its {key} is {_shown(data.get(key))}, not one of {', '.join(allowed)}")
        submitted_at = parse_timestamp(data.get("submitted_at"))
        if submitted_at is None:
            problems.append("its submitted_at is not an ISO 8601 time")
        location = data.get("location")
        if location is not None and not (isinstance(location, str) and is_safe_api_path(location, "/")):
            problems.append(_OTHER_PATH)
        identifier = data.get("operation_id")
        if identifier is not None and not (isinstance(identifier, str) and _ID.fullmatch(identifier)):
            problems.append(f"its operation_id is {_shown(identifier)}, which is not an id")
        if identifier is None and location is None:
            problems.append("it has neither an operation_id nor a location")
        if submitted_at is None or problems:
            raise ConfigurationError(tuple(problems), "the argument operation")
        return cls(
            offer=OfferRef(data.get("publisher_id", ""), data.get("offer_id", "")),
            kind=data["kind"],
            submitted_at=submitted_at,
            operation_id=identifier,
            location=location,
            api=data["api"],
        )


def ensure_same_api(name: str, named: str | None, what: str) -> None:
    """Reject an operation or wait of another API, because the response would be about something else.

    :param name: the connection's API.
    :param named: the API of the operation or wait; None if unknown.
    :param what: its name in the error.
    :raises ConfigurationError: if the APIs differ.
    """
    if named is not None and named != name:
        problem = (
            f"it belongs to the API {named}, but the connection is of type {name}: use a connection of type {named} for what"
            " was started through that API"
        )
        raise ConfigurationError((problem,), what)


def _shown(value: object) -> str:
    return sanitize_line(repr(value), 60)


def _not_an_operation(data: object) -> str:
    if data is None:
        return "the upstream task returned None: it was skipped, marked as success, or pushed nothing"
    if isinstance(data, (list, tuple)):
        if len(data) == 2 and isinstance(data[0], str):  # noqa: PLR2004 - a key and its value
            return (
                "it is one field of an operation: expand() was given a single operation; pass it with"
                " partial(operation=...), or expand over a list of operations"
            )
        return (
            f"it is a list of {len(data)}, probably the results of a mapped task; one sensor waits for one"
            " operation: use .expand(operation=...)"
        )
    return f"it is {json_type_name(data)}; pass the operation that a task returned: operation=publish.output"


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
        """The ID, kind and status, for logs."""
        changed = f", changed {self.changed_at:%Y-%m-%d %H:%M:%S} UTC" if self.changed_at else ""
        return f"operation {self.id} ({self.kind or 'unknown kind'}, {self.raw_status}{changed})"


def newest_first(submissions: Iterable[OperationSummary]) -> list[OperationSummary]:
    """Sort operations by their last change, because the API documents no order."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(submissions, key=lambda entry: (entry.changed_at or never, entry.version or 0), reverse=True)
