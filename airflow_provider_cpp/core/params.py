# SPDX-License-Identifier: Apache-2.0
"""The parameters of each flow, as frozen dataclasses for both APIs."""

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

    :param plan_id: the ID of the plan or of one of its disk generations.
    :param version: three integers separated by dots, for example ``2026.11.3``.
    :param os_disk_url: the SAS URL of the operating system disk.
    :param data_disk_urls: the SAS URLs of data disks by logical unit number.
    :param details: additional keys of the version, for example ``{"label": "..."}``.
    """

    plan_id: str
    version: str
    os_disk_url: str = field(repr=False)
    data_disk_urls: Mapping[int, str] = field(default_factory=dict, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def validate(self, now: datetime, valid_for: timedelta = MAX_PUBLISH_DURATION) -> None:
        """Reject values that the API would reject only days later.

        :param valid_for: how long the URLs must be valid, because Partner Center reads them until the offer is live; 11 days by
            default.
        :raises ConfigurationError: lists everything that is wrong.
        """
        problems = []
        if not _VERSION.fullmatch(str(self.version)):
            shown = sanitize_line(repr(self.version), 40)
            problems.append(f"version is {shown}, but must be three integers with dots between, like 2026.11.3")
        invalid = (number for number in self.data_disk_urls if not _LUN.fullmatch(str(number)))
        problems += [f"data_disk_urls has {sanitize_line(repr(one), 40)} as a logical unit number" for one in invalid]
        reserved = sorted({"osVhdUrl", "lunVhdDetails"} & set(self.details))
        problems += [f"details must not contain {key}, which is made from the URLs" for key in reserved]
        data_disks = ((f"data_disk_urls[{number}]", url) for number, url in self.data_disk_urls.items())
        for name, url in (("os_disk_url", self.os_disk_url), *data_disks):
            problems.extend(f"{name} {problem}" for problem in _url_problems(url, now, valid_for))
        if problems:
            raise ConfigurationError(tuple(problems), "the task's arguments")


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
"""The maximum number of go-live submits in one try. The second follows only if the offer awaits sign-off after the settle time."""

MAX_STALENESS = 60.0
"""Seconds to wait for a preview that just became ready, because a status may still be that of the previous publication."""


@dataclass(frozen=True, slots=True)
class PublishParams:
    """The parameters of a publish.

    :param offer: the offer.
    :param notification_emails: the addresses that Partner Center notifies.
    :param try_context: what this try knows about earlier tries.
    :param draft_version: the draft's version; None if unknown.
    :param resources: resources to configure and publish in the same request; empty to publish the whole draft.
    """

    offer: OfferRef
    notification_emails: tuple[str, ...]
    try_context: TryContext
    draft_version: int | None = None
    resources: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class GoLiveParams:
    """The parameters of a go-live.

    :param offer: the offer.
    :param try_context: what this try knows about earlier tries.
    :param operation: the publish operation whose preview goes live; None for any.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class CancelParams:
    """The parameters of a cancel.

    :param offer: the offer.
    :param try_context: what this try knows about earlier tries.
    :param operation: the operation to cancel; None for any in progress.
    :param notification_emails: the addresses that Partner Center notifies.
    :param poll_interval: seconds between two polls until the operation ends; 15 by default.
    :param timeout: seconds to wait until the operation ends; 900 by default.
    """

    offer: OfferRef
    try_context: TryContext
    operation: Operation | None = None
    notification_emails: tuple[str, ...] = ()
    poll_interval: float = 15.0
    timeout: float = 900.0

    def __post_init__(self) -> None:
        if self.poll_interval <= 0:
            raise ConfigurationError(("poll_interval must be more than 0 seconds",), "the task's arguments")


@dataclass(frozen=True, slots=True)
class UpdateParams:
    """The parameters of an update, for an API whose draft is one document.

    :param offer: the offer.
    :param change: changes the document.
    :param create: whether to create a missing offer from an empty document.
    :param overwrite: whether to overwrite any draft (``If-Match: *``) if the API returns no ETag.
    """

    offer: OfferRef
    change: DraftChange
    create: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class ConfigureParams:
    """The parameters of an update, for an API whose draft consists of resources.

    :param offer: the offer.
    :param resources: the resources, not validated.
    """

    offer: OfferRef
    resources: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class AddImageParams:
    """The parameters to add an image version to a plan.

    :param offer: the offer.
    :param image: the image version.
    :param overwrite: see :class:`UpdateParams`.
    """

    offer: OfferRef
    image: ImageVersion
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The result of an update.

    :param document: the stored document; None for an API without documents.
    :param written: whether anything was stored.
    """

    document: OfferDocument | None
    written: bool
