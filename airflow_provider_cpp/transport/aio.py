# SPDX-License-Identifier: Apache-2.0
"""The wire of the triggerer: a driver for the flows, with aiohttp."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_cpp.errors import PortalError
from airflow_provider_cpp.rules.calls import Call, Reply
from airflow_provider_cpp.rules.flows import Flow, Keep, Now, Reconnect, Send, Sleep, Tell
from airflow_provider_cpp.transport.access import Access, Reader
from airflow_provider_cpp.transport.auth import Token
from airflow_provider_cpp.transport.causes import causes_of
from airflow_provider_cpp.transport.line import Line
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.sharing import lines
from airflow_provider_cpp.transport.wire import body_of, headers, unreachable

T = TypeVar("T")
UNAUTHORIZED = 401


async def run(flow: Flow[T], reader: Reader, found: Settings | None = None) -> T:
    """Run a flow to its end on the event loop, which is never blocked, and return its result.

    Flows of one event loop share what :mod:`~airflow_provider_cpp.transport.sharing` says.

    :param flow: what to do.
    :param reader: reads the connection: for the first call, for each new token and after a look that failed, so that a wait
        outlives a secret or a host that is replaced, and a connection that is broken for a while.
    :param found: what the connection says, where it was read just now.
    """
    access = (await lines()).enter(reader, found)
    del reader, found  # thousands of waits read through one
    answer: Any = None
    failure: PortalError | None = None
    try:
        while True:
            request = flow.send(answer) if failure is None else flow.throw(failure)
            answer = failure = None  # nothing of what came is kept while the flow sleeps
            if isinstance(request, (Send, Reconnect)):
                try:
                    if isinstance(request, Send):
                        answer = await send(request.call, access)
                    else:
                        await access.read_again()
                except PortalError as error:
                    failure = error
            elif isinstance(request, Sleep):
                rest = asyncio.sleep(request.seconds)
                del request  # nor of what was asked for
                await rest
            elif isinstance(request, Now):
                answer = datetime.now(timezone.utc)
            elif isinstance(request, Tell):
                access.reader.tell(request.text, request.level)
            elif isinstance(request, Keep):
                msg = "a triggerer orders nothing, and so has nothing to note"
                raise RuntimeError(msg)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        await access.lines.leave(access)


async def send(call: Call[Any], access: Access) -> Reply:
    """Send a call; a token that is refused is replaced once, since a refused request did nothing.

    :raises PortalError: if no token or no answer came.
    """
    line, token = access.ready() or await access.open()
    reply = await _exchange(access, line, call, token)
    if reply.status == UNAUTHORIZED:
        line, token = await access.open(rejected=token)
        reply = await _exchange(access, line, call, token)
    return reply


async def _exchange(access: Access, line: Line, call: Call[Any], token: Token) -> Reply:
    settings = line.settings
    url = URL(settings.base_url + call.target(settings.api_version), encoded=True)  # it was quoted where it was made
    timeout = line.timeout if call.is_safe else line.order_timeout
    line.users += 1
    try:
        async with (
            line.gate,
            line.client.request(
                call.method,
                url,
                data=call.body,
                headers=headers(token, call),
                proxy=line.proxy,
                timeout=timeout,
                allow_redirects=False,
            ) as response,
        ):
            body = body_of(call, response.headers.get("Content-Encoding"))
            while chunk := await response.content.readany():
                body.take(chunk)
    except (aiohttp.ClientError, OSError, TimeoutError) as caught:
        # The one that is for the whole poll says nothing of itself.
        silence = TimeoutError(f"nothing came within {timeout.total:g} seconds")
        error = silence if type(caught) is TimeoutError and not caught.args else caught
        raise unreachable(call, settings.base_url, error, sent=not _never_left(error)) from None
    finally:
        line.users -= 1
        if not line.users:
            await access.lines.close(line)
    return Reply(response.status, bytes(body.content), response.headers, settings.base_url, datetime.now(timezone.utc))


def _never_left(error: BaseException) -> bool:
    """Say whether a request certainly did not reach the portal: there was no connection to send it on."""
    return any(
        isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)) for cause in causes_of(error)
    )
