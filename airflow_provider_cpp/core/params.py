# SPDX-License-Identifier: Apache-2.0
"""What a task asks an API to do, as frozen values; each API does it in its own way."""

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
    """A version of a virtual machine image.

    :param plan_id: the id of the plan, or of one of its disk generations.
    :param version: three integers with dots between, for example ``2026.11.3``.
    :param os_disk_url: the SAS URL of the operating system disk.
    :param data_disk_urls: the SAS URLs of data disks by logical unit number.
    :param details: further keys of the version, for example ``{"label": "..."}``.
    """

    plan_id: str
    version: str
    os_disk_url: str = field(repr=False)
    data_disk_urls: Mapping[int, str] = field(default_factory=dict, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def validate(self, now: datetime, valid_for: timedelta = MAX_PUBLISH_DURATION) -> None:
        """Reject what the API would reject days later.

        :param valid_for: how long the URLs must be valid: Partner Center reads them until the offer is live.
        :raises ConfigurationError: with everything that is wrong.
        """
        problems = []
        if not _VERSION.fullmatch(str(self.version)):
            shown = sanitize_line(repr(self.version), 40)
            problems.append(f"version is {shown}, but must be three integers with dots between, like 2026.11.3")
        invalid = (number for number in self.data_disk_urls if not _LUN.fullmatch(str(number)))
        problems += [f"data_disk_urls has {sanitize_line(repr(one), 40)} as a logical unit number" for one in invalid]
        reserved = sorted({"osVhdUrl", "lunVhdDetails"} & set(self.details))
        problems += [f"details must not contain {key}, which is made from the URLs" for key in reserved]
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
        yield "is not a URL"
        return
    if parts.scheme != "https" or not parts.hostname:
        yield "must be an https URL"
        return
    if expiry is not None and expiry < now:
        yield f"expired on {expiry:%Y-%m-%d %H:%M} UTC"
    elif expiry is not None and expiry < now + valid_for:
        days = valid_for / timedelta(days=1)
        yield f"expires on {expiry:%Y-%m-%d %H:%M} UTC, but Partner Center reads it for up to {days:g} days"


MAX_SUBMITS = 2
"""How often one try goes live: a second time only if the offer still awaits sign-off after the whole settle time."""

MAX_STALENESS = 60.0
"""Seconds for which a status may still be that of the previous publication: the preview may just have become ready."""


@dataclass(frozen=True, slots=True)
class PublishParams:
    """Publish an offer's draft.

    :param offer: the offer.
    :param notification_emails: the addresses that Partner Center notifies.
    :param try_context: which try of the task this is.
    :param draft_version: the version of the draft, if it is known.
    :param resources: resources to configure and publish in the same request; empty for the draft as it is.
    """

    offer: OfferRef
    notification_emails: tuple[str, ...]
    try_context: TryContext
    draft_version: int | None = None
    resources: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class GoLiveParams:
    """Go live with an offer's preview.

    :param offer: the offer.
    :param try_context: which try of the task this is.
    :param operation: the publish operation whose preview goes live; None for whichever awaits sign-off.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class CancelParams:
    """Cancel an operation.

    :param offer: the offer.
    :param try_context: which try of the task this is.
    :param operation: the operation to cancel; None for whichever is in progress.
    :param notification_emails: the addresses that Partner Center notifies.
    :param poll_interval: seconds between two polls until it has ended.
    :param timeout: seconds after which it should have ended.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None
    notification_emails: tuple[str, ...] = ()
    poll_interval: float = 15.0
    timeout: float = 900.0

    def __post_init__(self) -> None:
        """Reject an interval of 0 seconds or less."""
        if self.poll_interval <= 0:
            raise ConfigurationError(("poll_interval must be more than 0 seconds",), "the task's arguments")


@dataclass(frozen=True, slots=True)
class UpdateParams:
    """Change an offer's document: for an API whose draft is one document.

    :param offer: the offer.
    :param change: changes the document.
    :param create: whether to create the offer from an empty document if it does not exist.
    :param overwrite: whether to store the draft over any other (``If-Match: *``) if the API returns no ETag.
    """

    offer: OfferRef
    change: DraftChange
    create: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ConfigureParams:
    """Configure resources of an offer: for an API whose draft consists of resources.

    :param offer: the offer.
    :param resources: the resources, as the task got them.
    """

    offer: OfferRef
    resources: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class AddImageParams:
    """Add a version of an image to a plan.

    :param offer: the offer.
    :param image: the version.
    :param overwrite: as in :class:`UpdateParams`.
    """

    offer: OfferRef
    image: ImageVersion
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The result of an update.

    :param document: the document as the API stored it; None for an API without one.
    :param written: whether anything was written.
    """

    document: OfferDocument | None
    written: bool
