# SPDX-License-Identifier: Apache-2.0
"""Going live with the submission that is in preview, by its id: that id is what makes it happen once.

It goes from preview to the market under its one id, so the list says whether an order was taken: while it is in
preview, no; once it is listed for the market, yes. Which one it was is noted before it is ordered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job, Submission
from airflow_provider_cpp.apis.product_ingestion.poll import find_submission
from airflow_provider_cpp.apis.product_ingestion.publish import polls_within, raise_if_failed
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.apis.product_ingestion.submissions import find_product, published_submissions, status_report
from airflow_provider_cpp.core.checkpoint import Checkpoint
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, SaveCheckpoint, Sleep, send, send_with_retry
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.offer_state import SettleWindow
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import MAX_STALENESS, MAX_SUBMITS, GoLiveParams
from airflow_provider_cpp.core.submit_backend import may_have_been_accepted
from airflow_provider_cpp.exceptions import (
    ConflictError,
    MarketplaceError,
    OperationInProgressError,
    PreviewNotReadyError,
    RequestError,
    SubmitOutcomeUnknownError,
)


@dataclass(frozen=True, slots=True)
class _State:
    """A product as it stands.

    :param product: its bare id.
    :param entries: its submissions, the newest first.
    """

    product: str
    submissions: tuple[Submission, ...]

    @property
    def awaiting_sign_off(self) -> Submission | None:
        """The submission that waits in preview: the newest one, if it is complete and nothing else is open."""
        newest = next(iter(self.submissions), None)
        if newest is None or newest.target is not Target.PREVIEW or not newest.state.is_success:
            return None
        return None if any(entry.state.is_open for entry in self.submissions) else newest

    def live(self, submission: str) -> Submission | None:
        """Find a submission as it is listed for the market."""
        return next((e for e in self.submissions if e.id == submission and e.target is Target.LIVE), None)

    @property
    def description(self) -> str:
        """Say where it stands."""
        there = (
            f"{self.submissions[0].id} {self.submissions[0].raw_status}" if self.submissions else "nothing but a draft"
        )
        return f"its status is {status_report(self.submissions).raw_status}, the newest is {there}"


def go_live(params: GoLiveParams) -> Flow[Operation]:
    """Let what is in preview go live, or find the operation by which an earlier try did.

    :raises PreviewNotReadyError: if nothing waits in preview, or another publication than was meant.
    :raises OperationInProgressError: if another submission is in the way.
    :raises SubmitOutcomeUnknownError: if it stays in preview though it was ordered.
    """
    try_context, checkpoint = params.try_context, params.try_context.checkpoint
    if checkpoint is not None:
        checkpoint.ensure_matches(params.offer, "golive")
        if try_context.own_checkpoint is not None and checkpoint.operation is not None:
            yield Log(
                f"offer {params.offer}: an earlier try went live with it, going on with {checkpoint.operation.display_id}"
            )
            return checkpoint.operation
    began: datetime = yield GetTime()
    if checkpoint is not None or not (try_context.is_first or try_context.history_is_known):
        found = yield from _operation_of_earlier_try(params, began)
        if found is not None:
            if checkpoint is not None:  # it is this run's from now on, also where the task was cleared since
                yield SaveCheckpoint(replace(checkpoint, counts=try_context.counts, operation=found).to_payload())
            yield Log(f"offer {params.offer}: an earlier try went live with it, going on with {found.display_id}")
            return found
    sight, meant = yield from _wait_for_sign_off(
        params, SettleWindow(began, min(try_context.settle_time, MAX_STALENESS))
    )
    lost: MarketplaceError | None = None
    for _ in range(MAX_SUBMITS):
        operation, lost = yield from _submit(params, sight, meant)
        if operation is not None:
            return operation
    reason = f"it still waits in preview; last: {lost}"
    raise SubmitOutcomeUnknownError(str(params.offer), "golive", reason, may_settle=True) from lost


def _get_state(offer: OfferRef) -> Flow[_State]:
    product = yield from find_product(offer)
    return _State(product.guid, (yield from published_submissions(product.guid, offer)))


def _get_state_or_none(offer: OfferRef) -> Flow[_State | None]:
    try:
        return (yield from _get_state(offer))
    except MarketplaceError as error:
        yield Log(f"{error}; the order may be with the API, asking again", logging.WARNING)
        return None


def _operation_of_earlier_try(params: GoLiveParams, began: datetime) -> Flow[Operation | None]:
    """Look for the settle time what an earlier try may have begun; None if nothing shows, or another preview waits."""
    checkpoint = params.try_context.checkpoint
    window = SettleWindow(checkpoint.created_at if checkpoint is not None else began, params.try_context.settle_time)
    while True:
        sight = yield from _get_state(params.offer)
        meant = (
            checkpoint.known_ids[0]
            if checkpoint is not None and checkpoint.known_ids
            else (yield from _meant_submission(params, sight))
        )
        entry = sight.live(meant) if meant is not None else _recent_submission(params, sight)
        if sight.awaiting_sign_off is not None and meant not in (None, sight.awaiting_sign_off.id):
            return None
        if entry is not None:
            noted = checkpoint.operation if checkpoint is not None else None
            return noted or _operation(params, window.start, entry.id)
        if sight.awaiting_sign_off is None or not (yield from window.sleep()):
            return None


def _recent_submission(params: GoLiveParams, sight: _State) -> Submission | None:
    """Find what an earlier try without a note may have begun: what is going live, or did in this DAG run."""
    newest = next(iter(sight.submissions), None)
    if newest is None or newest.target is not Target.LIVE:
        return None
    return newest if newest.state.is_open or params.try_context.changed_in_dag_run(newest.created) else None


def _meant_submission(params: GoLiveParams, sight: _State) -> Flow[str | None]:
    """Return the id of the submission that a publish operation made; None if none is meant, or it is not to be found."""
    operation = params.operation
    if operation is None or operation.operation_id is not None:
        return operation.operation_id if operation is not None else None
    job: Job = yield from send_with_retry(endpoints.get_job(operation))
    entry = find_submission(operation, job, sight.submissions)
    return entry.id if entry is not None else ""


def _wait_for_sign_off(params: GoLiveParams, window: SettleWindow) -> Flow[tuple[_State, Submission]]:
    """Look until what is meant waits in preview, but not for long.

    :raises PreviewNotReadyError: if it does not.
    """
    while True:
        sight = yield from _get_state(params.offer)
        parked, meant = sight.awaiting_sign_off, (yield from _meant_submission(params, sight))
        if parked is not None and meant in (None, parked.id):
            return sight, parked
        if not (yield from window.sleep()):
            if parked is None:
                raise PreviewNotReadyError(str(params.offer), sight.description)
            name = params.operation.display_id if params.operation is not None else meant
            raise PreviewNotReadyError(str(params.offer), f"operation {name} was meant, but what waits is {parked.id}")


def _submit(
    params: GoLiveParams, sight: _State, meant: Submission
) -> Flow[tuple[Operation | None, MarketplaceError | None]]:
    """Order once; returns the operation, or None with what was lost if it stays in preview all the same."""
    now: datetime = yield GetTime()
    checkpoint = Checkpoint(params.offer, "golive", now, params.try_context.counts, (meant.id,))
    yield SaveCheckpoint(checkpoint.to_payload())
    try:
        location = yield from send(endpoints.go_live_submission(params.offer, sight.product, meant.id))
    except MarketplaceError as error:
        if not may_have_been_accepted(error):
            yield from _handle_conflict(params, error)
            raise
        yield Log(
            f"{error}; the request may still have been accepted; checking whether the offer goes live", logging.WARNING
        )
        found = yield from _wait_for_effect(params, meant.id, SettleWindow(now, params.try_context.settle_time))
        operation = _operation(params, now, meant.id) if found else None
        if operation is not None:
            yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
        return operation, error
    operation = _operation(params, now, meant.id, location)
    yield SaveCheckpoint(replace(checkpoint, operation=operation).to_payload())
    yield from _wait_for_job(params, operation)
    return operation, None


def _wait_for_effect(params: GoLiveParams, submission: str, window: SettleWindow) -> Flow[bool]:
    """Look whether a submission goes live, until a time."""
    while True:
        sight = yield from _get_state_or_none(params.offer)
        if sight is not None and sight.live(submission) is not None:
            return True
        if not (yield from window.sleep()):
            break
    if sight is not None and sight.awaiting_sign_off is None:
        reason = (
            f"{submission} does not wait in preview any more, and is not listed for the market; {sight.description}"
        )
        raise SubmitOutcomeUnknownError(str(params.offer), "golive", reason)
    if sight is None:
        raise SubmitOutcomeUnknownError(
            str(params.offer), "golive", "the API does not say where it stands", may_settle=True
        )
    return False


def _wait_for_job(params: GoLiveParams, operation: Operation) -> Flow[None]:
    """Look after an order for a minute, since this API refuses one only some seconds after it took it."""
    for pause in polls_within(params.try_context.settle_time):
        if pause:
            yield Sleep(pause)
        try:
            job: Job = yield from send_with_retry(endpoints.get_job(operation))
            sight = yield from _get_state(params.offer)
        except MarketplaceError as error:
            yield Log(f"{error}; the order is with the API, and goes on", logging.WARNING)
            return
        try:
            raise_if_failed(operation, job)
        except RequestError as error:
            yield from _handle_conflict(params, error)
            raise
        if sight.live(operation.operation_id or "") is not None:
            return


def _handle_conflict(params: GoLiveParams, error: MarketplaceError) -> Flow[None]:
    """Take the note of an order back that certainly was not taken, and say what is in its way.

    :raises PreviewNotReadyError: if another publication has taken its place.
    :raises OperationInProgressError: if another submission is at work.
    """
    yield SaveCheckpoint(
        params.try_context.checkpoint.to_payload() if params.try_context.checkpoint is not None else None
    )
    if not isinstance(error, ConflictError):
        return
    sight = yield from _get_state_or_none(params.offer)
    running = next((e for e in sight.submissions if e.state.is_open), None) if sight is not None else None
    if running is not None:
        raise OperationInProgressError(str(params.offer), f"operation {running.id} ({running.raw_status})") from error
    raise PreviewNotReadyError(str(params.offer), str(error)) from error


def _operation(params: GoLiveParams, at: datetime, submission: str, location: str | None = None) -> Operation:
    return Operation(params.offer, "golive", at, submission, location, PRODUCT_INGESTION)
