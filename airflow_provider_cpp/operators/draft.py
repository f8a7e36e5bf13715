# SPDX-License-Identifier: Apache-2.0
"""Operators that change an offer's draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_cpp.defaults import MAX_PUBLISH_DURATION, DraftChange
from airflow_provider_cpp.operators.base import OfferOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class MaskedField:
    """An argument whose SAS signatures are masked as soon as it is set, before and after rendering.

    For mapped tasks, Airflow renders fields without calling the operator, but sets them as attributes.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance.__dict__.get(self._name)

    def __set__(self, instance: Any, value: Any) -> None:
        if value is not None:
            from airflow_provider_cpp.tasks.masking import mask_signatures

            mask_signatures(value)
        instance.__dict__[self._name] = value


class UpdateOfferOperator(OfferOperator):
    """Change an offer's draft: read it, change it, and store the whole document, so that no key is lost.

    If the draft was changed in the meantime, its ETag differs, and the operator applies the change again to the current draft.
    It does not store a draft that already has the change, so a retry after a lost response is safe.

    :param offer_id: the offer ID. Templated.
    :param patch: the change as a JSON merge patch: null deletes a key, a list replaces a list. Templated.
    :param change: the change as a callable that takes the document, and changes it in place or returns a new one; it may be
        called several times. Pass exactly one of ``patch``, ``change`` and ``product_resources``.
    :param product_resources: for a connection of type ``product_ingestion``, the resources to configure as raw JSON; unknown
        keys are kept. The task waits for the configure job. Templated.
    :param create: whether to create a missing offer from an empty document; False by default.
    :param overwrite: whether to store even if the API returns no ETag, which overwrites concurrent changes; False by default.
    :param publisher_id: the publisher ID; the connection's if None. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :returns: ``publisher_id``, ``offer_id``, ``version``, and ``written``, which is whether the task stored anything.
    :raises AirflowFailException: if the offer does not exist, the API rejects the change, or there is no ETag.
    :raises AirflowException: if the API cannot be reached, or the draft changed before each attempt to store it.

    `Create or modify an offer
    <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "patch", "product_resources")
    ui_color = "#f2ecd0"
    template_fields_renderers = {"patch": "json", "product_resources": "json"}  # noqa: RUF012 - as in Airflow
    patch = MaskedField()
    product_resources = MaskedField()

    def __init__(  # noqa: PLR0913 - an operator's arguments are its user interface, all by name
        self,
        *,
        offer_id: str,
        patch: dict[str, Any] | None = None,
        change: DraftChange | None = None,
        product_resources: Sequence[Mapping[str, Any]] | None = None,
        create: bool = False,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(offer_id=offer_id, **kwargs)
        if [patch, change, product_resources].count(None) != 2:  # noqa: PLR2004 - all but one of three
            msg = "pass exactly one of patch, change and product_resources"
            raise ValueError(msg)
        self.patch = patch
        self.product_resources = product_resources
        self.takes_resources = product_resources is not None
        self.change = change
        self.create = create
        self.overwrite = overwrite

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the draft."""
        from airflow_provider_cpp.tasks import draft

        return draft.update(self, context)


class AddImageVersionOperator(OfferOperator):
    """Add a version of a virtual machine image to a plan of an offer's draft.

    If the plan already has the version with the same blobs, even with other SAS signatures, the task succeeds without a
    change, so a retry is safe. If the version has another blob, or the plan does not exist, the task fails.

    :param offer_id: the offer ID. Templated.
    :param plan_id: the ID of the plan or of one of its disk generations. Templated.
    :param version: three integers separated by dots: ``2026.11.3``. Templated.
    :param os_disk_url: the SAS URL of the operating system disk; its signature is masked. Templated.
    :param data_disk_urls: the SAS URLs of data disks by logical unit number. Templated.
    :param details: additional keys of the version, for example ``{"label": "..."}``. Templated.
    :param valid_for: how long the URLs must remain valid, because the marketplace reads them until the offer is live; 11 days
        by default.
    :param overwrite: whether to store even if the API returns no ETag, which overwrites concurrent changes; False by default.
    :param publisher_id: the publisher ID; the connection's if None. Templated.
    :param conn_id: the connection ID; the connection type selects the API. Templated.
    :returns: the same as :class:`UpdateOfferOperator`.
    :raises AirflowFailException: if the plan does not exist, the version has another blob, or a URL expires too early; and
        for the same reasons as :class:`UpdateOfferOperator`.
    :raises AirflowException: for the same reasons as :class:`UpdateOfferOperator`.

    `Create or modify an offer
    <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
    """

    template_fields: Sequence[str] = (
        *OfferOperator.template_fields,
        "plan_id",
        "version",
        "os_disk_url",
        "data_disk_urls",
        "details",
    )
    ui_color = "#f2ecd0"
    os_disk_url = MaskedField()
    data_disk_urls = MaskedField()
    details = MaskedField()

    def __init__(  # noqa: PLR0913 - an operator's arguments are its user interface, all by name
        self,
        *,
        offer_id: str,
        plan_id: str,
        version: str,
        os_disk_url: str,
        data_disk_urls: Mapping[int, str] | None = None,
        details: Mapping[str, Any] | None = None,
        valid_for: timedelta = MAX_PUBLISH_DURATION,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(offer_id=offer_id, **kwargs)
        self.plan_id = plan_id
        self.version = version
        self.os_disk_url = os_disk_url
        self.data_disk_urls = data_disk_urls
        self.details = details
        self.valid_for = valid_for
        self.overwrite = overwrite

    def execute(self, context: Context) -> dict[str, Any]:
        """Add the version if the plan does not have it."""
        from airflow_provider_cpp.tasks import draft

        return draft.add_image(self, context)
