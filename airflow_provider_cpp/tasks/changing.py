# SPDX-License-Identifier: Apache-2.0
"""What the operators that change a draft do when they run, as ``running`` is for the others."""

from __future__ import annotations

import traceback
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.images import ImageVersion
from airflow_provider_cpp.core.merging import merge_patch
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.params import AddImage, Update, Updated
from airflow_provider_cpp.defaults import Change
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.tasks.completion import airflow_errors
from airflow_provider_cpp.tasks.masking import mask_signatures
from airflow_provider_cpp.tasks.runtime import leave_page, named_offer

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cpp.operators.base import OfferOperator
    from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator


def update(task: UpdateOfferOperator, context: Context) -> dict[str, Any]:
    """Change the draft."""
    with airflow_errors():
        offer = named_offer(task)
        wanted = Update(offer, _wanted_change(task), task.create, task.overwrite, task.configure)
        return _write(task, context, offer, task.hook.api.update(wanted))


def add_image(task: AddImageVersionOperator, context: Context) -> dict[str, Any]:
    """Add the version of the image, unless it is there."""
    with airflow_errors():
        image = ImageVersion(
            task.plan_id, task.version, task.os_disk_url, task.data_disk_urls or {}, task.details or {}
        )
        image.check(datetime.now(timezone.utc), task.valid_for)
        offer = named_offer(task)
        return _write(task, context, offer, task.hook.api.add_image(AddImage(offer, image, task.overwrite)))


def _wanted_change(task: UpdateOfferOperator) -> Change | None:
    if task.change is not None or task.takes_resources:
        return task.change
    if not isinstance(task.patch, dict):
        problem = f"patch came out as {type(task.patch).__name__}, not as an object"
        raise ConfigurationError((problem,), "the task's arguments")
    return merge_patch(task.patch)


def _write(task: OfferOperator, context: Context, offer: OfferRef, flow: Flow[Updated]) -> dict[str, Any]:
    """Make a change, and return what a task may show of it."""
    try:
        updated = task.hook.run(flow)
    except Exception as error:
        # A change of somebody's own fails in words of its own, which may quote the draft's URLs.
        mask_signatures("".join(traceback.format_exception(error)))
        raise
    leave_page(task, context, updated.document)
    version = updated.document.version if updated.document is not None else None
    if updated.written:
        task.log.info("offer %s: its draft is stored, version %s", offer, version or "unnumbered")
    return {
        "publisher_id": offer.publisher_id,
        "offer_id": offer.offer_id,
        "version": version,
        "written": updated.written,
    }
