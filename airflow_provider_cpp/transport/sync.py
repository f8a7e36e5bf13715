# SPDX-License-Identifier: Apache-2.0
"""The driver that runs flows in workers, with requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Self, TypeVar

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from airflow_provider_cpp.core.effects import (
    Effect,
    Flow,
    GetTime,
    Log,
    ReloadConnection,
    SaveCheckpoint,
    SendRequest,
    SetDeadline,
    Sleep,
)
from airflow_provider_cpp.core.http import Request, Response
from airflow_provider_cpp.exceptions import ConfigurationError, InvalidResponseError, MarketplaceError, TransportError
from airflow_provider_cpp.transport.adapter import BoundedSession
from airflow_provider_cpp.transport.auth.token_source import Token, token_source
from airflow_provider_cpp.transport.body import BoundedBody, InvalidBodyError, drain
from airflow_provider_cpp.transport.deadline import deadline, overdue_text
from airflow_provider_cpp.transport.network_errors import transport_error
from airflow_provider_cpp.transport.settings import COMMON_HEADERS, Settings

T = TypeVar("T")
NEVER_SENT = (ConnectTimeoutError, NewConnectionError)


class SyncSession:
    """Send requests and run flows, blocking; a context manager.

    :param settings: the connection's settings.
    :param log_line: logs a line of a flow, with its level; without this argument, lines are discarded.
    :param save_checkpoint: stores a flow's checkpoint, or deletes it for None; without this argument, checkpoints are discarded.
    :param reload: reads the settings again after a failed poll; without this argument, the settings do not change.
    """

    def __init__(
        self,
        settings: Settings,
        log_line: Callable[[str, int], None] | None = None,
        *,
        save_checkpoint: Callable[[dict[str, Any] | None], None] | None = None,
        reload: Callable[[], Settings] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self._save_checkpoint = save_checkpoint
        self._reload = reload
        self._log_line = log_line
        self._sleep = sleep
        self._tokens = token_source(settings)
        self._session = BoundedSession()
        self._deadline: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow and return its result."""
        self._deadline = None
        resume: Callable[[Any], Effect] = flow.send
        value: Any = None
        while True:
            try:
                effect = resume(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                resume, value = flow.send, self._perform(effect)
            except MarketplaceError as error:
                resume, value = flow.throw, error

    def _perform(self, effect: Effect) -> object:
        match effect:
            case SendRequest(request):
                return self.send(request)
            case Sleep(seconds):
                self._sleep(seconds)
            case GetTime():
                return datetime.now(timezone.utc)
            case Log(text, level):
                if self._log_line is not None:
                    self._log_line(text, level)
            case SaveCheckpoint(checkpoint):
                if self._save_checkpoint is not None:
                    self._save_checkpoint(checkpoint)
            case SetDeadline(at):
                self._deadline = at
            case ReloadConnection():
                self._reload_connection()
        return None

    def _reload_connection(self) -> None:
        if self._reload is None:
            return
        try:
            settings = self._reload()
        except MarketplaceError:
            raise
        except Exception as error:  # noqa: BLE001 - anything that Airflow or a secrets backend raises
            # Both are often unavailable together with the API, which must not end a wait.
            raise ConfigurationError((f"it cannot be read now: {type(error).__name__}",)) from None
        if settings == self.settings:
            self._tokens.connection_was_reloaded()
        else:
            self.settings, self._tokens = settings, token_source(settings)

    def send(self, request: Request[Any]) -> Response:
        """Send a request. After a 401, send it once more with a new token, because a rejected request had no effect.

        :raises MarketplaceError: if there is no token or no response in time.
        """
        seconds = self.settings.exchange_timeout(submit=not request.is_safe)
        if self._deadline is not None:
            seconds = min(seconds, (self._deadline - datetime.now(timezone.utc)).total_seconds())
        with deadline(seconds):
            _check_deadline(request)
            token = self._tokens.token()
            response = self._exchange(request, token)
            if response.status == requests.codes.unauthorized:
                response = self._exchange(request, self._tokens.token(rejected=token))
            return response

    def _exchange(self, request: Request[Any], token: Token) -> Response:
        _check_deadline(request)
        settings = self.settings

        def add_headers(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            # Not a variable of _exchange: tools such as Sentry report the variables of the functions in a traceback.
            prepared.headers.update({**COMMON_HEADERS, **request.headers, "Authorization": f"Bearer {token.value}"})
            return prepared

        self._session.trust_env = not settings.proxies  # otherwise requests adds the environment's proxies
        try:
            with self._session.request(
                request.method,
                settings.base_url + request.url_path(settings.api_version),
                data=request.body,
                auth=add_headers,  # requests replaces a plain Authorization header by an entry of ~/.netrc
                timeout=(settings.request_timeout, settings.read_timeout(submit=not request.is_safe)),
                verify=settings.ca_bundle(),
                proxies=dict(settings.proxies) or None,
                allow_redirects=False,
                stream=True,
            ) as http_response:
                body = BoundedBody(http_response.headers.get("Content-Encoding"))
                drain(http_response.raw, body)
        except InvalidBodyError as error:
            raise request.error(InvalidResponseError, text=str(error)) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise transport_error(request, settings.base_url, error, NEVER_SENT) from None
        received = {name.lower(): value for name, value in http_response.headers.items()}
        return Response(
            http_response.status_code, bytes(body.content), received, settings.base_url, datetime.now(timezone.utc)
        )


def _check_deadline(request: Request[Any]) -> None:
    if overdue_text() is not None:
        raise request.error(TransportError, text="the deadline has passed: nothing was sent", sent=False)
