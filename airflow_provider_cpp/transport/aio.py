# SPDX-License-Identifier: Apache-2.0
"""The wire of the triggerer: a driver for the flows, with aiohttp."""

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
from airflow_provider_cpp.exceptions import ConnectionNotFoundError, MarketplaceError, TransportError
from airflow_provider_cpp.transport.auth.token_source import Token
from airflow_provider_cpp.transport.base import request_headers, response_body, transport_error
from airflow_provider_cpp.transport.loop_registry import loop_registry
from airflow_provider_cpp.transport.network_errors import exception_chain
from airflow_provider_cpp.transport.session_pool import PooledSession
from airflow_provider_cpp.transport.shared_connection import ConnectionSource, SharedConnection

T = TypeVar("T")
UNAUTHORIZED = 401


async def run(flow: Flow[T], source: ConnectionSource) -> T:
    """Run a flow to its end on the event loop, which is never blocked, and return its result.

    Flows of one event loop share what :mod:`~airflow_provider_cpp.transport.loop_registry` says.

    :param flow: what to do.
    :param source: reads the connection: for the first call, for each new token and after a look that failed, so that a wait
        outlives a secret or a host that is replaced, and a connection that is broken for a while.
    """
    registry = await loop_registry()
    connection = registry.join(source)
    del source  # thousands of waits read through one
    value: Any = None
    failure: MarketplaceError | None = None
    deadline: datetime | None = None
    begins = True
    try:
        while True:
            effect = flow.send(value) if failure is None else flow.throw(failure)
            value = failure = None  # nothing of what came is kept while the flow sleeps
            if isinstance(effect, (SendRequest, ReloadConnection)):
                try:
                    value = await _before_deadline(effect, connection, deadline, begins=begins)
                except MarketplaceError as error:
                    failure = error
                begins = False
            elif isinstance(effect, Sleep):
                rest = asyncio.sleep(effect.seconds)
                del effect  # nor of what was asked for
                await rest
            elif isinstance(effect, GetTime):
                value = datetime.now(timezone.utc)
            elif isinstance(effect, Log):
                connection.reader.log_line(effect.text, effect.level)
            elif isinstance(effect, SetDeadline):
                deadline = effect.at
            elif isinstance(effect, SaveCheckpoint):
                msg = "a triggerer orders nothing, and so has nothing to note"
                raise RuntimeError(msg)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        await registry.leave(connection)


async def _before_deadline(
    effect: SendRequest | ReloadConnection, connection: SharedConnection, deadline: datetime | None, *, begins: bool
) -> Response | None:
    """Send a call or read the connection again; what it takes, queues and sign-in included, ends with the deadline.

    The deadline is an absolute time and clocks are set, so what is left is found out each time.

    :param begins: whether it is the first of its flow.
    """
    left = None if deadline is None else (deadline - datetime.now(timezone.utc)).total_seconds()
    if left is not None and left <= 0:
        raise _deadline_error(effect, connection, "the deadline has passed", sent=False)
    try:
        async with asyncio.timeout(left):
            if begins:
                await connection.reload_if_stale()
            if isinstance(effect, SendRequest):
                return await send(effect.request, connection)
            await connection.reload()
    except TimeoutError:
        raise _deadline_error(effect, connection, f"no response within {left or 0:.3g} seconds", sent=True) from None
    return None


def _deadline_error(
    effect: SendRequest | ReloadConnection, connection: SharedConnection, text: str, *, sent: bool
) -> MarketplaceError:
    if isinstance(effect, ReloadConnection):
        return ConnectionNotFoundError((text,), connection.reader.where)
    return TransportError(effect.request.description, text=text, sent=sent)


async def send(request: Request[Any], connection: SharedConnection) -> Response:
    """Send a call; a token that is refused is replaced once, since a refused request did nothing.

    :raises MarketplaceError: if no token or no answer came.
    """
    session, token = connection.current() or await connection.acquire()
    response = await _exchange(connection, session, request, token)
    if response.status == UNAUTHORIZED:
        session, token = await connection.acquire(rejected=token)
        response = await _exchange(connection, session, request, token)
    return response


async def _exchange(
    connection: SharedConnection, session: PooledSession, request: Request[Any], token: Token
) -> Response:
    settings = session.settings
    url = URL(
        settings.base_url + request.url_path(settings.api_version), encoded=True
    )  # it was quoted where it was made
    timeout = session.timeout if request.is_safe else session.submit_timeout
    session.users += 1
    try:
        async with (
            session.limiter,
            session.client.request(
                request.method,
                url,
                data=request.body,
                headers=request_headers(token, request),
                proxy=session.proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as http_response,
        ):
            body = response_body(request, http_response.headers.get("Content-Encoding"))
            while chunk := await http_response.content.readany():
                body.feed(chunk)
    except (aiohttp.ClientError, OSError, TimeoutError) as caught:
        # The one that is for the whole poll says nothing of itself.
        silence = TimeoutError(f"nothing came within {timeout.total:g} seconds")
        error = silence if type(caught) is TimeoutError and not caught.args else caught
        raise transport_error(request, settings.base_url, error, sent=not _was_never_sent(error)) from None
    finally:
        await connection.pool.release(session)
    return Response(
        http_response.status, bytes(body.content), http_response.headers, settings.base_url, datetime.now(timezone.utc)
    )


def _was_never_sent(error: BaseException) -> bool:
    """Say whether a request certainly did not reach the portal: there was no connection to send it on."""
    return any(
        isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
        for cause in exception_chain(error)
    )
