# SPDX-License-Identifier: Apache-2.0
"""Changing a draft: read, change, store, as one step on the raw document, so that no key is lost.

`Create or modify an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
"""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.core.effects import Flow, Sleep, Tell, ask, fetch
from airflow_provider_cpp.core.models import OfferDocument
from airflow_provider_cpp.core.params import Update, Updated
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.exceptions import ConfigurationError, Conflict, NotFound, PortalError, PreconditionFailed

TRIES = 5
"""How often a draft is read, changed and stored anew in all, because somebody else wrote or an answer was lost."""

PAUSE = 1.0


def update(wanted: Update) -> Flow[Updated]:
    """Change an offer's draft; the change is made anew on what is there now if somebody else wrote meanwhile.

    :raises PreconditionFailed: if others wrote each time.
    :raises ConfigurationError: if the portal gives no ETag, and overwriting was not asked for; or the change
        leaves no JSON object.
    """
    tries = 0
    while True:
        before = yield from _read(wanted)
        after = _changed(wanted, before)
        if before is not None and _text(after) == _text(before.content):
            yield Tell(f"offer {wanted.offer}: its draft is as it should be, nothing was written")
            return Updated(before, written=False)
        try:
            stored = yield from ask(endpoints.put_offer(wanted.offer, after, _condition(wanted, before)))
        except PortalError as error:
            tries += 1
            # A lost answer is no risk: if the draft was stored, the next reading finds it changed.
            somebody_wrote = isinstance(error, Conflict if before is None else PreconditionFailed)
            if not (somebody_wrote or is_taken_perhaps(error)) or tries >= TRIES:
                raise
            yield Tell(f"{error}; reading the draft again", logging.WARNING)
            yield Sleep(PAUSE * tries)
        else:
            return Updated(stored, written=True)


def _read(wanted: Update) -> Flow[OfferDocument | None]:
    try:
        return (yield from fetch(endpoints.get_offer(wanted.offer)))
    except NotFound:
        if not wanted.create:
            raise
        return None


def _changed(wanted: Update, before: OfferDocument | None) -> dict[str, Any]:
    document = copy.deepcopy(before.content) if before is not None else {}
    if wanted.change is None:
        raise ConfigurationError(("give patch or change",), "the task's arguments")
    returned: object = wanted.change(document)
    after = document if returned is None else returned
    if not isinstance(after, dict) or not after:
        problem = f"the change left {type(after).__name__ if after else 'an empty document'}, not an offer's document"
        raise ConfigurationError((problem,), "the task's arguments")
    try:
        json.dumps(after, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"the change left what JSON cannot hold ({type(error).__name__})"
        raise ConfigurationError((problem,), "the task's arguments") from None
    return after


def _text(document: dict[str, Any]) -> str:
    """Write a document for comparison: Python takes 1 and True for equal, and JSON does not."""
    return json.dumps(document, sort_keys=True)


def _condition(wanted: Update, before: OfferDocument | None) -> str | None:
    if before is None:
        return None
    if before.etag is None and not wanted.overwrite:
        problem = (
            "the portal gave no ETag with the draft, so that somebody else's change in between would be lost unseen;"
            " overwrite=True accepts that"
        )
        raise ConfigurationError((problem,), f"offer {wanted.offer}")
    return before.etag or "*"
