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
from airflow_provider_cpp.core.effects import Flow, Now, Sleep, Tell, ask, fetch
from airflow_provider_cpp.core.operations import INGESTION, Operation
from airflow_provider_cpp.core.params import Cancel
from airflow_provider_cpp.core.submit_backend import is_taken_perhaps
from airflow_provider_cpp.exceptions import ConfigurationError, NotCanceled, PortalError, Refused

NO_OPERATION = (
    "this API cancels the job of an operation, and cannot be asked to cancel whatever runs: give operation, as a"
    " publish or go-live task returned it"
)
NO_JOB = (
    "its job is not known, since the answer to its order was lost, and this API cancels nothing else; a person can"
    " cancel it in Partner Center"
)


def cancel(wanted: Cancel) -> Flow[Operation | None]:
    """Cancel an operation's job, and wait until it has ended.

    :returns: the cancel; None if there was nothing to cancel.
    :raises ConfigurationError: if no operation is given, or one whose job is not known.
    :raises NotCanceled: if it ended otherwise, or runs still when the time is over.
    """
    operation = wanted.operation
    if operation is None:
        raise ConfigurationError((NO_OPERATION,), "the task's arguments")
    if endpoints.job_id(operation) is None:
        raise ConfigurationError((NO_JOB,), "the argument operation")
    began: datetime = yield Now()
    job: Job = yield from fetch(endpoints.get_job(operation))
    canceled = Operation(wanted.offer, "cancel", began, operation.operation_id, operation.location, INGESTION)
    if job.state.is_canceled and not wanted.attempt.is_first:
        yield Tell(f"offer {wanted.offer}: job {job.id} is canceled, by an earlier try perhaps")
        return canceled
    if job.state.is_terminal:
        yield Tell(f"offer {wanted.offer}: job {job.id} has ended ({job.word}), there is nothing to cancel")
        return None
    refused: PortalError | None = None
    try:
        yield from ask(endpoints.cancel(operation))
    except PortalError as error:
        if not is_taken_perhaps(error) and not isinstance(error, Refused):
            raise
        refused = error if isinstance(error, Refused) else None
        yield Tell(f"{error}; looking what became of job {job.id}", logging.WARNING)
    yield from _ended(wanted, operation, began + timedelta(seconds=wanted.timeout), refused)
    return canceled


def _ended(wanted: Cancel, operation: Operation, until: datetime, refused: PortalError | None) -> Flow[None]:
    """Wait until a job has ended.

    :param refused: the refusal of the cancel, if it was refused: then the job is not waited for.
    :raises NotCanceled: if it ended in another way than by a cancel, or has not ended in time.
    """
    word = "is running"
    while True:
        try:
            job: Job = yield from fetch(endpoints.get_job(operation))
        except PortalError as error:
            yield Tell(f"{error}; the order may be with the API, asking again", logging.WARNING)
        else:
            word = f"says {job.word}"
            if job.state.is_canceled:
                yield Tell(f"offer {wanted.offer}: job {job.id} has ended")
                return
            if job.state.is_terminal:
                reason = f"job {job.id} ended before it was canceled, it {word}"
                raise NotCanceled(str(wanted.offer), reason, may_pass=False)
            if refused is not None:
                raise NotCanceled(str(wanted.offer), f"{refused}; job {job.id} goes on", may_pass=False) from refused
        now: datetime = yield Now()
        if now >= until:
            reason = f"job {endpoints.job_id(operation)} {word} {wanted.timeout:g} s after its cancel"
            raise NotCanceled(str(wanted.offer), reason, may_pass=True)
        yield Sleep(min(wanted.poll_interval, (until - now).total_seconds()))
