# SPDX-License-Identifier: Apache-2.0
"""The wire of workers: a session and a driver for the flows, with requests."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Self, TypeVar

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH
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
from airflow_provider_cpp.exceptions import ConfigurationError, MarketplaceError, TransportError
from airflow_provider_cpp.transport.adapter import BoundedAdapter
from airflow_provider_cpp.transport.auth.token_source import Token, token_source
from airflow_provider_cpp.transport.base import COMMON_HEADERS, Logger, request_headers, response_body, transport_error
from airflow_provider_cpp.transport.body import drain
from airflow_provider_cpp.transport.deadline import deadline, overdue_text
from airflow_provider_cpp.transport.network_errors import exception_chain
from airflow_provider_cpp.transport.settings import Settings

T = TypeVar("T")


class SyncSession:
    """Sends calls and runs flows, blocking; a context manager.

    :param settings: which portal, as whom.
    :param log: where what a flow tells goes.
    :param keep: keeps a flow's note, or takes it back; without it notes are dropped.
    :param reread: reads the settings again after a look that failed; without it they stay.
    :param sleep: lets seconds pass.
    """

    def __init__(
        self,
        settings: Settings,
        log: Logger | None = None,
        *,
        keep: Callable[[dict[str, Any] | None], None] | None = None,
        reread: Callable[[], Settings] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self._keep = keep
        self._reread = reread
        self._log: Logger = log or logging.getLogger(__name__)
        self._sleep = sleep
        self._tokens = token_source(settings)
        self._session = _Session()
        self._deadline: datetime | None = None

    def __enter__(self) -> Self:
        """Enter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result."""
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
                resume, value = flow.send, self._do(effect)
            except MarketplaceError as error:
                resume, value = flow.throw, error

    def _do(self, effect: Effect) -> object:
        match effect:
            case SendRequest(request):
                return self.send(request)
            case Sleep(seconds):
                self._sleep(seconds)
            case GetTime():
                return datetime.now(timezone.utc)
            case Log(text, level):
                self._log.log(level, "%s", text)
            case SaveCheckpoint(note):
                if self._keep is not None:
                    self._keep(note)
            case SetDeadline(at):
                self._deadline = at
            case ReloadConnection():
                self._reconnect()
        return None

    def _reconnect(self) -> None:
        if self._reread is None:
            return
        try:
            settings = self._reread()
        except MarketplaceError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API server, or a vault, that is away raises
            # They often are away together with the portal, which is no reason to end a wait.
            raise ConfigurationError((f"it cannot be read now: {type(error).__name__}",)) from None
        if settings == self.settings:
            self._tokens.connection_was_reloaded()
        else:
            self.settings, self._tokens = settings, token_source(settings)

    def send(self, request: Request[Any]) -> Response:
        """Send a call; a token that is refused is replaced once, since a refused request did nothing.

        :raises MarketplaceError: if no token or no answer came, or not in time.
        """
        with deadline(self._time_for(request)):
            _check_time(request)
            token = self._tokens.token()
            response = self._exchange(request, token)
            if response.status == requests.codes.unauthorized:
                response = self._exchange(request, self._tokens.token(rejected=token))
            return response

    def _time_for(self, request: Request[Any]) -> float:
        """Return the seconds for a call, the sign-in before it included."""
        total = self.settings.exchange_timeout(submit=not request.is_safe)
        if self._deadline is None:
            return total
        return min(total, (self._deadline - datetime.now(timezone.utc)).total_seconds())

    def _exchange(self, request: Request[Any], token: Token) -> Response:
        _check_time(request)
        settings = self.settings
        self._session.trust_env = not settings.proxies  # or the environment's would be added to the connection's
        try:
            with self._session.request(
                request.method,
                settings.base_url + request.url_path(settings.api_version),
                data=request.body,
                # As auth and not as a header, which requests lets an entry of ~/.netrc replace.
                auth=_Headers(COMMON_HEADERS | request_headers(token, request)),
                timeout=(settings.request_timeout, settings.read_timeout(submit=not request.is_safe)),
                verify=settings.ca_bundle() or DEFAULT_CA_BUNDLE_PATH,
                proxies=dict(settings.proxies) or None,
                allow_redirects=False,
                stream=True,
            ) as http_response:
                body = response_body(request, http_response.headers.get("Content-Encoding"))
                drain(http_response.raw, body)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise transport_error(request, settings.base_url, error, sent=not _was_never_sent(error)) from None
        names = {name.lower(): value for name, value in http_response.headers.items()}
        return Response(
            http_response.status_code, bytes(body.content), names, settings.base_url, datetime.now(timezone.utc)
        )


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests passes it
        """Know of no redirect: requests reads the whole of one, and its Location, even if it is not to follow it."""
        return None


class _Headers(requests.auth.AuthBase):
    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __call__(self, effect: requests.PreparedRequest) -> requests.PreparedRequest:
        effect.headers.update(self._values)
        return effect


def _was_never_sent(error: BaseException) -> bool:
    """Say whether a request certainly did not reach the portal: there was no connection to send it on."""
    kinds = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, kinds) for cause in exception_chain(error))


def _check_time(request: Request[Any]) -> None:
    """Raise an error if there is no time left to send a call."""
    if overdue_text() is not None:
        raise TransportError(
            request.description, text="there was no time left before the deadline: nothing was sent", sent=False
        )
