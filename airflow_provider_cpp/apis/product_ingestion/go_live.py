# SPDX-License-Identifier: Apache-2.0
"""Go live with the submission in preview, by its ID, so that it goes live at most once.

A submission keeps its ID from preview to live, so the list shows whether the API accepted a go-live: it lists the submission as
live. The ID is saved in a checkpoint before the submit.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Submission
from airflow_provider_cpp.apis.product_ingestion.poll import find_submission
from airflow_provider_cpp.apis.product_ingestion.publish import wait_for_submission
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import published_submissions, status_report
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import (
    Flow,
    Log,
    SaveCheckpoint,
    get_time,
    may_have_been_accepted,
    send,
    send_with_retry,
)
from airflow_provider_cpp.core.offer_state import SettleWindow, read_or_none
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import MAX_STALENESS, MAX_SUBMITS, GoLiveParams
from airflow_provider_cpp.exceptions import (
    ConflictError,
    MarketplaceError,
    OperationInProgressError,
    PreviewNotReadyError,
    RequestError,
    SubmitOutcomeUnknownError,
)


def go_live(params: GoLiveParams) -> Flow[Operation]:
    """Go live with the preview that awaits sign-off, or return the operation of an earlier try.

    :raises PreviewNotReadyError: if no preview awaits sign-off, or if it belongs to a different publish operation.
    :raises OperationInProgressError: if another submission is in progress.
    :raises SubmitOutcomeUnknownError: if the preview still awaits sign-off after the submits.
    """
    try_context, checkpoint = params.try_context, params.try_context.checkpoint
    if checkpoint is not None:
        checkpoint.ensure_matches(params.offer, "golive")
        if try_context.own_checkpoint is not None and checkpoint.operation is not None:
            yield Log(
                f"offer {params.offer}: an earlier try went live with it; continuing with {checkpoint.operation.display_id}"
            )
            return checkpoint.operation
    began = yield from get_time()
    if checkpoint is not None or not (try_context.is_first or try_context.history_is_known):
        earlier = yield from _operation_of_earlier_try(params, began)
        if earlier is not None:
            if checkpoint is not None:  # it now belongs to this run of the task
                yield SaveCheckpoint(replace(checkpoint, counts=try_context.counts, operation=earlier).to_payload())
            yield Log(f"offer {params.offer}: an earlier try went live with it; continuing with {earlier.display_id}")
            return earlier
    meant = yield from _wait_for_sign_off(params, SettleWindow(began, min(try_context.settle_time, MAX_STALENESS)))
    lost: MarketplaceError | None = None
    for _ in range(MAX_SUBMITS):
        operation, lost = yield from _submit(params, meant)
        if operation is not None:
            return operation
    reason = f"it still awaits sign-off; last: {lost}"
    raise SubmitOutcomeUnknownError(params.offer, "golive", reason, may_settle=True) from lost


def _awaiting_sign_off(entries: tuple[Submission, ...]) -> Submission | None:
    """Return the submission that awaits sign-off: the newest one, if it is a complete preview and no other is in progress."""
    newest = next(iter(entries), None)
    if newest is None or newest.target is not Target.PREVIEW or not newest.state.is_success:
        return None
    return newest if all(entry.state.is_terminal for entry in entries) else None


def _live(entries: tuple[Submission, ...], submission: str) -> Submission | None:
    return next((e for e in entries if e.id == submission and e.target is Target.LIVE), None)


def _description(entries: tuple[Submission, ...]) -> str:
    newest = f"{entries[0].id} {entries[0].raw_status}" if entries else "the draft"
    return f"its status is {status_report(entries).raw_status}, the newest is {newest}"


def _operation_of_earlier_try(params: GoLiveParams, began: datetime) -> Flow[Operation | None]:
    """Poll for the operation of an earlier try; return None if none shows, or if another preview awaits sign-off."""
    checkpoint = params.try_context.checkpoint
    window = SettleWindow(checkpoint.created_at if checkpoint is not None else began, params.try_context.settle_time)
    while True:
        entries = yield from published_submissions(params.offer)
        awaiting = _awaiting_sign_off(entries)
        meant: str | None
        if checkpoint is not None and checkpoint.known_ids:
            meant = checkpoint.known_ids[0]
        else:
            meant = yield from _meant_submission(params, entries)
        entry = _live(entries, meant) if meant is not None else _recent_submission(params, entries)
        if awaiting is not None and meant not in (None, awaiting.id):
            return None
        if entry is not None:
            saved = checkpoint.operation if checkpoint is not None else None
            return saved or _operation(params, window.start, entry.id)
        is_open = awaiting is not None
        if is_open:
            is_open = yield from window.sleep()
        if not is_open:
            return None


def _recent_submission(params: GoLiveParams, entries: tuple[Submission, ...]) -> Submission | None:
    """Return the submission that an earlier try without a checkpoint may have started: in progress, or live in this DAG run."""
    newest = next(iter(entries), None)
    if newest is None or newest.target is not Target.LIVE:
        return None
    return newest if not newest.state.is_terminal or params.try_context.changed_in_dag_run(newest.created) else None


def _meant_submission(params: GoLiveParams, entries: tuple[Submission, ...]) -> Flow[str | None]:
    """Return the submission ID of the requested operation: None without an operation, empty if it is not listed yet."""
    operation = params.operation
    if operation is None or operation.operation_id is not None:
        return operation.operation_id if operation is not None else None
    job = yield from send_with_retry(endpoints.get_job(operation))
    entry = find_submission(operation, job, entries)
    return entry.id if entry is not None else ""


def _wait_for_sign_off(params: GoLiveParams, window: SettleWindow) -> Flow[Submission]:
    """Poll until the requested submission awaits sign-off, or raise PreviewNotReadyError at the end of the window."""
    while True:
        entries = yield from published_submissions(params.offer)
        awaiting = _awaiting_sign_off(entries)
        meant = yield from _meant_submission(params, entries)
        if awaiting is not None and meant in (None, awaiting.id):
            return awaiting
        is_open = yield from window.sleep()
        if not is_open:
            if awaiting is None:
                raise PreviewNotReadyError(params.offer, _description(entries))
            name = params.operation.display_id if params.operation is not None else meant
            raise PreviewNotReadyError(params.offer, f"operation {name} was meant, but {awaiting.id} awaits sign-off")


def _submit(params: GoLiveParams, meant: Submission) -> Flow[tuple[Operation | None, MarketplaceError | None]]:
    """Submit once; return the operation, or None and the error if the preview still awaits sign-off."""
    now = yield from get_time()
    checkpoint = Checkpoint(params.offer, "golive", now, params.try_context.counts, (meant.id,))
    yield SaveCheckpoint(checkpoint.to_payload())
    try:
        location = yield from send(endpoints.go_live_submission(params.offer, meant.id))
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            yield from _handle_conflict(params, error)
            raise
        yield Log(
            f"{error}; the request may still have been accepted; checking whether the offer goes live", logging.WARNING
        )
        goes_live = yield from _wait_for_effect(params, meant.id, SettleWindow(now, params.try_context.settle_time))
        operation = _operation(params, now, meant.id) if goes_live else None
        if operation is not None:
            yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
        return operation, error
    operation = _operation(params, now, meant.id, location)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    try:  # this API rejects a submit some seconds after it accepted the request
        yield from wait_for_submission(
            operation, params.try_context.settle_time, lambda entries: _live(entries, meant.id)
        )
    except RequestError as error:
        yield from _handle_conflict(params, error)
        raise
    return operation, None


def _wait_for_effect(params: GoLiveParams, submission: str, window: SettleWindow) -> Flow[bool]:
    """Poll until a submission is listed as live; return False if it still awaits sign-off at the end of the window."""
    while True:
        entries = yield from read_or_none(published_submissions(params.offer))
        if entries is not None and _live(entries, submission) is not None:
            return True
        is_open = yield from window.sleep()
        if not is_open:
            break
    if entries is None:
        raise SubmitOutcomeUnknownError(params.offer, "golive", "the offer's state cannot be read", may_settle=True)
    if _awaiting_sign_off(entries) is None:
        reason = f"{submission} no longer awaits sign-off, and is not listed as live; {_description(entries)}"
        raise SubmitOutcomeUnknownError(params.offer, "golive", reason)
    return False


def _handle_conflict(params: GoLiveParams, error: MarketplaceError) -> Flow[None]:
    """Restore the checkpoint after a submit that was certainly not accepted; for a conflict, raise an error with its cause."""
    earlier = params.try_context.checkpoint
    yield SaveCheckpoint(earlier.to_payload() if earlier is not None else None)
    if not isinstance(error, ConflictError):
        return
    entries = yield from read_or_none(published_submissions(params.offer))
    running = next((e for e in entries or () if not e.state.is_terminal), None)
    if running is not None:
        raise OperationInProgressError(params.offer, f"operation {running.id} ({running.raw_status})") from error
    raise PreviewNotReadyError(params.offer, str(error)) from error


def _operation(params: GoLiveParams, at: datetime, submission: str, location: str | None = None) -> Operation:
    return Operation(params.offer, "golive", at, submission, location, PRODUCT_INGESTION)
