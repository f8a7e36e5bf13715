# SPDX-License-Identifier: Apache-2.0
"""An offer, which both APIs serve."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from partner_center_emulator.publications import Publication


@dataclass(slots=True)
class StaleReads:
    """Old responses to return for a while after a submit."""

    status: int = 0
    list: int = 0
    operation: int = 0
    old_status: Any = None
    old_list: Any = None
    old_operation: Any = None
    operation_id: str = ""
    until: float = 0.0
    old_submissions: Any = None

    def consume(self, what: str) -> bool:
        """Return whether to send an old response for ``status``, ``list`` or ``operation``; count the read."""
        remaining: int = getattr(self, what)
        setattr(self, what, max(remaining - 1, 0))
        return remaining > 0 or time.monotonic() < self.until


@dataclass(slots=True)
class PendingChange:
    """A change of a draft that takes effect later."""

    due: datetime
    apply: Callable[[], None]


@dataclass(slots=True)
class Offer:
    """An offer with its draft and its publications, newest last.

    :param resources: the resources of the Product Ingestion API by durable ID; the document has priority for shared data.
    :param pending_changes: changes of the draft that have not taken effect yet.
    :param locked: whether somebody is editing the product, so that the Product Ingestion API rejects changes.
    """

    publisher_id: str
    offer_id: str
    scenario: str
    document: dict[str, Any]
    publications: list[Publication] = field(default_factory=list)
    lag: StaleReads = field(default_factory=StaleReads)
    version: int = 0
    changed_at: datetime | None = None
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending_changes: list[PendingChange] = field(default_factory=list)
    locked: bool = False

    @property
    def current(self) -> Publication | None:
        """The newest publication."""
        return self.publications[-1] if self.publications else None

    @property
    def etag(self) -> str:
        """The draft's ETag, weak and percent-encoded like those of the CPP API."""
        moment = f"{self.changed_at:%Y-%m-%dT%H:%M:%S.%f}1Z".replace(":", "%3A")
        return f"W/\"datetime'{moment}'\""

    def touch(self, now: datetime) -> None:
        """Record a change of the draft, which changes its ETag."""
        self.changed_at = max(now, (self.changed_at or now) + timedelta(microseconds=1))

    def apply_due_changes(self, now: datetime) -> None:
        """Apply the changes that are due."""
        if not self.pending_changes:
            return
        due = sorted((change for change in self.pending_changes if change.due <= now), key=lambda change: change.due)
        self.pending_changes = [change for change in self.pending_changes if change.due > now]
        for change in due:
            change.apply()
