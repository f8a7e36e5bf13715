# SPDX-License-Identifier: Apache-2.0
"""Canceling a job, by its id: it names what is meant, so that nothing else can be hit.

This API cannot be asked to cancel whatever runs, and a publication that waits in preview has ended: it is published
over, and not canceled.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import Job
from airflow_provider_cpp.core.effects import Flow, GetTime, Log, Sleep, send, send_with_retry
from airflow_provider_cpp.core.operations import PRODUCT_INGESTION, Operation
from airflow_provider_cpp.core.params import CancelParams
from airflow_provider_cpp.core.submit_backend import may_have_been_accepted
from airflow_provider_cpp.exceptions import BadRequestError, CancelFailedError, ConfigurationError, MarketplaceError

NO_OPERATION = (
    "this API cancels the job of an operation, and cannot be asked to cancel whatever runs: give operation, as a"
    " publish or go-live task returned it"
)
NO_JOB = (
    "its job is not known, since the answer to its order was lost, and this API cancels nothing else; a person can"
    " cancel it in Partner Center"
)


def cancel(params: CancelParams) -> Flow[Operation | None]:
    """Cancel an operation's job, and wait until it has ended.

    :returns: the cancel; None if there was nothing to cancel.
    :raises ConfigurationError: if no operation is given, or one whose job is not known.
    :raises CancelFailedError: if it ended otherwise, or runs still when the time is over.
    """
    operation = params.operation
    if operation is None:
        raise ConfigurationError((NO_OPERATION,), "the task's arguments")
    if endpoints.job_id(operation) is None:
        raise ConfigurationError((NO_JOB,), "the argument operation")
    began: datetime = yield GetTime()
    job: Job = yield from send_with_retry(endpoints.get_job(operation))
    canceled = Operation(params.offer, "cancel", began, operation.operation_id, operation.location, PRODUCT_INGESTION)
    if job.state.is_canceled and not params.try_context.is_first:
        yield Log(f"offer {params.offer}: job {job.id} is canceled, by an earlier try perhaps")
        return canceled
    if job.state.is_terminal:
        yield Log(f"offer {params.offer}: job {job.id} has ended ({job.raw_status}), there is nothing to cancel")
        return None
    refused: MarketplaceError | None = None
    try:
        yield from send(endpoints.cancel_job(operation))
    except MarketplaceError as error:
        if not may_have_been_accepted(error) and not isinstance(error, BadRequestError):
            raise
        refused = error if isinstance(error, BadRequestError) else None
        yield Log(f"{error}; looking what became of job {job.id}", logging.WARNING)
    yield from _wait_until_ended(params, operation, began + timedelta(seconds=params.timeout), refused)
    return canceled


def _wait_until_ended(
    params: CancelParams, operation: Operation, until: datetime, refused: MarketplaceError | None
) -> Flow[None]:
    """Wait until a job has ended.

    :param refused: the refusal of the cancel, if it was refused: then the job is not waited for.
    :raises CancelFailedError: if it ended in another way than by a cancel, or has not ended in time.
    """
    word = "is running"
    while True:
        try:
            job: Job = yield from send_with_retry(endpoints.get_job(operation))
        except MarketplaceError as error:
            yield Log(f"{error}; the order may be with the API, asking again", logging.WARNING)
        else:
            word = f"says {job.raw_status}"
            if job.state.is_canceled:
                yield Log(f"offer {params.offer}: job {job.id} has ended")
                return
            if job.state.is_terminal:
                reason = f"job {job.id} ended before it was canceled, it {word}"
                raise CancelFailedError(str(params.offer), reason, may_pass=False)
            if refused is not None:
                raise CancelFailedError(
                    str(params.offer), f"{refused}; job {job.id} goes on", may_pass=False
                ) from refused
        now: datetime = yield GetTime()
        if now >= until:
            reason = f"job {endpoints.job_id(operation)} {word} {params.timeout:g} s after its cancel"
            raise CancelFailedError(str(params.offer), reason, may_pass=True)
        yield Sleep(min(params.poll_interval, (until - now).total_seconds()))
