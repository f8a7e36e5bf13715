# SPDX-License-Identifier: Apache-2.0
"""What the hooks have in common: from an Airflow connection to an API, blocking for tasks, asynchronous for triggers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.core.effects import Flow
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation, ensure_same_api
from airflow_provider_cpp.defaults import DEFAULT_SETTLE_TIME
from airflow_provider_cpp.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_provider_cpp.get_provider_info import CONNECTIONS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_cpp.core.api import MarketplaceAPI
    from airflow_provider_cpp.transport.settings import Settings
    from airflow_provider_cpp.transport.sync import SyncSession

__all__ = ["DEFAULT_SETTLE_TIME", "CheckpointWriter", "MarketplaceHook", "split_emails"]

T = TypeVar("T")

CheckpointWriter = Callable[[dict[str, Any] | None], None]


class MarketplaceHook(BaseHook):
    """Runs the flows of one API of the marketplace with the credentials of an Airflow connection.

    Its methods raise the errors of :mod:`airflow_provider_cpp.exceptions`, which carry the HTTP status, the API's code and
    words, and its request id. Reads are asked again a few times where that may help; an order never is.

    :param conn_id: the connection; the default one if None.
    :cvar api: what the API has to offer.
    :cvar needs_publisher: whether an offer is named by its publisher too.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    api: ClassVar[MarketplaceAPI]
    needs_publisher: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give each hook the form as its own: Airflow before 3.2 does not look at what a hook inherits."""
        super().__init_subclass__(**kwargs)
        for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
            if name not in vars(cls):
                setattr(cls, name, classmethod(getattr(cls, name).__func__))

    def __init__(self, conn_id: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id if conn_id is not None else self.default_conn_name
        self._settings: Settings | None = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's fields for Airflow before 3.2, which does not read them from the provider info."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(field["label"], description=field["description"], widget=BS3TextFieldWidget())
            for name, field in CONNECTIONS[cls.conn_type]["conn-fields"].items()
        }

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the standard fields for Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in CONNECTIONS[cls.conn_type]["ui-field-behaviour"].items()}

    def get_conn(self, keep: CheckpointWriter | None = None) -> SyncSession:
        """Return an open session, to be closed or used with ``with``.

        :param keep: keeps the notes of flows; without it they are dropped.
        """
        from airflow_provider_cpp.transport.sync import SyncSession

        return SyncSession(self.get_settings(), self.log, keep=keep, reread=self.read_settings)

    def get_settings(self) -> Settings:
        """Return the connection's settings; the connection is read the first time only.

        :raises ConfigurationError: as :meth:`read_settings`.
        """
        return self._settings if self._settings is not None else self.read_settings()

    def read_settings(self) -> Settings:
        """Read the connection, also if it was read before.

        :raises ConfigurationError: if there is none, or naming all that it lacks.
        """
        try:
            connection = self.get_connection(self.conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError((str(error),), self.where) from error
        return self.use(connection)

    def use(self, connection: Connection) -> Settings:
        """Take a connection that was read already.

        :raises ConfigurationError: naming all that it lacks.
        """
        self._settings = self._parse_settings(connection, connection.extra_dejson)
        return self._settings

    async def aget_settings(self) -> Settings:
        """Read the connection without blocking the event loop.

        :raises ConfigurationError: as :meth:`get_settings`.
        """
        from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

        try:
            connection = await get_async_connection(self.conn_id, hook=type(self))
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError((str(error),), self.where) from error
        except PermissionError as error:  # Airflow refuses to show it
            raise ConfigurationError((str(error),), self.where) from error
        return self._parse_settings(connection, await get_async_extra_dejson(connection))

    def run(self, flow: Flow[T], keep: CheckpointWriter | None = None) -> T:
        """Run a flow to its end, blocking.

        :param keep: keeps the flow's notes; without it they are dropped.
        """
        with self.get_conn(keep) as session:
            return session.run(flow)

    def arun(self, flow: Flow[T]) -> Coroutine[Any, Any, T]:
        """Run a flow to its end on the event loop, to be awaited.

        What runs on one loop with one connection shares session and token, and reads the connection once for all.
        """
        from airflow_provider_cpp.transport import aio

        return aio.run(flow, self)

    @property
    def cache_key(self) -> tuple[type, str]:
        """What those have in common who read the same connection in the same way.

        While any of them waits, the first one reads it, and logs, for all: they must be interchangeable.
        """
        return type(self), self.conn_id

    @property
    def where(self) -> str:
        """What errors call the connection."""
        return f"connection {self.conn_id!r}"

    def log_line(self, text: str, level: int) -> None:
        """Log a line, with a logger that is not kept: each of thousands of waits would have one of its own."""
        copy(self).log.log(level, "%s", text)

    def offer_ref(self, offer_id: str, publisher_id: str | None = None) -> OfferRef:
        """Name an offer, its publisher taken from the connection where none is given.

        :raises ConfigurationError: if the API wants a publisher and neither names one, or an id could not stand in a
            path.
        """
        return self._offer_ref(offer_id, publisher_id or self.get_settings().publisher_id)

    def parse_operation(self, value: Operation | Mapping[str, Any] | Any) -> Operation:
        """Read an operation as a task returned it.

        :raises ConfigurationError: if it is none, or belongs to another API than the connection is for.
        """
        operation = value if isinstance(value, Operation) else Operation.from_json(value)
        ensure_same_api(self.api.name, operation.api, f"operation {operation.display_id}")
        return operation

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and look around; what Airflow's Test button shows.

        :return: whether that worked, and in words what was found, or what is wrong and what to do.
        """
        from airflow_provider_cpp.hooks import connection_test

        return connection_test.check_connection(self.read_settings, self.log, self.api.check_access)

    def _parse_settings(self, connection: Connection, extra: Mapping[str, Any]) -> Settings:
        from airflow_provider_cpp.transport.settings import Settings

        if connection.conn_type in CONNECTIONS and connection.conn_type != self.conn_type:
            problem = f"it is of type {connection.conn_type} now, and this is for {self.conn_type}: it was switched"
            raise ConfigurationError((problem,), self.where)
        return Settings.from_fields(
            self.api.endpoint,
            host=connection.host,
            port=connection.port,
            login=connection.login,
            password=connection.password,
            extra=extra,
            where=self.where,
        )

    def _offer_ref(self, offer_id: str, publisher_id: str | None) -> OfferRef:
        return OfferRef(self._publisher(publisher_id) if self.needs_publisher else publisher_id or None, offer_id)

    def _publisher(self, publisher_id: str | None) -> str:
        if not publisher_id:
            problem = "no publisher is named: give publisher_id to the task, or put it into the connection's extra"
            raise ConfigurationError((problem,), self.where)
        return publisher_id


def split_emails(addresses: str | Sequence[str]) -> tuple[str, ...]:
    """Read addresses given as a list, or as one text with commas between them."""
    parts = addresses.split(",") if isinstance(addresses, str) else addresses
    return tuple(part.strip() for part in parts if part.strip())
