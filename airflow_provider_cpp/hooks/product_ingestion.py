# SPDX-License-Identifier: Apache-2.0
"""The hook of the Product Ingestion API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints, submissions
from airflow_provider_cpp.apis.product_ingestion.api import PRODUCT_INGESTION_API
from airflow_provider_cpp.apis.product_ingestion.models import Job, Product
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.effects import Flow, send_with_retry
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import CancelParams, ConfigureParams, GoLiveParams, PublishParams, UpdateResult
from airflow_provider_cpp.defaults import DEFAULT_SETTLE_TIME
from airflow_provider_cpp.get_provider_info import CONNECTIONS, PRODUCT_INGESTION
from airflow_provider_cpp.hooks.base import MarketplaceHook


class ProductIngestionHook(MarketplaceHook):
    """Send requests to the Product Ingestion API with the credentials of an Airflow connection.

    In this API, an offer is a product whose external ID is the offer ID, and the token determines the account. The methods
    raise the errors of :mod:`airflow_provider_cpp.exceptions`.

    :param conn_id: the ID of a connection of type ``product_ingestion``; ``product_ingestion_default`` if None.

    `Product Ingestion API <https://learn.microsoft.com/partner-center/marketplace-offers/product-ingestion-api>`_
    """

    default_conn_name = "product_ingestion_default"
    conn_type = PRODUCT_INGESTION
    hook_name = CONNECTIONS[conn_type]["hook-name"]
    api = PRODUCT_INGESTION_API
    needs_publisher = False

    def list_offers(self) -> tuple[Product, ...]:
        """List the products of the account that the token belongs to."""
        return self.run(submissions.list_all_pages(endpoints.list_products()))

    def get_resources(self, offer_id: str, target: str = "draft") -> tuple[dict[str, Any], ...]:
        """Return all raw resources of an offer with every key that the API sent, in no particular order.

        :param offer_id: the offer ID.
        :param target: ``draft``, ``preview`` or ``live``; an empty target raises
            :class:`~airflow_provider_cpp.exceptions.NotFoundError`.
        """
        offer, slot = self.offer_ref(offer_id), Target(target)

        def flow() -> Flow[tuple[dict[str, Any], ...]]:
            product = yield from submissions.find_product(offer)
            return (yield from send_with_retry(endpoints.get_tree(product, offer, slot)))

        return self.run(flow())

    def configure(self, offer_id: str, resources: Sequence[Mapping[str, Any]]) -> UpdateResult:
        """Change resources of an offer's draft, and wait until the change is complete.

        :param offer_id: the offer ID.
        :param resources: the raw resources to change; all others stay unchanged.
        :raises BadRequestError: if the API rejects them; has all error details.
        """
        copies = [dict(resource) for resource in resources]
        return self.run(self.api.update(ConfigureParams(self.offer_ref(offer_id), copies)))

    def get_offer_status(self, offer_id: str) -> StatusReport:
        """Return an offer's status; its two steps are preview and live."""
        return self.run(submissions.get_state(self.offer_ref(offer_id))).report

    def list_operations(self, offer_id: str) -> list[OperationSummary]:
        """List an offer's submissions as operations, newest first."""
        return list(self.run(submissions.get_state(self.offer_ref(offer_id))).operations)

    def get_job(self, operation: Operation | Mapping[str, Any]) -> Job:
        """Return the job of an operation.

        :param operation: the operation that :meth:`publish_offer` or a task returned.
        """
        return self._send(endpoints.get_job(self.parse_operation(operation)))

    def publish_offer(
        self,
        offer_id: str,
        resources: Sequence[Mapping[str, Any]] = (),
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Publish an offer's draft to preview once, and return its operation.

        Do not retry this method, because it does not detect earlier submits. To retry, use the operator. After a conflict while no
        submission is in progress, this method waits for ``settle_time`` and submits once more.

        :param offer_id: the offer ID.
        :param resources: resources to configure and publish in one request, without the rest of the draft; empty to publish
            the whole draft.
        :param settle_time: seconds to poll for a new submission if the response was lost, or after a conflict; 900 by default.
        :raises OperationInProgressError: if another submission is in progress; this call started none.
        :raises SubmitOutcomeUnknownError: if the response was lost and no new submission appeared within the settle time.
        """
        copies = tuple(dict(resource) for resource in resources)
        return self.run(
            self.api.publish(PublishParams(self.offer_ref(offer_id), (), TryContext(settle_time), resources=copies))
        )

    def go_live(
        self,
        offer_id: str,
        operation: Operation | Mapping[str, Any] | None = None,
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Sign off the preview that awaits sign-off, and return the go-live operation.

        :param offer_id: the offer ID.
        :param operation: the publish operation of the preview; None for any.
        :param settle_time: seconds to wait for the effect of a go-live whose response was lost; 900 by default.
        :raises PreviewNotReadyError: if no preview awaits sign-off, or if it belongs to a different publish operation.
        :raises SubmitOutcomeUnknownError: if the preview still awaits sign-off after the go-live was submitted.
        """
        publish = None if operation is None else self.parse_operation(operation)
        return self.run(self.api.go_live(GoLiveParams(self.offer_ref(offer_id), TryContext(settle_time), publish)))

    def cancel(self, operation: Operation | Mapping[str, Any], timeout: float = 900.0) -> Operation | None:
        """Cancel an operation and wait until it ends; return None if it had already ended.

        :param operation: the operation to cancel.
        :param timeout: seconds to wait for the operation to end; 900 by default.
        :raises CancelFailedError: if the operation ended before it was canceled, or is still in progress after the timeout.
        """
        target = self.parse_operation(operation)
        return self.run(self.api.cancel(CancelParams(target.offer, TryContext(0.0), target, timeout=timeout)))
