# SPDX-License-Identifier: Apache-2.0
"""The wire of the triggerer: a driver for the flows, with aiohttp."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from airflow_provider_cpp.core.effects import Flow, Keep, Now, Reconnect, Send, SetDeadline, Sleep, Tell
from airflow_provider_cpp.core.http import Call, Reply
from airflow_provider_cpp.exceptions import ConnectionUnknown, PortalError, Unreachable
from airflow_provider_cpp.transport.auth.token_source import Token
from airflow_provider_cpp.transport.base import body_of, headers, unreachable
from airflow_provider_cpp.transport.loop_registry import lines
from airflow_provider_cpp.transport.network_errors import causes_of
from airflow_provider_cpp.transport.session_pool import Line
from airflow_provider_cpp.transport.shared_connection import Access, Reader

T = TypeVar("T")
UNAUTHORIZED = 401


async def run(flow: Flow[T], reader: Reader) -> T:
    """Run a flow to its end on the event loop, which is never blocked, and return its result.

    Flows of one event loop share what :mod:`~airflow_provider_cpp.transport.loop_registry` says.

    :param flow: what to do.
    :param reader: reads the connection: for the first call, for each new token and after a look that failed, so that a wait
        outlives a secret or a host that is replaced, and a connection that is broken for a while.
    """
    access = (await lines()).enter(reader)
    del reader  # thousands of waits read through one
    answer: Any = None
    failure: PortalError | None = None
    deadline: datetime | None = None
    begins = True
    try:
        while True:
            request = flow.send(answer) if failure is None else flow.throw(failure)
            answer = failure = None  # nothing of what came is kept while the flow sleeps
            if isinstance(request, (Send, Reconnect)):
                try:
                    answer = await _in_time(request, access, deadline, begins=begins)
                except PortalError as error:
                    failure = error
                begins = False
            elif isinstance(request, Sleep):
                rest = asyncio.sleep(request.seconds)
                del request  # nor of what was asked for
                await rest
            elif isinstance(request, Now):
                answer = datetime.now(timezone.utc)
            elif isinstance(request, Tell):
                access.reader.tell(request.text, request.level)
            elif isinstance(request, SetDeadline):
                deadline = request.at
            elif isinstance(request, Keep):
                msg = "a triggerer orders nothing, and so has nothing to note"
                raise RuntimeError(msg)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        await access.lines.leave(access)


async def _in_time(
    request: Send | Reconnect, access: Access, deadline: datetime | None, *, begins: bool
) -> Reply | None:
    """Send a call or read the connection again; what it takes, queues and sign-in included, ends with the deadline.

    The deadline is an absolute time and clocks are set, so what is left is found out each time.

    :param begins: whether it is the first of its flow.
    """
    left = None if deadline is None else (deadline - datetime.now(timezone.utc)).total_seconds()
    if left is not None and left <= 0:
        raise _late(request, access, "the deadline has passed", sent=False)
    try:
        async with asyncio.timeout(left):
            if begins:
                await access.begin()
            if isinstance(request, Send):
                return await send(request.call, access)
            await access.read_again()
    except TimeoutError:
        raise _late(request, access, f"no response within {left or 0:.3g} seconds", sent=True) from None
    return None


def _late(request: Send | Reconnect, access: Access, text: str, *, sent: bool) -> PortalError:
    if isinstance(request, Reconnect):
        return ConnectionUnknown((text,), access.reader.where)
    return Unreachable(request.call.words, text=text, sent=sent)


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
