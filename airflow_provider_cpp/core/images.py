# SPDX-License-Identifier: Apache-2.0
"""Adding a version of a virtual machine image to a plan: the commonest change of a draft.

Images stand in the plan, or in one of its disk generations, by version, each with the SAS URL of its disk. The URL
is a credential: it is shown nowhere, and two that differ in their signature alone name the same blob.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_cpp.core.json_fields import parse_timestamp
from airflow_provider_cpp.core.redaction import plain_text
from airflow_provider_cpp.defaults import PUBLISHING_TAKES
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

    def check(self, now: datetime, valid_for: timedelta = PUBLISHING_TAKES) -> None:
        """Refuse what the portal would refuse days later.

        :param valid_for: how long the URLs must be good: the portal reads them until the offer is live.
        :raises ConfigurationError: naming all that is wrong at once.
        """
        problems = []
        if not _VERSION.fullmatch(str(self.version)):
            shown = plain_text(repr(self.version), 40)
            problems.append(f"version is {shown}, but must be three whole numbers with dots between, like 2026.11.3")
        wrong = (number for number in self.data_disk_urls if not _LUN.fullmatch(str(number)))
        problems += [f"data_disk_urls has {plain_text(repr(one), 40)} for a logical unit number" for one in wrong]
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
