# SPDX-License-Identifier: Apache-2.0
"""What can be ordered of an API, as frozen values; how it is done is each API's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.defaults import MAX_PUBLISH_DURATION, DraftChange
from airflow_provider_cpp.exceptions import ConfigurationError

_LUN = re.compile(r"[0-9]{1,3}")
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """A version of an image.

    :param plan_id: the plan, or the disk generation of one, by the id that it has there.
    :param version: three whole numbers with dots between, kept as written: ``2026.11.3``.
    :param os_disk_url: the SAS URL of the operating system's disk.
    :param data_disk_urls: the SAS URLs of data disks, by logical unit number.
    :param details: further keys of the version, ``{"label": "..."}`` for example.
    """

    plan_id: str
    version: str
    os_disk_url: str = field(repr=False)
    data_disk_urls: Mapping[int, str] = field(default_factory=dict, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def validate(self, now: datetime, valid_for: timedelta = MAX_PUBLISH_DURATION) -> None:
        """Refuse what the portal would refuse days later.

        :param valid_for: how long the URLs must be good: the portal reads them until the offer is live.
        :raises ConfigurationError: naming all that is wrong at once.
        """
        problems = []
        if not _VERSION.fullmatch(str(self.version)):
            shown = sanitize_line(repr(self.version), 40)
            problems.append(f"version is {shown}, but must be three whole numbers with dots between, like 2026.11.3")
        wrong = (number for number in self.data_disk_urls if not _LUN.fullmatch(str(number)))
        problems += [f"data_disk_urls has {sanitize_line(repr(one), 40)} for a logical unit number" for one in wrong]
        doubled = sorted({"osVhdUrl", "lunVhdDetails"} & set(self.details))
        problems += [f"details must not hold {key}, which comes from the URLs" for key in doubled]
        for name, url in (("os_disk_url", self.os_disk_url), *self._data_disks()):
            problems.extend(f"{name} {problem}" for problem in _url_problems(url, now, valid_for))
        if problems:
            raise ConfigurationError(tuple(problems), "the task's arguments")

    def _data_disks(self) -> Iterator[tuple[str, str]]:
        for number, url in self.data_disk_urls.items():
            yield f"data_disk_urls[{number}]", url


def _url_problems(url: str, now: datetime, valid_for: timedelta) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        expiry = parse_timestamp(next(iter(parse_qs(parts.query).get("se", [])), None))
    except (ValueError, AttributeError, TypeError):
        yield "is no URL"
        return
    if parts.scheme != "https" or not parts.hostname:
        yield "must be an https URL"
        return
    if expiry is not None and expiry < now:
        yield f"expired on {expiry:%Y-%m-%d %H:%M} UTC"
    elif expiry is not None and expiry < now + valid_for:
        days = valid_for / timedelta(days=1)
        yield f"expires on {expiry:%Y-%m-%d %H:%M} UTC, but publishing reads it for up to {days:g} days"


MAX_SUBMITS = 2
"""How often one try goes live: a second time only after the offer stayed parked for the whole settle time."""

MAX_STALENESS = 60.0
"""Seconds for which a status that is not parked may be the last publication's: the preview has just been reached."""


@dataclass(frozen=True, slots=True)
class PublishParams:
    """What is to be published.

    :param offer: the offer.
    :param notification_emails: who is told by mail.
    :param attempt: which try this is.
    :param draft: the version of its draft, where that is known: a later try tells it to people.
    :param resources: what is configured and published in the same order; empty for the draft as it is.
    """

    offer: OfferRef
    notification_emails: tuple[str, ...]
    try_context: TryContext
    draft_version: int | None = None
    resources: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class GoLiveParams:
    """What is to go live.

    :param offer: the offer.
    :param attempt: which try this is.
    :param operation: the publish operation whose preview is meant; None for whichever is parked.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class CancelParams:
    """What is to be canceled.

    :param offer: the offer.
    :param attempt: which try this is.
    :param operation: the operation that is meant; None for whichever runs.
    :param notification_emails: who is told by mail.
    :param poll_interval: seconds between two looks while it ends.
    :param timeout: seconds after which it should have ended.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None
    notification_emails: tuple[str, ...] = ()
    poll_interval: float = 15.0
    timeout: float = 900.0

    def __post_init__(self) -> None:
        """Refuse an interval that would never let the portal rest."""
        if self.poll_interval <= 0:
            raise ConfigurationError(("poll_interval must be more than 0 seconds",), "the task's arguments")


@dataclass(frozen=True, slots=True)
class UpdateParams:
    """How a draft is to be changed: by a change of its document, or by resources, whichever the API has.

    :param offer: the offer.
    :param change: what is done to its document; None where resources are given.
    :param create: whether an offer that is not there is created, out of an empty document.
    :param overwrite: whether a draft is stored over whichever is there (``If-Match: *``) if the API gives no ETag.
    :param resources: the resources to configure, raw; None where a change is given.
    """

    offer: OfferRef
    change: DraftChange | None = None
    create: bool = False
    overwrite: bool = False
    resources: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AddImageParams:
    """The version of an image that is to be added to a plan.

    :param offer: the offer.
    :param image: the version.
    :param overwrite: as of :class:`UpdateParams`.
    """

    offer: OfferRef
    image: ImageVersion
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What became of it.

    :param document: the document as the API stored it; None for an API that has none.
    :param written: whether anything was written.
    """

    document: OfferDocument | None
    written: bool
