# SPDX-License-Identifier: Apache-2.0
"""A connection to the portal on an event loop: whom it trusts, how long it waits, how many sockets it has."""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from pathlib import Path

import aiohttp
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy

from airflow_provider_cpp.transport.auth import token_source
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.wire import COMMON_HEADERS, LONGEST_EXCHANGE

CONNECTIONS = 32
"""How many connections a session has to its portal at most; who finds none free stands in a queue. Each takes some 300 KiB
while it is open, of TLS's buffers. With answers of a fifth of a second, so many are enough for 5,000 waits that a triggerer
begins again within a minute: :data:`~airflow_provider_cpp.rules.pacing.RESUMED_WITHIN`."""

KEEP_ALIVE = 60.0
"""Seconds for which an idle connection is kept. That a server closed one is seen, and costs a new one. What stands in
between, a firewall or a load balancer, forgets one after some minutes without a word, and a request would wait on it
in vain."""


class Line:
    """A connection to the portal; open until nobody uses it any more.

    :param settings: which portal, as whom. Lines of different settings share nothing.
    :param context: whom it trusts.
    :ivar users: how many use it: each :class:`~.access.Access` that leads to it, and each request on its way.
    :ivar gate: lets so many requests through at a time as there are connections. Those that wait here weigh nothing
        yet, which aiohttp's own queue cannot say.
    """

    __slots__ = ("client", "gate", "order_timeout", "proxy", "settings", "timeout", "tokens", "users")

    def __init__(self, settings: Settings, context: ssl.SSLContext) -> None:
        self.users = 0
        self.gate = asyncio.Semaphore(CONNECTIONS)
        self.settings = settings
        self.tokens = token_source(settings)
        proxies = dict(settings.proxies) or get_environ_proxies(settings.base_url)
        self.proxy = select_proxy(settings.base_url, proxies)
        self.timeout, self.order_timeout = (_timeout(settings, order=order) for order in (False, True))
        # Neither cookies nor ~/.netrc: what goes to the portal is what stands here.
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE),
            headers=COMMON_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )


def _timeout(settings: Settings, *, order: bool) -> aiohttp.ClientTimeout:
    if order:
        read = settings.read_timeout(order=True)
        return aiohttp.ClientTimeout(total=LONGEST_EXCHANGE, connect=settings.request_timeout, sock_read=read)
    # One for all of it: each would be a timer more in every poll, and what is read here is small.
    return aiohttp.ClientTimeout(total=settings.request_timeout)


def context(settings: Settings) -> ssl.SSLContext:
    """Trust what requests would: a file or a folder of authorities, or its own list of them."""
    bundle = Path(settings.bundle() or DEFAULT_CA_BUNDLE_PATH)
    found = bundle.stat()
    return _trusting(bundle, folder=bundle.is_dir(), version=(found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=8)
def _trusting(bundle: Path, *, folder: bool, version: tuple[int, ...]) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    """Read authorities, which takes longer than ten polls; again if the file is another one by now."""
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
