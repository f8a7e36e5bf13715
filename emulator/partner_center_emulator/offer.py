# SPDX-License-Identifier: Apache-2.0
"""One offer, as both APIs see it."""

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
    """Old answers that are still to be given after an order."""

    status: int = 0
    list: int = 0
    operation: int = 0
    old_status: Any = None
    old_list: Any = None
    old_operation: Any = None
    operation_id: str = ""
    until: float = 0.0
    old_submissions: Any = None

    def takes(self, what: str) -> bool:
        """Say whether an old answer is to be given, and count it: for ``status``, ``list`` or ``operation``."""
        left: int = getattr(self, what)
        setattr(self, what, max(left - 1, 0))
        return left > 0 or time.monotonic() < self.until


@dataclass(slots=True)
class PendingChange:
    """A change of a draft that takes effect later."""

    due: datetime
    apply: Callable[[], None]


@dataclass(slots=True)
class Offer:
    """An offer: its draft, and its publications, the newest last.

    :param resources: what the Product Ingestion API was told, by durable id; what the document says too, it says.
    :param coming: changes of the draft that are being worked on.
    :param locked: whether somebody edits the product, so that that API refuses to change it.
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
    coming: list[PendingChange] = field(default_factory=list)
    locked: bool = False

    @property
    def current(self) -> Publication | None:
        """The newest publication."""
        return self.publications[-1] if self.publications else None

    @property
    def etag(self) -> str:
        """The draft's ETag, weak and percent-encoded as the portal's are."""
        moment = f"{self.changed_at:%Y-%m-%dT%H:%M:%S.%f}1Z".replace(":", "%3A")
        return f"W/\"datetime'{moment}'\""

    def touch(self, now: datetime) -> None:
        """Note that the draft was changed: its ETag is a new one."""
        self.changed_at = max(now, (self.changed_at or now) + timedelta(microseconds=1))

    def settle(self, now: datetime) -> None:
        """Let the changes take effect that are due."""
        if not self.coming:
            return
        due = sorted((change for change in self.coming if change.due <= now), key=lambda change: change.due)
        self.coming = [change for change in self.coming if change.due > now]
        for change in due:
            change.apply()
