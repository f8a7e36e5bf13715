# SPDX-License-Identifier: Apache-2.0
"""Read an offer's state from the list of its submissions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from airflow_provider_cpp.apis.product_ingestion import endpoints
from airflow_provider_cpp.apis.product_ingestion.models import SUBMISSION, Job, Submission
from airflow_provider_cpp.apis.product_ingestion.status import Target, offer_status
from airflow_provider_cpp.core.effects import Flow, send_with_retry
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.models import Message, OfferRef, StatusReport, Step
from airflow_provider_cpp.core.offer_state import OfferState
from airflow_provider_cpp.core.operations import OperationSummary
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.exceptions import InvalidResponseError, NotFoundError

T = TypeVar("T")
Sender = Callable[[Request[Any]], Flow[Any]]
"""The function that sends a request: :func:`~.effects.send` or :func:`~.effects.send_with_retry`."""

MAX_PAGES = 1000

_NEVER = datetime.min.replace(tzinfo=timezone.utc)
_KINDS: dict[Target | None, str] = {Target.PREVIEW: "publish", Target.LIVE: "golive"}


def list_all_pages(request: Request[endpoints.Page[T]], send: Sender = send_with_retry) -> Flow[tuple[T, ...]]:
    """Read all pages of a list.

    :param request: the request for the first page.
    :raises InvalidResponseError: if a page repeats, or if there are too many pages.
    """
    items: tuple[T, ...] = ()
    links: set[str] = set()
    while True:
        page, link = yield from send(request)
        items += page
        if link is None:
            return items
        if link in links or len(links) >= MAX_PAGES:
            raise request.error(InvalidResponseError, text="its pages never end")
        links.add(link)
        request = replace(request, path=link)


def find_product(offer: OfferRef, send: Sender = send_with_retry) -> Flow[str]:
    """Return the GUID of an offer's product, found by its external ID.

    :raises NotFoundError: if the account has no such product.
    :raises InvalidResponseError: if there are several.
    """
    request = endpoints.find_product(offer)
    products = yield from list_all_pages(request, send)
    matches = {one.guid for one in products if one.external_id.casefold() == offer.offer_id.casefold()}
    if len(matches) == 1:
        return matches.pop()
    if matches:
        raise request.error(InvalidResponseError, text=f"{len(matches)} products have this external id")
    raise request.error(NotFoundError, text="the token's account has no product with this external id")


def published_submissions(
    offer: OfferRef, send: Sender = send_with_retry, known: str | None = None
) -> Flow[tuple[Submission, ...]]:
    """List the submissions of an offer by creation, newest first, because the API documents no order.

    The list omits the entry for the draft, and the preview entry of a submission that is also listed as live.

    :param known: the durable ID of one of them, which contains the product's GUID; otherwise the product is searched.
    """
    match = SUBMISSION.fullmatch(known or "")
    product = match.group(1) if match else (yield from find_product(offer, send))
    entries = yield from list_all_pages(endpoints.list_submissions(product, offer), send)
    live = {entry.id for entry in entries if entry.target is Target.LIVE}
    kept = (e for e in entries if not e.is_draft and not (e.target is Target.PREVIEW and e.id in live))
    return tuple(sorted(kept, key=lambda e: (e.created or _NEVER, e.id), reverse=True))


def get_state(offer: OfferRef, send: Sender = send_with_retry) -> Flow[OfferState]:
    """Read an offer's submissions and the status that follows from them."""
    entries = yield from published_submissions(offer, send)
    return OfferState(as_operations(entries), status_report(entries))


def as_operations(entries: Iterable[Submission]) -> tuple[OperationSummary, ...]:
    """Return submissions as operations.

    A submission keeps its ID from preview to live. It is a publish operation and, once it is listed as live, also a go-live
    operation.
    """
    operations: list[OperationSummary] = []
    for entry in entries:
        operations.append(_operation(entry, _KINDS.get(entry.target, ""), entry.state))
        if entry.target is Target.LIVE:  # it was in preview earlier
            operations.append(_operation(entry, _KINDS[Target.PREVIEW], Status.SUCCEEDED))
    return tuple(operations)


def status_report(entries: tuple[Submission, ...], job: Job | None = None) -> StatusReport:
    """Return the status of an offer, or of one publication, by the newest submission.

    :param entries: the submissions without the draft, newest first.
    :param job: the publication's job, whose errors explain a failure.
    """
    if not entries:
        return StatusReport(Status.NEVER_PUBLISHED, Status.NEVER_PUBLISHED.value)
    newest = entries[0]
    status = offer_status(newest.target, newest.state)
    word = newest.raw_status if status is Status.UNKNOWN else status.value
    preview = next((e for e in entries if e.target is Target.PREVIEW), None)
    is_live = newest.target is Target.LIVE
    why = (Message(job.reason, "error"),) if job is not None and job.errors else ()
    preview_step = Step(Target.PREVIEW.value, Target.PREVIEW.value, Status.SUCCEEDED, Status.SUCCEEDED.value)
    steps = (
        preview_step if is_live else _step(Target.PREVIEW, preview, why),
        _step(Target.LIVE, newest if is_live else None, why),
    )
    return StatusReport(status, word, steps)


def _step(target: Target, entry: Submission | None, why: tuple[Message, ...]) -> Step:
    name, is_live = target.value, target is Target.LIVE
    if entry is None:
        return Step(name, name, Status.NOT_STARTED, Status.NOT_STARTED.value, is_live=is_live)
    # A submission to the live target means that the go-live was accepted, even if it has not started.
    state = Status.RUNNING if is_live and entry.state is Status.NOT_STARTED else entry.state
    return Step(name, name, state, entry.raw_status.partition(" ")[2], why, is_live=is_live)


def _operation(entry: Submission, kind: str, status: Status) -> OperationSummary:
    return OperationSummary(entry.id, kind, status, entry.raw_status, changed_at=entry.created)
