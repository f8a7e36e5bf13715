# SPDX-License-Identifier: Apache-2.0
"""The base class of the hooks, with blocking methods for tasks and asynchronous methods for triggers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_cpp.core.effects import Flow, send_with_retry
from airflow_provider_cpp.core.models import OfferRef
from airflow_provider_cpp.core.operations import Operation, ensure_same_api
from airflow_provider_cpp.exceptions import ConfigurationError, ConnectionNotFoundError
from airflow_provider_cpp.get_provider_info import CONNECTIONS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_cpp.core.api import MarketplaceAPI
    from airflow_provider_cpp.core.http import Request
    from airflow_provider_cpp.transport.settings import Settings
    from airflow_provider_cpp.transport.sync import SyncSession

T = TypeVar("T")


class MarketplaceHook(BaseHook):
    """Run flows of one API with the credentials of an Airflow connection.

    The methods raise the errors of :mod:`airflow_provider_cpp.exceptions`, which carry the HTTP status, the API's error code
    and message, and the request ID. Reads are retried up to three times after a temporary error; submits are never retried.

    :param conn_id: the connection ID; the hook's default if None.
    :cvar needs_publisher: whether the API identifies an offer by its publisher ID and its offer ID.
    """

    conn_name_attr = "conn_id"
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    api: ClassVar[MarketplaceAPI]
    needs_publisher: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Copy the form methods into each hook, because Airflow before 3.2 ignores inherited ones."""
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
        """Return the form fields for Airflow before 3.2, which ignores the fields in the provider info."""
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

    def get_conn(self, save_checkpoint: Callable[[dict[str, Any] | None], None] | None = None) -> SyncSession:
        """Return an open session; close it, or use it with ``with``.

        :param save_checkpoint: stores the checkpoints of flows; None to discard them.
        """
        from airflow_provider_cpp.transport.sync import SyncSession

        return SyncSession(
            self.get_settings(), self.log_line, save_checkpoint=save_checkpoint, reload=self.read_settings
        )

    def get_settings(self) -> Settings:
        """Return the connection's settings; read the connection only once.

        :raises ConfigurationError: see :meth:`read_settings`.
        """
        return self._settings if self._settings is not None else self.read_settings()

    def read_settings(self) -> Settings:
        """Read the connection, even if it was read before.

        :raises ConfigurationError: if the connection does not exist, or has missing or invalid fields; lists all of them.
        """
        try:
            connection = self.get_connection(self.conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError((str(error),), self.where) from error
        return self.use(connection)

    def use(self, connection: Connection) -> Settings:
        """Use a connection that was already read.

        :raises ConfigurationError: lists all missing and invalid fields.
        """
        self._settings = self._parse_settings(connection, connection.extra_dejson)
        return self._settings

    async def aget_settings(self) -> Settings:
        """Read the connection without blocking the event loop.

        :raises ConfigurationError: see :meth:`read_settings`.
        """
        from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson

        try:
            connection = await get_async_connection(self.conn_id, hook=type(self))
        except AirflowNotFoundException as error:
            raise ConnectionNotFoundError((str(error),), self.where) from error
        except PermissionError as error:  # Airflow denies access to it
            raise ConfigurationError((str(error),), self.where) from error
        return self._parse_settings(connection, await get_async_extra_dejson(connection))

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in a new session, blocking, and return its result."""
        with self.get_conn() as session:
            return session.run(flow)

    def arun(self, flow: Flow[T]) -> Coroutine[Any, Any, T]:
        """Run a flow on the event loop.

        All flows of one connection on one event loop share one session, one token and one read of the connection.
        """
        from airflow_provider_cpp.transport import aio

        return aio.run(flow, self)

    @property
    def cache_key(self) -> tuple[type, str]:
        """The key by which hooks share a connection on an event loop.

        One hook reads the connection and logs for all hooks with the same key, so these must be interchangeable.
        """
        return type(self), self.conn_id

    @property
    def where(self) -> str:
        """The connection's name in error messages."""
        return f"connection {self.conn_id!r}"

    def log_line(self, text: str, level: int) -> None:
        """Log a line."""
        self.log.log(level, "%s", text)

    def offer_ref(self, offer_id: str, publisher_id: str | None = None) -> OfferRef:
        """Return a reference to an offer.

        :param offer_id: the offer ID.
        :param publisher_id: the publisher ID; the connection's if None.
        :raises ConfigurationError: if the API needs a publisher and there is none, or if an ID is not valid in a URL path.
        """
        publisher = publisher_id or self.get_settings().publisher_id
        return OfferRef(self._publisher(publisher) if self.needs_publisher else publisher, offer_id)

    def parse_operation(self, value: Operation | Mapping[str, Any] | Any) -> Operation:
        """Parse the operation that a task returned.

        :raises ConfigurationError: if the value is not an operation, or if the operation belongs to another API.
        """
        operation = value if isinstance(value, Operation) else Operation.from_json(value)
        ensure_same_api(self.api.name, operation.api, f"operation {operation.display_id}")
        return operation

    def test_connection(self) -> tuple[bool, str]:
        """Test the connection, for Airflow's Test button.

        :returns: whether the connection works, and a message: what it has access to, or what is wrong and what to do.
        """
        from airflow_provider_cpp.hooks import connection_test

        return connection_test.check_connection(self.read_settings, self.log_line, self.api.check_access)

    def _send(self, request: Request[T]) -> T:
        return self.run(send_with_retry(request))

    def _parse_settings(self, connection: Connection, extra: Mapping[str, Any]) -> Settings:
        from airflow_provider_cpp.transport.settings import Settings

        if connection.conn_type in CONNECTIONS and connection.conn_type != self.conn_type:
            problem = f"its type was changed from {self.conn_type} to {connection.conn_type}"
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

    def _publisher(self, publisher_id: str | None) -> str:
        if not publisher_id:
            problem = "there is no publisher ID: set publisher_id in the task, or in the connection's extra"
            raise ConfigurationError((problem,), self.where)
        return publisher_id


def split_emails(addresses: str | Sequence[str]) -> tuple[str, ...]:
    """Return email addresses from a list or from comma-separated text."""
    parts = addresses.split(",") if isinstance(addresses, str) else addresses
    return tuple(part.strip() for part in parts if part.strip())
