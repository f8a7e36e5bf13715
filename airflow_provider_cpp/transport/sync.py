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

from airflow_provider_cpp.core.effects import Flow, Keep, Now, Reconnect, Request, Send, SetDeadline, Sleep, Tell
from airflow_provider_cpp.core.http import Call, Reply
from airflow_provider_cpp.exceptions import ConfigurationError, PortalError, Unreachable
from airflow_provider_cpp.transport.adapter import BoundedAdapter
from airflow_provider_cpp.transport.auth.token_source import Token, token_source
from airflow_provider_cpp.transport.base import COMMON_HEADERS, Log, body_of, headers, unreachable
from airflow_provider_cpp.transport.body import drain
from airflow_provider_cpp.transport.deadline import deadline, overdue
from airflow_provider_cpp.transport.network_errors import causes_of
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
        log: Log | None = None,
        *,
        keep: Callable[[dict[str, Any] | None], None] | None = None,
        reread: Callable[[], Settings] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self._keep = keep
        self._reread = reread
        self._log: Log = log or logging.getLogger(__name__)
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
        resume: Callable[[Any], Request] = flow.send
        answer: Any = None
        while True:
            try:
                request = resume(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                resume, answer = flow.send, self._do(request)
            except PortalError as error:
                resume, answer = flow.throw, error

    def _do(self, request: Request) -> object:
        match request:
            case Send(call):
                return self.send(call)
            case Sleep(seconds):
                self._sleep(seconds)
            case Now():
                return datetime.now(timezone.utc)
            case Tell(text, level):
                self._log.log(level, "%s", text)
            case Keep(note):
                if self._keep is not None:
                    self._keep(note)
            case SetDeadline(at):
                self._deadline = at
            case Reconnect():
                self._reconnect()
        return None

    def _reconnect(self) -> None:
        if self._reread is None:
            return
        try:
            settings = self._reread()
        except PortalError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever Airflow's API server, or a vault, that is away raises
            # They often are away together with the portal, which is no reason to end a wait.
            raise ConfigurationError((f"it cannot be read now: {type(error).__name__}",)) from None
        if settings == self.settings:
            self._tokens.found_again()
        else:
            self.settings, self._tokens = settings, token_source(settings)

    def send(self, call: Call[Any]) -> Reply:
        """Send a call; a token that is refused is replaced once, since a refused request did nothing.

        :raises PortalError: if no token or no answer came, or not in time.
        """
        with deadline(self._time_for(call)):
            _check_time(call)
            token = self._tokens.token()
            reply = self._exchange(call, token)
            if reply.status == requests.codes.unauthorized:
                reply = self._exchange(call, self._tokens.token(rejected=token))
            return reply

    def _time_for(self, call: Call[Any]) -> float:
        """Return the seconds for a call, the sign-in before it included."""
        total = self.settings.exchange_timeout(submit=not call.is_safe)
        if self._deadline is None:
            return total
        return min(total, (self._deadline - datetime.now(timezone.utc)).total_seconds())

    def _exchange(self, call: Call[Any], token: Token) -> Reply:
        _check_time(call)
        settings = self.settings
        self._session.trust_env = not settings.proxies  # or the environment's would be added to the connection's
        try:
            with self._session.request(
                call.method,
                settings.base_url + call.target(settings.api_version),
                data=call.body,
                # As auth and not as a header, which requests lets an entry of ~/.netrc replace.
                auth=_Headers(COMMON_HEADERS | headers(token, call)),
                timeout=(settings.request_timeout, settings.read_timeout(order=not call.is_safe)),
                verify=settings.bundle() or DEFAULT_CA_BUNDLE_PATH,
                proxies=dict(settings.proxies) or None,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = body_of(call, response.headers.get("Content-Encoding"))
                drain(response.raw, body)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise unreachable(call, settings.base_url, error, sent=not _never_left(error)) from None
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, bytes(body.content), names, settings.base_url, datetime.now(timezone.utc))


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

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._values)
        return request


def _never_left(error: BaseException) -> bool:
    """Say whether a request certainly did not reach the portal: there was no connection to send it on."""
    kinds = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    return any(isinstance(cause, kinds) for cause in causes_of(error))


def _check_time(call: Call[Any]) -> None:
    """Raise an error if there is no time left to send a call."""
    if overdue() is not None:
        raise Unreachable(call.words, text="there was no time left before the deadline: nothing was sent", sent=False)
