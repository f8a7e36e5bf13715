# SPDX-License-Identifier: Apache-2.0
"""The hook of the Product Ingestion API, the portal's successor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_cpp.apis.product_ingestion import endpoints, submissions
from airflow_provider_cpp.apis.product_ingestion.api import PRODUCT_INGESTION_API
from airflow_provider_cpp.apis.product_ingestion.models import Job, Product
from airflow_provider_cpp.apis.product_ingestion.resources import get_resources
from airflow_provider_cpp.apis.product_ingestion.status import Target
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.checkpoint import TryContext
from airflow_provider_cpp.core.models import StatusReport
from airflow_provider_cpp.core.operations import Operation, OperationSummary
from airflow_provider_cpp.core.params import CancelParams, GoLiveParams, PublishParams, UpdateParams, UpdateResult
from airflow_provider_cpp.get_provider_info import PRODUCT_INGESTION, PRODUCT_INGESTION_HOOK_NAME
from airflow_provider_cpp.hooks.base import DEFAULT_SETTLE_TIME, MarketplaceHook


class ProductIngestionHook(MarketplaceHook):
    """Calls the Product Ingestion API with the credentials of an Airflow connection.

    An offer is a product there, found by its external id; whose it is the token says. The methods raise the errors of
    :mod:`airflow_provider_cpp.exceptions`.

    :param conn_id: the connection, of type ``product_ingestion``; ``product_ingestion_default`` if None.

    `Product Ingestion API <https://learn.microsoft.com/partner-center/marketplace-offers/product-ingestion-api>`_
    """

    default_conn_name = "product_ingestion_default"
    conn_type = PRODUCT_INGESTION
    hook_name = PRODUCT_INGESTION_HOOK_NAME
    api = PRODUCT_INGESTION_API
    needs_publisher = False

    def list_offers(self) -> tuple[Product, ...]:
        """List the products of the account that the token is for."""
        return self.run(submissions.list_all_pages(lambda page: endpoints.list_products(None, page)))

    def get_resources(self, offer_id: str, target: str = "draft") -> tuple[dict[str, Any], ...]:
        """Return an offer whole: its resources raw, with every key that the API sent, in no order.

        :param offer_id: the offer.
        :param target: ``draft``, ``preview`` or ``live``; a 404 if nothing stands there.
        """
        return self.run(self._resources(offer_id, Target(target)))

    def configure(self, offer_id: str, resources: Sequence[Mapping[str, Any]]) -> UpdateResult:
        """Make an offer's draft what some resources say, and wait until it is.

        :param resources: the resources to change, raw; others stay as they are.
        :raises BadRequestError: if the API refuses them, with its whole tree of errors.
        """
        given = [dict(resource) for resource in resources]
        return self.run(self.api.update(UpdateParams(self.offer_ref(offer_id), resources=given)))

    def get_offer_status(self, offer_id: str) -> StatusReport:
        """Return where an offer stands; its steps are preview and live."""
        return self.run(submissions.get_state(self.offer_ref(offer_id))).report

    def list_operations(self, offer_id: str) -> list[OperationSummary]:
        """List an offer's submissions as operations, the newest first."""
        return list(self.run(submissions.get_state(self.offer_ref(offer_id))).operations)

    def get_job(self, operation: Operation | Mapping[str, Any]) -> Job:
        """Return where an operation's job stands.

        :param operation: what :meth:`publish_offer`, or a task, returned.
        """
        return self.run(effects.send_with_retry(endpoints.get_job(self.parse_operation(operation))))

    def publish_offer(
        self,
        offer_id: str,
        resources: Sequence[Mapping[str, Any]] = (),
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Order the publication of an offer's draft to preview, once, and return the operation that this began.

        A call knows nothing of those before it: the operator, which does, is what retries are for.

        :param resources: what is configured and published in the same order, with nothing else of the draft; empty for
            all of it.
        :param settle_time: seconds for which a new submission is looked for if the answer was lost.
        :raises OperationInProgressError: if another submission is in progress; nothing was ordered.
        :raises SubmitOutcomeUnknownError: if the answer was lost and no new submission showed within the settle time.
        """
        given = tuple(dict(resource) for resource in resources)
        return self.run(
            self.api.publish(PublishParams(self.offer_ref(offer_id), (), TryContext(settle_time), resources=given))
        )

    def go_live(
        self,
        offer_id: str,
        operation: Operation | Mapping[str, Any] | None = None,
        settle_time: float = DEFAULT_SETTLE_TIME,
    ) -> Operation:
        """Let what waits in preview go live, and return the operation by which it does.

        :param operation: the publish operation whose preview is meant; None for whichever waits.
        :param settle_time: seconds after which an offer that still waits in preview was not taken.
        :raises PreviewNotReadyError: if nothing waits in preview, or another publication than was meant.
        :raises SubmitOutcomeUnknownError: if it stays in preview though it was ordered.
        """
        meant = None if operation is None else self.parse_operation(operation)
        return self.run(self.api.go_live(GoLiveParams(self.offer_ref(offer_id), TryContext(settle_time), meant)))

    def cancel(self, operation: Operation | Mapping[str, Any], timeout: float = 900.0) -> Operation | None:
        """Cancel an operation's job, and wait until it has ended; None if it had ended already.

        :param timeout: seconds after which it should have ended.
        :raises CancelFailedError: if it ended otherwise, or still runs.
        """
        meant = self.parse_operation(operation)
        return self.run(self.api.cancel(CancelParams(meant.offer, TryContext(0.0), meant, timeout=timeout)))

    def _resources(self, offer_id: str, target: Target) -> effects.Flow[tuple[dict[str, Any], ...]]:
        offer = self.offer_ref(offer_id)
        product = yield from submissions.find_product(offer)
        return (yield from get_resources(offer, product.guid, target))
