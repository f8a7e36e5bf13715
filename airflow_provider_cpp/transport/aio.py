# SPDX-License-Identifier: Apache-2.0
"""The driver that runs flows in triggerers, with aiohttp."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_cpp.core.effects import (
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
from airflow_provider_cpp.exceptions import (
    ConnectionNotFoundError,
    InvalidResponseError,
    MarketplaceError,
    TransportError,
)
from airflow_provider_cpp.transport.auth.token_source import Token
from airflow_provider_cpp.transport.body import BoundedBody, InvalidBodyError
from airflow_provider_cpp.transport.loop_registry import loop_registry
from airflow_provider_cpp.transport.network_errors import transport_error
from airflow_provider_cpp.transport.session_pool import PooledSession
from airflow_provider_cpp.transport.shared_connection import ConnectionSource, SharedConnection

T = TypeVar("T")
UNAUTHORIZED = 401
NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


async def run(flow: Flow[T], source: ConnectionSource) -> T:
    """Run a flow on the event loop without blocking it, and return its result.

    The flows of one event loop share connections and sessions; see :mod:`~airflow_provider_cpp.transport.loop_registry`.

    :param source: reads the connection for the first request, for each new token and after a failed poll, so that a wait
        continues after the secret or the host changes, or while the connection cannot be used.
    """
    registry = loop_registry()
    connection = registry.join(source)
    del source  # free it: the registry keeps one source for thousands of waits
    value: Any = None
    failure: MarketplaceError | None = None
    deadline: datetime | None = None
    is_first = True
    try:
        while True:
            effect = flow.send(value) if failure is None else flow.throw(failure)
            value = failure = None  # free the response while the flow sleeps
            if isinstance(effect, (SendRequest, ReloadConnection)):
                try:
                    value = await _before_deadline(effect, connection, deadline, is_first=is_first)
                except MarketplaceError as error:
                    failure = error
                is_first = False
            elif isinstance(effect, Sleep):
                await asyncio.sleep(effect.seconds)
            elif isinstance(effect, GetTime):
                value = datetime.now(timezone.utc)
            elif isinstance(effect, Log):
                connection.source.log_line(effect.text, effect.level)
            elif isinstance(effect, SetDeadline):
                deadline = effect.at
            elif isinstance(effect, SaveCheckpoint):
                msg = "triggers never submit: SaveCheckpoint is not supported"
                raise RuntimeError(msg)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        await registry.leave(connection)


async def _before_deadline(
    effect: SendRequest | ReloadConnection, connection: SharedConnection, deadline: datetime | None, *, is_first: bool
) -> Response | None:
    """Send a request or reload the connection before the deadline; after a 401, sign in and send the request once more."""
    # Compute this for each effect, because the system clock may be set while the flow runs.
    seconds = None if deadline is None else (deadline - datetime.now(timezone.utc)).total_seconds()
    text, sent = "the deadline has passed", False
    if seconds is None or seconds > 0:
        try:
            async with asyncio.timeout(seconds):
                if is_first:
                    await connection.reload_if_stale()
                if isinstance(effect, ReloadConnection):
                    await connection.reload()
                    return None
                session, token = connection.current() or await connection.acquire()
                response = await _exchange(connection, session, effect.request, token)
                if response.status == UNAUTHORIZED:
                    session, token = await connection.acquire(rejected=token)
                    response = await _exchange(connection, session, effect.request, token)
                return response
        except TimeoutError:
            text, sent = f"no response within {seconds or 0:.1f} seconds", True
    if isinstance(effect, ReloadConnection):
        raise ConnectionNotFoundError((text,), connection.source.where)
    raise effect.request.error(TransportError, text=text, sent=sent)


async def _exchange(
    connection: SharedConnection, session: PooledSession, request: Request[Any], token: Token
) -> Response:
    settings = session.settings
    url = URL(settings.base_url + request.url_path(settings.api_version), encoded=True)  # the path is quoted
    timeout = session.timeout if request.is_safe else session.submit_timeout
    session.users += 1
    try:
        async with (
            session.limiter,
            session.client.request(
                request.method,
                url,
                data=request.body,
                headers={**request.headers, "Authorization": f"Bearer {token.value}"},
                proxy=session.proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as http_response,
        ):
            body = BoundedBody(http_response.headers.get("Content-Encoding"))
            while chunk := await http_response.content.readany():
                body.feed(chunk)
    except InvalidBodyError as invalid:
        raise request.error(InvalidResponseError, text=str(invalid)) from None
    except (aiohttp.ClientError, OSError, TimeoutError) as caught:
        # aiohttp's error for the total timeout has no message.
        overdue = TimeoutError(f"no response within {timeout.total:g} seconds")
        error = overdue if type(caught) is TimeoutError and not caught.args else caught
        raise transport_error(request, settings.base_url, error, NEVER_SENT) from None
    finally:
        await connection.pool.release(session)
    return Response(
        http_response.status, bytes(body.content), http_response.headers, settings.base_url, datetime.now(timezone.utc)
    )
