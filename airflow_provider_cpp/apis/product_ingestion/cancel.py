# SPDX-License-Identifier: Apache-2.0
"""Cancel an operation's job by its ID, so that no other operation is canceled.

This API cannot cancel an operation without its job ID. A publication that awaits sign-off has ended in this API: it cannot be
canceled, and the next publish replaces it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.core.effects import Flow, Log, Sleep, get_time, may_have_been_accepted, send, send_with_retry
from airflow_provider_cpp.core.offer_state import read_or_none
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import CancelParams
from airflow_provider_cpp.exceptions import BadRequestError, CancelFailedError, ConfigurationError, MarketplaceError

NO_OPERATION = (
    "the Product Ingestion API cancels an operation's job, and cannot cancel whichever is in progress: pass the operation that a"
    " publish or go-live task returned"
)
NO_JOB = (
    "its job is not known, because the response to its submit was lost, and this API cancels nothing else; cancel it in"
    " Partner Center"
)


def cancel(params: CancelParams) -> Flow[Operation | None]:
    """Cancel an operation's job, and wait until it ends.

    :returns: the cancel operation; None if there was nothing to cancel.
    :raises ConfigurationError: if there is no operation, or if its job is not known.
    :raises CancelFailedError: if the job ended before it was canceled, or did not end in time.
    """
    operation = params.operation
    if operation is None:
        raise ConfigurationError((NO_OPERATION,), "the task's arguments")
    if endpoints.job_id(operation) is None:
        raise ConfigurationError((NO_JOB,), "the argument operation")
    began = yield from get_time()
    job = yield from send_with_retry(endpoints.get_job(operation))
    canceled = Operation(params.offer, "cancel", began, operation.operation_id, operation.location, PRODUCT_INGESTION)
    if job.state.is_canceled and not params.try_context.is_first:
        yield Log(f"offer {params.offer}: job {job.id} is canceled, probably by an earlier try")
        return canceled
    if job.state.is_terminal:
        yield Log(f"offer {params.offer}: job {job.id} has ended ({job.raw_status}); nothing to cancel")
        return None
    rejected: MarketplaceError | None = None
    try:
        yield from send(endpoints.cancel_job(operation))
    except MarketplaceError as error:
        if not may_have_been_accepted(error) and not isinstance(error, BadRequestError):
            raise
        rejected = error if isinstance(error, BadRequestError) else None
        yield Log(f"{error}; polling job {job.id}", logging.WARNING)
    yield from _wait_until_ended(params, operation, began + timedelta(seconds=params.timeout), rejected)
    return canceled


def _wait_until_ended(
    params: CancelParams, operation: Operation, until: datetime, rejected: MarketplaceError | None
) -> Flow[None]:
    """Wait until a job ends, or raise CancelFailedError if it was not canceled or did not end in time.

    :param rejected: the error if the API rejected the cancel; then one successful read of the job is enough.
    """
    status = "not known"
    while True:
        job = yield from read_or_none(send_with_retry(endpoints.get_job(operation)))
        if job is not None:
            status = job.raw_status
            if job.state.is_canceled:
                yield Log(f"offer {params.offer}: job {job.id} has ended")
                return
            if job.state.is_terminal:
                reason = f"job {job.id} ended before it was canceled: {status}"
                raise CancelFailedError(params.offer, reason, may_pass=False)
            if rejected is not None:
                raise CancelFailedError(
                    params.offer, f"{rejected}; job {job.id} continues", may_pass=False
                ) from rejected
        now = yield from get_time()
        if now >= until:
            reason = f"job {endpoints.job_id(operation)} has not ended {params.timeout:g} s after its cancel; its status is {status}"
            raise CancelFailedError(params.offer, reason, may_pass=True)
        yield Sleep(min(params.poll_interval, (until - now).total_seconds()))
