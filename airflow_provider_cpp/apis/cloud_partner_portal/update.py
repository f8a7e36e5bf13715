# SPDX-License-Identifier: Apache-2.0
"""Change a draft: read, change and store the raw document, so that no key is lost.

`Create or modify an offer <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
"""

from __future__ import annotations

import copy
import json
import logging
from functools import partial
from typing import Any

from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.images import add_image_version
from airflow_provider_cpp.core.effects import Flow, Log, Sleep, may_have_been_accepted, send, send_with_retry
from airflow_provider_cpp.core.models import OfferDocument
from airflow_provider_cpp.core.params import AddImageParams, ConfigureParams, UpdateParams, UpdateResult
from airflow_provider_cpp.exceptions import (
    ConfigurationError,
    ConflictError,
    MarketplaceError,
    NotFoundError,
    PreconditionFailedError,
)

MAX_TRIES = 5
"""The maximum number of attempts to change a draft, if another client changes it or a response is lost."""

RETRY_DELAY = 1.0


NO_RESOURCES = "only the Product Ingestion API has resources; the CPP API changes a document (patch or change), and publishes all of it"


def update(params: UpdateParams | ConfigureParams) -> Flow[UpdateResult]:
    """Change an offer's draft; if another client changes it in the meantime, apply the change to the new draft.

    :raises PreconditionFailedError: if another client changed the draft in each attempt.
    :raises ConfigurationError: if the API returns no ETag and ``overwrite`` is False, or if the change does not return a JSON
        object.
    """
    if isinstance(params, ConfigureParams):
        raise ConfigurationError((NO_RESOURCES,), "the task's arguments")
    tries = 0
    while True:
        before = yield from _get_draft(params)
        after = _apply_change(params, before)
        if before is not None and _as_text(after) == _as_text(before.content):
            yield Log(f"offer {params.offer}: the draft already is as it should be; nothing was written")
            return UpdateResult(before, written=False)
        try:
            stored = yield from send(endpoints.put_offer(params.offer, after, _if_match(params, before)))
        except MarketplaceError as error:
            tries += 1
            # It is safe to retry after a lost response: if the draft was stored, the next read shows the change.
            was_overtaken = isinstance(error, ConflictError if before is None else PreconditionFailedError)
            if not (was_overtaken or may_have_been_accepted(error)) or tries >= MAX_TRIES:
                raise
            yield Log(f"{error}; reading the draft again", logging.WARNING)
            yield Sleep(RETRY_DELAY * tries)
        else:
            return UpdateResult(stored, written=True)


def add_image(params: AddImageParams) -> Flow[UpdateResult]:
    """Add an image version to an offer's draft; see :func:`update`."""
    change = partial(add_image_version, params.image)
    return (yield from update(UpdateParams(params.offer, change, overwrite=params.overwrite)))


def _get_draft(params: UpdateParams) -> Flow[OfferDocument | None]:
    try:
        return (yield from send_with_retry(endpoints.get_offer(params.offer)))
    except NotFoundError:
        if not params.create:
            raise
        return None


def _apply_change(params: UpdateParams, before: OfferDocument | None) -> dict[str, Any]:
    document = copy.deepcopy(before.content) if before is not None else {}
    returned: object = params.change(document)
    after = document if returned is None else returned
    if not isinstance(after, dict) or not after:
        problem = (
            f"the change returned {type(after).__name__ if after else 'an empty document'}, not an offer's document"
        )
        raise ConfigurationError((problem,), "the task's arguments")
    try:
        json.dumps(after, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"the change returned what JSON cannot hold ({type(error).__name__})"
        raise ConfigurationError((problem,), "the task's arguments") from None
    return after


def _as_text(document: dict[str, Any]) -> str:
    """Return a document as text for comparison, because 1 and True are equal in Python but not in JSON."""
    return json.dumps(document, sort_keys=True)


def _if_match(params: UpdateParams, before: OfferDocument | None) -> str | None:
    if before is None:
        return None
    if before.etag is None and not params.overwrite:
        problem = (
            "the API returned no ETag with the draft, so another writer's change could be lost unnoticed;"
            " overwrite=True accepts that"
        )
        raise ConfigurationError((problem,), f"offer {params.offer}")
    return before.etag or "*"
