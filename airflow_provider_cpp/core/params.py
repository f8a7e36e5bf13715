# SPDX-License-Identifier: Apache-2.0
"""What can be ordered of an API, as frozen values; how it is done is each API's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_cpp.core.checkpoint import Attempt
from airflow_provider_cpp.core.images import ImageVersion
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.operations import Operation
from airflow_provider_cpp.defaults import Change
from airflow_provider_cpp.exceptions import ConfigurationError

MOST_ORDERS = 2
"""How often one try goes live: a second time only after the offer stayed parked for the whole settle time."""

STALE_FOR = 60.0
"""Seconds for which a status that is not parked may be the last publication's: the preview has just been reached."""


@dataclass(frozen=True, slots=True)
class Publish:
    """What is to be published.

    :param offer: the offer.
    :param notification_emails: who is told by mail.
    :param attempt: which try this is.
    :param draft: the version of its draft, where that is known: a later try tells it to people.
    :param resources: what is configured and published in the same order; empty for the draft as it is.
    """

    offer: OfferRef
    notification_emails: tuple[str, ...]
    attempt: Attempt
    draft: int | None = None
    resources: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class GoLive:
    """What is to go live.

    :param offer: the offer.
    :param attempt: which try this is.
    :param operation: the publish operation whose preview is meant; None for whichever is parked.
    """

    offer: OfferRef
    attempt: Attempt
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """What is to be canceled.

    :param offer: the offer.
    :param attempt: which try this is.
    :param operation: the operation that is meant; None for whichever runs.
    :param notification_emails: who is told by mail.
    :param poll_interval: seconds between two looks while it ends.
    :param timeout: seconds after which it should have ended.
    """

    offer: OfferRef
    attempt: Attempt
    operation: Operation | None = None
    notification_emails: tuple[str, ...] = ()
    poll_interval: float = 15.0
    timeout: float = 900.0

    def __post_init__(self) -> None:
        """Refuse an interval that would never let the portal rest."""
        if self.poll_interval <= 0:
            raise ConfigurationError(("poll_interval must be more than 0 seconds",), "the task's arguments")


@dataclass(frozen=True, slots=True)
class Update:
    """How a draft is to be changed: by a change of its document, or by resources, whichever the API has.

    :param offer: the offer.
    :param change: what is done to its document; None where resources are given.
    :param create: whether an offer that is not there is created, out of an empty document.
    :param overwrite: whether a draft is stored over whichever is there (``If-Match: *``) if the API gives no ETag.
    :param resources: the resources to configure, raw; None where a change is given.
    """

    offer: OfferRef
    change: Change | None = None
    create: bool = False
    overwrite: bool = False
    resources: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AddImage:
    """The version of an image that is to be added to a plan.

    :param offer: the offer.
    :param image: the version.
    :param overwrite: as of :class:`Update`.
    """

    offer: OfferRef
    image: ImageVersion
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of it.

    :param document: the document as the API stored it; None for an API that has none.
    :param written: whether anything was written.
    """

    document: OfferDocument | None
    written: bool
