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
    """An argument that may hold SAS URLs: their signatures are masked as soon as it is set, rendered or not.

    Airflow renders a mapped task's fields without calling anything of the operator's, but it sets them.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        """Note which argument it is."""
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the argument."""
        return self if instance is None else instance.__dict__.get(self._name)

    def __set__(self, instance: Any, value: Any) -> None:
        """Mask what is in it, and keep it."""
        if value is not None:
            from airflow_provider_cpp.tasks.masking import mask_signatures

            mask_signatures(value)
        instance.__dict__[self._name] = value


class UpdateOfferOperator(OfferOperator):
    """Changes an offer's draft: reads it, changes it and stores it, whole, so that no key is lost.

    Somebody else's change in between is noticed by the draft's ETag, and the change is then made anew on what is
    there. A draft that is as it should be already is not written, so a retry after a lost answer does no harm.

    :param offer_id: the offer. Templated.
    :param patch: the change as a JSON merge patch: null takes a key out, a list replaces a list. Templated.
    :param change: the change as a callable, which gets the document, and changes it in place or returns another
        one; it may be called several times. Give one of ``patch``, ``change`` and ``product_resources``.
    :param product_resources: with a connection of type ``product_ingestion``, which has resources instead of one document, those
        to configure: raw JSON, unknown keys kept. The task waits for the job that does it. Templated.
    :param create: whether an offer that is not there is created, out of an empty document.
    :param overwrite: whether to store over whatever is there where the portal gives no ETag.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :returns: ``publisher_id``, ``offer_id``, ``version`` and ``written``, whether anything had to be written.
    :raises AirflowFailException: if there is no such offer, the portal refuses, or there is no ETag.
    :raises AirflowException: if the portal could not be reached, or others wrote every time.

    `Create or modify an offer
    <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id", "patch", "product_resources")
    ui_color = "#f2ecd0"
    template_fields_renderers = {"patch": "json", "product_resources": "json"}  # noqa: RUF012 - as Airflow has it
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
            msg = "give one of patch, change and product_resources"
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
    """Adds a version of a virtual machine image to a plan of an offer's draft.

    The same version with the same blobs counts as done, whatever signs their URLs, so a retry passes. Another blob
    under that version is an error, and so is a plan that is not there.

    :param offer_id: the offer. Templated.
    :param plan_id: the plan, or the disk generation of one, by its id. Templated.
    :param version: three whole numbers with dots between: ``2026.11.3``. Templated.
    :param os_disk_url: the SAS URL of the operating system's disk; its signature is masked. Templated.
    :param data_disk_urls: the SAS URLs of data disks, by logical unit number. Templated.
    :param details: further keys of the version, ``{"label": "..."}`` for example. Templated.
    :param valid_for: how long the URLs must be good still: the portal reads them until the offer is live; 11 days
        by default.
    :param overwrite: whether to store over whatever is there where the portal gives no ETag.
    :param publisher_id: its publisher; the connection's if None. Templated.
    :param conn_id: the connection; its type says which API it is. Templated.
    :returns: as :class:`UpdateOfferOperator`.
    :raises AirflowFailException: if the plan is not there, the version has another blob, or a URL is not good for
        long enough; and as :class:`UpdateOfferOperator`.
    :raises AirflowException: as :class:`UpdateOfferOperator`.

    `Create or modify an offer
    <https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-creating-offer>`_
    """

    template_fields: Sequence[str] = (
        "conn_id",
        "publisher_id",
        "offer_id",
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
        """Add the version, unless it is there."""
        from airflow_provider_cpp.tasks import draft

        return draft.add_image(self, context)
