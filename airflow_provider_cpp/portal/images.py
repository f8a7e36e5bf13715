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

from airflow_provider_cpp.portal.errors import ConfigurationError
from airflow_provider_cpp.portal.reading import as_text, kind_of, parse_timestamp, whole_number
from airflow_provider_cpp.portal.text import plain_text

IMAGE_KEYS = ("microsoft-azure-virtualmachines.vmImages", "microsoft-azure-corevm.vmImagesPublicAzure")
"""Where a plan keeps its images, by the kind of offer."""

PUBLISHING_TAKES = timedelta(days=11)
"""The longest that the documents give for certification, provisioning, packaging and going live together."""

_LUN = re.compile(r"[0-9]{1,3}")
_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")

_SIGNATURE = re.compile(
    r"""(?:(?<![a-z])|(?<=3f))sig(?:=|%3d|%253d|\\u003d)(.+?)(?=$|[&#\s"'<>]|%26|%2526|\\u0026|%23|%20)""",
    re.IGNORECASE | re.MULTILINE,
)


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

    def add_to(self, document: dict[str, Any]) -> dict[str, Any]:
        """Put the version into its plan, in place; the same version with the same blobs counts as done.

        :raises ConfigurationError: if there is no such plan, or another blob stands under the version.
        """
        plan = self._plan(document)
        key = _images_key(document, plan)
        images = plan.get(key)
        if images is None:
            images = plan[key] = {}
        if not isinstance(images, dict):
            problem = f"plan {self.plan_id} keeps {kind_of(images)} where its images belong, under {key}"
            raise ConfigurationError((problem,), "the offer's draft")
        there = images.get(self.version)
        if there is None:
            images[self.version] = self._entry()
            return document
        blobs, wanted = _blobs(there), _blobs(self._entry())
        if blobs != wanted:
            problem = (
                f"plan {self.plan_id} has a version {self.version} already, with another blob:"
                f" {_shown(blobs)} instead of {_shown(wanted)}"
            )
            raise ConfigurationError((problem,), "the offer's draft")
        return document

    def _data_disks(self) -> Iterator[tuple[str, str]]:
        for number, url in self.data_disk_urls.items():
            yield f"data_disk_urls[{number}]", url

    def _entry(self) -> dict[str, Any]:
        by_number = sorted((int(number), url) for number, url in self.data_disk_urls.items())
        disks = [{"lun": number, "vhdUrl": url} for number, url in by_number]
        return {"osVhdUrl": self.os_disk_url, **self.details, "lunVhdDetails": disks}

    def _plan(self, document: dict[str, Any]) -> dict[str, Any]:
        found = list(_plans(document))
        for identifier, plan in found:
            if identifier and identifier.casefold() == self.plan_id.casefold():
                return plan
        known = ", ".join(plain_text(identifier, 80) for identifier, _ in found if identifier) or "none at all"
        problem = f"the offer has no plan {plain_text(repr(self.plan_id), 80)}; its plans are: {known}"
        raise ConfigurationError((problem,), "the task's arguments")


def signatures_in(text: str) -> list[str]:
    """Find what signs the SAS URLs in a text, as it is written there, percent-encoded or not."""
    return _SIGNATURE.findall(text)


def _plans(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through the plans and the disk generations in them, each with its id."""
    definition = document.get("definition")
    plans = definition.get("plans") if isinstance(definition, dict) else None
    for plan in plans if isinstance(plans, list) else []:
        if not isinstance(plan, dict):
            continue
        yield as_text(plan.get("planId")), plan
        generations = plan.get("diskGenerations")
        for generation in generations if isinstance(generations, list) else []:
            if isinstance(generation, dict):
                yield as_text(generation.get("planId")), generation


def _images_key(document: dict[str, Any], plan: dict[str, Any]) -> str:
    """Choose the key by what the plan, its neighbours or the offer's type have."""
    for holder in (plan, *(other for _, other in _plans(document))):
        for key in IMAGE_KEYS:
            if key in holder:
                return key
    return next((key for key in IMAGE_KEYS if key.split(".")[0] == document.get("offerTypeId")), IMAGE_KEYS[0])


def _blobs(entry: Any) -> dict[str, str]:
    """Return the blobs of a version, by disk, without what signs them: scheme, host and path."""
    fields = entry if isinstance(entry, dict) else {}
    blobs = {"os": fields.get("osVhdUrl")}
    disks = fields.get("lunVhdDetails")
    for disk in disks if isinstance(disks, list) else []:
        if isinstance(disk, dict):
            number = whole_number(disk.get("lun"))
            url = next((value for key, value in disk.items() if key.lower().endswith("url")), None)
            blobs[f"lun {len(blobs) - 1 if number is None else number}"] = url
    return {name: str(url).split("?")[0] for name, url in sorted(blobs.items()) if url}


def _shown(blobs: dict[str, str]) -> str:
    return ", ".join(f"{name} {plain_text(url, 300)}" for name, url in blobs.items()) or "none"


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
