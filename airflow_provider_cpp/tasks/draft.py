# SPDX-License-Identifier: Apache-2.0
"""Implementation of the operators that change a draft."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.json_fields import merge_patch
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.params import AddImageParams, ConfigureParams, ImageVersion, UpdateParams, UpdateResult
from airflow_provider_cpp.exceptions import ConfigurationError
from airflow_provider_cpp.tasks.completion import translate_errors
from airflow_provider_cpp.tasks.masking import mask_signatures
from airflow_provider_cpp.tasks.runtime import Task, TaskRuntime

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def update(task: Task, context: Context) -> dict[str, Any]:
    """Change the draft."""
    with translate_errors():
        change = task.change
        if change is None and not task.takes_resources:
            if not isinstance(task.patch, dict):
                problem = f"patch is of type {type(task.patch).__name__}, not an object"
                raise ConfigurationError((problem,), "the task's arguments")
            change = merge_patch(task.patch)
        with TaskRuntime(task, context) as runtime:
            offer = runtime.offer_ref()
            params = (
                ConfigureParams(offer, task.product_resources)
                if change is None
                else UpdateParams(offer, change, task.create, task.overwrite)
            )
            return _store(runtime, offer, lambda: runtime.api.update(params))


def add_image(task: Task, context: Context) -> dict[str, Any]:
    """Add an image version if the draft does not have it."""
    with translate_errors():
        image = ImageVersion(
            task.plan_id, task.version, task.os_disk_url, task.data_disk_urls or {}, task.details or {}
        )
        image.validate(datetime.now(timezone.utc), task.valid_for)
        with TaskRuntime(task, context) as runtime:
            offer = runtime.offer_ref()
            params = AddImageParams(offer, image, task.overwrite)
            return _store(runtime, offer, lambda: runtime.api.add_image(params))


def _store(runtime: TaskRuntime, offer: OfferRef, flow: Callable[[], Flow[UpdateResult]]) -> dict[str, Any]:
    try:
        updated = runtime.run(flow())
    except Exception as error:
        # The error of the user's `change` function may quote the draft's URLs.
        mask_signatures("".join(traceback.format_exception(error)))
        raise
    runtime.push_partner_center_link(updated.document)
    version = updated.document.version if updated.document is not None else None
    if updated.written:
        runtime.task.log.info("offer %s: stored the draft, version %s", offer, version or "unnumbered")
    return {
        "publisher_id": offer.publisher_id,
        "offer_id": offer.offer_id,
        "version": version,
        "written": updated.written,
    }
